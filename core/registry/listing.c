#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "etcd/kv.h"
#include "etcd/session.h"
#include "registry/registration_private.h"

enum {
  MS_NS = 1000000,
  AT_ONCE_OVERWRITTEN = 3,  // put back so often without waiting
  AT_ONCE_DELETED = 20,
  IN_A_ROW_MS = 10000,
  CONFLICT_MS = 5000
};

bool peri_listing_wanted(const struct peri_listing *listing) {
  return listing->on && !listing->removing &&
         !listing->registrar->leaving.begun;
}

static void displaced(struct peri_listing *listing) {
  struct peri_registrar *registrar = listing->registrar;
  uint64_t now = peri_clock_mono_ns(), suppressed = 0;
  bool overwritten = listing->holder != 0;
  listing->placed = false;
  if (now - listing->put_back_ns > (uint64_t)IN_A_ROW_MS * MS_NS) {
    listing->put_backs = 0;
  }
  listing->put_back_ns = now;
  listing->put_backs++;
  unsigned most = overwritten ? AT_ONCE_OVERWRITTEN : AT_ONCE_DELETED;
  listing->retry.due_ns =
      listing->put_backs > most ? now + (uint64_t)CONFLICT_MS * MS_NS : 0;
  if (overwritten) {
    snprintf(listing->retry.text, sizeof(listing->retry.text),
             "overwritten by lease %016" PRIx64, (uint64_t)listing->holder);
  } else {
    snprintf(listing->retry.text, sizeof(listing->retry.text),
             "deleted by somebody else");
  }
  if (registrar->conflicts != NULL) {
    peri_metric_add(registrar->conflicts, 1);
  }
  if (peri_log_gate_open(&registrar->conflict_gate, now, 10000, &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "%.200s at %s was %s, putting it back%s (%" PRIu64
             " more since the last line)",
             listing->service, listing->address, listing->retry.text,
             listing->retry.due_ns > 0 ? " in 5 s" : "", suppressed);
  }
}

/// Compares what the watch saw with what we did, once the latter is known.
static void judge(struct peri_listing *listing) {
  int64_t lease = listing->registrar->lease;
  if (listing->job != PERI_LISTING_IDLE || listing->seen <= listing->known) {
    return;
  }
  bool ours = lease != 0 && listing->holder == lease;
  if (listing->placed && ours) {
    listing->known = listing->seen;
  } else if (listing->placed) {
    displaced(listing);
  } else if (ours && !peri_listing_wanted(listing)) {
    // A Put that was given up came through after all.
    listing->under = lease;
    listing->refused = false;
  }
}

static void ended(struct peri_listing *listing) {
  listing->call = NULL;
  listing->job = PERI_LISTING_IDLE;
  listing->unwanted_ns = 0;
  listing->registrar->in_flight--;
  peri_registrar_wake(listing->registrar);
}

static void cancel(struct peri_listing *listing) {
  if (listing->call != NULL) {
    peri_etcd_call_cancel(listing->call);
    ended(listing);
  }
}

static void put_failed(struct peri_listing *listing,
                       const struct peri_etcd_error *error) {
  bool permanent =
      peri_registrar_failed(listing->registrar, &listing->retry, "putting ",
                            peri_listing_key(listing).ptr, error);
  if (permanent) {
    listing->under = listing->before;
  } else if (error != NULL && error->kind == PERI_ETCD_NO_LEASE) {
    peri_tenure_lost(listing->registrar);
  }
}

static void put_done(void *ctx, const struct peri_etcd_error *error,
                     int64_t revision) {
  struct peri_listing *listing = ctx;
  ended(listing);
  if (error != NULL) {
    put_failed(listing, error);
    return;
  }
  listing->placed = !listing->stale;
  listing->known = revision;
  peri_retry_reset(&listing->retry);
  judge(listing);
}

static void put(struct peri_listing *listing) {
  struct peri_registrar *registrar = listing->registrar;
  listing->stale = false;
  listing->before = listing->under;
  listing->under = registrar->lease;
  listing->job = PERI_LISTING_PUTTING;
  registrar->in_flight++;
  int rc = peri_etcd_put(registrar->etcd, peri_listing_key(listing),
                         peri_buffer_slice(&listing->value), registrar->lease,
                         put_done, listing, &listing->call);
  if (rc < 0) {
    listing->under = listing->before;
    ended(listing);
    put_failed(listing, NULL);
  }
}

