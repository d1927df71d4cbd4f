#include "loop/process_shim.h"

static void ended(void *ctx, int status, int signal) {
  struct peri_shim_process *process = ctx;
  process->ended++;
  process->status = status;
  process->signal = signal;
}

int peri_shim_process_start(struct peri_loop *loop, const char *const *command,
                            const char *const *environment,
                            struct peri_shim_process *ret_process) {
  struct peri_process_options options = {
      .command = command,
      .environment = environment,
      .descriptors = ret_process->descriptors,
      .ended = ended,
      .ctx = ret_process};
  return peri_process_new(loop, &options, &ret_process->process);
}
