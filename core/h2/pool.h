#pragma once

#include "base/address.h"
#include "base/list.h"
#include "base/types.h"

struct peri_h2_conn;
struct peri_h2_hub;
struct peri_h2_pool;
struct peri_resolve;

enum { PERI_POOL_BUCKETS = 64 };

/// One address that connections are made to.
struct peri_h2_origin {
  struct peri_list link;   // of its bucket
  struct peri_list conns;  // by pool_link
  struct peri_address address;
  uint32_t conn_count;
  uint32_t failures;  // attempts that failed since the last success
  uint64_t retry_ns;  // no attempt before; 0 when none is held back
  int cause;          // what the latest attempt failed with
  uint32_t untold;    // streams of a connection before the peer's SETTINGS
  struct peri_h2_pool *pool;
  struct peri_resolve *lookup;  // of a name whose connections are in use
  uint64_t looked_ns;           // when a name was last looked up
};

/// What a pool is made of; copied. The hub and the pool die together.
struct peri_h2_pool_setup {
  struct peri_h2_hub *hub;
  uint32_t connect_timeout_ms;
  uint32_t backoff_min_ms;
  uint32_t backoff_max_ms;
  uint32_t refresh_ms;
};

/// The connections of a client by address, and when to make more. Loop thread
/// only; embedded in the client.
struct peri_h2_pool {
  struct peri_h2_pool_setup setup;
  struct peri_list buckets[PERI_POOL_BUCKETS];
  size_t origin_count;
  uint64_t random;
};

/// Makes it empty.
void peri_h2_pool_init(struct peri_h2_pool *pool,
                       const struct peri_h2_pool_setup *setup);

/// The connection that a new stream to `address` goes to, made if needed.
/// @return 0, PERI_ECONNECT (in back-off; `ret_cause` says since what) or
/// PERI_ENOMEM.
int peri_h2_pool_pick(struct peri_h2_pool *pool,
                      const struct peri_address *address,
                      struct peri_h2_conn **ret_conn, int *ret_cause);

/// Lets the connections to an address end with their streams.
void peri_h2_pool_retire(struct peri_h2_pool *pool,
                         const struct peri_address *address);

/// A connection is lost; when it never worked, the next attempt is held back.
void peri_h2_pool_forget(struct peri_h2_pool *pool, struct peri_h2_conn *conn);

/// Ends attempts that take too long, and looks names up again; connections to
/// an address that their name stands for no longer end with their streams.
void peri_h2_pool_tick(struct peri_h2_pool *pool);

/// Frees the origins; no connection may be left.
void peri_h2_pool_done(struct peri_h2_pool *pool);
