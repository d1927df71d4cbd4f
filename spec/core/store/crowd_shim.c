#include "store/crowd_shim.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"

enum { MAX_THREADS = 16, SECOND_NS = 1000000000 };

struct guest {
  struct peri_waiter waiter;
  atomic_bool woken;
};

struct member {
  pthread_t thread;
  struct peri_store *store;
  unsigned number;
  unsigned rounds;
  unsigned keys;
  bool leave;
  const uint64_t *budgets;  // two, taken in turn, or NULL
  uint64_t random;
  pthread_barrier_t *joined;
  struct guest *guests;
  struct peri_crowd_result result;
};

static uint64_t next_random(struct member *member) {
  member->random ^= member->random << 13;
  member->random ^= member->random >> 7;
  member->random ^= member->random << 17;
  return member->random;
}

static struct peri_slice key_text(unsigned number, char text[32]) {
  snprintf(text, 32, "key-%u", number);
  return peri_slice_of(text);
}

/// An entry whose value repeats its key.
static struct peri_entry *own_entry(struct member *member,
                                    struct peri_slice key, int64_t now_ns) {
  char value[400];
  size_t len = 0;
  size_t times = 1 + next_random(member) % 12;
  for (size_t i = 0; i < times; i++) {
    memcpy(value + len, key.ptr, key.len);
    len += key.len;
  }
  struct peri_entry *entry = NULL;
  int64_t expire_ns = now_ns + (int64_t)(next_random(member) % 50);
  if (peri_entry_new(key, (struct peri_slice){.ptr = value, .len = len},
                     expire_ns, false, &entry) < 0) {
    abort();
  }
  return entry;
}

static void check(struct member *member, struct peri_slice key,
                  struct peri_entry *entry) {
  struct peri_slice value = peri_entry_value(entry);
  if (!peri_slice_equal(key, peri_entry_key(entry)) || value.len < key.len ||
      memcmp(value.ptr, key.ptr, key.len) != 0) {
    member->result.wrong++;
  }
  peri_entry_unref(entry);
}

static uint64_t wake_all(struct peri_list *waiters) {
  uint64_t woken = 0;
  while (!peri_list_empty(waiters)) {
    struct guest *guest =
        PERI_CONTAINER_OF(waiters->next, struct guest, waiter.link);
    peri_list_remove(&guest->waiter.link);
    // Its owner may be gone right after the store.
    atomic_store_explicit(&guest->woken, true, memory_order_release);
    woken++;
  }
  return woken;
}

static void await(struct guest *guest) {
  while (!atomic_load_explicit(&guest->woken, memory_order_acquire)) {
    sched_yield();
  }
}

static void load(struct member *member, struct peri_slice key, int64_t now_ns) {
  struct guest guest = {.woken = false};
  struct peri_entry *entry = NULL;
  struct peri_flight *flight = NULL;
  int joined = peri_store_join(member->store, key, now_ns, &guest.waiter,
                               &entry, &flight);
  if (joined == PERI_JOIN_HIT) {
    check(member, key, entry);
  } else if (joined == PERI_JOIN_LEAD) {
    struct peri_list waiters;
    entry = own_entry(member, key, now_ns);
    sched_yield();
    peri_store_finish(member->store, flight, entry, now_ns, &waiters);
    peri_entry_unref(entry);
    member->result.loads++;
    member->result.handed += wake_all(&waiters);
  } else if (joined == PERI_JOIN_WAIT) {
    member->result.waits++;
    if (next_random(member) % 2 == 0 &&
        peri_store_leave(member->store, &guest.waiter)) {
      member->result.left++;
    } else {
      await(&guest);
    }
  } else {
    member->result.wrong++;
  }
}

static void one_round(struct member *member, int64_t now_ns) {
  char text[32];
  struct peri_slice key =
      key_text((unsigned)(next_random(member) % member->keys), text);
  struct peri_entry *entry = NULL;
  switch (next_random(member) % 16) {
    case 0:
    case 1:
      entry = own_entry(member, key, now_ns);
      peri_store_set(member->store, entry, now_ns);
      peri_entry_unref(entry);
      break;
    case 2:
      peri_store_remove(member->store, key, now_ns);
      break;
    case 3:
      peri_store_sweep(member->store, (uint32_t)(now_ns % 16), 20, now_ns);
      break;
    case 4:
    case 5:
    case 6:
    case 7:
      load(member, key, now_ns);
      break;
    default:
      if (peri_store_get(member->store, key, now_ns, &entry) == 0) {
        check(member, key, entry);
      }
      break;
  }
}

