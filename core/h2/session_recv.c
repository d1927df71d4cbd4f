#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/error.h"
#include "h2/conn.h"
#include "h2/session.h"
#include "h2/session_parts.h"
#include "h2/stream_state.h"
#include "loop/loop.h"

enum {
  CONTINUE_DIGIT = '1',
  RAPID_NS = 50000000,
  MOST_LISTS = 16  // header lists of the longest size in one header block
};

// What the application may still be told about a stream.
static const struct peri_h2_stream_events *listener(
    const struct peri_h2_stream *stream) {
  static const struct peri_h2_stream_events none;
  return stream->events != NULL && !stream->closed ? stream->events : &none;
}

// A callback of the application may have killed the connection.
static int verdict(const struct peri_h2_conn *conn) {
  return conn->phase == PERI_CONN_DEAD ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int header_block_begun(nghttp2_session *session,
                              const nghttp2_frame *frame, void *user_data) {
  struct peri_h2_conn *conn = user_data;
  int32_t id = frame->hd.stream_id;
  if (frame->hd.type != NGHTTP2_HEADERS) {
    return 0;
  }
  conn->head_ns = peri_loop_now_ns(conn->hub->setup.loop);
  conn->head_bytes = 0;
  if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
    conn->head = peri_h2_session_find(conn, id);
    return 0;
  }
  struct peri_h2_stream *stream = peri_h2_stream_new(conn->hub, conn, id);
  if (stream == NULL) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  (void)nghttp2_session_set_stream_user_data(session, id, stream);
  conn->head = stream;
  conn->recent = stream;
  return 0;
}

// A byte of a header block can name a field of 4 KB, and each is unpacked, also
// when the list has long been too large. Whoever goes that far past what we
// announced does not want an answer.
static bool is_bomb(struct peri_h2_conn *conn, nghttp2_rcbuf *name,
                    nghttp2_rcbuf *value) {
  uint64_t limit_bytes = conn->hub->setup.limits.header_list_bytes;
  conn->head_bytes += peri_h2_fields_cost(name, value);
  if (conn->head_bytes <= limit_bytes * MOST_LISTS) {
    return false;
  }
  peri_h2_count(conn->hub->flood_metrics[PERI_FLOOD_HEADERS], 1);
  peri_h2_conn_kill(conn, PERI_EPROTO);
  return true;
}

static int field_came(nghttp2_session *session, const nghttp2_frame *frame,
                      nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                      void *user_data) {
  struct peri_h2_conn *conn = user_data;
  struct peri_h2_stream *stream = conn->head;
  (void)session;
  (void)frame;
  if (is_bomb(conn, name, value)) {
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  }
  if (stream == NULL || stream->closed) {
    return 0;
  }
  struct peri_h2_fields *set =
      stream->headed ? &stream->trailers : &stream->head;
  int rc = peri_h2_fields_add(set, name, value, flags,
                              conn->hub->setup.limits.header_list_bytes);
  if (rc == PERI_ELIMIT) {
    stream->oversized = true;
  }
  return rc == PERI_ENOMEM ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE : 0;
}

static void peer_ended(struct peri_h2_stream *stream) {
  stream->ended = true;
  if (!stream->waiting && listener(stream)->on_end != NULL) {
    stream->events->on_end(stream->ctx, stream);
  }
}

void peri_h2_session_admit(struct peri_h2_stream *stream) {
  struct peri_h2_hub *hub = stream->hub;
  stream->waiting = false;
  hub->setup.on_request(hub->setup.ctx, stream);
  if (stream->early.len > 0) {
    struct peri_slice bytes = peri_buffer_slice(&stream->early);
    if (listener(stream)->on_data != NULL) {
      stream->events->on_data(stream->ctx, stream, bytes);
    } else {
      peri_h2_stream_consume(stream, bytes.len);
    }
    peri_buffer_done(&stream->early);
  }
  if (stream->ended && listener(stream)->on_end != NULL) {
    stream->events->on_end(stream->ctx, stream);
  }
}

// Request headers are complete.
static void request_came(struct peri_h2_conn *conn,
                         struct peri_h2_stream *stream, bool end) {
  static const struct peri_h2_field too_large[] = {
      {{":status", 7}, {"431", 3}, false}};
  stream->headed = true;
  stream->ended = end;
  if (stream->oversized) {
    (void)peri_h2_stream_submit(stream, too_large, 1, true);
  } else if (conn->unsent > conn->hub->setup.limits.conn_buffer_bytes) {
    // Reading must go on for the peer's window updates, so it is the request
    // that waits.
    stream->waiting = true;
    peri_list_push(&conn->waiting, &stream->work);
  } else {
    peri_h2_session_admit(stream);
  }
}

static bool is_interim(const struct peri_h2_stream *stream) {
  struct peri_slice status;
  return peri_h2_fields_find(&stream->head, ":status", &status) &&
         status.len == 3 && status.ptr[0] == CONTINUE_DIGIT;
}

