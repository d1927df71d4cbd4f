#pragma once

#include "base/types.h"

struct peri_folders;
struct peri_setup;

/// Runs a whole sidecar on the calling thread, which becomes the control
/// thread: starts the workers, binds the listeners, prints the ready line, and
/// returns after SIGTERM or SIGINT. What goes wrong is logged.
/// @param file  where the configuration is read again from
/// @param command  the application to run beside it, ending with NULL; or NULL
/// @param[out] ret_stuck  whether a thread does not end, as when a file system
///   hangs: exit() would wait for it, _exit() does not
/// @return an enum peri_exit, or what the application ended with
int peri_sidecar_run(const char *file, const struct peri_setup *setup,
                     const struct peri_folders *folders,
                     const char *const *command, bool *ret_stuck);
