#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_loop;
/// The application that `perigee serve -- COMMAND` runs beside the sidecar. The
/// control thread's.
struct peri_child;

/// What to run, and what it is told of its sidecar.
struct peri_child_options {
  struct peri_loop *loop;
  const char *const *command;  // ends with NULL
  uint64_t descriptors;        // as in loop/process.h
  /// Where it reaches its sidecar: PERIGEE_APP_ADDRESS, PERIGEE_MESH_ADDRESS
  /// and PERIGEE_ADMIN_ADDRESS of its environment; NULL: not set there.
  const char *app;
  const char *mesh;
  const char *admin;
  /// Called once, from the loop, when it has ended.
  void (*ended)(void *ctx);
  void *ctx;
};

/// Starts it and passes SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH on to it from
/// now on. @return 0, PERI_ENOTFOUND (no such command), PERI_EPERM (it cannot
/// be run), PERI_ENOMEM or a libuv code, with words.
int peri_child_new(const struct peri_child_options *options,
                   struct peri_child **ret_child,
                   struct peri_problem *ret_problem);

/// Whether it has not ended yet; false for NULL.
bool peri_child_runs(const struct peri_child *child);

/// Sends it a signal while it runs.
void peri_child_signal(struct peri_child *child, int number);

/// What it exited with, or 128 and the signal that ended it, as shells say it.
/// Only when it has ended.
int peri_child_status(const struct peri_child *child);

/// NULL is fine. Does not end it.
void peri_child_free(struct peri_child *child);
