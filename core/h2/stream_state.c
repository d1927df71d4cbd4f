#include "h2/stream_state.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "h2/conn.h"
#include "loop/loop.h"

struct peri_h2_stream *peri_h2_stream_new(struct peri_h2_hub *hub,
                                          struct peri_h2_conn *conn,
                                          int32_t id) {
  struct peri_h2_stream *stream = peri_h2_hub_take(hub);
  if (stream == NULL) {
    return NULL;
  }
  // The rooms at the end are as they come: clearing them costs more than all
  // the rest.
  memset(stream, 0, offsetof(struct peri_h2_stream, body));
  peri_list_init(&stream->link);
  peri_list_init(&stream->work);
  stream->hub = hub;
  stream->conn = conn;
  stream->id = id;
  stream->begun_ns = peri_loop_now_ns(hub->setup.loop);
  peri_h2_fields_init(&stream->head, stream->head_fields, stream->head_bufs,
                      PERI_STREAM_HEAD_FIELDS);
  peri_h2_fields_init(&stream->trailers, stream->trailer_fields,
                      stream->trailer_bufs, PERI_STREAM_TRAILER_FIELDS);
  peri_h2_body_init(&stream->body);
  if (conn != NULL) {
    peri_list_push(&conn->streams, &stream->link);
    conn->stream_count++;
    peri_h2_count(hub->streams_metric, 1);
  }
  return stream;
}

static int code_of(const struct peri_h2_stream *stream) {
  bool client = stream->hub->setup.client;
  bool whole = client ? stream->ended : stream->sent_end;
  switch (stream->h2_error) {
    case NGHTTP2_NO_ERROR:
      return whole ? 0 : PERI_ECLOSED;
    case NGHTTP2_REFUSED_STREAM:
      return PERI_EREFUSED;
    case NGHTTP2_CANCEL:
      return PERI_ECANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return PERI_ELIMIT;
    default:
      return PERI_EPROTO;
  }
}

void peri_h2_stream_end(struct peri_h2_stream *stream, int code,
                        uint32_t h2_error) {
  struct peri_h2_conn *conn = stream->conn;
  if (stream->closed) {
    return;
  }
  stream->closed = true;
  stream->h2_error = h2_error;
  stream->code = code != 0 ? code : code_of(stream);
  stream->cause = conn->cause;
  stream->unprocessed = stream->hub->setup.client &&
                        (!stream->sent || h2_error == NGHTTP2_REFUSED_STREAM);
  stream->turned_away = stream->unprocessed && conn->ready &&
                        (conn->retired || conn->phase == PERI_CONN_DEAD);
  if (conn->recent == stream) {
    conn->recent = NULL;
  }
  if (conn->head == stream) {
    conn->head = NULL;
  }
  peri_list_remove(&stream->work);
  peri_list_push(&conn->closed, &stream->work);
}

void peri_h2_stream_bury(struct peri_h2_stream *stream) {
  struct peri_h2_end end = {.code = stream->code,
                            .cause = stream->cause,
                            .h2_error = stream->h2_error,
                            .reset = stream->reset,
                            .unprocessed = stream->unprocessed,
                            .goaway = stream->turned_away};
  stream->closed = true;
  peri_list_remove(&stream->work);
  if (stream->events != NULL && stream->events->on_close != NULL) {
    stream->events->on_close(stream->ctx, stream, &end);
  }
  peri_h2_stream_recycle(stream);
}

static void leave_conn(struct peri_h2_stream *stream,
                       struct peri_h2_conn *conn) {
  peri_list_remove(&stream->link);
  conn->stream_count--;
  if (conn->stream_count == 0) {
    conn->idle_ns = peri_loop_now_ns(conn->hub->setup.loop);
  }
  conn->unsent -= stream->body.bytes;
  size_t owed = stream->unconsumed - stream->spared;
  if (owed > 0 && conn->phase == PERI_CONN_OPEN) {
    nghttp2_session_consume_connection(conn->session, owed);
    peri_h2_conn_stir(conn);
  }
}

void peri_h2_stream_recycle(struct peri_h2_stream *stream) {
  struct peri_h2_conn *conn = stream->conn;
  peri_list_remove(&stream->work);
  if (conn != NULL) {
    leave_conn(stream, conn);
    stream->conn = NULL;
    if (stream->body.count > 0 && conn->phase == PERI_CONN_OPEN &&
        peri_wire_busy(conn->wire)) {
      // The wire may hold the beginning of what the body still owns.
      peri_list_push(&conn->parked, &stream->work);
      return;
    }
  }
  peri_h2_body_done(&stream->body);
  peri_h2_fields_done(&stream->head);
  peri_h2_fields_done(&stream->trailers);
  peri_buffer_done(&stream->early);
  if (stream->tail != NULL && stream->tail != stream->tail_room) {
    free(stream->tail);
  }
  peri_h2_hub_give(stream->hub, stream);
}
