#include "registry/discovery.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/session.h"
#include "etcd/watch.h"
#include "loop/timer.h"
#include "model/peers.h"
#include "registry/discovery_private.h"

enum {
  NS_PER_MS = 1000000,
  RETRY_LEAST_MS = 50,
  RETRY_MOST_MS = 1000,
  STEADY_MS = 2000,  // what stood so long may be read again at once
  BLOCKED_MS = 5000  // nothing changes before somebody changes something
};

static void on_tick(void *ctx) {
  struct peri_discovery *discovery = ctx;
  peri_discovery_touched(discovery);
}

void peri_discovery_touched(struct peri_discovery *discovery) {
  uint64_t now_ns = peri_clock_mono_ns();
  uint64_t again_ns = peri_directory_tick(discovery->directory, now_ns);
  peri_suspects_sync(discovery->suspects, discovery->directory);
  if (again_ns == 0) {
    peri_timer_stop(discovery->tick);
  } else {
    uint64_t wait_ns = again_ns > now_ns ? again_ns - now_ns : 0;
    peri_timer_start(discovery->tick, wait_ns / NS_PER_MS + 1, 0);
  }
  discovery->options.changed(discovery->options.ctx, discovery);
}

static uint64_t current_ns(const struct peri_discovery *discovery) {
  uint64_t heard_ns = peri_etcd_watches_heard_ns(discovery->options.watches);
  bool live = discovery->known && discovery->stale_since_ns == 0;
  return live && heard_ns > discovery->current_ns ? heard_ns
                                                  : discovery->current_ns;
}

void peri_discovery_trouble(struct peri_discovery *discovery,
                            const struct peri_etcd_error *error) {
  if (error != NULL && discovery->stale_since_ns == 0) {
    // Until something was heard last it was current.
    discovery->current_ns = current_ns(discovery);
    discovery->stale_since_ns = peri_clock_mono_ns();
  }
  discovery->options.trouble(discovery->options.ctx, error);
}

static void on_gone(void *ctx, struct peri_slice address) {
  struct peri_discovery *discovery = ctx;
  peri_directory_refuted(discovery->directory, address, peri_clock_mono_ns());
  peri_discovery_touched(discovery);
}

/// One key was put: tells who is interested, and reports what cannot be read.
void peri_discovery_put(struct peri_discovery *discovery,
                        const struct peri_etcd_kv *kv, uint64_t now_ns) {
  struct peri_problem problem = {0, ""};
  uint64_t suppressed = 0;
  int rc = peri_directory_put(discovery->directory, kv->key, kv->value,
                              kv->mod_revision, kv->lease, now_ns, &problem);
  if (rc < 0 && peri_log_gate_open(discovery->options.bad_record, now_ns,
                                   PERI_DISCOVERY_LOG_MS, &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "%.200s is no record of an endpoint: %s (%llu more of the kind)",
             discovery->service, problem.text, (unsigned long long)suppressed);
  }
  discovery->options.seen(discovery->options.ctx, kv->key, kv->lease,
                          kv->mod_revision);
}

static void on_retry(void *ctx) {
  peri_discovery_read(ctx);
}

/// Reads after 25 … 50 ms, doubled with every try up to 0.5 … 1 s.
static void read_later(struct peri_discovery *discovery, unsigned tries) {
  uint32_t most = (uint32_t)RETRY_LEAST_MS << (tries < 5 ? tries : 5);
  if (most > RETRY_MOST_MS) {
    most = RETRY_MOST_MS;
  }
  peri_timer_start(discovery->retry,
                   most / 2 + peri_random_below(&discovery->random, most / 2),
                   0);
}

/// Reads again after a pause that grows.
static void read_again(struct peri_discovery *discovery) {
  read_later(discovery, discovery->failures++);
}

void peri_discovery_reread(struct peri_discovery *discovery) {
  uint64_t now_ns = peri_clock_mono_ns();
  uint64_t since_ns = now_ns - discovery->reread_ns;
  bool steady = since_ns > (uint64_t)STEADY_MS * NS_PER_MS;
  discovery->reread_ns = now_ns;
  discovery->rereads = steady ? 0 : discovery->rereads + 1;
  if (steady) {
    peri_discovery_read(discovery);
  } else {
    read_later(discovery, discovery->rereads - 1);
  }
}

