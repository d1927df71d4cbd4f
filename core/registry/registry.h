#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;
struct peri_loop;
struct peri_mailbox;
struct peri_metrics;
struct peri_registry_status;
struct peri_snapshot;

/// Where services and their endpoints come from: the configuration (kind
/// "static") or etcd. Used by one thread, the one of `loop`.
struct peri_registry;

struct peri_registry_options {
  struct peri_config *config;      // read now, not kept
  struct peri_slice self_address;  // this sidecar's in the cluster, or empty
  struct peri_loop *loop;          // for kind "etcd", as the next two
  struct peri_mailbox *mailbox;
  struct peri_metrics *metrics;
  /// A new snapshot, borrowed. Kind "static": the first within
  /// peri_registry_new(). Kind "etcd": later, on the loop; the first one when
  /// every service of the configuration was read once.
  void (*publish)(void *ctx, struct peri_snapshot *snapshot);
  /// Kind "etcd": calls for `service` belong to the local application at
  /// `address` from now on, or (empty) to none of ours any more. May be NULL.
  void (*provided)(void *ctx, struct peri_slice service,
                   struct peri_slice address);
  void *ctx;
};

/// Makes it. @return 0, PERI_EINVAL (an address that does not parse, a wrong
/// endpoint, a certificate that cannot be read: named by `ret_problem`),
/// PERI_EUNSUPPORTED or PERI_ENOMEM.
int peri_registry_new(const struct peri_registry_options *options,
                      struct peri_registry **ret_registry,
                      struct peri_problem *ret_problem);

/// Takes the services, and what this sidecar provides, of a configuration read
/// again. A registry whose kind, endpoints or credentials changed says so
/// (PERI_EUNSUPPORTED: needs a restart), and nothing changes.
/// @return 0, or a code as above: what is known then stays.
int peri_registry_update(struct peri_registry *registry,
                         struct peri_config *config,
                         struct peri_problem *ret_problem);

/// The snapshot published last, borrowed; NULL before the first.
struct peri_snapshot *peri_registry_snapshot(
    const struct peri_registry *registry);

/// Whether others hear of this sidecar through it, and need time for that.
bool peri_registry_is_remote(const struct peri_registry *registry);

/// Begins to register what the configuration provides: once listeners are
/// bound and the first snapshot is there.
void peri_registry_enter(struct peri_registry *registry);

/// A service that an application asks to be registered (Mesh/Register).
struct peri_registration {
  struct peri_slice service;
  struct peri_slice address;   // where the application listens
  uint32_t weight;             // 0 counts as 1
  struct peri_slice health;    // "grpc", "tcp", "none"; "" is "tcp"
  struct peri_slice version;   // "" when unknown
  struct peri_slice metadata;  // a JSON object, or empty
};

/// Registers a service while its health check passes, until it is deregistered
/// or the sidecar stops; the same service again replaces it. `done` comes once
/// it is registered, or with why not yet (the registry goes on trying):
/// PERI_ETIMEOUT just before 2 s are over, else a permanent error.
/// @return 0 (`done` comes), or PERI_EINVAL, PERI_EUNSUPPORTED (kind "static"),
/// PERI_ELIMIT (1,000 services), PERI_ENOMEM with words (`done` does not come).
int peri_registry_register(struct peri_registry *registry,
                           const struct peri_registration *registration,
                           void (*done)(void *ctx, int error,
                                        const char *words),
                           void *ctx, struct peri_problem *ret_problem);
/// Takes it out again. @return 0 (`done` comes), PERI_ENOTFOUND (it was not
/// registered here) or as above.
int peri_registry_deregister(struct peri_registry *registry,
                             struct peri_slice service,
                             void (*done)(void *ctx, int error,
                                          const char *words),
                             void *ctx, struct peri_problem *ret_problem);

/// Watches a service that nobody named before ("looked up on first use"); it
/// is dropped when nobody asked again for `registry.forget` (not while etcd is
/// away), 256 at the most.
/// @return 0, PERI_EINVAL, PERI_ELIMIT, PERI_ENOMEM.
int peri_registry_want(struct peri_registry *registry,
                       struct peri_slice service);

/// What it knows of itself, for display: see status.h. The caller unrefs it.
/// @return 0 or PERI_ENOMEM.
int peri_registry_status(struct peri_registry *registry,
                         struct peri_registry_status **ret_status);

/// Takes everything that this sidecar registered out; `left` comes when that
/// is confirmed or `limit_ms` is over (at once for kind "static", still not
/// from within this function's caller's stack).
void peri_registry_leave(struct peri_registry *registry, uint64_t limit_ms,
                         void (*left)(void *ctx), void *ctx);
/// Revokes the lease and closes the session, in `limit_ms` at the most, then
/// `stopped(ctx)`; only peri_registry_free() may follow.
void peri_registry_stop(struct peri_registry *registry, uint64_t limit_ms,
                        void (*stopped)(void *ctx), void *ctx);

/// After peri_registry_stop(), or when peri_registry_new() was the last thing
/// done. NULL is fine.
void peri_registry_free(struct peri_registry *registry);
