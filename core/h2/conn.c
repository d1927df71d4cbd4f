#include "h2/conn.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "h2/session.h"
#include "loop/loop.h"

enum {
  MOST_WRITES = 8  // of one turn, so that one connection cannot hog the loop
};

static struct peri_h2_stream *first(struct peri_list *works) {
  return PERI_CONTAINER_OF(works->next, struct peri_h2_stream, work);
}

static void bury_closed(struct peri_h2_conn *conn) {
  while (!peri_list_empty(&conn->closed)) {
    peri_h2_stream_bury(first(&conn->closed));
  }
}

static void unpark(struct peri_h2_conn *conn) {
  while (!peri_list_empty(&conn->parked)) {
    peri_h2_stream_recycle(first(&conn->parked));
  }
}

static void tell_writable(struct peri_h2_conn *conn) {
  while (conn->phase == PERI_CONN_OPEN && !peri_list_empty(&conn->writable)) {
    struct peri_h2_stream *stream = first(&conn->writable);
    peri_list_remove(&stream->work);
    stream->full = false;
    if (stream->events != NULL && stream->events->on_writable != NULL) {
      stream->events->on_writable(stream->ctx, stream);
    }
  }
}

static void admit_waiting(struct peri_h2_conn *conn) {
  size_t limit = conn->hub->setup.limits.conn_buffer_bytes;
  while (conn->phase == PERI_CONN_OPEN && conn->unsent <= limit &&
         !peri_list_empty(&conn->waiting)) {
    struct peri_h2_stream *stream = first(&conn->waiting);
    peri_list_remove(&stream->work);
    peri_h2_session_admit(stream);
  }
}

// Gathers what the session has to say. @return 0 or PERI_ENOMEM.
static int gather(struct peri_h2_conn *conn) {
  struct peri_out *out = &conn->hub->out;
  while (peri_out_fits(out, 1)) {
    const uint8_t *bytes = NULL;
    ssize_t len = nghttp2_session_mem_send(conn->session, &bytes);
    if (len <= 0) {
      return len < 0 ? PERI_ENOMEM : 0;
    }
    peri_out_copy(out, bytes, (size_t)len);
  }
  out->full = true;
  return 0;
}

// Whether nothing more can leave until the peer says or reads something.
static bool flush(struct peri_h2_conn *conn) {
  struct peri_out *out = &conn->hub->out;
  bool more = true;
  for (int i = 0; more && !peri_wire_busy(conn->wire); i++) {
    if (i == MOST_WRITES) {
      peri_h2_conn_stir(conn);
      return false;
    }
    int rc = gather(conn);
    more = out->full;
    if (rc == 0 && out->count > 0) {
      rc = peri_wire_write(conn->wire, out);
    }
    peri_out_clear(out);
    if (rc < 0) {
      peri_h2_conn_kill(conn, rc == PERI_ENOMEM ? rc : PERI_ECLOSED);
      return false;
    }
  }
  if (peri_wire_busy(conn->wire)) {
    conn->backlog = peri_wire_backlog(conn->wire);
    conn->progress_ns = peri_loop_now_ns(conn->hub->setup.loop);
    return false;
  }
  return true;
}

static void reset_cut(struct peri_h2_conn *conn) {
  while (!peri_list_empty(&conn->cut)) {
    struct peri_h2_stream *stream = first(&conn->cut);
    peri_h2_stream_reset(stream, stream->cut_error);
  }
}

// All is said: the peer gets time to read it, since closing a socket with
// unread input would take it back.
static void linger(struct peri_h2_conn *conn) {
  conn->phase = PERI_CONN_LINGERING;
  conn->drained_ns = peri_loop_now_ns(conn->hub->setup.loop);
  peri_wire_shutdown(conn->wire);
  (void)peri_wire_read(conn->wire, true);
}

