#include "cache/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/slice.h"
#include "base/status.h"
#include "cache/find.h"
#include "cache/private.h"
#include "cache/send.h"
#include "cache/wire.h"
#include "h2/unary.h"
#include "loop/timer.h"
#include "store/entry.h"
#include "store/flight.h"

enum { MAX_TEXT = 512 };

// A load under way on the worker that leads it. It belongs to no call: those
// who asked may all have left.
struct load {
  struct peri_list link;
  struct peri_cache_worker *worker;
  struct peri_cache_side *side;
  struct peri_flight *flight;
  struct peri_store *store;
  struct peri_timer *timer;
  struct peri_unary *unary;  // while the owner is asked
  struct peri_fetch *fetch;  // while the fallback is asked
  enum peri_cache_source source;
  uint64_t started_ns;
  char text[MAX_TEXT];
  char owner[];  // its address, "" when the key is ours
};

static void release(struct load *load) {
  peri_timer_free(load->timer);
  if (load->unary != NULL) {
    peri_unary_cancel(load->unary);
  }
  if (load->fetch != NULL) {
    load->side->fallback->cancel(load->side->fallback, load->fetch);
  }
  peri_list_remove(&load->link);
  peri_cache_side_unref(load->side);
  free(load);
}

static void count(const struct load *load, int status) {
  struct peri_cache_group *group = load->side->group;
  enum peri_cache_result result = PERI_CACHE_FAILED;
  if (status == PERI_STATUS_OK) {
    result = PERI_CACHE_OK;
  } else if (status == PERI_STATUS_NOT_FOUND) {
    result = PERI_CACHE_NOT_FOUND;
  }
  peri_metric_add(group->loads[load->source][result], 1);
  peri_histogram_observe(group->load_seconds,
                         peri_clock_mono_ns() - load->started_ns);
}

// Ends the load with an answer for everybody who waits, storing `entry` when
// the key is ours. Takes over the reference to `entry`.
static void settle(struct load *load, int status, struct peri_entry *entry,
                   const char *text) {
  struct peri_list waiters;
  struct peri_cache_answer answer = {
      .status = status,
      .entry = status == PERI_STATUS_OK ? entry : NULL,
      .text = text};
  struct peri_cache_outcome *outcome = peri_cache_outcome_new(&answer);
  bool ours = load->source == PERI_CACHE_ORIGIN;
  count(load, status);
  peri_store_finish(load->store, load->flight, ours ? entry : NULL,
                    peri_clock_unix_ns(), &waiters);
  peri_cache_wake(&waiters, outcome);
  peri_entry_unref(entry);
  release(load);
}

static void settle_value(struct load *load, struct peri_slice value,
                         int64_t expire_ns) {
  struct peri_entry *entry = NULL;
  int rc = peri_entry_new(peri_flight_key(load->flight), value, expire_ns,
                          false, &entry);
  if (rc < 0) {
    settle(load, PERI_STATUS_RESOURCE_EXHAUSTED, NULL,
           "the value does not fit into memory");
    return;
  }
  settle(load, PERI_STATUS_OK, entry, NULL);
}

static void settle_absent(struct load *load, int64_t ttl_ns) {
  struct peri_entry *entry = NULL;
  struct peri_slice none = {NULL, 0};
  // Without memory for it the not-found is just not remembered.
  if (ttl_ns > 0 && load->source == PERI_CACHE_ORIGIN) {
    (void)peri_entry_new(peri_flight_key(load->flight), none,
                         peri_cache_expire_ns(ttl_ns), true, &entry);
  }
  settle(load, PERI_STATUS_NOT_FOUND, entry, "there is no such value");
}

// A fallback's failure as a status. What the caller did is never the reason.
static int failure_status(int code) {
  int status = peri_status_of(code);
  if (status == PERI_STATUS_DEADLINE_EXCEEDED ||
      status == PERI_STATUS_RESOURCE_EXHAUSTED ||
      status == PERI_STATUS_UNAVAILABLE) {
    return status;
  }
  return code == PERI_ESCRIPT || code == PERI_EINVAL ? PERI_STATUS_INTERNAL
                                                     : PERI_STATUS_UNAVAILABLE;
}

static void settle_failure(struct load *load, int code,
                           struct peri_slice text) {
  char words[3 * MAX_TEXT];
  if (text.len == 0) {
    text = peri_slice_of(peri_error_text(code));
  }
  if (load->source == PERI_CACHE_FALLBACK) {
    (void)snprintf(words, sizeof words, "%s; the fallback failed: %.*s",
                   load->text, (int)(text.len < MAX_TEXT ? text.len : MAX_TEXT),
                   text.ptr);
  } else {
    (void)snprintf(words, sizeof words, "the fallback failed: %.*s",
                   (int)(text.len < MAX_TEXT ? text.len : MAX_TEXT), text.ptr);
  }
  settle(load, failure_status(code), NULL, words);
}

static void fetched(void *ctx, const struct peri_fetch_result *result) {
  struct load *load = ctx;
  const struct peri_config_group *config = load->side->config;
  load->fetch = NULL;
  if (result->code == 0) {
    int64_t ttl_ns = result->ttl_ns < 0 ? config->ttl_ns : result->ttl_ns;
    settle_value(load, result->value, peri_cache_expire_ns(ttl_ns));
  } else if (result->code == PERI_ENOTFOUND) {
    settle_absent(load, result->negative_ttl_ns < 0 ? config->negative_ttl_ns
                                                    : result->negative_ttl_ns);
  } else {
    settle_failure(load, result->code, result->text);
  }
}

