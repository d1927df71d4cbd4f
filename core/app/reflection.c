#include "app/reflection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/reflect.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/text.h"
#include "h2/call.h"
#include "h2/framing.h"
#include "h2/single.h"
#include "h2/stream.h"
#include "loop/loop.h"
#include "loop/timer.h"

enum {
  MOST_CALLS = 1000,
  REQUEST_BYTES = 64 << 10,
  UNREAD_BYTES = 1 << 20  // answers that a caller may leave unread
};

struct peri_reflection {
  struct peri_list calls;
  size_t count;
  bool draining;
};

struct call {
  struct peri_list link;
  struct peri_reflection *reflection;
  struct peri_h2_stream *stream;
  struct peri_framing framing;
  struct peri_timer *timer;  // of the deadline, or NULL
  enum peri_single_encoding encoding;
  size_t held;  // bytes read that the window has not been reopened by
  bool slow;    // wait for the reader before reading on
  bool ended;
};

static const struct peri_h2_field head[] = {
    {{":status", 7}, {"200", 3}, false},
    {{"content-type", 12}, {"application/grpc", 16}, false},
    {{"grpc-accept-encoding", 20}, {"identity,deflate,gzip", 21}, false},
};

struct peri_reflection *peri_reflection_new(void) {
  struct peri_reflection *reflection = calloc(1, sizeof(*reflection));
  if (reflection != NULL) {
    peri_list_init(&reflection->calls);
  }
  return reflection;
}

static void end(struct call *call, int status, const char *words) {
  char digits[12], text[256];
  if (call->ended) {
    return;
  }
  call->ended = true;
  snprintf(digits, sizeof(digits), "%d", status);
  size_t len =
      peri_text_percent_encode(peri_slice_of(words), text, sizeof(text));
  struct peri_h2_field trailers[] = {
      {{"grpc-status", 11}, peri_slice_of(digits), false},
      {{"grpc-message", 12}, {text, len}, false}};
  int rc = peri_h2_stream_finish(call->stream, trailers, len > 0 ? 2 : 1);
  if (rc < 0 && rc != PERI_ECLOSED) {
    peri_h2_stream_reset(call->stream, PERI_H2_INTERNAL_ERROR);
  }
}

static void read_on(struct call *call) {
  size_t held = call->held;
  call->held = 0;
  peri_h2_stream_consume(call->stream, held);
}

static int answer(struct call *call, struct peri_slice request) {
  char prefix[PERI_FRAMING_PREFIX_BYTES];
  struct peri_buffer reply = {0};
  int rc = peri_reflect_answer(request, &reply);
  if (rc == PERI_EPROTO) {
    end(call, PERI_STATUS_INVALID_ARGUMENT,
        "the message is no ServerReflectionRequest");
  }
  if (rc < 0) {
    peri_buffer_done(&reply);
    return rc;
  }
  peri_framing_prefix(false, (uint32_t)reply.len, prefix);
  struct peri_h2_piece pieces[] = {
      {.bytes = {prefix, sizeof(prefix)}},
      {.bytes = peri_buffer_slice(&reply), .release = free, .owner = reply.ptr},
  };
  rc = peri_h2_stream_write(call->stream, pieces, 2);
  if (rc == PERI_EBUSY) {
    call->slow = true;
    rc = peri_h2_stream_pending(call->stream) > UNREAD_BYTES ? PERI_ELIMIT : 0;
  }
  return rc;
}

static int take(void *ctx, bool compressed, struct peri_slice bytes) {
  struct call *call = ctx;
  struct peri_buffer plain = {0};
  int rc = 0;
  if (call->ended) {
    return PERI_ECLOSED;
  }
  if (compressed && call->encoding != PERI_ENCODING_ZLIB) {
    return PERI_EPROTO;
  }
  if (compressed) {
    rc = peri_framing_gunzip(bytes, REQUEST_BYTES, &plain);
    bytes = peri_buffer_slice(&plain);
  }
  if (rc == 0) {
    rc = answer(call, bytes);
  }
  peri_buffer_done(&plain);
  return rc;
}

static void data_came(void *ctx, struct peri_h2_stream *stream,
                      struct peri_slice bytes) {
  struct call *call = ctx;
  (void)stream;
  call->held += bytes.len;
  if (call->ended) {
    read_on(call);
    return;
  }
  int rc = peri_framing_feed(&call->framing, bytes, take, call);
  if (rc == PERI_ELIMIT || rc == PERI_ENOMEM) {
    end(call, PERI_STATUS_RESOURCE_EXHAUSTED,
        "a request is too large, or too many answers wait to be read");
  } else if (rc < 0) {
    end(call, PERI_STATUS_INTERNAL, "a message is malformed");
  }
  if (!call->slow || call->ended) {
    read_on(call);
  }
}

