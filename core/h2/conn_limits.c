#include <nghttp2/nghttp2.h>

#include "base/clock.h"
#include "base/error.h"
#include "h2/conn.h"
#include "loop/loop.h"

enum { LINGER_MS = 1000, IDLE_NOTICE_MS = 500, SILENCE_MS = 310000 };

static const uint64_t second_ns = 1000000000;

static uint64_t now(const struct peri_h2_conn *conn) {
  return peri_loop_now_ns(conn->hub->setup.loop);
}

void peri_h2_conn_terminate(struct peri_h2_conn *conn, uint32_t h2_error) {
  if (conn->phase == PERI_CONN_OPENING) {
    peri_h2_conn_kill(conn, PERI_ECLOSED);
    return;
  }
  conn->retired = true;
  if (conn->goaway_error == 0) {
    conn->goaway_error = h2_error;
  }
  if (nghttp2_session_terminate_session(conn->session, h2_error) != 0) {
    peri_h2_conn_kill(conn, PERI_ENOMEM);
    return;
  }
  peri_h2_conn_stir(conn);
}

void peri_h2_conn_drain(struct peri_h2_conn *conn) {
  if (conn->phase != PERI_CONN_OPEN || conn->drain != PERI_DRAIN_NOT) {
    return;
  }
  if (!conn->ready) {
    peri_h2_conn_drain_final(conn);
    return;
  }
  conn->drain = PERI_DRAIN_NOTICED;
  conn->drained_ns = now(conn);
  // The PING's answer proves that the peer has read the notice: whatever it
  // sent before it knew is here by then.
  (void)nghttp2_submit_shutdown_notice(conn->session);
  (void)nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
  peri_h2_conn_stir(conn);
}

void peri_h2_conn_drain_final(struct peri_h2_conn *conn) {
  int32_t last = nghttp2_session_get_last_proc_stream_id(conn->session);
  conn->drain = PERI_DRAIN_FINAL;
  (void)nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE, last,
                              NGHTTP2_NO_ERROR, NULL, 0);
  peri_h2_conn_stir(conn);
}

void peri_h2_conn_flooded(struct peri_h2_conn *conn, enum peri_h2_flood kind) {
  peri_h2_count(conn->hub->flood_metrics[kind], 1);
  peri_h2_conn_terminate(conn, NGHTTP2_ENHANCE_YOUR_CALM);
}

bool peri_h2_conn_allow(struct peri_h2_conn *conn, enum peri_h2_flood kind) {
  const struct peri_h2_limits *limits = &conn->hub->setup.limits;
  const uint32_t allowed[] = {[PERI_FLOOD_SETTINGS] = limits->settings_per_s,
                              [PERI_FLOOD_PING] = limits->pings_per_s,
                              [PERI_FLOOD_RESET] = limits->resets_per_s};
  uint64_t now_ns = now(conn);
  if (now_ns - conn->rates.since_ns >= second_ns) {
    conn->rates = (struct peri_h2_rates){.since_ns = now_ns};
  }
  conn->rates.counts[kind]++;
  if (conn->rates.counts[kind] == allowed[kind] + 1) {
    peri_h2_conn_flooded(conn, kind);
  }
  return conn->rates.counts[kind] <= allowed[kind];
}

static bool over(uint64_t since_ns, uint64_t now_ns, uint32_t limit_ms) {
  return limit_ms > 0 && now_ns > since_ns &&
         now_ns - since_ns >= (uint64_t)limit_ms * PERI_NS_PER_MS;
}

static void give_up(struct peri_h2_conn *conn, enum peri_h2_timeout kind) {
  peri_h2_count(conn->hub->timeout_metrics[kind], 1);
  peri_h2_conn_kill(conn, PERI_ETIMEOUT);
}

static bool is_stalled(struct peri_h2_conn *conn, uint64_t now_ns) {
  if (!peri_wire_busy(conn->wire)) {
    return false;
  }
  size_t backlog = peri_wire_backlog(conn->wire);
  if (backlog != conn->backlog) {
    conn->backlog = backlog;
    conn->progress_ns = now_ns;
  }
  return over(conn->progress_ns, now_ns, conn->hub->setup.limits.stall_ms);
}

static void keep_alive(struct peri_h2_conn *conn, uint64_t now_ns) {
  const struct peri_h2_limits *limits = &conn->hub->setup.limits;
  if (conn->pinging) {
    if (over(conn->pinged_ns, now_ns, limits->keepalive_timeout_ms)) {
      give_up(conn, PERI_TIMEOUT_KEEPALIVE);
    }
    return;
  }
  // gRPC servers turn away clients that ping without a call, or again within
  // five minutes in which they themselves had nothing to say.
  bool wanted = !conn->hub->setup.client ||
                (conn->stream_count > 0 &&
                 (conn->heard || over(conn->pinged_ns, now_ns, SILENCE_MS)));
  if (wanted && over(conn->received_ns, now_ns, limits->keepalive_ms)) {
    conn->pinging = true;
    conn->heard = false;
    conn->pinged_ns = now_ns;
    (void)nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL);
    peri_h2_conn_stir(conn);
  }
}

// How long the peer may take to have read the notice. Without a call most who
// are late read nothing at all: a gRPC library without threads of its own waits
// for the next call, and a drain need not wait with it.
static uint32_t notice_ms(const struct peri_h2_conn *conn) {
  uint32_t limit_ms = conn->hub->setup.limits.keepalive_timeout_ms;
  return conn->stream_count == 0 && limit_ms > IDLE_NOTICE_MS ? IDLE_NOTICE_MS
                                                              : limit_ms;
}

static void check_open(struct peri_h2_conn *conn, uint64_t now_ns) {
  const struct peri_h2_limits *limits = &conn->hub->setup.limits;
  bool half_open =
      !conn->ready && over(conn->opened_ns, now_ns, limits->handshake_ms);
  bool half_head =
      conn->head != NULL && over(conn->head_ns, now_ns, limits->handshake_ms);
  if (half_open || half_head) {
    give_up(conn, PERI_TIMEOUT_HANDSHAKE);
  } else if (is_stalled(conn, now_ns)) {
    give_up(conn, PERI_TIMEOUT_STALL);
  } else if (conn->drain == PERI_DRAIN_NOTICED) {
    if (over(conn->drained_ns, now_ns, notice_ms(conn))) {
      peri_h2_conn_drain_final(conn);
    }
  } else if (conn->stream_count == 0 && !conn->retired &&
             over(conn->idle_ns, now_ns, limits->idle_ms)) {
    peri_h2_count(conn->hub->timeout_metrics[PERI_TIMEOUT_IDLE], 1);
    peri_h2_conn_terminate(conn, NGHTTP2_NO_ERROR);
  } else {
    keep_alive(conn, now_ns);
  }
}

void peri_h2_conn_check(struct peri_h2_conn *conn, uint64_t now_ns) {
  if (conn->phase == PERI_CONN_OPEN) {
    check_open(conn, now_ns);
  } else if (conn->phase == PERI_CONN_LINGERING &&
             over(conn->drained_ns, now_ns, LINGER_MS)) {
    peri_h2_conn_kill(conn, PERI_ECLOSED);
  }
}
