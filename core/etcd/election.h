#pragma once

#include "base/types.h"
#include "etcd/error.h"
#include "etcd/kv.h"

struct peri_etcd;
struct peri_etcd_call;

/// Elections as etcd's own (v3election): whoever leads `name` does so for as
/// long as its lease lives; what lock.h says of leases holds here too.

/// What a leader proves its leadership with. Whoever keeps it copies the bytes.
struct peri_etcd_leader {
  struct peri_slice name;
  struct peri_slice key;
  int64_t revision;  // grows from leader to leader: a fencing token
  int64_t lease;
};

/// Waits without limit until `name` is led under `lease` (not 0), in the order
/// of arrival, with `value` proclaimed. Campaigning again under the same lease
/// is the same candidacy. Cancelling the call gives it up. Others as the calls
/// of kv.h.
int peri_etcd_campaign(struct peri_etcd *etcd, struct peri_slice name,
                       int64_t lease, struct peri_slice value,
                       void (*done)(void *ctx,
                                    const struct peri_etcd_error *error,
                                    const struct peri_etcd_leader *leader),
                       void *ctx, struct peri_etcd_call **ret_call);

/// Changes the leader's value. PERI_ETCD_INVALID when it leads no more.
int peri_etcd_proclaim(struct peri_etcd *etcd,
                       const struct peri_etcd_leader *leader,
                       struct peri_slice value,
                       void (*done)(void *ctx,
                                    const struct peri_etcd_error *error),
                       void *ctx, struct peri_etcd_call **ret_call);

/// Who leads: `kv` holds its key, value and lease; NULL with error NULL when
/// nobody does.
int peri_etcd_leader(struct peri_etcd *etcd, struct peri_slice name,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  const struct peri_etcd_kv *kv),
                     void *ctx, struct peri_etcd_call **ret_call);

/// Gives leadership up. Nothing happens when it leads no more.
int peri_etcd_resign(struct peri_etcd *etcd,
                     const struct peri_etcd_leader *leader,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error),
                     void *ctx, struct peri_etcd_call **ret_call);
