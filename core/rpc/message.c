#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "rpc/private.h"

static grpc_slice copy(const struct peri_grpc *grpc, struct peri_slice bytes) {
  return grpc->slice_copy(bytes.len > 0 ? bytes.ptr : "", bytes.len);
}

int peri_rpc_headers_set(const struct peri_grpc *grpc,
                         const struct peri_rpc_request *request,
                         struct peri_rpc_headers *ret_headers) {
  if (request->metadata_count > PERI_RPC_MAX_METADATA) {
    return PERI_EINVAL;
  }
  for (size_t i = 0; i < request->metadata_count; i++) {
    grpc_metadata *field = &ret_headers->fields[i];
    field->key = copy(grpc, request->metadata[i].name);
    field->value = copy(grpc, request->metadata[i].value);
    ret_headers->count = i + 1;
    if (!grpc->key_is_legal(field->key) ||
        (!grpc->is_binary(field->key) && !grpc->value_is_legal(field->value))) {
      return PERI_EINVAL;
    }
  }
  return 0;
}

void peri_rpc_headers_done(const struct peri_grpc *grpc,
                           struct peri_rpc_headers *headers) {
  for (size_t i = 0; i < headers->count; i++) {
    grpc->slice_unref(headers->fields[i].key);
    grpc->slice_unref(headers->fields[i].value);
  }
  headers->count = 0;
}

static gpr_timespec deadline_of(const struct peri_grpc *grpc,
                                uint64_t timeout_ms) {
  if (timeout_ms == 0 || timeout_ms > INT64_MAX / 2) {
    return grpc->inf_future(GPR_CLOCK_MONOTONIC);
  }
  return grpc->time_add(grpc->now(GPR_CLOCK_MONOTONIC),
                        grpc->from_millis((int64_t)timeout_ms, GPR_TIMESPAN));
}

grpc_call *peri_rpc_call_create(struct peri_rpc_channel *channel,
                                grpc_completion_queue *queue,
                                const struct peri_rpc_request *request) {
  const struct peri_grpc *grpc = &channel->grpc;
  grpc_slice method = copy(grpc, peri_slice_of(request->path));
  grpc_call *call = grpc->create_call(
      channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method, NULL,
      deadline_of(grpc, request->timeout_ms), NULL);
  grpc->slice_unref(method);
  return call;
}

grpc_byte_buffer *peri_rpc_pack(const struct peri_grpc *grpc,
                                struct peri_slice message) {
  grpc_slice slice = copy(grpc, message);
  grpc_byte_buffer *buffer = grpc->buffer_create(&slice, 1);
  grpc->slice_unref(slice);
  return buffer;
}

int peri_rpc_unpack(const struct peri_grpc *grpc, grpc_byte_buffer *from,
                    struct peri_buffer *message) {
  grpc_byte_buffer_reader reader;
  grpc_slice slice;
  int rc = 0;
  if (from == NULL || !grpc->reader_init(&reader, from)) {
    return 0;
  }
  while (rc == 0 && grpc->reader_next(&reader, &slice)) {
    rc = peri_buffer_add(message, GRPC_SLICE_START_PTR(slice),
                         GRPC_SLICE_LENGTH(slice));
    grpc->slice_unref(slice);
  }
  grpc->reader_destroy(&reader);
  return rc;
}

void peri_rpc_text(grpc_slice details, char *ret_text, size_t capacity) {
  size_t len = GRPC_SLICE_LENGTH(details);
  if (len >= capacity) {
    len = capacity - 1;
  }
  memcpy(ret_text, GRPC_SLICE_START_PTR(details), len);
  ret_text[peri_text_clean(ret_text, len)] = '\0';
}

static struct peri_slice borrow(const grpc_slice *from) {
  // A short one lies in the slice itself.
  struct peri_slice slice = {(const char *)GRPC_SLICE_START_PTR(*from),
                             GRPC_SLICE_LENGTH(*from)};
  return slice;
}

void peri_rpc_trailers_tell(const struct peri_rpc_trailers *trailers,
                            const grpc_metadata_array *fields) {
  for (size_t i = 0; trailers->field != NULL && i < fields->count; i++) {
    const struct peri_rpc_field field = {borrow(&fields->metadata[i].key),
                                         borrow(&fields->metadata[i].value)};
    trailers->field(trailers->ctx, &field);
  }
}