static void resize(struct member *member, unsigned round) {
  if (round % 1000 == 0) {
    peri_store_resize(member->store, member->budgets[round / 1000 % 2]);
  }
  peri_store_trim(member->store, round % 16, 8, SECOND_NS);
}

static void *churn(void *arg) {
  struct member *member = arg;
  for (unsigned i = 0; i < member->rounds; i++) {
    if (member->budgets != NULL && member->number == 0) {
      resize(member, i);
    }
    one_round(member, SECOND_NS + i / 16);
  }
  return NULL;
}

static void start(struct member *members, unsigned threads,
                  const struct member *model, void *(*body)(void *arg)) {
  for (unsigned i = 0; i < threads; i++) {
    members[i] = *model;
    members[i].number = i;
    members[i].random = 88172645463325252U + i * 7919U;
    if (pthread_create(&members[i].thread, NULL, body, &members[i]) != 0) {
      abort();
    }
  }
}

static struct peri_crowd_result finish(struct member *members,
                                       unsigned threads) {
  struct peri_crowd_result sum = {0};
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(members[i].thread, NULL);
    sum.wrong += members[i].result.wrong;
    sum.loads += members[i].result.loads;
    sum.waits += members[i].result.waits;
    sum.handed += members[i].result.handed;
    sum.left += members[i].result.left;
  }
  return sum;
}

void peri_crowd_churn(struct peri_store *store, unsigned threads,
                      unsigned rounds, unsigned keys,
                      struct peri_crowd_result *ret_result) {
  struct member members[MAX_THREADS];
  struct member model = {.store = store, .rounds = rounds, .keys = keys};
  start(members, threads, &model, churn);
  *ret_result = finish(members, threads);
}

void peri_crowd_resize(struct peri_store *store, unsigned threads,
                       unsigned rounds, unsigned keys,
                       const uint64_t budgets[2],
                       struct peri_crowd_result *ret_result) {
  struct member members[MAX_THREADS];
  struct member model = {
      .store = store, .rounds = rounds, .keys = keys, .budgets = budgets};
  start(members, threads, &model, churn);
  *ret_result = finish(members, threads);
}

static void *join_one_key(void *arg) {
  struct member *member = arg;
  struct peri_slice key = peri_slice_of("cold");
  struct peri_flight *mine = NULL;
  struct guest *guests = member->guests + (size_t)member->number * member->keys;
  for (unsigned i = 0; i < member->keys; i++) {
    struct peri_entry *entry = NULL;
    int joined = peri_store_join(member->store, key, SECOND_NS,
                                 &guests[i].waiter, &entry, &mine);
    if (joined == PERI_JOIN_LEAD) {
      member->result.loads++;
    } else if (joined == PERI_JOIN_WAIT) {
      member->result.waits++;
    } else {
      member->result.wrong++;
    }
  }
  pthread_barrier_wait(member->joined);
  if (mine != NULL) {
    struct peri_entry *entry = own_entry(member, key, SECOND_NS + 1);
    struct peri_list waiters;
    peri_store_finish(member->store, mine, entry, SECOND_NS, &waiters);
    peri_entry_unref(entry);
    member->result.handed += wake_all(&waiters);
  }
  for (unsigned i = 0; i < member->keys; i++) {
    if (member->leave && peri_store_leave(member->store, &guests[i].waiter)) {
      member->result.left++;
    } else {
      await(&guests[i]);
    }
  }
  return NULL;
}

void peri_crowd_one_key(struct peri_store *store, unsigned threads,
                        unsigned each, bool leave,
                        struct peri_crowd_result *ret_result) {
  struct member members[MAX_THREADS];
  pthread_barrier_t joined;
  struct guest *guests = calloc((size_t)threads * each, sizeof(*guests));
  if (guests == NULL || pthread_barrier_init(&joined, NULL, threads) != 0) {
    abort();
  }
  struct member model = {.store = store,
                         .keys = each,
                         .leave = leave,
                         .joined = &joined,
                         .guests = guests};
  start(members, threads, &model, join_one_key);
  *ret_result = finish(members, threads);
  pthread_barrier_destroy(&joined);
  free(guests);
}
