#include "base/clock.h"
#include "base/container.h"
#include "etcd/keepalive.h"
#include "etcd/kv.h"
#include "etcd/lease.h"
#include "etcd/session.h"
#include "registry/registration_private.h"

static uint64_t limit_ns(uint64_t limit_ms) {
  uint64_t most_ms = (uint64_t)24 * 3600 * 1000;
  return peri_clock_mono_ns() +
         (limit_ms < most_ms ? limit_ms : most_ms) * 1000000;
}

static bool is_batched(const struct peri_listing *listing) {
  return listing->job == PERI_LISTING_BATCHED;
}

static void batch_done(void *ctx, const struct peri_etcd_error *error,
                       const struct peri_etcd_txn_result *result) {
  struct peri_registrar *registrar = ctx;
  registrar->batch = NULL;
  bool permanent = false;
  if (error == NULL) {
    peri_retry_reset(&registrar->batch_retry);
  } else {
    permanent = peri_registrar_failed(registrar, &registrar->batch_retry,
                                      "taking records out", "", error);
  }
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    if (!is_batched(listing)) {
      continue;
    }
    listing->job = PERI_LISTING_IDLE;
    if (error == NULL && result->succeeded) {
      peri_listing_gone(listing, result->revision);
    } else if (error == NULL || permanent) {
      // One of the keys is not ours: each for itself, then.
      listing->alone = true;
    }
  }
  if (permanent) {
    peri_retry_reset(&registrar->batch_retry);
  }
  peri_registrar_wake(registrar);
}

static void take_out(struct peri_registrar *registrar) {
  struct peri_etcd_compare compares[PERI_LISTINGS_A_TXN];
  struct peri_etcd_op ops[PERI_LISTINGS_A_TXN];
  size_t count = 0;
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next;
       node != head && count < PERI_LISTINGS_A_TXN; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    if (listing->job != PERI_LISTING_IDLE || listing->under == 0 ||
        listing->alone) {
      continue;
    }
    compares[count] = (struct peri_etcd_compare){
        .key = peri_listing_key(listing),
        .target = PERI_ETCD_LEASE,
        .relation = PERI_ETCD_EQUAL,
        .number = listing->under,
    };
    ops[count++] = (struct peri_etcd_op){.kind = PERI_ETCD_OP_DELETE,
                                         .key = peri_listing_key(listing)};
    listing->job = PERI_LISTING_BATCHED;
    listing->placed = false;
  }
  if (count == 0) {
    return;
  }
  struct peri_etcd_txn txn = {.compares = compares,
                              .compare_count = count,
                              .then = ops,
                              .then_count = count,
                              .replay = true};
  int rc = peri_etcd_txn(registrar->etcd, &txn, batch_done, registrar,
                         &registrar->batch);
  if (rc < 0) {
    struct peri_etcd_error error = {.kind = PERI_ETCD_BUSY,
                                    .text = "out of memory"};
    batch_done(registrar, &error, NULL);
  }
}

static void settle(struct peri_farewell *farewell, int error) {
  farewell->over = true;
  farewell->error = error;
}

static void leave_step(struct peri_registrar *registrar, uint64_t now_ns,
                       uint64_t *next_ns) {
  if (registrar->batch == NULL && registrar->batch_retry.due_ns <= now_ns) {
    take_out(registrar);
  }
  if (registrar->batch == NULL) {
    peri_registrar_at(next_ns, registrar->batch_retry.due_ns);
  }
  if (registrar->leaving.over) {
    return;
  }
  size_t pending = 0;
  int error = 0;
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    const struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    if (listing->job == PERI_LISTING_IDLE && listing->refused) {
      error = peri_etcd_kind_code(listing->retry.kind);
    } else if (listing->job != PERI_LISTING_IDLE || listing->under != 0) {
      pending++;
    }
  }
  if (pending == 0) {
    settle(&registrar->leaving, error);
  } else if (registrar->leaving.by_ns <= now_ns) {
    settle(&registrar->leaving, PERI_ETIMEOUT);
  } else {
    peri_registrar_at(next_ns, registrar->leaving.by_ns);
  }
}

static void revoked(void *ctx, const struct peri_etcd_error *error) {
  struct peri_registrar *registrar = ctx;
  registrar->revoke = NULL;
  if (error == NULL) {
    registrar->lease = registrar->candidate = 0;
    struct peri_list *head = &registrar->listings;
    for (struct peri_list *node = head->next; node != head; node = node->next) {
      peri_listing_orphan(PERI_CONTAINER_OF(node, struct peri_listing, node));
    }
    settle(&registrar->revoking, 0);
  } else if (peri_registrar_failed(registrar, &registrar->revoke_retry,
                                   "revoking the lease", "", error)) {
    settle(&registrar->revoking, peri_etcd_kind_code(error->kind));
  }
  peri_registrar_wake(registrar);
}

