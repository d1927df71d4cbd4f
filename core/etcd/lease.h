#pragma once

#include "base/types.h"
#include "etcd/error.h"

struct peri_etcd;
struct peri_etcd_call;

/// A random positive lease ID. Granting with an ID of one's own makes the call
/// safe to repeat: the second answer is "exists".
int64_t peri_etcd_lease_id(void);

/// Grants lease `id` (not 0) for at least `ttl_s` seconds; `ttl_s` in the
/// callback is what the server gave, never less. An attempt that was done
/// without our hearing of it counts as granted: it is asked for its TTL then.
/// As the calls of kv.h.
int peri_etcd_lease_grant(struct peri_etcd *etcd, int64_t id, int64_t ttl_s,
                          void (*done)(void *ctx,
                                       const struct peri_etcd_error *error,
                                       int64_t ttl_s),
                          void *ctx, struct peri_etcd_call **ret_call);

/// Revokes it and so deletes its keys. A lease that does not exist (any more)
/// counts as revoked.
int peri_etcd_lease_revoke(struct peri_etcd *etcd, int64_t id,
                           void (*done)(void *ctx,
                                        const struct peri_etcd_error *error),
                           void *ctx, struct peri_etcd_call **ret_call);

struct peri_etcd_lease_info {
  int64_t ttl_s;  // left; -1 when the lease does not exist
  int64_t granted_ttl_s;
  const struct peri_slice *keys;
  size_t key_count;
};

int peri_etcd_lease_info(struct peri_etcd *etcd, int64_t id, bool keys,
                         void (*done)(void *ctx,
                                      const struct peri_etcd_error *error,
                                      const struct peri_etcd_lease_info *info),
                         void *ctx, struct peri_etcd_call **ret_call);
