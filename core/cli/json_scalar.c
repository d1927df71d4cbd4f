#include <descriptor.pb-c.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cli/json_private.h"
#include "cli/protobuf.h"

static const double two_63 = 9223372036854775808.0;

static bool is_unsigned(int type) {
  return type == PERI_PB_UINT32 || type == PERI_PB_UINT64 ||
         type == PERI_PB_TYPE_FIXED32 || type == PERI_PB_TYPE_FIXED64;
}

static bool is_wide(int type) {
  return type == PERI_PB_INT64 || type == PERI_PB_UINT64 ||
         type == PERI_PB_SINT64 || type == PERI_PB_TYPE_FIXED64 ||
         type == PERI_PB_SFIXED64;
}

static int whole_text(const char *text, bool positive, uint64_t *ret_bits) {
  char *end;
  const char *digits = text + (text[0] == '-' ? 1 : 0);
  if (digits[0] < '0' || digits[0] > '9' || (positive && digits != text)) {
    return PERI_EINVAL;
  }
  errno = 0;
  *ret_bits =
      positive ? strtoull(text, &end, 10) : (uint64_t)strtoll(text, &end, 10);
  return errno == 0 && *end == '\0' ? 0 : PERI_EINVAL;
}

/// A whole number as JSON may have it: a number, or a string of its digits.
static int whole(const struct peri_json *json, bool positive,
                 uint64_t *ret_bits) {
  struct peri_slice text = peri_json_to_string(json);
  double real = peri_json_to_real(json);
  switch (peri_json_type(json)) {
    case PERI_JSON_INTEGER:
      *ret_bits = (uint64_t)peri_json_to_integer(json);
      return positive && peri_json_to_integer(json) < 0 ? PERI_EINVAL : 0;
    case PERI_JSON_REAL:
      if (real != floor(real) || real < (positive ? 0 : -two_63) ||
          real >= (positive ? 2 * two_63 : two_63)) {
        return PERI_EINVAL;
      }
      *ret_bits = positive ? (uint64_t)real : (uint64_t)(int64_t)real;
      return 0;
    case PERI_JSON_STRING:
      return strlen(text.ptr) == text.len
                 ? whole_text(text.ptr, positive, ret_bits)
                 : PERI_EINVAL;
    default:
      return PERI_EINVAL;
  }
}

static int read_whole(int type, const struct peri_json *json,
                      uint64_t *ret_bits) {
  uint64_t bits;
  int rc = whole(json, is_unsigned(type), &bits);
  if (rc < 0) {
    return rc;
  }
  int64_t value = (int64_t)bits;
  if (!is_wide(type) &&
      (is_unsigned(type) ? bits > UINT32_MAX
                         : value > INT32_MAX || value < INT32_MIN)) {
    return PERI_EINVAL;
  }
  if (type == PERI_PB_SINT32 || type == PERI_PB_SINT64) {
    bits = bits << 1 ^ (value < 0 ? UINT64_MAX : 0);
  }
  *ret_bits = bits;
  return 0;
}

static int read_real(int type, const struct peri_json *json,
                     uint64_t *ret_bits) {
  double value = peri_json_to_real(json);
  struct peri_slice text = peri_json_to_string(json);
  int kind = peri_json_type(json);
  if (kind == PERI_JSON_STRING) {
    char *end;
    bool named = peri_slice_is(text, "NaN") ||
                 peri_slice_is(text, "Infinity") ||
                 peri_slice_is(text, "-Infinity");
    bool digits =
        text.len > 0 && strspn(text.ptr, "0123456789+-.eE") == text.len;
    value = strtod(text.ptr, &end);
    if ((!named && !digits) || *end != '\0') {
      return PERI_EINVAL;
    }
  } else if (kind != PERI_JSON_INTEGER && kind != PERI_JSON_REAL) {
    return PERI_EINVAL;
  }
  *ret_bits = 0;
  if (type == PERI_PB_DOUBLE) {
    memcpy(ret_bits, &value, sizeof(value));
    return 0;
  }
  if (isfinite(value) && fabs(value) > FLT_MAX) {
    return PERI_EINVAL;
  }
  float narrow = (float)value;
  uint32_t bits;
  memcpy(&bits, &narrow, sizeof(bits));
  *ret_bits = bits;
  return 0;
}

static int read_enum(const struct peri_json_codec *codec,
                     const Descriptor__Field *field,
                     const struct peri_json *json, uint64_t *ret_bits) {
  const Descriptor__Enum *names =
      peri_schema_enum(codec->schema, field->type_name);
  struct peri_slice text = peri_json_to_string(json);
  if (peri_json_type(json) != PERI_JSON_STRING) {
    return read_whole(PERI_PB_INT32, json, ret_bits);
  }
  for (size_t i = 0; names != NULL && i < names->n_value; i++) {
    if (peri_slice_is(text, names->value[i]->name)) {
      *ret_bits = (uint64_t)(int64_t)names->value[i]->number;
      return 0;
    }
  }
  return PERI_EINVAL;
}

