#pragma once

#include "base/types.h"

struct peri_loop;
/// Watches a descriptor that something else owns (curl, microhttpd, a
/// listener).
struct peri_poll;

enum peri_poll_events { PERI_POLL_READ = 1, PERI_POLL_WRITE = 2 };

/// @return 0, PERI_ENOMEM or a libuv code (the descriptor cannot be polled).
int peri_poll_new(struct peri_loop *loop, int fd,
                  void (*ready)(void *ctx, int events, int error), void *ctx,
                  struct peri_poll **ret_poll);

/// Watches for `events` (0 pauses). `error` in the callback is 0 or a libuv
/// code.
int peri_poll_set(struct peri_poll *poll, int events);

/// Stops watching, at once; the descriptor may be closed right after. NULL is
/// fine. May be called from within `ready`.
void peri_poll_free(struct peri_poll *poll);
