// Lua patterns as configurations and policies write them, on any text: what the
// check of a configuration accepts the engine understands, and what it captures
// lies in the text.
#include <stdlib.h>
#include <string.h>

#include "model/config_parts.h"
#include "script/match.h"
#include "script/pattern.h"
#include "script/vm.h"

enum { LONGEST = 64 };

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

// No target has a policy's budget: patterns without a VM have a fixed one.
bool peri_vm_spend(struct peri_vm *vm, uint64_t steps) {
  (void)vm;
  (void)steps;
  return false;
}

static void check_captures(const struct peri_pattern *m) {
  const char *end = m->subject.ptr + m->subject.len;
  insist(m->count >= 0 && m->count <= PERI_PATTERN_CAPTURES);
  for (int i = 0; i < m->count; i++) {
    const struct peri_capture *capture = &m->captures[i];
    insist(capture->at >= m->subject.ptr && capture->at <= end);
    insist(capture->len >= PERI_PATTERN_POSITION &&
           capture->len <= end - capture->at);
  }
}

static void match_all(struct peri_slice pattern, struct peri_slice text,
                      bool accepted) {
  struct peri_pattern m = {.subject = text, .pattern = pattern};
  for (const char *at = text.ptr; at <= text.ptr + text.len; at++) {
    const char *end = peri_pattern_match(&m, at);
    insist(end == NULL || (end >= at && end <= text.ptr + text.len));
    if (end != NULL) {
      check_captures(&m);
    }
    if (m.error != NULL) {
      insist(!accepted || strcmp(m.error, "pattern too complex") == 0);
      return;
    }
    if (m.exhausted) {
      return;
    }
  }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
  char pattern[LONGEST + 1];
  if (size == 0) {
    return 0;
  }
  // The first byte says how long the pattern is, the text is the rest.
  size_t len = data[0] % LONGEST;
  len = len < size - 1 ? len : size - 1;
  memcpy(pattern, data + 1, len);
  pattern[len] = '\0';
  struct peri_slice text = {(const char *)data + 1 + len, size - 1 - len};
  bool accepted = peri_config_pattern(pattern) == NULL;
  bool whole = strlen(pattern) == len;
  (void)peri_script_match(pattern, text);
  size_t anchor = pattern[0] == '^';
  match_all((struct peri_slice){pattern + anchor, len - anchor}, text,
            accepted && whole && len > 0);
  return 0;
}
