#include "h2/call_shim.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "h2/server.h"
#include "loop/loop.h"

enum { MOST_STREAMS = 64, MOST_LINES = 64, QUIET_STEPS = 5, MOST_PIECES = 32 };

struct shim_stream {
  struct peri_buffer body;
  struct peri_buffer log;
  bool end;
  bool deferred;
};

struct shim_call_rig {
  struct peri_loop *loop;
  struct peri_h2_server *server;
  nghttp2_session *client;
  int fd;
  int mode;
  uint32_t message_bytes;
  struct shim_stream streams[MOST_STREAMS];
  struct peri_buffer messages;
  struct peri_call *held;
  int canceled;
  int released;
};

static struct shim_stream *at(struct shim_call_rig *rig, int32_t id) {
  return &rig->streams[(id / 2) % MOST_STREAMS];
}

static void canceled(void *ctx, int code) {
  struct shim_call_rig *rig = ctx;
  rig->canceled = code;
  rig->held = NULL;
}

static void handle(void *ctx, struct peri_call *call,
                   struct peri_slice message) {
  struct shim_call_rig *rig = ctx;
  struct peri_h2_piece piece = {.bytes = message};
  (void)peri_buffer_add(&rig->messages, message.ptr, message.len);
  (void)peri_buffer_add(&rig->messages, ";", 1);
  if (rig->mode == SHIM_CALL_ECHO) {
    peri_call_reply(call, &piece, 1);
    return;
  }
  rig->held = call;
  if (rig->mode == SHIM_CALL_WATCH) {
    peri_call_on_cancel(call, canceled, rig);
  }
}

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  struct shim_call_rig *rig = ctx;
  if (rig->mode == SHIM_CALL_REFUSE_MORE) {
    const struct peri_h2_field more[] = {{{"x-why", 5}, {"one", 3}, false},
                                         {{"x-why", 5}, {"two", 3}, false}};
    peri_call_refuse_more(stream, PERI_STATUS_NOT_FOUND, "no such thing", more,
                          2);
    return;
  }
  if (rig->mode == SHIM_CALL_REFUSE) {
    peri_call_refuse(stream, PERI_STATUS_NOT_FOUND, "no such thing");
    return;
  }
  peri_call_accept(stream, rig->message_bytes, handle, rig);
}

static void drop(void *owner) {
  struct shim_call_rig *rig = owner;
  rig->released++;
}

static int header_came(nghttp2_session *session, const nghttp2_frame *frame,
                       const uint8_t *name, size_t name_len,
                       const uint8_t *value, size_t value_len, uint8_t flags,
                       void *user_data) {
  struct peri_buffer *log = &at(user_data, frame->hd.stream_id)->log;
  (void)session;
  (void)flags;
  (void)peri_buffer_printf(log, " %.*s=%.*s", (int)name_len, name,
                           (int)value_len, value);
  return 0;
}

static int headers_began(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user_data) {
  struct peri_buffer *log = &at(user_data, frame->hd.stream_id)->log;
  (void)session;
  (void)peri_buffer_printf(log, "headers");
  return 0;
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame,
                      void *user_data) {
  struct peri_buffer *log = &at(user_data, frame->hd.stream_id)->log;
  bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  (void)session;
  if (frame->hd.type == NGHTTP2_HEADERS) {
    (void)peri_buffer_printf(log, end ? " end\n" : "\n");
  }
  return 0;
}

static int data_came(nghttp2_session *session, uint8_t flags, int32_t id,
                     const uint8_t *bytes, size_t len, void *user_data) {
  struct peri_buffer *log = &at(user_data, id)->log;
  (void)session;
  (void)flags;
  (void)peri_buffer_printf(log, "data ");
  (void)peri_buffer_add(log, bytes, len);
  (void)peri_buffer_printf(log, "\n");
  return 0;
}

