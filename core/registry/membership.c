#include "registry/membership.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "etcd/session.h"
#include "loop/timer.h"
#include "model/config.h"
#include "model/route.h"
#include "registry/catalog.h"
#include "registry/membership_private.h"
#include "registry/provider.h"
#include "registry/registration.h"

enum { HOLD_LEAST_MS = 30000, MS_PER_S = 1000, NS_PER_MS = 1000000 };

static void on_publish(void *ctx, struct peri_snapshot *snapshot) {
  struct peri_membership *membership = ctx;
  peri_membership_pulse(membership);
  membership->options.publish(membership->options.ctx, snapshot);
}

static void on_seen(void *ctx, struct peri_slice key, int64_t lease,
                    int64_t mod_revision) {
  struct peri_membership *membership = ctx;
  if (membership->provider != NULL) {
    peri_provider_seen(membership->provider, key, lease, mod_revision);
  }
}

static void on_loaded(void *ctx, struct peri_slice service, int64_t revision,
                      bool regressed) {
  struct peri_membership *membership = ctx;
  if (regressed && membership->registrar != NULL) {
    peri_registrar_regressed(membership->registrar);
  }
  if (membership->provider != NULL) {
    peri_provider_loaded(membership->provider, service, revision);
  }
}

static void on_trouble(void *ctx, const struct peri_etcd_error *error) {
  struct peri_membership *membership = ctx;
  peri_membership_trouble(membership, error);
  if (error == NULL && membership->registrar != NULL) {
    peri_registrar_hurry(membership->registrar);
  }
}

static size_t on_fleet(void *ctx) {
  const struct peri_membership *membership = ctx;
  return peri_catalog_endpoints(membership->catalog);
}

static void on_changed(void *ctx, struct peri_listing *listing) {
  struct peri_membership *membership = ctx;
  peri_membership_pulse(membership);
  if (membership->provider != NULL) {
    peri_provider_changed(membership->provider, listing);
  }
}

static void on_provided(void *ctx, struct peri_slice service,
                        struct peri_slice address) {
  struct peri_membership *membership = ctx;
  if (membership->options.provided != NULL) {
    membership->options.provided(membership->options.ctx, service, address);
  }
}

static int open_session(struct peri_membership *membership,
                        struct peri_problem *ret_problem) {
  const struct peri_config_etcd *etcd = &membership->config->etcd;
  struct peri_etcd_options options = {
      .loop = membership->options.loop,
      .mailbox = membership->options.mailbox,
      .metrics = membership->options.metrics,
      .endpoints = etcd->endpoints,
      .endpoint_count = etcd->endpoint_count,
      .tls = etcd->ca != NULL || etcd->certificate != NULL,
      .ca = peri_slice_of(etcd->ca),
      .certificate = peri_slice_of(etcd->certificate),
      .key = peri_slice_of(etcd->key),
      .server_name = peri_slice_of(etcd->server_name),
      .user = peri_slice_of(etcd->user),
      .password = peri_slice_of(etcd->password),
      .timeout_ms = (uint32_t)etcd->timeout_ms,
  };
  return peri_etcd_new(&options, &membership->etcd, ret_problem);
}

static int keep_targets(struct peri_catalog *catalog,
                        const struct peri_route *route) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < route->target_count; i++) {
    if (route->targets[i].service != NULL) {
      rc = peri_catalog_keep(catalog, peri_slice_of(route->targets[i].service));
    }
  }
  return rc;
}

