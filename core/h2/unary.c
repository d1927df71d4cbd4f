#include "h2/unary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "h2/client.h"
#include "h2/single.h"
#include "h2/stream_state.h"
#include "loop/timer.h"

enum {
  OWN_FIELDS = 9,
  STACK_FIELDS = 32,
  DEFAULT_MESSAGE_BYTES = 4 * 1024 * 1024,
  MOST_TEXT_BYTES = 1024,
  HTTP_OK = 200
};

struct peri_unary {
  struct peri_h2_stream *stream;
  struct peri_timer *timer;
  void (*done)(void *ctx, const struct peri_unary_result *result);
  void *ctx;
  enum peri_single_encoding encoding;
  bool over;  // told, or given up: what still comes is nobody's business
  struct peri_single single;
};

// Nothing may fire any more; our side must not linger either.
static void stop(struct peri_unary *unary) {
  unary->over = true;
  peri_timer_free(unary->timer);
  unary->timer = NULL;
  if (!unary->stream->ended || !unary->stream->sent_end) {
    peri_h2_stream_reset(unary->stream, PERI_H2_CANCEL);
  }
}

// Tells how it ended. The unary itself goes with its stream, later.
static void tell(struct peri_unary *unary,
                 const struct peri_unary_result *result) {
  stop(unary);
  unary->done(unary->ctx, result);
}

static void fail(struct peri_unary *unary, int status, int code,
                 const char *words) {
  struct peri_unary_result result = {
      .status = status, .code = code, .text = peri_slice_of(words)};
  tell(unary, &result);
}

static void expire(void *ctx) {
  fail(ctx, PERI_STATUS_DEADLINE_EXCEEDED, PERI_ETIMEOUT,
       "the peer did not answer in time");
}

// A field of the trailers, or of the headers when these were all there was.
static bool ending_field(const struct peri_h2_stream *stream, const char *name,
                         struct peri_slice *ret_value) {
  return peri_h2_stream_trailer(stream, name, ret_value) ||
         peri_h2_stream_header(stream, name, ret_value);
}

// The peer said how it ended.
static void answered(struct peri_unary *unary, int status) {
  struct peri_unary_result result = {.status = status};
  struct peri_single_fault fault;
  struct peri_slice message;
  char text[MOST_TEXT_BYTES];
  if (status != PERI_STATUS_OK) {
    if (ending_field(unary->stream, "grpc-message", &message)) {
      result.text.len = peri_text_percent_decode(message, text, sizeof(text));
      result.text.ptr = text;
    }
    tell(unary, &result);
    return;
  }
  if (peri_single_finish(&unary->single, unary->encoding, &result.message,
                         &fault) < 0) {
    fail(unary, fault.status, fault.code, fault.words);
    return;
  }
  tell(unary, &result);
}

static void end_came(void *ctx, struct peri_h2_stream *stream) {
  struct peri_unary *unary = ctx;
  struct peri_slice value;
  if (unary->over) {
    return;
  }
  if (!ending_field(stream, "grpc-status", &value)) {
    fail(unary, PERI_STATUS_INTERNAL, PERI_EPROTO,
         "the peer ended the call without a grpc-status");
    return;
  }
  int status = peri_framing_status_read(value);
  // A status that gRPC does not know counts as UNKNOWN, as its clients do.
  answered(unary, status < 0 || status > PERI_STATUS_UNAUTHENTICATED
                      ? PERI_STATUS_UNKNOWN
                      : status);
}

static void headers_came(void *ctx, struct peri_h2_stream *stream, bool end) {
  struct peri_unary *unary = ctx;
  struct peri_slice value = {"", 0};
  char words[64];
  (void)peri_h2_stream_header(stream, ":status", &value);
  int http = peri_framing_status_read(value);
  bool ended = end && peri_h2_stream_header(stream, "grpc-status", &value);
  if (unary->over || ended) {
    return;  // end_came() is next
  }
  if (http != HTTP_OK) {
    (void)snprintf(words, sizeof(words), "the peer answered HTTP %d", http);
    fail(unary, peri_framing_status_of_http(http), PERI_EPROTO, words);
    return;
  }
  if (!peri_h2_stream_header(stream, "content-type", &value) ||
      !peri_slice_starts(value, "application/grpc")) {
    fail(unary, PERI_STATUS_UNKNOWN, PERI_EPROTO,
         "the peer's answer is not application/grpc");
    return;
  }
  if (peri_h2_stream_header(stream, "grpc-encoding", &value)) {
    unary->encoding = peri_single_encoding_of(value);
  }
}

static void data_came(void *ctx, struct peri_h2_stream *stream,
                      struct peri_slice bytes) {
  struct peri_unary *unary = ctx;
  struct peri_single_fault fault;
  peri_h2_stream_consume(stream, bytes.len);
  if (!unary->over && peri_single_feed(&unary->single, bytes, &fault) < 0) {
    fail(unary, fault.status, fault.code, fault.words);
  }
}

