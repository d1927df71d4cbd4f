#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/slice.h"
#include "base/status.h"
#include "etcd/private.h"
#include "rpc/call.h"
#include "rpc/client.h"

enum { WAITING_BYTES = 4 << 20 };

/// A message that waits for the token.
struct early {
  struct peri_list link;
  size_t len;
  char bytes[];
};

struct peri_etcd_stream {
  struct peri_list link;
  struct peri_etcd *etcd;
  struct peri_rpc_stream *rpc;  // NULL while it waits for a token
  struct peri_etcd_waiter waiter;
  const struct peri_etcd_stream_events *events;
  void *ctx;
  struct peri_list early;
  size_t early_bytes;
  int endpoint;
  uint64_t token_version;
  bool over;  // `ended` is being told
  char path[];
};

static void quiet(struct peri_etcd_stream *stream) {
  struct peri_list *link;
  if (stream->rpc != NULL) {
    peri_rpc_stream_cancel(stream->rpc);
    stream->rpc = NULL;
  }
  while ((link = peri_list_pop(&stream->early)) != NULL) {
    free(PERI_CONTAINER_OF(link, struct early, link));
  }
  peri_list_remove(&stream->waiter.link);
  peri_list_remove(&stream->link);
}

static void end(struct peri_etcd_stream *stream,
                const struct peri_etcd_error *error) {
  quiet(stream);
  stream->over = true;
  stream->events->ended(stream->ctx, error);
  free(stream);
}

static void on_message(void *ctx, struct peri_slice message) {
  struct peri_etcd_stream *stream = ctx;
  peri_etcd_endpoint_well(stream->etcd, stream->endpoint);
  stream->events->message(stream->ctx, message);
}

static void on_ended(void *ctx, int status, const char *text) {
  struct peri_etcd_stream *stream = ctx;
  struct peri_etcd_error error;
  stream->rpc = NULL;
  if (status == PERI_STATUS_OK) {
    peri_etcd_error_set(&error, PERI_ETCD_BUSY, "etcd ended the stream");
    error.status = status;
  } else {
    peri_etcd_error_of(status, text, &error);
    peri_etcd_error_judge(stream->etcd, &error);
  }
  if (error.kind == PERI_ETCD_TOKEN) {
    peri_etcd_token_forget(stream->etcd, stream->token_version);
  } else if (peri_etcd_kind_class(error.kind) == PERI_ETCD_RETRY ||
             error.kind == PERI_ETCD_TLS) {
    peri_etcd_endpoint_suspect(stream->etcd, stream->endpoint);
  }
  end(stream, &error);
}

static const struct peri_rpc_stream_events rpc_events = {.message = on_message,
                                                         .ended = on_ended};

/// Opens it for real and sends what waited.
static int open_now(struct peri_etcd_stream *stream) {
  struct peri_etcd *etcd = stream->etcd;
  struct peri_rpc_field fields[PERI_ETCD_MAX_FIELDS];
  struct peri_rpc_request request = {
      .path = stream->path,
      .metadata = fields,
      .metadata_count = peri_etcd_fields(etcd, false, false, fields)};
  struct peri_list *link;
  stream->token_version = etcd->token_version;
  int rc = peri_rpc_stream_open(etcd->client,
                                etcd->endpoints[stream->endpoint].channel,
                                &request, &rpc_events, stream, &stream->rpc);
  while (rc == 0 && (link = peri_list_pop(&stream->early)) != NULL) {
    struct early *early = PERI_CONTAINER_OF(link, struct early, link);
    struct peri_slice message = {early->bytes, early->len};
    rc = peri_rpc_stream_send(stream->rpc, message);
    free(early);
  }
  return rc;
}

static void token_came(struct peri_etcd_waiter *waiter,
                       const struct peri_etcd_error *error) {
  struct peri_etcd_stream *stream =
      PERI_CONTAINER_OF(waiter, struct peri_etcd_stream, waiter);
  struct peri_etcd_error own;
  if (error == NULL && !peri_etcd_token_ready(stream->etcd, waiter)) {
    return;  // Another waiter found the token refused already.
  }
  if (error == NULL && open_now(stream) < 0) {
    peri_etcd_error_set(&own, PERI_ETCD_BUSY, "out of memory");
    error = &own;
  }
  if (error != NULL) {
    end(stream, error);
  }
}

int peri_etcd_stream_open(struct peri_etcd *etcd, const char *path,
                          int endpoint,
                          const struct peri_etcd_stream_events *events,
                          void *ctx, struct peri_etcd_stream **ret_stream) {
  size_t path_bytes = strlen(path) + 1;
  struct peri_etcd_stream *stream = calloc(1, sizeof(*stream) + path_bytes);
  if (stream == NULL) {
    return PERI_ENOMEM;
  }
  memcpy(stream->path, path, path_bytes);
  stream->etcd = etcd;
  stream->events = events;
  stream->ctx = ctx;
  stream->endpoint =
      endpoint >= 0 ? endpoint : peri_etcd_endpoint_best(etcd, -1);
  peri_list_init(&stream->early);
  peri_list_init(&stream->waiter.link);
  stream->waiter.ready = token_came;
  peri_list_init(&stream->link);
  if (peri_etcd_token_ready(etcd, &stream->waiter)) {
    int rc = open_now(stream);
    if (rc < 0) {
      free(stream);
      return rc;
    }
  }
  peri_list_push(&etcd->streams, &stream->link);
  *ret_stream = stream;
  return 0;
}

int peri_etcd_stream_endpoint(const struct peri_etcd_stream *stream) {
  return stream->endpoint;
}

int peri_etcd_stream_send(struct peri_etcd_stream *stream,
                          struct peri_slice message) {
  if (stream->rpc != NULL) {
    return peri_rpc_stream_send(stream->rpc, message);
  }
  if (stream->over || message.len > WAITING_BYTES - stream->early_bytes) {
    return PERI_ELIMIT;
  }
  struct early *early = malloc(sizeof(*early) + message.len);
  if (early == NULL) {
    return PERI_ENOMEM;
  }
  early->len = message.len;
  if (message.len > 0) {
    memcpy(early->bytes, message.ptr, message.len);
  }
  stream->early_bytes += message.len;
  peri_list_push(&stream->early, &early->link);
  return 0;
}

void peri_etcd_stream_close(struct peri_etcd_stream *stream) {
  // From within `ended` it goes anyway.
  if (stream == NULL || stream->over) {
    return;
  }
  quiet(stream);
  free(stream);
}

void peri_etcd_streams_drop(struct peri_etcd *etcd) {
  struct peri_list *link;
  while ((link = peri_list_pop(&etcd->streams)) != NULL) {
    peri_etcd_stream_close(
        PERI_CONTAINER_OF(link, struct peri_etcd_stream, link));
  }
}
