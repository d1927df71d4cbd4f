#pragma once

#include "base/error.h"
#include "base/types.h"
#include "registry/registry.h"

struct peri_catalog;
struct peri_config;
struct peri_listing;
struct peri_loop;
struct peri_mailbox;
struct peri_registrar;

/// What this sidecar registers: itself in the cluster, what the configuration
/// provides, and what its application asked for. Each is in etcd while its
/// health check passes. On the session's loop.
struct peri_provider;

struct peri_provider_options {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_registrar *registrar;
  struct peri_catalog *catalog;    // sees what is provided
  struct peri_slice self_address;  // under which everything is registered
  /// As in registry.h; may be NULL.
  void (*provided)(void *ctx, struct peri_slice service,
                   struct peri_slice address);
  void *ctx;
};

/// @return 0 or PERI_ENOMEM.
int peri_provider_new(const struct peri_provider_options *options,
                      struct peri_provider **ret_provider);
/// Ends the health checks, then `closed(ctx)`: the provider is freed. Listings
/// stay with the registrar.
void peri_provider_close(struct peri_provider *provider,
                         void (*closed)(void *ctx), void *ctx);

/// Registers what a configuration says, takes out what an earlier one said;
/// what did not change is not touched. @return 0, PERI_EINVAL (a name or an
/// address; nothing changes for the others), PERI_ENOMEM.
int peri_provider_configure(struct peri_provider *provider,
                            struct peri_config *config,
                            struct peri_problem *ret_problem);

/// As peri_registry_register() and peri_registry_deregister().
int peri_provider_register(struct peri_provider *provider,
                           const struct peri_registration *registration,
                           void (*done)(void *ctx, int error,
                                        const char *words),
                           void *ctx, struct peri_problem *ret_problem);
int peri_provider_deregister(struct peri_provider *provider,
                             struct peri_slice service,
                             void (*done)(void *ctx, int error,
                                          const char *words),
                             void *ctx, struct peri_problem *ret_problem);

/// To be called when the registrar says that the state of a listing changed,
/// and when the catalog saw a key.
void peri_provider_changed(struct peri_provider *provider,
                           struct peri_listing *listing);
void peri_provider_seen(struct peri_provider *provider, struct peri_slice key,
                        int64_t lease, int64_t mod_revision);
/// To be called when the catalog has read a whole service: a key of ours that
/// is not there then is gone.
void peri_provider_loaded(struct peri_provider *provider,
                          struct peri_slice service, int64_t revision);

size_t peri_provider_count(const struct peri_provider *provider);
/// Borrowed until the next change.
struct peri_own_status;
void peri_provider_status(const struct peri_provider *provider, size_t index,
                          struct peri_own_status *ret_status);
