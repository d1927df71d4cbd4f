#pragma once

#include "base/error.h"
#include "base/types.h"

/// Where the program's own Lua files are.
struct peri_folders {
  char lua[4096];      // holds perigee/*.lua
  char plugins[4096];  // holds picker/ and fallback/
};

/// Looks for `lua` and `plugins` in `data` (what PERIGEE_DATA names; may be
/// NULL), else beside the folder of the program, which is where a build leaves
/// them, else in ../share/perigee of it, where `make install` puts them.
/// @param program  path of the program; NULL for the running one
/// @return 0, or PERI_ENOTFOUND with the places that were looked at.
int peri_folders_find(const char *data, const char *program,
                      struct peri_folders *ret_folders,
                      struct peri_problem *ret_problem);
