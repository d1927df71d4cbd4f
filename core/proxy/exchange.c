#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/metrics.h"
#include "base/status.h"
#include "h2/call.h"
#include "h2/framing.h"
#include "model/route.h"
#include "proxy/private.h"

enum { MOST_FREE_CALLS = 512 };

// A call begins with the first of its body, which policies may hash, or when
// the iteration that brought its headers ends.
static void start(struct peri_proxy_call *call) {
  peri_list_remove(&call->wait);
  if (call->deadline_ns != 0 &&
      !peri_proxy_call_wake(call, call->deadline_ns)) {
    return;
  }
  if (call->inbound) {
    peri_proxy_attempt(call);
  } else {
    peri_proxy_find(call);
  }
}

uint64_t peri_proxy_now(struct peri_proxy *proxy) {
  if (proxy->now_ns == 0) {
    proxy->now_ns = peri_clock_mono_ns();
    peri_turn_request(&proxy->turn);
  }
  return proxy->now_ns;
}

void peri_proxy_take_turn(struct peri_turn *turn) {
  struct peri_proxy *proxy = PERI_CONTAINER_OF(turn, struct peri_proxy, turn);
  while (!peri_list_empty(&proxy->fresh)) {
    struct peri_proxy_call *call =
        PERI_CONTAINER_OF(proxy->fresh.next, struct peri_proxy_call, wait);
    call->fresh = false;
    start(call);
  }
  proxy->now_ns = 0;
}

static bool start_if_fresh(struct peri_proxy_call *call) {
  if (!call->fresh) {
    return false;
  }
  call->fresh = false;
  start(call);
  return true;
}

void peri_proxy_call_finish_request(struct peri_proxy_call *call) {
  const struct peri_h2_field *trailers = NULL;
  size_t count = peri_h2_stream_trailer_fields(call->caller, &trailers);
  if (peri_h2_stream_finish(call->endpoint, trailers, count) == PERI_ENOMEM) {
    peri_h2_stream_reset(call->endpoint, PERI_H2_INTERNAL_ERROR);
  }
}

// A body piece for the other side. Whatever cannot be queued for want of memory
// ends that stream; one that is lost says so in on_close.
static void pass(struct peri_h2_stream *to, struct peri_slice bytes) {
  const struct peri_h2_piece piece = {.bytes = bytes};
  if (peri_h2_stream_write(to, &piece, 1) == PERI_ENOMEM) {
    peri_h2_stream_reset(to, PERI_H2_INTERNAL_ERROR);
  }
}

static void caller_data(void *ctx, struct peri_h2_stream *stream,
                        struct peri_slice bytes) {
  struct peri_proxy_call *call = ctx;
  call->owed_up += bytes.len;
  peri_h2_stream_spare(stream, bytes.len);
  peri_proxy_keep(call, bytes);
  if (!start_if_fresh(call) && call->endpoint != NULL) {
    pass(call->endpoint, bytes);
  }
}

static void caller_end(void *ctx, struct peri_h2_stream *stream) {
  struct peri_proxy_call *call = ctx;
  (void)stream;
  call->request_over = true;
  if (!start_if_fresh(call) && call->endpoint != NULL) {
    peri_proxy_call_finish_request(call);
  }
}

// Response bytes are on their way: as many more may come.
static void caller_sent(void *ctx, struct peri_h2_stream *stream,
                        size_t bytes) {
  struct peri_proxy_call *call = ctx;
  (void)stream;
  if (call->endpoint != NULL) {
    peri_h2_stream_consume(call->endpoint, bytes);
  }
}

static void caller_close(void *ctx, struct peri_h2_stream *stream,
                         const struct peri_h2_end *end) {
  struct peri_proxy_call *call = ctx;
  (void)stream;
  call->caller = NULL;
  peri_proxy_call_drop(
      call, peri_proxy_end_is_own(end) ? end->h2_error : PERI_H2_CANCEL);
  peri_proxy_attempt_over(call, PERI_STATUS_CANCELLED, false);
  peri_proxy_call_end(call, PERI_STATUS_CANCELLED);
}

static const struct peri_h2_stream_events caller_events = {
    .on_data = caller_data,
    .on_end = caller_end,
    .on_sent = caller_sent,
    .on_close = caller_close};

