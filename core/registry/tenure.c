#include <inttypes.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/metrics.h"
#include "base/random.h"
#include "etcd/keepalive.h"
#include "etcd/lease.h"
#include "etcd/session.h"
#include "registry/registration_private.h"

// An ID that was asked for is asked for again until it is known what became of
// it. Only when the lease must have ended is another one chosen; a call and its
// attempts take their time on top of the TTL.
enum { SLACK_S = 5 };

static void renewed(void *ctx, int64_t ttl_s, uint64_t sent_ns) {
  struct peri_registrar *registrar = ctx;
  (void)sent_ns;
  registrar->ttl_given_s = ttl_s;
  if (registrar->keep_kind != PERI_ETCD_OK) {
    registrar->keep_kind = PERI_ETCD_OK;
    peri_registrar_hurry(registrar);
  }
}

static void trouble(void *ctx, const struct peri_etcd_error *error) {
  struct peri_registrar *registrar = ctx;
  if (error == NULL) {
    renewed(registrar, registrar->ttl_given_s, 0);
    return;
  }
  registrar->keep_kind = error->kind;
  struct peri_retry unused = {0};
  peri_registrar_failed(registrar, &unused, "renewing the lease", "", error);
}

static void lost(void *ctx) {
  peri_tenure_lost(ctx);
}

static const struct peri_etcd_kept_events events = {
    .renewed = renewed,
    .lost = lost,
    .trouble = trouble,
};

void peri_tenure_lost(struct peri_registrar *registrar) {
  if (registrar->lease == 0) {
    return;
  }
  uint64_t now = peri_clock_mono_ns(), suppressed = 0;
  if (peri_log_gate_open(&registrar->lost_gate, now, 10000, &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "lease %016" PRIx64 " is gone, registering again",
             (uint64_t)registrar->lease);
  }
  peri_etcd_kept_free(registrar->kept);
  registrar->kept = NULL;
  registrar->lease = 0;
  registrar->candidate = 0;
  registrar->keep_kind = PERI_ETCD_OK;
  for (struct peri_list *node = registrar->listings.next;
       node != &registrar->listings; node = node->next) {
    peri_listing_orphan(PERI_CONTAINER_OF(node, struct peri_listing, node));
  }
  // A whole fleet may have lost its leases in the same moment.
  peri_retry_reset(&registrar->retry);
  uint64_t wait_ms = peri_random_below(&registrar->random,
                                       peri_registrar_window_ms(registrar));
  registrar->retry.due_ns = now + wait_ms * 1000000;
  peri_registrar_wake(registrar);
}

static void keep(struct peri_registrar *registrar) {
  int rc = peri_etcd_keeper_add(registrar->keeper, registrar->candidate,
                                registrar->ttl_given_s, registrar->asked_ns,
                                &events, registrar, &registrar->kept);
  if (rc < 0) {
    registrar->unsure = true;
    peri_registrar_failed(registrar, &registrar->retry, "keeping a lease", "",
                          NULL);
    return;
  }
  registrar->lease = registrar->candidate;
  registrar->candidate = 0;
  if (registrar->unsure) {
    // It was perhaps granted long ago, by an attempt that was not heard of.
    peri_etcd_kept_hurry(registrar->kept);
  }
  registrar->unsure = false;
  peri_retry_reset(&registrar->retry);
  if (registrar->grants != NULL) {
    peri_metric_add(registrar->grants, 1);
  }
}

static void granted(void *ctx, const struct peri_etcd_error *error,
                    int64_t ttl_s) {
  struct peri_registrar *registrar = ctx;
  registrar->grant = NULL;
  if (error == NULL) {
    registrar->ttl_given_s = ttl_s;
    keep(registrar);
  } else {
    registrar->unsure = true;
    peri_registrar_failed(registrar, &registrar->retry, "granting a lease", "",
                          error);
  }
  peri_registrar_wake(registrar);
}

static void ask(struct peri_registrar *registrar, uint64_t now_ns) {
  uint64_t lifetime_ns = ((uint64_t)registrar->ttl_s + SLACK_S) * 1000000000;
  if (registrar->candidate == 0 || now_ns - registrar->asked_ns > lifetime_ns) {
    registrar->candidate = peri_etcd_lease_id();
    registrar->unsure = false;
  }
  registrar->asked_ns = now_ns;
  int rc = peri_etcd_lease_grant(registrar->etcd, registrar->candidate,
                                 registrar->ttl_s, granted, registrar,
                                 &registrar->grant);
  if (rc < 0) {
    registrar->grant = NULL;
    peri_registrar_failed(registrar, &registrar->retry, "granting a lease", "",
                          NULL);
  }
}

void peri_tenure_step(struct peri_registrar *registrar, bool wanted,
                      uint64_t now_ns, uint64_t *next_ns) {
  if (registrar->lease != 0 || !wanted || registrar->grant != NULL) {
    return;
  }
  if (registrar->retry.due_ns <= now_ns) {
    ask(registrar, now_ns);
  }
  if (registrar->grant == NULL) {
    peri_registrar_at(next_ns, registrar->retry.due_ns);
  }
}

void peri_tenure_done(struct peri_registrar *registrar) {
  if (registrar->grant != NULL) {
    peri_etcd_call_cancel(registrar->grant);
    registrar->grant = NULL;
    registrar->unsure = true;
  }
  peri_etcd_kept_free(registrar->kept);
  registrar->kept = NULL;
}
