#include "h2/stream.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "h2/conn.h"
#include "h2/names.h"
#include "h2/session.h"
#include "h2/stream_state.h"

enum { MOST_STACK_FIELDS = 32 };

static bool is_live(const struct peri_h2_stream *stream) {
  return !stream->closed && stream->conn != NULL &&
         stream->conn->phase < PERI_CONN_LINGERING;
}

void peri_h2_stream_listen(struct peri_h2_stream *stream,
                           const struct peri_h2_stream_events *events,
                           void *ctx) {
  stream->events = events;
  stream->ctx = ctx;
}

size_t peri_h2_stream_fields(const struct peri_h2_stream *stream,
                             const struct peri_h2_field **ret_fields) {
  *ret_fields = stream->head.fields;
  return stream->head.count;
}

size_t peri_h2_stream_trailer_fields(const struct peri_h2_stream *stream,
                                     const struct peri_h2_field **ret_fields) {
  *ret_fields = stream->trailers.fields;
  return stream->ended ? stream->trailers.count : 0;
}

bool peri_h2_stream_header(const struct peri_h2_stream *stream,
                           const char *name, struct peri_slice *ret_value) {
  return peri_h2_fields_find(&stream->head, name, ret_value);
}

bool peri_h2_stream_trailer(const struct peri_h2_stream *stream,
                            const char *name, struct peri_slice *ret_value) {
  return stream->ended &&
         peri_h2_fields_find(&stream->trailers, name, ret_value);
}