// Without an answer: the connection failed, or one side reset the stream.
static void lost(struct peri_unary *unary, const struct peri_h2_end *end) {
  struct peri_unary_result result = {.code = end->code,
                                     .unprocessed = end->unprocessed};
  char words[96];
  result.code = result.code == 0 ? PERI_EPROTO : result.code;
  result.status = end->unprocessed ? PERI_STATUS_UNAVAILABLE
                  : end->reset || end->h2_error != 0
                      ? peri_framing_status_of_h2(end->h2_error)
                      : peri_status_of(result.code);
  int len = end->reset || end->h2_error != 0
                ? snprintf(words, sizeof(words),
                           "the peer ended the stream with HTTP/2 error %u",
                           (unsigned)end->h2_error)
                : snprintf(words, sizeof(words), "the peer cannot be asked: %s",
                           peri_error_text(result.code));
  result.text.ptr = words;
  result.text.len = len < (int)sizeof(words) ? (size_t)len : sizeof(words) - 1;
  unary->done(unary->ctx, &result);
}

static void closed(void *ctx, struct peri_h2_stream *stream,
                   const struct peri_h2_end *end) {
  struct peri_unary *unary = ctx;
  (void)stream;
  peri_timer_free(unary->timer);
  unary->timer = NULL;
  if (!unary->over) {
    unary->over = true;
    lost(unary, end);
  }
  peri_single_done(&unary->single);
  free(unary);
}

static const struct peri_h2_stream_events events = {.on_headers = headers_came,
                                                    .on_data = data_came,
                                                    .on_end = end_came,
                                                    .on_close = closed};

static int open_stream(struct peri_h2_client *client,
                       const struct peri_unary_request *request,
                       struct peri_unary *unary) {
  char timeout[PERI_FRAMING_TIMEOUT_BYTES] = "";
  struct peri_h2_field some[STACK_FIELDS] = {
      {{":method", 7}, {"POST", 4}, false},
      {{":scheme", 7}, {"http", 4}, false},
      {{":authority", 10}, request->address, false},
      {{":path", 5}, peri_slice_of(request->path), false},
      {{"te", 2}, {"trailers", 8}, false},
      {{"content-type", 12}, {"application/grpc", 16}, false},
      {{"user-agent", 10}, peri_slice_of("perigee/" PERI_VERSION), false},
      {{"grpc-accept-encoding", 20}, {"identity,deflate,gzip", 21}, false}};
  size_t count = OWN_FIELDS - 1;
  if (request->metadata_count > STACK_FIELDS - OWN_FIELDS) {
    return PERI_EINVAL;
  }
  // A path has no place in :authority.
  if (peri_slice_starts(request->address, "unix:")) {
    some[2].value = peri_slice_of("localhost");
  }
  if (request->timeout_ms > 0) {
    uint64_t ms = request->timeout_ms;
    uint64_t ns =
        ms > INT64_MAX / PERI_NS_PER_MS ? INT64_MAX : ms * PERI_NS_PER_MS;
    peri_framing_timeout_format(ns, timeout);
    some[count++] = (struct peri_h2_field){
        {"grpc-timeout", 12}, peri_slice_of(timeout), false};
  }
  if (request->metadata_count > 0) {
    memcpy(some + count, request->metadata,
           request->metadata_count * sizeof(*some));
    count += request->metadata_count;
  }
  return peri_h2_client_open(client, request->address, some, count, false,
                             &events, unary, &unary->stream);
}

static int send_message(struct peri_h2_stream *stream,
                        struct peri_slice message) {
  char prefix[PERI_FRAMING_PREFIX_BYTES];
  peri_framing_prefix(false, (uint32_t)message.len, prefix);
  const struct peri_h2_piece pieces[] = {{.bytes = {prefix, sizeof(prefix)}},
                                         {.bytes = message}};
  int rc = peri_h2_stream_write(stream, pieces, message.len > 0 ? 2 : 1);
  if (rc < 0 && rc != PERI_EBUSY) {
    return rc;
  }
  return peri_h2_stream_finish(stream, NULL, 0);
}

int peri_unary_start(struct peri_h2_client *client,
                     const struct peri_unary_request *request,
                     void (*done)(void *ctx,
                                  const struct peri_unary_result *result),
                     void *ctx, struct peri_unary **ret_unary) {
  if (request->message.len > UINT32_MAX) {
    return PERI_EINVAL;
  }
  struct peri_unary *unary = malloc(sizeof(*unary));
  if (unary == NULL) {
    return PERI_ENOMEM;
  }
  memset(unary, 0, offsetof(struct peri_unary, single));
  unary->done = done;
  unary->ctx = ctx;
  peri_single_init(&unary->single, request->message_bytes > 0
                                       ? request->message_bytes
                                       : DEFAULT_MESSAGE_BYTES);
  int rc = open_stream(client, request, unary);
  if (rc < 0) {
    free(unary);
    return rc;
  }
  rc = send_message(unary->stream, request->message);
  // A stream that is closed already says so in on_close.
  if (rc < 0 && rc != PERI_ECLOSED) {
    stop(unary);
    return rc;
  }
  struct peri_loop *loop = peri_h2_stream_loop(unary->stream);
  if (request->timeout_ms > 0) {
    rc = peri_timer_new(loop, expire, unary, &unary->timer);
    if (rc < 0) {
      stop(unary);
      return rc;
    }
    peri_timer_start(unary->timer, request->timeout_ms, 0);
  }
  *ret_unary = unary;
  return 0;
}

void peri_unary_cancel(struct peri_unary *unary) {
  if (unary != NULL && !unary->over) {
    stop(unary);
  }
}