static void end_came(void *ctx, struct peri_h2_stream *stream) {
  struct call *call = ctx;
  (void)stream;
  if (peri_framing_partial(&call->framing)) {
    end(call, PERI_STATUS_INTERNAL, "the last message is cut off");
  } else {
    end(call, PERI_STATUS_OK, "");
  }
}

static void writable(void *ctx, struct peri_h2_stream *stream) {
  struct call *call = ctx;
  (void)stream;
  call->slow = false;
  read_on(call);
}

static void closed(void *ctx, struct peri_h2_stream *stream,
                   const struct peri_h2_end *how) {
  struct call *call = ctx;
  (void)stream;
  (void)how;
  peri_list_remove(&call->link);
  call->reflection->count--;
  peri_timer_free(call->timer);
  peri_framing_done(&call->framing);
  free(call);
}

static const struct peri_h2_stream_events events = {.on_data = data_came,
                                                    .on_end = end_came,
                                                    .on_writable = writable,
                                                    .on_close = closed};

static void expire(void *ctx) {
  end(ctx, PERI_STATUS_DEADLINE_EXCEEDED, "the call's deadline passed");
}

static int arm(struct call *call) {
  struct peri_slice text;
  uint64_t timeout_ns;
  if (!peri_h2_stream_header(call->stream, "grpc-timeout", &text)) {
    return 0;
  }
  int rc = peri_framing_timeout_parse(text, &timeout_ns);
  if (rc == 0) {
    rc = peri_timer_new(peri_h2_stream_loop(call->stream), expire, call,
                        &call->timer);
  }
  if (rc == 0) {
    peri_timer_start(call->timer,
                     (timeout_ns + PERI_NS_PER_MS - 1) / PERI_NS_PER_MS, 0);
  }
  return rc;
}

static void begin(struct call *call) {
  size_t count = sizeof(head) / sizeof(head[0]);
  int rc = peri_h2_stream_respond(call->stream, head, count, false);
  if (rc == 0 && call->encoding == PERI_ENCODING_UNKNOWN) {
    end(call, PERI_STATUS_UNIMPLEMENTED,
        "grpc-encoding must be identity, deflate or gzip");
  } else if (rc == 0) {
    rc = arm(call);
  }
  if (rc == PERI_EINVAL) {
    end(call, PERI_STATUS_INTERNAL, "grpc-timeout is malformed");
  } else if (rc < 0 && rc != PERI_ECLOSED) {
    peri_h2_stream_reset(call->stream, PERI_H2_INTERNAL_ERROR);
  }
}

void peri_reflection_accept(struct peri_reflection *reflection,
                            struct peri_h2_stream *stream) {
  struct peri_slice method = {"", 0}, type = {"", 0}, encoding;
  (void)peri_h2_stream_header(stream, ":method", &method);
  (void)peri_h2_stream_header(stream, "content-type", &type);
  if (!peri_call_admit(stream, method, type)) {
    return;
  }
  if (reflection->draining) {
    peri_call_refuse(stream, PERI_STATUS_UNAVAILABLE,
                     "this sidecar is stopping");
    return;
  }
  struct call *call =
      reflection->count < MOST_CALLS ? calloc(1, sizeof(*call)) : NULL;
  if (call == NULL) {
    peri_call_refuse(stream, PERI_STATUS_RESOURCE_EXHAUSTED,
                     "too many reflection calls are open");
    return;
  }
  call->reflection = reflection;
  call->stream = stream;
  peri_framing_init(&call->framing, REQUEST_BYTES);
  if (peri_h2_stream_header(stream, "grpc-encoding", &encoding)) {
    call->encoding = peri_single_encoding_of(encoding);
  }
  peri_list_push(&reflection->calls, &call->link);
  reflection->count++;
  peri_h2_stream_listen(stream, &events, call);
  begin(call);
}

void peri_reflection_drain(struct peri_reflection *reflection) {
  reflection->draining = true;
  struct peri_list *node = reflection->calls.next;
  while (node != &reflection->calls) {
    struct call *call = PERI_CONTAINER_OF(node, struct call, link);
    node = node->next;
    end(call, PERI_STATUS_UNAVAILABLE, "this sidecar is stopping");
  }
}

void peri_reflection_free(struct peri_reflection *reflection) {
  free(reflection);
}