// A field as nghttp2 wants it; its own copies are made when it is submitted,
// but for names that last.
static nghttp2_nv nv_of(const struct peri_h2_field *field) {
  const char *name = peri_h2_name_lasting(field->name);
  unsigned flags =
      (name != NULL ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE) |
      (field->secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
  nghttp2_nv nv = {
      .name = (uint8_t *)(uintptr_t)(name != NULL ? name : field->name.ptr),
      .namelen = field->name.len,
      .value = (uint8_t *)(uintptr_t)field->value.ptr,
      .valuelen = field->value.len,
      .flags = (uint8_t)flags};
  return nv;
}

int peri_h2_stream_submit(struct peri_h2_stream *stream,
                          const struct peri_h2_field *fields, size_t count,
                          bool end) {
  nghttp2_nv some[MOST_STACK_FIELDS];
  nghttp2_nv *nvs = some;
  if (count == 0) {
    return PERI_EINVAL;
  }
  if (count > MOST_STACK_FIELDS) {
    nvs = malloc(count * sizeof(*nvs));
    if (nvs == NULL) {
      return PERI_ENOMEM;
    }
  }
  for (size_t i = 0; i < count; i++) {
    nvs[i] = nv_of(&fields[i]);
  }
  int rc = peri_h2_session_submit(stream, nvs, count, !end);
  if (nvs != some) {
    free(nvs);
  }
  if (rc == 0) {
    stream->responded = true;
    stream->finished = end;
    peri_h2_conn_stir(stream->conn);
  }
  return rc;
}

int peri_h2_stream_respond(struct peri_h2_stream *stream,
                           const struct peri_h2_field *fields, size_t count,
                           bool end) {
  if (!is_live(stream)) {
    return PERI_ECLOSED;
  }
  if (stream->responded) {
    return PERI_EINVAL;
  }
  return peri_h2_stream_submit(stream, fields, count, end);
}

static void resume(struct peri_h2_stream *stream) {
  if (stream->deferred) {
    stream->deferred = false;
    (void)nghttp2_session_resume_data(stream->conn->session, stream->id);
  }
  peri_h2_conn_stir(stream->conn);
}

int peri_h2_stream_write(struct peri_h2_stream *stream,
                         const struct peri_h2_piece *pieces, size_t count) {
  if (!is_live(stream) || stream->finished) {
    peri_h2_pieces_release(pieces, count);
    return PERI_ECLOSED;
  }
  struct peri_h2_conn *conn = stream->conn;
  const struct peri_h2_limits *limits = &stream->hub->setup.limits;
  size_t before = stream->body.bytes;
  if (peri_h2_body_add(&stream->body, pieces, count) < 0) {
    peri_h2_pieces_release(pieces, count);
    return PERI_ENOMEM;
  }
  conn->unsent += stream->body.bytes - before;
  if (stream->body.bytes > before) {
    resume(stream);
  }
  if (stream->body.bytes >= limits->stream_buffer_bytes) {
    stream->full = true;
    return PERI_EBUSY;
  }
  return 0;
}

// Keeps our trailers until the body before them has left.
static int keep_tail(struct peri_h2_stream *stream,
                     const struct peri_h2_field *trailers, size_t count) {
  size_t len = count * sizeof(nghttp2_nv);
  for (size_t i = 0; i < count; i++) {
    len += trailers[i].name.len + trailers[i].value.len;
  }
  void *block =
      len <= sizeof(stream->tail_room) ? stream->tail_room : malloc(len);
  if (block == NULL) {
    return PERI_ENOMEM;
  }
  nghttp2_nv *nvs = block;
  uint8_t *text = (uint8_t *)(nvs + count);
  for (size_t i = 0; i < count; i++) {
    nvs[i] = nv_of(&trailers[i]);
    if ((nvs[i].flags & NGHTTP2_NV_FLAG_NO_COPY_NAME) == 0 &&
        nvs[i].namelen > 0) {
      nvs[i].name = memcpy(text, nvs[i].name, nvs[i].namelen);
    }
    text += nvs[i].namelen;
    if (nvs[i].valuelen > 0) {
      memcpy(text, nvs[i].value, nvs[i].valuelen);
    }
    nvs[i].value = text;
    text += nvs[i].valuelen;
  }
  stream->tail = block;
  stream->tail_count = count;
  return 0;
}

int peri_h2_stream_finish(struct peri_h2_stream *stream,
                          const struct peri_h2_field *trailers, size_t count) {
  if (!is_live(stream) || stream->finished) {
    return PERI_ECLOSED;
  }
  if (!stream->responded) {
    return PERI_EINVAL;
  }
  if (count > 0) {
    int rc = keep_tail(stream, trailers, count);
    if (rc < 0) {
      return rc;
    }
  }
  stream->finished = true;
  resume(stream);
  return 0;
}

void peri_h2_stream_consume(struct peri_h2_stream *stream, size_t bytes) {
  if (bytes > stream->unconsumed) {
    bytes = stream->unconsumed;
  }
  if (!is_live(stream) || bytes == 0) {
    return;
  }
  nghttp2_session *session = stream->conn->session;
  size_t spared = bytes < stream->spared ? bytes : stream->spared;
  stream->unconsumed -= bytes;
  stream->spared -= spared;
  // nghttp2 gathers these until half a window is worth a WINDOW_UPDATE.
  if (spared > 0) {
    (void)nghttp2_session_consume_stream(session, stream->id, spared);
  }
  if (bytes > spared) {
    (void)nghttp2_session_consume(session, stream->id, bytes - spared);
  }
  if (nghttp2_session_want_write(session) != 0) {
    peri_h2_conn_stir(stream->conn);
  }
}

void peri_h2_stream_spare(struct peri_h2_stream *stream, size_t bytes) {
  size_t most = stream->unconsumed - stream->spared;
  bytes = bytes < most ? bytes : most;
  if (!is_live(stream) || bytes == 0) {
    return;
  }
  stream->spared += bytes;
  (void)nghttp2_session_consume_connection(stream->conn->session, bytes);
  if (nghttp2_session_want_write(stream->conn->session) != 0) {
    peri_h2_conn_stir(stream->conn);
  }
}

void peri_h2_stream_reset(struct peri_h2_stream *stream, uint32_t h2_error) {
  if (!is_live(stream)) {
    return;
  }
  struct peri_h2_conn *conn = stream->conn;
  // The stream ends here at once; nghttp2 keeps its own until the frame has
  // left, and must not find ours any more.
  (void)nghttp2_session_set_stream_user_data(conn->session, stream->id, NULL);
  (void)nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, stream->id,
                                  h2_error);
  peri_h2_stream_end(stream, PERI_ECANCELED, h2_error);
  peri_turn_request(&conn->turn);
}

void peri_h2_stream_cut(struct peri_h2_stream *stream, uint32_t h2_error) {
  if (!is_live(stream)) {
    return;
  }
  stream->cut_error = h2_error;
  stream->full = false;  // it has another list to be in now
  peri_list_remove(&stream->work);
  peri_list_push(&stream->conn->cut, &stream->work);
  peri_turn_request(&stream->conn->turn);
}

void peri_h2_stream_drop(struct peri_h2_stream *stream, uint32_t h2_error) {
  peri_h2_stream_listen(stream, NULL, NULL);
  if (!stream->ended || !stream->sent_end) {
    peri_h2_stream_reset(stream, h2_error);
  }
}

size_t peri_h2_stream_pending(const struct peri_h2_stream *stream) {
  return stream->body.bytes;
}

size_t peri_h2_stream_list_bytes(const struct peri_h2_stream *stream) {
  return is_live(stream)
             ? nghttp2_session_get_remote_settings(
                   stream->conn->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE)
             : 0;
}

struct peri_loop *peri_h2_stream_loop(const struct peri_h2_stream *stream) {
  return stream->hub->setup.loop;
}
