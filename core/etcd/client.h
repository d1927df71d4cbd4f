#pragma once

#include "base/types.h"
#include "etcd/error.h"
#include "etcd/kv.h"
#include "etcd/session.h"

/// A client that blocks, for programs without a loop of their own: it owns
/// one and runs it while a call waits. Reads like etcd's Go client: New,
/// Grant, Put with the lease, KeepAlive, Get, Delete, Revoke, Close. One thread
/// at a time.
///
/// Functions return 0 or a negative code of base/error.h: PERI_ECONNECT (no
/// member can be reached), PERI_ETIMEOUT, PERI_EBUSY (no leader, too busy),
/// PERI_EPERM (who one is, what one may, a certificate), PERI_ELIMIT (quota,
/// sizes), PERI_ENOTFOUND (the lease is gone), PERI_EEXIST, PERI_EPROTO,
/// PERI_EINVAL, PERI_ENOMEM. `ret_error` (may be NULL) is filled on failure
/// with the details.
struct peri_etcd_client;

/// Does not connect yet; the options' loop and mailbox are left NULL.
int peri_etcd_client_new(const struct peri_etcd_options *options,
                         struct peri_etcd_client **ret_client,
                         struct peri_etcd_error *ret_error);
/// Ends keeping and all connections; leases live on until they expire. NULL is
/// fine.
void peri_etcd_client_free(struct peri_etcd_client *client);

/// Grants a lease of at least `ttl_s` seconds.
int peri_etcd_client_grant(struct peri_etcd_client *client, int64_t ttl_s,
                           int64_t *ret_lease,
                           struct peri_etcd_error *ret_error);
/// Keeps the lease alive from now on, during all calls of this client and in
/// peri_etcd_client_run(): at least one of them every TTL/4.
int peri_etcd_client_keepalive(struct peri_etcd_client *client, int64_t lease,
                               struct peri_etcd_error *ret_error);
/// Lets the client work for `ms` milliseconds. @return 0, or PERI_ENOTFOUND as
/// soon as a lease that is kept turns out to be lost (told once for each; it is
/// kept no longer).
int peri_etcd_client_run(struct peri_etcd_client *client, uint64_t ms,
                         struct peri_etcd_error *ret_error);
/// What is surely left of a lease that is kept, in milliseconds; negative when
/// it may have expired, is lost or is not kept.
int64_t peri_etcd_client_remaining_ms(const struct peri_etcd_client *client,
                                      int64_t lease);
/// Revokes the lease, which deletes its keys, and stops keeping it. One that
/// does not exist counts as revoked.
int peri_etcd_client_revoke(struct peri_etcd_client *client, int64_t lease,
                            struct peri_etcd_error *ret_error);

/// Puts a key, under a lease unless that is 0.
int peri_etcd_client_put(struct peri_etcd_client *client, struct peri_slice key,
                         struct peri_slice value, int64_t lease,
                         struct peri_etcd_error *ret_error);
/// Reads a key: `*ret_kv` is NULL when it does not exist, else valid until the
/// next call of this client.
int peri_etcd_client_get(struct peri_etcd_client *client, struct peri_slice key,
                         const struct peri_etcd_kv **ret_kv,
                         struct peri_etcd_error *ret_error);
/// Deletes a key; `*ret_deleted` (may be NULL) is 0 when there was none.
int peri_etcd_client_delete(struct peri_etcd_client *client,
                            struct peri_slice key, int64_t *ret_deleted,
                            struct peri_etcd_error *ret_error);