static int closed(nghttp2_session *session, int32_t id, uint32_t error_code,
                  void *user_data) {
  (void)session;
  (void)peri_buffer_printf(&at(user_data, id)->log, "close %u\n",
                           (unsigned)error_code);
  return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf,
                         size_t length, uint32_t *data_flags,
                         nghttp2_data_source *source, void *user_data) {
  struct shim_stream *stream = at(user_data, id);
  size_t taken = stream->body.len < length ? stream->body.len : length;
  (void)session;
  (void)source;
  if (taken == 0 && !stream->end) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (taken > 0) {
    memcpy(buf, stream->body.ptr, taken);
    peri_buffer_drop(&stream->body, taken);
  }
  if (stream->body.len == 0 && stream->end) {
    *data_flags |= NGHTTP2_DATA_FLAG_EOF;
  }
  return (ssize_t)taken;
}

static int make_client(struct shim_call_rig *rig) {
  nghttp2_session_callbacks *callbacks = NULL;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) {
    return -1;
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                          headers_began);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, header_came);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                            data_came);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, closed);
  int rc = nghttp2_session_client_new(&rig->client, callbacks, rig);
  nghttp2_session_callbacks_del(callbacks);
  return rc == 0 ? nghttp2_submit_settings(rig->client, 0, NULL, 0) : rc;
}

struct shim_call_rig *shim_call_rig_new(uint32_t message_bytes, int mode) {
  int fds[2];
  struct shim_call_rig *rig = calloc(1, sizeof(*rig));
  if (rig == NULL || peri_loop_new(&rig->loop) < 0 || make_client(rig) != 0 ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0) {
    abort();
  }
  struct peri_h2_server_options options = {.loop = rig->loop,
                                           .limits = peri_h2_limits_default(),
                                           .name = "app",
                                           .on_request = on_request,
                                           .ctx = rig};
  rig->fd = fds[0];
  rig->mode = mode;
  rig->message_bytes = message_bytes;
  rig->canceled = 1;
  if (peri_h2_server_new(&options, &rig->server) < 0 ||
      peri_h2_server_adopt(rig->server, fds[1]) < 0) {
    abort();
  }
  return rig;
}

void shim_call_hang_up(struct shim_call_rig *rig) {
  if (rig->fd >= 0) {
    close(rig->fd);
    rig->fd = -1;
  }
}

struct peri_loop *shim_call_loop(const struct shim_call_rig *rig) {
  return rig->loop;
}

void shim_call_rig_free(struct shim_call_rig *rig) {
  shim_call_hang_up(rig);
  nghttp2_session_del(rig->client);
  peri_h2_server_free(rig->server);
  if (peri_loop_free(rig->loop) < 0) {
    abort();
  }
  for (size_t i = 0; i < MOST_STREAMS; i++) {
    peri_buffer_done(&rig->streams[i].body);
    peri_buffer_done(&rig->streams[i].log);
  }
  peri_buffer_done(&rig->messages);
  free(rig);
}

// One "name: value" line as a field that points into it.
static nghttp2_nv parse(const char *line, size_t len) {
  const char *colon = memchr(line + 1, ':', len - 1);
  size_t name_len = (size_t)(colon - line);
  nghttp2_nv nv = {.name = (uint8_t *)(uintptr_t)line,
                   .namelen = name_len,
                   .value = (uint8_t *)(uintptr_t)(colon + 2),
                   .valuelen = len - name_len - 2};
  return nv;
}

int shim_call_request(struct shim_call_rig *rig, const char *lines, bool end) {
  nghttp2_nv nvs[MOST_LINES];
  nghttp2_data_provider provider = {.read_callback = read_body};
  size_t count = 0;
  while (*lines != '\0' && count < MOST_LINES) {
    size_t len = strcspn(lines, "\n");
    nvs[count++] = parse(lines, len);
    lines += len + (lines[len] == '\n');
  }
  int id = nghttp2_submit_request(rig->client, NULL, nvs, count,
                                  end ? NULL : &provider, NULL);
  return id;
}

