#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "h2/client.h"
#include "proxy/rig_shim.h"

enum { MOST_FIELDS = 64, ZEROS = 65536 };

static char zeros[ZEROS];

size_t proxy_lines_parse(const char *lines, struct peri_h2_field *ret_fields) {
  size_t count = 0;
  while (lines != NULL && *lines != '\0' && count < MOST_FIELDS) {
    size_t len = strcspn(lines, "\n");
    const char *colon = memchr(lines + 1, ':', len - 1);
    size_t name = (size_t)(colon - lines);
    ret_fields[count++] = (struct peri_h2_field){
        {lines, name}, {colon + 2, len - name - 2}, false};
    lines += len + (lines[len] == '\n');
  }
  return count;
}

void proxy_lines_note(struct peri_buffer *text,
                      const struct peri_h2_field *fields, size_t count) {
  for (size_t i = 0; i < count; i++) {
    peri_buffer_add(text, fields[i].name.ptr, fields[i].name.len);
    peri_buffer_add(text, ": ", 2);
    peri_buffer_add(text, fields[i].value.ptr, fields[i].value.len);
    peri_buffer_add(text, "\n", 1);
  }
}

static void call_headers(void *ctx, struct peri_h2_stream *stream, bool end) {
  struct proxy_call *call = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_fields(stream, &fields);
  proxy_lines_note(&call->head, fields, count);
  call->heads++;
  call->head_end = end;
}

static void call_data(void *ctx, struct peri_h2_stream *stream,
                      struct peri_slice bytes) {
  struct proxy_call *call = ctx;
  peri_buffer_add(&call->body, bytes.ptr, bytes.len);
  if (call->hungry) {
    peri_h2_stream_consume(stream, bytes.len);
  } else {
    call->held += bytes.len;
  }
}

static void call_end(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_call *call = ctx;
  const struct peri_h2_field *fields = NULL;
  size_t count = peri_h2_stream_trailer_fields(stream, &fields);
  proxy_lines_note(&call->trailers, fields, count);
  call->ends++;
}

static void call_close(void *ctx, struct peri_h2_stream *stream,
                       const struct peri_h2_end *end) {
  struct proxy_call *call = ctx;
  (void)stream;
  call->stream = NULL;
  call->closes++;
  call->end = *end;
}

struct proxy_call *proxy_call_open(struct proxy_rig *rig, const char *fields,
                                   bool mesh, bool end) {
  static const struct peri_h2_stream_events events = {
      .on_headers = call_headers,
      .on_data = call_data,
      .on_end = call_end,
      .on_close = call_close};
  struct peri_h2_field parsed[MOST_FIELDS];
  size_t count = proxy_lines_parse(fields, parsed);
  struct proxy_call *call = calloc(1, sizeof(*call));
  if (call == NULL) {
    return NULL;
  }
  call->rig = rig;
  call->hungry = true;
  const char *address = mesh ? rig->mesh_address : rig->app_address;
  if (peri_h2_client_open(rig->caller, peri_slice_of(address), parsed, count,
                          end, &events, call, &call->stream) < 0) {
    free(call);
    return NULL;
  }
  return call;
}

int proxy_call_write(struct proxy_call *call, struct peri_slice bytes) {
  struct peri_h2_piece piece = {.bytes = bytes};
  return peri_h2_stream_write(call->stream, &piece, 1);
}

int proxy_call_flood(struct proxy_call *call, size_t bytes) {
  int rc = 0;
  while (bytes > 0) {
    size_t len = bytes < ZEROS ? bytes : ZEROS;
    struct peri_slice slice = {zeros, len};
    rc = proxy_call_write(call, slice);
    bytes -= len;
  }
  return rc;
}

int proxy_call_finish(struct proxy_call *call, const char *trailers) {
  struct peri_h2_field parsed[MOST_FIELDS];
  size_t count = proxy_lines_parse(trailers, parsed);
  return peri_h2_stream_finish(call->stream, parsed, count);
}

void proxy_call_reset(struct proxy_call *call, uint32_t h2_error) {
  peri_h2_stream_reset(call->stream, h2_error);
}

void proxy_call_consume(struct proxy_call *call, size_t bytes) {
  if (call->stream != NULL) {
    call->held -= bytes < call->held ? bytes : call->held;
    peri_h2_stream_consume(call->stream, bytes);
  }
}

void proxy_call_free(struct proxy_call *call) {
  peri_buffer_done(&call->head);
  peri_buffer_done(&call->trailers);
  peri_buffer_done(&call->body);
  free(call);
}
