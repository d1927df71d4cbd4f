#include "base/proto.h"

#include <protobuf-c/protobuf-c.h>

#include "base/slice.h"

int peri_proto_pack(const struct ProtobufCMessage *message,
                    struct peri_buffer *buffer) {
  size_t len = protobuf_c_message_get_packed_size(message);
  // An empty message is there as well: whoever asks for its bytes gets some.
  int rc = peri_buffer_reserve(buffer, len > 0 ? len : 1);
  if (rc == 0) {
    buffer->len +=
        protobuf_c_message_pack(message, (uint8_t *)buffer->ptr + buffer->len);
  }
  return rc;
}

struct ProtobufCBinaryData peri_proto_bytes(struct peri_slice slice) {
  // Packing only reads them.
  return (struct ProtobufCBinaryData){slice.len,
                                      (uint8_t *)(uintptr_t)slice.ptr};
}

struct ProtobufCBinaryData peri_proto_text(const char *text) {
  return peri_proto_bytes(peri_slice_of(text));
}

struct peri_slice peri_proto_slice(struct ProtobufCBinaryData bytes) {
  return (struct peri_slice){bytes.len > 0 ? (const char *)bytes.data : "",
                             bytes.len};
}
