// A peer that answers anything: the input is what a server says to our client
// while unary calls wait for their answers. Each call must end exactly once.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"
#include "h2/client.h"
#include "h2/listener.h"
#include "h2/unary.h"
#include "loop/loop.h"

enum { CALLS = 3, STEPS = 6, MESSAGE_BYTES = 5000, PREFACE_BYTES = 9 };

static const char settings[] = "\0\0\0\4\0\0\0\0\0";

struct world {
  struct peri_loop *loop;
  struct peri_h2_client *client;
  struct peri_listener *listener;
  char address[300];
  int fd;
  int due;
};

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static void accepted(void *ctx, int fd) {
  struct world *world = ctx;
  if (world->fd >= 0) {
    close(fd);
    return;
  }
  world->fd = fd;
}

static void refused(void *ctx) {
  (void)ctx;
}

static void done(void *ctx, const struct peri_unary_result *result) {
  struct world *world = ctx;
  insist(result->message.len <= MESSAGE_BYTES);
  insist(result->status == 0 || result->message.len == 0);
  insist(result->code <= 0 && result->status >= 0 && result->status <= 16);
  world->due--;
}

static struct world *make_world(void) {
  static struct world world;
  struct peri_address address;
  struct peri_problem problem;
  char name[64];
  (void)snprintf(name, sizeof(name), "unix:/tmp/perigee-fuzz-%d.sock",
                 (int)getpid());
  insist(peri_loop_new(&world.loop) == 0);
  insist(peri_address_parse(peri_slice_of(name), &address) == 0);
  insist(peri_listener_bind(&address, -1, &world.listener, &problem) == 0);
  insist(peri_listener_start(world.listener, world.loop, accepted, refused,
                             &world) == 0);
  (void)peri_address_format(peri_listener_address(world.listener),
                            world.address, sizeof(world.address));
  world.fd = -1;
  return &world;
}

static void start(struct world *world) {
  struct peri_h2_client_options options = {.loop = world->loop,
                                           .limits = peri_h2_limits_default()};
  options.limits.header_list_bytes = 4096;
  insist(peri_h2_client_new(&options, &world->client) == 0);
  struct peri_unary_request request = {.address = peri_slice_of(world->address),
                                       .path = "/a.B/C",
                                       .message = {"hello", 5},
                                       .message_bytes = MESSAGE_BYTES};
  for (int i = 0; i < CALLS; i++) {
    struct peri_unary *unary = NULL;
    insist(peri_unary_start(world->client, &request, done, world, &unary) == 0);
  }
  world->due = CALLS;
  for (int i = 0; i < 1000 && world->fd < 0; i++) {
    (void)peri_loop_step(world->loop, 1);
  }
  insist(world->fd >= 0);
}

static void say(struct world *world, const uint8_t *bytes, size_t len,
                size_t piece) {
  char heard[4096];
  while (len > 0) {
    size_t most = len < piece ? len : piece;
    ssize_t sent = send(world->fd, bytes, most, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      return;
    }
    bytes += sent;
    len -= (size_t)sent;
    (void)peri_loop_step(world->loop, 0);
    while (recv(world->fd, heard, sizeof(heard), MSG_DONTWAIT) > 0) {
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  static struct world *world;
  static const size_t pieces[] = {1 << 20, 1, 9, 100};
  if (world == NULL) {
    world = make_world();
  }
  if (len == 0) {
    return 0;
  }
  start(world);
  if ((bytes[0] & 1) == 0) {
    say(world, (const uint8_t *)settings, PREFACE_BYTES, 1 << 20);
  }
  say(world, bytes + 1, len - 1, pieces[(bytes[0] >> 1) & 3]);
  for (int i = 0; i < STEPS; i++) {
    (void)peri_loop_step(world->loop, 0);
  }
  if ((bytes[0] & 8) != 0) {
    peri_h2_client_free(world->client);
    world->client = NULL;
  }
  close(world->fd);
  for (int i = 0; i < 1000 && world->due > 0; i++) {
    (void)peri_loop_step(world->loop, i < 10 ? 0 : 1);
  }
  insist(world->due == 0);
  world->fd = -1;
  peri_h2_client_free(world->client);
  (void)peri_loop_step(world->loop, 0);
  return 0;
}
