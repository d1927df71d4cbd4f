#include "h2/pool.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/slice.h"
#include "h2/conn.h"
#include "h2/dial.h"
#include "h2/hub.h"
#include "h2/resolve.h"
#include "loop/loop.h"

enum {
  MOST_CONNS = 32,      // to one address
  MOST_DOUBLINGS = 16,  // of the back-off
  UNTOLD_STREAMS = 100  // what every peer should allow (RFC 9113, 6.5.2)
};

static uint64_t now(const struct peri_h2_pool *pool) {
  return peri_loop_now_ns(pool->setup.hub->setup.loop);
}

void peri_h2_pool_init(struct peri_h2_pool *pool,
                       const struct peri_h2_pool_setup *setup) {
  memset(pool, 0, sizeof(*pool));
  pool->setup = *setup;
  pool->random = peri_hash_random_seed();
  for (size_t i = 0; i < PERI_POOL_BUCKETS; i++) {
    peri_list_init(&pool->buckets[i]);
  }
}

static struct peri_list *bucket_of(struct peri_h2_pool *pool,
                                   const struct peri_address *address) {
  uint32_t hash = peri_hash_fnv1a32(peri_slice_of(address->host));
  return &pool->buckets[(hash ^ address->port) % PERI_POOL_BUCKETS];
}

static struct peri_h2_origin *find(struct peri_h2_pool *pool,
                                   const struct peri_address *address) {
  struct peri_list *bucket = bucket_of(pool, address);
  for (struct peri_list *at = bucket->next; at != bucket; at = at->next) {
    struct peri_h2_origin *origin =
        PERI_CONTAINER_OF(at, struct peri_h2_origin, link);
    if (origin->address.kind == address->kind &&
        origin->address.port == address->port &&
        strcmp(origin->address.host, address->host) == 0) {
      return origin;
    }
  }
  return NULL;
}

static void origin_free(struct peri_h2_pool *pool,
                        struct peri_h2_origin *origin) {
  peri_resolve_cancel(origin->lookup);
  peri_list_remove(&origin->link);
  pool->origin_count--;
  free(origin);
}

// Addresses come and go with the mesh: those without connection and back-off
// are forgotten when new ones come.
static void purge(struct peri_h2_pool *pool, uint64_t now_ns) {
  for (size_t i = 0; i < PERI_POOL_BUCKETS; i++) {
    struct peri_list *at = pool->buckets[i].next;
    while (at != &pool->buckets[i]) {
      struct peri_h2_origin *origin =
          PERI_CONTAINER_OF(at, struct peri_h2_origin, link);
      at = at->next;
      if (origin->conn_count == 0 && origin->retry_ns <= now_ns) {
        origin_free(pool, origin);
      }
    }
  }
}

static struct peri_h2_origin *obtain(struct peri_h2_pool *pool,
                                     const struct peri_address *address) {
  struct peri_h2_origin *origin = find(pool, address);
  if (origin != NULL) {
    return origin;
  }
  if (pool->origin_count >= PERI_POOL_BUCKETS) {
    purge(pool, now(pool));
  }
  origin = calloc(1, sizeof(*origin));
  if (origin != NULL) {
    origin->address = *address;
    origin->untold = UNTOLD_STREAMS;
    origin->pool = pool;
    peri_list_init(&origin->conns);
    peri_list_push(bucket_of(pool, address), &origin->link);
    pool->origin_count++;
  }
  return origin;
}

