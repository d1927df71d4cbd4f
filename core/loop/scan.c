#include "loop/scan.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/grow.h"
#include "base/hash.h"

// A folder on the way down, by which a link back up is known.
struct level {
  const struct level *above;
  size_t depth;
  dev_t device;
  ino_t inode;
};

struct walk {
  struct peri_scan scan;
  const char *ending;
  size_t capacity;
  size_t names;
  char path[PATH_MAX];
  size_t len;
};

bool peri_scan_counts(const char *name, const char *ending) {
  size_t len = strlen(name);
  size_t tail = ending != NULL ? strlen(ending) : 0;
  return name[0] != '.' && len >= tail &&
         (tail == 0 || strcmp(name + len - tail, ending) == 0);
}

/// Adds what is at the present path. A sum does not depend on the order in
/// which names are read.
static void add_print(struct walk *walk, const uint64_t *looks, size_t bytes) {
  struct peri_slice path = {walk->path, walk->len};
  struct peri_slice seen = {(const char *)looks, bytes};
  walk->scan.print += peri_hash_xxh3(seen, peri_hash_xxh3(path, 0));
}

static void add_file(struct walk *walk, const struct stat *st) {
  uint64_t looks[] = {st->st_dev, st->st_ino, (uint64_t)st->st_size,
                      (uint64_t)st->st_mtim.tv_sec,
                      (uint64_t)st->st_mtim.tv_nsec};
  if (walk->names < PERI_SCAN_NAMES) {
    walk->names++;
    add_print(walk, looks, sizeof looks);
  }
}

static int add_folder(struct walk *walk, const struct stat *st) {
  struct peri_scan *scan = &walk->scan;
  uint64_t looks[] = {st->st_dev, st->st_ino};
  if (scan->folder_count == walk->capacity) {
    struct peri_scan_folder *grown =
        peri_grow(scan->folders, &walk->capacity, sizeof *grown);
    if (grown == NULL) {
      return PERI_ENOMEM;
    }
    scan->folders = grown;
  }
  char *path = strdup(walk->path);
  if (path == NULL) {
    return PERI_ENOMEM;
  }
  scan->folders[scan->folder_count++] =
      (struct peri_scan_folder){path, st->st_dev, st->st_ino};
  add_print(walk, looks, sizeof looks);
  return 0;
}

static bool turns_back(const struct level *level) {
  for (const struct level *at = level->above; at != NULL; at = at->above) {
    if (at->device == level->device && at->inode == level->inode) {
      return true;
    }
  }
  return false;
}

static int walk_folder(struct walk *walk, const struct level *above);

/// One name in the present folder.
static int walk_name(struct walk *walk, const char *name,
                     const struct level *level) {
  size_t before = walk->len;
  size_t len = strlen(name);
  struct stat st;
  int rc = 0;
  if (name[0] == '.' || before + len + 2 > sizeof walk->path) {
    return 0;
  }
  walk->path[before] = '/';
  memcpy(walk->path + before + 1, name, len + 1);
  walk->len += len + 1;
  if (stat(walk->path, &st) < 0) {
    st = (struct stat){0};  // A link to nowhere: no folder and no size.
  }
  if (S_ISDIR(st.st_mode)) {
    rc = walk_folder(walk, level);
  } else if (peri_scan_counts(name, walk->ending)) {
    add_file(walk, &st);
  }
  walk->len = before;
  walk->path[before] = '\0';
  return rc;
}

static int walk_open(struct walk *walk, const struct level *above, DIR *open) {
  struct level level = {.above = above, .depth = above ? above->depth + 1 : 0};
  struct stat st;
  if (fstat(dirfd(open), &st) < 0) {
    return 0;
  }
  level.device = st.st_dev;
  level.inode = st.st_ino;
  if (level.depth == PERI_SCAN_DEPTH || turns_back(&level) ||
      walk->scan.folder_count == PERI_SCAN_FOLDERS) {
    return 0;
  }
  int rc = add_folder(walk, &st);
  while (rc == 0) {
    const struct dirent *found = readdir(open);
    if (found == NULL) {
      break;
    }
    rc = walk_name(walk, found->d_name, &level);
  }
  return rc;
}

static int walk_folder(struct walk *walk, const struct level *above) {
  DIR *open = opendir(walk->path);
  if (open == NULL) {
    uint64_t why = (uint64_t)errno;
    add_print(walk, &why, sizeof why);
    return 0;
  }
  int rc = walk_open(walk, above, open);
  closedir(open);
  return rc;
}

int peri_scan_run(const char *const *folders, size_t count, const char *ending,
                  struct peri_scan *ret_scan) {
  struct walk *walk = calloc(1, sizeof *walk);
  int rc = 0;
  if (walk == NULL) {
    return PERI_ENOMEM;
  }
  walk->ending = ending;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    walk->len = strlen(folders[i]);
    if (walk->len < sizeof walk->path) {
      memcpy(walk->path, folders[i], walk->len + 1);
      rc = walk_folder(walk, NULL);
    }
  }
  if (rc == 0) {
    *ret_scan = walk->scan;
  } else {
    peri_scan_clear(&walk->scan);
  }
  free(walk);
  return rc;
}

void peri_scan_clear(struct peri_scan *scan) {
  for (size_t i = 0; i < scan->folder_count; i++) {
    free(scan->folders[i].path);
  }
  free(scan->folders);
  *scan = (struct peri_scan){0};
}
