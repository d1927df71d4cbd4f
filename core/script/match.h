#pragma once

#include "base/types.h"

/// Whether a Lua pattern is found in a text, for routes: no VM, and at most
/// some 10,000 steps. A pattern that is malformed or takes longer is not found.
/// Any thread.
bool peri_script_match(const char *pattern, struct peri_slice text);
