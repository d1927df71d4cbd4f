#include "loop/signal.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

struct peri_signal {
  uv_signal_t uv;
  void (*caught)(void *ctx, int number);
  void *ctx;
};

static void delivered(uv_signal_t *handle, int number) {
  struct peri_signal *signal =
      PERI_CONTAINER_OF(handle, struct peri_signal, uv);
  signal->caught(signal->ctx, number);
}

static void closed(uv_handle_t *handle) {
  free(PERI_CONTAINER_OF(handle, struct peri_signal, uv));
}

int peri_signal_new(struct peri_loop *loop, int number,
                    void (*caught)(void *ctx, int number), void *ctx,
                    struct peri_signal **ret_signal) {
  struct peri_signal *signal = calloc(1, sizeof(*signal));
  if (signal == NULL) {
    return PERI_ENOMEM;
  }
  int rc = uv_signal_init(&loop->uv, &signal->uv);
  if (rc < 0) {
    free(signal);
    return rc;
  }
  signal->caught = caught;
  signal->ctx = ctx;
  rc = uv_signal_start(&signal->uv, delivered, number);
  if (rc < 0) {
    uv_close((uv_handle_t *)&signal->uv, closed);
    return rc;
  }
  uv_unref((uv_handle_t *)&signal->uv);
  *ret_signal = signal;
  return 0;
}

void peri_signal_free(struct peri_signal *signal) {
  if (signal == NULL) {
    return;
  }
  uv_signal_stop(&signal->uv);
  uv_close((uv_handle_t *)&signal->uv, closed);
}
