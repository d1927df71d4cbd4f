#pragma once

#include "base/types.h"

struct peri_loop;
/// A program that this one started.
struct peri_process;

struct peri_process_options {
  /// The program, found by PATH, and its arguments; ends with NULL.
  const char *const *command;
  /// "NAME=VALUE" each; ends with NULL.
  const char *const *environment;
  /// How many files it may open (its soft RLIMIT_NOFILE) when that is less than
  /// this process may; 0: as many. For the moment that its start takes, that is
  /// the limit here, too; when more are open here already, it is not set.
  uint64_t descriptors;
  /// Called once, from the loop: `status` it exited with, or the `signal` that
  /// ended it (0: none).
  void (*ended)(void *ctx, int status, int signal);
  void *ctx;
};

/// Starts a program with this one's standard input, output and error, every
/// signal at its default and none blocked. Everything is copied. @return 0,
/// PERI_ENOMEM, or a libuv code (-ENOENT: no such program, -EACCES: it cannot
/// be run).
int peri_process_new(struct peri_loop *loop,
                     const struct peri_process_options *options,
                     struct peri_process **ret_process);

/// Sends it a signal. @return 0, PERI_ECLOSED when it has ended already, or a
/// libuv code.
int peri_process_signal(struct peri_process *process, int number);

/// Its process id, also after its end.
int peri_process_id(const struct peri_process *process);

/// Forgets it: `ended` is not called any more, and the program goes on if it
/// still runs. NULL is fine.
void peri_process_free(struct peri_process *process);
