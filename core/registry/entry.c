#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
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

bool peri_entry_wanted(const struct peri_entry *entry) {
  return entry->on && !entry->removing && !entry->registrar->leaving.begun;
}

static void displaced(struct peri_entry *entry) {
  struct peri_registrar *registrar = entry->registrar;
  uint64_t now = peri_clock_mono_ns(), suppressed = 0;
  bool overwritten = entry->holder != 0;
  entry->placed = false;
  if (now - entry->put_back_ns > (uint64_t)IN_A_ROW_MS * MS_NS) {
    entry->put_backs = 0;
  }
  entry->put_back_ns = now;
  entry->put_backs++;
  unsigned most = overwritten ? AT_ONCE_OVERWRITTEN : AT_ONCE_DELETED;
  entry->retry.due_ns =
      entry->put_backs > most ? now + (uint64_t)CONFLICT_MS * MS_NS : 0;
  if (overwritten) {
    snprintf(entry->retry.text, sizeof(entry->retry.text),
             "overwritten by lease %016" PRIx64, (uint64_t)entry->holder);
  } else {
    snprintf(entry->retry.text, sizeof(entry->retry.text),
             "deleted by somebody else");
  }
  if (registrar->conflicts != NULL) {
    peri_metric_add(registrar->conflicts, 1);
  }
  if (peri_log_gate_open(&registrar->conflict_gate, now, 10000, &suppressed)) {
    peri_log(PERI_LOG_WARN, "registry",
             "%.200s at %s was %s, putting it back%s (%" PRIu64
             " more since the last line)",
             entry->service, entry->address, entry->retry.text,
             entry->retry.due_ns > 0 ? " in 5 s" : "", suppressed);
  }
}

/// Compares what the watch saw with what we did, once the latter is known.
static void judge(struct peri_entry *entry) {
  int64_t lease = entry->registrar->lease;
  if (entry->job != PERI_ENTRY_IDLE || entry->seen <= entry->known) {
    return;
  }
  bool ours = lease != 0 && entry->holder == lease;
  if (entry->placed && ours) {
    entry->known = entry->seen;
  } else if (entry->placed) {
    displaced(entry);
  } else if (ours && !peri_entry_wanted(entry)) {
    // A Put that was given up came through after all.
    entry->under = lease;
    entry->refused = false;
  }
}

static void ended(struct peri_entry *entry) {
  entry->call = NULL;
  entry->job = PERI_ENTRY_IDLE;
  entry->unwanted_ns = 0;
  entry->registrar->in_flight--;
  peri_registrar_wake(entry->registrar);
}

static void cancel(struct peri_entry *entry) {
  if (entry->call != NULL) {
    peri_etcd_call_cancel(entry->call);
    ended(entry);
  }
}

static void put_failed(struct peri_entry *entry,
                       const struct peri_etcd_error *error) {
  bool permanent =
      peri_registrar_failed(entry->registrar, &entry->retry, "putting ",
                            peri_entry_etcd_key(entry).ptr, error);
  if (permanent) {
    entry->under = entry->before;
  } else if (error != NULL && error->kind == PERI_ETCD_NO_LEASE) {
    peri_tenure_lost(entry->registrar);
  }
}

static void put_done(void *ctx, const struct peri_etcd_error *error,
                     int64_t revision) {
  struct peri_entry *entry = ctx;
  ended(entry);
  if (error != NULL) {
    put_failed(entry, error);
    return;
  }
  entry->placed = !entry->stale;
  entry->known = revision;
  peri_retry_reset(&entry->retry);
  judge(entry);
}

static void put(struct peri_entry *entry) {
  struct peri_registrar *registrar = entry->registrar;
  entry->stale = false;
  entry->before = entry->under;
  entry->under = registrar->lease;
  entry->job = PERI_ENTRY_PUTTING;
  registrar->in_flight++;
  int rc = peri_etcd_put(registrar->etcd, peri_entry_etcd_key(entry),
                         peri_buffer_slice(&entry->value), registrar->lease,
                         put_done, entry, &entry->call);
  if (rc < 0) {
    entry->under = entry->before;
    ended(entry);
    put_failed(entry, NULL);
  }
}

