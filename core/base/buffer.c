#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { SMALLEST_BYTES = 64 };

int peri_buffer_reserve(struct peri_buffer *buffer, size_t extra) {
  if (extra <= buffer->cap - buffer->len) {
    return 0;
  }
  size_t needed = 0;
  if (__builtin_add_overflow(buffer->len, extra, &needed) ||
      needed > PTRDIFF_MAX) {
    return PERI_ENOMEM;
  }
  size_t cap = buffer->cap < SMALLEST_BYTES ? SMALLEST_BYTES : buffer->cap;
  while (cap < needed) {
    cap = cap > PTRDIFF_MAX / 2 ? needed : cap * 2;
  }
  char *ptr = realloc(buffer->ptr, cap);
  if (ptr == NULL) {
    return PERI_ENOMEM;
  }
  buffer->ptr = ptr;
  buffer->cap = cap;
  return 0;
}

int peri_buffer_add(struct peri_buffer *buffer, const void *bytes, size_t len) {
  if (len == 0) {
    return 0;
  }
  int rc = peri_buffer_reserve(buffer, len);
  if (rc < 0) {
    return rc;
  }
  memcpy(buffer->ptr + buffer->len, bytes, len);
  buffer->len += len;
  return 0;
}

int peri_buffer_printf(struct peri_buffer *buffer, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int len = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (len < 0) {
    return PERI_ENOMEM;
  }
  int rc = peri_buffer_reserve(buffer, (size_t)len + 1);
  if (rc < 0) {
    return rc;
  }
  va_start(args, format);
  vsnprintf(buffer->ptr + buffer->len, (size_t)len + 1, format, args);
  va_end(args);
  buffer->len += (size_t)len;
  return 0;
}

void peri_buffer_drop(struct peri_buffer *buffer, size_t count) {
  if (count >= buffer->len) {
    buffer->len = 0;
    return;
  }
  memmove(buffer->ptr, buffer->ptr + count, buffer->len - count);
  buffer->len -= count;
}

struct peri_slice peri_buffer_slice(const struct peri_buffer *buffer) {
  struct peri_slice slice = {buffer->ptr, buffer->len};
  return slice;
}

void peri_buffer_done(struct peri_buffer *buffer) {
  free(buffer->ptr);
  buffer->ptr = NULL;
  buffer->len = 0;
  buffer->cap = 0;
}
