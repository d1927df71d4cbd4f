#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Bytes that somebody else owns. Not NUL-terminated; `ptr` may be NULL when
/// `len` is 0. Whoever hands a slice out says how long it lives.
struct peri_slice {
  const char *ptr;
  size_t len;
};
