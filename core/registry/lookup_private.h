#pragma once

#include "base/address.h"
#include "base/error.h"

struct peri_loop;

enum { PERI_LOOKUP_MOST = 8 };

/// A name being looked up on a thread of its own, as the system's resolver may
/// wait for long. Used by the loop's thread.
struct peri_lookup;

/// Looks a name up; `done` comes once, on the loop, with addresses that are
/// valid during the call, none when the name stands for none.
/// @return 0, PERI_ENOMEM or a libuv code (`done` does not come then).
int peri_lookup_start(
    struct peri_loop *loop, const struct peri_address *address,
    void (*done)(void *ctx, const struct peri_address *addresses, size_t count),
    void *ctx, struct peri_lookup **ret_lookup);

/// `done` does not come any more; the thread ends when the resolver does. NULL
/// is fine.
void peri_lookup_cancel(struct peri_lookup *lookup);
