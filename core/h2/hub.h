#pragma once

#include "base/list.h"
#include "base/types.h"
#include "h2/limits.h"
#include "h2/out.h"
#include "h2/slab.h"

struct nghttp2_option;
struct nghttp2_session_callbacks;
struct peri_h2_conn;
struct peri_h2_stream;
struct peri_loop;
struct peri_metric;
struct peri_metrics;
struct peri_timer;

enum { PERI_HUB_READ_BYTES = 65536 };

/// Why connections are closed by a limit; labels of the counters.
enum peri_h2_flood {
  PERI_FLOOD_SETTINGS = 0,  // the first three are counted by the second
  PERI_FLOOD_PING = 1,
  PERI_FLOOD_RESET = 2,
  PERI_FLOOD_ACK = 3,
  PERI_FLOOD_HEADERS = 4,
  PERI_FLOOD_KINDS = 5
};
/// The same for time limits.
enum peri_h2_timeout {
  PERI_TIMEOUT_HANDSHAKE = 0,
  PERI_TIMEOUT_IDLE = 1,
  PERI_TIMEOUT_STALL = 2,
  PERI_TIMEOUT_KEEPALIVE = 3,
  PERI_TIMEOUT_KINDS = 4
};

/// What a hub is made of, and whom it tells; copied.
struct peri_h2_hub_setup {
  struct peri_loop *loop;
  struct peri_h2_limits limits;
  struct peri_metrics *metrics;  // may be NULL
  const char *name;              // label `listener`
  bool client;
  uint32_t limit_ms;  // a further time limit that the tick must serve; 0: none
  /// Server: a request is there.
  void (*on_request)(void *ctx, struct peri_h2_stream *stream);
  /// Client: an attempt of peri_wire_connect() ended. May be NULL.
  void (*on_connect)(void *ctx, struct peri_h2_conn *conn, int code);
  /// A connection is dead and its streams are about to end. May be NULL.
  void (*on_conn_lost)(void *ctx, struct peri_h2_conn *conn);
  /// A connection is about to be freed; its streams have ended. May be NULL.
  void (*on_conn_gone)(void *ctx, struct peri_h2_conn *conn);
  /// Each tick. May be NULL.
  void (*on_tick)(void *ctx);
  /// The hub is about to be freed. May be NULL.
  void (*on_free)(void *ctx);
  void *ctx;
};

/// What the connections of one server or client share: limits, nghttp2's
/// options, the read buffer and the gathered write, free streams, the tick that
/// checks time limits, and the place where connections die. Loop thread only.
struct peri_h2_hub {
  struct peri_h2_hub_setup setup;
  struct nghttp2_option *option;
  struct nghttp2_session_callbacks *callbacks;
  char *read_buffer;
  struct peri_out out;
  struct peri_slab slab;  // nghttp2's memory
  struct peri_list conns;
  struct peri_list dying;  // killed, not yet buried
  struct peri_list free_streams;
  uint32_t free_count;
  size_t conn_count;
  struct peri_timer *timer;
  uint32_t tick_ms;
  bool ticking;
  bool freed;
  uint32_t depth;  // calls from the loop that are on the stack
  struct peri_metric *conns_metric;  // these are NULL without metrics
  struct peri_metric *streams_metric;
  struct peri_metric *flood_metrics[PERI_FLOOD_KINDS];
  struct peri_metric *timeout_metrics[PERI_TIMEOUT_KINDS];
};

/// Makes a hub without connections. @return 0 or PERI_ENOMEM.
int peri_h2_hub_new(const struct peri_h2_hub_setup *setup,
                    struct peri_h2_hub **ret_hub);

/// Brackets every call that comes from the loop. What was killed meanwhile is
/// buried, and a freed hub goes, when the outermost one leaves: nothing is
/// freed under anyone's feet.
void peri_h2_hub_enter(struct peri_h2_hub *hub);
void peri_h2_hub_leave(struct peri_h2_hub *hub);

/// Kills every connection (streams get PERI_ECLOSED) and frees the hub: now, or
/// when the outermost call on the stack leaves.
void peri_h2_hub_free(struct peri_h2_hub *hub);

/// Lets the tick run while there is something to watch, and only then.
void peri_h2_hub_watch(struct peri_h2_hub *hub);

/// Makes the tick quick for good: a server that drains waits for it.
void peri_h2_hub_hurry(struct peri_h2_hub *hub);

/// Memory for a stream, as its last user left it; NULL when out of memory.
struct peri_h2_stream *peri_h2_hub_take(struct peri_h2_hub *hub);
/// Takes it back, to be handed out again.
void peri_h2_hub_give(struct peri_h2_hub *hub, struct peri_h2_stream *stream);

/// Adds to a counter that may be NULL.
void peri_h2_count(struct peri_metric *metric, int64_t amount);
