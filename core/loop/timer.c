#include "loop/timer.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

struct peri_timer {
  uv_timer_t uv;
  void (*fire)(void *ctx);
  void *ctx;
};

static void fired(uv_timer_t *handle) {
  struct peri_timer *timer = PERI_CONTAINER_OF(handle, struct peri_timer, uv);
  timer->fire(timer->ctx);
}

static void closed(uv_handle_t *handle) {
  free(PERI_CONTAINER_OF(handle, struct peri_timer, uv));
}

int peri_timer_new(struct peri_loop *loop, void (*fire)(void *ctx), void *ctx,
                   struct peri_timer **ret_timer) {
  struct peri_timer *timer = calloc(1, sizeof(*timer));
  if (timer == NULL) {
    return PERI_ENOMEM;
  }
  timer->fire = fire;
  timer->ctx = ctx;
  uv_timer_init(&loop->uv, &timer->uv);
  *ret_timer = timer;
  return 0;
}

void peri_timer_start(struct peri_timer *timer, uint64_t delay_ms,
                      uint64_t repeat_ms) {
  // The cached time may be old after a long callback or before the loop runs,
  // and the timer would fire early by as much.
  uv_update_time(timer->uv.loop);
  uv_timer_start(&timer->uv, fired, delay_ms, repeat_ms);
}

void peri_timer_stop(struct peri_timer *timer) {
  uv_timer_stop(&timer->uv);
}

void peri_timer_unref(struct peri_timer *timer) {
  uv_unref((uv_handle_t *)&timer->uv);
}

void peri_timer_free(struct peri_timer *timer) {
  if (timer == NULL) {
    return;
  }
  uv_timer_stop(&timer->uv);
  uv_close((uv_handle_t *)&timer->uv, closed);
}
