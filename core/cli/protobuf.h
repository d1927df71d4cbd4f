#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

/// How a field is written.
enum peri_pb_wire {
  PERI_PB_VARINT = 0,
  PERI_PB_FIXED64 = 1,
  PERI_PB_BYTES = 2,
  PERI_PB_FIXED32 = 5
};

/// The types of FieldDescriptorProto.
enum peri_pb_type {
  PERI_PB_DOUBLE = 1,
  PERI_PB_FLOAT = 2,
  PERI_PB_INT64 = 3,
  PERI_PB_UINT64 = 4,
  PERI_PB_INT32 = 5,
  PERI_PB_TYPE_FIXED64 = 6,
  PERI_PB_TYPE_FIXED32 = 7,
  PERI_PB_BOOL = 8,
  PERI_PB_STRING = 9,
  PERI_PB_GROUP = 10,
  PERI_PB_MESSAGE = 11,
  PERI_PB_TYPE_BYTES = 12,
  PERI_PB_UINT32 = 13,
  PERI_PB_ENUM = 14,
  PERI_PB_SFIXED32 = 15,
  PERI_PB_SFIXED64 = 16,
  PERI_PB_SINT32 = 17,
  PERI_PB_SINT64 = 18
};

/// One field of a message: `value` holds what is no run of bytes.
struct peri_pb_field {
  uint32_t number;
  enum peri_pb_wire wire;
  uint64_t value;
  struct peri_slice bytes;
};

/// How a type travels.
enum peri_pb_wire peri_pb_wire_of(int type);

/// Appends a field's number and wire type, a value, or bytes behind their
/// length. @return 0 or PERI_ENOMEM.
int peri_pb_put_tag(struct peri_buffer *buffer, uint32_t number,
                    enum peri_pb_wire wire);
int peri_pb_put_value(struct peri_buffer *buffer, enum peri_pb_wire wire,
                      uint64_t value);
int peri_pb_put_bytes(struct peri_buffer *buffer, struct peri_slice bytes);

/// Takes the next field, or the next value of a packed one, from the front of
/// `left`, which must not be empty; whole groups are skipped as bytes that are
/// empty. @return 0 or PERI_EPROTO.
int peri_pb_take(struct peri_slice *left, struct peri_pb_field *ret_field);
int peri_pb_take_value(struct peri_slice *left, enum peri_pb_wire wire,
                       uint64_t *ret_value);
