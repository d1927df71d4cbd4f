#include "h2/unary_shim.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "h2/client.h"
#include "h2/listener.h"
#include "h2/server.h"
#include "loop/loop.h"

enum { MOST_LINES = 40, ADDRESS_BYTES = 300 };

struct shim_unary_rig {
  struct peri_loop *loop;
  struct peri_h2_server *server;
  struct peri_listener *listener;
  struct peri_h2_client *client;
  struct peri_unary *unary;
  struct shim_unary_plan plan;
  struct shim_unary_outcome outcome;
  struct peri_buffer message;
  struct peri_buffer text;
  struct peri_buffer request;
  struct peri_buffer body;
  char address[ADDRESS_BYTES];
  int server_end;
};

static size_t parse(const char *lines, struct peri_h2_field *ret_fields) {
  size_t count = 0;
  while (lines != NULL && *lines != '\0' && count < MOST_LINES) {
    size_t len = strcspn(lines, "\n");
    const char *colon = memchr(lines + 1, ':', len - 1);
    size_t name = (size_t)(colon - lines);
    ret_fields[count++] = (struct peri_h2_field){
        {lines, name}, {colon + 2, len - name - 2}, false};
    lines += len + (lines[len] == '\n');
  }
  return count;
}

static void put(struct peri_buffer *buffer, struct peri_slice bytes) {
  (void)peri_buffer_add(buffer, bytes.ptr, bytes.len);
}

static void server_data(void *ctx, struct peri_h2_stream *stream,
                        struct peri_slice bytes) {
  struct shim_unary_rig *rig = ctx;
  put(&rig->body, bytes);
  peri_h2_stream_consume(stream, bytes.len);
}

static void answer(struct shim_unary_rig *rig, struct peri_h2_stream *stream) {
  static const struct peri_h2_field head[] = {
      {{":status", 7}, {"200", 3}, false},
      {{"content-type", 12}, {"application/grpc", 16}, false},
      {{"grpc-encoding", 13}, {"gzip", 4}, false}};
  static const struct peri_h2_field ok[] = {
      {{"grpc-status", 11}, {"0", 1}, false}};
  const char *path = rig->plan.path;
  bool echo = strcmp(path, "/echo") == 0;
  struct peri_h2_field fields[MOST_LINES];
  size_t count = parse(rig->plan.fields, fields);
  struct peri_h2_piece piece = {.bytes = echo ? peri_buffer_slice(&rig->body)
                                              : rig->plan.body};
  if (strcmp(path, "/trailers") == 0) {
    (void)peri_h2_stream_respond(stream, fields, count, true);
    return;
  }
  (void)peri_h2_stream_respond(stream, head, 3, false);
  (void)peri_h2_stream_write(stream, &piece, 1);
  if (echo) {
    (void)peri_h2_stream_finish(stream, ok, 1);
  } else if (strcmp(path, "/half") != 0) {
    (void)peri_h2_stream_finish(stream, fields, count);
  }
}

static void server_ended(void *ctx, struct peri_h2_stream *stream) {
  struct shim_unary_rig *rig = ctx;
  const char *path = rig->plan.path;
  if (strcmp(path, "/reset") == 0) {
    peri_h2_stream_reset(stream, rig->plan.h2_error);
  } else if (strcmp(path, "/hold") != 0 && strcmp(path, "/early") != 0) {
    answer(rig, stream);
  }
}

static void server_closed(void *ctx, struct peri_h2_stream *stream,
                          const struct peri_h2_end *end) {
  struct shim_unary_rig *rig = ctx;
  (void)stream;
  rig->server_end = (int)end->h2_error;
}

static void on_request(void *ctx, struct peri_h2_stream *stream) {
  static const struct peri_h2_stream_events events = {
      .on_data = server_data,
      .on_end = server_ended,
      .on_close = server_closed};
  struct shim_unary_rig *rig = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  rig->request.len = 0;
  rig->body.len = 0;
  rig->server_end = -1;
  for (size_t i = 0; i < count; i++) {
    put(&rig->request, fields[i].name);
    put(&rig->request, peri_slice_of(": "));
    put(&rig->request, fields[i].value);
    put(&rig->request, peri_slice_of("\n"));
  }
  peri_h2_stream_listen(stream, &events, rig);
  if (strcmp(rig->plan.path, "/early") == 0) {
    struct peri_h2_field early[MOST_LINES];
    size_t early_count = parse(rig->plan.fields, early);
    (void)peri_h2_stream_respond(stream, early, early_count, true);
  }
}