// The answer is complete.
static void answered(struct peri_proxy_call *call,
                     struct peri_h2_stream *stream) {
  int status = peri_proxy_status_read(stream);
  peri_proxy_call_drop(call, PERI_H2_CANCEL);
  peri_proxy_attempt_over(call, status, status < 0);
  peri_proxy_call_end(call, status);
}

// What came cannot be passed on for want of memory.
static void give_up(struct peri_proxy_call *call) {
  peri_h2_stream_reset(call->caller, PERI_H2_INTERNAL_ERROR);
  peri_proxy_call_drop(call, PERI_H2_CANCEL);
  peri_proxy_attempt_over(call, PERI_STATUS_INTERNAL, false);
  peri_proxy_call_end(call, PERI_STATUS_INTERNAL);
}

// The last fields of the answer, with what is to be explained.
static int tell(struct peri_proxy_call *call, int status, bool head,
                const struct peri_h2_field *fields, size_t count) {
  peri_proxy_explain_status(call, status);
  return peri_proxy_explain_send(call, head, fields, count);
}

static void endpoint_headers(void *ctx, struct peri_h2_stream *stream,
                             bool end) {
  struct peri_proxy_call *call = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  call->headed_ns = peri_proxy_now(call->proxy);
  int rc = end && call->decision != NULL
               ? tell(call, peri_proxy_status_read(stream), true, fields, count)
               : peri_h2_stream_respond(call->caller, fields, count, end);
  if (rc == PERI_ENOMEM) {
    give_up(call);
    return;
  }
  call->responded = true;
  call->overflowed = true;  // Nothing is replayed any more.
  peri_buffer_done(&call->kept);
  if (end && rc == 0) {
    answered(call, stream);
  }
}

static void endpoint_data(void *ctx, struct peri_h2_stream *stream,
                          struct peri_slice bytes) {
  struct peri_proxy_call *call = ctx;
  call->bytes_down += bytes.len;
  peri_h2_stream_spare(stream, bytes.len);
  pass(call->caller, bytes);
}

static void endpoint_end(void *ctx, struct peri_h2_stream *stream) {
  struct peri_proxy_call *call = ctx;
  const struct peri_h2_field *trailers = NULL;
  size_t count = peri_h2_stream_trailer_fields(stream, &trailers);
  int rc =
      call->decision != NULL
          ? tell(call, peri_proxy_status_read(stream), false, trailers, count)
          : peri_h2_stream_finish(call->caller, trailers, count);
  if (rc == PERI_ENOMEM) {
    give_up(call);
  } else if (rc == 0) {
    answered(call, stream);
  }
}

// Request bytes are on their way. Those sent a second time were consumed the
// first time.
static void endpoint_sent(void *ctx, struct peri_h2_stream *stream,
                          size_t bytes) {
  struct peri_proxy_call *call = ctx;
  (void)stream;
  size_t again = bytes < call->replayed ? bytes : call->replayed;
  call->replayed -= again;
  bytes -= again;
  call->owed_up -= bytes < call->owed_up ? bytes : call->owed_up;
  peri_h2_stream_consume(call->caller, bytes);
}

// The answer broke off. The caller gets the code of a reset as it came, behind
// what came before it, since that is what it would have got directly; all else
// has no code that clients take for it, so it becomes a status.
static void broke_off(struct peri_proxy_call *call,
                      const struct peri_h2_end *end) {
  int status = peri_proxy_status_of(end);
  if (!end->reset) {
    peri_proxy_refuse(call, status, "%s: %s", call->service->text,
                      peri_proxy_end_is_own(end)
                          ? peri_proxy_end_words(end)
                          : "the connection was lost while the answer came");
    return;
  }
  peri_h2_stream_cut(call->caller, end->h2_error);
  peri_proxy_attempt_over(call, status, true);
  peri_proxy_call_end(call, status);
}

static void endpoint_close(void *ctx, struct peri_h2_stream *stream,
                           const struct peri_h2_end *end) {
  struct peri_proxy_call *call = ctx;
  (void)stream;
  call->endpoint = NULL;
  if (call->responded) {
    broke_off(call, end);
  } else {
    peri_proxy_attempt_lost(call, end);
  }
}

const struct peri_h2_stream_events peri_proxy_endpoint_events = {
    .on_headers = endpoint_headers,
    .on_data = endpoint_data,
    .on_end = endpoint_end,
    .on_sent = endpoint_sent,
    .on_close = endpoint_close};