static void ask_fallback(struct load *load, const char *cause) {
  struct peri_fallback *fallback = load->side->fallback;
  struct peri_fetch_request request = {
      .group = load->side->group->name,
      .key = peri_flight_key(load->flight),
      .cause = cause,
      .peer = peri_slice_of(load->owner),
      .timeout_ms = load->side->config->load_timeout_ms};
  int rc = fallback->fetch(fallback, &request, fetched, load, &load->fetch);
  if (rc < 0) {
    load->fetch = NULL;
    settle_failure(load, rc, (struct peri_slice){NULL, 0});
  }
}

// The owner did not answer: its failure is passed on only when nobody else can
// be asked.
static void owner_failed(struct load *load, const char *cause,
                         struct peri_slice text) {
  (void)snprintf(load->text, sizeof load->text, "owner %.128s %s: %.*s",
                 load->owner, cause, text.len < 256 ? (int)text.len : 256,
                 text.ptr);
  if (load->side->fallback == NULL) {
    settle(load, PERI_STATUS_UNAVAILABLE, NULL, load->text);
    return;
  }
  count(load, PERI_STATUS_UNAVAILABLE);
  load->source = PERI_CACHE_FALLBACK;
  load->started_ns = peri_clock_mono_ns();
  ask_fallback(load, cause);
}

static const char *cause_of(const struct peri_unary_result *result) {
  if (result->code == PERI_ETIMEOUT ||
      result->status == PERI_STATUS_DEADLINE_EXCEEDED) {
    return "timeout";
  }
  // Who answers nonsense, or too much, has been reached.
  bool reached = result->code == 0 || result->code == PERI_EPROTO ||
                 result->code == PERI_ELIMIT;
  return reached ? "failed" : "unreachable";
}

static void owner_answered(void *ctx, const struct peri_unary_result *result) {
  struct load *load = ctx;
  struct peri_slice value;
  int64_t expire_ns = 0;
  load->unary = NULL;
  if (result->status == PERI_STATUS_OK) {
    if (peri_pb_read_value(result->message, &value, &expire_ns) == 0) {
      settle_value(load, value, expire_ns);
    } else {
      owner_failed(load, "failed",
                   peri_slice_of("its answer is no GetResponse"));
    }
  } else if (result->status == PERI_STATUS_NOT_FOUND && result->code == 0) {
    (void)snprintf(load->text, sizeof load->text, "%.*s",
                   result->text.len < 256 ? (int)result->text.len : 256,
                   result->text.ptr);
    settle(load, PERI_STATUS_NOT_FOUND, NULL, load->text);
  } else {
    owner_failed(load, cause_of(result), result->text);
  }
}

static void ask_owner(struct load *load) {
  struct peri_buffer message = {.ptr = NULL};
  int rc = peri_pb_add_bytes(&message, 1, load->side->group->name);
  if (rc == 0) {
    rc = peri_pb_add_bytes(&message, 2, peri_flight_key(load->flight));
  }
  if (rc == 0) {
    struct peri_cache_request request = {
        .worker = load->worker,
        .side = load->side,
        .address = peri_slice_of(load->owner),
        .path = "/groupcachepb.GroupCache/Get",
        .message = peri_buffer_slice(&message)};
    rc = peri_cache_ask(&request, owner_answered, load, &load->unary);
  }
  peri_buffer_done(&message);
  if (rc < 0) {
    load->unary = NULL;
    owner_failed(load, "unreachable", peri_slice_of(peri_error_text(rc)));
  }
}

static void timed_out(void *ctx) {
  struct load *load = ctx;
  char words[MAX_TEXT];
  (void)snprintf(words, sizeof words, "the load took longer than %llu ms",
                 (unsigned long long)load->side->config->load_timeout_ms);
  settle(load, PERI_STATUS_DEADLINE_EXCEEDED, NULL, words);
}

static struct load *new_load(struct peri_cache_worker *worker,
                             const struct peri_endpoint *owner) {
  const char *address = owner != NULL ? owner->address : "";
  size_t len = strlen(address) + 1;
  struct load *load = calloc(1, sizeof *load + len);
  if (load == NULL) {
    return NULL;
  }
  if (peri_timer_new(worker->loop, timed_out, load, &load->timer) < 0) {
    free(load);
    return NULL;
  }
  memcpy(load->owner, address, len);
  load->worker = worker;
  peri_list_init(&load->link);
  peri_list_push(&worker->loads, &load->link);
  return load;
}

void peri_cache_load_start(struct peri_cache_worker *worker,
                           struct peri_cache_side *side,
                           struct peri_flight *flight,
                           const struct peri_endpoint *owner) {
  struct peri_store *store =
      owner != NULL ? side->group->forwards : side->group->values;
  struct load *load = new_load(worker, owner);
  if (load == NULL) {
    struct peri_list waiters;
    struct peri_cache_answer answer = {.status = PERI_STATUS_RESOURCE_EXHAUSTED,
                                       .text = "out of memory"};
    peri_store_finish(store, flight, NULL, peri_clock_unix_ns(), &waiters);
    peri_cache_wake(&waiters, peri_cache_outcome_new(&answer));
    return;
  }
  load->side = peri_cache_side_ref(side);
  load->flight = flight;
  load->store = store;
  load->source = owner != NULL ? PERI_CACHE_PEER : PERI_CACHE_ORIGIN;
  load->started_ns = peri_clock_mono_ns();
  peri_timer_start(load->timer, side->config->load_timeout_ms, 0);
  if (owner != NULL) {
    ask_owner(load);
  } else {
    ask_fallback(load, "origin");
  }
}

void peri_cache_load_stop(struct peri_cache_worker *worker) {
  while (!peri_list_empty(&worker->loads)) {
    settle(PERI_CONTAINER_OF(peri_list_pop(&worker->loads), struct load, link),
           PERI_STATUS_UNAVAILABLE, NULL, "the sidecar is stopping");
  }
}
