// Preloaded into a sidecar, makes what lies in a folder named "slow" hang, as a
// file system does whose server is away, while the file PERI_HANG_FILE is there.
// What hangs is added to that file.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *next(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

static void tell(const char *file, const char *call, const char *path) {
  int (*real)(const char *, int, ...);
  *(void **)&real = next("open");
  int fd = real(file, O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd >= 0) {
    dprintf(fd, "%s %s\n", call, path);
    close(fd);
  }
}

static void hang(const char *call, const char *path) {
  const char *file = getenv("PERI_HANG_FILE");
  if (file == NULL || strstr(path, "/slow") == NULL) {
    return;
  }
  tell(file, call, path);
  while (access(file, F_OK) == 0) {
    usleep(10000);
  }
}

int open(const char *path, int flags, ...) {
  int (*real)(const char *, int, ...);
  va_list args;
  va_start(args, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
  va_end(args);
  *(void **)&real = next("open");
  hang("open", path);
  return real(path, flags, mode);
}

DIR *opendir(const char *path) {
  DIR *(*real)(const char *);
  *(void **)&real = next("opendir");
  hang("opendir", path);
  return real(path);
}

int stat(const char *restrict path, struct stat *restrict st) {
  int (*real)(const char *, struct stat *);
  *(void **)&real = next("stat");
  hang("stat", path);
  return real(path, st);
}
