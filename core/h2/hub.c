#include "h2/hub.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/metrics.h"
#include "h2/conn.h"
#include "h2/session.h"
#include "h2/stream_state.h"
#include "loop/loop.h"
#include "loop/timer.h"

enum {
  LONGEST_TICK_MS = 1000,
  SHORTEST_TICK_MS = 10,
  HURRIED_TICK_MS = 100,
  TICKS_PER_LIMIT = 4,
  MOST_FREE_STREAMS = 512
};

void peri_h2_count(struct peri_metric *metric, int64_t amount) {
  if (metric != NULL) {
    peri_metric_add(metric, amount);
  }
}

static uint32_t tick_for(const struct peri_h2_hub_setup *setup) {
  const struct peri_h2_limits *limits = &setup->limits;
  const uint32_t waits_ms[] = {
      limits->handshake_ms, limits->idle_ms, limits->stall_ms,
      limits->keepalive_ms, setup->limit_ms, limits->keepalive_timeout_ms};
  uint32_t tick_ms = LONGEST_TICK_MS;
  for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
    if (waits_ms[i] > 0 && waits_ms[i] / TICKS_PER_LIMIT < tick_ms) {
      tick_ms = waits_ms[i] / TICKS_PER_LIMIT;
    }
  }
  return tick_ms < SHORTEST_TICK_MS ? SHORTEST_TICK_MS : tick_ms;
}

static void make_metrics(struct peri_h2_hub *hub) {
  static const char *const floods[PERI_FLOOD_KINDS] = {
      "settings", "ping", "reset", "ack", "headers"};
  static const char *const timeouts[PERI_TIMEOUT_KINDS] = {
      "handshake", "idle", "stall", "keepalive"};
  struct peri_metrics *metrics = hub->setup.metrics;
  char labels[96];
  snprintf(labels, sizeof(labels), "listener=\"%s\"", hub->setup.name);
  hub->conns_metric =
      peri_metrics_gauge(metrics, "perigee_h2_connections",
                         "HTTP/2 connections that are open.", labels);
  hub->streams_metric = peri_metrics_counter(
      metrics, "perigee_h2_streams_total", "HTTP/2 streams begun.", labels);
  for (size_t i = 0; i < PERI_FLOOD_KINDS; i++) {
    snprintf(labels, sizeof(labels), "listener=\"%s\",kind=\"%s\"",
             hub->setup.name, floods[i]);
    hub->flood_metrics[i] = peri_metrics_counter(
        metrics, "perigee_h2_floods_total",
        "Connections closed because the peer flooded them with frames.",
        labels);
  }
  for (size_t i = 0; i < PERI_TIMEOUT_KINDS; i++) {
    snprintf(labels, sizeof(labels), "listener=\"%s\",kind=\"%s\"",
             hub->setup.name, timeouts[i]);
    hub->timeout_metrics[i] = peri_metrics_counter(
        metrics, "perigee_h2_timeouts_total",
        "Connections closed because a time limit ran out.", labels);
  }
}

static void release(struct peri_h2_hub *hub) {
  if (hub->setup.on_free != NULL) {
    hub->setup.on_free(hub->setup.ctx);
  }
  while (!peri_list_empty(&hub->free_streams)) {
    free(PERI_CONTAINER_OF(peri_list_pop(&hub->free_streams),
                           struct peri_h2_stream, link));
  }
  peri_timer_free(hub->timer);
  nghttp2_option_del(hub->option);
  nghttp2_session_callbacks_del(hub->callbacks);
  peri_out_done(&hub->out);
  peri_slab_done(&hub->slab);
  free(hub->read_buffer);
  free(hub);
}

static void ticked(void *ctx) {
  struct peri_h2_hub *hub = ctx;
  uint64_t now_ns = peri_loop_now_ns(hub->setup.loop);
  peri_h2_hub_enter(hub);
  struct peri_list *at = hub->conns.next;
  while (at != &hub->conns) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(at, struct peri_h2_conn, link);
    at = at->next;
    peri_h2_conn_check(conn, now_ns);
  }
  if (hub->setup.on_tick != NULL && !hub->freed) {
    hub->setup.on_tick(hub->setup.ctx);
  }
  peri_h2_hub_watch(hub);
  peri_h2_hub_leave(hub);
}

