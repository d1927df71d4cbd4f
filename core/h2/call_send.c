#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/text.h"
#include "h2/body.h"
#include "h2/call_state.h"

enum {
  STACK_PIECES = 8,
  HEAD_FIELDS = 3,
  STATUS_FIELDS = 2,
  MOST_FIELDS = HEAD_FIELDS + STATUS_FIELDS + PERI_CALL_MOST_TRAILERS,
  MOST_MESSAGE_BYTES = 2048,  // of grpc-message, encoded: clients limit headers
  STATUS_DIGITS = 12
};

static const struct peri_h2_field status_200 = {
    {":status", 7}, {"200", 3}, false};
static const struct peri_h2_field accepted = {
    {"grpc-accept-encoding", 20}, {"identity,deflate,gzip", 21}, false};

struct peri_slice peri_call_echo(struct peri_slice content_type) {
  struct peri_slice plain = {"application/grpc", 16};
  return peri_slice_starts(content_type, "application/grpc+") ? content_type
                                                              : plain;
}

// Everything but the status; returns the number of fields.
static size_t put_head(struct peri_slice content_type,
                       struct peri_h2_field ret_fields[HEAD_FIELDS]) {
  ret_fields[0] = status_200;
  ret_fields[1] =
      (struct peri_h2_field){{"content-type", 12}, content_type, false};
  ret_fields[2] = accepted;
  return HEAD_FIELDS;
}

// The words of a status, as fields need them.
struct ending {
  char status[STATUS_DIGITS];
  char message[MOST_MESSAGE_BYTES];
};

static size_t put_ending(int status, const char *message, struct ending *ending,
                         struct peri_h2_field *ret_fields) {
  int digits = snprintf(ending->status, sizeof(ending->status), "%d", status);
  ret_fields[0] = (struct peri_h2_field){
      {"grpc-status", 11}, {ending->status, (size_t)digits}, false};
  if (message == NULL || status == PERI_STATUS_OK) {
    return 1;
  }
  size_t len = peri_text_percent_encode(peri_slice_of(message), ending->message,
                                        sizeof(ending->message));
  ret_fields[1] = (struct peri_h2_field){
      {"grpc-message", 12}, {ending->message, len}, false};
  return 2;
}

static size_t put_trailers(const struct peri_call *call,
                           struct peri_h2_field *ret_fields) {
  size_t count = 0;
  for (const struct peri_call_field *trailer = call->trailers; trailer != NULL;
       trailer = trailer->next) {
    ret_fields[count++] = trailer->field;
  }
  return count;
}

// A stream whose answer could not be queued must not be left hanging.
static void check(struct peri_h2_stream *stream, int rc) {
  if (rc < 0 && rc != PERI_EBUSY && rc != PERI_ECLOSED) {
    peri_h2_stream_reset(stream, PERI_H2_INTERNAL_ERROR);
  }
}

void peri_call_refuse_with(struct peri_h2_stream *stream,
                           const struct peri_call *call,
                           struct peri_slice content_type, int status,
                           const char *message) {
  struct peri_h2_field fields[MOST_FIELDS];
  struct ending ending;
  size_t count = put_head(content_type, fields);
  count += put_ending(status, message, &ending, fields + count);
  if (call != NULL) {
    count += put_trailers(call, fields + count);
  }
  check(stream, peri_h2_stream_respond(stream, fields, count, true));
}

void peri_call_refuse_more(struct peri_h2_stream *stream, int status,
                           const char *message,
                           const struct peri_h2_field *more, size_t count) {
  struct peri_h2_field fields[MOST_FIELDS];
  struct peri_slice type = {"", 0};
  struct ending ending;
  (void)peri_h2_stream_header(stream, "content-type", &type);
  size_t used = put_head(peri_call_echo(type), fields);
  used += put_ending(status, message, &ending, fields + used);
  for (size_t i = 0; i < count && i < PERI_CALL_MOST_TRAILERS; i++) {
    fields[used++] = more[i];
  }
  check(stream, peri_h2_stream_respond(stream, fields, used, true));
}

void peri_call_refuse(struct peri_h2_stream *stream, int status,
                      const char *message) {
  struct peri_slice type = {"", 0};
  (void)peri_h2_stream_header(stream, "content-type", &type);
  peri_call_refuse_with(stream, NULL, peri_call_echo(type), status, message);
}

static int start(struct peri_call *call) {
  struct peri_h2_field fields[HEAD_FIELDS];
  if (call->started) {
    return 0;
  }
  size_t count = put_head(call->content_type, fields);
  int rc = peri_h2_stream_respond(call->stream, fields, count, false);
  call->started = rc == 0;
  return rc;
}

