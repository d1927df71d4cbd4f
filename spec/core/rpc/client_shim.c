#include "rpc/client_shim.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

enum { STEP_MS = 20, NS_PER_MS = 1000000 };

struct rpc_probe {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_rpc_client *client;
  bool closed;
};

int rpc_probe_new(struct rpc_probe **ret_probe) {
  struct peri_problem problem;
  struct rpc_probe *probe = calloc(1, sizeof(*probe));
  int rc = probe != NULL ? peri_loop_new(&probe->loop) : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_mailbox_new(probe->loop, &probe->mailbox);
  }
  if (rc == 0) {
    rc = peri_rpc_client_new(probe->mailbox, &probe->client, &problem);
  }
  if (rc == 0) {
    *ret_probe = probe;
  }
  return rc;
}

static void on_unary(void *ctx, const struct peri_rpc_result *result) {
  struct rpc_probe_call *call = ctx;
  call->ended++;
  call->unary = NULL;
  call->status = result->status;
  snprintf(call->text, sizeof(call->text), "%.255s", result->text);
  call->code =
      peri_buffer_add(&call->last, result->message.ptr, result->message.len);
}

static void on_opened(void *ctx) {
  struct rpc_probe_call *call = ctx;
  call->opened++;
}

static void on_message(void *ctx, struct peri_slice message) {
  struct rpc_probe_call *call = ctx;
  call->messages++;
  call->total_bytes += message.len;
  call->last.len = 0;
  call->code = peri_buffer_add(&call->last, message.ptr, message.len);
  if (call->messages == call->cancel_after) {
    rpc_probe_cancel(call);
  }
}

static void on_ended(void *ctx, int status, const char *text) {
  struct rpc_probe_call *call = ctx;
  call->ended++;
  call->stream = NULL;
  call->status = status;
  snprintf(call->text, sizeof(call->text), "%.255s", text);
}

struct rpc_probe_call *rpc_probe_unary(struct rpc_probe *probe,
                                       struct peri_rpc_channel *channel,
                                       const struct peri_rpc_request *request) {
  struct rpc_probe_call *call = calloc(1, sizeof(*call));
  call->probe = probe;
  call->code = peri_rpc_unary_start(probe->client, channel, request, on_unary,
                                    call, &call->unary);
  return call;
}

struct rpc_probe_call *rpc_probe_stream(
    struct rpc_probe *probe, struct peri_rpc_channel *channel,
    const struct peri_rpc_request *request) {
  static const struct peri_rpc_stream_events events = {on_opened, on_message,
                                                       on_ended};
  struct rpc_probe_call *call = calloc(1, sizeof(*call));
  call->probe = probe;
  call->code = peri_rpc_stream_open(probe->client, channel, request, &events,
                                    call, &call->stream);
  return call;
}

bool rpc_probe_wait(struct rpc_probe_call *call, int messages,
                    uint64_t limit_ms) {
  uint64_t until = peri_clock_mono_ns() + limit_ms * NS_PER_MS;
  while (call->ended == 0 && (messages == 0 || call->messages < messages)) {
    if (peri_clock_mono_ns() > until) {
      return false;
    }
    peri_loop_step(call->probe->loop, STEP_MS);
  }
  return true;
}

void rpc_probe_step(struct rpc_probe *probe, uint64_t for_ms) {
  uint64_t until = peri_clock_mono_ns() + for_ms * NS_PER_MS;
  while (peri_clock_mono_ns() < until) {
    peri_loop_step(probe->loop, STEP_MS);
  }
}

void rpc_probe_cancel(struct rpc_probe_call *call) {
  if (call->unary != NULL) {
    peri_rpc_unary_cancel(call->unary);
  }
  if (call->stream != NULL) {
    peri_rpc_stream_cancel(call->stream);
  }
  call->unary = NULL;
  call->stream = NULL;
}

void rpc_probe_call_free(struct rpc_probe_call *call) {
  peri_buffer_done(&call->last);
  free(call);
}

static void on_closed(void *ctx) {
  struct rpc_probe *probe = ctx;
  probe->closed = true;
}

bool rpc_probe_free(struct rpc_probe *probe, uint64_t limit_ms) {
  uint64_t until = peri_clock_mono_ns() + limit_ms * NS_PER_MS;
  peri_rpc_client_close(probe->client, on_closed, probe);
  while (!probe->closed && peri_clock_mono_ns() < until) {
    peri_loop_step(probe->loop, STEP_MS);
  }
  bool closed = probe->closed;
  peri_mailbox_close(probe->mailbox);
  closed = peri_loop_free(probe->loop) == 0 && closed;
  free(probe);
  return closed;
}
