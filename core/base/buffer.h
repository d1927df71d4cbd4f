#pragma once

#include "base/types.h"

/// A growing run of bytes. Zero-initialise it; peri_buffer_done() frees it.
/// Not thread-safe.
struct peri_buffer {
  char *ptr;
  size_t len;
  size_t cap;
};

/// Makes room for `extra` more bytes. 0 or PERI_ENOMEM (unchanged then).
int peri_buffer_reserve(struct peri_buffer *buffer, size_t extra);

/// Appends a copy of `len` bytes. 0 or PERI_ENOMEM (unchanged then).
int peri_buffer_add(struct peri_buffer *buffer, const void *bytes, size_t len);

/// Appends formatted text without its NUL. 0 or PERI_ENOMEM.
int peri_buffer_printf(struct peri_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/// Drops the first `count` bytes (at most `len`).
void peri_buffer_drop(struct peri_buffer *buffer, size_t count);

/// The bytes held; valid until the next change.
struct peri_slice peri_buffer_slice(const struct peri_buffer *buffer);

/// Frees the memory and leaves an empty buffer.
void peri_buffer_done(struct peri_buffer *buffer);
