#include <etcd.pb-c.h>

#include "base/clock.h"
#include "base/container.h"
#include "etcd/kv.h"
#include "etcd/session.h"
#include "etcd/watch_private.h"
#include "loop/timer.h"

static const uint64_t MS = 1000000;

void peri_watches_observe(struct peri_etcd_watches *watches,
                          const struct Etcdpb__ResponseHeader *header) {
  // Some answers of etcd have a header without a revision.
  if (header == NULL || header->revision <= 0) {
    return;
  }
  bool back = header->revision < watches->highest;
  if (header->revision > watches->highest) {
    watches->highest = header->revision;
  }
  if (header->raft_term != 0) {
    back = back || header->raft_term < watches->term;
    watches->term = header->raft_term;
  }
  if (back) {
    peri_watches_check(watches);
  }
}

/// A key that may be read: that of a live watch, if there is one.
static struct peri_etcd_watch *witness(struct peri_etcd_watches *watches) {
  struct peri_etcd_watch *found = NULL;
  struct peri_list *node = watches->watches.next;
  for (; node != &watches->watches; node = node->next) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, node);
    if (watch->state == PERI_WATCH_LIVE) {
      return watch;
    }
    if (watch->state != PERI_WATCH_RESET && found == NULL) {
      found = watch;
    }
  }
  return found;
}

/// Remembers what was known before the read is sent: what comes later may well
/// be above what it says.
static void remember(struct peri_etcd_watches *watches) {
  watches->floor = watches->highest;
  struct peri_list *node = watches->watches.next;
  for (; node != &watches->watches; node = node->next) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, node);
    watch->judged = watch->state == PERI_WATCH_RESET ? 0 : watch->next;
  }
}

static bool is_lost(const struct peri_etcd_watch *watch, bool all,
                    int64_t revision) {
  return watch->judged != 0 && watch->state != PERI_WATCH_RESET &&
         (all || revision < watch->judged - 1);
}

static bool any_lost(struct peri_etcd_watches *watches, int64_t revision) {
  struct peri_list *node = watches->watches.next;
  for (; node != &watches->watches; node = node->next) {
    if (is_lost(PERI_CONTAINER_OF(node, struct peri_etcd_watch, node), false,
                revision)) {
      return true;
    }
  }
  return false;
}

static void reset_lost(struct peri_etcd_watches *watches, bool all,
                       int64_t revision) {
  struct peri_list rest;
  peri_list_init(&rest);
  peri_list_splice(&rest, &watches->watches);
  struct peri_list *node = NULL;
  while ((node = peri_list_pop(&rest)) != NULL) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, node);
    peri_list_push(&watches->watches, node);
    if (is_lost(watch, all, revision)) {
      watch->judged = 0;
      peri_watch_reset(watch, PERI_ETCD_RESET_REGRESSED);
    }
  }
}

static void later(struct peri_etcd_watches *watches, uint64_t wait_ms) {
  watches->check_wanted = true;
  peri_timer_start(watches->check_timer, wait_ms, 0);
}

static void judge(struct peri_etcd_watches *watches,
                  const struct peri_etcd_range_result *result) {
  bool all = result->revision < watches->floor ||
             (result->raft_term != 0 && result->raft_term < watches->read_term);
  if (!all && !any_lost(watches, result->revision)) {
    watches->doubted = false;
    watches->read_term = result->raft_term;
    if (result->revision > watches->highest) {
      watches->highest = result->revision;
    }
    return;
  }
  if (!watches->doubted) {
    // A member that slept may answer once from before its sleep.
    watches->doubted = true;
    later(watches, PERI_WATCH_DOUBT_MS);
    return;
  }
  watches->doubted = false;
  if (all) {
    watches->highest = result->revision;
    watches->term = result->raft_term;
    watches->read_term = result->raft_term;
  }
  reset_lost(watches, all, result->revision);
}

static void on_read(void *ctx, const struct peri_etcd_error *error,
                    const struct peri_etcd_range_result *result) {
  struct peri_etcd_watches *watches = ctx;
  watches->check = NULL;
  watches->checked_ns = peri_clock_mono_ns();
  bool again = watches->check_wanted;
  watches->check_wanted = false;
  if (error != NULL) {
    later(watches, peri_etcd_kind_class(error->kind) == PERI_ETCD_PERMANENT
                       ? PERI_WATCH_PERMANENT_MS
                       : PERI_WATCH_CHECK_MS);
    return;
  }
  peri_watches_enter(watches);
  judge(watches, result);
  if (again && !watches->check_wanted && watches->count > 0) {
    later(watches, PERI_WATCH_CHECK_MS);
  }
  peri_watches_leave(watches);
}

void peri_watches_check_due(void *ctx) {
  struct peri_etcd_watches *watches = ctx;
  watches->check_wanted = false;
  struct peri_etcd_watch *watch = witness(watches);
  if (watch == NULL || watches->check != NULL) {
    watches->doubted = false;
    return;
  }
  remember(watches);
  struct peri_etcd_range range = {
      .key = watch->key,
      .limit = 1,
      .count_only = true,
  };
  if (peri_etcd_range(watches->etcd, &range, on_read, watches,
                      &watches->check) != 0) {
    watches->check = NULL;
    later(watches, PERI_WATCH_CHECK_MS);
  }
}

void peri_watches_check(struct peri_etcd_watches *watches) {
  if (watches->check_wanted) {
    return;
  }
  if (watches->check != NULL) {
    watches->check_wanted = true;
    return;
  }
  uint64_t since_ms = (peri_clock_mono_ns() - watches->checked_ns) / MS;
  if (watches->checked_ns != 0 && since_ms < PERI_WATCH_CHECK_MS) {
    later(watches, PERI_WATCH_CHECK_MS - since_ms);
    return;
  }
  // Not from within what noticed it: the message is not taken in yet.
  later(watches, 0);
}
