#include "script/match.h"

#include "base/slice.h"
#include "script/pattern.h"

bool peri_script_match(const char *pattern, struct peri_slice text) {
  bool anchored = pattern[0] == '^';
  struct peri_pattern search = {
      .subject = text,
      .pattern = peri_slice_of(anchored ? pattern + 1 : pattern),
  };
  const char *at = text.ptr != NULL ? text.ptr : "";
  const char *end = at + text.len;
  search.subject.ptr = at;
  for (; at <= end; at++) {
    search.count = 0;
    if (peri_pattern_match(&search, at) != NULL) {
      return true;
    }
    if (anchored || search.error != NULL || search.exhausted) {
      return false;
    }
  }
  return false;
}
