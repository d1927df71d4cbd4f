#pragma once

#include "base/list.h"
#include "base/types.h"
#include "store/entry.h"
#include "store/flight.h"
#include "store/store.h"

/// What many threads on one store came to.
struct peri_crowd_result {
  uint64_t wrong;   // values that were not those of their key
  uint64_t loads;   // flights led
  uint64_t waits;   // joined somebody else's flight
  uint64_t handed;  // waiters handed over
  uint64_t left;    // waiters that left in time
};

/// Lets `threads` threads get, set, remove, sweep and load `keys` keys,
/// `rounds` times each.
void peri_crowd_churn(struct peri_store *store, unsigned threads,
                      unsigned rounds, unsigned keys,
                      struct peri_crowd_result *ret_result);

/// The same, while the first thread gives the store two budgets in turn, and
/// trims it.
void peri_crowd_resize(struct peri_store *store, unsigned threads,
                       unsigned rounds, unsigned keys,
                       const uint64_t budgets[2],
                       struct peri_crowd_result *ret_result);

/// Lets `threads` threads join one cold key with `each` waiters apiece. Once
/// all have, the leader finishes while, when `leave` is set, every thread tries
/// to take its waiters back.
void peri_crowd_one_key(struct peri_store *store, unsigned threads,
                        unsigned each, bool leave,
                        struct peri_crowd_result *ret_result);
