#include "cache/policy_shim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"
#include "loop/timer.h"
#include "model/peers.h"

enum { BIG = 100000 };

struct peri_shim_policy {
  char addresses[SHIM_MAX_NODES][64];
  int count;
  atomic_int owner;
  atomic_bool hold;
  atomic_llong ttl_ns, negative_ttl_ns;
  atomic_int fetches;
  atomic_int under_way;
  atomic_int made, freed, updates;
  pthread_mutex_t lock;
  char cause[256];
};

struct host {
  struct peri_policy_host vtable;
  struct peri_shim_policy *policy;
  struct peri_loop *loop;
};

struct picker {
  struct peri_picker vtable;
  struct peri_shim_policy *policy;
  struct peri_peers *peers;
  bool deaf;
};

struct fallback {
  struct peri_fallback vtable;
  struct host *host;
  int fetches;
};

struct fetch {
  struct host *host;
  struct fallback *fallback;
  struct peri_timer *timer;
  void (*done)(void *ctx, const struct peri_fetch_result *result);
  void *ctx;
  size_t len;
  char key[];
};

struct peri_shim_policy *peri_shim_policy_new(const char (*addresses)[64],
                                              int count) {
  struct peri_shim_policy *policy = calloc(1, sizeof *policy);
  memcpy(policy->addresses, addresses, (size_t)count * 64);
  policy->count = count;
  atomic_init(&policy->owner, SHIM_OWNER_RING);
  atomic_init(&policy->ttl_ns, -1);
  atomic_init(&policy->negative_ttl_ns, -1);
  pthread_mutex_init(&policy->lock, NULL);
  return policy;
}

void peri_shim_policy_free(struct peri_shim_policy *policy) {
  if (policy == NULL) {
    return;
  }
  pthread_mutex_destroy(&policy->lock);
  free(policy);
}

void peri_shim_policy_owner(struct peri_shim_policy *policy, int owner) {
  atomic_store(&policy->owner, owner);
}

void peri_shim_policy_hold(struct peri_shim_policy *policy, bool hold) {
  atomic_store(&policy->hold, hold);
}

void peri_shim_policy_ttl(struct peri_shim_policy *policy, int64_t ttl_ns,
                          int64_t negative_ttl_ns) {
  atomic_store(&policy->ttl_ns, ttl_ns);
  atomic_store(&policy->negative_ttl_ns, negative_ttl_ns);
}

int peri_shim_policy_fetches(struct peri_shim_policy *policy) {
  return atomic_load(&policy->fetches);
}

int peri_shim_policy_under_way(struct peri_shim_policy *policy) {
  return atomic_load(&policy->under_way);
}

int peri_shim_policy_made(struct peri_shim_policy *policy) {
  return atomic_load(&policy->made);
}

int peri_shim_policy_freed(struct peri_shim_policy *policy) {
  return atomic_load(&policy->freed);
}

int peri_shim_policy_updates(struct peri_shim_policy *policy) {
  return atomic_load(&policy->updates);
}

void peri_shim_policy_cause(struct peri_shim_policy *policy, char *ret_text,
                            size_t capacity) {
  pthread_mutex_lock(&policy->lock);
  (void)snprintf(ret_text, capacity, "%s", policy->cause);
  pthread_mutex_unlock(&policy->lock);
}

static int picker_update(struct peri_picker *base, struct peri_peers *peers) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, vtable);
  peri_peers_unref(picker->peers);
  picker->peers = peri_peers_ref(peers);
  atomic_fetch_add(&picker->policy->updates, 1);
  return picker->deaf ? PERI_ESCRIPT : 0;
}

static int picker_pick(struct peri_picker *base, struct peri_slice key,
                       struct peri_choice *ret_choice) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, vtable);
  *ret_choice = (struct peri_choice){.version = 1};
  int owner = atomic_load(&picker->policy->owner);
  if (owner == SHIM_OWNER_NONSENSE) {
    ret_choice->index = 1000;
    return 0;
  }
  if (owner == SHIM_OWNER_CRC) {
    owner = (int)(peri_hash_crc32(key) % (uint32_t)picker->policy->count);
  }
  if (owner < 0) {
    return PERI_ESCRIPT;
  }
  for (size_t i = 0; i < peri_peers_count(picker->peers); i++) {
    if (strcmp(peri_peers_at(picker->peers, i)->address,
               picker->policy->addresses[owner]) == 0) {
      ret_choice->index = i;
      return 0;
    }
  }
  return PERI_ESCRIPT;
}

static void picker_free(struct peri_picker *base) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, vtable);
  peri_peers_unref(picker->peers);
  atomic_fetch_add(&picker->policy->freed, 1);
  free(picker);
}

static void free_fetch(struct fetch *fetch) {
  fetch->fallback->fetches--;
  atomic_fetch_sub(&fetch->host->policy->under_way, 1);
  peri_timer_free(fetch->timer);
  free(fetch);
}

