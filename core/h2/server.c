#include "h2/server.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "h2/conn.h"
#include "h2/hub.h"
#include "loop/turn.h"

struct peri_h2_server {
  struct peri_h2_hub *hub;
  struct peri_h2_server_options options;
  struct peri_turn turn;  // says `drained` when there was nothing to drain
  bool draining;
  void (*drained)(void *ctx);
  void *drained_ctx;
};

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  struct peri_h2_server *server = ctx;
  server->options.on_request(server->options.ctx, stream);
}

static void say_drained(struct peri_h2_server *server) {
  void (*say)(void *ctx) = server->drained;
  server->drained = NULL;
  if (say != NULL) {
    say(server->drained_ctx);
  }
}

static void on_conn_gone(void *ctx, struct peri_h2_conn *conn) {
  struct peri_h2_server *server = ctx;
  if (conn->wired && server->options.on_conn_closed != NULL) {
    server->options.on_conn_closed(server->options.ctx);
  }
  if (server->draining && server->hub->conn_count == 0 &&
      peri_list_empty(&server->hub->dying)) {
    say_drained(server);
  }
}

static void on_free(void *ctx) {
  struct peri_h2_server *server = ctx;
  peri_turn_cancel(&server->turn);
  free(server);
}

static void take_turn(struct peri_turn *turn) {
  struct peri_h2_server *server =
      PERI_CONTAINER_OF(turn, struct peri_h2_server, turn);
  struct peri_h2_hub *hub = server->hub;
  peri_h2_hub_enter(hub);
  say_drained(server);
  peri_h2_hub_leave(hub);
}

int peri_h2_server_new(const struct peri_h2_server_options *options,
                       struct peri_h2_server **ret_server) {
  struct peri_h2_server *server = calloc(1, sizeof(*server));
  if (server == NULL) {
    return PERI_ENOMEM;
  }
  struct peri_h2_hub_setup setup = {.loop = options->loop,
                                    .limits = options->limits,
                                    .metrics = options->metrics,
                                    .name = options->name,
                                    .on_request = on_request,
                                    .on_conn_gone = on_conn_gone,
                                    .on_free = on_free,
                                    .ctx = server};
  server->options = *options;
  peri_turn_init(&server->turn, options->loop, take_turn);
  int rc = peri_h2_hub_new(&setup, &server->hub);
  if (rc < 0) {
    free(server);
    return rc;
  }
  *ret_server = server;
  return 0;
}

int peri_h2_server_adopt(struct peri_h2_server *server, int fd) {
  struct peri_h2_hub *hub = server->hub;
  struct peri_h2_conn *conn = NULL;
  if (server->draining || hub->freed ||
      hub->conn_count >= hub->setup.limits.conns_per_listener) {
    close(fd);
    return server->draining || hub->freed ? PERI_ECLOSED : PERI_ELIMIT;
  }
  int rc = peri_h2_conn_new(hub, &conn);
  if (rc < 0) {
    close(fd);
    return rc;
  }
  struct peri_wire_setup wiring = peri_h2_conn_wiring(conn);
  struct peri_wire *wire = NULL;
  rc = peri_wire_adopt(&wiring, fd, &wire);
  if (rc == 0) {
    rc = peri_h2_conn_open(conn, wire);
  }
  if (rc < 0) {
    peri_h2_conn_kill(conn, rc);
    return rc;
  }
  conn->wired = true;
  return 0;
}

size_t peri_h2_server_conns(const struct peri_h2_server *server) {
  return server->hub->conn_count;
}

void peri_h2_server_drain(struct peri_h2_server *server,
                          void (*drained)(void *ctx), void *ctx) {
  struct peri_h2_hub *hub = server->hub;
  server->draining = true;
  server->drained = drained;
  server->drained_ctx = ctx;
  if (hub->conn_count == 0 && peri_list_empty(&hub->dying)) {
    peri_turn_request(&server->turn);
    return;
  }
  peri_h2_hub_hurry(hub);
  for (struct peri_list *at = hub->conns.next; at != &hub->conns;
       at = at->next) {
    peri_h2_conn_drain(PERI_CONTAINER_OF(at, struct peri_h2_conn, link));
  }
}

void peri_h2_server_free(struct peri_h2_server *server) {
  if (server != NULL) {
    server->drained = NULL;
    peri_turn_cancel(&server->turn);
    peri_h2_hub_free(server->hub);
  }
}
