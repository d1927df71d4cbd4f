#pragma once

#include "base/types.h"

struct peri_folders;

/// What the program ends with.
enum peri_exit {
  PERI_EXIT_OK = 0,
  PERI_EXIT_FAILURE = 1,      // at run time
  PERI_EXIT_USAGE = 2,        // wrong usage or wrong configuration
  PERI_EXIT_NOT_RUN = 126,    // the application cannot be run
  PERI_EXIT_NO_COMMAND = 127  // there is no such application
};

/// `perigee serve`: `argv` is what follows the verb. Runs a sidecar until it is
/// told to stop, and returns the exit status. Call it once, before any thread.
/// @param folders  NULL when they were not found: the sidecar then ends with
/// the words of `folders_problem`
/// @param[out] ret_stuck  as peri_sidecar_run(); else untouched
int peri_serve_main(int argc, const char *const *argv,
                    const struct peri_folders *folders,
                    const char *folders_problem, bool *ret_stuck);
