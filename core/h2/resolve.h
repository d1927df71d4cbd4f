#pragma once

#include "base/address.h"
#include "base/types.h"

struct peri_loop;
/// A name being looked up on libuv's thread pool.
struct peri_resolve;

enum { PERI_RESOLVED_MOST = 8 };

/// What a name stands for, in the order of the system's preference.
struct peri_resolved {
  size_t count;
  struct peri_address addresses[PERI_RESOLVED_MOST];
};

/// Looks `address` up; `done` comes once, from the loop, with 0 or a libuv code
/// and a list that is valid during the call. Loop thread only.
/// @return 0, PERI_ENOMEM or a libuv code (`done` does not come then).
int peri_resolve_start(struct peri_loop *loop,
                       const struct peri_address *address,
                       void (*done)(void *ctx, int code,
                                    const struct peri_resolved *resolved),
                       void *ctx, struct peri_resolve **ret_resolve);

/// `done` will not come any more. NULL is fine.
void peri_resolve_cancel(struct peri_resolve *resolve);
