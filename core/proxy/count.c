#include <stdio.h>

#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "proxy/private.h"

static const char calls_name[] = "perigee_proxy_calls_total";
static const char calls_help[] =
    "Calls forwarded or refused, by service and gRPC status.";

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
  for (size_t i = 0; i < PERI_PROXY_REASONS; i++) {
    char labels[64];
    (void)snprintf(labels, sizeof(labels), "reason=\"%s\"", reasons[i]);
    proxy->retries[i] = peri_metrics_counter(
        metrics, "perigee_proxy_retries_total",
        "Further attempts of calls that an endpoint never processed.", labels);
  }
}

static struct peri_metric *series(struct peri_proxy *proxy,
                                  struct peri_slice service, int status) {
  char labels[512] = "";
  const char *name = peri_status_name(status);
  if (!peri_metrics_label(labels, sizeof(labels), "service", service)) {
    struct peri_slice cut = {service.ptr, 100};
    (void)peri_metrics_label(labels, sizeof(labels), "service", cut);
  }
  (void)peri_metrics_label(labels, sizeof(labels), "code", peri_slice_of(name));
  return peri_metrics_counter(proxy->options.metrics, calls_name, calls_help,
                              labels);
}

static struct peri_histogram *latency(struct peri_proxy *proxy,
                                      struct peri_slice service) {
  char labels[512] = "";
  if (!peri_metrics_label(labels, sizeof(labels), "service", service)) {
    struct peri_slice cut = {service.ptr, 100};
    (void)peri_metrics_label(labels, sizeof(labels), "service", cut);
  }
  return peri_metrics_histogram(proxy->options.metrics,
                                "perigee_proxy_call_seconds",
                                "Time from a call's request to the end of its "
                                "answer.",
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
    struct peri_slice name = {"", 0};
    *metric = series(proxy, service != NULL ? service->name : name, status);
  }
  peri_metric_add(*metric, 1);
  if (service != NULL) {
    if (service->seconds == NULL) {
      service->seconds = latency(proxy, service->name);
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
