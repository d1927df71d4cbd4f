#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "model/decision.h"

enum {
  FIELD_BYTES = 32 + 15,  // of HTTP/2's count, and of the name
  MOST_ATTEMPTS = 8,
  TEXT_BYTES = PERI_DECISION_LINES * (PERI_DECISION_LINE_BYTES + 1)
};

// The attempts before come first.
static int write_all(const struct peri_decision *decision,
                     struct peri_buffer *text) {
  const struct peri_decision *attempts[MOST_ATTEMPTS];
  size_t count = 0;
  for (; decision != NULL && count < MOST_ATTEMPTS;
       decision = decision->before) {
    attempts[count++] = decision;
  }
  int rc = 0;
  while (rc == 0 && count > 1) {
    rc = peri_decision_brief(attempts[--count], text);
  }
  if (rc == 0 && count > 0) {
    rc = peri_decision_words(attempts[0], text);
  }
  return rc;
}

// What an indented line says; fields may not begin with spaces.
static struct peri_slice trim(struct peri_slice line) {
  while (line.len > 0 && line.ptr[0] == ' ') {
    line.ptr++;
    line.len--;
  }
  while (line.len > 0 && line.ptr[line.len - 1] == ' ') {
    line.len--;
  }
  return line;
}

static struct peri_slice next_line(struct peri_slice *text) {
  const char *end = memchr(text->ptr, '\n', text->len);
  size_t len = end != NULL ? (size_t)(end - text->ptr) : text->len;
  struct peri_slice line = {text->ptr, len};
  len += end != NULL ? 1 : 0;
  text->ptr += len;
  text->len -= len;
  return line;
}

void peri_decision_lines_init(struct peri_decision_lines *lines,
                              const struct peri_decision *decision,
                              size_t room_bytes) {
  struct peri_buffer words = {0};
  *lines = (struct peri_decision_lines){.count = 0};
  // Reserved at once: the lines point into it.
  int rc = peri_buffer_reserve(&lines->text, TEXT_BYTES);
  if (rc == 0) {
    rc = write_all(decision, &words);
  }
  struct peri_slice rest = peri_buffer_slice(&words);
  while (rc == 0 && rest.len > 0 && lines->count < PERI_DECISION_LINES) {
    struct peri_slice line = trim(next_line(&rest));
    char *to = lines->text.ptr + lines->text.len;
    size_t len =
        peri_text_percent_encode(line, to, PERI_DECISION_LINE_BYTES + 1);
    if (FIELD_BYTES + len > room_bytes) {
      break;
    }
    room_bytes -= FIELD_BYTES + len;
    lines->lines[lines->count++] = (struct peri_slice){to, len};
    lines->text.len += len;
  }
  peri_buffer_done(&words);
}

void peri_decision_lines_done(struct peri_decision_lines *lines) {
  peri_buffer_done(&lines->text);
  lines->count = 0;
}