static void response_came(struct peri_h2_stream *stream, bool end) {
  if (is_interim(stream) && !end) {
    peri_h2_fields_clear(&stream->head);
    return;
  }
  stream->headed = true;
  stream->ended = end;
  if (listener(stream)->on_headers != NULL) {
    stream->events->on_headers(stream->ctx, stream, end);
  }
  if (end && !stream->closed) {
    peer_ended(stream);
  }
}

static void header_block_came(struct peri_h2_conn *conn,
                              const nghttp2_frame *frame) {
  struct peri_h2_stream *stream = conn->head;
  bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  conn->head = NULL;
  if (stream == NULL || stream->closed) {
    return;
  }
  if (stream->oversized && (conn->hub->setup.client || stream->headed)) {
    peri_h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
    stream->code = PERI_ELIMIT;
  } else if (stream->headed) {
    if (end) {
      peer_ended(stream);
    }
  } else if (conn->hub->setup.client) {
    response_came(stream, end);
  } else {
    request_came(conn, stream, end);
  }
}

static void ping_came(struct peri_h2_conn *conn, const nghttp2_frame *frame) {
  if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
    // gRPC clients measure the path with a PING for what they receive; only
    // those that nothing of ours called for are counted.
    if (!conn->spoke) {
      (void)peri_h2_conn_allow(conn, PERI_FLOOD_PING);
    }
    conn->spoke = false;
    return;
  }
  conn->pinging = false;
  if (conn->drain == PERI_DRAIN_NOTICED) {
    peri_h2_conn_drain_final(conn);
  }
}

// A flood resets at once what it has opened. What ran for a while took one of
// the streams that may run together, which is limit enough: deadlines of many
// calls may pass in one second. A server only resets what we began.
static bool is_rapid(struct peri_h2_conn *conn,
                     const struct peri_h2_stream *stream) {
  uint64_t now_ns = peri_loop_now_ns(conn->hub->setup.loop);
  return !conn->hub->setup.client &&
         (stream == NULL || now_ns - stream->begun_ns < RAPID_NS);
}

static void reset_came(struct peri_h2_conn *conn, int32_t id) {
  struct peri_h2_stream *stream = peri_h2_session_find(conn, id);
  if (stream != NULL) {
    stream->reset = true;
  }
  if (is_rapid(conn, stream)) {
    (void)peri_h2_conn_allow(conn, PERI_FLOOD_RESET);
  }
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame,
                      void *user_data) {
  struct peri_h2_conn *conn = user_data;
  struct peri_h2_stream *stream = NULL;
  (void)session;
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      conn->heard = true;
      header_block_came(conn, frame);
      break;
    case NGHTTP2_DATA:
      conn->heard = true;
      if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        stream = peri_h2_session_find(conn, frame->hd.stream_id);
        if (stream != NULL && !stream->closed) {
          peer_ended(stream);
        }
      }
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
        conn->ready = true;
        (void)peri_h2_conn_allow(conn, PERI_FLOOD_SETTINGS);
      }
      break;
    case NGHTTP2_PING:
      ping_came(conn, frame);
      break;
    case NGHTTP2_RST_STREAM:
      reset_came(conn, frame->hd.stream_id);
      break;
    case NGHTTP2_GOAWAY:
      conn->retired = true;
      conn->goaway_error = frame->goaway.error_code;
      break;
    default:
      break;
  }
  return verdict(conn);
}

// A broken frame makes us reset its stream, which costs us as much as a reset
// by the peer does.
static int invalid_frame_came(nghttp2_session *session,
                              const nghttp2_frame *frame, int code,
                              void *user_data) {
  (void)session;
  (void)frame;
  (void)code;
  (void)peri_h2_conn_allow(user_data, PERI_FLOOD_RESET);
  return 0;
}

static int data_came(nghttp2_session *session, uint8_t flags, int32_t id,
                     const uint8_t *bytes, size_t len, void *user_data) {
  struct peri_h2_conn *conn = user_data;
  struct peri_h2_stream *stream = peri_h2_session_find(conn, id);
  struct peri_slice slice = {(const char *)bytes, len};
  (void)flags;
  if (stream == NULL || stream->closed) {
    (void)nghttp2_session_consume_connection(session, len);
    return 0;
  }
  stream->unconsumed += len;
  if (stream->waiting) {
    if (peri_buffer_add(&stream->early, bytes, len) < 0) {
      peri_h2_stream_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM);
    }
  } else if (listener(stream)->on_data == NULL ||
             (stream->finished && !conn->hub->setup.client)) {
    peri_h2_stream_consume(stream, len);
  } else {
    stream->events->on_data(stream->ctx, stream, slice);
  }
  return verdict(conn);
}

void peri_h2_session_hear(struct nghttp2_session_callbacks *callbacks) {
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          header_block_begun);
  nghttp2_session_callbacks_set_on_header_callback2(callbacks, field_came);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(
      callbacks, invalid_frame_came);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            data_came);
}
