#pragma once

#include "base/buffer.h"
#include "base/metrics.h"
#include "h2/client.h"
#include "h2/limits.h"
#include "h2/listener.h"
#include "h2/resolve.h"
#include "h2/server.h"
#include "h2/stream.h"
#include "loop/loop.h"

/// One request as the rig's client sees it.
struct rig_call {
  struct rig *rig;
  struct peri_h2_stream *stream;  // NULL once closed
  bool hungry;                    // consumes what comes
  bool again;                     // opens itself once more when it fails
  struct peri_buffer head;        // "name: value\n" lines
  struct peri_buffer trailers;
  struct peri_buffer body;
  uint32_t heads;
  uint32_t ends;
  uint32_t closes;
  uint32_t writables;
  bool head_end;
  struct peri_h2_end end;
  char address[300];
};

/// A server and a client on one loop. The server does what a request's :path
/// says:
///   /echo    sends the body back as it comes, then trailers
///   /hold    says nothing
///   /bytes   answers `reply_bytes` in borrowed pieces of `piece_bytes`
///   /stream  the same, but never more than peri_h2_stream_write() likes
///   /copies  the same as /bytes, but copied
///   /bare    200 without body or trailers: END_STREAM alone
///   /early   trailers-only, without waiting for the request
///   /reset   resets with `reset_error`
///   /free    frees the server from within on_request
///   /fields  counts and looks up fields, and answers how many
struct rig {
  struct peri_loop *loop;
  struct peri_metrics *metrics;
  struct peri_h2_server *server;
  struct peri_h2_client *client;
  struct peri_listener *listener;
  char address[300];
  struct peri_h2_stream *last;  // the latest request
  uint32_t reset_error;
  size_t reply_bytes;
  size_t piece_bytes;
  bool hungry;  // the server consumes what comes
  uint32_t requests;
  uint32_t closes;  // streams of the server
  uint32_t ends;
  uint32_t conn_closes;
  uint32_t refused;
  uint32_t accepted;
  uint32_t drained;
  uint32_t borrowed;
  uint32_t released;
  uint32_t writables;
  uint32_t busies;
  size_t received;
  struct peri_h2_end end;  // of the server's latest stream
};

/// @return NULL when something failed.
struct rig *rig_new(const struct peri_h2_limits *server,
                    const struct peri_h2_client_options *client);
void rig_free(struct rig *rig);

/// Listens and accepts into the server; `rig->address` says where.
int rig_listen(struct rig *rig, const char *address);
void rig_unlisten(struct rig *rig);

/// A socket pair: one end goes to the server, the other is returned,
/// non-blocking. `buffer_bytes` > 0 makes both ends' buffers that small.
int rig_raw(struct rig *rig, int buffer_bytes);

/// A listening socket on loopback that accepts and says nothing, for
/// peers that the spec plays itself; the port is in `ret_port`.
int rig_mute(uint16_t *ret_port);
int rig_mute_accept(int fd);

/// A non-blocking socket connected (or connecting) to where the rig listens.
int rig_connect(struct rig *rig);

/// A listening socket whose queue is full, so that connecting to it takes for
/// ever; `rig->address` says where.
int rig_full(struct rig *rig);

/// Leaves a socket file behind on which nobody listens.
int rig_stale(const char *path);

/// What a look-up gave.
struct rig_lookup {
  uint32_t calls;
  int code;
  struct peri_resolved resolved;
};

/// Looks a name up, and changes its mind when `cancel` is set.
int rig_resolve(struct rig *rig, const char *host, uint16_t port,
                struct rig_lookup *lookup, bool cancel);

void rig_drain(struct rig *rig);
void rig_server_free(struct rig *rig);
void rig_client_free(struct rig *rig);

/// A request with gRPC's usual headers; `end`: without body.
struct rig_call *rig_open(struct rig *rig, const char *address,
                          const char *path, bool end);
int rig_call_write(struct rig_call *call, struct peri_slice bytes);
/// `count` borrowed pieces of `bytes` zeros each, counted as `borrowed`.
int rig_call_lend(struct rig_call *call, size_t bytes, size_t count);
int rig_call_finish(struct rig_call *call);
void rig_call_free(struct rig_call *call);
