#include "etcd/watch.h"

#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "etcd/private.h"
#include "etcd/session.h"
#include "etcd/watch_private.h"
#include "loop/timer.h"

uint64_t peri_watch_pause_ms(unsigned failures) {
  uint64_t most = PERI_WATCH_PAUSE_MAX_MS;
  if (failures < 5) {
    most = (uint64_t)PERI_WATCH_PAUSE_MIN_MS << failures;
  }
  uint64_t least =
      most / 2 < PERI_WATCH_PAUSE_MIN_MS ? PERI_WATCH_PAUSE_MIN_MS : most / 2;
  return least + peri_hash_random_seed() % (most - least + 1);
}

void peri_watch_tell(struct peri_etcd_watch *watch,
                     const struct peri_etcd_error *error) {
  int kind = error == NULL ? PERI_ETCD_OK : error->kind;
  if (watch->told == kind) {
    return;
  }
  watch->told = kind;
  peri_watch_enter(watch);
  watch->events->state(watch->ctx, error);
  peri_watch_leave(watch);
}

void peri_watch_detach(struct peri_etcd_watch *watch) {
  peri_list_remove(&watch->bucket);
  watch->id = 0;
  peri_watch_parts_clear(&watch->parts);
  if (watch->state != PERI_WATCH_RESET) {
    watch->state = PERI_WATCH_WAITING;
  }
}

/// Takes it from the stream. What the server still sends for the ID finds
/// nobody.
static void cancel(struct peri_etcd_watch *watch) {
  if (watch->id != 0 && watch->owner->stream != NULL) {
    Etcdpb__WatchCancelRequest body = ETCDPB__WATCH_CANCEL_REQUEST__INIT;
    Etcdpb__WatchRequest request = ETCDPB__WATCH_REQUEST__INIT;
    body.watch_id = peri_watches_wire_id(watch->owner, watch->id);
    request.request_union_case =
        ETCDPB__WATCH_REQUEST__REQUEST_UNION_CANCEL_REQUEST;
    request.cancel_request = &body;
    // When it cannot be sent, the server goes on sending to nobody.
    (void)peri_watches_send(watch->owner, &request);
  }
  peri_watch_detach(watch);
}

void peri_watch_reset(struct peri_etcd_watch *watch, enum peri_etcd_reset why) {
  peri_timer_stop(watch->retry);
  watch->retrying = false;
  cancel(watch);
  watch->state = PERI_WATCH_RESET;
  watch->told = -1;
  peri_watch_enter(watch);
  watch->events->reset(watch->ctx, why);
  peri_watch_leave(watch);
}

static void try_again(struct peri_etcd_watch *watch, uint64_t pause_ms) {
  watch->retrying = true;
  peri_timer_start(watch->retry, pause_ms, 0);
}

static void on_retry(void *ctx) {
  struct peri_etcd_watch *watch = ctx;
  watch->retrying = false;
  if (watch->state == PERI_WATCH_WAITING) {
    peri_watch_ask(watch);
  }
}

void peri_watch_ask(struct peri_etcd_watch *watch) {
  struct peri_etcd_watches *owner = watch->owner;
  if (owner->stream == NULL) {
    peri_watches_wake(owner);
    return;
  }
  Etcdpb__WatchCreateRequest body = ETCDPB__WATCH_CREATE_REQUEST__INIT;
  Etcdpb__WatchRequest request = ETCDPB__WATCH_REQUEST__INIT;
  body.key = peri_proto_bytes(watch->key);
  body.range_end = peri_proto_bytes(watch->range_end);
  body.start_revision = watch->next;
  body.progress_notify = true;
  body.fragment = true;
  body.watch_id = peri_watches_wire_id(owner, owner->last_id + 1);
  request.request_union_case =
      ETCDPB__WATCH_REQUEST__REQUEST_UNION_CREATE_REQUEST;
  request.create_request = &body;
  if (peri_watches_send(owner, &request) != 0) {
    try_again(watch, peri_watch_pause_ms(0));
    return;
  }
  watch->id = ++owner->last_id;
  watch->state = PERI_WATCH_ASKED;
  peri_list_push(&owner->buckets[watch->id % PERI_WATCH_BUCKETS],
                 &watch->bucket);
}

static void on_created(struct peri_etcd_watch *watch,
                       const Etcdpb__WatchResponse *message) {
  watch->state = PERI_WATCH_LIVE;
  watch->live_ns = peri_clock_mono_ns();
  // From a member that lags, or a store that lost what we saw: both are silent
  // until they catch up.
  if (message->header != NULL && message->header->revision != 0 &&
      message->header->revision < watch->next - 1) {
    peri_watches_check(watch->owner);
  }
  peri_watch_tell(watch, NULL);
}

static void on_canceled(struct peri_etcd_watch *watch,
                        const Etcdpb__WatchResponse *message) {
  struct peri_etcd_error error;
  peri_watch_reason(peri_proto_slice(message->cancel_reason), &error);
  peri_etcd_error_judge(watch->owner->etcd, &error);
  bool stood = watch->state == PERI_WATCH_LIVE &&
               peri_clock_mono_ns() - watch->live_ns >
                   (uint64_t)PERI_WATCH_STEADY_MS * 1000000;
  peri_watch_detach(watch);
  if (message->compact_revision != 0 || error.kind == PERI_ETCD_COMPACTED) {
    peri_watch_reset(watch, PERI_ETCD_RESET_COMPACTED);
    return;
  }
  enum peri_etcd_class class = peri_etcd_kind_class(error.kind);
  if (class == PERI_ETCD_RELOGIN) {
    // The token is the stream's: all watches need another.
    peri_watches_fail(watch->owner, &error, true);
    return;
  }
  watch->failures = stood ? 0 : watch->failures;
  try_again(watch, class == PERI_ETCD_PERMANENT
                       ? PERI_WATCH_PERMANENT_MS
                       : peri_watch_pause_ms(watch->failures));
  watch->failures++;
  peri_watch_tell(watch, &error);
}

