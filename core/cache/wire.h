#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// The messages of groupcachepb.GroupCache, read where they lie and written by
/// hand: a hit costs no copy and no allocation this way, which unpacking into
/// protobuf-c's structs would. Unknown fields are skipped, of a field that
/// comes twice the last counts, and a known number with another wire type is an
/// unknown field, all as protobuf says. All slices borrow from the message.

/// One field of a message.
struct peri_pb_field {
  uint32_t number;
  uint32_t type;            // 0 varint, 1 fixed 64, 2 bytes, 5 fixed 32
  uint64_t value;           // for varints
  struct peri_slice bytes;  // for bytes
};

/// Takes the next field off `message`. @return 1; 0 at its end; PERI_EPROTO
/// when it is not protobuf (truncated, a varint over 10 bytes, field number 0,
/// groups).
int peri_pb_next(struct peri_slice *message, struct peri_pb_field *ret_field);

/// GetRequest, SetRequest, RemoveKeysRequest in one: their numbers agree.
struct peri_pb_request {
  struct peri_slice group;
  struct peri_slice key;  // the last of field 2
  struct peri_slice value;
  int64_t expire_ns;
  size_t key_count;  // how often field 2 came
};
/// @return 0 or PERI_EPROTO.
int peri_pb_read_request(struct peri_slice message,
                         struct peri_pb_request *ret_request);
/// Writes the keys (field 2) of a well-formed message, `key_count` of them.
void peri_pb_read_keys(struct peri_slice message, struct peri_slice *ret_keys);

/// GetResponse. @return 0 or PERI_EPROTO.
int peri_pb_read_value(struct peri_slice message, struct peri_slice *ret_value,
                       int64_t *ret_expire_ns);
/// RemoveResponse. @return 0 or PERI_EPROTO.
int peri_pb_read_removed(struct peri_slice message, bool *ret_removed);

/// Enough for a tag with a varint behind it.
enum { PERI_PB_FIELD_BYTES = 20 };

/// Write a tag and a length, or a tag and a number; return the bytes written.
/// A number 0 and a length 0 are not written, as proto3 wants it.
size_t peri_pb_put_length(char *ret_text, uint32_t number, size_t length);
size_t peri_pb_put_number(char *ret_text, uint32_t number, uint64_t value);

/// Append a field to a message being built. @return 0 or PERI_ENOMEM.
int peri_pb_add_bytes(struct peri_buffer *buffer, uint32_t number,
                      struct peri_slice bytes);
int peri_pb_add_number(struct peri_buffer *buffer, uint32_t number,
                       uint64_t value);
/// A repeated field's element, written also when it is empty.
int peri_pb_add_element(struct peri_buffer *buffer, uint32_t number,
                        struct peri_slice bytes);

/// One item of a BatchGetResponse.
struct peri_pb_item {
  struct peri_slice key;
  struct peri_slice value;
  int64_t expire_ns;
  int code;  // a gRPC status
};
/// Appends it as field 1. @return 0 or PERI_ENOMEM.
int peri_pb_add_item(struct peri_buffer *buffer,
                     const struct peri_pb_item *item);
