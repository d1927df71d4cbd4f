#pragma once

#include "base/types.h"
#include "etcd/error.h"

struct peri_etcd;
struct peri_etcd_call;

/// Locks as etcd's own (v3lock): whoever holds `name` holds it for as long as
/// its lease lives, so the lease must be kept alive (keepalive.h), and the hold
/// is over, whatever the server still thinks, once
/// peri_etcd_kept_remaining_ms() is negative.

/// Waits without limit until the lock `name` is held under `lease` (not 0), in
/// the order of arrival. `key` is what stands for the hold, for unlocking and
/// for guarding a Txn ("create_revision of `key` is not 0"). Asking again under
/// the same lease is the same hold. Cancelling the call gives the place in the
/// queue up. Others as the calls of kv.h.
int peri_etcd_lock(struct peri_etcd *etcd, struct peri_slice name,
                   int64_t lease,
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                struct peri_slice key),
                   void *ctx, struct peri_etcd_call **ret_call);

/// Gives it up. A lock that is not held (any more) counts as given up.
int peri_etcd_unlock(struct peri_etcd *etcd, struct peri_slice key,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error),
                     void *ctx, struct peri_etcd_call **ret_call);
