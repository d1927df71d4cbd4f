#include "loop/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

enum { FIRST_BYTES = 4096 };

/// A whole file in memory, with a NUL after it.
struct content {
  char *ptr;
  size_t len;
  int64_t mtime_ns;
};

struct peri_file_read {
  uv_work_t work;
  char *root;  // NULL for anywhere
  char *path;
  uint64_t max_bytes;
  void (*process)(void *ctx, const struct peri_file_result *result);
  void (*done)(void *ctx, const struct peri_file_result *result);
  void *ctx;
  atomic_bool cancelled;
  int code;
  struct content content;
};

static int code_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return PERI_ENOTFOUND;
    case EACCES:
    case EPERM:
      return PERI_EPERM;
    case ENOMEM:
      return PERI_ENOMEM;
    case ENAMETOOLONG:
    case ELOOP:
      return PERI_EINVAL;
    default:
      return PERI_EIO;
  }
}

/// Where an open descriptor lies, after every link and `..`.
static int real_path(int fd, char ret_path[PATH_MAX]) {
  char name[40];
  snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
  ssize_t len = readlink(name, ret_path, PATH_MAX);
  if (len < 0) {
    return PERI_EIO;
  }
  if (len == PATH_MAX) {
    return PERI_EINVAL;
  }
  ret_path[len] = '\0';
  return 0;
}

static int check_below(int root_fd, int fd) {
  char root[PATH_MAX];
  char path[PATH_MAX];
  int rc = real_path(root_fd, root);
  if (rc == 0) {
    rc = real_path(fd, path);
  }
  if (rc != 0) {
    return rc;
  }
  size_t len = strlen(root);
  if (len > 0 && root[len - 1] == '/') {
    len--;  // only the root of the file system ends so
  }
  return strncmp(path, root, len) == 0 && path[len] == '/' ? 0 : PERI_EPERM;
}

/// Opens `path` without reading rights or side effects: a FIFO cannot hang it
/// and a device is not woken.
static int open_place(const char *root, const char *path, int *ret_fd) {
  if (root == NULL) {
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
      return code_of(errno);
    }
    *ret_fd = fd;
    return 0;
  }
  int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0) {
    return code_of(errno);
  }
  int fd = openat(root_fd, path, O_PATH | O_CLOEXEC);
  int rc = fd < 0 ? code_of(errno) : check_below(root_fd, fd);
  close(root_fd);
  if (rc < 0) {
    if (fd >= 0) {
      close(fd);
    }
    return rc;
  }
  *ret_fd = fd;
  return 0;
}

/// Opens the regular file at `path` for reading.
static int open_regular(const char *root, const char *path, struct stat *ret_st,
                        int *ret_fd) {
  int place = -1;
  int rc = open_place(root, path, &place);
  if (rc < 0) {
    return rc;
  }
  struct stat st;
  int fd = -1;
  if (fstat(place, &st) < 0) {
    rc = code_of(errno);
  } else if (!S_ISREG(st.st_mode)) {
    rc = PERI_EINVAL;
  } else {
    // The very inode that was checked, whatever its name means by now.
    char name[40];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", place);
    fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    rc = fd < 0 ? code_of(errno) : 0;
  }
  close(place);
  if (rc < 0) {
    return rc;
  }
  *ret_st = st;
  *ret_fd = fd;
  return 0;
}

/// Grows `content` so that at least one more byte and a NUL fit.
static int make_room(struct content *content, size_t *cap) {
  if (content->len + 1 < *cap) {
    return 0;
  }
  char *ptr = realloc(content->ptr, *cap * 2);
  if (ptr == NULL) {
    return PERI_ENOMEM;
  }
  content->ptr = ptr;
  *cap *= 2;
  return 0;
}

