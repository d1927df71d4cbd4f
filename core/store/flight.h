#pragma once

#include "base/list.h"
#include "base/types.h"

struct peri_entry;
struct peri_store;
/// One load under way for one key. It belongs to the store, and to whoever was
/// told PERI_JOIN_LEAD until that one calls peri_store_finish().
struct peri_flight;

/// One who waits for a flight; embed it. Nobody but the store writes it between
/// peri_store_join() and the hand-over or peri_store_leave().
struct peri_waiter {
  struct peri_list link;  // in peri_store_finish()'s list, once handed over
  struct peri_flight *flight;  // NULL once handed over or left
  uint32_t shard;
};

/// What somebody who asks for a value has to do.
enum peri_join {
  PERI_JOIN_HIT = 0,   // the value is there; no waiting
  PERI_JOIN_LEAD = 1,  // the caller starts the load
  PERI_JOIN_WAIT = 2   // somebody else's load is under way
};

/// In one step under the shard's lock: looks `key` up (HIT: `*ret_entry` is a
/// new reference, the waiter is not used), else waits for the running flight
/// (WAIT), else starts one (LEAD: `*ret_flight`; the caller begins the load and
/// ends it with peri_store_finish(), exactly once, even when it leaves as a
/// waiter or nobody waits any more). With WAIT and LEAD `waiter` is queued. A
/// HIT marks the entry recently used; hits and misses are not counted.
/// Any thread. @return enum peri_join, PERI_ENOMEM, or PERI_ELIMIT (as many
/// waiters as a flight may have).
int peri_store_join(struct peri_store *store, struct peri_slice key,
                    int64_t now_ns, struct peri_waiter *waiter,
                    struct peri_entry **ret_entry,
                    struct peri_flight **ret_flight);

/// Ends a load. `entry` (NULL for nothing to store; the caller keeps its
/// reference) is stored as by peri_store_set(), unless a Set or Remove of the
/// key detached the flight meanwhile. Initialises `ret_waiters` and puts all
/// waiters in it, oldest first, for the caller to wake; frees the flight.
/// Any thread.
void peri_store_finish(struct peri_store *store, struct peri_flight *flight,
                       const struct peri_entry *entry, int64_t now_ns,
                       struct peri_list *ret_waiters);

/// Takes `waiter` off its flight. Returns true when it will not be handed over
/// any more; false when it has been already and its wake is coming. Any thread.
bool peri_store_leave(struct peri_store *store, struct peri_waiter *waiter);

/// The key being loaded; valid until peri_store_finish().
struct peri_slice peri_flight_key(const struct peri_flight *flight);