/// Whether the store has an older version of a key than was seen: it lost its
/// data and has grown again, past the revision that was known perhaps.
static bool is_older(const struct peri_discovery *discovery,
                     const struct peri_etcd_kv *kv) {
  int64_t lease, mod_revision;
  return peri_directory_find(discovery->directory, kv->key, &lease,
                             &mod_revision) &&
         mod_revision > kv->mod_revision;
}

static void on_each(void *ctx, const struct peri_etcd_kv *kvs, size_t count) {
  struct peri_discovery *discovery = ctx;
  uint64_t now_ns = peri_clock_mono_ns();
  for (size_t i = 0; i < count; i++) {
    discovery->overtaken = discovery->overtaken || is_older(discovery, &kvs[i]);
    peri_discovery_put(discovery, &kvs[i], now_ns);
  }
}

static int follow(struct peri_discovery *discovery) {
  if (discovery->watch != NULL) {
    peri_etcd_watch_restart(discovery->watch, discovery->revision + 1);
    return 0;
  }
  return peri_discovery_watch(discovery);
}

static void on_read(void *ctx, const struct peri_etcd_error *error,
                    int64_t revision, uint64_t raft_term) {
  struct peri_discovery *discovery = ctx;
  (void)raft_term;
  discovery->scan = NULL;
  discovery->denied = error != NULL && error->kind == PERI_ETCD_DENIED;
  if (error != NULL) {
    peri_directory_load_abort(discovery->directory);
    if (error->kind == PERI_ETCD_COMPACTED) {
      peri_discovery_reread(discovery);
      return;
    }
    peri_discovery_trouble(discovery, error);
    if (peri_etcd_kind_class(error->kind) == PERI_ETCD_PERMANENT) {
      peri_timer_start(discovery->retry, BLOCKED_MS, 0);
    } else {
      read_again(discovery);
    }
    discovery->options.changed(discovery->options.ctx, discovery);
    return;
  }
  bool older = discovery->overtaken || revision < discovery->revision;
  // The watch may have found out as well while the reading was under way.
  if ((older || discovery->regressed) && !discovery->anew &&
      !discovery->serializable) {
    if (!discovery->regressed) {
      peri_discovery_count_resync(discovery, "regression");
    }
    peri_directory_load_abort(discovery->directory);
    discovery->regressed = true;
    peri_discovery_read(discovery);
    return;
  }
  uint64_t now_ns = peri_clock_mono_ns();
  int rc = peri_directory_load_end(discovery->directory, revision, now_ns);
  if (rc == 0) {
    bool regressed = discovery->anew;
    discovery->revision = revision;
    discovery->known = true;
    discovery->current_ns = now_ns;
    discovery->regressed = false;
    discovery->options.loaded(discovery->options.ctx, discovery, revision,
                              regressed);
    // What a member without a quorum says may be old: good enough to begin
    // with, not to go on from.
    rc = discovery->serializable ? PERI_EBUSY : follow(discovery);
  }
  if (rc < 0) {
    read_again(discovery);
  } else {
    discovery->failures = 0;
  }
  peri_discovery_touched(discovery);
}

void peri_discovery_read(struct peri_discovery *discovery) {
  if (discovery->scan != NULL) {
    return;
  }
  peri_timer_stop(discovery->retry);
  discovery->serializable = !discovery->known && discovery->failures >= 2 &&
                            discovery->failures % 2 == 0;
  discovery->overtaken = false;
  discovery->anew = discovery->regressed;
  peri_directory_load_begin(discovery->directory, discovery->anew);
  int rc = peri_etcd_scan(
      discovery->options.etcd, peri_slice_of(discovery->prefix), 0,
      discovery->serializable, on_each, on_read, discovery, &discovery->scan);
  if (rc < 0) {
    peri_directory_load_abort(discovery->directory);
    read_again(discovery);
  }
}

