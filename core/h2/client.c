#include "h2/client.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "h2/conn.h"
#include "h2/dial.h"
#include "h2/hub.h"
#include "h2/pool.h"
#include "h2/stream_state.h"
#include "loop/turn.h"

enum {
  CONNECT_TIMEOUT_MS = 1000,
  BACKOFF_MIN_MS = 100,
  BACKOFF_MAX_MS = 2000,
  REFRESH_MS = 5000,
  ATTEMPTS = 2  // a connection may be out of stream ids
};

struct peri_h2_client {
  struct peri_h2_hub *hub;
  struct peri_h2_pool pool;
  struct peri_list failed;  // streams that never got a connection
  struct peri_turn turn;    // ends those
};

static void bury_failed(struct peri_h2_client *client, int code) {
  while (!peri_list_empty(&client->failed)) {
    struct peri_h2_stream *stream =
        PERI_CONTAINER_OF(client->failed.next, struct peri_h2_stream, work);
    stream->code = code;
    peri_h2_stream_bury(stream);
  }
}

static void take_turn(struct peri_turn *turn) {
  struct peri_h2_client *client =
      PERI_CONTAINER_OF(turn, struct peri_h2_client, turn);
  struct peri_h2_hub *hub = client->hub;
  peri_h2_hub_enter(hub);
  bury_failed(client, PERI_ECONNECT);
  peri_h2_hub_leave(hub);
}

static void on_connect(void *ctx, struct peri_h2_conn *conn, int code) {
  (void)ctx;
  peri_h2_dial_tell(conn->dial, code);
}

static void on_conn_lost(void *ctx, struct peri_h2_conn *conn) {
  struct peri_h2_client *client = ctx;
  peri_h2_pool_forget(&client->pool, conn);
}

static void on_tick(void *ctx) {
  struct peri_h2_client *client = ctx;
  peri_h2_pool_tick(&client->pool);
}

static void on_free(void *ctx) {
  struct peri_h2_client *client = ctx;
  peri_h2_pool_done(&client->pool);
  free(client);
}

static uint32_t or_default(uint32_t value, uint32_t otherwise) {
  return value != 0 ? value : otherwise;
}

int peri_h2_client_new(const struct peri_h2_client_options *options,
                       struct peri_h2_client **ret_client) {
  struct peri_h2_client *client = calloc(1, sizeof(*client));
  if (client == NULL) {
    return PERI_ENOMEM;
  }
  uint32_t timeout_ms =
      or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS);
  struct peri_h2_hub_setup setup = {.loop = options->loop,
                                    .limits = options->limits,
                                    .metrics = options->metrics,
                                    .name = "client",
                                    .client = true,
                                    .limit_ms = timeout_ms,
                                    .on_connect = on_connect,
                                    .on_conn_lost = on_conn_lost,
                                    .on_tick = on_tick,
                                    .on_free = on_free,
                                    .ctx = client};
  int rc = peri_h2_hub_new(&setup, &client->hub);
  if (rc < 0) {
    free(client);
    return rc;
  }
  struct peri_h2_pool_setup pool = {
      .hub = client->hub,
      .connect_timeout_ms = timeout_ms,
      .backoff_min_ms = or_default(options->backoff_min_ms, BACKOFF_MIN_MS),
      .backoff_max_ms = or_default(options->backoff_max_ms, BACKOFF_MAX_MS),
      .refresh_ms = or_default(options->refresh_ms, REFRESH_MS)};
  peri_h2_pool_init(&client->pool, &pool);
  peri_list_init(&client->failed);
  peri_turn_init(&client->turn, options->loop, take_turn);
  *ret_client = client;
  return 0;
}

static int fail_later(struct peri_h2_client *client, int cause,
                      const struct peri_h2_stream_events *events, void *ctx,
                      struct peri_h2_stream **ret_stream) {
  struct peri_h2_stream *stream = peri_h2_stream_new(client->hub, NULL, 0);
  if (stream == NULL) {
    return PERI_ENOMEM;
  }
  peri_h2_stream_listen(stream, events, ctx);
  stream->unprocessed = true;
  stream->cause = cause;
  peri_list_push(&client->failed, &stream->work);
  peri_turn_request(&client->turn);
  *ret_stream = stream;
  return 0;
}

int peri_h2_client_open(struct peri_h2_client *client,
                        struct peri_slice address,
                        const struct peri_h2_field *fields, size_t count,
                        bool end, const struct peri_h2_stream_events *events,
                        void *ctx, struct peri_h2_stream **ret_stream) {
  struct peri_address to;
  int rc = peri_address_parse(address, &to);
  return rc < 0 ? rc
                : peri_h2_client_open_at(client, &to, fields, count, end,
                                         events, ctx, ret_stream);
}

int peri_h2_client_open_at(struct peri_h2_client *client,
                           const struct peri_address *address,
                           const struct peri_h2_field *fields, size_t count,
                           bool end, const struct peri_h2_stream_events *events,
                           void *ctx, struct peri_h2_stream **ret_stream) {
  if (client->hub->freed) {
    return PERI_ECLOSED;
  }
  for (int i = 0; i < ATTEMPTS; i++) {
    struct peri_h2_conn *conn = NULL;
    int cause = 0;
    int rc = peri_h2_pool_pick(&client->pool, address, &conn, &cause);
    if (rc == PERI_ECONNECT) {
      return fail_later(client, cause, events, ctx, ret_stream);
    }
    struct peri_h2_stream *stream =
        rc == 0 ? peri_h2_stream_new(client->hub, conn, 0) : NULL;
    if (stream == NULL) {
      return PERI_ENOMEM;
    }
    peri_h2_stream_listen(stream, events, ctx);
    rc = peri_h2_stream_submit(stream, fields, count, end);
    if (rc == 0) {
      *ret_stream = stream;
      return 0;
    }
    peri_h2_stream_recycle(stream);
    if (rc != PERI_ECLOSED) {
      return rc;
    }
    conn->retired = true;
    peri_h2_conn_stir(conn);
  }
  return PERI_ENOMEM;
}

void peri_h2_client_retire(struct peri_h2_client *client,
                           struct peri_slice address) {
  struct peri_address to;
  if (peri_address_parse(address, &to) == 0) {
    peri_h2_pool_retire(&client->pool, &to);
  }
}

void peri_h2_client_free(struct peri_h2_client *client) {
  if (client == NULL) {
    return;
  }
  struct peri_h2_hub *hub = client->hub;
  peri_h2_hub_enter(hub);
  peri_turn_cancel(&client->turn);
  bury_failed(client, PERI_ECLOSED);
  peri_h2_hub_free(hub);
  peri_h2_hub_leave(hub);
}