static void ask_revoke(struct peri_registrar *registrar, int64_t id) {
  // The keeper would only hear that it is gone.
  peri_etcd_kept_free(registrar->kept);
  registrar->kept = NULL;
  int rc = peri_etcd_lease_revoke(registrar->etcd, id, revoked, registrar,
                                  &registrar->revoke);
  if (rc < 0) {
    peri_registrar_failed(registrar, &registrar->revoke_retry,
                          "revoking the lease", "", NULL);
  }
}

static void revoke_step(struct peri_registrar *registrar, uint64_t now_ns,
                        uint64_t *next_ns) {
  // What was asked for and not heard of may have been granted.
  int64_t id = registrar->lease != 0 ? registrar->lease : registrar->candidate;
  if (id == 0) {
    settle(&registrar->revoking, 0);
  } else if (registrar->revoking.by_ns <= now_ns) {
    if (registrar->revoke != NULL) {
      peri_etcd_call_cancel(registrar->revoke);
      registrar->revoke = NULL;
    }
    settle(&registrar->revoking, PERI_ETIMEOUT);
  } else {
    peri_registrar_at(next_ns, registrar->revoking.by_ns);
    if (registrar->revoke == NULL && registrar->revoke_retry.due_ns <= now_ns) {
      ask_revoke(registrar, id);
    }
    if (registrar->revoke == NULL) {
      peri_registrar_at(next_ns, registrar->revoke_retry.due_ns);
    }
  }
}

void peri_leave_step(struct peri_registrar *registrar, uint64_t now_ns,
                     uint64_t *next_ns) {
  if (registrar->leaving.begun) {
    leave_step(registrar, now_ns, next_ns);
  }
  if (registrar->revoking.begun && !registrar->revoking.over) {
    revoke_step(registrar, now_ns, next_ns);
  }
}

static bool tell(struct peri_registrar *registrar,
                 struct peri_farewell *farewell) {
  if (!farewell->over || farewell->told) {
    return false;
  }
  farewell->told = true;
  peri_registrar_wake(registrar);
  if (farewell->done != NULL) {
    farewell->done(farewell->ctx, farewell->error);
  }
  return true;
}

bool peri_leave_tell(struct peri_registrar *registrar) {
  return tell(registrar, &registrar->leaving) ||
         tell(registrar, &registrar->revoking);
}

void peri_leave_done(struct peri_registrar *registrar) {
  if (registrar->batch != NULL) {
    peri_etcd_call_cancel(registrar->batch);
    registrar->batch = NULL;
  }
  if (registrar->revoke != NULL) {
    peri_etcd_call_cancel(registrar->revoke);
    registrar->revoke = NULL;
  }
}

void peri_registrar_leave(struct peri_registrar *registrar, uint64_t limit_ms,
                          void (*left)(void *ctx, int error), void *ctx) {
  struct peri_farewell *leaving = &registrar->leaving;
  leaving->begun = true;
  leaving->over = leaving->told = false;
  leaving->by_ns = limit_ns(limit_ms);
  leaving->done = left;
  leaving->ctx = ctx;
  if (registrar->grant != NULL) {
    peri_etcd_call_cancel(registrar->grant);
    registrar->grant = NULL;
  }
  struct peri_list *head = &registrar->listings;
  for (struct peri_list *node = head->next; node != head; node = node->next) {
    struct peri_listing *listing =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    listing->refused = false;
    peri_retry_reset(&listing->retry);
  }
  peri_registrar_wake(registrar);
}

void peri_registrar_revoke(struct peri_registrar *registrar, uint64_t limit_ms,
                           void (*done)(void *ctx, int error), void *ctx) {
  if (!registrar->leaving.begun) {
    peri_registrar_leave(registrar, limit_ms, NULL, NULL);
  }
  struct peri_farewell *revoking = &registrar->revoking;
  revoking->begun = true;
  revoking->over = revoking->told = false;
  revoking->by_ns = limit_ns(limit_ms);
  revoking->done = done;
  revoking->ctx = ctx;
  peri_retry_reset(&registrar->revoke_retry);
  peri_registrar_wake(registrar);
}
