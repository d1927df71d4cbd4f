#include "base/text.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/slice.h"

enum { LONGEST_WORD = 63, LONGEST_ESCAPE = 12 };

struct unit {
  const char *name;
  uint64_t factor;
};

static const struct unit durations[] = {
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"m", 60000000000},
    {"h", 3600000000000},
    {"d", 86400000000000},
};

static const struct unit sizes[] = {
    {"", 1},
    {"B", 1},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {"KiB", 1024},
    {"MiB", 1048576},
    {"GiB", 1073741824},
    {"TiB", 1099511627776},
};

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static size_t digits(struct peri_slice text, size_t at) {
  size_t end = at;
  while (end < text.len && is_digit(text.ptr[end])) {
    end++;
  }
  return end - at;
}

// Reads "12.5" and a unit. A fraction of the smallest unit has no meaning.
static int measure(struct peri_slice text, const struct unit *units,
                   size_t count, uint64_t *ret_value) {
  size_t whole = digits(text, 0);
  size_t at = whole;
  size_t fraction = 0;
  if (at < text.len && text.ptr[at] == '.') {
    fraction = digits(text, at + 1);
    at += 1 + fraction;
    if (fraction == 0) {
      return PERI_EINVAL;
    }
  }
  struct peri_slice name = {text.ptr + at, text.len - at};
  uint64_t factor = 0;
  for (size_t i = 0; i < count && factor == 0; i++) {
    factor = peri_slice_is(name, units[i].name) ? units[i].factor : 0;
  }
  if (whole == 0 || factor == 0 || (fraction > 0 && factor == 1)) {
    return PERI_EINVAL;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < whole; i++) {
    if (__builtin_mul_overflow(value, 10, &value) ||
        __builtin_add_overflow(value, (uint64_t)(text.ptr[i] - '0'), &value)) {
      return PERI_EINVAL;
    }
  }
  uint64_t part = 0;
  for (size_t i = whole + fraction; i > whole; i--) {
    part = (part + (uint64_t)(text.ptr[i] - '0') * factor) / 10;
  }
  if (__builtin_mul_overflow(value, factor, &value) ||
      __builtin_add_overflow(value, part, &value)) {
    return PERI_EINVAL;
  }
  *ret_value = value;
  return 0;
}

int peri_text_duration(struct peri_slice text, int64_t *ret_ns) {
  uint64_t value = 0;
  if (!peri_slice_is(text, "0")) {
    int rc = measure(text, durations, sizeof(durations) / sizeof(durations[0]),
                     &value);
    if (rc < 0) {
      return rc;
    }
  }
  if (value > INT64_MAX) {
    return PERI_EINVAL;
  }
  *ret_ns = (int64_t)value;
  return 0;
}

int peri_text_size(struct peri_slice text, uint64_t *ret_bytes) {
  return measure(text, sizes, sizeof(sizes) / sizeof(sizes[0]), ret_bytes);
}

static size_t least(size_t a, size_t b) {
  return a < b ? a : b;
}

// Levenshtein's distance, with the swap of two neighbours counted as one edit,
// as it is the most common slip. Both words are at most LONGEST_WORD long.
static size_t distance(const char *a, size_t a_len, const char *b,
                       size_t b_len) {
  size_t rows[3][LONGEST_WORD + 1];
  size_t *before = rows[0];
  size_t *last = rows[1];
  size_t *row = rows[2];
  for (size_t j = 0; j <= b_len; j++) {
    last[j] = j;
    before[j] = 0;
  }
  for (size_t i = 1; i <= a_len; i++) {
    row[0] = i;
    for (size_t j = 1; j <= b_len; j++) {
      size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + cost);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = least(row[j], before[j - 2] + 1);
      }
    }
    size_t *spare = before;
    before = last;
    last = row;
    row = spare;
  }
  return last[b_len];
}

const char *peri_text_nearest(const char *word, const char *const *words,
                              size_t count) {
  size_t len = strlen(word);
  size_t best = 2 + len / 3;
  const char *nearest = NULL;
  if (len > LONGEST_WORD) {
    return NULL;
  }
  for (size_t i = 0; i < count; i++) {
    size_t other = strlen(words[i]);
    if (other > LONGEST_WORD) {
      continue;
    }
    size_t found = distance(word, len, words[i], other);
    if (found < best) {
      best = found;
      nearest = words[i];
    }
  }
  return nearest;
}

