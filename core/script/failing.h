#pragma once

#include "base/types.h"

struct peri_config_policies;
struct peri_version;

enum peri_failing_limits {
  PERI_FAILING_SEEN = 32,
  PERI_FAILING_BYTES = 256,
  PERI_FAILING_COUNT = 256  // failures at most, also in a configuration
};

/// How a version fails: what was told of it, and when it is switched off.
struct peri_failing {
  uint64_t seen[PERI_FAILING_SEEN];  // hashes of the failures told already
  uint32_t seen_count;
  uint32_t at, count;  // in `times`, a ring
  uint64_t *times;     // of the last failures
  uint64_t try_ns;     // when it is tried again, once it is off
  uint32_t limit;      // failures that switch it off
  uint64_t window_ns;  // when they come within this
  uint64_t pause_ns;
  char last[PERI_FAILING_BYTES];       // the first line of the last failure
  char off_words[PERI_FAILING_BYTES];  // why it is off
};

/// @return 0 or PERI_ENOMEM
int peri_failing_init(struct peri_failing *failing,
                      const struct peri_config_policies *limits);
void peri_failing_done(struct peri_failing *failing);

/// The VM's last failure: counts it in the metrics, tells the application of it
/// unless it was told before, and switches the version off when it was one too
/// many.
void peri_version_failed(struct peri_version *version);
/// The same for what no call asked for: it never switches the version off.
void peri_version_told(struct peri_version *version);
/// A call of a version that was off has succeeded: it is on again.
void peri_version_recovered(struct peri_version *version);
/// Whether it may be asked now: it is on, or its pause has passed. Asks for one
/// try only: whoever gets true while it is off makes it.
bool peri_version_may_try(struct peri_version *version);
/// Begins to count anew.
void peri_version_forgive(struct peri_version *version);
/// Forgets the failures and switches it on without words.
void peri_version_absolve(struct peri_version *version);