static void end_if_done(struct peri_h2_conn *conn) {
  if (conn->phase != PERI_CONN_OPEN || peri_wire_busy(conn->wire) ||
      conn->drain == PERI_DRAIN_NOTICED) {
    return;
  }
  bool want_write = nghttp2_session_want_write(conn->session) != 0;
  if (!want_write && nghttp2_session_want_read(conn->session) == 0) {
    linger(conn);
  } else if (conn->stream_count == 0 &&
             (conn->retired || conn->drain == PERI_DRAIN_FINAL)) {
    if (want_write) {
      return;
    }
    peri_h2_conn_terminate(conn, NGHTTP2_NO_ERROR);
  }
}

static void pace_reading(struct peri_h2_conn *conn) {
  if (conn->phase != PERI_CONN_OPEN) {
    return;
  }
  // Only a full socket pauses reading: what waits for the peer's windows needs
  // the peer's frames to go on.
  bool pause = peri_wire_busy(conn->wire) &&
               conn->unsent + peri_wire_backlog(conn->wire) >
                   conn->hub->setup.limits.conn_buffer_bytes;
  if (pause != conn->paused) {
    conn->paused = pause;
    if (peri_wire_read(conn->wire, !pause) < 0) {
      peri_h2_conn_kill(conn, PERI_ECLOSED);
    }
  }
}

static void take_turn(struct peri_turn *turn) {
  struct peri_h2_conn *conn =
      PERI_CONTAINER_OF(turn, struct peri_h2_conn, turn);
  struct peri_h2_hub *hub = conn->hub;
  peri_h2_hub_enter(hub);
  if (conn->phase == PERI_CONN_OPEN && flush(conn)) {
    reset_cut(conn);
  }
  if (conn->phase != PERI_CONN_DEAD) {
    bury_closed(conn);
    tell_writable(conn);
    admit_waiting(conn);
    pace_reading(conn);
    end_if_done(conn);
  }
  peri_h2_hub_leave(hub);
}

static void receive(void *ctx, struct peri_slice bytes) {
  struct peri_h2_conn *conn = ctx;
  struct peri_h2_hub *hub = conn->hub;
  if (conn->phase != PERI_CONN_OPEN) {
    return;
  }
  peri_h2_hub_enter(hub);
  conn->received_ns = peri_loop_now_ns(hub->setup.loop);
  ssize_t taken = nghttp2_session_mem_recv(
      conn->session, (const uint8_t *)bytes.ptr, bytes.len);
  if (conn->phase == PERI_CONN_OPEN && taken < 0) {
    if (taken == NGHTTP2_ERR_FLOODED) {
      peri_h2_conn_flooded(conn, PERI_FLOOD_ACK);
    } else {
      peri_h2_conn_kill(conn, PERI_EPROTO);
    }
  }
  if (conn->phase == PERI_CONN_OPEN) {
    // Before the write, so that what on_close starts is part of it.
    bury_closed(conn);
    peri_h2_conn_stir(conn);
  }
  peri_h2_hub_leave(hub);
}

static void drained(void *ctx, int code) {
  struct peri_h2_conn *conn = ctx;
  struct peri_h2_hub *hub = conn->hub;
  peri_h2_hub_enter(hub);
  unpark(conn);
  if (code < 0) {
    peri_h2_conn_kill(conn, PERI_ECLOSED);
  } else {
    peri_h2_conn_stir(conn);
  }
  peri_h2_hub_leave(hub);
}

static void ended(void *ctx, int code) {
  struct peri_h2_conn *conn = ctx;
  struct peri_h2_hub *hub = conn->hub;
  (void)code;
  peri_h2_hub_enter(hub);
  peri_h2_conn_kill(conn, PERI_ECLOSED);
  peri_h2_hub_leave(hub);
}

static void connected(void *ctx, int code) {
  struct peri_h2_conn *conn = ctx;
  struct peri_h2_hub *hub = conn->hub;
  peri_h2_hub_enter(hub);
  hub->setup.on_connect(hub->setup.ctx, conn, code);
  peri_h2_hub_leave(hub);
}

