#include "cache/liar_shim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"
#include "base/slice.h"
#include "cache/mesh_private.h"
#include "h2/call.h"

enum { MESSAGE_BYTES = 8 << 20, MAX_FDS = 64 };

struct peri_shim_liar {
  struct peri_loop *loop;
  struct peri_listener *listener;
  struct peri_h2_server *server;
  char address[64];
  int what;
  char *says;
  size_t len;
  int asked;
  int fds[MAX_FDS];
  int fd_count;
};

static const struct peri_h2_stream_events nothing = {.on_headers = NULL};

static void say(void *ctx, struct peri_call *call, struct peri_slice message) {
  struct peri_shim_liar *liar = ctx;
  struct peri_h2_piece piece = {.bytes = {liar->says, liar->len}};
  (void)message;
  peri_call_reply(call, &piece, liar->len > 0 ? 1 : 0);
}

static void respond(struct peri_h2_stream *stream, const char *status,
                    const char *type, const char *grpc_status, bool end) {
  const struct peri_h2_field fields[] = {
      {peri_slice_of(":status"), peri_slice_of(status), false},
      {peri_slice_of("content-type"), peri_slice_of(type), false},
      {peri_slice_of("grpc-status"), peri_slice_of(grpc_status), false}};
  (void)peri_h2_stream_respond(stream, fields, *grpc_status != '\0' ? 3 : 2,
                               end);
}

static void write_text(struct peri_h2_stream *stream, const char *text,
                       size_t len) {
  struct peri_h2_piece piece = {.bytes = {text, len}};
  (void)peri_h2_stream_write(stream, &piece, 1);
}

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  static const char half[] = "\0\0\0\0\144\12\143half of it";
  static const char whole[] = "\0\0\0\0\3\12\1v";
  struct peri_shim_liar *liar = ctx;
  liar->asked++;
  if (liar->what == SHIM_LIAR_SAYS) {
    peri_call_accept(stream, MESSAGE_BYTES, say, liar);
    return;
  }
  peri_h2_stream_listen(stream, &nothing, liar);
  switch (liar->what) {
    case SHIM_LIAR_BARE_OK:
      respond(stream, "200", "application/grpc", "0", true);
      break;
    case SHIM_LIAR_UNKNOWN:
      respond(stream, "200", "application/grpc", "99", true);
      break;
    case SHIM_LIAR_HTML:
      respond(stream, "404", "text/html", "", false);
      write_text(stream, "<h1>", 4);
      (void)peri_h2_stream_finish(stream, NULL, 0);
      break;
    case SHIM_LIAR_NO_END:
      respond(stream, "200", "application/grpc", "", false);
      write_text(stream, whole, sizeof whole - 1);
      (void)peri_h2_stream_finish(stream, NULL, 0);
      break;
    case SHIM_LIAR_PART:
    case SHIM_LIAR_RESET:
      respond(stream, "200", "application/grpc", "", false);
      write_text(stream, half, sizeof half - 1);
      if (liar->what == SHIM_LIAR_RESET) {
        peri_h2_stream_reset(stream, 2);
      }
      break;
    default:
      break;
  }
}

static void accepted(void *ctx, int fd) {
  static const char junk[] = "HTTP/1.1 400 Bad Request\r\n\r\nno HTTP/2 here";
  struct peri_shim_liar *liar = ctx;
  if (liar->what < SHIM_LIAR_JUNK) {
    (void)peri_h2_server_adopt(liar->server, fd);
    return;
  }
  liar->asked++;
  if (liar->what == SHIM_LIAR_JUNK &&
      write(fd, junk, sizeof junk - 1) != (ssize_t)(sizeof junk - 1)) {
    abort();
  }
  if (liar->what == SHIM_LIAR_HANGS_UP || liar->fd_count == MAX_FDS) {
    close(fd);
    return;
  }
  // Held open, so that what was written is surely read.
  liar->fds[liar->fd_count] = fd;
  liar->fd_count++;
}

static void refused(void *ctx) {
  (void)ctx;
}

static void open_server(struct peri_shim_liar *liar) {
  struct peri_h2_server_options options = {.loop = liar->loop,
                                           .limits = peri_h2_limits_default(),
                                           .name = "mesh",
                                           .on_request = on_request,
                                           .ctx = liar};
  if (peri_h2_server_new(&options, &liar->server) < 0) {
    abort();
  }
}

void peri_shim_mesh_liar(struct peri_shim_mesh *mesh) {
  struct peri_shim_liar *liar = calloc(1, sizeof *liar);
  struct peri_address address;
  struct peri_problem problem;
  char text[300];
  liar->loop = mesh->loop;
  open_server(liar);
  if (peri_address_parse(peri_slice_of("127.0.0.1:0"), &address) < 0 ||
      peri_listener_bind(&address, -1, &liar->listener, &problem) < 0 ||
      peri_listener_start(liar->listener, liar->loop, accepted, refused, liar) <
          0) {
    abort();
  }
  peri_address_format(peri_listener_address(liar->listener), text, sizeof text);
  (void)snprintf(liar->address, sizeof liar->address, "%.63s", text);
  mesh->liar = liar;
}

void peri_shim_liar_does(struct peri_shim_mesh *mesh, int what,
                         struct peri_slice says) {
  struct peri_shim_liar *liar = mesh->liar;
  free(liar->says);
  liar->what = what;
  liar->says = peri_slice_dup(says);
  liar->len = says.len;
}

void peri_shim_liar_hang_up(struct peri_shim_mesh *mesh) {
  peri_h2_server_free(mesh->liar->server);
  open_server(mesh->liar);
}

int peri_shim_liar_asked(const struct peri_shim_mesh *mesh) {
  return mesh->liar->asked;
}

const char *peri_shim_liar_address(const struct peri_shim_mesh *mesh) {
  return mesh->liar->address;
}

void peri_shim_liar_free(struct peri_shim_liar *liar) {
  if (liar == NULL) {
    return;
  }
  peri_listener_free(liar->listener);
  peri_h2_server_free(liar->server);
  for (int i = 0; i < liar->fd_count; i++) {
    close(liar->fds[i]);
  }
  free(liar->says);
  free(liar);
}
