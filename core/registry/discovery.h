#pragma once

#include "base/error.h"
#include "base/types.h"
#include "etcd/error.h"
#include "registry/status.h"

struct peri_etcd;
struct peri_etcd_watches;
struct peri_log_gate;
struct peri_metrics;
struct peri_peers;

/// One service seen in etcd: read once, then watched from the next revision on,
/// compared every 15 s with what etcd has, and read again wherever the two
/// could differ. What is known stays through any outage. On the session's loop.
struct peri_discovery;

struct peri_discovery_options {
  struct peri_etcd *etcd;
  struct peri_etcd_watches *watches;
  struct peri_metrics *metrics;
  struct peri_slice service;
  struct peri_slice prefix;        // of all services, before "<service>/"
  struct peri_slice self_address;  // this sidecar's in the service, or empty
  uint64_t hold_ms;                // how long suspects are held
  uint32_t audit_ms;               // ± 50 %; 0 for 15,000
  /// Of lines about records that cannot be read: of all services together, as
  /// they come and go. Outlives the discovery.
  struct peri_log_gate *bad_record;
  /// The endpoints, or how well they are known, changed.
  void (*changed)(void *ctx, struct peri_discovery *discovery);
  /// A key of the service was read or changed: lease 0 when it is not there.
  void (*seen)(void *ctx, struct peri_slice key, int64_t lease,
               int64_t mod_revision);
  /// The whole service was read, as of a revision, after every key was `seen`;
  /// `regressed`: the store had lost its data since.
  void (*loaded)(void *ctx, struct peri_discovery *discovery, int64_t revision,
                 bool regressed);
  /// Something fails, for now; error NULL: it works again.
  void (*trouble)(void *ctx, const struct peri_etcd_error *error);
  void *ctx;
};

/// Starts reading. @return 0, PERI_EINVAL (a name of 4 KiB or more) or
/// PERI_ENOMEM.
int peri_discovery_new(const struct peri_discovery_options *options,
                       struct peri_discovery **ret_discovery);
/// No callback comes any more. NULL is fine.
void peri_discovery_free(struct peri_discovery *discovery);

const char *peri_discovery_service(const struct peri_discovery *discovery);
/// Whether what is known is the last known: etcd cannot be asked.
bool peri_discovery_stale(const struct peri_discovery *discovery);
/// Whether it may not be read, for all that is known: waiting for it could take
/// for ever.
bool peri_discovery_denied(const struct peri_discovery *discovery);
/// The endpoints now, borrowed until the next call; rebuilt only when they
/// changed. NULL before it is known, or when memory ran out at the first time.
struct peri_peers *peri_discovery_peers(struct peri_discovery *discovery);
/// Fills everything but the name's lifetime: that is the discovery's.
void peri_discovery_status(const struct peri_discovery *discovery,
                           struct peri_service_status *ret_status);
/// Whether a key is there, as far as is known.
bool peri_discovery_has(const struct peri_discovery *discovery,
                        struct peri_slice key, int64_t *ret_lease,
                        int64_t *ret_mod_revision);
