#include "h2/session.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "base/error.h"
#include "h2/conn.h"
#include "h2/session_parts.h"
#include "h2/stream_state.h"

enum {
  RESETS_OF_NGHTTP2 = 1000,
  CONTINUATIONS_OF_NGHTTP2 = 8,
  FRAME_HEAD_BYTES = 9,
  LEAST_FRAME_BYTES = 16384,  // that a peer may have to cut blocks into
  OWN_BLOCK_BYTES = 65536     // a block's share that is ours
};

struct peri_h2_stream *peri_h2_session_find(struct peri_h2_conn *conn,
                                            int32_t id) {
  if (conn->recent != NULL && conn->recent->id == id) {
    return conn->recent;
  }
  struct peri_h2_stream *stream =
      nghttp2_session_get_stream_user_data(conn->session, id);
  if (stream != NULL) {
    conn->recent = stream;
  }
  return stream;
}

// How much body the next DATA frame carries; the bytes come in send_body().
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf,
                         size_t length, uint32_t *data_flags,
                         nghttp2_data_source *source, void *user_data) {
  struct peri_h2_stream *stream = peri_h2_session_find(user_data, id);
  (void)buf;
  (void)source;
  if (stream == NULL || stream->closed) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  size_t pending = stream->body.bytes;
  if (pending == 0 && !stream->finished) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  size_t taken = pending < length ? pending : length;
  if (taken == pending && stream->finished) {
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->tail_count > 0) {
      *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      int rc =
          nghttp2_submit_trailer(session, id, stream->tail, stream->tail_count);
      if (rc != 0) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      }
    }
  }
  if (taken > 0) {
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  }
  return (ssize_t)taken;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame,
                     const uint8_t *head, size_t length,
                     nghttp2_data_source *source, void *user_data) {
  struct peri_h2_conn *conn = user_data;
  struct peri_out *out = &conn->hub->out;
  struct peri_h2_stream *stream =
      peri_h2_session_find(conn, frame->hd.stream_id);
  (void)session;
  (void)source;
  if (stream == NULL || stream->closed || length > stream->body.bytes) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  // One frame more must fit: nghttp2 goes on to the next by itself.
  if (!peri_out_fits(out, 2)) {
    out->full = true;
    return NGHTTP2_ERR_WOULDBLOCK;
  }
  peri_out_copy(out, head, FRAME_HEAD_BYTES);
  peri_h2_body_take(&stream->body, length, out);
  conn->unsent -= length;
  if (stream->events != NULL && stream->events->on_sent != NULL) {
    stream->events->on_sent(stream->ctx, stream, length);
  }
  if (stream->full &&
      stream->body.bytes < conn->hub->setup.limits.stream_buffer_bytes / 2) {
    peri_list_remove(&stream->work);
    peri_list_push(&conn->writable, &stream->work);
  }
  return 0;
}

static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame,
                      void *user_data) {
  struct peri_h2_conn *conn = user_data;
  uint8_t type = frame->hd.type;
  if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA) {
    return 0;
  }
  conn->spoke = true;
  bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (!end && !conn->hub->setup.client) {
    return 0;
  }
  struct peri_h2_stream *stream =
      peri_h2_session_find(conn, frame->hd.stream_id);
  if (stream == NULL) {
    return 0;
  }
  stream->sent = true;
  stream->sent_end = stream->sent_end || end;
  if (stream->sent_end && !stream->ended && !conn->hub->setup.client) {
    // An answer before the request was over: the rest of it is not wanted.
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id,
                                     NGHTTP2_NO_ERROR);
  }
  return 0;
}

static int stream_closed(nghttp2_session *session, int32_t id,
                         uint32_t error_code, void *user_data) {
  struct peri_h2_conn *conn = user_data;
  struct peri_h2_stream *stream =
      nghttp2_session_get_stream_user_data(session, id);
  if (stream == NULL) {
    return 0;
  }
  peri_h2_stream_end(stream, 0, error_code);
  if (error_code == NGHTTP2_INTERNAL_ERROR && !stream->sent &&
      conn->hub->setup.client) {
    // The session no longer takes requests; this one never left.
    stream->code = PERI_ECLOSED;
  }
  return 0;
}

