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
