#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "etcd/session.h"
#include "loop/timer.h"
#include "registry/catalog.h"
#include "registry/membership_private.h"
#include "registry/registration.h"
#include "registry/status.h"

enum { PULSE_MS = 1000, LOG_EVERY_MS = 10000 };

static void say(struct peri_membership *membership,
                const struct peri_etcd_error *error) {
  uint64_t suppressed = 0;
  if (peri_log_gate_open(&membership->gates[error->kind], peri_clock_mono_ns(),
                         LOG_EVERY_MS, &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "etcd: %s: %s; going on with what was last known (%llu more "
             "since the last line)",
             peri_etcd_kind_name(error->kind), error->text,
             (unsigned long long)suppressed);
    membership->well = false;
  }
}

void peri_membership_trouble(struct peri_membership *membership,
                             const struct peri_etcd_error *error) {
  int before = membership->trouble.kind;
  int now = error != NULL ? error->kind : PERI_ETCD_OK;
  if (before != now) {
    peri_membership_pulse(membership);
  }
  if (error != NULL) {
    membership->trouble = *error;
    say(membership, error);
    return;
  }
  membership->trouble.kind = PERI_ETCD_OK;
  membership->trouble.text[0] = '\0';
  if (!membership->well) {
    membership->well = true;
    peri_log(PERI_LOG_INFO, "registry", "etcd: in touch");
  }
}

/// The gauges of one service.
static void show(struct peri_membership *membership,
                 const struct peri_service_status *status) {
  static const char *const help[] = {
      "Endpoints of a service, suspects among them.",
      ("Endpoints that vanished from etcd together with others, and still "
       "answer."),
      "Records of a service that cannot be read."};
  struct peri_metrics *metrics = membership->options.metrics;
  char labels[256] = "";
  // Names that somebody only asked for could fill the family.
  if (status->endpoints + status->invalid == 0 && !status->kept) {
    return;
  }
  if (!peri_metrics_label(labels, sizeof(labels), "service",
                          peri_slice_of(status->name))) {
    return;  // a name so long is nobody's in a graph
  }
  peri_metric_set(
      peri_metrics_gauge(metrics, "perigee_service_endpoints", help[0], labels),
      (int64_t)status->endpoints);
  peri_metric_set(
      peri_metrics_gauge(metrics, "perigee_service_suspects", help[1], labels),
      (int64_t)status->suspects);
  peri_metric_set(peri_metrics_gauge(metrics, "perigee_service_invalid_records",
                                     help[2], labels),
                  (int64_t)status->invalid);
}

static void on_pulse(void *ctx) {
  struct peri_membership *membership = ctx;
  int64_t stale = 0, revision = 0;
  for (size_t i = 0; i < peri_catalog_count(membership->catalog); i++) {
    struct peri_service_status status;
    peri_catalog_status(membership->catalog, i, &status);
    show(membership, &status);
    stale += status.state != PERI_SERVICE_LIVE;
    revision = status.revision > revision ? status.revision : revision;
  }
  int registering = peri_registrar_trouble(membership->registrar);
  for (int kind = 1; kind < PERI_ETCD_KINDS; kind++) {
    peri_metric_set(membership->troubles[kind],
                    kind == membership->trouble.kind || kind == registering);
  }
  int64_t left_ms = peri_registrar_remaining_ms(membership->registrar);
  peri_metric_set(membership->stale, stale);
  peri_metric_set(membership->revision, revision);
  peri_metric_set(membership->lease, left_ms > 0 ? left_ms / 1000 : 0);
}

void peri_membership_pulse(struct peri_membership *membership) {
  // Soon rather than now: what a callback changes may not be whole yet.
  peri_timer_start(membership->pulse, 0, PULSE_MS);
}

int peri_membership_health_new(struct peri_membership *membership) {
  struct peri_metrics *metrics = membership->options.metrics;
  for (int kind = 1; kind < PERI_ETCD_KINDS; kind++) {
    char labels[64] = "";
    peri_metrics_label(labels, sizeof(labels), "kind",
                       peri_slice_of(peri_etcd_kind_name(kind)));
    membership->troubles[kind] = peri_metrics_gauge(
        metrics, "perigee_etcd_trouble",
        "1 for what keeps etcd from being asked now.", labels);
  }
  membership->stale =
      peri_metrics_gauge(metrics, "perigee_services_stale",
                         "Services whose endpoints are last known rather than "
                         "current.",
                         NULL);
  membership->revision =
      peri_metrics_gauge(metrics, "perigee_etcd_revision",
                         "The newest revision of etcd that was applied.", NULL);
  membership->lease =
      peri_metrics_gauge(metrics, "perigee_lease_remaining_seconds",
                         "What is left of the lease for certain.", NULL);
  int rc = peri_timer_new(membership->options.loop, on_pulse, membership,
                          &membership->pulse);
  if (rc == 0) {
    peri_timer_start(membership->pulse, PULSE_MS, PULSE_MS);
  }
  return rc;
}
