#pragma once

#include "base/types.h"

/// One step of a path into a Lua table: a key, or a position.
struct peri_config_step {
  const char *key;  // NULL for a position
  size_t index;     // 1-based, when `key` is NULL
};

/// The line (from 1) in the Lua text `source` on which the entry at the path
/// `steps` of the returned table begins; when that entry cannot be found, the
/// line of the deepest entry above it that can; 0 when not even the first step
/// is there (the table is not written out after `return`). Only the text is
/// looked at, nothing runs. Any thread.
size_t peri_config_line(struct peri_slice source,
                        const struct peri_config_step *steps, size_t count);