void peri_entry_gone(struct peri_entry *entry, int64_t revision) {
  entry->under = 0;
  entry->placed = false;
  entry->known = revision;
  peri_retry_reset(&entry->retry);
  judge(entry);
}

void peri_entry_orphan(struct peri_entry *entry) {
  if (entry->job == PERI_ENTRY_PUTTING) {
    cancel(entry);
  }
  // Revisions may start anew: the lease may be gone because all data are.
  entry->under = entry->before = entry->known = entry->seen = 0;
  entry->placed = false;
  peri_retry_reset(&entry->retry);
}

static void delete_done(void *ctx, const struct peri_etcd_error *error,
                        const struct peri_etcd_txn_result *result) {
  struct peri_entry *entry = ctx;
  ended(entry);
  if (error == NULL) {
    // Not ours is as good as gone.
    peri_entry_gone(entry, result->revision);
  } else {
    entry->refused =
        peri_registrar_failed(entry->registrar, &entry->retry, "taking out ",
                              peri_entry_etcd_key(entry).ptr, error);
  }
}

static void take_out(struct peri_entry *entry) {
  struct peri_registrar *registrar = entry->registrar;
  struct peri_etcd_compare compare = {
      .key = peri_entry_etcd_key(entry),
      .target = PERI_ETCD_LEASE,
      .relation = PERI_ETCD_EQUAL,
      .number = entry->under,
  };
  struct peri_etcd_op op = {.kind = PERI_ETCD_OP_DELETE,
                            .key = peri_entry_etcd_key(entry)};
  struct peri_etcd_txn txn = {.compares = &compare,
                              .compare_count = 1,
                              .then = &op,
                              .then_count = 1,
                              .replay = true};
  entry->job = PERI_ENTRY_DELETING;
  entry->refused = false;
  entry->placed = false;
  registrar->in_flight++;
  int rc =
      peri_etcd_txn(registrar->etcd, &txn, delete_done, entry, &entry->call);
  if (rc < 0) {
    ended(entry);
    peri_registrar_failed(registrar, &entry->retry, "taking out ",
                          peri_entry_etcd_key(entry).ptr, NULL);
  }
}

/// Whether the key of a new entry is still being taken out by an older one.
static bool is_behind(struct peri_entry *entry) {
  struct peri_list *head = &entry->registrar->entries;
  bool found = false;
  for (struct peri_list *node = entry->behind ? head->next : head; node != head;
       node = node->next) {
    struct peri_entry *other = (struct peri_entry *)(void *)node;
    found = found || (other != entry && other->removing &&
                      peri_slice_equal(peri_entry_etcd_key(other),
                                       peri_entry_etcd_key(entry)));
  }
  entry->behind = found;
  return found;
}

static void finish(struct peri_entry *entry, int outcome) {
  cancel(entry);
  entry->outcome = outcome;
  peri_list_remove(&entry->node);
  peri_list_push(&entry->registrar->removed, &entry->node);
  peri_registrar_wake(entry->registrar);
}

/// What is under way while the opposite is wanted, and removals at their limit.
static void step_back(struct peri_entry *entry, uint64_t now_ns,
                      uint64_t *next_ns) {
  if (entry->job == PERI_ENTRY_PUTTING && !peri_entry_wanted(entry)) {
    if (entry->unwanted_ns == 0) {
      entry->unwanted_ns = now_ns;
    }
    uint64_t until_ns =
        entry->unwanted_ns + (uint64_t)PERI_ENTRY_GIVEN_UP_MS * MS_NS;
    if (until_ns <= now_ns) {
      cancel(entry);
    } else {
      peri_registrar_at(next_ns, until_ns);
    }
  } else {
    entry->unwanted_ns = 0;
  }
}

