#include "base/clock.h"
#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/session.h"
#include "etcd/watch.h"
#include "registry/discovery_private.h"

static void on_events(void *ctx, const struct peri_etcd_event *events,
                      size_t count, int64_t revision) {
  struct peri_discovery *discovery = ctx;
  uint64_t now_ns = peri_clock_mono_ns();
  int rc = 0;
  if (discovery->scan != NULL) {
    return;  // a reading under way sees all of it, and the watch starts anew
  }
  for (size_t i = 0; i < count; i++) {
    const struct peri_etcd_kv *kv = &events[i].kv;
    if (!events[i].deleted) {
      peri_discovery_put(discovery, kv, now_ns);
      continue;
    }
    int code = peri_directory_delete(discovery->directory, kv->key,
                                     kv->mod_revision, now_ns);
    rc = code < 0 ? code : rc;
    discovery->options.seen(discovery->options.ctx, kv->key, 0,
                            kv->mod_revision);
  }
  discovery->revision = revision;
  discovery->current_ns = now_ns;
  if (rc < 0) {
    peri_discovery_read(discovery);
  }
  peri_discovery_touched(discovery);
}

static void on_reset(void *ctx, enum peri_etcd_reset why) {
  struct peri_discovery *discovery = ctx;
  discovery->regressed =
      discovery->regressed || why == PERI_ETCD_RESET_REGRESSED;
  peri_discovery_count_resync(discovery, why == PERI_ETCD_RESET_REGRESSED
                                             ? "regression"
                                             : "compaction");
  peri_discovery_reread(discovery);
}

static void on_state(void *ctx, const struct peri_etcd_error *error) {
  struct peri_discovery *discovery = ctx;
  if (error == NULL) {
    discovery->stale_since_ns = 0;
    discovery->current_ns = peri_clock_mono_ns();
    peri_discovery_audit_start(discovery);
    if (discovery->broken) {
      discovery->broken = false;
      peri_discovery_audit_soon(discovery);
    }
  } else if (error->kind != PERI_ETCD_TIMEOUT) {
    // A silent member keeps its data; one whose connections end may not.
    discovery->broken = true;
  }
  peri_discovery_trouble(discovery, error);
  discovery->options.changed(discovery->options.ctx, discovery);
}

int peri_discovery_watch(struct peri_discovery *discovery) {
  static const struct peri_etcd_watch_events events = {
      .events = on_events, .reset = on_reset, .state = on_state};
  return peri_etcd_watch_new(
      discovery->options.watches, peri_slice_of(discovery->prefix), false,
      discovery->revision + 1, &events, discovery, &discovery->watch);
}
