#pragma once

#include "base/types.h"

struct peri_loop;
/// A one-shot or repeating timer of one loop.
struct peri_timer;

/// A stopped timer that will call `fire(ctx)`. @return 0 or PERI_ENOMEM.
int peri_timer_new(struct peri_loop *loop, void (*fire)(void *ctx), void *ctx,
                   struct peri_timer **ret_timer);

/// (Re)starts it: first after `delay_ms`, then every `repeat_ms` unless that is
/// 0. `fire` may start, stop or free the timer.
void peri_timer_start(struct peri_timer *timer, uint64_t delay_ms,
                      uint64_t repeat_ms);

/// `fire` does not come until it is started again.
void peri_timer_stop(struct peri_timer *timer);

/// From now on the timer does not keep the loop alive.
void peri_timer_unref(struct peri_timer *timer);

/// Stops and frees it; `fire` is never called again. NULL is fine.
void peri_timer_free(struct peri_timer *timer);
