#include "h2/single.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"

enum peri_single_encoding peri_single_encoding_of(struct peri_slice value) {
  if (peri_slice_is(value, "identity")) {
    return PERI_ENCODING_IDENTITY;
  }
  if (peri_slice_is(value, "gzip") || peri_slice_is(value, "deflate")) {
    return PERI_ENCODING_ZLIB;
  }
  return PERI_ENCODING_UNKNOWN;
}

void peri_single_init(struct peri_single *single, uint32_t message_bytes) {
  // The room is left as it is: clearing it costs more than the rest.
  memset(single, 0, offsetof(struct peri_single, room));
  peri_framing_init(&single->framing, message_bytes);
}

void peri_single_done(struct peri_single *single) {
  peri_framing_done(&single->framing);
  peri_buffer_done(&single->buffer);
}

static int fault(struct peri_single_fault *ret_fault, int code, int status,
                 const char *words) {
  ret_fault->code = code;
  ret_fault->status = status;
  (void)snprintf(ret_fault->words, sizeof(ret_fault->words), "%s", words);
  return code;
}

static int too_large(const struct peri_single *single,
                     struct peri_single_fault *ret_fault) {
  ret_fault->code = PERI_ELIMIT;
  ret_fault->status = PERI_STATUS_RESOURCE_EXHAUSTED;
  (void)snprintf(ret_fault->words, sizeof(ret_fault->words),
                 "the message is larger than the %u bytes allowed",
                 (unsigned)single->framing.message_bytes);
  return PERI_ELIMIT;
}

static int keep(void *ctx, bool compressed, struct peri_slice bytes) {
  struct peri_single *single = ctx;
  if (single->count++ > 0) {
    return PERI_EEXIST;
  }
  single->compressed = compressed;
  if (bytes.len <= sizeof(single->room)) {
    if (bytes.len > 0) {
      memcpy(single->room, bytes.ptr, bytes.len);
    }
    single->message.ptr = single->room;
    single->message.len = bytes.len;
    return 0;
  }
  int rc = peri_framing_keep(&single->framing, bytes, &single->buffer);
  if (rc == 0) {
    single->message = peri_buffer_slice(&single->buffer);
  }
  return rc;
}

int peri_single_feed(struct peri_single *single, struct peri_slice bytes,
                     struct peri_single_fault *ret_fault) {
  int rc = peri_framing_feed(&single->framing, bytes, keep, single);
  if (rc == 0 && single->count > 0 && peri_framing_partial(&single->framing)) {
    rc = PERI_EEXIST;
  }
  switch (rc) {
    case 0:
      return 0;
    case PERI_EEXIST:
      return fault(ret_fault, PERI_EPROTO, PERI_STATUS_UNIMPLEMENTED,
                   "more than one message came where one is due");
    case PERI_ELIMIT:
      return too_large(single, ret_fault);
    case PERI_EPROTO:
      return fault(ret_fault, PERI_EPROTO, PERI_STATUS_INTERNAL,
                   "the message's compressed flag is neither 0 nor 1");
    default:
      return fault(ret_fault, rc, PERI_STATUS_RESOURCE_EXHAUSTED,
                   "out of memory");
  }
}

static int decompress(struct peri_single *single,
                      struct peri_slice *ret_message,
                      struct peri_single_fault *ret_fault) {
  struct peri_buffer plain = {.ptr = NULL};
  int rc = peri_framing_gunzip(single->message, single->framing.message_bytes,
                               &plain);
  if (rc == 0) {
    peri_buffer_done(&single->buffer);
    single->buffer = plain;
    *ret_message = peri_buffer_slice(&single->buffer);
    return 0;
  }
  peri_buffer_done(&plain);
  if (rc == PERI_ELIMIT) {
    return too_large(single, ret_fault);
  }
  if (rc == PERI_EPROTO) {
    return fault(ret_fault, rc, PERI_STATUS_INTERNAL,
                 "the compressed message is damaged");
  }
  return fault(ret_fault, rc, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

int peri_single_finish(struct peri_single *single,
                       enum peri_single_encoding encoding,
                       struct peri_slice *ret_message,
                       struct peri_single_fault *ret_fault) {
  if (peri_framing_partial(&single->framing)) {
    return fault(ret_fault, PERI_EPROTO, PERI_STATUS_INTERNAL,
                 "the stream ended within a message");
  }
  if (single->count == 0) {
    return fault(ret_fault, PERI_EPROTO, PERI_STATUS_UNIMPLEMENTED,
                 "no message came where one is due");
  }
  if (!single->compressed) {
    *ret_message = single->message;
    return 0;
  }
  if (encoding != PERI_ENCODING_ZLIB) {
    return fault(ret_fault, PERI_EPROTO, PERI_STATUS_INTERNAL,
                 "the message is compressed but grpc-encoding names nothing "
                 "to undo it");
  }
  return decompress(single, ret_message, ret_fault);
}
