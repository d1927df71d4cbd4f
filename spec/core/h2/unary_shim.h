#pragma once

#include "base/buffer.h"
#include "h2/unary.h"

/// A server that misbehaves as the path asks, a client, and the unary calls of
/// a spec, all on one loop. Paths: /echo, /hold, /trailers (headers as in
/// `fields`, nothing else), /body (headers, `body` as it is, trailers as in
/// `fields`), /bare (headers and `body`, no trailers), /reset (`h2_error`),
/// /half (headers and `body`, and no end), /early (headers as in `fields`
/// before the request has ended).
struct shim_unary_rig;

/// What the server does, and what a call asks. Texts are borrowed until the
/// run.
struct shim_unary_plan {
  const char *path;
  const char *fields;      // "name: value" lines, as the path says
  struct peri_slice body;  // with its prefixes
  uint32_t h2_error;
  struct peri_slice message;
  uint32_t timeout_ms;
  uint32_t message_bytes;
  const char *metadata;  // "name: value" lines; may be NULL
  const char *address;   // NULL: the server's
};

/// What `done` told; `count` says how often it came.
struct shim_unary_outcome {
  int count;
  int status;
  int code;
  bool unprocessed;
};

struct shim_unary_rig *shim_unary_rig_new(void);
void shim_unary_rig_free(struct shim_unary_rig *rig);

/// Starts a call. @return what peri_unary_start() answered.
int shim_unary_start(struct shim_unary_rig *rig,
                     const struct shim_unary_plan *plan);

/// Runs until `done` has come or `ms` have passed.
struct shim_unary_outcome shim_unary_wait(struct shim_unary_rig *rig,
                                          uint32_t ms);
void shim_unary_cancel(struct shim_unary_rig *rig);

/// The message and words of the last outcome.
struct peri_slice shim_unary_message(struct shim_unary_rig *rig);
struct peri_slice shim_unary_text(struct shim_unary_rig *rig);
/// The request headers that the server saw, "name: value" lines.
struct peri_slice shim_unary_request(struct shim_unary_rig *rig);
/// The request body that the server saw.
struct peri_slice shim_unary_body(struct shim_unary_rig *rig);
/// How the server's last stream ended: an HTTP/2 error code, -1 if not yet.
int shim_unary_server_end(struct shim_unary_rig *rig);
/// Closes the server and every connection.
void shim_unary_stop_server(struct shim_unary_rig *rig);