int peri_h2_hub_new(const struct peri_h2_hub_setup *setup,
                    struct peri_h2_hub **ret_hub) {
  struct peri_h2_hub *hub = calloc(1, sizeof(*hub));
  if (hub == NULL) {
    return PERI_ENOMEM;
  }
  hub->setup = *setup;
  hub->tick_ms = tick_for(setup);
  peri_list_init(&hub->conns);
  peri_list_init(&hub->dying);
  peri_list_init(&hub->free_streams);
  hub->read_buffer = malloc(PERI_HUB_READ_BYTES);
  int rc = hub->read_buffer != NULL ? 0 : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_out_init(&hub->out);
  }
  if (rc == 0) {
    rc = peri_h2_session_shape(&setup->limits, &hub->callbacks, &hub->option);
  }
  if (rc == 0) {
    rc = peri_timer_new(setup->loop, ticked, hub, &hub->timer);
  }
  if (rc < 0) {
    hub->setup.on_free = NULL;
    release(hub);
    return rc;
  }
  if (setup->metrics != NULL) {
    make_metrics(hub);
  }
  *ret_hub = hub;
  return 0;
}

void peri_h2_hub_enter(struct peri_h2_hub *hub) {
  hub->depth++;
}

static void bury_all(struct peri_h2_hub *hub) {
  while (!peri_list_empty(&hub->dying)) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(hub->dying.next, struct peri_h2_conn, link);
    peri_list_remove(&conn->link);
    peri_h2_conn_bury(conn);
  }
}

void peri_h2_hub_leave(struct peri_h2_hub *hub) {
  if (hub->depth == 1) {
    // Still entered: what the application does in on_close only adds to the
    // list that is being worked off.
    bury_all(hub);
  }
  hub->depth--;
  if (hub->depth == 0 && hub->freed) {
    release(hub);
  }
}

void peri_h2_hub_free(struct peri_h2_hub *hub) {
  peri_h2_hub_enter(hub);
  hub->freed = true;
  peri_timer_stop(hub->timer);
  while (!peri_list_empty(&hub->conns)) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(hub->conns.next, struct peri_h2_conn, link);
    peri_h2_conn_kill(conn, PERI_ECLOSED);
  }
  peri_h2_hub_leave(hub);
}

void peri_h2_hub_watch(struct peri_h2_hub *hub) {
  bool needed = hub->conn_count > 0 && !hub->freed;
  if (needed && !hub->ticking) {
    peri_timer_start(hub->timer, hub->tick_ms, hub->tick_ms);
  } else if (!needed && hub->ticking) {
    peri_timer_stop(hub->timer);
  }
  hub->ticking = needed;
}

void peri_h2_hub_hurry(struct peri_h2_hub *hub) {
  if (hub->tick_ms > HURRIED_TICK_MS) {
    hub->tick_ms = HURRIED_TICK_MS;
    hub->ticking = false;
    peri_h2_hub_watch(hub);
  }
}

struct peri_h2_stream *peri_h2_hub_take(struct peri_h2_hub *hub) {
  struct peri_h2_stream *stream = NULL;
  if (peri_list_empty(&hub->free_streams)) {
    stream = malloc(sizeof(*stream));
  } else {
    stream =
        PERI_CONTAINER_OF(hub->free_streams.next, struct peri_h2_stream, link);
    peri_list_remove(&stream->link);
    hub->free_count--;
  }
  return stream;
}

void peri_h2_hub_give(struct peri_h2_hub *hub, struct peri_h2_stream *stream) {
  if (hub->free_count >= MOST_FREE_STREAMS) {
    free(stream);
    return;
  }
  // In front: the one used last is in the processor's cache.
  peri_list_push(hub->free_streams.next, &stream->link);
  hub->free_count++;
}