void peri_listing_gone(struct peri_listing *listing, int64_t revision) {
  listing->under = 0;
  listing->placed = false;
  listing->known = revision;
  peri_retry_reset(&listing->retry);
  judge(listing);
}

void peri_listing_orphan(struct peri_listing *listing) {
  if (listing->job == PERI_LISTING_PUTTING) {
    cancel(listing);
  }
  // Revisions may start anew: the lease may be gone because all data are.
  listing->under = listing->before = listing->known = listing->seen = 0;
  listing->placed = false;
  peri_retry_reset(&listing->retry);
}

static void delete_done(void *ctx, const struct peri_etcd_error *error,
                        const struct peri_etcd_txn_result *result) {
  struct peri_listing *listing = ctx;
  ended(listing);
  if (error == NULL) {
    // Not ours is as good as gone.
    peri_listing_gone(listing, result->revision);
  } else {
    listing->refused = peri_registrar_failed(
        listing->registrar, &listing->retry, "taking out ",
        peri_listing_key(listing).ptr, error);
  }
}

static void take_out(struct peri_listing *listing) {
  struct peri_registrar *registrar = listing->registrar;
  struct peri_etcd_compare compare = {
      .key = peri_listing_key(listing),
      .target = PERI_ETCD_LEASE,
      .relation = PERI_ETCD_EQUAL,
      .number = listing->under,
  };
  struct peri_etcd_op op = {.kind = PERI_ETCD_OP_DELETE,
                            .key = peri_listing_key(listing)};
  struct peri_etcd_txn txn = {.compares = &compare,
                              .compare_count = 1,
                              .then = &op,
                              .then_count = 1,
                              .replay = true};
  listing->job = PERI_LISTING_DELETING;
  listing->refused = false;
  listing->placed = false;
  registrar->in_flight++;
  int rc = peri_etcd_txn(registrar->etcd, &txn, delete_done, listing,
                         &listing->call);
  if (rc < 0) {
    ended(listing);
    peri_registrar_failed(registrar, &listing->retry, "taking out ",
                          peri_listing_key(listing).ptr, NULL);
  }
}

/// Whether the key of a new listing is still being taken out by an older one.
static bool is_behind(struct peri_listing *listing) {
  struct peri_list *head = &listing->registrar->listings;
  bool found = false;
  for (struct peri_list *node = listing->behind ? head->next : head;
       node != head; node = node->next) {
    struct peri_listing *other =
        PERI_CONTAINER_OF(node, struct peri_listing, node);
    found = found || (other != listing && other->removing &&
                      peri_slice_equal(peri_listing_key(other),
                                       peri_listing_key(listing)));
  }
  listing->behind = found;
  return found;
}

static void finish(struct peri_listing *listing, int outcome) {
  cancel(listing);
  listing->outcome = outcome;
  peri_list_remove(&listing->node);
  peri_list_push(&listing->registrar->removed, &listing->node);
  peri_registrar_wake(listing->registrar);
}

/// What is under way while the opposite is wanted, and removals at their limit.
static void step_back(struct peri_listing *listing, uint64_t now_ns,
                      uint64_t *next_ns) {
  if (listing->job == PERI_LISTING_PUTTING && !peri_listing_wanted(listing)) {
    if (listing->unwanted_ns == 0) {
      listing->unwanted_ns = now_ns;
    }
    uint64_t until_ns =
        listing->unwanted_ns + (uint64_t)PERI_LISTING_GIVEN_UP_MS * MS_NS;
    if (until_ns <= now_ns) {
      cancel(listing);
    } else {
      peri_registrar_at(next_ns, until_ns);
    }
  } else {
    listing->unwanted_ns = 0;
  }
}

