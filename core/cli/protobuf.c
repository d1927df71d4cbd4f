#include "cli/protobuf.h"

#include <string.h>

enum { GROUP_BEGINS = 3, GROUP_ENDS = 4, MOST_GROUPS = 64 };

enum peri_pb_wire peri_pb_wire_of(int type) {
  switch (type) {
    case PERI_PB_DOUBLE:
    case PERI_PB_TYPE_FIXED64:
    case PERI_PB_SFIXED64:
      return PERI_PB_FIXED64;
    case PERI_PB_FLOAT:
    case PERI_PB_TYPE_FIXED32:
    case PERI_PB_SFIXED32:
      return PERI_PB_FIXED32;
    case PERI_PB_STRING:
    case PERI_PB_TYPE_BYTES:
    case PERI_PB_MESSAGE:
    case PERI_PB_GROUP:
      return PERI_PB_BYTES;
    default:
      return PERI_PB_VARINT;
  }
}

int peri_pb_put_value(struct peri_buffer *buffer, enum peri_pb_wire wire,
                      uint64_t value) {
  unsigned char bytes[10];
  size_t len = 0;
  if (wire == PERI_PB_VARINT) {
    while (value > 127) {
      bytes[len++] = (unsigned char)(value | 128);
      value >>= 7;
    }
    bytes[len++] = (unsigned char)value;
    return peri_buffer_add(buffer, bytes, len);
  }
  size_t width = wire == PERI_PB_FIXED64 ? 8 : 4;
  while (len < width) {
    bytes[len++] = (unsigned char)value;
    value >>= 8;
  }
  return peri_buffer_add(buffer, bytes, len);
}

int peri_pb_put_tag(struct peri_buffer *buffer, uint32_t number,
                    enum peri_pb_wire wire) {
  return peri_pb_put_value(buffer, PERI_PB_VARINT,
                           (uint64_t)number << 3 | (uint64_t)wire);
}

int peri_pb_put_bytes(struct peri_buffer *buffer, struct peri_slice bytes) {
  int rc = peri_pb_put_value(buffer, PERI_PB_VARINT, bytes.len);
  return rc == 0 ? peri_buffer_add(buffer, bytes.len > 0 ? bytes.ptr : "",
                                   bytes.len)
                 : rc;
}

static void skip(struct peri_slice *left, size_t len) {
  left->ptr += len;
  left->len -= len;
}

static int take_varint(struct peri_slice *left, uint64_t *ret_value) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 10 && i < left->len; i++) {
    unsigned char byte = (unsigned char)left->ptr[i];
    value |= (uint64_t)(byte & 127) << (7 * i);
    if (byte < 128) {
      skip(left, i + 1);
      *ret_value = value;
      return 0;
    }
  }
  return PERI_EPROTO;
}

int peri_pb_take_value(struct peri_slice *left, enum peri_pb_wire wire,
                       uint64_t *ret_value) {
  if (wire == PERI_PB_VARINT) {
    return take_varint(left, ret_value);
  }
  size_t width = wire == PERI_PB_FIXED64 ? 8 : 4;
  uint64_t value = 0;
  if (left->len < width) {
    return PERI_EPROTO;
  }
  for (size_t i = width; i > 0; i--) {
    value = value << 8 | (unsigned char)left->ptr[i - 1];
  }
  skip(left, width);
  *ret_value = value;
  return 0;
}

static int take_bytes(struct peri_slice *left, struct peri_slice *ret_bytes) {
  uint64_t len;
  int rc = take_varint(left, &len);
  if (rc < 0 || len > left->len) {
    return PERI_EPROTO;
  }
  *ret_bytes = (struct peri_slice){left->ptr, (size_t)len};
  skip(left, (size_t)len);
  return 0;
}

/// Takes a field of which only what is no group is read.
static int take_one(struct peri_slice *left, struct peri_pb_field *field,
                    unsigned *ret_kind) {
  uint64_t tag;
  int rc = take_varint(left, &tag);
  if (rc < 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3) {
    return PERI_EPROTO;
  }
  memset(field, 0, sizeof(*field));
  field->number = (uint32_t)(tag >> 3);
  field->wire = (enum peri_pb_wire)(tag & 7);
  *ret_kind = (unsigned)(tag & 7);
  switch (tag & 7) {
    case PERI_PB_BYTES:
      return take_bytes(left, &field->bytes);
    case PERI_PB_VARINT:
    case PERI_PB_FIXED64:
    case PERI_PB_FIXED32:
      return peri_pb_take_value(left, field->wire, &field->value);
    case GROUP_BEGINS:
    case GROUP_ENDS:
      return 0;
    default:
      return PERI_EPROTO;
  }
}

int peri_pb_take(struct peri_slice *left, struct peri_pb_field *ret_field) {
  unsigned kind, open = 0;
  struct peri_pb_field field, inner;
  int rc = take_one(left, &field, &kind);
  if (rc < 0 || kind == GROUP_ENDS) {
    return PERI_EPROTO;
  }
  if (kind == GROUP_BEGINS) {
    field.wire = PERI_PB_BYTES;
    open = 1;
  }
  while (open > 0) {
    rc = left->len > 0 ? take_one(left, &inner, &kind) : PERI_EPROTO;
    if (rc < 0 || open > MOST_GROUPS) {
      return PERI_EPROTO;
    }
    open += kind == GROUP_BEGINS ? 1 : 0;
    open -= kind == GROUP_ENDS ? 1 : 0;
  }
  *ret_field = field;
  return 0;
}
