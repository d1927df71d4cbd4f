#include "app/folders.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Whether it is a folder; if so its path has no ".." left, since it is shown.
static bool is_folder(char *path, size_t capacity) {
  char whole[PATH_MAX];
  struct stat found;
  if (realpath(path, whole) == NULL || stat(whole, &found) != 0 ||
      !S_ISDIR(found.st_mode)) {
    return false;
  }
  int len = snprintf(path, capacity, "%s", whole);
  return len > 0 && (size_t)len < capacity;
}

static bool try(const char *root, const char *below, struct peri_folders *ret) {
  struct peri_folders at;
  int lua = snprintf(at.lua, sizeof(at.lua), "%s%s/lua", root, below);
  int plugins =
      snprintf(at.plugins, sizeof(at.plugins), "%s%s/plugins", root, below);
  if (lua < 0 || plugins < 0 || (size_t)plugins >= sizeof(at.plugins) ||
      !is_folder(at.lua, sizeof(at.lua)) ||
      !is_folder(at.plugins, sizeof(at.plugins))) {
    return false;
  }
  *ret = at;
  return true;
}

int peri_folders_find(const char *data, const char *program,
                      struct peri_folders *ret_folders,
                      struct peri_problem *ret_problem) {
  if (data != NULL && data[0] != '\0') {
    if (try(data, "", ret_folders)) {
      return 0;
    }
    return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                            "PERIGEE_DATA is %s, where there are no folders "
                            "lua and plugins",
                            data);
  }
  char folder[PATH_MAX];
  if (program == NULL) {
    ssize_t len = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
    folder[len > 0 ? len : 0] = '\0';
  } else {
    snprintf(folder, sizeof(folder), "%s", program);
  }
  char *slash = strrchr(folder, '/');
  if (slash != NULL) {
    *slash = '\0';
    if (try(folder, "/..", ret_folders) ||
        try(folder, "/../share/perigee", ret_folders)) {
      return 0;
    }
  }
  return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                          "no folders lua and plugins in %s/.. nor in "
                          "%s/../share/perigee: name theirs in PERIGEE_DATA",
                          folder, folder);
}
