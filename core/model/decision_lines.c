#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "model/decision.h"

enum {
  FIELD_BYTES = 32 + 15,  // of HTTP/2's count, and of the name
  MOST_BEFORE = 7,        // attempts
  TEXT_BYTES = PERI_DECISION_LINES * (PERI_DECISION_LINE_BYTES + 1)
};

// The last attempts before, the earliest of these first.
static int write_before(const struct peri_decision *decision,
                        struct peri_buffer *text) {
  const struct peri_decision *attempts[MOST_BEFORE];
  size_t count = 0;
  for (decision = decision->before; decision != NULL && count < MOST_BEFORE;
       decision = decision->before) {
    attempts[count++] = decision;
  }
  int rc = 0;
  if (count > 0 && attempts[count - 1]->attempt > 1) {
    rc = peri_buffer_printf(text, "attempts 1 to %u failed, too\n",
                            (unsigned)attempts[count - 1]->attempt - 1);
  }
  while (rc == 0 && count > 0) {
    rc = peri_decision_brief(attempts[--count], text);
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

// Whether all of it had room.
static bool fill(struct peri_decision_lines *lines, struct peri_slice words,
                 size_t room_bytes) {
  lines->count = 0;
  lines->text.len = 0;
  while (words.len > 0 && lines->count < PERI_DECISION_LINES) {
    struct peri_slice line = trim(next_line(&words));
    char *to = lines->text.ptr + lines->text.len;
    size_t len =
        peri_text_percent_encode(line, to, PERI_DECISION_LINE_BYTES + 1);
    if (FIELD_BYTES + len > room_bytes) {
      return false;
    }
    room_bytes -= FIELD_BYTES + len;
    lines->lines[lines->count++] = (struct peri_slice){to, len};
    lines->text.len += len;
  }
  return words.len == 0;
}

void peri_decision_lines_of(struct peri_decision_lines *lines,
                            struct peri_slice words, size_t room_bytes) {
  *lines = (struct peri_decision_lines){.count = 0};
  // Reserved at once: the lines point into it.
  if (peri_buffer_reserve(&lines->text, TEXT_BYTES) == 0) {
    (void)fill(lines, words, room_bytes);
  }
}

void peri_decision_lines_init(struct peri_decision_lines *lines,
                              const struct peri_decision *decision,
                              size_t room_bytes) {
  struct peri_buffer words = {0};
  *lines = (struct peri_decision_lines){.count = 0};
  int rc = decision != NULL ? peri_buffer_reserve(&lines->text, TEXT_BYTES)
                            : PERI_ENOMEM;
  if (rc == 0) {
    rc = write_before(decision, &words);
  }
  size_t begin = words.len;
  bool done = false;
  // How it ended stands last and matters more than all that could be chosen.
  for (size_t most = PERI_DECISION_SHOWN; rc == 0 && !done; most /= 2) {
    words.len = begin;
    rc = peri_decision_words(decision, most, &words);
    done = rc == 0 &&
           (fill(lines, peri_buffer_slice(&words), room_bytes) || most == 0);
  }
  if (rc < 0) {
    lines->count = 0;
  }
  peri_buffer_done(&words);
}

void peri_decision_lines_done(struct peri_decision_lines *lines) {
  peri_buffer_done(&lines->text);
  lines->count = 0;
}
