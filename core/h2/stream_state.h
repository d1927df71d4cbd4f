#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "base/types.h"
#include "h2/body.h"
#include "h2/fields.h"
#include "h2/stream.h"

struct peri_h2_conn;
struct peri_h2_hub;

/// What a stream holds without an allocation.
enum {
  PERI_STREAM_HEAD_FIELDS = 16,
  PERI_STREAM_TRAILER_FIELDS = 4,
  PERI_STREAM_TAIL_WORDS = 32  // 8-byte words for our trailers
};

/// The inside of a stream, for the `.c` files of this room.
struct peri_h2_stream {
  struct peri_list link;      // conn->streams, or the hub's free ones
  struct peri_list work;      // conn->closed, ->writable, ->waiting, ->parked
                              // or ->cut
  struct peri_h2_conn *conn;  // NULL when it never had one
  struct peri_h2_hub *hub;
  const struct peri_h2_stream_events *events;
  void *ctx;
  uint64_t begun_ns;
  int32_t id;
  uint32_t h2_error;
  uint32_t cut_error;  // once it is in conn->cut
  int code;            // of the end, when not told by h2_error
  int cause;           // of the end, when connecting failed
  size_t unconsumed;   // delivered, window not yet reopened
  size_t spared;       // of these: the connection's window is reopened
  size_t tail_count;   // our trailers
  void *tail;          // nghttp2_nv array; in `tail_room` or allocated
  bool headed;         // final headers received
  bool responded;      // our headers are submitted
  bool finished;       // our side ends after what is queued
  bool sent;           // client: HEADERS have left
  bool sent_end;       // our END_STREAM has left
  bool ended;          // the peer's END_STREAM came
  bool deferred;       // nghttp2 waits for peri_h2_stream_write()
  bool full;           // somebody waits for on_writable
  bool oversized;      // header list over the limit
  bool waiting;        // held back until the connection has sent more
  bool closed;         // over; only on_close is left
  bool reset;          // by the peer
  bool unprocessed;
  bool turned_away;  // unprocessed, and the connection takes no more
  struct peri_h2_fields head;
  struct peri_h2_fields trailers;
  struct peri_buffer early;  // body received while waiting
  struct peri_h2_body body;
  struct peri_h2_field head_fields[PERI_STREAM_HEAD_FIELDS];
  struct nghttp2_rcbuf *head_bufs[2 * PERI_STREAM_HEAD_FIELDS];
  struct peri_h2_field trailer_fields[PERI_STREAM_TRAILER_FIELDS];
  struct nghttp2_rcbuf *trailer_bufs[2 * PERI_STREAM_TRAILER_FIELDS];
  uint64_t tail_room[PERI_STREAM_TAIL_WORDS];
};

/// A stream of a connection (NULL: one that failed before it had any), counted
/// and listed there; NULL when out of memory.
struct peri_h2_stream *peri_h2_stream_new(struct peri_h2_hub *hub,
                                          struct peri_h2_conn *conn,
                                          int32_t id);

/// Sends our headers; without `end` the queued body follows.
/// @return as peri_h2_stream_respond().
int peri_h2_stream_submit(struct peri_h2_stream *stream,
                          const struct peri_h2_field *fields, size_t count,
                          bool end);

/// Marks it as over and queues its on_close; nothing else is called any more.
/// `code` 0: derive from `h2_error`.
void peri_h2_stream_end(struct peri_h2_stream *stream, int code,
                        uint32_t h2_error);

/// Calls on_close and gives the memory back.
void peri_h2_stream_bury(struct peri_h2_stream *stream);

/// Gives the memory back without a word.
void peri_h2_stream_recycle(struct peri_h2_stream *stream);
