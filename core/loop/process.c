#include "loop/process.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

enum { STANDARD_STREAMS = 3 };

struct peri_process {
  uv_process_t uv;
  void (*ended)(void *ctx, int status, int signal);
  void *ctx;
  int id;
  bool over;
};

static void exited(uv_process_t *handle, int64_t status, int signal) {
  struct peri_process *process =
      PERI_CONTAINER_OF(handle, struct peri_process, uv);
  process->over = true;
  process->ended(process->ctx, (int)status, signal);
}

static void closed(uv_handle_t *handle) {
  free(PERI_CONTAINER_OF(handle, struct peri_process, uv));
}

static int start(struct peri_loop *loop,
                 const struct peri_process_options *options,
                 struct peri_process **ret_process) {
  struct peri_process *process = calloc(1, sizeof(*process));
  uv_stdio_container_t streams[STANDARD_STREAMS];
  if (process == NULL) {
    return PERI_ENOMEM;
  }
  process->ended = options->ended;
  process->ctx = options->ctx;
  for (int i = 0; i < STANDARD_STREAMS; i++) {
    streams[i].flags = UV_INHERIT_FD;
    streams[i].data.fd = i;
  }
  // libuv takes what execvp() takes, and changes nothing either.
  uv_process_options_t spawn = {
      .exit_cb = exited,
      .file = options->command[0],
      .args = (char **)(uintptr_t)options->command,
      .env = (char **)(uintptr_t)options->environment,
      .stdio_count = STANDARD_STREAMS,
      .stdio = streams,
  };
  int rc = uv_spawn(&loop->uv, &process->uv, &spawn);
  if (rc < 0) {
    // A handle that did not start is one all the same.
    uv_close((uv_handle_t *)&process->uv, closed);
    return rc;
  }
  process->id = process->uv.pid;
  *ret_process = process;
  return 0;
}

/// This process's own limit on open files, which a program inherits, becomes
/// `descriptors`. @return whether it was more before; then it is in `ret_ours`.
static bool lower(uint64_t descriptors, struct rlimit *ret_ours) {
  struct rlimit ours;
  if (descriptors == 0 || getrlimit(RLIMIT_NOFILE, &ours) < 0 ||
      descriptors >= ours.rlim_cur) {
    return false;
  }
  struct rlimit its = {.rlim_cur = descriptors, .rlim_max = ours.rlim_max};
  *ret_ours = ours;
  return setrlimit(RLIMIT_NOFILE, &its) == 0;
}

int peri_process_new(struct peri_loop *loop,
                     const struct peri_process_options *options,
                     struct peri_process **ret_process) {
  struct rlimit ours;
  bool lowered = lower(options->descriptors, &ours);
  int rc = start(loop, options, ret_process);
  if (lowered) {
    setrlimit(RLIMIT_NOFILE, &ours);
    if (rc == UV_EMFILE) {
      // More files are open here than it may open itself.
      rc = start(loop, options, ret_process);
    }
  }
  return rc;
}

int peri_process_signal(struct peri_process *process, int number) {
  return process->over ? PERI_ECLOSED : uv_process_kill(&process->uv, number);
}

int peri_process_id(const struct peri_process *process) {
  return process->id;
}

void peri_process_free(struct peri_process *process) {
  if (process == NULL) {
    return;
  }
  uv_close((uv_handle_t *)&process->uv, closed);
}
