#pragma once

#include "base/types.h"

struct peri_loop;
struct peri_signal;

/// Calls `caught(ctx, number)` on the loop for each delivery of signal
/// `number`. Does not keep the loop alive. @return 0, PERI_ENOMEM or a libuv
/// code.
int peri_signal_new(struct peri_loop *loop, int number,
                    void (*caught)(void *ctx, int number), void *ctx,
                    struct peri_signal **ret_signal);

/// `caught` does not come any more, and the signal has its default action again
/// unless another loop catches it, too. NULL is fine.
void peri_signal_free(struct peri_signal *signal);