void peri_listing_step(struct peri_listing *listing, uint64_t now_ns,
                       uint64_t *next_ns) {
  struct peri_registrar *registrar = listing->registrar;
  bool wanted = peri_listing_wanted(listing);
  step_back(listing, now_ns, next_ns);
  if (listing->removing && listing->job != PERI_LISTING_BATCHED) {
    bool over = listing->job == PERI_LISTING_IDLE &&
                (listing->under == 0 || listing->refused);
    if (over || listing->remove_by_ns <= now_ns) {
      finish(listing, !over ? PERI_ETIMEOUT
                      : listing->refused
                          ? peri_etcd_kind_code(listing->retry.kind)
                          : 0);
      return;
    }
    peri_registrar_at(next_ns, listing->remove_by_ns);
  }
  bool put_due = wanted && !listing->placed && registrar->lease != 0;
  bool out_due = !wanted && listing->under != 0 &&
                 (listing->alone || !registrar->leaving.begun);
  if (listing->job != PERI_LISTING_IDLE || !(put_due || out_due)) {
    return;
  }
  if (listing->retry.due_ns > now_ns) {
    peri_registrar_at(next_ns, listing->retry.due_ns);
  } else if (registrar->in_flight < PERI_LISTINGS_IN_FLIGHT &&
             !(put_due && is_behind(listing))) {
    if (put_due) {
      put(listing);
    } else {
      take_out(listing);
    }
    if (listing->job == PERI_LISTING_IDLE) {
      peri_registrar_at(next_ns, listing->retry.due_ns);
    }
  }
}

void peri_listing_switch(struct peri_listing *listing, bool on) {
  if (listing->on != on) {
    listing->on = on;
    listing->refused = false;
    peri_retry_reset(&listing->retry);
    peri_registrar_wake(listing->registrar);
  }
}

int peri_listing_update(struct peri_listing *listing,
                        const struct peri_record *record) {
  if (!peri_slice_is(record->address, listing->address)) {
    return PERI_EINVAL;
  }
  struct peri_buffer value = {0};
  int rc = peri_record_write(record, &value);
  if (rc < 0) {
    peri_buffer_done(&value);
    return rc;
  }
  peri_buffer_done(&listing->value);
  listing->value = value;
  listing->stale = true;
  listing->placed = false;
  peri_retry_reset(&listing->retry);
  peri_registrar_wake(listing->registrar);
  return 0;
}

void peri_registrar_remove(struct peri_listing *listing,
                           void (*done)(void *ctx, int error), void *ctx) {
  if (listing->removing) {
    return;
  }
  listing->removing = true;
  listing->remove_by_ns =
      peri_clock_mono_ns() + (uint64_t)PERI_LISTING_REMOVE_MS * MS_NS;
  listing->done = done;
  listing->done_ctx = ctx;
  listing->refused = false;
  peri_retry_reset(&listing->retry);
  peri_registrar_wake(listing->registrar);
}

void peri_listing_seen(struct peri_listing *listing, int64_t lease,
                       int64_t mod_revision) {
  if (mod_revision <= listing->seen) {
    return;
  }
  listing->seen = mod_revision;
  listing->holder = lease;
  judge(listing);
  peri_registrar_wake(listing->registrar);
}

enum peri_listing_state peri_listing_state(const struct peri_listing *listing) {
  const struct peri_registrar *registrar = listing->registrar;
  if (!peri_listing_wanted(listing)) {
    return PERI_LISTING_OUT;
  }
  if (listing->placed) {
    return PERI_LISTING_REGISTERED;
  }
  bool blocked = peri_retry_blocked(registrar->lease == 0 ? &registrar->retry
                                                          : &listing->retry);
  return blocked ? PERI_LISTING_BLOCKED : PERI_LISTING_REGISTERING;
}

const char *peri_listing_reason(const struct peri_listing *listing) {
  if (!peri_listing_wanted(listing)) {
    return "not to be registered now";
  }
  if (listing->placed) {
    return "";
  }
  return listing->registrar->lease == 0 ? listing->registrar->retry.text
                                        : listing->retry.text;
}

struct peri_slice peri_listing_key(const struct peri_listing *listing) {
  // One byte more than the key is a NUL.
  return (struct peri_slice){listing->key.ptr, listing->key.len - 1};
}

const char *peri_listing_address(const struct peri_listing *listing) {
  return listing->address;
}

void peri_listing_free(struct peri_listing *listing) {
  cancel(listing);
  peri_list_remove(&listing->node);
  peri_buffer_done(&listing->key);
  peri_buffer_done(&listing->value);
  free(listing->service);
  free(listing->address);
  free(listing);
}