static int fill(struct peri_discovery *discovery) {
  const struct peri_discovery_options *options = &discovery->options;
  struct peri_buffer prefix = {0};
  struct peri_loop *loop = peri_etcd_loop(options->etcd);
  int rc = peri_buffer_printf(&prefix, "%.*s%.*s/", (int)options->prefix.len,
                              options->prefix.ptr, (int)options->service.len,
                              options->service.ptr);
  if (rc < 0) {
    return rc;
  }
  if (prefix.len >= PERI_DISCOVERY_PREFIX_BYTES) {
    peri_buffer_done(&prefix);
    return PERI_EINVAL;
  }
  discovery->prefix = peri_slice_dup(peri_buffer_slice(&prefix));
  discovery->service = peri_slice_dup(options->service);
  discovery->self = peri_slice_dup(options->self_address);
  rc = PERI_ENOMEM;
  if (discovery->prefix != NULL && discovery->service != NULL &&
      discovery->self != NULL) {
    rc = peri_directory_new(options->service, peri_buffer_slice(&prefix),
                            options->hold_ms, &discovery->directory);
  }
  peri_buffer_done(&prefix);
  if (rc == 0) {
    rc = peri_suspects_new(loop, on_gone, discovery, &discovery->suspects);
  }
  if (rc == 0) {
    rc = peri_timer_new(loop, on_tick, discovery, &discovery->tick);
  }
  if (rc == 0) {
    rc = peri_timer_new(loop, on_retry, discovery, &discovery->retry);
  }
  return rc < 0 ? rc : peri_discovery_audit_new(discovery);
}

int peri_discovery_new(const struct peri_discovery_options *options,
                       struct peri_discovery **ret_discovery) {
  struct peri_discovery *discovery = calloc(1, sizeof(*discovery));
  if (discovery == NULL) {
    return PERI_ENOMEM;
  }
  discovery->options = *options;
  discovery->random = peri_hash_random_seed();
  discovery->stale_since_ns = peri_clock_mono_ns();
  int rc = fill(discovery);
  if (rc < 0) {
    peri_discovery_free(discovery);
    return rc;
  }
  peri_discovery_read(discovery);
  *ret_discovery = discovery;
  return 0;
}

void peri_discovery_free(struct peri_discovery *discovery) {
  if (discovery == NULL) {
    return;
  }
  if (discovery->scan != NULL) {
    peri_etcd_scan_cancel(discovery->scan);
  }
  peri_etcd_watch_free(discovery->watch);
  peri_discovery_audit_free(discovery);
  peri_suspects_free(discovery->suspects);
  peri_timer_free(discovery->tick);
  peri_timer_free(discovery->retry);
  peri_directory_free(discovery->directory);
  if (discovery->peers != NULL) {
    peri_peers_unref(discovery->peers);
  }
  free(discovery->prefix);
  free(discovery->service);
  free(discovery->self);
  free(discovery);
}

const char *peri_discovery_service(const struct peri_discovery *discovery) {
  return discovery->service;
}

static enum peri_service_state state_of(
    const struct peri_discovery *discovery) {
  if (!discovery->known) {
    return PERI_SERVICE_SYNCING;
  }
  return discovery->stale_since_ns == 0 ? PERI_SERVICE_LIVE
                                        : PERI_SERVICE_STALE;
}

bool peri_discovery_stale(const struct peri_discovery *discovery) {
  return state_of(discovery) == PERI_SERVICE_STALE;
}

bool peri_discovery_denied(const struct peri_discovery *discovery) {
  return discovery->denied;
}

struct peri_peers *peri_discovery_peers(struct peri_discovery *discovery) {
  struct peri_peers *peers = NULL;
  struct peri_problem problem = {0, ""};
  if (!discovery->known) {
    return NULL;
  }
  if (discovery->peers != NULL &&
      !peri_directory_changed(discovery->directory)) {
    return discovery->peers;
  }
  int rc = peri_directory_peers(
      discovery->directory, peri_slice_of(discovery->self), &peers, &problem);
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "registry", "%s keeps its endpoints: %s",
             discovery->service, problem.text);
    return discovery->peers;
  }
  if (discovery->peers != NULL) {
    // Built here rather than by the worker that first needs them.
    peri_peers_prepare(peers, discovery->peers);
    peri_peers_unref(discovery->peers);
  }
  discovery->peers = peers;
  return peers;
}

void peri_discovery_status(const struct peri_discovery *discovery,
                           struct peri_service_status *ret_status) {
  *ret_status = (struct peri_service_status){
      .name = discovery->service,
      .state = state_of(discovery),
      .stale_since_ns = discovery->stale_since_ns,
      .current_ns = current_ns(discovery),
      .revision = discovery->revision,
      .endpoints =
          discovery->peers != NULL ? peri_peers_count(discovery->peers) : 0,
      .suspects = peri_directory_suspects(discovery->directory),
      .invalid = peri_directory_invalid(discovery->directory),
  };
}

bool peri_discovery_has(const struct peri_discovery *discovery,
                        struct peri_slice key, int64_t *ret_lease,
                        int64_t *ret_mod_revision) {
  return peri_directory_find(discovery->directory, key, ret_lease,
                             ret_mod_revision);
}
