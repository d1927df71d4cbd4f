#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "h2/server.h"
#include "proxy/rig_shim.h"

enum { MOST_FIELDS = 64, ZEROS = 65536 };

static char zeros[ZEROS];

static bool is_method(const struct peri_h2_stream *stream, const char *method) {
  struct peri_slice path = {"", 0};
  peri_h2_stream_header(stream, ":path", &path);
  const char *slash = memrchr(path.ptr, '/', path.len);
  if (slash == NULL) {
    return false;
  }
  struct peri_slice last = {slash + 1,
                            path.len - (size_t)(slash + 1 - path.ptr)};
  return peri_slice_is(last, method);
}

static void respond(struct proxy_backend *backend,
                    struct peri_h2_stream *stream) {
  static const char plain[] = ":status: 200\ncontent-type: application/grpc\n";
  struct peri_h2_field fields[MOST_FIELDS];
  size_t count =
      proxy_lines_parse(backend->head != NULL ? backend->head : plain, fields);
  peri_h2_stream_respond(stream, fields, count, false);
}

static void finish(struct proxy_backend *backend,
                   struct peri_h2_stream *stream) {
  struct peri_h2_field fields[MOST_FIELDS];
  size_t count = proxy_lines_parse(
      backend->trailers != NULL ? backend->trailers : "grpc-status: 0\n",
      fields);
  peri_h2_stream_finish(stream, fields, count);
}

static void data(void *ctx, struct peri_h2_stream *stream,
                 struct peri_slice bytes) {
  struct proxy_backend *backend = ctx;
  backend->received += bytes.len;
  peri_buffer_add(&backend->body, bytes.ptr, bytes.len);
  if (backend->hungry) {
    peri_h2_stream_consume(stream, bytes.len);
  }
  if (is_method(stream, "Echo")) {
    struct peri_h2_piece piece = {.bytes = bytes};
    peri_h2_stream_write(stream, &piece, 1);
  }
}

static void end_came(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_backend *backend = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_trailer_fields(stream, &fields);
  proxy_lines_note(&backend->trailing, fields, count);
  backend->ends++;
  if (is_method(stream, "Echo") || is_method(stream, "Sink")) {
    finish(backend, stream);
  }
}

static void pump(struct proxy_backend *backend, struct peri_h2_stream *stream) {
  while (backend->source_bytes > 0) {
    size_t len = backend->source_bytes < ZEROS ? backend->source_bytes : ZEROS;
    struct peri_h2_piece piece = {.bytes = {zeros, len}};
    backend->source_bytes -= len;
    if (peri_h2_stream_write(stream, &piece, 1) < 0) {
      return;
    }
  }
  finish(backend, stream);
}

static void writable(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_backend *backend = ctx;
  if (is_method(stream, "Source")) {
    pump(backend, stream);
  }
}

static void closed(void *ctx, struct peri_h2_stream *stream,
                   const struct peri_h2_end *end) {
  struct proxy_backend *backend = ctx;
  backend->closes++;
  backend->end = *end;
  if (backend->last == stream) {
    backend->last = NULL;
  }
}

const struct peri_h2_stream_events proxy_backend_events = {
    .on_data = data,
    .on_end = end_came,
    .on_writable = writable,
    .on_close = closed};

static void break_off(struct proxy_backend *backend,
                      struct peri_h2_stream *stream) {
  struct peri_h2_piece piece = {.bytes = {zeros, 10}};
  respond(backend, stream);
  peri_h2_stream_write(stream, &piece, 1);
  backend->source_bytes = 0;
}

void proxy_backend_request(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_backend *backend = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  backend->requests++;
  backend->last = stream;
  backend->fields.len = 0;
  backend->body.len = 0;
  backend->trailing.len = 0;
  proxy_lines_note(&backend->fields, fields, count);
  peri_h2_stream_listen(stream, &proxy_backend_events, backend);
  if (is_method(stream, "Echo") || is_method(stream, "Sink") ||
      is_method(stream, "Headed")) {
    respond(backend, stream);
  } else if (is_method(stream, "Only")) {
    struct peri_h2_field lines[MOST_FIELDS];
    peri_h2_stream_respond(stream, lines,
                           proxy_lines_parse(backend->trailers, lines), true);
  } else if (is_method(stream, "Bare")) {
    respond(backend, stream);
    finish(backend, stream);
  } else if (is_method(stream, "Refuse")) {
    peri_h2_stream_reset(stream, backend->h2_error);
  } else if (is_method(stream, "Break")) {
    break_off(backend, stream);
  } else if (is_method(stream, "Source")) {
    respond(backend, stream);
    pump(backend, stream);
  }
}

void proxy_backend_drain(struct proxy_rig *rig, int index) {
  struct proxy_backend *backend = &rig->backends[index];
  peri_h2_server_drain(backend->server, NULL, NULL);
}

void proxy_backend_feed(struct proxy_rig *rig, int index, size_t bytes) {
  struct proxy_backend *backend = &rig->backends[index];
  if (backend->last != NULL) {
    peri_h2_stream_consume(backend->last, bytes);
  }
}

void proxy_backend_reset(struct proxy_rig *rig, int index, uint32_t h2_error) {
  struct proxy_backend *backend = &rig->backends[index];
  if (backend->last != NULL) {
    peri_h2_stream_reset(backend->last, h2_error);
  }
}

void proxy_backend_finish(struct proxy_rig *rig, int index) {
  struct proxy_backend *backend = &rig->backends[index];
  if (backend->last != NULL) {
    finish(backend, backend->last);
  }
}
