#pragma once

#include "base/error.h"
#include "base/types.h"
#include "registry/record.h"

struct peri_etcd;
struct peri_metrics;

struct peri_listing;

/// This sidecar's own records under one lease: puts them, keeps the lease
/// alive, puts them back when they or the lease are lost, takes them out.
/// Never gives up. One thread, the session's loop.
struct peri_registrar;

struct peri_registrar_options {
  struct peri_etcd *etcd;
  struct peri_metrics *metrics;
  struct peri_slice prefix;
  uint32_t ttl_s;
  /// How many endpoints were last seen in all, to spread the fleet after an
  /// outage: waits a random time up to clamp(fleet / 800 s, 0.2, 15), which
  /// leaves a fleet of 1,000 time enough within 2 s. May be NULL.
  size_t (*fleet)(void *ctx);
  /// The state of a listing changed; may remove it. May be NULL.
  void (*changed)(void *ctx, struct peri_listing *listing);
  void *ctx;
};

int peri_registrar_new(const struct peri_registrar_options *options,
                       struct peri_registrar **ret_registrar);
/// Frees it and all listings at once, without another callback; what is
/// registered stays until the lease ends. NULL is fine.
void peri_registrar_free(struct peri_registrar *registrar);

enum peri_listing_state {
  PERI_LISTING_OUT = 0,          // withheld (unhealthy), or being taken out
  PERI_LISTING_REGISTERING = 1,  // being put, or waiting to try again
  PERI_LISTING_REGISTERED = 2,
  PERI_LISTING_BLOCKED = 3  // a permanent error (denied, no space, too large):
                            // tried again every 5 s
};

/// Adds a record (copied) that is put as soon as `on` is set and a lease is
/// there. While a listing of the same key is being removed, the new one waits
/// for that. @return 0, PERI_EINVAL (service or address), PERI_EEXIST (a
/// listing of this key), PERI_ECLOSED (after leaving) or PERI_ENOMEM.
int peri_registrar_add(struct peri_registrar *registrar,
                       struct peri_slice service,
                       const struct peri_record *record, bool on,
                       struct peri_listing **ret_listing);
/// Gives it another record of the same address and puts that, without the key
/// ever being away. @return 0, PERI_EINVAL (another address) or PERI_ENOMEM.
int peri_listing_update(struct peri_listing *listing,
                        const struct peri_record *record);
/// Switches it on or off, as its health says. Off deletes the key (when it is
/// ours).
void peri_listing_switch(struct peri_listing *listing, bool on);
/// Once. Deletes the key if it is ours (Txn comparing the lease), then frees
/// the listing and calls `done` (may be NULL): `error` 0, or PERI_ETIMEOUT when
/// it could not be confirmed within 2 s (the lease's end will do it).
void peri_registrar_remove(struct peri_listing *listing,
                           void (*done)(void *ctx, int error), void *ctx);
/// What the watch sees of the own key: put by `lease` (0: deleted). Lets the
/// registrar put it back without waiting: three times at once, and when the
/// next time comes within 10 s only after 5 s, since then another one wants the
/// key. What is older than our own last write changes nothing.
void peri_listing_seen(struct peri_listing *listing, int64_t lease,
                       int64_t mod_revision);
enum peri_listing_state peri_listing_state(const struct peri_listing *listing);
/// "<prefix><service>/<address>", borrowed.
struct peri_slice peri_listing_key(const struct peri_listing *listing);
const char *peri_listing_address(const struct peri_listing *listing);
/// Why it is not registered, "" when it is or nothing failed yet.
const char *peri_listing_reason(const struct peri_listing *listing);

/// etcd was just heard of again: ends the pauses after failures that may be
/// over now (spread over the fleet) and renews the lease at once.
void peri_registrar_hurry(struct peri_registrar *registrar);
/// The store lost data and its revisions start anew: forgets those seen, puts
/// every record again and renews the lease at once.
void peri_registrar_regressed(struct peri_registrar *registrar);

/// The lease, 0 when there is none; and what is left of it for certain.
int64_t peri_registrar_lease(const struct peri_registrar *registrar);
int64_t peri_registrar_remaining_ms(const struct peri_registrar *registrar);
/// The state in one word, enum peri_etcd_kind, of the last failure that lasts;
/// PERI_ETCD_OK when there is none.
int peri_registrar_trouble(const struct peri_registrar *registrar);

/// Once. Takes all records out (Txn, each only if the lease is ours); `left`
/// comes when that is confirmed, refused (PERI_EPERM …) or `limit_ms` is over
/// (PERI_ETIMEOUT; it is still tried then). No more registering.
void peri_registrar_leave(struct peri_registrar *registrar, uint64_t limit_ms,
                          void (*left)(void *ctx, int error), void *ctx);
/// After leaving: revokes the lease; `revoked` comes when that is confirmed or
/// `limit_ms` is over.
void peri_registrar_revoke(struct peri_registrar *registrar, uint64_t limit_ms,
                           void (*revoked)(void *ctx, int error), void *ctx);