int peri_h2_session_submit(struct peri_h2_stream *stream, const void *nvs,
                           size_t count, bool body) {
  nghttp2_session *session = stream->conn->session;
  nghttp2_data_provider provider = {.read_callback = read_body};
  int rc = 0;
  if (stream->hub->setup.client) {
    rc = nghttp2_submit_request(session, NULL, nvs, count,
                                body ? &provider : NULL, stream);
    if (rc > 0) {
      stream->id = rc;
      rc = 0;
    }
  } else {
    rc = nghttp2_submit_response(session, stream->id, nvs, count,
                                 body ? &provider : NULL);
  }
  if (rc == NGHTTP2_ERR_NOMEM) {
    return PERI_ENOMEM;
  }
  return rc == 0 ? 0 : PERI_ECLOSED;
}

static nghttp2_option *make_option(const struct peri_h2_limits *limits) {
  nghttp2_option *option = NULL;
  if (nghttp2_option_new(&option) != 0) {
    return NULL;
  }
  // nghttp2 has its own guard against rapid resets; ours comes first and is
  // the one that is configured.
  uint64_t resets = limits->resets_per_s > RESETS_OF_NGHTTP2
                        ? limits->resets_per_s
                        : RESETS_OF_NGHTTP2;
  // What may come may also be passed on, with something of ours in it.
  nghttp2_option_set_max_continuations(
      option,
      CONTINUATIONS_OF_NGHTTP2 + limits->header_list_bytes / LEAST_FRAME_BYTES);
  nghttp2_option_set_max_send_header_block_length(
      option, (size_t)limits->header_list_bytes + OWN_BLOCK_BYTES);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
  nghttp2_option_set_max_reserved_remote_streams(option, 0);
  nghttp2_option_set_stream_reset_rate_limit(option, 2 * resets, 2 * resets);
  return option;
}

int peri_h2_session_shape(const struct peri_h2_limits *limits,
                          struct nghttp2_session_callbacks **ret_callbacks,
                          struct nghttp2_option **ret_option) {
  nghttp2_session_callbacks *callbacks = NULL;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) {
    return PERI_ENOMEM;
  }
  nghttp2_option *option = make_option(limits);
  if (option == NULL) {
    nghttp2_session_callbacks_del(callbacks);
    return PERI_ENOMEM;
  }
  nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         stream_closed);
  peri_h2_session_hear(callbacks);
  *ret_callbacks = callbacks;
  *ret_option = option;
  return 0;
}

static int submit_settings(struct peri_h2_conn *conn) {
  const struct peri_h2_limits *limits = &conn->hub->setup.limits;
  nghttp2_settings_entry entries[4] = {
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, limits->stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits->header_list_bytes},
  };
  if (conn->hub->setup.client) {
    entries[2].settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH;
    entries[2].value = 0;
  } else {
    entries[2].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
    entries[2].value = limits->streams_per_conn;
  }
  entries[3].settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES;
  entries[3].value = 1;
  int rc = nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries,
                                   sizeof(entries) / sizeof(entries[0]));
  if (rc == 0) {
    rc = nghttp2_session_set_local_window_size(
        conn->session, NGHTTP2_FLAG_NONE, 0,
        (int32_t)limits->conn_window_bytes);
  }
  return rc == 0 ? 0 : PERI_ENOMEM;
}

static void *lend(size_t bytes, void *ctx) {
  return peri_slab_alloc(ctx, bytes);
}

static void *lend_zeroed(size_t count, size_t bytes, void *ctx) {
  size_t total = 0;
  if (__builtin_mul_overflow(count, bytes, &total)) {
    return NULL;
  }
  void *block = peri_slab_alloc(ctx, total);
  return block != NULL ? memset(block, 0, total) : NULL;
}

static void *resize(void *block, size_t bytes, void *ctx) {
  return peri_slab_realloc(ctx, block, bytes);
}

static void take_back(void *block, void *ctx) {
  peri_slab_free(ctx, block);
}

int peri_h2_session_start(struct peri_h2_conn *conn) {
  struct peri_h2_hub *hub = conn->hub;
  nghttp2_mem mem = {.mem_user_data = &hub->slab,
                     .malloc = lend,
                     .free = take_back,
                     .calloc = lend_zeroed,
                     .realloc = resize};
  int rc = hub->setup.client
               ? nghttp2_session_client_new3(&conn->session, hub->callbacks,
                                             conn, hub->option, &mem)
               : nghttp2_session_server_new3(&conn->session, hub->callbacks,
                                             conn, hub->option, &mem);
  return rc == 0 ? submit_settings(conn) : PERI_ENOMEM;
}
