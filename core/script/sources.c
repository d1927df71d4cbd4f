#include "script/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/grow.h"
#include "base/hash.h"
#include "loop/file.h"
#include "model/config.h"

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

struct entry {
  struct peri_source source;
  size_t order;  // of the folder it was found in; the first one wins
};

// Sorted by `relative`. One that ends with a slash, or is empty, is a folder
// that cannot be read: what may be in it hides the same name in later folders.
struct shelf {
  struct entry *entries;
  size_t count, capacity;
};

struct peri_sources {
  atomic_size_t refs;
  struct shelf policies, modules;
};

struct reading {
  struct shelf *shelf;
  const char *top;  // the folder that is read
  size_t order;
  size_t files, folders;
  size_t bytes;
  struct peri_problem *problem;
};

// A folder on the way down, by which a link back up is known.
struct level {
  const struct level *above;
  dev_t device;
  ino_t inode;
};

static void release(struct peri_source *source) {
  free((char *)(uintptr_t)source->relative);
  free((char *)(uintptr_t)source->path);
  free((char *)(uintptr_t)source->text.ptr);
}

static int out_of_memory(struct reading *reading) {
  return peri_problem_set(reading->problem, PERI_ENOMEM, "out of memory");
}

// Takes `text` over, also when it fails.
static int add(struct reading *reading, const char *relative, const char *path,
               struct peri_slice text, int code) {
  struct shelf *shelf = reading->shelf;
  struct peri_source source = {.relative = strdup(relative),
                               .path = strdup(path),
                               .text = text,
                               .code = code};
  if (!source.relative || !source.path) {
    goto fail;
  }
  if (shelf->count == shelf->capacity) {
    struct entry *grown =
        peri_grow(shelf->entries, &shelf->capacity, sizeof(*grown));
    if (!grown) {
      goto fail;
    }
    shelf->entries = grown;
  }
  source.digest = code == 0 ? peri_hash_xxh3(text, 0) : 0;
  shelf->entries[shelf->count++] = (struct entry){source, reading->order};
  return 0;

fail:
  release(&source);
  return out_of_memory(reading);
}

static int read_file(struct reading *reading, const char *relative,
                     const char *path) {
  struct peri_slice text = {NULL, 0};
  struct stat st;
  char *bytes = NULL;

  if (reading->files++ == PERI_SOURCES_FILES) {
    return peri_problem_set(reading->problem, PERI_ELIMIT,
                            "%s: there are more than %d Lua files for policies",
                            reading->top, PERI_SOURCES_FILES);
  }
  int rc = peri_file_slurp(path, PERI_SOURCES_FILE_BYTES, &bytes, &text.len);
  if (rc == PERI_ENOMEM) {
    return out_of_memory(reading);
  }
  if (rc == PERI_ENOTFOUND && lstat(path, &st) < 0) {
    return 0;  // It went while the folder was read.
  }
  if (rc < 0) {
    return add(reading, relative, path, text, rc);
  }
  text.ptr = bytes;
  reading->bytes += text.len;
  if (reading->bytes > PERI_SOURCES_BYTES) {
    free(bytes);
    return peri_problem_set(reading->problem, PERI_ELIMIT,
                            "%s: the Lua files for policies have more than %d "
                            "MiB",
                            reading->top, PERI_SOURCES_BYTES >> 20);
  }
  return add(reading, relative, path, text, 0);
}

static int read_folder(struct reading *reading, const char *relative,
                       const struct level *above);

// One name in the folder `relative`, which is empty or ends with a slash.
static int read_name(struct reading *reading, const char *relative,
                     const char *name, const struct level *level) {
  char inside[PERI_SOURCES_NAME_BYTES];
  char path[PATH_MAX];
  struct stat st;
  size_t len = strspn(name, name_letters);
  bool is_file = len > 0 && strcmp(name + len, ".lua") == 0;

  if (len == 0 || (!is_file && name[len] != '\0')) {
    return 0;
  }
  int size = snprintf(inside, sizeof(inside), "%s%s%s", relative, name,
                      is_file ? "" : "/");
  if (size < 0 || (size_t)size >= sizeof(inside)) {
    return 0;  // No module's name is so long.
  }
  size = snprintf(path, sizeof(path), "%s/%s", reading->top, inside);
  if (size < 0 || (size_t)size >= sizeof(path)) {
    return 0;
  }
  if (is_file) {
    return read_file(reading, inside, path);
  }
  if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
    return 0;
  }
  return read_folder(reading, inside, level);
}

static bool turns_back(const struct level *level) {
  for (const struct level *at = level->above; at; at = at->above) {
    if (at->device == level->device && at->inode == level->inode) {
      return true;
    }
  }
  return false;
}

static int read_open(struct reading *reading, const char *relative,
                     const struct level *above, DIR *folder) {
  struct level level = {.above = above};
  struct stat st;
  int rc = 0;

  if (fstat(dirfd(folder), &st) < 0) {
    return 0;
  }
  level.device = st.st_dev;
  level.inode = st.st_ino;
  if (turns_back(&level)) {
    return 0;
  }
  while (rc == 0) {
    const struct dirent *found = readdir(folder);
    if (!found) {
      break;
    }
    rc = read_name(reading, relative, found->d_name, &level);
  }
  return rc;
}

