#include "h2/call.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"
#include "h2/call_state.h"
#include "loop/loop.h"
#include "loop/timer.h"

void peri_call_disarm(struct peri_call *call) {
  call->answered = true;
  peri_timer_free(call->timer);
  call->timer = NULL;
  if (call->turn.queued) {
    peri_turn_cancel(&call->turn);
  }
}

static void free_fields(struct peri_call_field *field) {
  while (field != NULL) {
    struct peri_call_field *next = field->next;
    free(field);
    field = next;
  }
}

void peri_call_settle(struct peri_call *call) {
  if (call->stream != NULL || call->owed) {
    return;
  }
  free_fields(call->trailers);
  peri_single_done(&call->single);
  free(call);
}

// The handler need not answer any more, and hears why if it wants to.
static void excuse(struct peri_call *call, int code) {
  void (*canceled)(void *ctx, int code) = call->canceled;
  if (!call->owed || canceled == NULL) {
    return;
  }
  call->canceled = NULL;
  call->owed = false;
  canceled(call->cancel_ctx, code);
}

static void expire(void *ctx) {
  struct peri_call *call = ctx;
  excuse(call, PERI_ETIMEOUT);
  peri_call_conclude(call, PERI_STATUS_DEADLINE_EXCEEDED,
                     "the call's deadline passed");
}

