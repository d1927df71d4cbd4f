#pragma once

#include "base/buffer.h"
#include "base/types.h"

enum { PERI_FRAMING_PREFIX_BYTES = 5, PERI_FRAMING_TIMEOUT_BYTES = 16 };

/// Collects gRPC's length-prefixed messages across any split of the input
/// (one flag byte, four bytes of length, big-endian). Embed it, then
/// peri_framing_init(); the members are framing.c's own.
struct peri_framing {
  struct peri_buffer buffer;  // of a message that came in pieces
  uint32_t message_bytes;
  uint32_t length;  // of the message under way
  uint8_t prefix_len;
  unsigned char prefix[PERI_FRAMING_PREFIX_BYTES];
};

/// Messages over `message_bytes` fail with PERI_ELIMIT as soon as their length
/// is known.
void peri_framing_init(struct peri_framing *framing, uint32_t message_bytes);

/// Frees what was collected.
void peri_framing_done(struct peri_framing *framing);

/// Feeds bytes; `message` is called for each whole one (valid during the call;
/// without a copy when it lies within `bytes`), and a non-zero return ends the
/// feed with that code. Memory grows with what has come, never with what was
/// announced. After a failure nothing more may be fed.
/// @return 0, PERI_ELIMIT, PERI_EPROTO (a flag byte above 1), PERI_ENOMEM.
int peri_framing_feed(struct peri_framing *framing, struct peri_slice bytes,
                      int (*message)(void *ctx, bool compressed,
                                     struct peri_slice bytes),
                      void *ctx);

/// From within `message`: keeps its bytes in an empty `buffer`, taking over the
/// memory that collected them where there is any, else as a copy.
/// @return 0 or PERI_ENOMEM.
int peri_framing_keep(struct peri_framing *framing, struct peri_slice bytes,
                      struct peri_buffer *buffer);

/// Whether a message has begun and not ended (a truncated stream).
bool peri_framing_partial(const struct peri_framing *framing);

/// Writes the five bytes in front of a message.
void peri_framing_prefix(bool compressed, uint32_t length,
                         char ret_prefix[PERI_FRAMING_PREFIX_BYTES]);

/// Inflates one gzip or zlib message into `buffer`, at most `limit_bytes` of
/// it. @return 0, PERI_ELIMIT, PERI_EPROTO (damaged, truncated, or with
/// something behind it), PERI_ENOMEM.
int peri_framing_gunzip(struct peri_slice bytes, uint32_t limit_bytes,
                        struct peri_buffer *buffer);

/// Parses a grpc-timeout ("100m": at most 8 digits and one of H M S m u n);
/// what is beyond 292 years becomes INT64_MAX. @return 0 or PERI_EINVAL.
int peri_framing_timeout_parse(struct peri_slice text, uint64_t *ret_ns);

/// Writes a timeout as grpc-timeout, rounding up to what 8 digits hold.
void peri_framing_timeout_format(uint64_t ns,
                                 char ret_text[PERI_FRAMING_TIMEOUT_BYTES]);

/// Reads a grpc-status or a :status: at most three digits. @return the number,
/// or -1 when it is none.
int peri_framing_status_read(struct peri_slice text);

/// The gRPC status for an HTTP/2 error code (doc/PROTOCOL-HTTP2.md, "Errors"),
/// and for an HTTP status without grpc-status
/// (doc/http-grpc-status-mapping.md).
int peri_framing_status_of_h2(uint32_t h2_error);
int peri_framing_status_of_http(int http_status);
