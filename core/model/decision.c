#include "model/decision.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/slice.h"
#include "base/text.h"

enum { FIRST_BYTES = 2048, FORMAT_BYTES = 1024 };

struct peri_decision *peri_decision_new(enum peri_decision_kind kind) {
  struct peri_arena *arena = peri_arena_new(FIRST_BYTES);
  if (arena == NULL) {
    return NULL;
  }
  struct peri_decision *decision = peri_arena_alloc(arena, sizeof(*decision));
  if (decision == NULL) {
    peri_arena_free(arena);
    return NULL;
  }
  *decision = (struct peri_decision){.arena = arena,
                                     .references = 1,
                                     .kind = kind,
                                     .at_ns = peri_clock_unix_ns(),
                                     .subject = "",
                                     .key = "",
                                     .after = "",
                                     .found = "",
                                     .service = "",
                                     .policy = "",
                                     .reason = "",
                                     .trouble = "",
                                     .chosen = "",
                                     .outcome = "",
                                     .status = -1};
  return decision;
}

struct peri_decision *peri_decision_ref(struct peri_decision *decision) {
  decision->references++;
  return decision;
}

void peri_decision_unref(struct peri_decision *decision) {
  // A call of many attempts has as many in a row.
  while (decision != NULL && --decision->references == 0) {
    struct peri_decision *before = decision->before;
    peri_arena_free(decision->arena);
    decision = before;
  }
}

// How much of a text there is room for, in whole characters.
static size_t fitting(struct peri_slice text) {
  size_t len = text.len;
  if (len <= PERI_DECISION_TEXT_BYTES) {
    return len;
  }
  len = PERI_DECISION_TEXT_BYTES;
  while (len > 0 && ((unsigned char)text.ptr[len] & 0xC0) == 0x80) {
    len--;
  }
  return len;
}

const char *peri_decision_text(struct peri_decision *decision,
                               struct peri_slice text) {
  struct peri_slice part = {text.ptr, fitting(text)};
  if (part.len == 0) {
    return "";
  }
  char *copy = peri_arena_copy(decision->arena, part);
  if (copy == NULL) {
    return "";
  }
  copy[peri_text_clean(copy, part.len)] = '\0';
  return copy;
}

const char *peri_decision_format(struct peri_decision *decision,
                                 const char *format, ...) {
  char text[FORMAT_BYTES];
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  return len < 0 ? "" : peri_decision_text(decision, peri_slice_of(text));
}

size_t peri_decision_room(struct peri_decision *decision, size_t count) {
  size_t kept =
      count < PERI_DECISION_CANDIDATES ? count : PERI_DECISION_CANDIDATES;
  decision->candidates =
      kept > 0 ? peri_arena_alloc(decision->arena,
                                  kept * sizeof(struct peri_decision_candidate))
               : NULL;
  if (decision->candidates == NULL) {
    kept = 0;
  }
  decision->candidate_count = kept;
  decision->candidate_more = count - kept;
  for (size_t i = 0; i < kept; i++) {
    decision->candidates[i] = (struct peri_decision_candidate){
        .index = i, .address = "", .zone = "", .metadata = ""};
  }
  return kept;
}
