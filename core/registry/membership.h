#pragma once

#include "base/error.h"
#include "base/types.h"
#include "registry/registry.h"

/// A sidecar's part in an etcd cluster: the session, what it sees through it
/// and what it registers. The etcd kind of a registry; see registry.h.
struct peri_membership;

/// @return as peri_registry_new().
int peri_membership_new(const struct peri_registry_options *options,
                        struct peri_membership **ret_membership,
                        struct peri_problem *ret_problem);
int peri_membership_update(struct peri_membership *membership,
                           struct peri_config *config,
                           struct peri_problem *ret_problem);
void peri_membership_enter(struct peri_membership *membership);

struct peri_catalog;
struct peri_provider;
/// Both borrowed; the provider is NULL before peri_membership_enter().
struct peri_catalog *peri_membership_catalog(
    const struct peri_membership *membership);
struct peri_provider *peri_membership_provider(
    const struct peri_membership *membership);
int peri_membership_status(struct peri_membership *membership,
                           struct peri_registry_status **ret_status);

void peri_membership_leave(struct peri_membership *membership,
                           uint64_t limit_ms, void (*left)(void *ctx),
                           void *ctx);
void peri_membership_stop(struct peri_membership *membership, uint64_t limit_ms,
                          void (*stopped)(void *ctx), void *ctx);
/// After peri_membership_stop(), or at once when nothing was ever run on the
/// loop since peri_membership_new(). NULL is fine.
void peri_membership_free(struct peri_membership *membership);
