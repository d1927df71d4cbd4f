// A client that sends anything: the input goes to a server connection with gRPC
// calls behind it, in pieces, through a socket pair. When the client is gone
// nothing may be left of it.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/list.h"
#include "base/status.h"
#include "h2/call.h"
#include "h2/server.h"
#include "loop/loop.h"

enum { MESSAGE_BYTES = 5000, MOST_HELD = 64, STEPS = 6, PREFACE_BYTES = 33 };

// The client's preface with an empty SETTINGS frame.
static const char preface[] =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

struct world {
  struct peri_loop *loop;
  struct peri_h2_server *server;
  struct peri_call *held[MOST_HELD];
  unsigned count;
  uint8_t mode;  // bits 4 to 6 of the input's first byte
};

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static void left(void *ctx, int code) {
  struct peri_call **place = ctx;
  insist(code == PERI_ECANCELED || code == PERI_ETIMEOUT);
  *place = NULL;
}

static void hold(struct world *world, struct peri_call *call) {
  struct peri_call **place = &world->held[world->count % MOST_HELD];
  world->count++;
  if (*place != NULL) {
    peri_call_finish(call, PERI_STATUS_UNAVAILABLE, "no room");
    return;
  }
  *place = call;
  peri_call_on_cancel(call, left, place);
}

static void handle(void *ctx, struct peri_call *call,
                   struct peri_slice message) {
  struct world *world = ctx;
  struct peri_h2_piece piece = {.bytes = message};
  struct peri_slice value;
  insist(message.len <= MESSAGE_BYTES);
  (void)peri_call_header(call, "x", &value);
  switch (world->mode % 4) {
    case 0:
      peri_call_reply(call, &piece, 1);
      break;
    case 1:
      (void)peri_call_send(call, &piece, 1);
      (void)peri_call_send(call, &piece, 1);
      peri_call_finish(call, PERI_STATUS_NOT_FOUND, "wörds");
      break;
    case 2:
      peri_call_finish(call, PERI_STATUS_UNKNOWN, NULL);
      break;
    default:
      hold(world, call);
      break;
  }
}

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  struct world *world = ctx;
  struct peri_slice path = {"", 0};
  (void)peri_h2_stream_header(stream, ":path", &path);
  if (path.len == 2) {
    peri_call_refuse(stream, PERI_STATUS_UNIMPLEMENTED, "no such path");
    return;
  }
  peri_call_accept(stream, MESSAGE_BYTES, handle, world);
}

static struct world *make_world(void) {
  static struct world world;
  insist(peri_loop_new(&world.loop) == 0);
  struct peri_h2_server_options options = {.loop = world.loop,
                                           .limits = peri_h2_limits_default(),
                                           .name = "app",
                                           .on_request = on_request,
                                           .ctx = &world};
  options.limits.streams_per_conn = 50;
  options.limits.header_list_bytes = 4096;
  options.limits.stream_window_bytes = 70000;
  options.limits.stream_buffer_bytes = 4096;
  options.limits.conn_buffer_bytes = 20000;
  insist(peri_h2_server_new(&options, &world.server) == 0);
  return &world;
}

static void step(struct world *world, int fd, bool reading) {
  char bytes[4096];
  (void)peri_loop_step(world->loop, 0);
  while (reading && read(fd, bytes, sizeof(bytes)) > 0) {
  }
}

// Sends everything, cut into pieces; stops when the server has closed.
static void converse(struct world *world, int fd, const uint8_t *bytes,
                     size_t len, size_t piece) {
  bool reading = (world->mode & 4) == 0;
  while (len > 0) {
    size_t most = len < piece ? len : piece;
    ssize_t sent = send(fd, bytes, most, MSG_NOSIGNAL);
    if (sent < 0) {
      break;
    }
    bytes += sent;
    len -= (size_t)sent;
    step(world, fd, reading);
  }
  for (int i = 0; i < STEPS; i++) {
    step(world, fd, reading);
  }
  for (size_t i = 0; i < MOST_HELD; i++) {
    struct peri_call *call = world->held[i];
    world->held[i] = NULL;
    if (call != NULL) {
      struct peri_h2_piece piece_of = {.bytes = {"late", 4}};
      peri_call_reply(call, &piece_of, 1);
    }
  }
  step(world, fd, reading);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static struct world *world;
  static const size_t pieces[] = {1 << 20, 1, 9, 100};
  int fds[2];
  if (world == NULL) {
    world = make_world();
  }
  if (len == 0) {
    return 0;
  }
  insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
  insist(peri_h2_server_adopt(world->server, fds[1]) == 0);
  world->mode = (bytes[0] >> 4) & 7;
  if ((bytes[0] & 1) == 0) {
    converse(world, fds[0], (const uint8_t *)preface, PREFACE_BYTES, 1 << 20);
  }
  converse(world, fds[0], bytes + 1, len - 1, pieces[(bytes[0] >> 1) & 3]);
  close(fds[0]);
  for (int i = 0; i < 1000 && peri_h2_server_conns(world->server) > 0; i++) {
    (void)peri_loop_step(world->loop, i < 10 ? 0 : 1);
  }
  insist(peri_h2_server_conns(world->server) == 0);
  return 0;
}
