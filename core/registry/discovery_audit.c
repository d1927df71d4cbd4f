#include "base/metrics.h"
#include "base/random.h"
#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/session.h"
#include "etcd/watch.h"
#include "loop/timer.h"
#include "registry/discovery_private.h"

enum {
  AUDIT_MS = 15000,
  AGAIN_MS = 1000,
  SOON_LEAST_MS = 200,
  SOON_MOST_MS = 15000,
  KEYS_A_MS = 2  // of a fleet that reads everything
};

static void plan(struct peri_discovery *discovery) {
  uint32_t every =
      discovery->options.audit_ms > 0 ? discovery->options.audit_ms : AUDIT_MS;
  // ± 50 %, so that a fleet does not ask in step.
  uint64_t wait =
      discovery->suspicious
          ? AGAIN_MS
          : every / 2 + peri_random_below(&discovery->random, every);
  peri_timer_start(discovery->audit, wait, 0);
}

void peri_discovery_count_resync(struct peri_discovery *discovery,
                                 const char *reason) {
  char labels[64] = "";
  if (discovery->options.metrics == NULL) {
    return;
  }
  peri_metrics_label(labels, sizeof(labels), "reason", peri_slice_of(reason));
  peri_metric_add(
      peri_metrics_counter(discovery->options.metrics,
                           "perigee_registry_resyncs_total",
                           "Services read again from etcd, by what made it "
                           "necessary.",
                           labels),
      1);
}

/// Whether what is known may be compared with a reading of this revision:
/// everything up to it has been applied, nothing beyond it.
static bool differs(const struct peri_discovery *discovery,
                    const struct peri_etcd_range_result *result) {
  int64_t newest = result->kv_count > 0 ? result->kvs[0].mod_revision : 0;
  return (int64_t)peri_directory_keys(discovery->directory) != result->total ||
         peri_directory_newest(discovery->directory) != newest;
}

static void on_answer(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_range_result *result) {
  struct peri_discovery *discovery = ctx;
  discovery->audit_call = NULL;
  if (error != NULL || discovery->scan != NULL) {
    plan(discovery);
    return;
  }
  bool older = result->revision < discovery->revision;
  if (!older && !differs(discovery, result)) {
    discovery->suspicious = false;
  } else if (!older && !discovery->suspicious) {
    // Events may be on their way.
    discovery->suspicious = true;
  } else {
    discovery->suspicious = false;
    discovery->regressed = discovery->regressed || older;
    peri_discovery_count_resync(discovery, older ? "regression" : "audit");
    peri_discovery_read(discovery);
  }
  plan(discovery);
}

static void on_audit(void *ctx) {
  struct peri_discovery *discovery = ctx;
  char end[PERI_DISCOVERY_PREFIX_BYTES];
  struct peri_slice prefix = peri_slice_of(discovery->prefix);
  struct peri_etcd_range range = {
      .key = prefix,
      .limit = 1,
      .sort = PERI_ETCD_NEWEST_FIRST,
      .keys_only = true,
  };
  if (discovery->scan != NULL || discovery->audit_call != NULL ||
      !peri_etcd_watch_live(discovery->watch)) {
    plan(discovery);
    return;
  }
  if (discovery->doubtful) {
    discovery->doubtful = false;
    peri_discovery_count_resync(discovery, "reconnect");
    peri_discovery_read(discovery);
    plan(discovery);
    return;
  }
  range.range_end.ptr = end;
  range.range_end.len = peri_etcd_prefix_end(prefix, end);
  if (peri_etcd_range(discovery->options.etcd, &range, on_answer, discovery,
                      &discovery->audit_call) < 0) {
    plan(discovery);
  }
}

int peri_discovery_audit_new(struct peri_discovery *discovery) {
  return peri_timer_new(peri_etcd_loop(discovery->options.etcd), on_audit,
                        discovery, &discovery->audit);
}

void peri_discovery_audit_start(struct peri_discovery *discovery) {
  if (!discovery->audited) {
    discovery->audited = true;
    plan(discovery);
  }
}

void peri_discovery_audit_soon(struct peri_discovery *discovery) {
  uint64_t window_ms = peri_directory_keys(discovery->directory) / KEYS_A_MS;
  window_ms = window_ms < SOON_MOST_MS ? window_ms : SOON_MOST_MS;
  discovery->doubtful = true;
  uint32_t spread_ms = (uint32_t)window_ms + SOON_LEAST_MS;
  peri_timer_start(
      discovery->audit,
      SOON_LEAST_MS + peri_random_below(&discovery->random, spread_ms), 0);
}

void peri_discovery_audit_free(struct peri_discovery *discovery) {
  if (discovery->audit_call != NULL) {
    peri_etcd_call_cancel(discovery->audit_call);
  }
  peri_timer_free(discovery->audit);
}
