#pragma once

#include "base/buffer.h"
#include "base/metrics.h"
#include "h2/rig_shim.h"
#include "h2/server.h"
#include "h2/stream.h"
#include "loop/loop.h"
#include "model/decisions.h"
#include "model/policy.h"
#include "proxy/proxy.h"

enum { SHIM_BACKENDS = 6 };

/// An application, or a further sidecar: a server that does what the method of
/// a call's path says:
///   Echo     `head` lines at once, the body as it comes, then `trailers`
///   Only     `trailers` as headers that end the stream
///   Bare     200 and `trailers` as soon as the request's headers are there
///   Hold     nothing
///   Headed   headers, then nothing
///   Refuse   resets with `h2_error`
///   Break    headers and ten bytes, then nothing
///   Source   `source_bytes` zeros, then trailers
///   Sink     counts the body, without consuming unless `hungry`
struct proxy_backend {
  struct proxy_rig *rig;
  struct peri_h2_server *server;
  struct peri_listener *listener;
  struct peri_h2_stream *last;
  char address[300];
  const char *head;
  const char *trailers;
  uint32_t h2_error;
  size_t source_bytes;
  bool hungry;
  uint32_t requests;
  uint32_t ends;
  uint32_t closes;
  uint32_t accepted;
  size_t received;
  size_t most_held;             // bytes received and not consumed
  struct peri_buffer fields;    // of the latest request, "name: value\n"
  struct peri_buffer body;      // of the latest request
  struct peri_buffer trailing;  // of the latest request
  struct peri_h2_end end;
};

/// What the rig's balancer does and was told.
struct proxy_policy {
  int pick;  // an index to pick, or a negative code
  int make;  // a code that making one fails with
  int take;  // a code that update() fails with
  uint32_t made;
  uint32_t freed;
  uint32_t updates;
  uint32_t picks;
  uint32_t dones;
  size_t open_count;  // of the latest pick
  uint32_t attempt;
  uint64_t deadline_ns;
  char service[100];
  char method[100];
  char header[100];  // of "x-key"
  char body[100];
  size_t body_len;
  char address[100];  // of the latest done()
  struct peri_outcome outcome;
  uint32_t inflight;  // of the endpoint picked, at the pick
  uint32_t picker;    // which one made the latest pick, by its number from 1
};

/// A sidecar's forwarding half between a client and backends, on one loop.
struct proxy_rig {
  struct peri_loop *loop;
  struct peri_metrics *metrics;
  struct peri_config *config;
  struct peri_h2_client *client;  // the proxy's
  struct peri_h2_client *caller;  // the application's
  struct peri_h2_server *app;
  struct peri_h2_server *mesh;
  struct peri_listener *app_listener;
  struct peri_listener *mesh_listener;
  struct peri_proxy *proxy;
  struct peri_decisions *decisions;
  char app_address[300];
  char mesh_address[300];
  struct proxy_backend backends[SHIM_BACKENDS];
  struct proxy_policy policy;
  struct peri_problem problem;
  uint32_t wants;
  char wanted[300];  // names, each followed by a space
  uint64_t version;
};

struct proxy_rig_options {
  const char *config;  // JSON
  bool without_want;
  bool without_host;
  struct peri_h2_limits limits;          // of app, mesh and the proxy's client
  struct peri_h2_limits backend_limits;  // of backends
  struct peri_h2_limits caller_limits;
};

/// `ret_code` is what peri_proxy_new() said; NULL when it failed.
struct proxy_rig *proxy_rig_new(const struct proxy_rig_options *options,
                                struct peri_problem *ret_problem);
void proxy_rig_free(struct proxy_rig *rig);
/// Calls under way.
size_t proxy_rig_calls(const struct proxy_rig *rig);

/// Starts a backend on a free port, or `address`.
int proxy_backend_start(struct proxy_rig *rig, int index, const char *address,
                        const struct peri_h2_limits *limits);
void proxy_backend_stop(struct proxy_rig *rig, int index);
void proxy_backend_drain(struct proxy_rig *rig, int index);
/// Consumes what it holds back.
void proxy_backend_feed(struct proxy_rig *rig, int index, size_t bytes);
void proxy_backend_reset(struct proxy_rig *rig, int index, uint32_t h2_error);
/// Ends the latest stream with its trailers.
void proxy_backend_finish(struct proxy_rig *rig, int index);

/// Reads another configuration (JSON), prepares it, and lets go of it and of
/// the one given before.
int proxy_rig_prepare(struct proxy_rig *rig, const char *config,
                      struct peri_problem *ret_problem);

/// Publishes a snapshot: lines "service address*,address", where '*' marks a
/// sidecar.
int proxy_rig_publish(struct proxy_rig *rig, const char *text);

/// One call as the application sees it.
struct proxy_call {
  struct proxy_rig *rig;
  struct peri_h2_stream *stream;  // NULL once closed
  bool hungry;
  struct peri_buffer head;  // "name: value\n" lines
  struct peri_buffer trailers;
  struct peri_buffer body;
  size_t held;  // came and was not consumed
  uint32_t heads;
  uint32_t ends;
  uint32_t closes;
  bool head_end;
  struct peri_h2_end end;
};

/// Opens a call with "name: value\n" lines as fields; `mesh`: on that listener.
struct proxy_call *proxy_call_open(struct proxy_rig *rig, const char *fields,
                                   bool mesh, bool end);
int proxy_call_write(struct proxy_call *call, struct peri_slice bytes);
/// Writes so many zeros.
int proxy_call_flood(struct proxy_call *call, size_t bytes);
/// Ends its side, with trailers as lines or NULL.
int proxy_call_finish(struct proxy_call *call, const char *trailers);
void proxy_call_reset(struct proxy_call *call, uint32_t h2_error);
void proxy_call_consume(struct proxy_call *call, size_t bytes);
void proxy_call_free(struct proxy_call *call);
/// Ends the application's connections at once.
void proxy_rig_hang_up(struct proxy_rig *rig);

/// A question whose header "x-key" has that value, which must outlive it; the
/// other texts are still to be set.
struct peri_proxy_question proxy_question_of(struct peri_slice header);

/// Shared by the files of the rig.
size_t proxy_lines_parse(const char *lines, struct peri_h2_field *ret_fields);
void proxy_lines_note(struct peri_buffer *text,
                      const struct peri_h2_field *fields, size_t count);
struct peri_policy_host *proxy_policy_host(struct proxy_policy *policy);
extern const struct peri_h2_stream_events proxy_backend_events;
void proxy_backend_request(void *ctx, struct peri_h2_stream *stream);
