#pragma once

#include "base/error.h"
#include "base/types.h"

enum { PERI_FIELD_DEPTH = 16, PERI_FIELD_DIGITS = 24 };

/// A protobuf field in nested messages: "1.2" is field 2 of the message in
/// field 1.
struct peri_field_path {
  uint32_t numbers[PERI_FIELD_DEPTH];
  uint32_t count;
};

/// @return 0, or PERI_EINVAL: numbers from 1 to 2^29 - 1 with dots between, at
/// most 16 of them.
int peri_field_path(struct peri_slice text, struct peri_field_path *ret_path);

/// Finds a field in the first message of a gRPC body, of which the beginning is
/// enough when the field is in it. Numbers are written into `digits` as
/// decimals without sign; bytes are borrowed from `body`. Of a repeated field
/// the first element counts.
/// @return false when it is absent, cut off, compressed or malformed.
bool peri_field_find(struct peri_slice body, const struct peri_field_path *path,
                     char digits[PERI_FIELD_DIGITS],
                     struct peri_slice *ret_value);
