#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "etcd/keepalive_private.h"

enum {
  HEDGE_MS = 300,       // an answer that takes longer is late
  HEDGE_LEAST_MS = 50,  // also for the shortest lease
  ROUND_TRIPS = 4,      // so many usual round trips are not late yet
  HASTY_TRIES = 20,   // attempts before the pace slows down: an election's time
  LANES_MOST = 8,     // streams at once while no answer comes
  REFUSED_MS = 5000,  // until a member is asked again that said "never"
  SHORT_OF_MS = 100   // until the next attempt when memory was short
};

static const uint64_t NS_PER_MS = 1000000;
static const uint64_t NS_PER_S = 1000000000;

static struct peri_etcd_kept *kept_of(struct peri_list *node) {
  return PERI_CONTAINER_OF(node, struct peri_etcd_kept, node);
}

/// The shortest life among the leases kept.
static uint64_t shortest_ns(struct peri_etcd_keeper *keeper) {
  int64_t ttl_s = INT32_MAX;
  for (struct peri_list *at = keeper->kept.next; at != &keeper->kept;
       at = at->next) {
    const struct peri_etcd_kept *kept = kept_of(at);
    if (!kept->lost && kept->ttl_s < ttl_s) {
      ttl_s = kept->ttl_s;
    }
  }
  return (uint64_t)ttl_s * NS_PER_S;
}

/// How long an answer may take before another member is asked.
static uint64_t hedge_ns(struct peri_etcd_keeper *keeper) {
  uint64_t hedge = ROUND_TRIPS * keeper->round_trip_ns;
  if (hedge < HEDGE_MS * NS_PER_MS) {
    hedge = HEDGE_MS * NS_PER_MS;
  }
  uint64_t most = shortest_ns(keeper) / 8;
  hedge = hedge < most ? hedge : most;
  return hedge > HEDGE_LEAST_MS * NS_PER_MS ? hedge
                                            : HEDGE_LEAST_MS * NS_PER_MS;
}

/// From the first lane that got no answer on, lanes get less time each, since
/// they stay open beside the next ones.
static uint64_t patience_ns(struct peri_etcd_keeper *keeper) {
  uint64_t hedge = hedge_ns(keeper);
  if (keeper->tries == 0) {
    return hedge;
  }
  return keeper->pace_ns > hedge / 2 ? keeper->pace_ns : hedge / 2;
}

static bool stalled(struct peri_etcd_keeper *keeper,
                    const struct peri_keep_lane *lane, uint64_t now) {
  return lane->late || (!peri_list_empty(&lane->asks) &&
                        now >= lane->progress_ns + patience_ns(keeper));
}

/// Counts an attempt without an answer and draws the time to the next:
/// 50 … 100 ms, then 100 … 200 ms, in the long run 250 … 500 ms.
static void count_failure(struct peri_etcd_keeper *keeper) {
  if (keeper->tries == 0) {
    keeper->blamed = keeper->endpoint;
  }
  if (keeper->tries < UINT32_MAX) {
    keeper->tries++;
  }
  uint64_t base_ms = 100;
  if (keeper->tries == 1) {
    base_ms = 50;
  } else if (keeper->tries > HASTY_TRIES) {
    base_ms = 250;
  }
  uint64_t base = base_ms * NS_PER_MS;
  keeper->pace_ns = base + peri_hash_random_seed() % base;
}

/// Another member than the last; all of them in turn, the one that failed
/// first being spared for the first round.
static int next_endpoint(struct peri_etcd_keeper *keeper) {
  if (keeper->tries == 0 || keeper->endpoint < 0) {
    return -1;
  }
  if (keeper->tries == 1) {
    return peri_etcd_endpoint_best(keeper->etcd, keeper->endpoint);
  }
  uint32_t count = (uint32_t)peri_etcd_endpoint_count(keeper->etcd);
  uint32_t next = ((uint32_t)keeper->endpoint + 1) % count;
  if ((int)next == keeper->blamed && keeper->tries < count) {
    next = (next + 1) % count;
  }
  return (int)next;
}

/// Opens the lane that is asked from now on, beside those that may still
/// answer.
static struct peri_keep_lane *open_lane(struct peri_etcd_keeper *keeper,
                                        uint64_t now) {
  if (peri_keep_lane_open(keeper, next_endpoint(keeper)) < 0) {
    count_failure(keeper);
    keeper->open_ns = now + SHORT_OF_MS * NS_PER_MS;
    return NULL;
  }
  struct peri_keep_lane *lane = peri_keep_lane_newest(keeper);
  keeper->endpoint = lane->endpoint;
  unsigned count = 0;
  for (struct peri_list *at = keeper->lanes.next; at != &keeper->lanes;
       at = at->next) {
    count++;
  }
  if (count > LANES_MOST) {
    peri_keep_lane_close(
        PERI_CONTAINER_OF(keeper->lanes.next, struct peri_keep_lane, node));
  }
  return lane;
}

/// The newest lane was asked and does not answer.
static void give_up(struct peri_etcd_keeper *keeper,
                    struct peri_keep_lane *lane, uint64_t now) {
  static const struct peri_etcd_error late = {
      .kind = PERI_ETCD_TIMEOUT,
      .status = -1,
      .text = "no answer to a keepalive in time",
  };
  bool again = keeper->tries > 0;
  lane->late = true;
  count_failure(keeper);
  peri_etcd_endpoint_suspect(keeper->etcd, lane->endpoint);
  if (again) {
    peri_keeper_tell(keeper, now, &late);  // one hiccup is none
  }
}

