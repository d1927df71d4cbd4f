#include "base/slice.h"

#include <stdlib.h>
#include <string.h>

struct peri_slice peri_slice_of(const char *text) {
  struct peri_slice slice = {text, text != NULL ? strlen(text) : 0};
  return slice;
}

bool peri_slice_equal(struct peri_slice a, struct peri_slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int peri_slice_compare(struct peri_slice a, struct peri_slice b) {
  size_t shorter = a.len < b.len ? a.len : b.len;
  int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;
  return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool peri_slice_is(struct peri_slice a, const char *text) {
  return peri_slice_equal(a, peri_slice_of(text));
}

bool peri_slice_starts(struct peri_slice a, const char *prefix) {
  struct peri_slice start = peri_slice_of(prefix);
  if (a.len < start.len) {
    return false;
  }
  a.len = start.len;
  return peri_slice_equal(a, start);
}

size_t peri_slice_utf8_length(struct peri_slice a) {
  if (a.len == 0) {
    return 0;
  }
  const unsigned char *byte = (const unsigned char *)a.ptr;
  if (byte[0] < 0x80) {
    return 1;
  }
  size_t length = 0;
  // The second byte alone decides overlongs, surrogates and the upper end.
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (byte[0] >= 0xC2 && byte[0] <= 0xDF) {
    length = 2;
  } else if (byte[0] >= 0xE0 && byte[0] <= 0xEF) {
    length = 3;
    low = byte[0] == 0xE0 ? 0xA0 : 0x80;
    high = byte[0] == 0xED ? 0x9F : 0xBF;
  } else if (byte[0] >= 0xF0 && byte[0] <= 0xF4) {
    length = 4;
    low = byte[0] == 0xF0 ? 0x90 : 0x80;
    high = byte[0] == 0xF4 ? 0x8F : 0xBF;
  }
  if (length == 0 || length > a.len || byte[1] < low || byte[1] > high) {
    return 0;
  }
  for (size_t i = 2; i < length; i++) {
    if ((byte[i] & 0xC0) != 0x80) {
      return 0;
    }
  }
  return length;
}

bool peri_slice_is_utf8(struct peri_slice a) {
  while (a.len > 0) {
    size_t length = peri_slice_utf8_length(a);
    if (length == 0) {
      return false;
    }
    a.ptr += length;
    a.len -= length;
  }
  return true;
}

char *peri_slice_dup(struct peri_slice a) {
  char *copy = malloc(a.len + 1);
  if (copy == NULL) {
    return NULL;
  }
  if (a.len > 0) {
    memcpy(copy, a.ptr, a.len);
  }
  copy[a.len] = '\0';
  return copy;
}