// Whether the peer lets one more stream begin at once. Before its SETTINGS
// came, nghttp2 lets as many begin as every peer should allow; fewer where it
// said so on another connection.
static bool has_room(struct peri_h2_origin *origin, struct peri_h2_conn *conn) {
  if (!conn->ready) {
    return conn->stream_count < origin->untold;
  }
  uint32_t most = nghttp2_session_get_remote_settings(
      conn->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  if (most > 0) {
    origin->untold = most < UNTOLD_STREAMS ? most : UNTOLD_STREAMS;
  }
  return conn->stream_count < most;
}

// The oldest with room, so that what a turn brings leaves in one write and
// those of a burst fall idle; the least loaded one when none has.
static struct peri_h2_conn *choose(struct peri_h2_origin *origin) {
  struct peri_h2_conn *best = NULL;
  for (struct peri_list *at = origin->conns.next; at != &origin->conns;
       at = at->next) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(at, struct peri_h2_conn, pool_link);
    if (conn->retired || conn->phase >= PERI_CONN_LINGERING) {
      continue;
    }
    if (has_room(origin, conn)) {
      return conn;
    }
    if (best == NULL || conn->stream_count < best->stream_count) {
      best = conn;
    }
  }
  return best;
}

static int begin(struct peri_h2_pool *pool, struct peri_h2_origin *origin,
                 struct peri_h2_conn **ret_conn) {
  struct peri_h2_conn *conn = NULL;
  int rc = peri_h2_conn_new(pool->setup.hub, &conn);
  if (rc < 0) {
    return rc;
  }
  conn->owner = origin;
  if (origin->conn_count == 0) {
    origin->looked_ns = now(pool);
  }
  peri_list_push(&origin->conns, &conn->pool_link);
  origin->conn_count++;
  rc = peri_h2_dial_new(conn, &origin->address);
  if (rc < 0) {
    peri_h2_conn_kill(conn, rc);
    return rc;
  }
  *ret_conn = conn;
  return 0;
}

int peri_h2_pool_pick(struct peri_h2_pool *pool,
                      const struct peri_address *address,
                      struct peri_h2_conn **ret_conn, int *ret_cause) {
  struct peri_h2_origin *origin = obtain(pool, address);
  if (origin == NULL) {
    return PERI_ENOMEM;
  }
  struct peri_h2_conn *best = choose(origin);
  bool held_back = origin->retry_ns > now(pool);
  if (best == NULL && held_back) {
    *ret_cause = origin->cause;
    return PERI_ECONNECT;
  }
  if (best == NULL || (!has_room(origin, best) && !held_back &&
                       origin->conn_count < MOST_CONNS)) {
    int rc = begin(pool, origin, ret_conn);
    if (rc == 0 || best == NULL) {
      return rc;
    }
  }
  // Beyond the limits streams wait inside nghttp2 for their turn.
  *ret_conn = best;
  return 0;
}

static void retire(struct peri_h2_conn *conn) {
  conn->retired = true;
  if (conn->stream_count == 0 && conn->phase < PERI_CONN_LINGERING) {
    peri_h2_conn_terminate(conn, NGHTTP2_NO_ERROR);
  }
}

void peri_h2_pool_retire(struct peri_h2_pool *pool,
                         const struct peri_address *address) {
  struct peri_h2_origin *origin = find(pool, address);
  if (origin == NULL) {
    return;
  }
  peri_h2_hub_enter(pool->setup.hub);
  for (struct peri_list *at = origin->conns.next; at != &origin->conns;
       at = at->next) {
    retire(PERI_CONTAINER_OF(at, struct peri_h2_conn, pool_link));
  }
  peri_h2_hub_leave(pool->setup.hub);
}

static bool is_among(const struct peri_h2_conn *conn,
                     const struct peri_resolved *found) {
  for (size_t i = 0; i < found->count; i++) {
    if (peri_hash_fnv1a32(peri_slice_of(found->addresses[i].host)) ==
        conn->reached) {
      return true;
    }
  }
  return false;
}

// A name that cannot be looked up keeps what it stood for.
static void looked_up(void *ctx, int code, const struct peri_resolved *found) {
  struct peri_h2_origin *origin = ctx;
  struct peri_h2_hub *hub = origin->pool->setup.hub;
  peri_h2_hub_enter(hub);
  origin->lookup = NULL;
  struct peri_list *at = origin->conns.next;
  while (code == 0 && at != &origin->conns) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(at, struct peri_h2_conn, pool_link);
    at = at->next;
    if (conn->dial == NULL && !is_among(conn, found)) {
      retire(conn);
    }
  }
  peri_h2_hub_leave(hub);
}

