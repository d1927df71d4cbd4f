#include "app/reply.h"

#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/status.h"
#include "h2/call.h"

static int pack(const ProtobufCMessage *message,
                struct peri_h2_piece *ret_piece) {
  size_t len = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = malloc(len > 0 ? len : 1);
  if (bytes == NULL) {
    return PERI_ENOMEM;
  }
  protobuf_c_message_pack(message, bytes);
  ret_piece->bytes.ptr = (const char *)bytes;
  ret_piece->bytes.len = len;
  ret_piece->release = free;
  ret_piece->owner = bytes;
  return 0;
}

void peri_reply_message(struct peri_call *call,
                        const struct ProtobufCMessage *message) {
  struct peri_h2_piece piece;
  if (pack(message, &piece) < 0) {
    peri_call_finish(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return;
  }
  peri_call_reply(call, &piece, 1);
}

int peri_reply_send(struct peri_call *call,
                    const struct ProtobufCMessage *message) {
  struct peri_h2_piece piece;
  int rc = pack(message, &piece);
  return rc < 0 ? rc : peri_call_send(call, &piece, 1);
}
