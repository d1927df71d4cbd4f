#pragma once

#include "base/types.h"
#include "loop/errand.h"
#include "loop/loop.h"

/// An errand that waits until it is let go, and counts what becomes of it.
struct shim_errand;

/// Starts one whose end comes to `mailbox`. NULL without memory.
struct shim_errand *shim_errand_start(struct peri_mailbox *mailbox);
/// Lets it go on. Any number of times.
void shim_errand_let(struct shim_errand *errand);
/// Waits until the thread has come to its end; frees it.
/// @return 'd' when it was done on the loop, 'l' when it was lost, with
///   whether that was on the loop's thread in `ret_same`.
int shim_errand_end(struct shim_errand *errand, struct peri_loop *loop,
                    bool *ret_same);
