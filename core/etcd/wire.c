#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>

#include "etcd/private.h"

// Two bytes of a message can become a hundred in memory, so a peer that lies
// could ask for gigabytes. What etcd really sends stays below eight times.
enum { GROWTH = 16, SLACK_BYTES = 64 << 10, MOST_BYTES = 256 << 20 };

/// malloc() with a bound on what one message may take.
struct purse {
  ProtobufCAllocator base;
  size_t left;
};

int peri_etcd_pack(const struct ProtobufCMessage *message,
                   struct peri_buffer *buffer) {
  size_t size = protobuf_c_message_get_packed_size(message);
  int rc = peri_buffer_reserve(buffer, size);
  if (rc < 0) {
    return rc;
  }
  if (size > 0) {
    buffer->len +=
        protobuf_c_message_pack(message, (uint8_t *)buffer->ptr + buffer->len);
  }
  return 0;
}

static void *take(void *data, size_t size) {
  struct purse *purse = data;
  if (size > purse->left) {
    return NULL;
  }
  purse->left -= size;
  return malloc(size);
}

static void give(void *data, void *memory) {
  (void)data;
  free(memory);
}

struct ProtobufCMessage *peri_etcd_unpack(
    const struct ProtobufCMessageDescriptor *type, struct peri_slice bytes,
    struct peri_etcd_error *ret_error) {
  size_t most = bytes.len < MOST_BYTES / GROWTH
                    ? bytes.len * GROWTH + SLACK_BYTES
                    : MOST_BYTES;
  struct purse purse = {{take, give, &purse}, most};
  struct ProtobufCMessage *message = protobuf_c_message_unpack(
      type, &purse.base, bytes.len, (const uint8_t *)bytes.ptr);
  if (message == NULL) {
    peri_etcd_error_set(ret_error, PERI_ETCD_GARBAGE,
                        "the answer is no %s message", type->short_name);
  }
  return message;
}

struct ProtobufCBinaryData peri_etcd_bytes(struct peri_slice slice) {
  struct ProtobufCBinaryData bytes = {slice.len,
                                      (uint8_t *)(uintptr_t)slice.ptr};
  return bytes;
}

struct peri_slice peri_etcd_slice(struct ProtobufCBinaryData bytes) {
  struct peri_slice slice = {(const char *)bytes.data, bytes.len};
  return slice;
}