int peri_json_scalar_read(const struct peri_json_codec *codec,
                          const Descriptor__Field *field,
                          const struct peri_json *json, uint64_t *ret_bits) {
  switch (field->type) {
    case PERI_PB_BOOL:
      *ret_bits = peri_json_to_bool(json) ? 1 : 0;
      return peri_json_type(json) == PERI_JSON_BOOL ? 0 : PERI_EINVAL;
    case PERI_PB_DOUBLE:
    case PERI_PB_FLOAT:
      return read_real(field->type, json, ret_bits);
    case PERI_PB_ENUM:
      return read_enum(codec, field, json, ret_bits);
    default:
      return read_whole(field->type, json, ret_bits);
  }
}

static struct peri_json *write_text(const char *text) {
  return peri_json_string(peri_slice_of(text));
}

static struct peri_json *write_real(int type, uint64_t bits) {
  double value;
  char text[32];
  memcpy(&value, &bits, sizeof(value));
  if (type == PERI_PB_FLOAT) {
    float narrow;
    uint32_t low = (uint32_t)bits;
    memcpy(&narrow, &low, sizeof(narrow));
    value = (double)narrow;
    // The shortest number that is this float, not all digits of the double.
    for (int digits = 6; isfinite(narrow) && digits <= 9; digits++) {
      snprintf(text, sizeof(text), "%.*g", digits, value);
      if (strtof(text, NULL) == narrow) {
        value = strtod(text, NULL);
        break;
      }
    }
  }
  if (isnan(value)) {
    return write_text("NaN");
  }
  if (isinf(value)) {
    return write_text(value > 0 ? "Infinity" : "-Infinity");
  }
  return peri_json_real(value);
}

static struct peri_json *write_enum(const struct peri_json_codec *codec,
                                    const Descriptor__Field *field,
                                    int32_t number) {
  const Descriptor__Enum *names =
      peri_schema_enum(codec->schema, field->type_name);
  for (size_t i = 0; names != NULL && i < names->n_value; i++) {
    if (names->value[i]->number == number) {
      return write_text(names->value[i]->name);
    }
  }
  return peri_json_integer(number);
}

struct peri_json *peri_json_scalar_write(const struct peri_json_codec *codec,
                                         const Descriptor__Field *field,
                                         uint64_t bits) {
  char text[32];
  int type = field->type;
  if (type == PERI_PB_SINT32 || type == PERI_PB_SINT64) {
    bits = bits >> 1 ^ ((bits & 1) != 0 ? UINT64_MAX : 0);
  }
  switch (type) {
    case PERI_PB_BOOL:
      return peri_json_bool(bits != 0);
    case PERI_PB_DOUBLE:
    case PERI_PB_FLOAT:
      return write_real(type, bits);
    case PERI_PB_ENUM:
      return write_enum(codec, field, (int32_t)bits);
    case PERI_PB_UINT32:
    case PERI_PB_TYPE_FIXED32:
      return peri_json_integer((uint32_t)bits);
    case PERI_PB_UINT64:
    case PERI_PB_TYPE_FIXED64:
      snprintf(text, sizeof(text), "%llu", (unsigned long long)bits);
      return write_text(text);
    case PERI_PB_INT64:
    case PERI_PB_SINT64:
    case PERI_PB_SFIXED64:
      snprintf(text, sizeof(text), "%lld", (long long)bits);
      return write_text(text);
    default:
      return peri_json_integer((int32_t)bits);
  }
}

static int digit(char byte) {
  if (byte >= 'A' && byte <= 'Z') {
    return byte - 'A';
  }
  if (byte >= 'a' && byte <= 'z') {
    return byte - 'a' + 26;
  }
  if (byte >= '0' && byte <= '9') {
    return byte - '0' + 52;
  }
  if (byte == '+' || byte == '-') {
    return 62;
  }
  return byte == '/' || byte == '_' ? 63 : -1;
}

int peri_json_base64_read(struct peri_slice text, struct peri_buffer *bytes) {
  uint32_t group = 0;
  unsigned held = 0;
  while (text.len > 0 && text.ptr[text.len - 1] == '=') {
    text.len--;
  }
  if (text.len % 4 == 1) {
    return PERI_EINVAL;
  }
  for (size_t i = 0; i < text.len; i++) {
    int value = digit(text.ptr[i]);
    if (value < 0) {
      return PERI_EINVAL;
    }
    group = group << 6 | (uint32_t)value;
    held += 6;
    if (held >= 8) {
      held -= 8;
      char byte = (char)(group >> held);
      int rc = peri_buffer_add(bytes, &byte, 1);
      if (rc < 0) {
        return rc;
      }
    }
  }
  return 0;
}
