#pragma once

#include "base/types.h"

/// The command line besides `serve`: `argv` is what follows the program's name.
/// Prints to standard output and standard error.
/// @param lua_dir, plugins_dir  where the program's own Lua files are, for
/// `check`; NULL when they were not found, for which `folders_problem` has the
/// words
/// @return the exit status: 0; 1 for a failure at run time; 2 for wrong usage
/// or a wrong configuration; 4 when a value or group does not exist
int peri_cli_main(int argc, const char *const *argv, const char *lua_dir,
                  const char *plugins_dir, const char *folders_problem);
