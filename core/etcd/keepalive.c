#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "etcd/keepalive_private.h"
#include "loop/loop.h"

/// A lease is asked for no more often than this, unless it is very short.
enum { OFTEN_MS = 400 };

static const uint64_t NS_PER_MS = 1000000;
static const uint64_t NS_PER_S = 1000000000;

uint64_t peri_keep_interval_ns(int64_t ttl_s) {
  uint64_t ttl_ns = (uint64_t)ttl_s * NS_PER_S;
  uint64_t interval = ttl_ns / 12;
  if (interval < OFTEN_MS * NS_PER_MS) {
    interval = OFTEN_MS * NS_PER_MS;
  }
  return interval < ttl_ns / 4 ? interval : ttl_ns / 4;
}

static struct peri_etcd_kept *kept_of(struct peri_list *node) {
  return PERI_CONTAINER_OF(node, struct peri_etcd_kept, node);
}

void peri_keeper_tell(struct peri_etcd_keeper *keeper, uint64_t now,
                      const struct peri_etcd_error *error) {
  keeper->cursor = keeper->kept.next;
  while (keeper->cursor != &keeper->kept) {
    struct peri_etcd_kept *kept = kept_of(keeper->cursor);
    keeper->cursor = keeper->cursor->next;
    if (!kept->lost && kept->due_ns <= now) {
      kept->troubled = true;
      if (kept->events->trouble != NULL) {
        kept->events->trouble(kept->ctx, error);
      }
    }
  }
  keeper->cursor = NULL;
}

static void renew(struct peri_etcd_kept *kept, uint64_t sent_ns,
                  int64_t ttl_s) {
  kept->alive_ns = sent_ns;
  kept->ttl_s = ttl_s;
  kept->due_ns = sent_ns + peri_keep_interval_ns(ttl_s);
  kept->asked = 0;
}

void peri_keeper_answered(struct peri_keep_lane *lane,
                          const struct peri_keep_ask *ask, int64_t ttl_s) {
  struct peri_etcd_keeper *keeper = lane->keeper;
  uint64_t round_trip = peri_clock_mono_ns() - ask->sent_ns;
  keeper->round_trip_ns = keeper->round_trip_ns == 0
                              ? round_trip
                              : (7 * keeper->round_trip_ns + round_trip) / 8;
  if (keeper->tries > 0 || peri_keep_lane_newest(keeper) != lane) {
    peri_keeper_share(lane);
  }
  peri_keeper_wake(keeper);
  struct peri_etcd_kept *kept = ask->kept;
  if (kept == NULL || kept->lost) {
    return;
  }

  if (ttl_s <= 0) {
    kept->lost = true;
    kept->events->lost(kept->ctx);
    return;
  }
  renew(kept, ask->sent_ns, ttl_s);
  bool troubled = kept->troubled;
  kept->troubled = false;
  kept->events->renewed(kept->ctx, ttl_s, ask->sent_ns);
  // The callback may have freed it.
  if (troubled && ask->kept != NULL && kept->events->trouble != NULL) {
    kept->events->trouble(kept->ctx, NULL);
  }
}

int peri_etcd_keeper_new(struct peri_etcd *etcd,
                         struct peri_etcd_keeper **ret_keeper) {
  struct peri_etcd_keeper *keeper = calloc(1, sizeof(*keeper));
  if (keeper == NULL) {
    return PERI_ENOMEM;
  }
  keeper->etcd = etcd;
  keeper->endpoint = -1;
  keeper->blamed = -1;
  peri_list_init(&keeper->kept);
  peri_list_init(&keeper->lanes);
  int rc = peri_timer_new(peri_etcd_loop(etcd), peri_keeper_step, keeper,
                          &keeper->timer);
  if (rc < 0) {
    free(keeper);
    return rc;
  }
  *ret_keeper = keeper;
  return 0;
}

void peri_etcd_keeper_free(struct peri_etcd_keeper *keeper) {
  if (keeper == NULL) {
    return;
  }
  peri_keep_lanes_close(keeper, NULL);
  while (!peri_list_empty(&keeper->kept)) {
    struct peri_etcd_kept *kept = kept_of(keeper->kept.next);
    peri_list_remove(&kept->node);
    kept->keeper = NULL;
  }
  peri_timer_free(keeper->timer);
  free(keeper);
}

int peri_etcd_keeper_add(struct peri_etcd_keeper *keeper, int64_t id,
                         int64_t ttl_s, uint64_t granted_ns,
                         const struct peri_etcd_kept_events *events, void *ctx,
                         struct peri_etcd_kept **ret_kept) {
  if (id == 0 || ttl_s <= 0 || ttl_s > PERI_KEEP_MAX_TTL_S) {
    return PERI_EINVAL;
  }
  struct peri_etcd_kept *kept = calloc(1, sizeof(*kept));
  if (kept == NULL) {
    return PERI_ENOMEM;
  }
  kept->keeper = keeper;
  kept->events = events;
  kept->ctx = ctx;
  kept->id = id;
  kept->ttl_s = ttl_s;
  kept->alive_ns = granted_ns;
  kept->due_ns = granted_ns + peri_keep_interval_ns(ttl_s);
  peri_list_push(&keeper->kept, &kept->node);
  peri_keeper_wake(keeper);
  *ret_kept = kept;
  return 0;
}

void peri_etcd_kept_hurry(struct peri_etcd_kept *kept) {
  uint64_t now = peri_clock_mono_ns();
  if (kept->keeper != NULL && kept->due_ns > now) {
    kept->due_ns = now;
    peri_keeper_wake(kept->keeper);
  }
}

int64_t peri_etcd_kept_remaining_ms(const struct peri_etcd_kept *kept) {
  uint64_t end = kept->alive_ns + (uint64_t)kept->ttl_s * NS_PER_S;
  int64_t left = (int64_t)(end - peri_clock_mono_ns());
  return kept->lost && left > 0 ? -1 : left / (int64_t)NS_PER_MS;
}

void peri_etcd_kept_free(struct peri_etcd_kept *kept) {
  if (kept == NULL) {
    return;
  }
  struct peri_etcd_keeper *keeper = kept->keeper;
  if (keeper != NULL) {
    peri_keep_lanes_forget(keeper, kept);
    if (keeper->cursor == &kept->node) {
      keeper->cursor = kept->node.next;
    }
    peri_list_remove(&kept->node);
  }
  free(kept);
}
