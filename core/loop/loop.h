#pragma once

#include "base/types.h"

/// One event loop (libuv), owned by the thread that runs it. Unless a comment
/// says "any thread", every function of this room is called on that thread, and
/// every callback comes on it.
struct peri_loop;

/// @return 0, PERI_ENOMEM or a libuv code.
int peri_loop_new(struct peri_loop **ret_loop);

/// Runs until peri_loop_stop(), or until nothing is left to wait for. Returns
/// 0.
int peri_loop_run(struct peri_loop *loop);

/// Runs at most one iteration, waiting for events at most `max_wait_ms`.
/// Returns whether anything is still active. For specs and for start-up.
bool peri_loop_step(struct peri_loop *loop, uint64_t max_wait_ms);

/// Makes peri_loop_run() return after this iteration.
void peri_loop_stop(struct peri_loop *loop);

/// The loop's cached monotonic time; cheap, updated once per iteration.
uint64_t peri_loop_now_ns(struct peri_loop *loop);

/// Runs the loop until all handles are closed, then frees it. Whoever opened a
/// handle closes it first; what is left open is a bug, and is reported as
/// PERI_EBUSY (the loop is then leaked rather than freed under its users).
int peri_loop_free(struct peri_loop *loop);

struct uv_loop_s;
/// The libuv loop, for the `.c` files of `h2` that drive sockets.
struct uv_loop_s *peri_loop_uv(struct peri_loop *loop);
