#include "h2/rig_shim.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/address.h"
#include "base/error.h"
#include "base/slice.h"

enum { MOST_PIECES = 64, LARGEST_PIECE = 262144 };

static char zeros[LARGEST_PIECE];

static struct peri_slice path_of(const struct peri_h2_stream *stream) {
  struct peri_slice path = {NULL, 0};
  peri_h2_stream_header(stream, ":path", &path);
  return path;
}

static void respond(struct peri_h2_stream *stream, bool end) {
  static const struct peri_h2_field fields[] = {
      {{":status", 7}, {"200", 3}, false},
      {{"content-type", 12}, {"application/grpc", 16}, false},
      {{"grpc-status", 11}, {"0", 1}, false}};
  peri_h2_stream_respond(stream, fields, end ? 3 : 2, end);
}

static void finish(struct peri_h2_stream *stream) {
  static const struct peri_h2_field trailers[] = {
      {{"grpc-status", 11}, {"0", 1}, false}, {{"x-empty", 7}, {"", 0}, false}};
  peri_h2_stream_finish(stream, trailers, 2);
}

static void give_back(void *owner) {
  struct rig *rig = owner;
  rig->released++;
}

// Queues at most `most` pieces of what is left.
static int lend(struct rig *rig, struct peri_h2_stream *stream, bool copy,
                size_t most) {
  struct peri_h2_piece pieces[MOST_PIECES];
  size_t count = 0;
  while (count < most && rig->reply_bytes > 0) {
    size_t len = rig->piece_bytes < rig->reply_bytes ? rig->piece_bytes
                                                     : rig->reply_bytes;
    struct peri_h2_piece piece = {.bytes = {zeros, len}};
    if (!copy) {
      piece.release = give_back;
      piece.owner = rig;
      rig->borrowed++;
    }
    pieces[count++] = piece;
    rig->reply_bytes -= len;
  }
  return peri_h2_stream_write(stream, pieces, count);
}

static void stream_on(struct rig *rig, struct peri_h2_stream *stream) {
  while (rig->reply_bytes > 0) {
    if (lend(rig, stream, false, 1) == PERI_EBUSY) {
      rig->busies++;
      break;
    }
  }
  if (rig->reply_bytes == 0) {
    finish(stream);
  }
}

static void answer_count(struct peri_h2_stream *stream) {
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  struct peri_h2_piece piece = {.bytes = {(const char *)&count, 1}};
  respond(stream, false);
  peri_h2_stream_write(stream, &piece, 1);
  finish(stream);
}

static void on_data(void *ctx, struct peri_h2_stream *stream,
                    struct peri_slice bytes) {
  struct rig *rig = ctx;
  rig->received += bytes.len;
  if (peri_slice_is(path_of(stream), "/echo")) {
    struct peri_h2_piece piece = {.bytes = bytes};
    peri_h2_stream_write(stream, &piece, 1);
  }
  if (rig->hungry) {
    peri_h2_stream_consume(stream, bytes.len);
  }
}

static void on_end(void *ctx, struct peri_h2_stream *stream) {
  struct rig *rig = ctx;
  struct peri_slice path = path_of(stream);
  rig->ends++;
  if (peri_slice_is(path, "/echo")) {
    finish(stream);
  } else if (peri_slice_is(path, "/bytes") || peri_slice_is(path, "/copies")) {
    respond(stream, false);
    while (rig->reply_bytes > 0) {
      lend(rig, stream, peri_slice_is(path, "/copies"), MOST_PIECES);
    }
    finish(stream);
  } else if (peri_slice_is(path, "/stream")) {
    respond(stream, false);
    stream_on(rig, stream);
  } else if (peri_slice_is(path, "/bare")) {
    respond(stream, false);
    peri_h2_stream_finish(stream, NULL, 0);
  }
}

static void on_writable(void *ctx, struct peri_h2_stream *stream) {
  struct rig *rig = ctx;
  rig->writables++;
  if (peri_slice_is(path_of(stream), "/stream")) {
    stream_on(rig, stream);
  }
}

