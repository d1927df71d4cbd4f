#pragma once

#include "base/types.h"

struct peri_folders;
struct peri_setup;

/// The application that runs beside a sidecar.
struct peri_application {
  const char *const *command;  // ends with NULL; NULL: it is not ours to run
  uint64_t descriptors;        // as in loop/process.h
};

/// Runs a whole sidecar on the calling thread, which becomes the control
/// thread: starts the workers, binds the listeners, prints the ready line, and
/// returns after SIGTERM or SIGINT. What goes wrong is logged.
/// @param file  where the configuration is read again from
/// @param[out] ret_stuck  whether a thread does not end, as when a file system
///   hangs: exit() would wait for it, _exit() does not
/// @return an enum peri_exit, or what the application ended with
int peri_sidecar_run(const char *file, const struct peri_setup *setup,
                     const struct peri_folders *folders,
                     const struct peri_application *application,
                     bool *ret_stuck);