static int deliver(struct peri_etcd_watch *watch) {
  struct peri_watch_parts parts = watch->parts;
  struct peri_etcd_event *events = NULL;
  size_t count = 0;
  watch->parts = (struct peri_watch_parts){0};
  int code = peri_watch_parts_join(&parts, watch->next, &events, &count);
  if (code == 0 && count > 0) {
    watch->next = events[count - 1].kv.mod_revision + 1;
    peri_watch_enter(watch);
    watch->events->events(watch->ctx, events, count, watch->next - 1);
    peri_watch_leave(watch);
  }
  free(events);
  peri_watch_parts_clear(&parts);
  return code;
}

/// A notification for this watch alone says that it has all events up to the
/// revision. (Answers to probes do not, before etcd 3.4.25 and 3.5.8.)
static void bookmark(struct peri_etcd_watch *watch,
                     const Etcdpb__WatchResponse *message) {
  if (message->header != NULL && message->header->revision >= watch->next &&
      message->header->revision < INT64_MAX) {
    watch->next = message->header->revision + 1;
  }
}

int peri_watch_answer(struct peri_etcd_watch *watch,
                      struct Etcdpb__WatchResponse *message, size_t bytes) {
  int code = 0;
  peri_watch_enter(watch);
  if (message->canceled) {
    on_canceled(watch, message);
    goto done;
  }
  if (message->created) {
    int64_t id = watch->id;
    on_created(watch, message);
    if (message->n_events == 0 || watch->freed || watch->id != id) {
      goto done;
    }
  }
  if (message->n_events == 0 && !message->fragment && watch->parts.count == 0) {
    bookmark(watch, message);
    goto done;
  }
  bool last = !message->fragment;
  code = peri_watch_parts_add(&watch->parts, message, bytes);
  message = NULL;
  if (code == 0 && last) {
    code = deliver(watch);
  }

done:
  if (message != NULL) {
    etcdpb__watch_response__free_unpacked(message, NULL);
  }
  peri_watch_leave(watch);
  return code;
}

/// The key and the end of the range, as etcd wants them.
static int set_range(struct peri_etcd_watch *watch, struct peri_slice prefix,
                     bool exact) {
  size_t len = prefix.len > 0 ? prefix.len : 1;
  char *key = calloc(1, len);
  char *end = calloc(1, len);
  if (key == NULL || end == NULL) {
    free(key);
    free(end);
    return PERI_ENOMEM;
  }
  if (prefix.len > 0) {
    memcpy(key, prefix.ptr, prefix.len);
  }
  watch->key = (struct peri_slice){.ptr = key, .len = len};
  watch->range_end.ptr = end;
  watch->range_end.len = exact ? 0 : peri_etcd_prefix_end(prefix, end);
  return 0;
}

int peri_etcd_watch_new(struct peri_etcd_watches *watches,
                        struct peri_slice prefix, bool exact,
                        int64_t start_revision,
                        const struct peri_etcd_watch_events *events, void *ctx,
                        struct peri_etcd_watch **ret_watch) {
  int code = PERI_ENOMEM;
  struct peri_etcd_watch *watch = calloc(1, sizeof(*watch));
  if (watch == NULL) {
    return code;
  }
  peri_list_init(&watch->node);
  peri_list_init(&watch->bucket);
  watch->owner = watches;
  watch->events = events;
  watch->ctx = ctx;
  watch->next = start_revision;
  watch->told = -1;
  code = set_range(watch, prefix, exact);
  if (code != 0) {
    goto fail_range;
  }
  code = peri_timer_new(peri_etcd_loop(watches->etcd), on_retry, watch,
                        &watch->retry);
  if (code != 0) {
    goto fail_range;
  }
  peri_list_push(&watches->watches, &watch->node);
  watches->count++;
  peri_watch_ask(watch);
  *ret_watch = watch;
  return 0;

fail_range:
  peri_watch_bury(watch);
  return code;
}

void peri_etcd_watch_restart(struct peri_etcd_watch *watch,
                             int64_t start_revision) {
  peri_timer_stop(watch->retry);
  watch->retrying = false;
  cancel(watch);
  watch->state = PERI_WATCH_WAITING;
  watch->next = start_revision;
  watch->judged = 0;
  watch->told = -1;
  peri_watch_ask(watch);
}

bool peri_etcd_watch_live(const struct peri_etcd_watch *watch) {
  return watch->state == PERI_WATCH_LIVE;
}

int64_t peri_etcd_watch_next_revision(const struct peri_etcd_watch *watch) {
  return watch->next;
}

void peri_etcd_watch_free(struct peri_etcd_watch *watch) {
  if (watch == NULL) {
    return;
  }
  struct peri_etcd_watches *owner = watch->owner;
  cancel(watch);
  peri_list_remove(&watch->node);
  peri_timer_free(watch->retry);
  watch->retry = NULL;
  peri_watch_bury(watch);
  if (--owner->count == 0) {
    peri_watches_idle(owner);
  }
}