static void on_close(void *ctx, struct peri_h2_stream *stream,
                     const struct peri_h2_end *end) {
  struct rig *rig = ctx;
  rig->closes++;
  rig->end = *end;
  if (rig->last == stream) {
    rig->last = NULL;
  }
}

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  static const struct peri_h2_stream_events events = {
      .on_data = on_data,
      .on_end = on_end,
      .on_writable = on_writable,
      .on_close = on_close};
  struct rig *rig = ctx;
  struct peri_slice path = path_of(stream);
  rig->requests++;
  rig->last = stream;
  peri_h2_stream_listen(stream, &events, rig);
  if (peri_slice_is(path, "/echo")) {
    respond(stream, false);
  } else if (peri_slice_is(path, "/early")) {
    respond(stream, true);
  } else if (peri_slice_is(path, "/reset")) {
    peri_h2_stream_reset(stream, rig->reset_error);
  } else if (peri_slice_is(path, "/fields")) {
    answer_count(stream);
  } else if (peri_slice_is(path, "/free")) {
    rig_server_free(rig);
  }
}

static void on_conn_closed(void *ctx) {
  struct rig *rig = ctx;
  rig->conn_closes++;
}

struct rig *rig_new(const struct peri_h2_limits *server,
                    const struct peri_h2_client_options *client) {
  struct rig *rig = calloc(1, sizeof(*rig));
  if (rig == NULL) {
    return NULL;
  }
  rig->hungry = true;
  rig->piece_bytes = LARGEST_PIECE;
  rig->metrics = peri_metrics_new();
  if (peri_loop_new(&rig->loop) < 0) {
    return NULL;
  }
  struct peri_h2_server_options options = {.loop = rig->loop,
                                           .limits = *server,
                                           .metrics = rig->metrics,
                                           .name = "app",
                                           .on_request = on_request,
                                           .on_conn_closed = on_conn_closed,
                                           .ctx = rig};
  struct peri_h2_client_options mine = *client;
  mine.loop = rig->loop;
  mine.metrics = rig->metrics;
  if (peri_h2_server_new(&options, &rig->server) < 0 ||
      peri_h2_client_new(&mine, &rig->client) < 0) {
    return NULL;
  }
  return rig;
}

void rig_free(struct rig *rig) {
  rig_unlisten(rig);
  rig_client_free(rig);
  rig_server_free(rig);
  if (peri_loop_free(rig->loop) < 0) {
    abort();
  }
  peri_metrics_free(rig->metrics);
  free(rig);
}

static void accepted(void *ctx, int fd) {
  struct rig *rig = ctx;
  rig->accepted++;
  if (rig->server != NULL) {
    peri_h2_server_adopt(rig->server, fd);
  } else {
    close(fd);
  }
}

static void refused(void *ctx) {
  struct rig *rig = ctx;
  rig->refused++;
}

int rig_listen(struct rig *rig, const char *text) {
  struct peri_address address;
  int rc = peri_address_parse(peri_slice_of(text), &address);
  if (rc == 0) {
    rc = peri_listener_bind(&address, -1, &rig->listener, NULL);
  }
  if (rc < 0) {
    return rc;
  }
  peri_address_format(peri_listener_address(rig->listener), rig->address,
                      sizeof(rig->address));
  return peri_listener_start(rig->listener, rig->loop, accepted, refused, rig);
}

void rig_unlisten(struct rig *rig) {
  peri_listener_free(rig->listener);
  rig->listener = NULL;
}

int rig_raw(struct rig *rig, int buffer_bytes) {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) <
      0) {
    return -1;
  }
  for (int i = 0; i < 2 && buffer_bytes > 0; i++) {
    setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &buffer_bytes,
               sizeof(buffer_bytes));
    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &buffer_bytes,
               sizeof(buffer_bytes));
  }
  if (peri_h2_server_adopt(rig->server, fds[0]) < 0) {
    close(fds[1]);
    return -1;
  }
  return fds[1];
}

int rig_mute(uint16_t *ret_port) {
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 16) < 0 ||
      getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
    close(fd);
    return -1;
  }
  *ret_port = ntohs(at.sin_port);
  return fd;
}

