#pragma once

#include "base/types.h"
#include "etcd/error.h"

struct peri_etcd;

/// Keeps the leases of a session alive over one shared stream. Every TTL/12
/// (at least 400 ms apart, but every TTL/4 at the latest) it asks; when the
/// answer is late (300 ms, rising with the round trips seen but never above
/// TTL/8), it asks another member over a stream of its own, and so on around
/// the members, because a follower blocks while its leader hangs. The first
/// stream to answer is the shared one from then on. Never gives up.
struct peri_etcd_keeper;

/// @return 0 or PERI_ENOMEM.
int peri_etcd_keeper_new(struct peri_etcd *etcd,
                         struct peri_etcd_keeper **ret_keeper);
/// Stops all; leases live on until they expire, handles that are left are idle
/// until freed. NULL is fine.
void peri_etcd_keeper_free(struct peri_etcd_keeper *keeper);

/// A lease that is kept alive.
struct peri_etcd_kept;

struct peri_etcd_kept_events {
  /// An answer came: alive for `ttl_s` from `sent_ns` (when it was asked).
  void (*renewed)(void *ctx, int64_t ttl_s, uint64_t sent_ns);
  /// The server says that the lease does not exist. The handle stays, idle,
  /// until freed. A deadline that passes without any answer is not a loss: only
  /// the server knows; peri_etcd_kept_remaining_ms() tells.
  void (*lost)(void *ctx);
  /// Renewing fails, for now, with why (not more often than once per attempt,
  /// and not for a single late answer); error NULL: it works again. May be
  /// NULL.
  void (*trouble)(void *ctx, const struct peri_etcd_error *error);
};

/// Starts keeping `id`, granted with `ttl_s` by a call sent at `granted_ns`
/// (monotonic). `events` must outlive it. Callbacks may free any handle, but
/// not the keeper. @return 0, PERI_EINVAL (ID 0, or a TTL that etcd does not
/// grant) or PERI_ENOMEM.
int peri_etcd_keeper_add(struct peri_etcd_keeper *keeper, int64_t id,
                         int64_t ttl_s, uint64_t granted_ns,
                         const struct peri_etcd_kept_events *events, void *ctx,
                         struct peri_etcd_kept **ret_kept);
/// Asks now, without waiting for the next turn. Does nothing for one lost.
void peri_etcd_kept_hurry(struct peri_etcd_kept *kept);
/// What is left of the lease for certain, counted from when the last answered
/// request was sent; negative when it may have expired.
int64_t peri_etcd_kept_remaining_ms(const struct peri_etcd_kept *kept);
/// NULL is fine.
void peri_etcd_kept_free(struct peri_etcd_kept *kept);