// Most calls are over by now and never need a timer.
static void arm(struct peri_turn *turn) {
  struct peri_call *call = PERI_CONTAINER_OF(turn, struct peri_call, turn);
  uint64_t now_ns = peri_loop_now_ns(call->loop);
  uint64_t left_ns =
      call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 0;
  if (peri_timer_new(call->loop, expire, call, &call->timer) < 0) {
    excuse(call, PERI_ENOMEM);
    peri_call_conclude(call, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return;
  }
  peri_timer_start(call->timer, (left_ns + PERI_NS_PER_MS - 1) / PERI_NS_PER_MS,
                   0);
}

static void data_came(void *ctx, struct peri_h2_stream *stream,
                      struct peri_slice bytes) {
  struct peri_call *call = ctx;
  struct peri_single_fault fault;
  peri_h2_stream_consume(stream, bytes.len);
  if (!call->answered && peri_single_feed(&call->single, bytes, &fault) < 0) {
    peri_call_conclude(call, fault.status, fault.words);
  }
}

static void end_came(void *ctx, struct peri_h2_stream *stream) {
  struct peri_call *call = ctx;
  struct peri_single_fault fault;
  struct peri_slice message;
  (void)stream;
  if (call->answered) {
    return;
  }
  if (peri_single_finish(&call->single, call->encoding, &message, &fault) < 0) {
    peri_call_conclude(call, fault.status, fault.words);
    return;
  }
  call->owed = true;
  call->handler(call->ctx, call, message);
  // The call outlives this callback: its stream closes later, from the loop.
  peri_single_done(&call->single);
}

static void closed(void *ctx, struct peri_h2_stream *stream,
                   const struct peri_h2_end *end) {
  struct peri_call *call = ctx;
  (void)stream;
  (void)end;
  call->stream = NULL;
  peri_call_disarm(call);
  excuse(call, PERI_ECANCELED);
  peri_call_settle(call);
}

static const struct peri_h2_stream_events events = {
    .on_data = data_came, .on_end = end_came, .on_close = closed};

static void read_head(const struct peri_h2_stream *stream,
                      struct peri_call_head *ret_head) {
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  *ret_head = (struct peri_call_head){.method = {NULL, 0}};
  for (size_t i = 0; i < count; i++) {
    struct peri_slice name = fields[i].name;
    struct peri_slice *place = NULL;
    // By length first: this runs for every header of every call.
    if (name.len == 7 && memcmp(name.ptr, ":method", 7) == 0) {
      place = &ret_head->method;
    } else if (name.len == 12 && memcmp(name.ptr, "content-type", 12) == 0) {
      place = &ret_head->content_type;
    } else if (name.len == 12 && memcmp(name.ptr, "grpc-timeout", 12) == 0) {
      place = &ret_head->timeout;
    } else if (name.len == 13 && memcmp(name.ptr, "grpc-encoding", 13) == 0) {
      place = &ret_head->encoding;
    } else if (name.len == 15 && memcmp(name.ptr, "perigee-explain", 15) == 0) {
      place = &ret_head->explain;
    }
    if (place != NULL && place->ptr == NULL) {
      *place = fields[i].value;
    }
  }
}

static bool is_grpc(struct peri_slice type) {
  size_t len = strlen("application/grpc");
  return type.len >= len && memcmp(type.ptr, "application/grpc", len) == 0 &&
         (type.len == len || type.ptr[len] == '+' || type.ptr[len] == ';');
}

static void refuse_http(struct peri_h2_stream *stream, const char *status,
                        const char *name, const char *value) {
  const struct peri_h2_field fields[] = {
      {{":status", 7}, peri_slice_of(status), false},
      {peri_slice_of(name), peri_slice_of(value), false}};
  int rc = peri_h2_stream_respond(stream, fields, 2, true);
  if (rc < 0 && rc != PERI_ECLOSED) {
    peri_h2_stream_reset(stream, PERI_H2_INTERNAL_ERROR);
  }
}

bool peri_call_admit(struct peri_h2_stream *stream, struct peri_slice method,
                     struct peri_slice content_type) {
  if (!peri_slice_is(method, "POST")) {
    refuse_http(stream, "405", "allow", "POST");
    return false;
  }
  if (!is_grpc(content_type)) {
    refuse_http(stream, "415", "accept", "application/grpc");
    return false;
  }
  return true;
}

// Refuses what can be told from the headers alone. False: it is answered.
static bool check_head(struct peri_h2_stream *stream,
                       const struct peri_call_head *head,
                       uint64_t *ret_timeout_ns) {
  struct peri_slice type = peri_call_echo(head->content_type);
  if (!peri_call_admit(stream, head->method, head->content_type)) {
    return false;
  }
  if (head->timeout.ptr != NULL &&
      peri_framing_timeout_parse(head->timeout, ret_timeout_ns) < 0) {
    peri_call_refuse_with(stream, NULL, type, PERI_STATUS_INTERNAL,
                          "grpc-timeout is malformed");
    return false;
  }
  if (head->encoding.ptr != NULL &&
      peri_single_encoding_of(head->encoding) == PERI_ENCODING_UNKNOWN) {
    peri_call_refuse_with(stream, NULL, type, PERI_STATUS_UNIMPLEMENTED,
                          "grpc-encoding must be identity, deflate or gzip");
    return false;
  }
  return true;
}

void peri_call_accept(struct peri_h2_stream *stream, uint32_t message_bytes,
                      peri_call_handler *handler, void *ctx) {
  struct peri_call_head head;
  uint64_t timeout_ns = 0;
  read_head(stream, &head);
  if (!check_head(stream, &head, &timeout_ns)) {
    return;
  }
  struct peri_call *call = malloc(sizeof(*call));
  if (call == NULL) {
    peri_call_refuse(stream, PERI_STATUS_RESOURCE_EXHAUSTED, "out of memory");
    return;
  }
  memset(call, 0, offsetof(struct peri_call, single));
  peri_single_init(&call->single, message_bytes);
  call->stream = stream;
  call->loop = peri_h2_stream_loop(stream);
  call->handler = handler;
  call->ctx = ctx;
  call->last_trailer = &call->trailers;
  call->asks_why =
      head.explain.ptr != NULL && !peri_slice_is(head.explain, "0");
  call->content_type = peri_call_echo(head.content_type);
  call->encoding = head.encoding.ptr == NULL
                       ? PERI_ENCODING_IDENTITY
                       : peri_single_encoding_of(head.encoding);
  peri_h2_stream_listen(stream, &events, call);
  if (head.timeout.ptr != NULL) {
    call->deadline_ns = peri_loop_now_ns(call->loop) + timeout_ns;
    peri_turn_init(&call->turn, call->loop, arm);
    peri_turn_request(&call->turn);
  }
}

struct peri_slice peri_call_path(const struct peri_call *call) {
  struct peri_slice path = {"", 0};
  (void)peri_call_header(call, ":path", &path);
  return path;
}

bool peri_call_header(const struct peri_call *call, const char *name,
                      struct peri_slice *ret_value) {
  return call->stream != NULL &&
         peri_h2_stream_header(call->stream, name, ret_value);
}

bool peri_call_asks_why(const struct peri_call *call) {
  return call->asks_why;
}

size_t peri_call_list_bytes(const struct peri_call *call) {
  return call->stream != NULL ? peri_h2_stream_list_bytes(call->stream) : 0;
}

void peri_call_on_cancel(struct peri_call *call,
                         void (*canceled)(void *ctx, int code), void *ctx) {
  call->canceled = canceled;
  call->cancel_ctx = ctx;
}
