#include "cache/find.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/status.h"
#include "cache/load.h"
#include "cache/private.h"
#include "loop/mailbox.h"
#include "store/entry.h"
#include "store/flight.h"

struct peri_cache_wait {
  struct peri_waiter waiter;
  struct peri_message message;
  // Waiters of the same worker that travel with this one's message, and what
  // they are all told.
  struct peri_list fellows;
  struct peri_cache_outcome *outcome;
  struct peri_list link;         // in the worker's waits while `done` is set
  struct peri_cache_side *side;  // likewise; it keeps `store`
  struct peri_store *store;
  struct peri_mailbox *mailbox;
  void (*done)(void *ctx, const struct peri_cache_answer *answer);
  void *ctx;
};

struct peri_cache_outcome {
  atomic_size_t refs;
  struct peri_cache_answer answer;
  char text[];
};

static const char no_memory_text[] = "out of memory";
static struct peri_cache_outcome no_memory = {
    .refs = 1,
    .answer = {.status = PERI_STATUS_RESOURCE_EXHAUSTED,
               .text = no_memory_text}};

struct peri_cache_outcome *peri_cache_outcome_new(
    const struct peri_cache_answer *answer) {
  size_t len = answer->text != NULL ? strlen(answer->text) : 0;
  struct peri_cache_outcome *outcome = malloc(sizeof *outcome + len + 1);
  if (outcome == NULL) {
    return &no_memory;
  }
  atomic_init(&outcome->refs, 1);
  memcpy(outcome->text, len > 0 ? answer->text : "", len);
  outcome->text[len] = '\0';
  outcome->answer = *answer;
  outcome->answer.text = outcome->text;
  if (answer->entry != NULL) {
    peri_entry_ref(answer->entry);
  }
  return outcome;
}

static void outcome_ref(struct peri_cache_outcome *outcome) {
  if (outcome != &no_memory) {
    atomic_fetch_add_explicit(&outcome->refs, 1, memory_order_relaxed);
  }
}

void peri_cache_outcome_unref(struct peri_cache_outcome *outcome) {
  if (outcome == &no_memory ||
      atomic_fetch_sub_explicit(&outcome->refs, 1, memory_order_acq_rel) != 1) {
    return;
  }
  peri_entry_unref(outcome->answer.entry);
  free(outcome);
}

static void free_wait(struct peri_cache_wait *wait) {
  peri_mailbox_unref(wait->mailbox);
  free(wait);
}

static struct peri_cache_wait *wait_of(struct peri_list *link) {
  return PERI_CONTAINER_OF(link, struct peri_cache_wait, waiter.link);
}

// Tells one waiter, unless it left after it had been handed over.
static void tell(struct peri_cache_wait *wait,
                 const struct peri_cache_outcome *outcome) {
  if (wait->done != NULL) {
    peri_list_remove(&wait->link);
    peri_cache_side_unref(wait->side);
    wait->done(wait->ctx, &outcome->answer);
  }
  free_wait(wait);
}

// On the waiters' loop. Those that left may outlive their worker, so nothing
// here looks at it.
static void woken(struct peri_message *message) {
  struct peri_cache_wait *first =
      PERI_CONTAINER_OF(message, struct peri_cache_wait, message);
  struct peri_cache_outcome *outcome = first->outcome;
  struct peri_list fellows;
  peri_list_init(&fellows);
  peri_list_splice(&fellows, &first->fellows);
  tell(first, outcome);
  while (!peri_list_empty(&fellows)) {
    tell(wait_of(peri_list_pop(&fellows)), outcome);
  }
  peri_cache_outcome_unref(outcome);
}

// The mailbox is closed, so their worker has ended and given them all up.
static void drop(struct peri_cache_wait *first) {
  while (!peri_list_empty(&first->fellows)) {
    free_wait(wait_of(peri_list_pop(&first->fellows)));
  }
  peri_cache_outcome_unref(first->outcome);
  free_wait(first);
}

void peri_cache_wake(struct peri_list *waiters,
                     struct peri_cache_outcome *outcome) {
  while (!peri_list_empty(waiters)) {
    struct peri_cache_wait *first = wait_of(peri_list_pop(waiters));
    struct peri_list *link = waiters->next;
    while (link != waiters) {
      struct peri_list *next = link->next;
      if (wait_of(link)->mailbox == first->mailbox) {
        peri_list_remove(link);
        peri_list_push(&first->fellows, link);
      }
      link = next;
    }
    outcome_ref(outcome);
    first->outcome = outcome;
    if (peri_mailbox_post(first->mailbox, &first->message) < 0) {
      drop(first);
    }
  }
  peri_cache_outcome_unref(outcome);
}

