// The yardstick: the least that answers a unary gRPC call with nghttp2 on
// libuv. No limits, no routing, no cache; but, as in Perigee, what one loop
// iteration produced for a connection leaves in one write.
//
//   bench_echo PORT BODY_BYTES
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { PREFIX_BYTES = 5, BACKLOG = 1024, READ_BYTES = 65536 };

struct conn {
  uv_tcp_t tcp;
  nghttp2_session *session;
  struct conn *next_dirty;
  int dirty;
  char *out;
  size_t used;
  size_t capacity;
};

struct write {
  uv_write_t request;
  char *bytes;
};

static char *body;
static size_t body_bytes;
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *option;
static struct conn *dirty;
static uv_prepare_t prepare;

static nghttp2_nv field(const char *name, const char *value) {
  nghttp2_nv nv = {
      (uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
      strlen(value),
      NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
  return nv;
}

// `source->fd` counts what was sent; kept in the stream's user data.
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf,
                         size_t length, uint32_t *flags,
                         nghttp2_data_source *source, void *user_data) {
  size_t sent =
      (size_t)(uintptr_t)nghttp2_session_get_stream_user_data(session, id);
  size_t left = body_bytes - sent;
  size_t taken = left < length ? left : length;
  (void)source;
  (void)user_data;
  memcpy(buf, body + sent, taken);
  nghttp2_session_set_stream_user_data(session, id, (void *)(sent + taken));
  if (taken == left) {
    nghttp2_nv trailer = field("grpc-status", "0");
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, &trailer, 1);
  }
  return (ssize_t)taken;
}

static int frame_came(nghttp2_session *session, const nghttp2_frame *frame,
                      void *user_data) {
  (void)user_data;
  if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    nghttp2_nv head[] = {field(":status", "200"),
                         field("content-type", "application/grpc"),
                         field("grpc-accept-encoding", "identity,gzip")};
    nghttp2_data_provider provider = {.read_callback = read_body};
    nghttp2_submit_response(session, frame->hd.stream_id, head,
                            sizeof(head) / sizeof(head[0]), &provider);
  }
  return 0;
}

static void written(uv_write_t *request, int status) {
  struct write *write = (struct write *)request;
  (void)status;
  free(write->bytes);
  free(write);
}

static void closed(uv_handle_t *handle) {
  struct conn *conn = handle->data;
  nghttp2_session_del(conn->session);
  free(conn->out);
  free(conn);
}

static void append(struct conn *conn, const uint8_t *bytes, size_t len) {
  if (conn->used + len > conn->capacity) {
    conn->capacity = (conn->used + len) * 2;
    conn->out = realloc(conn->out, conn->capacity);
    if (conn->out == NULL) {
      abort();
    }
  }
  memcpy(conn->out + conn->used, bytes, len);
  conn->used += len;
}

static void write_rest(struct conn *conn, size_t sent) {
  struct write *write = malloc(sizeof(*write));
  size_t left = conn->used - sent;
  char *bytes = malloc(left);
  if (write == NULL || bytes == NULL) {
    abort();
  }
  memcpy(bytes, conn->out + sent, left);
  write->bytes = bytes;
  uv_buf_t buf = uv_buf_init(bytes, (unsigned)left);
  uv_write(&write->request, (uv_stream_t *)&conn->tcp, &buf, 1, written);
}

static void flush(struct conn *conn) {
  const uint8_t *bytes = NULL;
  ssize_t len = 0;
  if (uv_is_closing((uv_handle_t *)&conn->tcp)) {
    return;
  }
  conn->used = 0;
  while ((len = nghttp2_session_mem_send(conn->session, &bytes)) > 0) {
    append(conn, bytes, (size_t)len);
  }
  if (conn->used == 0) {
    return;
  }
  uv_buf_t buf = uv_buf_init(conn->out, (unsigned)conn->used);
  int sent = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
  if (sent < 0 && sent != UV_EAGAIN) {
    return;
  }
  if (sent < 0 || (size_t)sent < conn->used) {
    write_rest(conn, sent < 0 ? 0 : (size_t)sent);
  }
}

static void flush_all(uv_prepare_t *handle) {
  (void)handle;
  while (dirty != NULL) {
    struct conn *conn = dirty;
    dirty = conn->next_dirty;
    conn->dirty = 0;
    flush(conn);
  }
}

static void lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  static char bytes[READ_BYTES];
  (void)handle;
  (void)suggested;
  *buf = uv_buf_init(bytes, sizeof(bytes));
}

static void got(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  struct conn *conn = stream->data;
  ssize_t taken = len;
  if (len > 0) {
    taken = nghttp2_session_mem_recv(conn->session, (uint8_t *)buf->base,
                                     (size_t)len);
  }
  if (!conn->dirty) {
    conn->dirty = 1;
    conn->next_dirty = dirty;
    dirty = conn;
  }
  if (taken < 0) {
    flush_all(&prepare);
    uv_close((uv_handle_t *)stream, closed);
  }
}

static void came(uv_stream_t *server, int status) {
  struct conn *conn = calloc(1, sizeof(*conn));
  nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                  1000};
  if (status < 0 || conn == NULL) {
    abort();
  }
  uv_tcp_init(server->loop, &conn->tcp);
  conn->tcp.data = conn;
  uv_accept(server, (uv_stream_t *)&conn->tcp);
  uv_tcp_nodelay(&conn->tcp, 1);
  nghttp2_session_server_new2(&conn->session, callbacks, conn, option);
  nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, &entry, 1);
  uv_read_start((uv_stream_t *)&conn->tcp, lend, got);
}

static void fill_body(size_t bytes) {
  body_bytes = PREFIX_BYTES + bytes;
  body = malloc(body_bytes);
  if (body == NULL) {
    abort();
  }
  memset(body, 'x', body_bytes);
  body[0] = 0;
  for (int i = 0; i < 4; i++) {
    body[1 + i] = (char)(bytes >> (24 - 8 * i));
  }
}

int main(int argc, char **argv) {
  uv_loop_t *loop = uv_default_loop();
  uv_tcp_t server;
  struct sockaddr_in at;
  if (argc != 3) {
    fprintf(stderr, "usage: %s PORT BODY_BYTES\n", argv[0]);
    return 2;
  }
  fill_body((size_t)strtoul(argv[2], NULL, 10));
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_came);
  nghttp2_option_new(&option);
  nghttp2_option_set_no_closed_streams(option, 1);
  uv_prepare_init(loop, &prepare);
  uv_prepare_start(&prepare, flush_all);
  uv_tcp_init(loop, &server);
  uv_ip4_addr("127.0.0.1", atoi(argv[1]), &at);
  uv_tcp_bind(&server, (const struct sockaddr *)&at, 0);
  int rc = uv_listen((uv_stream_t *)&server, BACKLOG, came);
  if (rc < 0) {
    fprintf(stderr, "%s: %s\n", argv[0], uv_strerror(rc));
    return 1;
  }
  printf("bench_echo ready\n");
  fflush(stdout);
  return uv_run(loop, UV_RUN_DEFAULT);
}
