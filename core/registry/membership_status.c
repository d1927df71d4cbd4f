#include <stdlib.h>

#include "base/clock.h"
#include "etcd/session.h"
#include "registry/catalog.h"
#include "registry/membership_private.h"
#include "registry/provider.h"
#include "registry/registration.h"
#include "registry/status_private.h"

enum { NS_PER_MS = 1000000 };

/// The worst of the services says how all of it is.
static void judge(struct peri_registry_status *status) {
  uint64_t oldest_ns = status->taken_ns;
  status->state = "live";
  for (size_t i = 0; i < status->service_count; i++) {
    const struct peri_service_status *service = &status->services[i];
    if (service->state == PERI_SERVICE_SYNCING) {
      status->state = "syncing";
      continue;
    }
    if (service->state == PERI_SERVICE_STALE && status->state[0] != 's') {
      status->state = "stale";
    }
    if (service->current_ns < oldest_ns) {
      oldest_ns = service->current_ns;
    }
    if (service->revision > status->revision) {
      status->revision = service->revision;
    }
  }
  status->age_ms = (status->taken_ns - oldest_ns) / NS_PER_MS;
}

static void fill_texts(const struct peri_membership *membership,
                       struct peri_registry_status *status) {
  const struct peri_etcd_error *trouble = &membership->trouble;
  int kind = trouble->kind != PERI_ETCD_OK
                 ? trouble->kind
                 : peri_registrar_trouble(membership->registrar);
  status->reason = trouble->text;
  status->trouble = kind != PERI_ETCD_OK ? peri_etcd_kind_name(kind) : "";
  status->endpoint = peri_etcd_endpoint_name(
      membership->etcd, peri_etcd_endpoint_best(membership->etcd, -1));
}

int peri_membership_status(struct peri_membership *membership,
                           struct peri_registry_status **ret_status) {
  size_t services = peri_catalog_count(membership->catalog);
  size_t own = membership->provider != NULL
                   ? peri_provider_count(membership->provider)
                   : 0;
  struct peri_service_status *seen = calloc(services + 1, sizeof(*seen));
  struct peri_own_status *registered = calloc(own + 1, sizeof(*registered));
  int rc = PERI_ENOMEM;
  if (seen != NULL && registered != NULL) {
    struct peri_registry_status status = {
        .kind = "etcd",
        .taken_ns = peri_clock_mono_ns(),
        .lease = peri_registrar_lease(membership->registrar),
        .lease_remaining_ms =
            peri_registrar_remaining_ms(membership->registrar),
        .services = seen,
        .service_count = services,
        .own = registered,
        .own_count = own,
    };
    for (size_t i = 0; i < services; i++) {
      peri_catalog_status(membership->catalog, i, &seen[i]);
    }
    for (size_t i = 0; i < own; i++) {
      peri_provider_status(membership->provider, i, &registered[i]);
    }
    judge(&status);
    fill_texts(membership, &status);
    rc = peri_registry_status_copy(&status, ret_status);
  }
  free(seen);
  free(registered);
  return rc;
}
