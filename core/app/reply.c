#include "app/reply.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/proto.h"
#include "base/status.h"
#include "h2/call.h"

static int pack(const struct ProtobufCMessage *message,
                struct peri_h2_piece *ret_piece) {
  struct peri_buffer bytes = {0};
  int rc = peri_proto_pack(message, &bytes);
  if (rc == 0) {
    *ret_piece = (struct peri_h2_piece){.bytes = peri_buffer_slice(&bytes),
                                        .release = free,
                                        .owner = bytes.ptr};
  }
  return rc;
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