static void accepted(void *ctx, int fd) {
  struct shim_unary_rig *rig = ctx;
  (void)peri_h2_server_adopt(rig->server, fd);
}

static void refused(void *ctx) {
  (void)ctx;
}

struct shim_unary_rig *shim_unary_rig_new(void) {
  struct peri_address address;
  struct peri_problem problem;
  struct shim_unary_rig *rig = calloc(1, sizeof(*rig));
  if (rig == NULL || peri_loop_new(&rig->loop) < 0) {
    abort();
  }
  struct peri_h2_server_options server = {.loop = rig->loop,
                                          .limits = peri_h2_limits_default(),
                                          .name = "mesh",
                                          .on_request = on_request,
                                          .ctx = rig};
  struct peri_h2_client_options client = {.loop = rig->loop,
                                          .limits = peri_h2_limits_default(),
                                          .connect_timeout_ms = 60000};
  rig->server_end = -1;
  if (peri_address_parse(peri_slice_of("127.0.0.1:0"), &address) < 0 ||
      peri_h2_server_new(&server, &rig->server) < 0 ||
      peri_h2_client_new(&client, &rig->client) < 0 ||
      peri_listener_bind(&address, -1, &rig->listener, &problem) < 0 ||
      peri_listener_start(rig->listener, rig->loop, accepted, refused, rig) <
          0) {
    abort();
  }
  (void)peri_address_format(peri_listener_address(rig->listener), rig->address,
                            sizeof(rig->address));
  return rig;
}

void shim_unary_stop_server(struct shim_unary_rig *rig) {
  peri_listener_free(rig->listener);
  peri_h2_server_free(rig->server);
  rig->listener = NULL;
  rig->server = NULL;
}

void shim_unary_rig_free(struct shim_unary_rig *rig) {
  peri_h2_client_free(rig->client);
  shim_unary_stop_server(rig);
  if (peri_loop_free(rig->loop) < 0) {
    abort();
  }
  peri_buffer_done(&rig->message);
  peri_buffer_done(&rig->text);
  peri_buffer_done(&rig->request);
  peri_buffer_done(&rig->body);
  free(rig);
}

static void done(void *ctx, const struct peri_unary_result *result) {
  struct shim_unary_rig *rig = ctx;
  rig->outcome.count++;
  rig->outcome.status = result->status;
  rig->outcome.code = result->code;
  rig->outcome.unprocessed = result->unprocessed;
  rig->unary = NULL;
  put(&rig->message, result->message);
  put(&rig->text, result->text);
}

int shim_unary_start(struct shim_unary_rig *rig,
                     const struct shim_unary_plan *plan) {
  struct peri_h2_field metadata[MOST_LINES];
  rig->plan = *plan;
  rig->outcome = (struct shim_unary_outcome){.count = 0};
  rig->message.len = 0;
  rig->text.len = 0;
  struct peri_unary_request request = {
      .address =
          peri_slice_of(plan->address != NULL ? plan->address : rig->address),
      .path = plan->path,
      .metadata = metadata,
      .metadata_count = parse(plan->metadata, metadata),
      .message = plan->message,
      .timeout_ms = plan->timeout_ms,
      .message_bytes = plan->message_bytes};
  int rc = peri_unary_start(rig->client, &request, done, rig, &rig->unary);
  return rig->outcome.count > 0 ? 1 : rc;
}

struct shim_unary_outcome shim_unary_wait(struct shim_unary_rig *rig,
                                          uint32_t ms) {
  uint64_t until_ns = peri_clock_mono_ns() + (uint64_t)ms * 1000000;
  while (rig->outcome.count == 0 && peri_clock_mono_ns() < until_ns) {
    (void)peri_loop_step(rig->loop, 2);
  }
  // What follows `done` on both sides.
  for (int i = 0; i < 5; i++) {
    (void)peri_loop_step(rig->loop, 1);
  }
  return rig->outcome;
}

void shim_unary_cancel(struct shim_unary_rig *rig) {
  peri_unary_cancel(rig->unary);
  rig->unary = NULL;
}

struct peri_slice shim_unary_message(struct shim_unary_rig *rig) {
  return peri_buffer_slice(&rig->message);
}

struct peri_slice shim_unary_text(struct shim_unary_rig *rig) {
  return peri_buffer_slice(&rig->text);
}

struct peri_slice shim_unary_request(struct shim_unary_rig *rig) {
  return peri_buffer_slice(&rig->request);
}

struct peri_slice shim_unary_body(struct shim_unary_rig *rig) {
  return peri_buffer_slice(&rig->body);
}

int shim_unary_server_end(struct shim_unary_rig *rig) {
  return rig->server_end;
}
