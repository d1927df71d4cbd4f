#include <stddef.h>

#include "model/config_parts.h"

enum { MAX_CAPTURES = 32 };

struct captures {
  bool open[MAX_CAPTURES];
  int count;
};

// The end of a set that begins at `p` with '[', or NULL: none.
static const char *set_end(const char *p) {
  p++;
  if (*p == '^') {
    p++;
  }
  do {  // a ']' in front is one of the set
    if (*p == '\0') {
      return NULL;
    }
    if (*p++ == '%') {
      if (*p == '\0') {
        return NULL;
      }
      p++;
    }
  } while (*p != ']');
  return p + 1;
}

static const char *open_capture(struct captures *captures) {
  if (captures->count == MAX_CAPTURES) {
    return "too many captures";
  }
  captures->open[captures->count++] = true;
  return NULL;
}

static const char *close_capture(struct captures *captures) {
  for (int i = captures->count; i > 0; i--) {
    if (captures->open[i - 1]) {
      captures->open[i - 1] = false;
      return NULL;
    }
  }
  return "')' closes no capture";
}

// What follows a '%'; `*at` moves behind it.
static const char *escape(const char **at, const struct captures *captures) {
  const char *p = *at;
  if (*p == '\0') {
    return "ends with '%'";
  }
  if (*p == 'b' && (p[1] == '\0' || p[2] == '\0')) {
    return "'%b' needs two characters";
  }
  if (*p == 'f' && p[1] != '[') {
    return "'%f' needs a set";
  }
  if (*p >= '0' && *p <= '9') {
    int index = *p - '1';
    if (index < 0 || index >= captures->count || captures->open[index]) {
      return "names a capture that is not there";
    }
  }
  *at = p + (*p == 'b' ? 3 : 1);
  return NULL;
}

const char *peri_config_pattern(const char *pattern) {
  struct captures captures = {.count = 0};
  const char *words = NULL;
  const char *p = pattern;
  while (words == NULL && *p != '\0') {
    if (*p == '[') {
      p = set_end(p);
      if (p == NULL) {
        return "'[' without ']'";
      }
      continue;
    }
    char c = *p++;
    if (c == '%') {
      words = escape(&p, &captures);
    } else if (c == '(') {
      words = open_capture(&captures);
    } else if (c == ')') {
      words = close_capture(&captures);
    }
  }
  for (int i = 0; words == NULL && i < captures.count; i++) {
    words = captures.open[i] ? "'(' without ')'" : NULL;
  }
  return words;
}