// Counts a value or a remembered not-found, and makes it an answer.
static void answer_entry(struct peri_cache_group *group,
                         struct peri_entry *entry,
                         struct peri_cache_answer *ret_answer) {
  if (peri_entry_absent(entry)) {
    peri_metric_add(group->negatives, 1);
    peri_entry_unref(entry);
    *ret_answer = (struct peri_cache_answer){.status = PERI_STATUS_NOT_FOUND,
                                             .text = "there is no such value"};
    return;
  }
  peri_metric_add(group->hits, 1);
  *ret_answer =
      (struct peri_cache_answer){.status = PERI_STATUS_OK, .entry = entry};
}

static struct peri_cache_wait *new_wait(const struct peri_cache_query *query,
                                        struct peri_store *store) {
  struct peri_cache_wait *wait = calloc(1, sizeof *wait);
  if (wait == NULL) {
    return NULL;
  }
  peri_list_init(&wait->waiter.link);
  peri_list_init(&wait->fellows);
  peri_list_init(&wait->link);
  wait->message.run = woken;
  wait->store = store;
  wait->mailbox = peri_mailbox_ref(query->worker->mailbox);
  wait->done = query->done;
  wait->ctx = query->ctx;
  return wait;
}

// Joins the flight of the key, and starts its load when there was none.
static bool join(const struct peri_cache_query *query,
                 const struct peri_endpoint *owner,
                 struct peri_cache_answer *ret_answer,
                 struct peri_cache_wait **ret_wait) {
  struct peri_cache_group *group = query->side->group;
  struct peri_store *store = owner != NULL ? group->forwards : group->values;
  struct peri_cache_wait *wait = new_wait(query, store);
  struct peri_entry *entry = NULL;
  struct peri_flight *flight = NULL;
  int rc = PERI_ENOMEM;
  if (wait != NULL) {
    // From here on another thread may hand the waiter over.
    rc = peri_store_join(store, query->key, peri_clock_unix_ns(), &wait->waiter,
                         &entry, &flight);
  }
  if (rc == PERI_JOIN_LEAD || rc == PERI_JOIN_WAIT) {
    peri_metric_add(group->misses, 1);
    peri_metric_add(group->joined, rc == PERI_JOIN_WAIT ? 1 : 0);
    wait->side = peri_cache_side_ref(query->side);
    peri_list_push(&query->worker->waits, &wait->link);
    *ret_wait = wait;
    if (rc == PERI_JOIN_LEAD) {
      peri_cache_load_start(query->worker, query->side, flight, owner);
    }
    return false;
  }
  if (wait != NULL) {
    free_wait(wait);
  }
  if (rc == PERI_JOIN_HIT) {
    answer_entry(group, entry, ret_answer);
    return true;
  }
  *ret_answer = (struct peri_cache_answer){
      .status = PERI_STATUS_RESOURCE_EXHAUSTED,
      .text = rc == PERI_ELIMIT ? "too many calls wait for this key"
                                : no_memory_text};
  return true;
}

bool peri_cache_find(const struct peri_cache_query *query,
                     struct peri_cache_answer *ret_answer,
                     struct peri_cache_wait **ret_wait) {
  struct peri_cache_group *group = query->side->group;
  const struct peri_endpoint *owner = NULL;
  struct peri_entry *entry = NULL;
  if (!query->hop && !query->worker->alone) {
    owner = peri_cache_owner(query->worker, query->side, PERI_CACHE_GET,
                             query->key);
  }
  // What another sidecar owns is not looked up here, even if it was ours once:
  // a Remove at its owner would not have reached it.
  if (owner == NULL && peri_store_get(group->values, query->key,
                                      peri_clock_unix_ns(), &entry) == 0) {
    answer_entry(group, entry, ret_answer);
    return true;
  }
  if (owner == NULL && query->side->fallback == NULL) {
    peri_metric_add(group->misses, 1);
    *ret_answer = (struct peri_cache_answer){
        .status = PERI_STATUS_NOT_FOUND,
        .text = "not in the cache, and its group has no fallback"};
    return true;
  }
  return join(query, owner, ret_answer, ret_wait);
}

void peri_cache_leave(struct peri_cache_wait *wait) {
  struct peri_cache_side *side = wait->side;
  peri_list_remove(&wait->link);
  wait->done = NULL;
  if (peri_store_leave(wait->store, &wait->waiter)) {
    free_wait(wait);
  }
  peri_cache_side_unref(side);
}

void peri_cache_abandon(struct peri_cache_worker *worker) {
  static const struct peri_cache_answer stopping = {
      .status = PERI_STATUS_UNAVAILABLE, .text = "the sidecar is stopping"};
  while (!peri_list_empty(&worker->waits)) {
    struct peri_cache_wait *wait = PERI_CONTAINER_OF(
        peri_list_pop(&worker->waits), struct peri_cache_wait, link);
    void (*done)(void *, const struct peri_cache_answer *) = wait->done;
    void *ctx = wait->ctx;
    peri_cache_leave(wait);
    done(ctx, &stopping);
  }
}
