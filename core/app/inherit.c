#include "app/inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, MOST_FDS = 64 };

static long number(const char *name) {
  const char *text = getenv(name);
  char *end;
  if (text == NULL || text[0] == '\0') {
    return -1;
  }
  long value = strtol(text, &end, 10);
  return *end == '\0' ? value : -1;
}

int peri_inherit_find(const char *name) {
  const char *names = getenv("LISTEN_FDNAMES");
  long count = number("LISTEN_FDS");
  // The variables are inherited further down: they count for one process only.
  if (names == NULL || number("LISTEN_PID") != (long)getpid() || count <= 0 ||
      count > MOST_FDS) {
    return -1;
  }
  for (int i = 0; i < count; i++) {
    size_t len = strcspn(names, ":");
    if (len == strlen(name) && strncmp(names, name, len) == 0) {
      int fd = FIRST_FD + i;
      return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
    }
    names += len;
    if (*names == '\0') {
      return -1;
    }
    names++;
  }
  return -1;
}
