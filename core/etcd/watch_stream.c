#include <etcd.pb-c.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "etcd/private.h"
#include "etcd/session.h"
#include "etcd/watch_private.h"
#include "loop/timer.h"

static const uint64_t MS = 1000000;

int peri_watches_send(struct peri_etcd_watches *watches,
                      const struct Etcdpb__WatchRequest *request) {
  struct peri_buffer bytes = {0};
  int code = peri_proto_pack(&request->base, &bytes);
  if (code == 0) {
    code = peri_etcd_stream_send(watches->stream, peri_buffer_slice(&bytes));
  }
  peri_buffer_done(&bytes);
  return code;
}

static void schedule(struct peri_etcd_watches *watches, uint64_t pause_ms) {
  watches->reopening = true;
  peri_timer_start(watches->reopen, pause_ms, 0);
}

void peri_watches_wake(struct peri_etcd_watches *watches) {
  if (watches->stream == NULL && watches->login == NULL &&
      !watches->reopening) {
    schedule(watches, 0);
  }
}

static void arm(struct peri_etcd_watches *watches, uint64_t wait_ms) {
  watches->due_ns = peri_clock_mono_ns() + wait_ms * MS;
  peri_timer_start(watches->tick, wait_ms, 0);
}

static void close_stream(struct peri_etcd_watches *watches) {
  peri_timer_stop(watches->tick);
  peri_etcd_stream_close(watches->stream);
  watches->stream = NULL;
  watches->probing = false;
}

/// Tells all watches that are not waiting for their owner. Callbacks may free
/// any of them, and make others, which are not told.
static void tell_all(struct peri_etcd_watches *watches,
                     const struct peri_etcd_error *error) {
  struct peri_list rest;
  peri_list_init(&rest);
  peri_list_splice(&rest, &watches->watches);
  struct peri_list *node = NULL;
  while ((node = peri_list_pop(&rest)) != NULL) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, node);
    peri_list_push(&watches->watches, node);
    if (watch->state != PERI_WATCH_RESET) {
      peri_watch_tell(watch, error);
    }
  }
}

static void detach_all(struct peri_etcd_watches *watches) {
  struct peri_list *node = watches->watches.next;
  for (; node != &watches->watches; node = node->next) {
    peri_watch_detach(PERI_CONTAINER_OF(node, struct peri_etcd_watch, node));
  }
}

/// How long to wait before the next stream, given how this one went.
static uint64_t pause_after(struct peri_etcd_watches *watches,
                            const struct peri_etcd_error *error) {
  uint64_t lived_ns = peri_clock_mono_ns() - watches->opened_ns;
  if (watches->heard && lived_ns > PERI_WATCH_STEADY_MS * MS) {
    watches->failures = 0;
  }
  unsigned failures = watches->failures++;
  if (peri_etcd_kind_class(error->kind) == PERI_ETCD_PERMANENT) {
    // A certificate may be bad on this member only: ask the others first.
    bool others = error->kind == PERI_ETCD_TLS &&
                  failures + 1 < peri_etcd_endpoint_count(watches->etcd);
    if (!others) {
      return PERI_WATCH_PERMANENT_MS;
    }
  }
  return failures == 0 ? 0 : peri_watch_pause_ms(failures - 1);
}

static void on_login(void *ctx, const struct peri_etcd_error *error,
                     struct peri_slice message) {
  // Whatever it said: the session has renewed the token if that was needed.
  (void)error;
  (void)message;
  struct peri_etcd_watches *watches = ctx;
  watches->login = NULL;
  schedule(watches, watches->failures <= 1
                        ? 0
                        : peri_watch_pause_ms(watches->failures - 2));
}

/// A read on the member that refused the token. Tokens are each member's own.
static int login(struct peri_etcd_watches *watches) {
  Etcdpb__RangeRequest body = ETCDPB__RANGE_REQUEST__INIT;
  struct peri_etcd_watch *watch =
      PERI_CONTAINER_OF(watches->watches.next, struct peri_etcd_watch, node);
  body.key = peri_proto_bytes(watch->key);
  body.limit = 1;
  body.count_only = true;
  body.serializable = true;
  struct peri_buffer bytes = {0};
  int code = peri_proto_pack(&body.base, &bytes);
  if (code < 0) {
    return code;
  }
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.KV/Range",
      .message = peri_buffer_slice(&bytes),
      .replay = true,
      .endpoint = watches->endpoint,
  };
  code = peri_etcd_call(watches->etcd, &request, on_login, watches,
                        &watches->login);
  peri_buffer_done(&bytes);
  return code;
}

