#pragma once

#include "base/types.h"

struct peri_vm;

enum peri_pattern_limits {
  PERI_PATTERN_CAPTURES = 32,
  PERI_PATTERN_DEPTH = 200,
  PERI_PATTERN_OPEN = -1,     // a capture that is not closed yet
  PERI_PATTERN_POSITION = -2  // a capture of a position, "()"
};

struct peri_capture {
  const char *at;
  ptrdiff_t len;  // or PERI_PATTERN_OPEN, PERI_PATTERN_POSITION
};

/// One search with a Lua pattern. Unlike the builtin it counts its steps, so
/// that a pattern which backtracks for ages ends with its policy's budget.
/// Fill in the first three and zero the rest.
struct peri_pattern {
  struct peri_slice subject;
  struct peri_slice pattern;  // without a leading anchor
  struct peri_vm *vm;         // whose budget is used; NULL: a fixed one
  struct peri_capture captures[PERI_PATTERN_CAPTURES];
  int count;          // of captures
  const char *error;  // static words when the pattern is malformed
  bool exhausted;     // the budget is used up: peri_vm_charge(L, 0) raises
  uint64_t steps;     // taken
  uint64_t reported;  // of them, to the VM
  int depth;
};

/// Matches at exactly `at`. @return the end of the match, or NULL: no match, or
/// `error` or `exhausted` is set.
const char *peri_pattern_match(struct peri_pattern *pattern, const char *at);
