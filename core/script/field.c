#include "script/field.h"

#include <inttypes.h>
#include <stdio.h>

enum {
  PREFIX_BYTES = 5,
  FIELD_MAX = 536870911,
  VARINT = 0,
  FIXED64 = 1,
  BYTES = 2,
  FIXED32 = 5
};

int peri_field_path(struct peri_slice text, struct peri_field_path *ret_path) {
  struct peri_field_path path = {{0}, 1};
  uint32_t number = 0;

  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '.' && number > 0 && path.count < PERI_FIELD_DEPTH) {
      path.numbers[path.count++ - 1] = number;
      number = 0;
    } else if (c >= '0' && c <= '9' && number <= FIELD_MAX / 10) {
      number = number * 10 + (uint32_t)(c - '0');
    } else {
      return PERI_EINVAL;
    }
  }
  if (number == 0 || number > FIELD_MAX) {
    return PERI_EINVAL;
  }
  path.numbers[path.count - 1] = number;
  *ret_path = path;
  return 0;
}

static bool take_varint(struct peri_slice *rest, uint64_t *ret_value) {
  uint64_t value = 0;

  for (unsigned i = 0; i < 10 && i < rest->len; i++) {
    unsigned char byte = (unsigned char)rest->ptr[i];
    value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      rest->ptr += i + 1;
      rest->len -= i + 1;
      *ret_value = value;
      return true;
    }
  }
  return false;
}

static bool take_fixed(struct peri_slice *rest, unsigned bytes,
                       uint64_t *ret_value) {
  uint64_t value = 0;

  if (rest->len < bytes) {
    return false;
  }
  for (unsigned i = 0; i < bytes; i++) {
    value |= (uint64_t)(unsigned char)rest->ptr[i] << (8 * i);
  }
  rest->ptr += bytes;
  rest->len -= bytes;
  *ret_value = value;
  return true;
}

struct field {
  uint64_t number;
  unsigned type;
  uint64_t value;           // or the length of bytes
  struct peri_slice bytes;  // as many as there are
};

static bool take_field(struct peri_slice *rest, struct field *ret_field) {
  struct field field = {0, 0, 0, {NULL, 0}};
  uint64_t tag = 0;

  if (!take_varint(rest, &tag)) {
    return false;
  }
  field.number = tag >> 3;
  field.type = (unsigned)(tag & 7);
  bool ok = false;
  switch (field.type) {
    case VARINT:
      ok = take_varint(rest, &field.value);
      break;
    case FIXED64:
      ok = take_fixed(rest, 8, &field.value);
      break;
    case FIXED32:
      ok = take_fixed(rest, 4, &field.value);
      break;
    case BYTES:
      ok = take_varint(rest, &field.value);
      field.bytes.ptr = rest->ptr;
      field.bytes.len =
          field.value < rest->len ? (size_t)field.value : rest->len;
      rest->ptr += ok ? field.bytes.len : 0;
      rest->len -= ok ? field.bytes.len : 0;
      break;
    default:  // Groups, which nobody writes any more.
      break;
  }
  *ret_field = field;
  return ok;
}

static bool find_in(struct peri_slice message, uint32_t number,
                    struct field *ret_field) {
  while (take_field(&message, ret_field)) {
    if (ret_field->number == number) {
      return true;
    }
  }
  return false;
}

// The first message of the body, or what has come of it.
static bool open_message(struct peri_slice body,
                         struct peri_slice *ret_message) {
  if (body.len < PREFIX_BYTES || body.ptr[0] != 0) {
    return false;
  }
  uint32_t length = 0;
  for (int i = 1; i < PREFIX_BYTES; i++) {
    length = length << 8 | (unsigned char)body.ptr[i];
  }
  ret_message->ptr = body.ptr + PREFIX_BYTES;
  ret_message->len = body.len - PREFIX_BYTES;
  if (ret_message->len > length) {
    ret_message->len = length;
  }
  return true;
}

bool peri_field_find(struct peri_slice body, const struct peri_field_path *path,
                     char digits[PERI_FIELD_DIGITS],
                     struct peri_slice *ret_value) {
  struct peri_slice message;
  struct field field = {0, 0, 0, {NULL, 0}};

  if (!open_message(body, &message)) {
    return false;
  }
  for (uint32_t i = 0; i < path->count; i++) {
    if (!find_in(message, path->numbers[i], &field)) {
      return false;
    }
    if (i + 1 < path->count && field.type != BYTES) {
      return false;
    }
    message = field.bytes;
  }
  if (field.type != BYTES) {
    int length = snprintf(digits, PERI_FIELD_DIGITS, "%" PRIu64, field.value);
    *ret_value = (struct peri_slice){digits, (size_t)length};
    return true;
  }
  if (field.bytes.len < field.value) {
    return false;
  }
  *ret_value = field.bytes;
  return true;
}
