#pragma once

#include "base/error.h"
#include "base/types.h"
#include "etcd/error.h"
#include "registry/status.h"

struct peri_etcd;
struct peri_etcd_watches;
struct peri_metrics;
struct peri_snapshot;

/// The services that a sidecar sees in etcd, and the snapshots made of them. On
/// the session's loop.
struct peri_catalog;

struct peri_catalog_options {
  struct peri_etcd *etcd;
  struct peri_metrics *metrics;
  struct peri_slice prefix;
  struct peri_slice cluster;       // the service of the sidecars themselves
  struct peri_slice self_address;  // this sidecar's there, or empty
  uint64_t hold_ms;                // as in discovery.h, as `audit_ms`
  uint32_t audit_ms;
  uint64_t forget_ms;  // how long a service that was asked for is seen
  /// A new snapshot, borrowed; the first when every service that was asked for
  /// at first was read once. What changes within one turn of the loop comes
  /// together, and large services take at most a tenth of the time.
  void (*publish)(void *ctx, struct peri_snapshot *snapshot);
  void (*seen)(void *ctx, struct peri_slice key, int64_t lease,
               int64_t mod_revision);
  void (*loaded)(void *ctx, struct peri_slice service, int64_t revision,
                 bool regressed);
  void (*trouble)(void *ctx, const struct peri_etcd_error *error);
  void *ctx;
};

/// @return 0 or PERI_ENOMEM.
int peri_catalog_new(const struct peri_catalog_options *options,
                     struct peri_catalog **ret_catalog);
/// NULL is fine.
void peri_catalog_free(struct peri_catalog *catalog);

/// Sees a service from now on, until it is released as often as it was kept.
/// @return 0, PERI_EINVAL (a name that is empty, over 1 KiB, or begins or ends
/// with '/'), PERI_ENOMEM.
int peri_catalog_keep(struct peri_catalog *catalog, struct peri_slice service);
void peri_catalog_release(struct peri_catalog *catalog,
                          struct peri_slice service);
/// Sees a service for `forget_ms` from the last time that it was asked for, and
/// for as long as etcd cannot be asked: what is known is not known again then.
/// @return as above, or PERI_ELIMIT (256 of them, none of them nobody's).
int peri_catalog_want(struct peri_catalog *catalog, struct peri_slice service);

/// The snapshot published last, borrowed, or NULL.
struct peri_snapshot *peri_catalog_snapshot(const struct peri_catalog *catalog);
/// Endpoints of all services together.
size_t peri_catalog_endpoints(const struct peri_catalog *catalog);
/// Whether a key of any service seen is there.
bool peri_catalog_has(const struct peri_catalog *catalog, struct peri_slice key,
                      int64_t *ret_lease, int64_t *ret_mod_revision);
size_t peri_catalog_count(const struct peri_catalog *catalog);
/// Of the service at `index`; the name lives until the next change.
void peri_catalog_status(const struct peri_catalog *catalog, size_t index,
                         struct peri_service_status *ret_status);