void shim_call_body(struct shim_call_rig *rig, int id, struct peri_slice bytes,
                    bool end) {
  struct shim_stream *stream = at(rig, id);
  (void)peri_buffer_add(&stream->body, bytes.ptr, bytes.len);
  stream->end = end;
  if (stream->deferred) {
    stream->deferred = false;
    (void)nghttp2_session_resume_data(rig->client, id);
  }
}

void shim_call_reset(struct shim_call_rig *rig, int id, uint32_t h2_error) {
  (void)nghttp2_submit_rst_stream(rig->client, 0, id, h2_error);
}

// Moves bytes between client and socket; false when there were none.
static bool pump(struct shim_call_rig *rig) {
  char bytes[65536];
  const uint8_t *out = NULL;
  bool moved = false;
  if (rig->fd < 0) {
    return false;
  }
  for (;;) {
    ssize_t len = nghttp2_session_mem_send(rig->client, &out);
    if (len <= 0) {
      break;
    }
    for (ssize_t sent = 0; sent < len;) {
      ssize_t now =
          send(rig->fd, out + sent, (size_t)(len - sent), MSG_NOSIGNAL);
      if (now < 0 && errno != EAGAIN) {
        return moved;  // the server has closed
      }
      if (now < 0) {
        // The server must read before more fits.
        (void)peri_loop_step(rig->loop, 1);
        now = 0;
      }
      sent += now;
    }
    moved = true;
  }
  for (;;) {
    ssize_t len = read(rig->fd, bytes, sizeof(bytes));
    if (len <= 0) {
      return moved;
    }
    moved = true;
    (void)nghttp2_session_mem_recv(rig->client, (uint8_t *)bytes, (size_t)len);
  }
}

void shim_call_run(struct shim_call_rig *rig, uint32_t ms) {
  uint64_t until_ns = peri_clock_mono_ns() + (uint64_t)ms * 1000000;
  int quiet = 0;
  while (quiet < QUIET_STEPS || peri_clock_mono_ns() < until_ns) {
    quiet = pump(rig) ? 0 : quiet + 1;
    (void)peri_loop_step(rig->loop, ms > 0 ? 1 : 0);
  }
}

struct peri_slice shim_call_log(struct shim_call_rig *rig, int id) {
  return peri_buffer_slice(&at(rig, id)->log);
}

struct peri_slice shim_call_messages(struct shim_call_rig *rig) {
  return peri_buffer_slice(&rig->messages);
}

struct peri_call *shim_call_held(struct shim_call_rig *rig) {
  return rig->held;
}

int shim_call_canceled(struct shim_call_rig *rig) {
  return rig->canceled;
}

int shim_call_released(struct shim_call_rig *rig) {
  return rig->released;
}

int shim_call_window(struct shim_call_rig *rig) {
  return nghttp2_session_get_remote_window_size(rig->client);
}

static void fill(struct shim_call_rig *rig, struct peri_slice bytes,
                 size_t count, struct peri_h2_piece *ret_pieces) {
  for (size_t i = 0; i < count && i < MOST_PIECES; i++) {
    ret_pieces[i] =
        (struct peri_h2_piece){.bytes = bytes, .release = drop, .owner = rig};
  }
}

void shim_call_reply(struct shim_call_rig *rig, struct peri_call *call,
                     struct peri_slice bytes, size_t count) {
  struct peri_h2_piece pieces[MOST_PIECES];
  fill(rig, bytes, count, pieces);
  peri_call_reply(call, pieces, count);
}

int shim_call_send(struct shim_call_rig *rig, struct peri_call *call,
                   struct peri_slice bytes, size_t count) {
  struct peri_h2_piece pieces[MOST_PIECES];
  fill(rig, bytes, count, pieces);
  return peri_call_send(call, pieces, count);
}
