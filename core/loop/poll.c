#include "loop/poll.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/private.h"

struct peri_poll {
  uv_poll_t uv;
  void (*ready)(void *ctx, int events, int error);
  void *ctx;
};

static void polled(uv_poll_t *handle, int status, int events) {
  struct peri_poll *poll = PERI_CONTAINER_OF(handle, struct peri_poll, uv);
  int what = 0;
  if (events & UV_READABLE) {
    what |= PERI_POLL_READ;
  }
  if (events & UV_WRITABLE) {
    what |= PERI_POLL_WRITE;
  }
  poll->ready(poll->ctx, what, status < 0 ? status : 0);
}

static void closed(uv_handle_t *handle) {
  free(PERI_CONTAINER_OF(handle, struct peri_poll, uv));
}

int peri_poll_new(struct peri_loop *loop, int fd,
                  void (*ready)(void *ctx, int events, int error), void *ctx,
                  struct peri_poll **ret_poll) {
  struct peri_poll *poll = calloc(1, sizeof(*poll));
  if (poll == NULL) {
    return PERI_ENOMEM;
  }
  int rc = uv_poll_init(&loop->uv, &poll->uv, fd);
  if (rc < 0) {
    free(poll);
    return rc;
  }
  poll->ready = ready;
  poll->ctx = ctx;
  *ret_poll = poll;
  return 0;
}

int peri_poll_set(struct peri_poll *poll, int events) {
  int mask = 0;
  if (events & PERI_POLL_READ) {
    mask |= UV_READABLE;
  }
  if (events & PERI_POLL_WRITE) {
    mask |= UV_WRITABLE;
  }
  return mask == 0 ? uv_poll_stop(&poll->uv)
                   : uv_poll_start(&poll->uv, mask, polled);
}

void peri_poll_free(struct peri_poll *poll) {
  if (poll == NULL) {
    return;
  }
  // The stop takes the descriptor out of epoll at once; only the memory waits.
  uv_poll_stop(&poll->uv);
  uv_close((uv_handle_t *)&poll->uv, closed);
}
