#include "script/pattern.h"

#include <ctype.h>
#include <string.h>

#include "script/vm.h"

enum { STEPS_A_REPORT = 64, STEPS_WITHOUT_VM = 10240 };

static const char *match(struct peri_pattern *m, const char *s, const char *p);

static const char *pattern_end(const struct peri_pattern *m) {
  return m->pattern.ptr + m->pattern.len;
}

static const char *subject_end(const struct peri_pattern *m) {
  return m->subject.ptr + m->subject.len;
}

static const char *fail(struct peri_pattern *m, const char *words) {
  if (!m->error) {
    m->error = words;
  }
  return NULL;
}

static bool stopped(const struct peri_pattern *m) {
  return m->error || m->exhausted;
}

static bool steps(struct peri_pattern *m, size_t count) {
  m->steps += count;
  if (m->steps - m->reported < STEPS_A_REPORT) {
    return true;
  }
  uint64_t fresh = m->steps - m->reported;
  m->reported = m->steps;
  if (m->vm != NULL ? !peri_vm_spend(m->vm, fresh)
                    : m->steps >= STEPS_WITHOUT_VM) {
    m->exhausted = true;
    return false;
  }
  return true;
}

static bool step(struct peri_pattern *m) {
  return steps(m, 1);
}

static bool in_class(unsigned char c, unsigned char class) {
  bool yes = false;

  switch (tolower(class)) {
    case 'a':
      yes = isalpha(c);
      break;
    case 'c':
      yes = iscntrl(c);
      break;
    case 'd':
      yes = isdigit(c);
      break;
    case 'g':
      yes = isgraph(c);
      break;
    case 'l':
      yes = islower(c);
      break;
    case 'p':
      yes = ispunct(c);
      break;
    case 's':
      yes = isspace(c);
      break;
    case 'u':
      yes = isupper(c);
      break;
    case 'w':
      yes = isalnum(c);
      break;
    case 'x':
      yes = isxdigit(c);
      break;
    case 'z':
      yes = c == 0;
      break;
    default:
      return class == c;
  }
  return isupper(class) ? !yes : yes;
}

// The end of the item that begins at `p`: a character, an escape or a set.
static const char *item_end(struct peri_pattern *m, const char *p) {
  const char *start = p, *end = pattern_end(m);

  if (*p == '%') {
    return p + 1 < end ? p + 2 : fail(m, "malformed pattern (ends with '%')");
  }
  if (*p != '[') {
    return p + 1;
  }
  p++;
  if (p < end && *p == '^') {
    p++;
  }
  do {  // A "]" in the first place stands for itself.
    if (p >= end) {
      return fail(m, "malformed pattern (missing ']')");
    }
    p += *p == '%' ? 2 : 1;
  } while (p >= end || *p != ']');
  return steps(m, (size_t)(p - start) / 16) ? p + 1 : NULL;
}

// Whether `c` is in the set between `p` (at its "[") and `last` (at its "]").
static bool in_set(unsigned char c, const char *p, const char *last) {
  bool wanted = true;

  p++;
  if (*p == '^') {
    wanted = false;
    p++;
  }
  while (p < last) {
    if (*p == '%') {
      if (in_class(c, (unsigned char)p[1])) {
        return wanted;
      }
      p += 2;
    } else if (p[1] == '-' && p + 2 < last) {
      if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2]) {
        return wanted;
      }
      p += 3;
    } else {
      if ((unsigned char)*p == c) {
        return wanted;
      }
      p++;
    }
  }
  return !wanted;
}

static bool single(struct peri_pattern *m, const char *s, const char *p,
                   const char *end) {
  // A set is looked through from its start, for each character again.
  if (!steps(m, 1 + (size_t)(end - p) / 16) || !s || s >= subject_end(m)) {
    return false;
  }
  unsigned char c = (unsigned char)*s;
  switch (*p) {
    case '.':
      return true;
    case '%':
      return in_class(c, (unsigned char)p[1]);
    case '[':
      return in_set(c, p, end - 1);
    default:
      return (unsigned char)*p == c;
  }
}

static const char *balanced(struct peri_pattern *m, const char *s,
                            const char *p) {
  if (p + 1 >= pattern_end(m)) {
    return fail(m, "missing arguments to '%b'");
  }
  if (s >= subject_end(m) || *s != p[0]) {
    return NULL;
  }
  for (size_t depth = 1; ++s < subject_end(m);) {
    if (!step(m)) {
      return NULL;
    }
    if (*s == p[1]) {
      if (--depth == 0) {
        return s + 1;
      }
    } else if (*s == p[0]) {
      depth++;
    }
  }
  return NULL;
}

static const char *longest(struct peri_pattern *m, const char *s, const char *p,
                           const char *end) {
  size_t count = 0;

  while (single(m, s + count, p, end)) {
    count++;
  }
  for (;; count--) {
    const char *result = stopped(m) ? NULL : match(m, s + count, end + 1);
    if (result || count == 0 || !step(m) || stopped(m)) {
      return result;
    }
  }
}

static const char *shortest(struct peri_pattern *m, const char *s,
                            const char *p, const char *end) {
  for (;;) {
    const char *result = match(m, s, end + 1);
    if (result || stopped(m) || !single(m, s, p, end)) {
      return result;
    }
    s++;
  }
}

