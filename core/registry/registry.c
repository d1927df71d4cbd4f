#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/snapshot.h"
#include "registry/catalog.h"
#include "registry/membership.h"
#include "registry/provider.h"
#include "registry/static.h"
#include "registry/status_private.h"

/// One of both is there, whatever the kind.
struct peri_registry {
  struct peri_static *listed;
  struct peri_membership *membership;
  struct peri_timer *later;  // answers of the static kind
  void (*done)(void *ctx);
  void *ctx;
};

static void on_later(void *ctx) {
  struct peri_registry *registry = ctx;
  registry->done(registry->ctx);
}

static int make(const struct peri_registry_options *options,
                struct peri_registry *registry,
                struct peri_problem *ret_problem) {
  struct peri_static_options listed = {
      .config = options->config,
      .self_address = options->self_address,
      .publish = options->publish,
      .ctx = options->ctx,
  };
  if (strcmp(options->config->registry_kind, "etcd") == 0) {
    return peri_membership_new(options, &registry->membership, ret_problem);
  }
  int rc = peri_timer_new(options->loop, on_later, registry, &registry->later);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "out of memory");
  }
  return peri_static_new(&listed, &registry->listed, ret_problem);
}

int peri_registry_new(const struct peri_registry_options *options,
                      struct peri_registry **ret_registry,
                      struct peri_problem *ret_problem) {
  struct peri_registry *registry = calloc(1, sizeof(*registry));
  if (registry == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc = make(options, registry, ret_problem);
  if (rc < 0) {
    peri_registry_free(registry);
    return rc;
  }
  *ret_registry = registry;
  return 0;
}

int peri_registry_update(struct peri_registry *registry,
                         struct peri_config *config,
                         struct peri_problem *ret_problem) {
  bool etcd = strcmp(config->registry_kind, "etcd") == 0;
  if (etcd != (registry->membership != NULL)) {
    return peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                            "registry.kind is read at the start only: restart "
                            "to change it");
  }
  return etcd
             ? peri_membership_update(registry->membership, config, ret_problem)
             : peri_static_update(registry->listed, config, ret_problem);
}

struct peri_snapshot *peri_registry_snapshot(
    const struct peri_registry *registry) {
  return registry->membership != NULL
             ? peri_catalog_snapshot(
                   peri_membership_catalog(registry->membership))
             : peri_static_snapshot(registry->listed);
}

bool peri_registry_is_remote(const struct peri_registry *registry) {
  return registry->membership != NULL;
}

void peri_registry_enter(struct peri_registry *registry) {
  if (registry->membership != NULL) {
    peri_membership_enter(registry->membership);
  }
}

/// The provider, or NULL with words why there is none.
static struct peri_provider *provider_of(const struct peri_registry *registry,
                                         struct peri_problem *ret_problem) {
  if (registry->membership == NULL) {
    peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                     "services are registered in etcd only; this registry is "
                     "of kind \"static\"");
    return NULL;
  }
  struct peri_provider *provider =
      peri_membership_provider(registry->membership);
  if (provider == NULL) {
    peri_problem_set(ret_problem, PERI_EBUSY,
                     "etcd has not been read yet, or others cannot dial this "
                     "sidecar (no mesh listener)");
  }
  return provider;
}

int peri_registry_register(struct peri_registry *registry,
                           const struct peri_registration *registration,
                           void (*done)(void *ctx, int error,
                                        const char *words),
                           void *ctx, struct peri_problem *ret_problem) {
  struct peri_problem problem = {0, ""};
  struct peri_provider *provider = provider_of(registry, &problem);
  if (provider == NULL) {
    return peri_problem_set(ret_problem, problem.code, "%s", problem.text);
  }
  return peri_provider_register(provider, registration, done, ctx, ret_problem);
}

int peri_registry_deregister(struct peri_registry *registry,
                             struct peri_slice service,
                             void (*done)(void *ctx, int error,
                                          const char *words),
                             void *ctx, struct peri_problem *ret_problem) {
  struct peri_problem problem = {0, ""};
  struct peri_provider *provider = provider_of(registry, &problem);
  if (provider == NULL) {
    return peri_problem_set(ret_problem, problem.code, "%s", problem.text);
  }
  return peri_provider_deregister(provider, service, done, ctx, ret_problem);
}

int peri_registry_want(struct peri_registry *registry,
                       struct peri_slice service) {
  return registry->membership != NULL
             ? peri_catalog_want(peri_membership_catalog(registry->membership),
                                 service)
             : 0;
}

static int listed_status(const struct peri_registry *registry,
                         struct peri_registry_status **ret_status) {
  uint64_t now_ns = peri_clock_mono_ns();
  struct peri_snapshot *snapshot = peri_static_snapshot(registry->listed);
  size_t count = peri_snapshot_count(snapshot);
  struct peri_service_status *services =
      calloc(count > 0 ? count : 1, sizeof(*services));
  if (services == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    struct peri_peers *peers = peri_snapshot_at(snapshot, i);
    services[i] = (struct peri_service_status){
        .name = peri_peers_service(peers),
        .state = PERI_SERVICE_LIVE,
        .current_ns = now_ns,
        .endpoints = peri_peers_count(peers),
    };
  }
  struct peri_registry_status status = {
      .kind = "static",
      .state = "static",
      .taken_ns = now_ns,
      .services = services,
      .service_count = count,
  };
  int rc = peri_registry_status_copy(&status, ret_status);
  free(services);
  return rc;
}

int peri_registry_status(struct peri_registry *registry,
                         struct peri_registry_status **ret_status) {
  return registry->membership != NULL
             ? peri_membership_status(registry->membership, ret_status)
             : listed_status(registry, ret_status);
}

static void answer_later(struct peri_registry *registry,
                         void (*done)(void *ctx), void *ctx) {
  registry->done = done;
  registry->ctx = ctx;
  peri_timer_start(registry->later, 0, 0);
}

void peri_registry_leave(struct peri_registry *registry, uint64_t limit_ms,
                         void (*left)(void *ctx), void *ctx) {
  if (registry->membership != NULL) {
    peri_membership_leave(registry->membership, limit_ms, left, ctx);
  } else {
    answer_later(registry, left, ctx);
  }
}

void peri_registry_stop(struct peri_registry *registry, uint64_t limit_ms,
                        void (*stopped)(void *ctx), void *ctx) {
  if (registry->membership != NULL) {
    peri_membership_stop(registry->membership, limit_ms, stopped, ctx);
  } else {
    answer_later(registry, stopped, ctx);
  }
}

void peri_registry_free(struct peri_registry *registry) {
  if (registry == NULL) {
    return;
  }
  peri_timer_free(registry->later);
  peri_static_free(registry->listed);
  peri_membership_free(registry->membership);
  free(registry);
}
