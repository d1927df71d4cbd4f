#pragma once

#include "app/setup.h"
#include "base/buffer.h"
#include "base/types.h"

/// Differences that are shown; of more, how many.
enum { PERI_DIFF_LINES = 64 };

/// How two configurations differ, for the log.
struct peri_diff {
  size_t count;  // places that differ
  /// One line for each of the first PERI_DIFF_LINES, by section and key:
  /// `routes[2].timeout: "1s" -> "2s"`. What may be a secret is not shown: the
  /// values of keys that sound like one, and texts that do not stand in the
  /// file itself but come from the environment or another file.
  struct peri_buffer lines;
  /// What a running sidecar cannot take over, "workers, listen.app"; or "".
  char restart[256];
  bool policies;  // `policies` or `files` differ: every policy is made anew
};

/// Compares what two readings of a file gave. The caller ends it with
/// peri_diff_done(). @return 0 or PERI_ENOMEM.
int peri_diff_make(const struct peri_setup *before,
                   const struct peri_setup *after, struct peri_diff *ret_diff);

/// Frees what it holds and leaves it empty.
void peri_diff_done(struct peri_diff *diff);