static int read_all(int fd, uint64_t max_bytes, size_t hint_bytes,
                    const atomic_bool *cancelled, struct content *content) {
  size_t cap = hint_bytes + 2;  // the NUL, and one byte to see the end
  content->ptr = malloc(cap);
  if (content->ptr == NULL) {
    return PERI_ENOMEM;
  }
  for (;;) {
    if (cancelled != NULL && atomic_load(cancelled)) {
      return PERI_ECANCELED;
    }
    int rc = make_room(content, &cap);
    if (rc < 0) {
      return rc;
    }
    ssize_t got = read(fd, content->ptr + content->len, cap - content->len - 1);
    if (got < 0 && errno != EINTR) {
      return PERI_EIO;
    }
    if (got == 0) {
      content->ptr[content->len] = '\0';
      return 0;
    }
    content->len += got > 0 ? (size_t)got : 0;
    if (content->len > max_bytes) {
      return PERI_ELIMIT;
    }
  }
}

/// Reads a whole file; on failure `content` is empty.
static int load(const char *root, const char *path, uint64_t max_bytes,
                const atomic_bool *cancelled, struct content *content) {
  struct stat st;
  int fd = -1;
  *content = (struct content){0};
  int rc = open_regular(root, path, &st, &fd);
  if (rc < 0) {
    return rc;
  }
  if (st.st_size < 0 || (uint64_t)st.st_size > max_bytes) {
    rc = PERI_ELIMIT;
  } else {
    // Files of /proc say 0 and have content.
    size_t hint = st.st_size > 0 ? (size_t)st.st_size : FIRST_BYTES;
    rc = read_all(fd, max_bytes, hint, cancelled, content);
  }
  close(fd);
  if (rc < 0) {
    free(content->ptr);
    *content = (struct content){0};
    return rc;
  }
  content->mtime_ns =
      (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  return 0;
}

static void read_free(struct peri_file_read *read) {
  free(read->content.ptr);
  free(read->root);
  free(read->path);
  free(read);
}

static struct peri_file_result result_of(const struct peri_file_read *read) {
  return (struct peri_file_result){
      .code = read->code,
      .bytes = {.ptr = read->content.ptr, .len = read->content.len},
      .mtime_ns = read->content.mtime_ns};
}

static void work(uv_work_t *req) {
  struct peri_file_read *read =
      PERI_CONTAINER_OF(req, struct peri_file_read, work);
  read->code = load(read->root, read->path, read->max_bytes, &read->cancelled,
                    &read->content);
  if (read->code == 0 && read->process != NULL) {
    struct peri_file_result result = result_of(read);
    read->process(read->ctx, &result);
  }
}

static void worked(uv_work_t *req, int status) {
  struct peri_file_read *read =
      PERI_CONTAINER_OF(req, struct peri_file_read, work);
  struct peri_file_result result = result_of(read);
  if (status < 0 || atomic_load(&read->cancelled)) {
    result = (struct peri_file_result){.code = PERI_ECANCELED};
  }
  read->done(read->ctx, &result);
  read_free(read);
}

int peri_file_read(struct peri_loop *loop, const char *root, const char *path,
                   uint64_t max_bytes,
                   void (*process)(void *ctx,
                                   const struct peri_file_result *result),
                   void (*done)(void *ctx,
                                const struct peri_file_result *result),
                   void *ctx, struct peri_file_read **ret_read) {
  struct peri_file_read *read = calloc(1, sizeof(*read));
  if (read == NULL) {
    return PERI_ENOMEM;
  }
  read->path = strdup(path);
  read->root = root == NULL ? NULL : strdup(root);
  if (read->path == NULL || (root != NULL && read->root == NULL)) {
    read_free(read);
    return PERI_ENOMEM;
  }
  read->max_bytes = max_bytes;
  read->process = process;
  read->done = done;
  read->ctx = ctx;
  uv_queue_work(&loop->uv, &read->work, work, worked);
  *ret_read = read;
  return 0;
}

void peri_file_cancel(struct peri_file_read *read) {
  if (read == NULL) {
    return;
  }
  atomic_store(&read->cancelled, true);
  // Refused once a thread works on it; the flag ends that early.
  uv_cancel((uv_req_t *)&read->work);
}

int peri_file_slurp(const char *path, uint64_t max_bytes, char **ret_bytes,
                    size_t *ret_len) {
  struct content content;
  int rc = load(NULL, path, max_bytes, NULL, &content);
  if (rc < 0) {
    return rc;
  }
  *ret_bytes = content.ptr;
  *ret_len = content.len;
  return 0;
}