static void refresh(struct peri_h2_pool *pool, struct peri_h2_origin *origin,
                    uint64_t now_ns) {
  uint64_t every_ns = (uint64_t)pool->setup.refresh_ms * PERI_NS_PER_MS;
  if (origin->address.kind != PERI_ADDRESS_NAME || origin->conn_count == 0 ||
      origin->lookup != NULL || now_ns - origin->looked_ns < every_ns) {
    return;
  }
  origin->looked_ns = now_ns;
  // One that cannot be begun is tried again as late as one that failed.
  (void)peri_resolve_start(pool->setup.hub->setup.loop, &origin->address,
                           looked_up, origin, &origin->lookup);
}

static void refresh_all(struct peri_h2_pool *pool, uint64_t now_ns) {
  for (size_t i = 0; i < PERI_POOL_BUCKETS; i++) {
    struct peri_list *bucket = &pool->buckets[i];
    for (struct peri_list *at = bucket->next; at != bucket; at = at->next) {
      refresh(pool, PERI_CONTAINER_OF(at, struct peri_h2_origin, link), now_ns);
    }
  }
}

// Doubles with each failure, up to the most, and strays by a fifth so that
// many clients do not return at once.
static uint64_t backoff_ns(struct peri_h2_pool *pool, uint32_t failures) {
  uint32_t doublings =
      failures > MOST_DOUBLINGS ? MOST_DOUBLINGS : failures - 1;
  uint64_t ms = (uint64_t)pool->setup.backoff_min_ms << doublings;
  if (ms > pool->setup.backoff_max_ms) {
    ms = pool->setup.backoff_max_ms;
  }
  return ms * (800000 + peri_random_below(&pool->random, 400001));
}

void peri_h2_pool_forget(struct peri_h2_pool *pool, struct peri_h2_conn *conn) {
  struct peri_h2_origin *origin = conn->owner;
  peri_h2_dial_free(conn->dial);
  conn->dial = NULL;
  if (origin == NULL) {
    return;
  }
  peri_list_remove(&conn->pool_link);
  origin->conn_count--;
  if (conn->ready) {
    origin->failures = 0;
    origin->retry_ns = 0;
  } else if (!conn->retired) {
    origin->failures++;
    origin->cause = conn->cause;
    origin->retry_ns = now(pool) + backoff_ns(pool, origin->failures);
  }
}

void peri_h2_pool_tick(struct peri_h2_pool *pool) {
  struct peri_h2_hub *hub = pool->setup.hub;
  uint64_t limit_ns = (uint64_t)pool->setup.connect_timeout_ms * PERI_NS_PER_MS;
  uint64_t now_ns = now(pool);
  struct peri_list *at = hub->conns.next;
  while (at != &hub->conns) {
    struct peri_h2_conn *conn =
        PERI_CONTAINER_OF(at, struct peri_h2_conn, link);
    at = at->next;
    if (conn->phase == PERI_CONN_OPENING &&
        now_ns - conn->opened_ns >= limit_ns) {
      conn->cause = PERI_ETIMEOUT;
      peri_h2_conn_kill(conn, PERI_ECONNECT);
    }
  }
  refresh_all(pool, now_ns);
}

void peri_h2_pool_done(struct peri_h2_pool *pool) {
  for (size_t i = 0; i < PERI_POOL_BUCKETS; i++) {
    while (!peri_list_empty(&pool->buckets[i])) {
      origin_free(pool, PERI_CONTAINER_OF(peri_list_pop(&pool->buckets[i]),
                                          struct peri_h2_origin, link));
    }
  }
}
