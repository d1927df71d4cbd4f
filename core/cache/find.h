#pragma once

#include "base/list.h"
#include "base/types.h"

struct peri_cache_worker;
struct peri_cache_side;
struct peri_entry;

/// The end of a search for a value.
struct peri_cache_answer {
  int status;                // enum peri_status
  struct peri_entry *entry;  // for OK
  const char *text;          // words, unless OK
};

/// What is asked, and who is told when it takes longer. `done` comes once, on
/// the worker's loop, never from within peri_cache_find(); the answer is
/// borrowed.
struct peri_cache_query {
  struct peri_cache_worker *worker;
  struct peri_cache_side *side;
  struct peri_slice key;
  bool hop;
  void (*done)(void *ctx, const struct peri_cache_answer *answer);
  void *ctx;
};

/// Somebody waiting for a load of this or another worker.
struct peri_cache_wait;

/// Finds a value: in the cache, from the owner, or from the origin, sharing one
/// load with everybody who asks for it meanwhile. Returns true when the answer
/// is there at once (its entry is then a reference for the caller, its text
/// static), false when it will come.
bool peri_cache_find(const struct peri_cache_query *query,
                     struct peri_cache_answer *ret_answer,
                     struct peri_cache_wait **ret_wait);

/// Stops waiting; `done` is not called any more. The load goes on.
void peri_cache_leave(struct peri_cache_wait *wait);

/// An answer that many wait for, counted by reference.
struct peri_cache_outcome;
/// Copies the words and takes a reference to the entry. Never NULL: when out of
/// memory, a shared outcome that says so.
struct peri_cache_outcome *peri_cache_outcome_new(
    const struct peri_cache_answer *answer);
/// Drops a reference; the last one frees it. Any thread.
void peri_cache_outcome_unref(struct peri_cache_outcome *outcome);

/// Hands an outcome to the waiters that peri_store_finish() gave, each on its
/// own worker's loop; takes over the reference.
void peri_cache_wake(struct peri_list *waiters,
                     struct peri_cache_outcome *outcome);

/// Ends every wait of a worker that stops.
void peri_cache_abandon(struct peri_cache_worker *worker);