static int open_catalog(struct peri_membership *membership) {
  const struct peri_config *config = membership->config;
  uint64_t ttls_ms = (uint64_t)2 * MS_PER_S * config->etcd.ttl_s;
  struct peri_catalog_options options = {
      .etcd = membership->etcd,
      .metrics = membership->options.metrics,
      .prefix = peri_slice_of(config->etcd.prefix),
      .cluster = peri_slice_of(config->cluster),
      .self_address = peri_slice_of(membership->self),
      .audit_ms = (uint32_t)config->etcd.audit_ms,
      .forget_ms = config->etcd.forget_ms,
      .hold_ms = ttls_ms > HOLD_LEAST_MS ? ttls_ms : HOLD_LEAST_MS,
      .publish = on_publish,
      .seen = on_seen,
      .loaded = on_loaded,
      .trouble = on_trouble,
      .ctx = membership,
  };
  int rc = peri_catalog_new(&options, &membership->catalog);
  if (rc == 0) {
    rc = peri_catalog_keep(membership->catalog, options.cluster);
  }
  for (size_t i = 0; rc == 0 && i < config->provide_count; i++) {
    rc = peri_catalog_keep(membership->catalog,
                           peri_slice_of(config->provides[i].service));
  }
  for (size_t i = 0; rc == 0 && i < config->route_count; i++) {
    rc = keep_targets(membership->catalog, &config->routes[i]);
  }
  return rc;
}

static int open_registrar(struct peri_membership *membership) {
  struct peri_registrar_options options = {
      .etcd = membership->etcd,
      .metrics = membership->options.metrics,
      .prefix = peri_slice_of(membership->config->etcd.prefix),
      .ttl_s = membership->config->etcd.ttl_s,
      .fleet = on_fleet,
      .changed = on_changed,
      .ctx = membership,
  };
  return peri_registrar_new(&options, &membership->registrar);
}

int peri_membership_new(const struct peri_registry_options *options,
                        struct peri_membership **ret_membership,
                        struct peri_problem *ret_problem) {
  struct peri_membership *membership = calloc(1, sizeof(*membership));
  if (membership == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  membership->options = *options;
  membership->config = peri_config_ref(options->config);
  membership->self = peri_slice_dup(options->self_address);
  int rc = membership->self != NULL ? open_session(membership, ret_problem)
                                    : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_membership_health_new(membership);
  }
  if (rc == 0) {
    rc = open_catalog(membership);
  }
  if (rc == 0) {
    rc = open_registrar(membership);
  }
  if (rc < 0) {
    if (ret_problem != NULL && ret_problem->text[0] == '\0') {
      peri_problem_set(ret_problem, rc, "the registry cannot start: %s",
                       peri_error_text(rc));
    }
    peri_membership_free(membership);
    return rc;
  }
  *ret_membership = membership;
  return 0;
}

static bool same_text(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same_session(const struct peri_config *a,
                         const struct peri_config *b) {
  const struct peri_config_etcd *x = &a->etcd, *y = &b->etcd;
  bool same =
      x->endpoint_count == y->endpoint_count && x->ttl_s == y->ttl_s &&
      same_text(x->prefix, y->prefix) && same_text(x->user, y->user) &&
      same_text(x->password, y->password) && same_text(x->ca, y->ca) &&
      same_text(x->certificate, y->certificate) && same_text(x->key, y->key) &&
      same_text(x->server_name, y->server_name) &&
      x->timeout_ms == y->timeout_ms && same_text(a->cluster, b->cluster);
  for (size_t i = 0; same && i < x->endpoint_count; i++) {
    same = same_text(x->endpoints[i], y->endpoints[i]);
  }
  return same;
}

/// Sees what the new configuration provides, and no more what only the old one
/// did.
static int follow_provides(struct peri_membership *membership,
                           const struct peri_config *config) {
  struct peri_catalog *catalog = membership->catalog;
  const struct peri_config *before = membership->config;
  int rc = 0;
  for (size_t i = 0; i < config->provide_count; i++) {
    int code =
        peri_catalog_keep(catalog, peri_slice_of(config->provides[i].service));
    rc = rc < 0 ? rc : code;
  }
  for (size_t i = 0; i < before->provide_count; i++) {
    peri_catalog_release(catalog, peri_slice_of(before->provides[i].service));
  }
  return rc;
}

int peri_membership_update(struct peri_membership *membership,
                           struct peri_config *config,
                           struct peri_problem *ret_problem) {
  if (!same_session(membership->config, config)) {
    return peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                            "how etcd is reached, ttl, prefix and cluster are "
                            "read at the start only: restart to change them");
  }
  int rc = follow_provides(membership, config);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "provides: %s",
                            peri_error_text(rc));
  }
  peri_config_unref(membership->config);
  membership->config = peri_config_ref(config);
  return membership->provider != NULL
             ? peri_provider_configure(membership->provider, config,
                                       ret_problem)
             : 0;
}

