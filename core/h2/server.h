#pragma once

#include "base/types.h"
#include "h2/limits.h"

struct peri_loop;
struct peri_metrics;
struct peri_h2_stream;

/// The server side of HTTP/2 on one loop: takes accepted sockets and turns them
/// into streams. Cleartext with prior knowledge.
struct peri_h2_server;

/// What a server is made of, and whom it tells; copied.
struct peri_h2_server_options {
  struct peri_loop *loop;
  struct peri_h2_limits limits;
  struct peri_metrics *metrics;  // may be NULL
  const char *name;  // label `listener`: "app" or "mesh"; static storage
  /// A request's headers are complete (pseudo-headers valid as nghttp2 checks
  /// them).
  void (*on_request)(void *ctx, struct peri_h2_stream *stream);
  /// A connection is gone (for the acceptor's count). May be NULL.
  void (*on_conn_closed)(void *ctx);
  void *ctx;
};

/// Makes a server without connections. @return 0 or PERI_ENOMEM.
int peri_h2_server_new(const struct peri_h2_server_options *options,
                       struct peri_h2_server **ret_server);

/// Takes over a connected, non-blocking stream socket (TCP or Unix); closes it
/// also on failure. @return 0, PERI_ELIMIT (limits.conns_per_listener),
/// PERI_ECLOSED (it drains), PERI_ENOMEM or a libuv code.
int peri_h2_server_adopt(struct peri_h2_server *server, int fd);

/// Connections open now.
size_t peri_h2_server_conns(const struct peri_h2_server *server);

/// Begins a graceful end: GOAWAY with the highest stream id, after a round trip
/// GOAWAY with the last one processed, then each connection closes when its
/// streams have ended. `drained` comes once no connection is left, also when
/// there was none (then from the loop).
void peri_h2_server_drain(struct peri_h2_server *server,
                          void (*drained)(void *ctx), void *ctx);

/// Closes every connection at once (streams get on_close with PERI_ECLOSED) and
/// frees the server when the loop has run their close callbacks.
void peri_h2_server_free(struct peri_h2_server *server);