// Writes one character's bytes, escaped where needed, a space only at an edge;
// returns the length.
static size_t escape(const char *bytes, size_t len, bool edge,
                     char ret_text[LONGEST_ESCAPE]) {
  static const char hex[] = "0123456789ABCDEF";
  size_t at = 0;
  for (size_t i = 0; i < len; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    bool plain = byte > 0x20 && byte <= 0x7E && byte != '%';
    if (plain || (byte == ' ' && !edge)) {
      ret_text[at++] = (char)byte;
      continue;
    }
    ret_text[at++] = '%';
    ret_text[at++] = hex[byte >> 4];
    ret_text[at++] = hex[byte & 15];
  }
  return at;
}

size_t peri_text_percent_encode(struct peri_slice bytes, char *ret_text,
                                size_t capacity) {
  size_t at = 0;
  if (capacity == 0) {
    return 0;
  }
  while (bytes.len > 0) {
    char escaped[LONGEST_ESCAPE];
    size_t character = peri_slice_utf8_length(bytes);
    character = character == 0 ? 1 : character;
    // A header's value must not begin or end with a space (RFC 9113, 8.2.1).
    bool edge = at == 0 || bytes.len == 1;
    size_t len = escape(bytes.ptr, character, edge, escaped);
    if (len >= capacity - at) {
      while (at > 0 && ret_text[at - 1] == ' ') {
        at--;
      }
      break;
    }
    memcpy(ret_text + at, escaped, len);
    at += len;
    bytes.ptr += character;
    bytes.len -= character;
  }
  ret_text[at] = '\0';
  return at;
}

static int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The length of `text` without the first bytes of a character that was cut at
// its end; bytes that never were UTF-8 stay.
static size_t whole_characters(const char *text, size_t len) {
  for (size_t back = 1; back <= 3 && back <= len; back++) {
    unsigned char lead = (unsigned char)text[len - back];
    if ((lead & 0xC0) == 0x80) {
      continue;
    }
    size_t needed = lead < 0xC2 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return lead <= 0xF4 && needed > back ? len - back : len;
  }
  return len;
}

size_t peri_text_percent_decode(struct peri_slice text, char *ret_text,
                                size_t capacity) {
  size_t at = 0;
  size_t i = 0;
  if (capacity == 0) {
    return 0;
  }
  for (; i < text.len && at + 1 < capacity; i++) {
    char c = text.ptr[i];
    if (c == '%' && text.len - i > 2) {
      int high = hex_value(text.ptr[i + 1]);
      int low = hex_value(text.ptr[i + 2]);
      if (high >= 0 && low >= 0) {
        c = (char)(unsigned char)(high * 16 + low);
        i += 2;
      }
    }
    ret_text[at++] = c;
  }
  if (i < text.len) {
    at = whole_characters(ret_text, at);
  }
  ret_text[at] = '\0';
  return at;
}

bool peri_text_is_secret(const char *name) {
  static const char *const parts[] = {
      "auth",    "cookie",  "token",       "secret", "passw",      "passphrase",
      "pwd",     "api-key", "api_key",     "apikey", "credential", "signature",
      "session", "private", "certificate", "jwt",    "bearer",     "-bin"};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    const char *found = strcasestr(name, parts[i]);
    // An authority says whom a call is for.
    if (found != NULL && strncasecmp(found, "authority", 9) != 0) {
      return true;
    }
  }
  return false;
}

// Whether a character of that length drives what shows it rather than being
// shown.
static bool is_unprintable(const unsigned char *at, size_t length) {
  switch (length) {
    case 1:
      return at[0] < 0x20 || at[0] == 0x7F;
    case 2:  // C1 controls; U+061C
      return (at[0] == 0xC2 && at[1] < 0xA0) ||
             (at[0] == 0xD8 && at[1] == 0x9C);
    case 3:  // U+200E, U+200F, U+2028 to U+202E; U+2066 to U+2069
      return at[0] == 0xE2 &&
             ((at[1] == 0x80 && (at[2] == 0x8E || at[2] == 0x8F ||
                                 (at[2] >= 0xA8 && at[2] <= 0xAE))) ||
              (at[1] == 0x81 && at[2] >= 0xA6 && at[2] <= 0xA9));
    default:
      return length == 0;
  }
}

size_t peri_text_clean(char *bytes, size_t len) {
  size_t used = 0;
  for (size_t i = 0; i < len;) {
    struct peri_slice rest = {bytes + i, len - i};
    size_t length = peri_slice_utf8_length(rest);
    if (bytes[i] == '\t' || bytes[i] == '\n') {
      bytes[used++] = ' ';
    } else if (is_unprintable((const unsigned char *)rest.ptr, length)) {
      bytes[used++] = '?';
    } else {
      memmove(bytes + used, rest.ptr, length);
      used += length;
    }
    i += length > 0 ? length : 1;
  }
  return used;
}