static const char *open_capture(struct peri_pattern *m, const char *s,
                                const char *p) {
  bool position = p < pattern_end(m) && *p == ')';

  if (m->count >= PERI_PATTERN_CAPTURES) {
    return fail(m, "too many captures");
  }
  m->captures[m->count].at = s;
  m->captures[m->count].len =
      position ? PERI_PATTERN_POSITION : PERI_PATTERN_OPEN;
  m->count++;
  const char *result = match(m, s, position ? p + 1 : p);
  if (!result) {
    m->count--;
  }
  return result;
}

static const char *close_capture(struct peri_pattern *m, const char *s,
                                 const char *p) {
  int i = m->count - 1;

  while (i >= 0 && m->captures[i].len != PERI_PATTERN_OPEN) {
    i--;
  }
  if (i < 0) {
    return fail(m, "invalid pattern capture");
  }
  m->captures[i].len = s - m->captures[i].at;
  const char *result = match(m, s, p);
  if (!result) {
    m->captures[i].len = PERI_PATTERN_OPEN;
  }
  return result;
}

static const char *same_again(struct peri_pattern *m, const char *s,
                              char digit) {
  int i = digit - '1';

  if (i < 0 || i >= m->count || m->captures[i].len == PERI_PATTERN_OPEN) {
    return fail(m, "invalid capture index");
  }
  ptrdiff_t len = m->captures[i].len;
  // A position is no text that could come again.
  if (len < 0 || len > subject_end(m) - s || !steps(m, (size_t)len / 16) ||
      memcmp(s, m->captures[i].at, (size_t)len) != 0) {
    return NULL;
  }
  return s + len;
}

// "%f[set]": the set begins to match between the characters around `s`. Gives
// the place in the pattern to go on at.
static const char *frontier(struct peri_pattern *m, const char *s,
                            const char *p) {
  if (p >= pattern_end(m) || *p != '[') {
    return fail(m, "missing '[' after '%f' in pattern");
  }
  const char *end = item_end(m, p);
  if (!end) {
    return NULL;
  }
  if (!steps(m, (size_t)(end - p) / 8)) {
    return NULL;
  }
  unsigned char before = s == m->subject.ptr ? 0 : (unsigned char)s[-1];
  unsigned char after = s == subject_end(m) ? 0 : (unsigned char)*s;
  return !in_set(before, p, end - 1) && in_set(after, p, end - 1) ? end : NULL;
}

// Handles the item at `*at_p` when it is no plain character with a suffix.
// Returns whether it did; *at_s is NULL when it does not match.
static bool special(struct peri_pattern *m, const char **at_s,
                    const char **at_p) {
  const char *s = *at_s, *p = *at_p, *end = pattern_end(m);

  if (*p == '$' && p + 1 == end) {
    *at_s = s == subject_end(m) ? s : NULL;
    *at_p = end;
    return true;
  }
  if (*p != '%' || p + 1 >= end) {
    return false;
  }
  if (p[1] == 'b') {
    *at_s = balanced(m, s, p + 2);
    *at_p = p + 4;
    return true;
  }
  if (p[1] == 'f') {
    *at_p = frontier(m, s, p + 2);
    *at_s = *at_p ? s : NULL;
    return true;
  }
  if (isdigit((unsigned char)p[1])) {
    *at_s = same_again(m, s, p[1]);
    *at_p = p + 2;
    return true;
  }
  return false;
}

static const char *walk(struct peri_pattern *m, const char *s, const char *p) {
  while (p < pattern_end(m)) {
    if (*p == '(') {
      return open_capture(m, s, p + 1);
    }
    if (*p == ')') {
      return close_capture(m, s, p + 1);
    }
    if (special(m, &s, &p)) {
      if (!s) {
        return NULL;
      }
      continue;
    }
    const char *end = item_end(m, p);
    if (!end) {
      return NULL;
    }
    char suffix = '\0';
    if (end < pattern_end(m)) {
      suffix = *end;
    }
    if (suffix == '*') {
      return longest(m, s, p, end);
    }
    if (suffix == '-') {
      return shortest(m, s, p, end);
    }
    bool fits = single(m, s, p, end);
    if (suffix == '+') {
      return fits ? longest(m, s + 1, p, end) : NULL;
    }
    if (suffix == '?') {
      const char *result = fits ? match(m, s + 1, end + 1) : NULL;
      if (result || stopped(m)) {
        return result;
      }
      p = end + 1;
      continue;
    }
    if (!fits) {
      return NULL;
    }
    s++;
    p = end;
  }
  return s;
}

static const char *match(struct peri_pattern *m, const char *s, const char *p) {
  if (m->depth >= PERI_PATTERN_DEPTH) {
    return fail(m, "pattern too complex");
  }
  m->depth++;
  const char *result = step(m) ? walk(m, s, p) : NULL;
  m->depth--;
  return stopped(m) ? NULL : result;
}

const char *peri_pattern_match(struct peri_pattern *pattern, const char *at) {
  pattern->count = 0;
  pattern->depth = 0;
  if (!at) {
    return NULL;
  }
  return match(pattern, at, pattern->pattern.ptr);
}
