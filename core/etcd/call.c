#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "etcd/call_private.h"
#include "loop/timer.h"
#include "rpc/client.h"

static void fire(void *ctx) {
  struct peri_etcd_call *call = ctx;
  struct peri_slice none = {NULL, 0};
  struct peri_etcd_error error;
  if (!call->pausing) {
    peri_etcd_call_expire(call);
  } else if (peri_etcd_attempt(call) < 0) {
    peri_etcd_error_set(&error, PERI_ETCD_BUSY, "out of memory");
    peri_etcd_call_finish(call, &error, none);
  }
}

/// Leaves the call idle: nothing of it comes any more.
static void quiet(struct peri_etcd_call *call) {
  if (call->unary != NULL) {
    peri_rpc_unary_cancel(call->unary);
    call->unary = NULL;
  }
  peri_timer_stop(call->timer);
  peri_list_remove(&call->waiter.link);
  peri_list_remove(&call->link);
}

static void discard(struct peri_etcd_call *call) {
  peri_timer_free(call->timer);
  if (call->bare && call->bytes.ptr != NULL) {
    explicit_bzero(call->bytes.ptr, call->bytes.len);
  }
  peri_buffer_done(&call->bytes);
  free(call);
}

static void count(const struct peri_etcd_call *call,
                  const struct peri_etcd_error *error) {
  char labels[200] = "";
  if (call->etcd->metrics == NULL) {
    return;
  }
  const char *method = strrchr(call->bytes.ptr, '/');
  peri_metrics_label(
      labels, sizeof(labels), "method",
      peri_slice_of(method != NULL ? method + 1 : call->bytes.ptr));
  peri_metrics_label(
      labels, sizeof(labels), "outcome",
      peri_slice_of(peri_etcd_kind_name(error != NULL ? error->kind : 0)));
  peri_metric_add(
      peri_metrics_counter(call->etcd->metrics, "perigee_etcd_calls_total",
                           "Calls to etcd with their attempts, by how they "
                           "ended.",
                           labels),
      1);
}

void peri_etcd_call_finish(struct peri_etcd_call *call,
                           const struct peri_etcd_error *error,
                           struct peri_slice message) {
  struct peri_etcd_error copy;
  if (error != NULL) {
    copy = *error;
    error = &copy;
  }
  quiet(call);
  count(call, error);
  call->over = true;
  call->again = false;
  call->done(call->ctx, error, message);
  if (!call->again) {
    discard(call);
  }
}

void peri_etcd_call_expire(struct peri_etcd_call *call) {
  const struct peri_etcd *etcd = call->etcd;
  struct peri_slice none = {NULL, 0};
  struct peri_etcd_error error = call->last;
  if (!peri_list_empty(&call->waiter.link) &&
      etcd->login_error.kind != PERI_ETCD_OK) {
    error = etcd->login_error;
  }
  // An attempt under way may have been done without our hearing of it.
  bool unsure = call->unary != NULL && !call->replay;
  bool silent = call->unary != NULL && error.kind == PERI_ETCD_UNREACHABLE;
  if (error.kind == PERI_ETCD_OK || unsure || silent) {
    peri_etcd_error_set(&error, PERI_ETCD_TIMEOUT, "no answer within %u ms",
                        call->timeout_ms);
  }
  if (call->unary != NULL) {
    peri_etcd_endpoint_suspect(call->etcd, call->endpoint);
  }
  peri_etcd_call_finish(call, &error, none);
}