static void answer(void *ctx) {
  struct fetch *fetch = ctx;
  struct peri_shim_policy *policy = fetch->host->policy;
  struct peri_slice key = {fetch->key, fetch->len};
  static char big[BIG];
  char value[256];
  if (atomic_load(&policy->hold) || peri_slice_starts(key, "hang")) {
    return;
  }
  struct peri_fetch_result result = {
      .ttl_ns = atomic_load(&policy->ttl_ns),
      .negative_ttl_ns = atomic_load(&policy->negative_ttl_ns)};
  if (peri_slice_starts(key, "missing")) {
    result.code = PERI_ENOTFOUND;
  } else if (peri_slice_starts(key, "fail")) {
    result.code = PERI_ESCRIPT;
    result.text = peri_slice_of("it raised");
  } else if (peri_slice_starts(key, "big")) {
    result.value = (struct peri_slice){big, BIG};
  } else if (!peri_slice_starts(key, "empty")) {
    (void)snprintf(value, sizeof value, "VALUE-OF %.*s", (int)key.len, key.ptr);
    result.value = peri_slice_of(value);
  }
  fetch->done(fetch->ctx, &result);
  free_fetch(fetch);
}

static int fallback_fetch(struct peri_fallback *base,
                          const struct peri_fetch_request *request,
                          void (*done)(void *ctx,
                                       const struct peri_fetch_result *result),
                          void *ctx, struct peri_fetch **ret_fetch) {
  struct fallback *fallback = PERI_CONTAINER_OF(base, struct fallback, vtable);
  struct host *host = fallback->host;
  struct peri_shim_policy *policy = host->policy;
  if (peri_slice_starts(request->key, "refuse")) {
    return PERI_ELIMIT;
  }
  struct fetch *fetch = calloc(1, sizeof *fetch + request->key.len);
  fetch->host = host;
  fetch->fallback = fallback;
  fallback->fetches++;
  fetch->done = done;
  fetch->ctx = ctx;
  fetch->len = request->key.len;
  memcpy(fetch->key, request->key.ptr, request->key.len);
  peri_timer_new(host->loop, answer, fetch, &fetch->timer);
  peri_timer_start(fetch->timer, 0, 1);
  pthread_mutex_lock(&policy->lock);
  (void)snprintf(policy->cause, sizeof policy->cause, "%s %.*s", request->cause,
                 (int)request->peer.len,
                 request->peer.len > 0 ? request->peer.ptr : "");
  pthread_mutex_unlock(&policy->lock);
  atomic_fetch_add(&policy->under_way, 1);
  atomic_fetch_add(&policy->fetches, 1);
  *ret_fetch = (struct peri_fetch *)(void *)fetch;
  return 0;
}

static void fallback_cancel(struct peri_fallback *base,
                            struct peri_fetch *fetch) {
  (void)base;
  free_fetch((struct fetch *)(void *)fetch);
}

static void fallback_free(struct peri_fallback *base) {
  struct fallback *fallback = PERI_CONTAINER_OF(base, struct fallback, vtable);
  if (fallback->fetches > 0) {
    abort();
  }
  atomic_fetch_add(&fallback->host->policy->freed, 1);
  free(fallback);
}

static int make_picker(struct peri_policy_host *base,
                       const struct peri_policy_ref *ref,
                       struct peri_picker **ret_picker,
                       struct peri_problem *ret_problem) {
  struct host *host = PERI_CONTAINER_OF(base, struct host, vtable);
  if (strcmp(ref->name, "nowhere") == 0) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND, "no picker nowhere");
  }
  struct picker *picker = calloc(1, sizeof *picker);
  picker->vtable.update = picker_update;
  picker->vtable.pick = picker_pick;
  picker->vtable.free = picker_free;
  picker->policy = host->policy;
  picker->deaf = strcmp(ref->name, "deaf") == 0;
  atomic_fetch_add(&host->policy->made, 1);
  *ret_picker = &picker->vtable;
  return 0;
}

static int make_fallback(struct peri_policy_host *base,
                         const struct peri_policy_ref *ref,
                         struct peri_fallback **ret_fallback,
                         struct peri_problem *ret_problem) {
  struct fallback *fallback = NULL;
  struct peri_shim_policy *policy =
      PERI_CONTAINER_OF(base, struct host, vtable)->policy;
  if (strcmp(ref->name, "nowhere") == 0) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND, "no fallback nowhere");
  }
  fallback = calloc(1, sizeof *fallback);
  atomic_fetch_add(&policy->made, 1);
  fallback->vtable.fetch = fallback_fetch;
  fallback->vtable.cancel = fallback_cancel;
  fallback->vtable.free = fallback_free;
  fallback->host = PERI_CONTAINER_OF(base, struct host, vtable);
  *ret_fallback = &fallback->vtable;
  return 0;
}

struct peri_policy_host *peri_shim_policy_host(struct peri_shim_policy *policy,
                                               struct peri_loop *loop) {
  struct host *host = calloc(1, sizeof *host);
  host->vtable.picker = make_picker;
  host->vtable.fallback = make_fallback;
  host->policy = policy;
  host->loop = loop;
  return &host->vtable;
}

void peri_shim_policy_host_free(struct peri_policy_host *host) {
  if (host != NULL) {
    free(PERI_CONTAINER_OF(host, struct host, vtable));
  }
}