// Queues the pieces as one message; they are released in any case.
static int put_message(struct peri_call *call,
                       const struct peri_h2_piece *pieces, size_t count) {
  struct peri_h2_piece some[STACK_PIECES];
  struct peri_h2_piece *all = some;
  char prefix[PERI_FRAMING_PREFIX_BYTES];
  uint64_t len = 0;
  int rc = 0;
  for (size_t i = 0; i < count; i++) {
    len += pieces[i].bytes.len;
  }
  if (len > UINT32_MAX) {
    rc = PERI_ELIMIT;
    goto fail;
  }
  if (count >= STACK_PIECES) {
    all = malloc((count + 1) * sizeof(*all));
    if (all == NULL) {
      rc = PERI_ENOMEM;
      goto fail;
    }
  }
  rc = start(call);
  if (rc < 0) {
    goto fail_all;
  }
  peri_framing_prefix(false, (uint32_t)len, prefix);
  all[0] = (struct peri_h2_piece){.bytes = {prefix, sizeof(prefix)}};
  if (count > 0) {
    memcpy(all + 1, pieces, count * sizeof(*all));
  }
  rc = peri_h2_stream_write(call->stream, all, count + 1);
  if (all != some) {
    free(all);
  }
  return rc;

fail_all:
  if (all != some) {
    free(all);
  }
fail:
  peri_h2_pieces_release(pieces, count);
  return rc;
}

void peri_call_conclude(struct peri_call *call, int status,
                        const char *message) {
  struct peri_h2_field fields[STATUS_FIELDS + PERI_CALL_MOST_TRAILERS];
  struct ending ending;
  if (call->answered) {
    return;
  }
  peri_call_disarm(call);
  if (!call->started) {
    peri_call_refuse_with(call->stream, call, call->content_type, status,
                          message);
    return;
  }
  size_t count = put_ending(status, message, &ending, fields);
  count += put_trailers(call, fields + count);
  check(call->stream, peri_h2_stream_finish(call->stream, fields, count));
}

// A field with its texts behind it; NULL when out of memory.
static struct peri_call_field *keep(const char *name, struct peri_slice value) {
  size_t name_len = strlen(name);
  struct peri_call_field *node = malloc(sizeof(*node) + name_len + value.len);
  if (node == NULL) {
    return NULL;
  }
  char *text = (char *)(node + 1);
  memcpy(text, name, name_len);
  if (value.len > 0) {
    memcpy(text + name_len, value.ptr, value.len);
  }
  node->next = NULL;
  node->field = (struct peri_h2_field){
      {text, name_len}, {text + name_len, value.len}, false};
  return node;
}

static bool is_valid(const char *name, struct peri_slice value) {
  return name[0] != '\0' && name[0] != ':' &&
         nghttp2_check_header_name((const uint8_t *)name, strlen(name)) != 0 &&
         nghttp2_check_header_value((const uint8_t *)value.ptr, value.len) != 0;
}

int peri_call_add_trailer(struct peri_call *call, const char *name,
                          struct peri_slice value) {
  if (call->answered) {
    return PERI_ECLOSED;
  }
  if (!is_valid(name, value)) {
    return PERI_EINVAL;
  }
  if (call->trailer_count == PERI_CALL_MOST_TRAILERS) {
    return PERI_ELIMIT;
  }
  struct peri_call_field *trailer = keep(name, value);
  if (trailer == NULL) {
    return PERI_ENOMEM;
  }
  *call->last_trailer = trailer;
  call->last_trailer = &trailer->next;
  call->trailer_count++;
  return 0;
}

int peri_call_send(struct peri_call *call, const struct peri_h2_piece *pieces,
                   size_t count) {
  if (call->answered) {
    peri_h2_pieces_release(pieces, count);
    return PERI_ECLOSED;
  }
  int rc = put_message(call, pieces, count);
  check(call->stream, rc);
  return rc == 0 || rc == PERI_EBUSY ? rc : PERI_ECLOSED;
}

static int finish_more(struct peri_call *call,
                       const struct peri_h2_field *status) {
  struct peri_h2_field fields[1 + PERI_CALL_MOST_TRAILERS] = {*status};
  size_t count = 1 + put_trailers(call, fields + 1);
  return peri_h2_stream_finish(call->stream, fields, count);
}

void peri_call_reply(struct peri_call *call, const struct peri_h2_piece *pieces,
                     size_t count) {
  static const struct peri_h2_field ok = {{"grpc-status", 11}, {"0", 1}, false};
  call->owed = false;
  if (call->answered) {
    peri_h2_pieces_release(pieces, count);
    peri_call_settle(call);
    return;
  }
  int rc = put_message(call, pieces, count);
  peri_call_disarm(call);
  if (rc == 0 || rc == PERI_EBUSY) {
    rc = call->trailers == NULL ? peri_h2_stream_finish(call->stream, &ok, 1)
                                : finish_more(call, &ok);
  }
  check(call->stream, rc);
}

void peri_call_finish(struct peri_call *call, int status, const char *message) {
  call->owed = false;
  if (call->answered) {
    peri_call_settle(call);
    return;
  }
  peri_call_conclude(call, status, message);
}
