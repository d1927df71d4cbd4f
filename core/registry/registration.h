#pragma once

#include "base/error.h"
#include "base/types.h"
#include "registry/record.h"

struct peri_etcd;
struct peri_metrics;

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
  /// outage: waits a random time up to clamp(fleet / 500 s, 0.2, 15).
  size_t (*fleet)(void *ctx);
  void *ctx;
};

int peri_registrar_new(const struct peri_registrar_options *options,
                       struct peri_registrar **ret_registrar);
/// Frees it at once; what is registered stays until the lease ends. NULL is
/// fine.
void peri_registrar_free(struct peri_registrar *registrar);

enum peri_entry_state {
  PERI_ENTRY_OUT = 0,          // withheld (unhealthy), or being taken out
  PERI_ENTRY_REGISTERING = 1,  // being put, or waiting to try again
  PERI_ENTRY_REGISTERED = 2,
  PERI_ENTRY_BLOCKED = 3  // a permanent error (denied, no space, too large):
                          // tried again every 5 s
};

/// One service that is to be registered.
struct peri_entry;

/// Adds a record (copied) that is put as soon as `on` is set and a lease is
/// there. The own key overwritten by another lease is put back when the value
/// there is not the same sidecar's newer one, and reported.
int peri_registrar_add(struct peri_registrar *registrar,
                       struct peri_slice service,
                       const struct peri_record *record, bool on,
                       struct peri_entry **ret_entry);
/// Switches it on or off, as its health says. Off deletes the key (when it is
/// ours).
void peri_entry_switch(struct peri_entry *entry, bool on);
/// Deletes the key if it is ours (Txn comparing the lease), then frees the
/// entry and calls `done` (may be NULL): `error` 0, or PERI_ETIMEOUT when it
/// could not be confirmed within 2 s (the lease's end will do it).
void peri_registrar_remove(struct peri_entry *entry,
                           void (*done)(void *ctx, int error), void *ctx);
/// What the watch sees of the own key: put by `lease` (0: deleted). Lets the
/// registrar put it back without waiting.
void peri_entry_seen(struct peri_entry *entry, int64_t lease,
                     int64_t mod_revision);
enum peri_entry_state peri_entry_state(const struct peri_entry *entry);
/// "<prefix><service>/<address>", borrowed.
struct peri_slice peri_entry_key(const struct peri_entry *entry);
const char *peri_entry_service(const struct peri_entry *entry);
const char *peri_entry_address(const struct peri_entry *entry);
/// Why it is not registered, "" when it is.
const char *peri_entry_reason(const struct peri_entry *entry);

/// Calls `visit` for every entry.
void peri_registrar_each(struct peri_registrar *registrar,
                         void (*visit)(void *ctx, struct peri_entry *entry),
                         void *ctx);
/// The lease, 0 when there is none; and what is left of it for certain.
int64_t peri_registrar_lease(const struct peri_registrar *registrar);
int64_t peri_registrar_remaining_ms(const struct peri_registrar *registrar);
/// The state in one word, enum peri_etcd_kind, of the last failure that lasts.
int peri_registrar_trouble(const struct peri_registrar *registrar);

/// Takes all records out (Txn, each only if the lease is ours); `left` comes
/// when that is confirmed or `limit_ms` is over. No more registering then.
void peri_registrar_leave(struct peri_registrar *registrar, uint64_t limit_ms,
                          void (*left)(void *ctx, int error), void *ctx);
/// After leaving: revokes the lease; `revoked` comes when that is confirmed or
/// `limit_ms` is over.
void peri_registrar_revoke(struct peri_registrar *registrar, uint64_t limit_ms,
                           void (*revoked)(void *ctx, int error), void *ctx);
