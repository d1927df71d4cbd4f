#pragma once

#include "base/types.h"

/// A slice over a NUL-terminated string, which must outlive it. NULL gives an
/// empty slice. Any thread.
struct peri_slice peri_slice_of(const char *text);

/// Same length and same bytes. Any thread.
bool peri_slice_equal(struct peri_slice a, struct peri_slice b);

/// Below 0, 0 or above 0 as `a` comes before `b`, is the same or comes after it
/// in the order of their bytes (unsigned). Any thread.
int peri_slice_compare(struct peri_slice a, struct peri_slice b);

/// Same bytes as the NUL-terminated `text`. Any thread.
bool peri_slice_is(struct peri_slice a, const char *text);

/// Whether `a` begins with `prefix`. Any thread.
bool peri_slice_starts(struct peri_slice a, const char *prefix);

/// Whether the bytes are valid UTF-8 (RFC 3629: no overlongs, no surrogates,
/// nothing above U+10FFFF). NUL is a valid character. Any thread.
bool peri_slice_is_utf8(struct peri_slice a);

/// The length in bytes of the UTF-8 character that `a` begins with, or 0 when
/// it is empty or begins with none. Any thread.
size_t peri_slice_utf8_length(struct peri_slice a);

/// A NUL-terminated heap copy; the caller frees it with free(). NULL when out
/// of memory.
char *peri_slice_dup(struct peri_slice a);
