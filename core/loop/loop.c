#include "loop/loop.h"

#include <stdlib.h>

#include "base/error.h"
#include "loop/private.h"

enum {
  CLOSE_WAIT_MS = 50,     // one wait for requests that still run
  CLOSE_WAIT_TIMES = 100  // waits before what is open counts as forgotten
};

/// What uv_walk() sees while a loop is being freed.
struct census {
  struct peri_loop *loop;
  unsigned open;
  unsigned closing;
};

static void limit_reached(uv_timer_t *timer) {
  // The timer only ends the poll.
  (void)timer;
}

static bool is_own(const struct peri_loop *loop, const uv_handle_t *handle) {
  return handle == (const uv_handle_t *)&loop->before_poll ||
         handle == (const uv_handle_t *)&loop->after_poll ||
         handle == (const uv_handle_t *)&loop->busy ||
         handle == (const uv_handle_t *)&loop->limit;
}

int peri_loop_new(struct peri_loop **ret_loop) {
  struct peri_loop *loop = calloc(1, sizeof(*loop));
  if (loop == NULL) {
    return PERI_ENOMEM;
  }
  int rc = uv_loop_init(&loop->uv);
  if (rc < 0) {
    free(loop);
    return rc;
  }

  peri_turn_setup(loop);
  uv_timer_init(&loop->uv, &loop->limit);
  *ret_loop = loop;
  return 0;
}

int peri_loop_run(struct peri_loop *loop) {
  uv_run(&loop->uv, UV_RUN_DEFAULT);
  // A stopped loop may have been asked for turns after its last check phase.
  peri_turn_run_all(loop);
  return 0;
}

bool peri_loop_step(struct peri_loop *loop, uint64_t max_wait_ms) {
  if (max_wait_ms == 0) {
    uv_run(&loop->uv, UV_RUN_NOWAIT);
  } else {
    // A referenced timer: otherwise a loop with only mailboxes does not wait.
    // It repeats, since it may be due before the iteration comes to waiting
    // (timers run first), which would then have no end.
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->limit, limit_reached, max_wait_ms, max_wait_ms);
    uv_run(&loop->uv, UV_RUN_ONCE);
    uv_timer_stop(&loop->limit);
  }
  // uv_run(ONCE) runs timers last; what they asked for belongs to this step.
  peri_turn_run_all(loop);
  return uv_loop_alive(&loop->uv) != 0;
}

void peri_loop_stop(struct peri_loop *loop) {
  uv_stop(&loop->uv);
}

uint64_t peri_loop_now_ns(struct peri_loop *loop) {
  return uv_now(&loop->uv) * UINT64_C(1000000);
}

static void count(uv_handle_t *handle, void *arg) {
  struct census *census = arg;
  if (uv_is_closing(handle)) {
    census->closing++;
  } else if (!is_own(census->loop, handle)) {
    census->open++;
  }
}

/// Runs the loop until only its own handles are left. Returns whether it came
/// to that.
static bool settle(struct peri_loop *loop) {
  unsigned waits = 0;
  for (;;) {
    struct census census = {.loop = loop};
    peri_turn_run_all(loop);
    uv_walk(&loop->uv, count, &census);
    bool pending = loop->uv.active_reqs.count > 0;
    if (census.closing > 0) {
      peri_loop_step(loop, 0);
    } else if (pending && waits < CLOSE_WAIT_TIMES) {
      peri_loop_step(loop, CLOSE_WAIT_MS);
      waits++;
    } else {
      return census.open == 0 && !pending;
    }
  }
}

int peri_loop_free(struct peri_loop *loop) {
  if (loop == NULL) {
    return 0;
  }
  if (!settle(loop)) {
    return PERI_EBUSY;
  }
  uv_close((uv_handle_t *)&loop->before_poll, NULL);
  uv_close((uv_handle_t *)&loop->after_poll, NULL);
  uv_close((uv_handle_t *)&loop->busy, NULL);
  uv_close((uv_handle_t *)&loop->limit, NULL);
  uv_run(&loop->uv, UV_RUN_NOWAIT);
  if (uv_loop_close(&loop->uv) < 0) {
    return PERI_EBUSY;
  }
  free(loop);
  return 0;
}

struct uv_loop_s *peri_loop_uv(struct peri_loop *loop) {
  return &loop->uv;
}
