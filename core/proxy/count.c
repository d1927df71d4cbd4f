#include <stdio.h>

#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "proxy/private.h"

enum { MOST_NAME = 100, LABELS_BYTES = 512 };

void peri_proxy_count_init(struct peri_proxy *proxy) {
  static const char *const reasons[PERI_PROXY_REASONS] = {
      [PERI_REASON_CONNECT] = "connect",
      [PERI_REASON_REFUSED] = "refused",
      [PERI_REASON_GOAWAY] = "goaway",
      [PERI_REASON_CLOSED] = "closed"};
  struct peri_metrics *metrics = proxy->options.metrics;
  if (metrics == NULL) {
    return;
  }
  proxy->inflight = peri_metrics_gauge(metrics, "perigee_proxy_inflight",
                                       "Calls being forwarded.", NULL);
  proxy->not_provided = peri_metrics_counter(
      metrics, "perigee_proxy_not_provided_total",
      "Calls of the mesh for services that are not provided here.", NULL);
  for (size_t i = 0; i < PERI_PROXY_REASONS; i++) {
    char labels[64];
    (void)snprintf(labels, sizeof(labels), "reason=\"%s\"", reasons[i]);
    proxy->retries[i] = peri_metrics_counter(
        metrics, "perigee_proxy_retries_total",
        "Further attempts of calls that an endpoint never processed.", labels);
  }
}

// The label of a service, which the mesh may have given any name.
static void label(const struct peri_proxy_service *service, char *labels,
                  size_t capacity) {
  struct peri_slice name = {"", 0};
  if (service != NULL) {
    name = service->name;
    name.len = name.len > MOST_NAME ? MOST_NAME : name.len;
  }
  (void)peri_metrics_label(labels, capacity, "service", name);
}

static struct peri_metric *series(struct peri_proxy *proxy,
                                  const struct peri_proxy_service *service,
                                  int status) {
  char labels[LABELS_BYTES] = "";
  label(service, labels, sizeof(labels));
  (void)peri_metrics_label(labels, sizeof(labels), "code",
                           peri_slice_of(peri_status_name(status)));
  return service != NULL && service->inbound
             ? peri_metrics_counter(
                   proxy->options.metrics, "perigee_proxy_inbound_calls_total",
                   "Calls of the mesh handed to the local application, by "
                   "service and gRPC status.",
                   labels)
             : peri_metrics_counter(
                   proxy->options.metrics, "perigee_proxy_calls_total",
                   "Calls forwarded or refused, by service and gRPC status.",
                   labels);
}

static struct peri_histogram *latency(
    struct peri_proxy *proxy, const struct peri_proxy_service *service) {
  char labels[LABELS_BYTES] = "";
  label(service, labels, sizeof(labels));
  return service->inbound
             ? peri_metrics_histogram(
                   proxy->options.metrics, "perigee_proxy_inbound_call_seconds",
                   "Time from a call of the mesh to the end of the local "
                   "application's answer.",
                   labels)
             : peri_metrics_histogram(
                   proxy->options.metrics, "perigee_proxy_call_seconds",
                   "Time from a call's request to the end of its answer.",
                   labels);
}

void peri_proxy_count_call(struct peri_proxy *proxy,
                           struct peri_proxy_service *service, int status,
                           uint64_t ns) {
  if (proxy->options.metrics == NULL) {
    return;
  }
  if (status < 0 || status >= PERI_PROXY_STATUSES) {
    status = PERI_STATUS_UNKNOWN;
  }
  struct peri_metric **metric =
      service != NULL ? &service->calls[status] : &proxy->unplaced[status];
  if (*metric == NULL) {
    *metric = series(proxy, service, status);
  }
  peri_metric_add(*metric, 1);
  if (service != NULL) {
    if (service->seconds == NULL) {
      service->seconds = latency(proxy, service);
    }
    peri_histogram_observe(service->seconds, ns);
  }
}

void peri_proxy_count_retry(struct peri_proxy *proxy,
                            enum peri_proxy_reason reason) {
  if (proxy->retries[reason] != NULL) {
    peri_metric_add(proxy->retries[reason], 1);
  }
}