struct peri_wire_setup peri_h2_conn_wiring(struct peri_h2_conn *conn) {
  static const struct peri_wire_events events = {.on_connect = connected,
                                                 .on_bytes = receive,
                                                 .on_drained = drained,
                                                 .on_end = ended};
  struct peri_wire_setup setup = {.loop = conn->hub->setup.loop,
                                  .events = &events,
                                  .ctx = conn,
                                  .read_buffer = conn->hub->read_buffer,
                                  .read_bytes = PERI_HUB_READ_BYTES};
  return setup;
}

int peri_h2_conn_new(struct peri_h2_hub *hub, struct peri_h2_conn **ret_conn) {
  struct peri_h2_conn *conn = calloc(1, sizeof(*conn));
  if (conn == NULL) {
    return PERI_ENOMEM;
  }
  conn->hub = hub;
  conn->phase = PERI_CONN_OPENING;
  conn->opened_ns = peri_loop_now_ns(hub->setup.loop);
  conn->idle_ns = conn->opened_ns;
  conn->received_ns = conn->opened_ns;
  peri_list_init(&conn->streams);
  peri_list_init(&conn->closed);
  peri_list_init(&conn->writable);
  peri_list_init(&conn->waiting);
  peri_list_init(&conn->cut);
  peri_list_init(&conn->parked);
  peri_list_init(&conn->pool_link);
  if (peri_h2_session_start(conn) < 0) {
    nghttp2_session_del(conn->session);
    free(conn);
    return PERI_ENOMEM;
  }
  peri_turn_init(&conn->turn, hub->setup.loop, take_turn);
  peri_list_push(&hub->conns, &conn->link);
  hub->conn_count++;
  peri_h2_count(hub->conns_metric, 1);
  peri_h2_hub_watch(hub);
  *ret_conn = conn;
  return 0;
}

int peri_h2_conn_open(struct peri_h2_conn *conn, struct peri_wire *wire) {
  conn->wire = wire;
  conn->phase = PERI_CONN_OPEN;
  conn->opened_ns = peri_loop_now_ns(conn->hub->setup.loop);
  conn->received_ns = conn->opened_ns;
  int rc = peri_wire_read(wire, true);
  if (rc == 0) {
    peri_h2_conn_stir(conn);
  }
  return rc;
}

void peri_h2_conn_kill(struct peri_h2_conn *conn, int code) {
  struct peri_h2_hub *hub = conn->hub;
  if (conn->phase == PERI_CONN_DEAD) {
    return;
  }
  peri_h2_hub_enter(hub);
  conn->phase = PERI_CONN_DEAD;
  conn->code = code;
  peri_turn_cancel(&conn->turn);
  peri_list_remove(&conn->link);
  peri_list_push(&hub->dying, &conn->link);
  hub->conn_count--;
  peri_h2_count(hub->conns_metric, -1);
  peri_h2_hub_leave(hub);
}

void peri_h2_conn_bury(struct peri_h2_conn *conn) {
  struct peri_h2_hub *hub = conn->hub;
  peri_wire_close(conn->wire);
  conn->wire = NULL;
  if (hub->setup.on_conn_lost != NULL) {
    hub->setup.on_conn_lost(hub->setup.ctx, conn);
  }
  bury_closed(conn);
  while (!peri_list_empty(&conn->streams)) {
    struct peri_h2_stream *stream =
        PERI_CONTAINER_OF(conn->streams.next, struct peri_h2_stream, link);
    peri_h2_stream_end(stream, conn->code, conn->goaway_error);
    peri_h2_stream_bury(stream);
  }
  unpark(conn);
  if (hub->setup.on_conn_gone != NULL) {
    hub->setup.on_conn_gone(hub->setup.ctx, conn);
  }
  nghttp2_session_del(conn->session);
  free(conn);
}