void peri_membership_enter(struct peri_membership *membership) {
  struct peri_problem problem = {0, ""};
  struct peri_provider_options options = {
      .loop = membership->options.loop,
      .mailbox = membership->options.mailbox,
      .registrar = membership->registrar,
      .catalog = membership->catalog,
      .self_address = peri_slice_of(membership->self),
      .provided = on_provided,
      .ctx = membership,
  };
  if (membership->provider != NULL || membership->stopping ||
      membership->self[0] == '\0') {
    return;
  }
  int rc = peri_provider_new(&options, &membership->provider);
  if (rc == 0) {
    rc = peri_provider_configure(membership->provider, membership->config,
                                 &problem);
  }
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "registry", "not everything is registered: %s",
             problem.text[0] != '\0' ? problem.text : peri_error_text(rc));
  }
}

struct peri_catalog *peri_membership_catalog(
    const struct peri_membership *membership) {
  return membership->catalog;
}

struct peri_provider *peri_membership_provider(
    const struct peri_membership *membership) {
  return membership->provider;
}

static void on_left(void *ctx, int error) {
  struct peri_membership *membership = ctx;
  if (error < 0) {
    peri_log(PERI_LOG_WARN, "registry",
             "etcd did not confirm that this sidecar is out (%s); its keys go "
             "with the lease",
             peri_error_text(error));
  }
  membership->left(membership->left_ctx);
}

void peri_membership_leave(struct peri_membership *membership,
                           uint64_t limit_ms, void (*left)(void *ctx),
                           void *ctx) {
  membership->stopping = true;
  membership->left = left;
  membership->left_ctx = ctx;
  peri_registrar_leave(membership->registrar, limit_ms, on_left, membership);
}

static void on_session_closed(void *ctx) {
  struct peri_membership *membership = ctx;
  membership->etcd = NULL;
  membership->stopped(membership->stopped_ctx);
}

static void close_session(void *ctx) {
  struct peri_membership *membership = ctx;
  membership->provider = NULL;
  peri_registrar_free(membership->registrar);
  membership->registrar = NULL;
  peri_catalog_free(membership->catalog);
  membership->catalog = NULL;
  peri_timer_free(membership->pulse);
  membership->pulse = NULL;
  peri_etcd_close(membership->etcd, on_session_closed, membership);
}

static void on_revoked(void *ctx, int error) {
  struct peri_membership *membership = ctx;
  if (error < 0) {
    peri_log(PERI_LOG_WARN, "registry",
             "etcd did not confirm that the lease is revoked (%s); it ends by "
             "itself",
             peri_error_text(error));
  }
  if (membership->provider != NULL) {
    peri_provider_close(membership->provider, close_session, membership);
  } else {
    close_session(membership);
  }
}

void peri_membership_stop(struct peri_membership *membership, uint64_t limit_ms,
                          void (*stopped)(void *ctx), void *ctx) {
  membership->stopping = true;
  membership->stopped = stopped;
  membership->stopped_ctx = ctx;
  peri_registrar_revoke(membership->registrar, limit_ms, on_revoked,
                        membership);
}

void peri_membership_free(struct peri_membership *membership) {
  if (membership == NULL) {
    return;
  }
  peri_registrar_free(membership->registrar);
  peri_catalog_free(membership->catalog);
  peri_timer_free(membership->pulse);
  if (membership->etcd != NULL) {
    peri_etcd_close(membership->etcd, NULL, NULL);
  }
  peri_config_unref(membership->config);
  free(membership->self);
  free(membership);
}
