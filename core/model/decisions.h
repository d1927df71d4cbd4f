#pragma once

#include "base/types.h"
#include "model/decision.h"

/// How many are kept.
enum { PERI_DECISIONS_EACH = 32, PERI_DECISIONS_ALL = 64 };

/// The last decisions of one worker: PERI_DECISIONS_EACH ordinary ones, and as
/// many that mean trouble, which ordinary ones do not push out. Its thread
/// only.
struct peri_decisions {
  /// The first monotonic instants at which one more is kept. Whoever makes
  /// decisions compares the time with these, so that it costs nothing to keep
  /// none; 100 in a second are, and 32 at once.
  uint64_t ordinary_ns;
  uint64_t trouble_ns;
  struct peri_decision *kept[2][PERI_DECISIONS_EACH];  // ordinary, trouble
  size_t counts[2];                                    // ever kept
};

/// NULL when out of memory.
struct peri_decisions *peri_decisions_new(void);
/// NULL is fine.
void peri_decisions_free(struct peri_decisions *decisions);

/// Keeps a decision, with a reference of its own, in the place of the oldest
/// one of its kind.
void peri_decisions_keep(struct peri_decisions *decisions,
                         struct peri_decision *decision, bool trouble,
                         uint64_t now_ns);

/// Lists them, the oldest first; borrowed until the next one is kept. Returns
/// how many there are.
size_t peri_decisions_list(
    const struct peri_decisions *decisions,
    const struct peri_decision *ret_list[PERI_DECISIONS_ALL]);
