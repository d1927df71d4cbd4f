#include "cache/send.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/slice.h"
#include "base/status.h"
#include "cache/private.h"
#include "h2/unary.h"

struct send {
  struct peri_list link;
  struct peri_cache_worker *worker;
  struct peri_unary *unary;
  void (*done)(void *ctx, const struct peri_unary_result *result);
  void *ctx;
};

int peri_cache_ask(const struct peri_cache_request *request,
                   void (*done)(void *ctx,
                                const struct peri_unary_result *result),
                   void *ctx, struct peri_unary **ret_unary) {
  struct peri_cache_worker *worker = request->worker;
  const struct peri_h2_field metadata[] = {
      {peri_slice_of("perigee-hop"), peri_slice_of("1"), false},
      {peri_slice_of("perigee-service"),
       peri_slice_of(worker->sides->config->cluster), false}};
  const struct peri_unary_request unary = {
      .address = request->address,
      .path = request->path,
      .metadata = metadata,
      .metadata_count = sizeof metadata / sizeof *metadata,
      .message = request->message,
      .timeout_ms = request->side->config->peer_timeout_ms,
      .message_bytes = worker->message_bytes};
  return peri_unary_start(worker->client, &unary, done, ctx, ret_unary);
}

static void end(struct send *send, const struct peri_unary_result *result) {
  peri_list_remove(&send->link);
  send->done(send->ctx, result);
  free(send);
}

static void answered(void *ctx, const struct peri_unary_result *result) {
  end(ctx, result);
}

int peri_cache_send(const struct peri_cache_request *request,
                    void (*done)(void *ctx,
                                 const struct peri_unary_result *result),
                    void *ctx) {
  struct send *send = calloc(1, sizeof *send);
  if (send == NULL) {
    return PERI_ENOMEM;
  }
  send->worker = request->worker;
  send->done = done;
  send->ctx = ctx;
  int rc = peri_cache_ask(request, answered, send, &send->unary);
  if (rc < 0) {
    free(send);
    return rc;
  }
  peri_list_push(&request->worker->sends, &send->link);
  return 0;
}

void peri_cache_send_stop(struct peri_cache_worker *worker) {
  const struct peri_unary_result stopping = {
      .status = PERI_STATUS_UNAVAILABLE,
      .code = PERI_ECLOSED,
      .text = peri_slice_of("the sidecar is stopping")};
  while (!peri_list_empty(&worker->sends)) {
    struct send *send =
        PERI_CONTAINER_OF(peri_list_pop(&worker->sends), struct send, link);
    peri_unary_cancel(send->unary);
    end(send, &stopping);
  }
}
