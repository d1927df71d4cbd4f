#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/types.h"
#include "cli/schema.h"

struct Descriptor__Field;

enum { PERI_JSON_MOST_LEVELS = 100, PERI_JSON_REPEATED = 3 };

/// Messages with a form of their own in JSON.
enum peri_json_known {
  PERI_JSON_PLAIN = 0,
  PERI_JSON_TIMESTAMP = 1,
  PERI_JSON_DURATION = 2,
  PERI_JSON_WRAPPER = 3,
  PERI_JSON_STRUCT = 4,
  PERI_JSON_LIST = 5,
  PERI_JSON_VALUE = 6
};

/// What a conversion goes by.
struct peri_json_codec {
  const struct peri_schema *schema;
  struct peri_problem *problem;
  unsigned level;
};

/// By full name, as in ".google.protobuf.Timestamp".
enum peri_json_known peri_json_known_of(const char *type);

/// RFC 3339 and "1.5s". @return 0 or PERI_EINVAL (malformed or out of range).
int peri_json_timestamp_read(struct peri_slice text, int64_t *ret_seconds,
                             int32_t *ret_nanos);
int peri_json_timestamp_write(int64_t seconds, int32_t nanos,
                              char ret_text[64]);
int peri_json_duration_read(struct peri_slice text, int64_t *ret_seconds,
                            int32_t *ret_nanos);
int peri_json_duration_write(int64_t seconds, int32_t nanos, char ret_text[64]);

/// Bits of a number, bool or enum as they travel. @return 0 or PERI_EINVAL.
int peri_json_scalar_read(const struct peri_json_codec *codec,
                          const struct Descriptor__Field *field,
                          const struct peri_json *json, uint64_t *ret_bits);
/// NULL when out of memory.
struct peri_json *peri_json_scalar_write(const struct peri_json_codec *codec,
                                         const struct Descriptor__Field *field,
                                         uint64_t bits);

/// Standard or URL-safe base64, with or without padding. @return 0, PERI_EINVAL
/// or PERI_ENOMEM.
int peri_json_base64_read(struct peri_slice text, struct peri_buffer *bytes);

/// The message that a field is of when it is a map's entry, else NULL.
const struct Descriptor__Message *peri_json_map_entry(
    const struct peri_json_codec *codec, const struct Descriptor__Field *field);

/// NULL when there is none.
const struct Descriptor__Field *peri_json_field(
    const struct Descriptor__Message *message, uint32_t number);
