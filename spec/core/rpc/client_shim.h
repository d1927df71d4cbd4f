#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "rpc/call.h"
#include "rpc/client.h"

struct peri_rpc_channel;
/// A loop with a client, driven step by step.
struct rpc_probe;

/// A call or stream that the probe made, and what came of it.
struct rpc_probe_call {
  struct rpc_probe *probe;
  struct peri_rpc_unary *unary;
  struct peri_rpc_stream *stream;
  int code;  // of starting it
  int opened;
  int ended;  // how often
  int status;
  char text[256];
  int messages;
  struct peri_buffer last;
  uint64_t total_bytes;
  int cancel_after;  // cancels itself from within this many-th message
};

int rpc_probe_new(struct rpc_probe **ret_probe);
struct rpc_probe_call *rpc_probe_unary(struct rpc_probe *probe,
                                       struct peri_rpc_channel *channel,
                                       const struct peri_rpc_request *request);
struct rpc_probe_call *rpc_probe_stream(struct rpc_probe *probe,
                                        struct peri_rpc_channel *channel,
                                        const struct peri_rpc_request *request);
/// Steps until the call ended, or has `messages`, or the time is over.
bool rpc_probe_wait(struct rpc_probe_call *call, int messages,
                    uint64_t limit_ms);
/// Steps for a while whatever happens.
void rpc_probe_step(struct rpc_probe *probe, uint64_t for_ms);
void rpc_probe_cancel(struct rpc_probe_call *call);
void rpc_probe_call_free(struct rpc_probe_call *call);
/// Closes the client and waits; whether `closed` came in time.
bool rpc_probe_free(struct rpc_probe *probe, uint64_t limit_ms);
