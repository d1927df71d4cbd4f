#pragma once

#include "base/status.h"
#include "base/types.h"
#include "h2/stream.h"

struct peri_h2_client;
/// A unary gRPC call to a peer, through the pooled client of this loop.
struct peri_unary;

/// How it ended. Slices are valid during the callback.
struct peri_unary_result {
  int status;        // enum peri_status; UNAVAILABLE when no answer came
  int code;          // 0 when the peer answered; else why not (PERI_ECONNECT,
                     // PERI_ETIMEOUT, PERI_EPROTO …)
  bool unprocessed;  // the peer surely never saw it
  struct peri_slice message;  // the response message, when status is OK
  struct peri_slice text;     // grpc-message, decoded, or our own words
};

/// What is asked, and of whom.
struct peri_unary_request {
  struct peri_slice address;             // the peer
  const char *path;                      // "/groupcachepb.GroupCache/Get"
  const struct peri_h2_field *metadata;  // at most 23, copied; may be NULL
  size_t metadata_count;
  struct peri_slice message;  // copied
  uint64_t timeout_ms;        // 0 for none; also sent as grpc-timeout
  uint32_t message_bytes;     // largest response message; 0 for 4 MiB
};

/// Starts it; `done` comes exactly once, from the loop, never from within this
/// call.
/// @return 0, PERI_EINVAL, PERI_ENOMEM (`done` does not come then).
int peri_unary_start(struct peri_h2_client *client,
                     const struct peri_unary_request *request,
                     void (*done)(void *ctx,
                                  const struct peri_unary_result *result),
                     void *ctx, struct peri_unary **ret_unary);

/// Gives it up: the stream is reset with CANCEL and `done` is never called. Not
/// after `done`, which is the end of the unary.
void peri_unary_cancel(struct peri_unary *unary);