void peri_watches_fail(struct peri_etcd_watches *watches,
                       const struct peri_etcd_error *error, bool relogin) {
  struct peri_etcd_error why = *error;
  if (watches->stream == NULL) {
    return;
  }
  close_stream(watches);
  detach_all(watches);
  bool token = peri_etcd_kind_class(why.kind) == PERI_ETCD_RELOGIN;
  watches->avoid = token ? -1 : watches->endpoint;
  uint64_t pause_ms = pause_after(watches, &why);
  if (!relogin || login(watches) != 0) {
    schedule(watches, pause_ms);
  }
  peri_watches_enter(watches);
  tell_all(watches, &why);
  peri_watches_leave(watches);
}

static void on_ended(void *ctx, const struct peri_etcd_error *error) {
  struct peri_etcd_watches *watches = ctx;
  struct peri_etcd_error why;
  if (error == NULL || error->kind == PERI_ETCD_OK) {
    peri_etcd_error_set(&why, PERI_ETCD_BUSY,
                        "the server ended the watch stream");
    error = &why;
  }
  peri_watches_fail(watches, error, false);
}

static const struct peri_etcd_stream_events EVENTS = {
    .message = peri_watches_message,
    .ended = on_ended,
};

static void on_reopen(void *ctx) {
  struct peri_etcd_watches *watches = ctx;
  watches->reopening = false;
  if (watches->count == 0) {
    return;
  }
  watches->endpoint = peri_etcd_endpoint_best(watches->etcd, watches->avoid);
  watches->avoid = -1;
  watches->heard = false;
  watches->graced = false;
  watches->base = watches->last_id;
  watches->answered = watches->last_id;
  watches->opened_ns = peri_clock_mono_ns();
  int code = peri_etcd_stream_open(watches->etcd, "/etcdserverpb.Watch/Watch",
                                   watches->endpoint, &EVENTS, watches,
                                   &watches->stream);
  if (code != 0) {
    watches->stream = NULL;
    schedule(watches, peri_watch_pause_ms(watches->failures++));
    return;
  }
  struct peri_list *node = watches->watches.next;
  for (; node != &watches->watches; node = node->next) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, node);
    if (watch->state == PERI_WATCH_WAITING && !watch->retrying) {
      peri_watch_ask(watch);
    }
  }
  arm(watches, PERI_WATCH_SILENCE_MS);
}

/// Longer after every member was silent in turn: newer servers answer a probe
/// only when all watches have caught up.
static uint64_t patience_ms(const struct peri_etcd_watches *watches) {
  size_t rounds = watches->deaths / peri_etcd_endpoint_count(watches->etcd);
  return (uint64_t)PERI_WATCH_PATIENCE_MS << (rounds < 3 ? rounds : 3);
}

static void probe(struct peri_etcd_watches *watches) {
  Etcdpb__WatchProgressRequest body = ETCDPB__WATCH_PROGRESS_REQUEST__INIT;
  Etcdpb__WatchRequest request = ETCDPB__WATCH_REQUEST__INIT;
  request.request_union_case =
      ETCDPB__WATCH_REQUEST__REQUEST_UNION_PROGRESS_REQUEST;
  request.progress_request = &body;
  // When it cannot be sent, too much waits already: the answer will not come.
  (void)peri_watches_send(watches, &request);
  watches->probing = true;
  watches->graced = false;
  arm(watches, patience_ms(watches));
}

static void on_tick(void *ctx) {
  struct peri_etcd_watches *watches = ctx;
  uint64_t now = peri_clock_mono_ns();
  if (!watches->probing) {
    uint64_t since = watches->heard ? watches->heard_ns : watches->opened_ns;
    uint64_t silent_ms = (now - since) / MS;
    if (silent_ms < PERI_WATCH_SILENCE_MS) {
      arm(watches, PERI_WATCH_SILENCE_MS - silent_ms);
      return;
    }
    probe(watches);
    return;
  }
  if (now > watches->due_ns + PERI_WATCH_LATE_MS * MS && !watches->graced) {
    // It was us who slept: what came meanwhile is still to be read.
    watches->graced = true;
    arm(watches, PERI_WATCH_GRACE_MS);
    return;
  }
  struct peri_etcd_error error;
  peri_etcd_error_set(&error, PERI_ETCD_TIMEOUT, "the watch stream is silent");
  watches->deaths++;
  peri_etcd_endpoint_suspect(watches->etcd, watches->endpoint);
  peri_watches_fail(watches, &error, false);
}

static void hear(struct peri_etcd_watches *watches) {
  watches->heard_ns = peri_clock_mono_ns();
  if (watches->probing) {
    watches->probing = false;
    arm(watches, PERI_WATCH_SILENCE_MS);
  }
  if (!watches->heard) {
    watches->heard = true;
    peri_watches_check(watches);
  }
}