static bool any_due(struct peri_etcd_keeper *keeper, uint64_t now) {
  for (struct peri_list *at = keeper->kept.next; at != &keeper->kept;
       at = at->next) {
    const struct peri_etcd_kept *kept = kept_of(at);
    if (!kept->lost && kept->due_ns <= now) {
      return true;
    }
  }
  return false;
}

/// Asks for every lease that is due, and for those that soon will be, so that
/// leases come to be asked for together.
static int ask_due(struct peri_etcd_keeper *keeper, struct peri_keep_lane *lane,
                   uint64_t now) {
  for (struct peri_list *at = keeper->kept.next; at != &keeper->kept;
       at = at->next) {
    struct peri_etcd_kept *kept = kept_of(at);
    uint64_t soon = now + peri_keep_interval_ns(kept->ttl_s) / 8;
    if (kept->lost || kept->due_ns > soon || kept->asked == lane->serial) {
      continue;
    }
    int rc = peri_keep_lane_ask(lane, kept);
    if (rc < 0) {
      return rc;
    }
    kept->due_ns = kept->due_ns < now ? kept->due_ns : now;
  }
  return 0;
}

static void arm(struct peri_etcd_keeper *keeper, uint64_t now,
                uint64_t least_ns) {
  uint64_t next = UINT64_MAX;
  for (struct peri_list *at = keeper->kept.next; at != &keeper->kept;
       at = at->next) {
    const struct peri_etcd_kept *kept = kept_of(at);
    if (!kept->lost && kept->due_ns > now && kept->due_ns < next) {
      next = kept->due_ns;
    }
  }
  if (any_due(keeper, now)) {
    const struct peri_keep_lane *lane = peri_keep_lane_newest(keeper);
    bool wanted = lane == NULL || stalled(keeper, lane, now);
    uint64_t then =
        wanted ? keeper->open_ns : lane->progress_ns + patience_ns(keeper);
    next = then < next ? then : next;
  }
  if (next == UINT64_MAX) {
    peri_timer_stop(keeper->timer);
    return;
  }
  next = next < now + least_ns ? now + least_ns : next;
  peri_timer_start(keeper->timer, (next - now + NS_PER_MS - 1) / NS_PER_MS, 0);
}

/// Asks on fresh lanes: on one at first, later on two at a time, since one of
/// the members may be what all the others wait for.
static int ask_elsewhere(struct peri_etcd_keeper *keeper, uint64_t now) {
  int count =
      keeper->tries >= 2 && peri_etcd_endpoint_count(keeper->etcd) > 2 ? 2 : 1;
  int rc = 0;
  for (int i = 0; rc == 0 && i < count; i++) {
    struct peri_keep_lane *lane = open_lane(keeper, now);
    rc = lane != NULL ? ask_due(keeper, lane, now) : PERI_ENOMEM;
  }
  return rc;
}

void peri_keeper_step(void *ctx) {
  struct peri_etcd_keeper *keeper = ctx;
  uint64_t now = peri_clock_mono_ns();
  uint64_t least_ns = NS_PER_MS;
  keeper->awake = false;
  if (any_due(keeper, now)) {
    struct peri_keep_lane *lane = peri_keep_lane_newest(keeper);
    if (lane != NULL && !lane->late && stalled(keeper, lane, now)) {
      give_up(keeper, lane, now);
    }
    int rc = 0;
    if (lane != NULL && !lane->late) {
      rc = ask_due(keeper, lane, now);
    } else if (now >= keeper->open_ns) {
      rc = ask_elsewhere(keeper, now);
    }
    least_ns = rc < 0 ? SHORT_OF_MS * NS_PER_MS : least_ns;
  }
  arm(keeper, now, least_ns);
}

void peri_keeper_wake(struct peri_etcd_keeper *keeper) {
  if (!keeper->awake) {
    keeper->awake = true;
    peri_timer_start(keeper->timer, 0, 0);
  }
}

void peri_keeper_share(struct peri_keep_lane *winner) {
  struct peri_etcd_keeper *keeper = winner->keeper;
  peri_keep_lanes_close(keeper, winner);
  keeper->endpoint = winner->endpoint;
  keeper->tries = 0;
  keeper->open_ns = 0;
  for (struct peri_list *at = winner->asks.next; at != &winner->asks;
       at = at->next) {
    struct peri_keep_ask *ask =
        PERI_CONTAINER_OF(at, struct peri_keep_ask, node);
    if (ask->kept != NULL) {
      ask->kept->asked = winner->serial;
    }
  }
}

void peri_keeper_failed(struct peri_etcd_keeper *keeper, bool newest,
                        bool unanswered, const struct peri_etcd_error *error) {
  uint64_t now = peri_clock_mono_ns();
  if (newest) {
    count_failure(keeper);
    uint64_t pause = keeper->pace_ns;
    if (peri_etcd_kind_class(error->kind) == PERI_ETCD_PERMANENT) {
      uint64_t most = shortest_ns(keeper) / 4;
      pause = REFUSED_MS * NS_PER_MS;
      pause = pause < most ? pause : most;
    }
    keeper->open_ns = now + pause;
  }
  if (unanswered) {
    peri_keeper_tell(keeper, now, error);
  } else {
    // The member went away: whatever it was, hear from another soon.
    for (struct peri_list *at = keeper->kept.next; at != &keeper->kept;
         at = at->next) {
      struct peri_etcd_kept *kept = kept_of(at);
      kept->due_ns = kept->due_ns < now ? kept->due_ns : now;
    }
  }
  peri_keeper_wake(keeper);
}
