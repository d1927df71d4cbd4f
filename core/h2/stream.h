#pragma once

#include "base/types.h"

/// The error codes of RFC 9113 that are given here.
enum peri_h2_error { PERI_H2_INTERNAL_ERROR = 2, PERI_H2_CANCEL = 8 };

/// One HTTP/2 stream, server or client side (RFC 9113). Owned by its connection
/// and valid until `on_close` has been called. Loop thread only.
struct peri_h2_stream;

/// A header field. Names are lower case. Slices that the room hands out live as
/// long as the stream; slices handed in are copied.
struct peri_h2_field {
  struct peri_slice name;
  struct peri_slice value;
  bool secret;  // no hop may keep it for compression (RFC 7541, 7.1.3)
};

/// How a stream ended.
struct peri_h2_end {
  int code;           // 0 when both sides ended regularly; else a PERI code
  int cause;          // of PERI_ECONNECT: what connecting failed with, or 0
  uint32_t h2_error;  // the RST_STREAM or GOAWAY code, or 0
  bool reset;         // the peer sent that RST_STREAM
  bool unprocessed;   // client: the peer surely never handed it to its
                      // application
  bool goaway;        // client: unprocessed because the connection ended, not
                      // because of what the peer thinks of the request
};

/// What happens on a stream. Any member may be NULL. A callback may call any
/// function of this header on the stream.
struct peri_h2_stream_events {
  /// Client: the final response headers came (1xx are skipped). `end`: they
  /// also ended the stream (trailers-only).
  void (*on_headers)(void *ctx, struct peri_h2_stream *stream, bool end);
  /// Body bytes, valid during the call. The window reopens only as far as
  /// peri_h2_stream_consume() is called.
  void (*on_data)(void *ctx, struct peri_h2_stream *stream,
                  struct peri_slice bytes);
  /// The peer ended its side; trailers, if any, are at hand.
  void (*on_end)(void *ctx, struct peri_h2_stream *stream);
  /// Unsent bytes have fallen below half of `stream_buffer_bytes` again after
  /// peri_h2_stream_write() had answered PERI_EBUSY.
  void (*on_writable)(void *ctx, struct peri_h2_stream *stream);
  /// Body bytes are part of a write now and held here no more. Comes while the
  /// connection writes: it may call peri_h2_stream_consume() on streams of
  /// other connections, and nothing else.
  void (*on_sent)(void *ctx, struct peri_h2_stream *stream, size_t bytes);
  /// The last callback; the stream is gone afterwards.
  void (*on_close)(void *ctx, struct peri_h2_stream *stream,
                   const struct peri_h2_end *end);
};

/// Says who listens to the stream. A server calls it from `on_request` at the
/// latest.
void peri_h2_stream_listen(struct peri_h2_stream *stream,
                           const struct peri_h2_stream_events *events,
                           void *ctx);

/// All header fields of the peer in the order received, pseudo-headers first;
/// for a client those of the response. Returns their number.
size_t peri_h2_stream_fields(const struct peri_h2_stream *stream,
                             const struct peri_h2_field **ret_fields);
/// The same for trailers; 0 before on_end.
size_t peri_h2_stream_trailer_fields(const struct peri_h2_stream *stream,
                                     const struct peri_h2_field **ret_fields);
/// The first field of that name among headers; false when absent.
bool peri_h2_stream_header(const struct peri_h2_stream *stream,
                           const char *name, struct peri_slice *ret_value);
bool peri_h2_stream_trailer(const struct peri_h2_stream *stream,
                            const char *name, struct peri_slice *ret_value);

/// Bytes to send. With `release` set they are not copied but borrowed until
/// `release(owner)` is called (exactly once, also when this fails or the stream
/// dies); otherwise copied.
struct peri_h2_piece {
  struct peri_slice bytes;
  void (*release)(void *owner);
  void *owner;
};

/// Server: sends response headers (`:status` first); `end` makes them the last
/// (trailers-only).
/// @return 0, PERI_ECLOSED, PERI_ENOMEM.
int peri_h2_stream_respond(struct peri_h2_stream *stream,
                           const struct peri_h2_field *fields, size_t count,
                           bool end);

/// Queues body bytes; they leave with the connection's next write as the peer's
/// windows allow. @return 0; PERI_EBUSY: queued, but wait for on_writable
/// before queueing more; PERI_ECLOSED or PERI_ENOMEM: not queued (pieces are
/// released).
int peri_h2_stream_write(struct peri_h2_stream *stream,
                         const struct peri_h2_piece *pieces, size_t count);

/// Ends our side after what is queued: with trailers when `count` > 0, else
/// with END_STREAM.
int peri_h2_stream_finish(struct peri_h2_stream *stream,
                          const struct peri_h2_field *trailers, size_t count);

/// Reopens the receive windows by `bytes` of what on_data delivered.
void peri_h2_stream_consume(struct peri_h2_stream *stream, size_t bytes);

/// Reopens the window of the connection by `bytes` of what on_data delivered,
/// and not yet the stream's: a reader that is slow holds up its own stream
/// only. peri_h2_stream_consume() later reopens the stream's.
void peri_h2_stream_spare(struct peri_h2_stream *stream, size_t bytes);

/// Sends RST_STREAM with an RFC 9113 error code, as of enum peri_h2_error;
/// on_close comes later, from the loop.
void peri_h2_stream_reset(struct peri_h2_stream *stream, uint32_t h2_error);

/// Sends RST_STREAM behind as much of what is queued as the peer's windows let
/// out now; the rest is dropped. on_close comes later, from the loop.
void peri_h2_stream_cut(struct peri_h2_stream *stream, uint32_t h2_error);

/// Nobody listens any more; resets the stream as above unless both sides have
/// ended. The caller must not touch it afterwards.
void peri_h2_stream_drop(struct peri_h2_stream *stream, uint32_t h2_error);

/// Unsent bytes queued on the stream.
size_t peri_h2_stream_pending(const struct peri_h2_stream *stream);

/// The bytes of a header list that the peer says it takes, as HTTP/2 counts
/// them: name, value and 32 for each field.
size_t peri_h2_stream_list_bytes(const struct peri_h2_stream *stream);

/// The loop the stream lives on.
struct peri_loop *peri_h2_stream_loop(const struct peri_h2_stream *stream);