void peri_entry_step(struct peri_entry *entry, uint64_t now_ns,
                     uint64_t *next_ns) {
  struct peri_registrar *registrar = entry->registrar;
  bool wanted = peri_entry_wanted(entry);
  step_back(entry, now_ns, next_ns);
  if (entry->removing && entry->job != PERI_ENTRY_BATCHED) {
    bool over =
        entry->job == PERI_ENTRY_IDLE && (entry->under == 0 || entry->refused);
    if (over || entry->remove_by_ns <= now_ns) {
      finish(entry, !over            ? PERI_ETIMEOUT
                    : entry->refused ? peri_registrar_code(entry->retry.kind)
                                     : 0);
      return;
    }
    peri_registrar_at(next_ns, entry->remove_by_ns);
  }
  bool put_due = wanted && !entry->placed && registrar->lease != 0;
  bool out_due = !wanted && entry->under != 0 &&
                 (entry->alone || !registrar->leaving.begun);
  if (entry->job != PERI_ENTRY_IDLE || !(put_due || out_due)) {
    return;
  }
  if (entry->retry.due_ns > now_ns) {
    peri_registrar_at(next_ns, entry->retry.due_ns);
  } else if (registrar->in_flight < PERI_ENTRIES_IN_FLIGHT &&
             !(put_due && is_behind(entry))) {
    if (put_due) {
      put(entry);
    } else {
      take_out(entry);
    }
    if (entry->job == PERI_ENTRY_IDLE) {
      peri_registrar_at(next_ns, entry->retry.due_ns);
    }
  }
}

void peri_entry_switch(struct peri_entry *entry, bool on) {
  if (entry->on != on) {
    entry->on = on;
    entry->refused = false;
    peri_retry_reset(&entry->retry);
    peri_registrar_wake(entry->registrar);
  }
}

int peri_entry_update(struct peri_entry *entry,
                      const struct peri_record *record) {
  if (!peri_slice_is(record->address, entry->address)) {
    return PERI_EINVAL;
  }
  struct peri_buffer value = {0};
  int rc = peri_record_write(record, &value);
  if (rc < 0) {
    peri_buffer_done(&value);
    return rc;
  }
  peri_buffer_done(&entry->value);
  entry->value = value;
  entry->stale = true;
  entry->placed = false;
  peri_retry_reset(&entry->retry);
  peri_registrar_wake(entry->registrar);
  return 0;
}

void peri_registrar_remove(struct peri_entry *entry,
                           void (*done)(void *ctx, int error), void *ctx) {
  if (entry->removing) {
    return;
  }
  entry->removing = true;
  entry->remove_by_ns =
      peri_clock_mono_ns() + (uint64_t)PERI_ENTRY_REMOVE_MS * MS_NS;
  entry->done = done;
  entry->done_ctx = ctx;
  entry->refused = false;
  peri_retry_reset(&entry->retry);
  peri_registrar_wake(entry->registrar);
}

void peri_entry_seen(struct peri_entry *entry, int64_t lease,
                     int64_t mod_revision) {
  if (mod_revision <= entry->seen) {
    return;
  }
  entry->seen = mod_revision;
  entry->holder = lease;
  judge(entry);
  peri_registrar_wake(entry->registrar);
}

enum peri_entry_state peri_entry_state(const struct peri_entry *entry) {
  const struct peri_registrar *registrar = entry->registrar;
  if (!peri_entry_wanted(entry)) {
    return PERI_ENTRY_OUT;
  }
  if (entry->placed) {
    return PERI_ENTRY_REGISTERED;
  }
  bool blocked = peri_retry_blocked(registrar->lease == 0 ? &registrar->retry
                                                          : &entry->retry);
  return blocked ? PERI_ENTRY_BLOCKED : PERI_ENTRY_REGISTERING;
}

const char *peri_entry_reason(const struct peri_entry *entry) {
  if (!peri_entry_wanted(entry)) {
    return "not to be registered now";
  }
  if (entry->placed) {
    return "";
  }
  return entry->registrar->lease == 0 ? entry->registrar->retry.text
                                      : entry->retry.text;
}

struct peri_slice peri_entry_etcd_key(const struct peri_entry *entry) {
  // One byte more than the key is a NUL.
  return (struct peri_slice){entry->key.ptr, entry->key.len - 1};
}

const char *peri_entry_service(const struct peri_entry *entry) {
  return entry->service;
}

const char *peri_entry_address(const struct peri_entry *entry) {
  return entry->address;
}

void peri_entry_free(struct peri_entry *entry) {
  cancel(entry);
  peri_list_remove(&entry->node);
  peri_buffer_done(&entry->key);
  peri_buffer_done(&entry->value);
  free(entry->service);
  free(entry->address);
  free(entry);
}