static struct peri_proxy_call *take(struct peri_proxy *proxy) {
  if (peri_list_empty(&proxy->free_calls)) {
    return malloc(sizeof(struct peri_proxy_call));
  }
  proxy->free_count--;
  return PERI_CONTAINER_OF(peri_list_pop(&proxy->free_calls),
                           struct peri_proxy_call, link);
}

struct peri_proxy_call *peri_proxy_call_new(struct peri_proxy *proxy,
                                            struct peri_h2_stream *stream,
                                            const struct peri_proxy_head *head,
                                            bool mesh) {
  uint64_t timeout_ns = 0;
  if (head->timeout.ptr != NULL &&
      peri_framing_timeout_parse(head->timeout, &timeout_ns) < 0) {
    peri_call_refuse(stream, PERI_STATUS_INTERNAL, "grpc-timeout is malformed");
    return NULL;
  }
  struct peri_proxy_call *call = take(proxy);
  if (call == NULL) {
    peri_call_refuse(stream, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return NULL;
  }
  memset(call, 0, offsetof(struct peri_proxy_call, tried_room));
  call->kept = (struct peri_buffer){.len = 0};
  call->room_used = 0;
  call->last.code = 0;
  call->proxy = proxy;
  call->table = proxy->table;
  call->table->references++;
  call->caller = stream;
  call->head = *head;
  call->tried = call->tried_room;
  call->tried_capacity = PERI_PROXY_ROOM_TRIED;
  call->begun_ns = peri_proxy_now(proxy);
  call->deadline_ns =
      head->timeout.ptr != NULL ? call->begun_ns + timeout_ns : 0;
  (void)peri_route_split(head->path, &call->grpc_service, &call->grpc_method);
  call->inbound = mesh;
  call->explained =
      head->explain.ptr != NULL && peri_proxy_explain_asked(call, mesh);
  peri_list_init(&call->wait);
  peri_list_push(&proxy->calls, &call->link);
  if (proxy->inflight != NULL) {
    peri_metric_add(proxy->inflight, 1);
  }
  peri_h2_stream_listen(stream, &caller_events, call);
  return call;
}

bool peri_proxy_call_wake(struct peri_proxy_call *call, uint64_t at_ns) {
  call->alarm_ns = at_ns;
  if (peri_proxy_alarm_set(&call->proxy->alarms, call) == 0) {
    return true;
  }
  peri_proxy_refuse(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
  return false;
}

void peri_proxy_call_begin(struct peri_proxy_call *call) {
  struct peri_proxy *proxy = call->proxy;
  call->fresh = true;
  peri_list_push(&proxy->fresh, &call->wait);
  peri_turn_request(&proxy->turn);
}

void peri_proxy_call_drop(struct peri_proxy_call *call, uint32_t h2_error) {
  if (call->endpoint != NULL) {
    peri_h2_stream_drop(call->endpoint, h2_error);
    call->endpoint = NULL;
  }
}

void peri_proxy_call_end(struct peri_proxy_call *call, int status) {
  struct peri_proxy *proxy = call->proxy;
  uint64_t now_ns =
      call->ended_ns != 0 ? call->ended_ns : peri_proxy_now(proxy);
  peri_proxy_count_call(proxy, call->service, status, now_ns - call->begun_ns);
  if (proxy->inflight != NULL) {
    peri_metric_add(proxy->inflight, -1);
  }
  if (call->caller != NULL) {
    peri_h2_stream_listen(call->caller, NULL, NULL);
  }
  if (call->decision != NULL) {
    peri_proxy_explain_status(call, status);
    peri_decision_unref(call->decision);
  }
  peri_proxy_alarm_clear(&proxy->alarms, call);
  peri_list_remove(&call->wait);
  peri_list_remove(&call->link);
  peri_proxy_tried_done(call);
  peri_buffer_done(&call->kept);
  if (call->service != NULL) {
    peri_proxy_service_unref(call->service);
  }
  peri_proxy_table_unref(call->table);
  if (proxy->free_count >= MOST_FREE_CALLS) {
    free(call);
    return;
  }
  // In front: the one used last is in the processor's cache.
  peri_list_push(proxy->free_calls.next, &call->link);
  proxy->free_count++;
}

void peri_proxy_call_due(struct peri_proxy_call *call) {
  if (call->deadline_ns == 0 || call->deadline_ns > call->alarm_ns) {
    peri_proxy_find_late(call);
    return;
  }
  peri_proxy_refuse(call, PERI_STATUS_DEADLINE_EXCEEDED,
                    "the call's deadline passed");
}
