// The yardstick for local hits: a bare nghttp2 server on libuv that answers
// every request with the same number of bytes as a sidecar would, with one
// write for each read, and without limits, timeouts, routing or a cache.
// bench_echo [BYTES] prints "ready ADDRESS".
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { BUFFER_BYTES = 1 << 20, READ_BYTES = 65536 };

struct conn {
  uv_tcp_t tcp;
  nghttp2_session *session;
};

static char reading[READ_BYTES];
static uint8_t writing[BUFFER_BYTES];
static uint8_t *answer;
static size_t answer_len;
static nghttp2_session_callbacks *callbacks;

static nghttp2_nv nv(const char *name, const char *value) {
  nghttp2_nv field = {.name = (uint8_t *)(uintptr_t)name,
                      .value = (uint8_t *)(uintptr_t)value,
                      .namelen = strlen(name),
                      .valuelen = strlen(value),
                      .flags = NGHTTP2_NV_FLAG_NONE};
  return field;
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to,
                           size_t len, uint32_t *flags,
                           nghttp2_data_source *source, void *ctx) {
  (void)source;
  (void)ctx;
  size_t *sent = nghttp2_session_get_stream_user_data(session, id);
  size_t left = answer_len - *sent;
  size_t take = left < len ? left : len;
  memcpy(to, answer + *sent, take);
  *sent += take;
  if (*sent == answer_len) {
    nghttp2_nv trailer = nv("grpc-status", "0");
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, &trailer, 1);
  }
  return (ssize_t)take;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame,
                    void *ctx) {
  (void)ctx;
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
      (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS)) {
    nghttp2_nv head[] = {nv(":status", "200"),
                         nv("content-type", "application/grpc"),
                         nv("grpc-accept-encoding", "identity,deflate,gzip")};
    nghttp2_data_provider provider = {.read_callback = read_answer};
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id,
                                         calloc(1, sizeof(size_t)));
    nghttp2_submit_response(session, frame->hd.stream_id, head, 3, &provider);
  }
  return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id,
                           uint32_t error_code, void *ctx) {
  (void)error_code;
  (void)ctx;
  free(nghttp2_session_get_stream_user_data(session, id));
  return 0;
}

static void closed(uv_handle_t *handle) {
  struct conn *conn = handle->data;
  nghttp2_session_del(conn->session);
  free(conn);
}

static void written(uv_write_t *request, int status) {
  (void)status;
  free(request);
}

/// Gathers all that the session has to say and writes it once.
static void flush(struct conn *conn) {
  size_t len = 0;
  const uint8_t *data = NULL;
  ssize_t got = 0;
  while (len + READ_BYTES < BUFFER_BYTES &&
         (got = nghttp2_session_mem_send(conn->session, &data)) > 0) {
    memcpy(writing + len, data, (size_t)got);
    len += (size_t)got;
  }
  if (len == 0) {
    return;
  }
  uv_buf_t buf = uv_buf_init((char *)writing, (unsigned)len);
  int done = uv_try_write((uv_stream_t *)&conn->tcp, &buf, 1);
  if (done < (int)len) {
    size_t from = done > 0 ? (size_t)done : 0;
    uv_write_t *request = malloc(sizeof(*request) + len - from);
    memcpy(request + 1, writing + from, len - from);
    buf = uv_buf_init((char *)(request + 1), (unsigned)(len - from));
    uv_write(request, (uv_stream_t *)&conn->tcp, &buf, 1, written);
  }
}

static void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *ret_buf) {
  (void)handle;
  (void)size;
  *ret_buf = uv_buf_init(reading, READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
  struct conn *conn = stream->data;
  if (len < 0 ||
      nghttp2_session_mem_recv(conn->session, (const uint8_t *)buf->base,
                               (size_t)len) < 0) {
    uv_close((uv_handle_t *)stream, closed);
    return;
  }
  flush(conn);
}

static void on_connection(uv_stream_t *server, int status) {
  struct conn *conn = calloc(1, sizeof(*conn));
  if (status < 0 || conn == NULL) {
    free(conn);
    return;
  }
  uv_tcp_init(server->loop, &conn->tcp);
  conn->tcp.data = conn;
  nghttp2_session_server_new(&conn->session, callbacks, conn);
  uv_accept(server, (uv_stream_t *)&conn->tcp);
  uv_tcp_nodelay(&conn->tcp, 1);
  nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                  1000};
  nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, &entry, 1);
  uv_read_start((uv_stream_t *)&conn->tcp, give_buffer, on_read);
  flush(conn);
}

int main(int argc, char **argv) {
  size_t size = argc > 1 ? (size_t)atol(argv[1]) : 1024;
  struct sockaddr_in address;
  int length = sizeof(address);
  uv_tcp_t server;

  answer_len = size;
  answer = calloc(1, size + 1);
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                         on_stream_close);
  uv_tcp_init(uv_default_loop(), &server);
  uv_ip4_addr("127.0.0.1", 0, &address);
  uv_tcp_bind(&server, (const struct sockaddr *)&address, 0);
  if (answer == NULL ||
      uv_listen((uv_stream_t *)&server, 128, on_connection) < 0) {
    return 1;
  }
  uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length);
  printf("ready 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