static struct peri_etcd_watch *find(struct peri_etcd_watches *watches,
                                    int64_t id) {
  struct peri_list *head = &watches->buckets[(uint64_t)id % PERI_WATCH_BUCKETS];
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_etcd_watch *watch =
        PERI_CONTAINER_OF(node, struct peri_etcd_watch, bucket);
    if (watch->id == id) {
      return watch;
    }
  }
  return NULL;
}

int64_t peri_watches_wire_id(const struct peri_etcd_watches *watches,
                             int64_t id) {
  return id - watches->base - 1;
}

/// Whose response it is. A create that is refused may be answered without its
/// ID, but in its turn.
static struct peri_etcd_watch *match(struct peri_etcd_watches *watches,
                                     const Etcdpb__WatchResponse *message) {
  int64_t number = message->watch_id;
  if (number >= watches->last_id - watches->base ||
      (number < 0 && !message->created)) {
    return NULL;
  }
  int64_t id = (number < 0 ? watches->answered : watches->base + number) + 1;
  if (message->created && id > watches->answered && id <= watches->last_id) {
    watches->answered = id;
  }
  return find(watches, id);
}

void peri_watches_message(void *ctx, struct peri_slice bytes) {
  struct peri_etcd_watches *watches = ctx;
  struct peri_etcd_error error;
  peri_watches_enter(watches);
  hear(watches);
  Etcdpb__WatchResponse *message = (Etcdpb__WatchResponse *)peri_etcd_unpack(
      &etcdpb__watch_response__descriptor, bytes, &error);
  if (message == NULL) {
    peri_etcd_endpoint_suspect(watches->etcd, watches->endpoint);
    peri_watches_fail(watches, &error, false);
    goto done;
  }
  if (!message->created && !message->canceled) {
    watches->deaths = 0;
  }
  peri_watches_observe(watches, message->header);
  struct peri_etcd_watch *watch = match(watches, message);
  if (watch == NULL) {
    etcdpb__watch_response__free_unpacked(message, NULL);
    goto done;
  }
  int code = peri_watch_answer(watch, message, bytes.len);
  if (code != 0) {
    bool memory = code == PERI_ENOMEM;
    peri_etcd_error_set(&error, memory ? PERI_ETCD_BUSY : PERI_ETCD_GARBAGE,
                        memory ? "out of memory for watched events"
                        : code == PERI_ELIMIT
                            ? "too many events in one revision"
                            : "an event that etcd cannot send");
    peri_watches_fail(watches, &error, false);
  }

done:
  peri_watches_leave(watches);
}

void peri_watches_idle(struct peri_etcd_watches *watches) {
  close_stream(watches);
  peri_timer_stop(watches->reopen);
  peri_timer_stop(watches->check_timer);
  watches->reopening = false;
  watches->check_wanted = false;
  watches->doubted = false;
  if (watches->login != NULL) {
    peri_etcd_call_cancel(watches->login);
    watches->login = NULL;
  }
  if (watches->check != NULL) {
    peri_etcd_call_cancel(watches->check);
    watches->check = NULL;
  }
}

int peri_etcd_watches_new(struct peri_etcd *etcd,
                          struct peri_etcd_watches **ret_watches) {
  struct peri_loop *loop = peri_etcd_loop(etcd);
  struct peri_etcd_watches *watches = calloc(1, sizeof(*watches));
  int code = PERI_ENOMEM;
  if (watches == NULL) {
    return code;
  }
  watches->etcd = etcd;
  watches->avoid = -1;
  peri_list_init(&watches->watches);
  for (size_t i = 0; i < PERI_WATCH_BUCKETS; i++) {
    peri_list_init(&watches->buckets[i]);
  }
  if ((code = peri_timer_new(loop, on_tick, watches, &watches->tick)) != 0 ||
      (code = peri_timer_new(loop, on_reopen, watches, &watches->reopen)) !=
          0 ||
      (code = peri_timer_new(loop, peri_watches_check_due, watches,
                             &watches->check_timer)) != 0) {
    goto fail_timers;
  }
  *ret_watches = watches;
  return 0;

fail_timers:
  peri_timer_free(watches->tick);
  peri_timer_free(watches->reopen);
  free(watches);
  return code;
}

void peri_etcd_watches_free(struct peri_etcd_watches *watches) {
  if (watches == NULL) {
    return;
  }
  peri_watches_enter(watches);
  peri_watches_idle(watches);
  peri_timer_free(watches->tick);
  peri_timer_free(watches->reopen);
  peri_timer_free(watches->check_timer);
  peri_watches_bury(watches);
  peri_watches_leave(watches);
}

uint64_t peri_etcd_watches_heard_ns(const struct peri_etcd_watches *watches) {
  return watches->heard_ns;
}
