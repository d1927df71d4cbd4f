#include "app/inherit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"

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

// How many sockets are there for this process, and their names.
static int handed_over(const char **ret_names) {
  const char *names = getenv("LISTEN_FDNAMES");
  long count = number("LISTEN_FDS");
  // The variables are inherited further down: they count for one process only.
  if (names == NULL || number("LISTEN_PID") != (long)getpid() || count <= 0 ||
      count > MOST_FDS) {
    return 0;
  }
  *ret_names = names;
  return (int)count;
}

static struct peri_slice next_name(const char **names) {
  struct peri_slice name = {*names, strcspn(*names, ":")};
  *names += name.len + ((*names)[name.len] == ':' ? 1 : 0);
  return name;
}

int peri_inherit_find(const char *name) {
  const char *names = "";
  int count = handed_over(&names);
  for (int i = 0; i < count; i++) {
    if (peri_slice_is(next_name(&names), name)) {
      int fd = FIRST_FD + i;
      return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? fd : -1;
    }
  }
  return -1;
}

bool peri_inherit_stray(struct peri_slice *ret_name) {
  const char *names = "";
  int count = handed_over(&names);
  for (int i = 0; i < count; i++) {
    struct peri_slice name = next_name(&names);
    if (!peri_slice_is(name, "app") && !peri_slice_is(name, "mesh") &&
        !peri_slice_is(name, "admin")) {
      *ret_name = name;
      return true;
    }
  }
  return false;
}