static int read_folder(struct reading *reading, const char *relative,
                       const struct level *above) {
  struct peri_slice none = {NULL, 0};
  char path[PATH_MAX];

  if (reading->folders++ == PERI_SOURCES_FOLDERS) {
    return peri_problem_set(reading->problem, PERI_ELIMIT,
                            "%s: there are more than %d folders for policies",
                            reading->top, PERI_SOURCES_FOLDERS);
  }
  int size = snprintf(path, sizeof(path), "%s/%s", reading->top, relative);
  if (size < 0 || (size_t)size >= sizeof(path)) {
    return 0;
  }
  DIR *folder = opendir(path);
  if (!folder && (errno == ENOENT || errno == ENOTDIR)) {
    return 0;
  }
  if (!folder) {
    int code = errno == EACCES ? PERI_EPERM : PERI_EIO;
    return add(reading, relative, path, none, code);
  }
  int rc = read_open(reading, relative, above, folder);
  closedir(folder);
  return rc;
}

static int by_name(const void *a, const void *b) {
  const struct entry *left = a;
  const struct entry *right = b;

  int order = strcmp(left->source.relative, right->source.relative);
  if (order != 0) {
    return order;
  }
  return left->order < right->order ? -1 : left->order > right->order;
}

// Sorts, and drops what an earlier folder hides.
static void arrange(struct shelf *shelf) {
  size_t kept = 0;

  if (shelf->count == 0) {
    return;
  }
  qsort(shelf->entries, shelf->count, sizeof(*shelf->entries), by_name);
  for (size_t i = 1; i < shelf->count; i++) {
    struct entry *at = &shelf->entries[i];
    if (strcmp(at->source.relative, shelf->entries[kept].source.relative) ==
        0) {
      release(&at->source);
    } else {
      shelf->entries[++kept] = *at;
    }
  }
  shelf->count = kept + 1;
}

static int read_top(struct reading *reading, const char *folder,
                    const char *relative) {
  if (!folder) {
    return 0;
  }
  reading->top = folder;
  int rc = read_folder(reading, relative, NULL);
  reading->order++;
  return rc;
}

int peri_sources_read(const struct peri_config *config, const char *plugins_dir,
                      const char *lua_dir, struct peri_sources **ret_sources,
                      struct peri_problem *ret_problem) {
  struct peri_sources *sources = calloc(1, sizeof(*sources));
  struct reading reading = {.problem = ret_problem};
  size_t count = config ? config->policy_path_count : 0;
  int rc = 0;

  if (!sources) {
    return out_of_memory(&reading);
  }
  atomic_init(&sources->refs, 1);
  reading.shelf = &sources->policies;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    rc = read_top(&reading, config->policy_paths[i], "");
  }
  if (rc == 0) {
    rc = read_top(&reading, plugins_dir, "");
  }
  reading.shelf = &sources->modules;
  if (rc == 0) {
    rc = read_top(&reading, lua_dir, "perigee/");
  }
  if (rc < 0) {
    peri_sources_unref(sources);
    return rc;
  }
  arrange(&sources->policies);
  arrange(&sources->modules);
  *ret_sources = sources;
  return 0;
}

struct peri_sources *peri_sources_ref(struct peri_sources *sources) {
  atomic_fetch_add_explicit(&sources->refs, 1, memory_order_relaxed);
  return sources;
}

static void clear(struct shelf *shelf) {
  for (size_t i = 0; i < shelf->count; i++) {
    release(&shelf->entries[i].source);
  }
  free(shelf->entries);
}

void peri_sources_unref(struct peri_sources *sources) {
  if (!sources ||
      atomic_fetch_sub_explicit(&sources->refs, 1, memory_order_acq_rel) > 1) {
    return;
  }
  clear(&sources->policies);
  clear(&sources->modules);
  free(sources);
}

static int compare(const void *key, const void *element) {
  const struct peri_slice *name = key;
  const char *relative = ((const struct entry *)element)->source.relative;

  int order = strncmp(name->ptr, relative, name->len);
  return order != 0 || relative[name->len] == '\0' ? order : -1;
}

static const struct entry *look(const struct shelf *shelf,
                                struct peri_slice name) {
  return shelf->count == 0 ? NULL
                           : bsearch(&name, shelf->entries, shelf->count,
                                     sizeof(*shelf->entries), compare);
}

// The file itself, unless one of the folders above it cannot be read and comes
// earlier.
static const struct peri_source *find(const struct shelf *shelf,
                                      const char *relative) {
  size_t len = strlen(relative);
  const struct entry *best = look(shelf, (struct peri_slice){relative, len});

  for (size_t i = 0; i < len; i++) {
    if (i > 0 && relative[i - 1] != '/') {
      continue;
    }
    const struct entry *folder = look(shelf, (struct peri_slice){relative, i});
    if (folder && (!best || folder->order < best->order)) {
      best = folder;
    }
  }
  return best ? &best->source : NULL;
}

const struct peri_source *peri_sources_find(const struct peri_sources *sources,
                                            const char *relative) {
  return find(&sources->policies, relative);
}

const struct peri_source *peri_sources_module(
    const struct peri_sources *sources, const char *relative) {
  return find(&sources->modules, relative);
}