/// Takes over a request and makes its first attempt. @return as
/// peri_etcd_attempt(); the call is then in no list.
static int begin(struct peri_etcd_call *call,
                 const struct peri_etcd_request *request,
                 const struct ProtobufCMessage *message) {
  struct peri_etcd *etcd = call->etcd;
  call->bytes.len = 0;
  call->path_bytes = strlen(request->path) + 1;
  int rc = peri_buffer_add(&call->bytes, request->path, call->path_bytes);
  if (rc == 0) {
    rc = message != NULL ? peri_proto_pack(message, &call->bytes)
                         : peri_buffer_add(&call->bytes, request->message.ptr,
                                           request->message.len);
  }
  if (rc < 0) {
    return rc;
  }
  call->replay = request->replay;
  call->leaderless = request->leaderless;
  call->only = request->endpoint;
  call->limited = request->timeout_ms != UINT32_MAX;
  call->timeout_ms =
      request->timeout_ms > 0 ? request->timeout_ms : etcd->timeout_ms;
  call->deadline_ns =
      peri_clock_mono_ns() + (uint64_t)call->timeout_ms * 1000000;
  call->tried = 0;
  call->rounds = 0;
  call->last_round = 0;
  call->renewed = false;
  call->round_tls = true;
  memset(&call->last, 0, sizeof(call->last));
  peri_list_push(&etcd->calls, &call->link);
  rc = peri_etcd_attempt(call);
  if (rc < 0) {
    quiet(call);
  }
  return rc;
}

static int start(struct peri_etcd *etcd,
                 const struct peri_etcd_request *request,
                 const struct ProtobufCMessage *message, bool bare,
                 const void *state, size_t state_bytes,
                 void (*done)(void *ctx, const struct peri_etcd_error *error,
                              struct peri_slice message),
                 void *ctx, struct peri_etcd_call **ret_call) {
  struct peri_etcd_call *call = calloc(1, sizeof(*call) + state_bytes);
  if (call == NULL) {
    return PERI_ENOMEM;
  }
  int rc = peri_timer_new(etcd->loop, fire, call, &call->timer);
  if (rc < 0) {
    goto fail;
  }
  peri_list_init(&call->link);
  peri_list_init(&call->waiter.link);
  call->etcd = etcd;
  call->bare = bare;
  call->done = done;
  call->ctx = ctx;
  if (state != NULL) {
    memcpy(call->state, state, state_bytes);
    call->ctx = call->state;
  }
  rc = begin(call, request, message);
  if (rc < 0) {
    goto fail;
  }
  if (ret_call != NULL) {
    *ret_call = call;
  }
  return 0;

fail:
  discard(call);
  return rc;
}

int peri_etcd_call(struct peri_etcd *etcd,
                   const struct peri_etcd_request *request,
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                struct peri_slice message),
                   void *ctx, struct peri_etcd_call **ret_call) {
  return start(etcd, request, NULL, false, NULL, 0, done, ctx, ret_call);
}

int peri_etcd_call_packed(struct peri_etcd *etcd,
                          const struct peri_etcd_request *request,
                          const struct ProtobufCMessage *message,
                          void (*done)(void *state,
                                       const struct peri_etcd_error *error,
                                       struct peri_slice message),
                          const void *state, size_t state_bytes,
                          struct peri_etcd_call **ret_call) {
  return start(etcd, request, message, false, state, state_bytes, done, NULL,
               ret_call);
}

int peri_etcd_call_bare(struct peri_etcd *etcd,
                        const struct peri_etcd_request *request,
                        void (*done)(void *ctx,
                                     const struct peri_etcd_error *error,
                                     struct peri_slice message),
                        void *ctx, struct peri_etcd_call **ret_call) {
  return start(etcd, request, NULL, true, NULL, 0, done, ctx, ret_call);
}

int peri_etcd_call_again(void *state, const struct peri_etcd_request *request,
                         const struct ProtobufCMessage *message,
                         void (*done)(void *state,
                                      const struct peri_etcd_error *error,
                                      struct peri_slice message)) {
  struct peri_etcd_call *call =
      PERI_CONTAINER_OF(state, struct peri_etcd_call, state);
  int rc = begin(call, request, message);
  if (rc < 0) {
    return rc;
  }
  call->done = done;
  call->again = true;
  call->over = false;
  return 0;
}

void peri_etcd_call_cancel(struct peri_etcd_call *call) {
  // From within its own callback it ends anyway.
  if (!call->over) {
    quiet(call);
    discard(call);
  }
}

void peri_etcd_calls_drop(struct peri_etcd *etcd) {
  struct peri_list *link;
  while ((link = peri_list_pop(&etcd->calls)) != NULL) {
    peri_etcd_call_cancel(PERI_CONTAINER_OF(link, struct peri_etcd_call, link));
  }
}
