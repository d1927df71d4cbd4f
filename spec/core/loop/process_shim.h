#pragma once

#include "loop/process.h"

/// What became of a program that peri_shim_process_start() started.
struct peri_shim_process {
  struct peri_process *process;
  int ended;  // calls
  int status;
  int signal;
  uint64_t descriptors;  // as in the options, before it is started
};

/// @return what peri_process_new() returns.
int peri_shim_process_start(struct peri_loop *loop, const char *const *command,
                            const char *const *environment,
                            struct peri_shim_process *ret_process);