int rig_mute_accept(int fd) {
  return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void drained(void *ctx) {
  struct rig *rig = ctx;
  rig->drained++;
}

void rig_drain(struct rig *rig) {
  peri_h2_server_drain(rig->server, drained, rig);
}

void rig_server_free(struct rig *rig) {
  struct peri_h2_server *server = rig->server;
  rig->server = NULL;
  peri_h2_server_free(server);
}

void rig_client_free(struct rig *rig) {
  struct peri_h2_client *client = rig->client;
  rig->client = NULL;
  peri_h2_client_free(client);
}

static void note(struct peri_buffer *text, const struct peri_h2_field *fields,
                 size_t count) {
  for (size_t i = 0; i < count; i++) {
    peri_buffer_printf(text, "%.*s: %.*s\n", (int)fields[i].name.len,
                       fields[i].name.ptr, (int)fields[i].value.len,
                       fields[i].value.ptr);
  }
}

static void call_headers(void *ctx, struct peri_h2_stream *stream, bool end) {
  struct rig_call *call = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  note(&call->head, fields, count);
  call->heads++;
  call->head_end = end;
}

static void call_data(void *ctx, struct peri_h2_stream *stream,
                      struct peri_slice bytes) {
  struct rig_call *call = ctx;
  peri_buffer_add(&call->body, bytes.ptr, bytes.len);
  if (call->hungry) {
    peri_h2_stream_consume(stream, bytes.len);
  }
}

static void call_end(void *ctx, struct peri_h2_stream *stream) {
  struct rig_call *call = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_trailer_fields(stream, &fields);
  note(&call->trailers, fields, count);
  call->ends++;
}

static void call_writable(void *ctx, struct peri_h2_stream *stream) {
  struct rig_call *call = ctx;
  (void)stream;
  call->writables++;
}

static bool begin(struct rig_call *call, const char *path, bool end);

static void call_close(void *ctx, struct peri_h2_stream *stream,
                       const struct peri_h2_end *end) {
  struct rig_call *call = ctx;
  (void)stream;
  call->stream = NULL;
  call->closes++;
  call->end = *end;
  if (call->again && call->rig->client != NULL) {
    call->again = false;
    begin(call, "/echo", true);
  }
}

static bool begin(struct rig_call *call, const char *path, bool end) {
  static const struct peri_h2_stream_events events = {
      .on_headers = call_headers,
      .on_data = call_data,
      .on_end = call_end,
      .on_writable = call_writable,
      .on_close = call_close};
  const struct peri_h2_field fields[] = {
      {{":method", 7}, {"POST", 4}, false},
      {{":scheme", 7}, {"http", 4}, false},
      {{":path", 5}, peri_slice_of(path), false},
      {{":authority", 10}, {"localhost", 9}, false},
      {{"content-type", 12}, {"application/grpc", 16}, false},
      {{"te", 2}, {"trailers", 8}, false}};
  return peri_h2_client_open(call->rig->client, peri_slice_of(call->address),
                             fields, sizeof(fields) / sizeof(fields[0]), end,
                             &events, call, &call->stream) == 0;
}

struct rig_call *rig_open(struct rig *rig, const char *address,
                          const char *path, bool end) {
  struct rig_call *call = calloc(1, sizeof(*call));
  if (call == NULL) {
    return NULL;
  }
  call->rig = rig;
  call->hungry = true;
  strncpy(call->address, address, sizeof(call->address) - 1);
  if (!begin(call, path, end)) {
    free(call);
    return NULL;
  }
  return call;
}

int rig_call_write(struct rig_call *call, struct peri_slice bytes) {
  struct peri_h2_piece piece = {.bytes = bytes};
  return peri_h2_stream_write(call->stream, &piece, 1);
}

int rig_call_lend(struct rig_call *call, size_t bytes, size_t count) {
  int rc = 0;
  for (size_t i = 0; i < count; i++) {
    struct peri_h2_piece piece = {
        .bytes = {zeros, bytes}, .release = give_back, .owner = call->rig};
    call->rig->borrowed++;
    rc = peri_h2_stream_write(call->stream, &piece, 1);
  }
  return rc;
}

int rig_call_finish(struct rig_call *call) {
  return peri_h2_stream_finish(call->stream, NULL, 0);
}

void rig_call_free(struct rig_call *call) {
  peri_buffer_done(&call->head);
  peri_buffer_done(&call->trailers);
  peri_buffer_done(&call->body);
  free(call);
}
