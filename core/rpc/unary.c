#include <stdlib.h>

#include "base/container.h"
#include "base/status.h"
#include "rpc/client_private.h"

struct peri_rpc_unary {
  struct peri_rpc_op op;
  struct peri_list node;  // in the client's list, or in none once cancelled
  struct peri_rpc_client *client;
  struct peri_rpc_exchange exchange;
  bool cancelled;
  void (*done)(void *ctx, const struct peri_rpc_result *result);
  void *ctx;
};

static void free_unary(struct peri_rpc_unary *unary) {
  peri_rpc_exchange_done(&unary->exchange);
  peri_list_remove(&unary->node);
  free(unary);
}

static void on_complete(struct peri_rpc_op *op) {
  struct peri_rpc_unary *unary =
      PERI_CONTAINER_OF(op, struct peri_rpc_unary, op);
  struct peri_rpc_result result = {0};
  if (unary->cancelled) {
    free_unary(unary);
    return;
  }
  if (peri_rpc_exchange_result(&unary->exchange, &result) < 0) {
    result = (struct peri_rpc_result){.status = PERI_STATUS_RESOURCE_EXHAUSTED,
                                      .text = "out of memory"};
  }
  void (*done)(void *ctx, const struct peri_rpc_result *result) = unary->done;
  void *ctx = unary->ctx;
  free_unary(unary);
  done(ctx, &result);
  peri_rpc_result_done(&result);
}

int peri_rpc_unary_start(struct peri_rpc_client *client,
                         struct peri_rpc_channel *channel,
                         const struct peri_rpc_request *request,
                         void (*done)(void *ctx,
                                      const struct peri_rpc_result *result),
                         void *ctx, struct peri_rpc_unary **ret_unary) {
  struct peri_rpc_unary *unary = calloc(1, sizeof(*unary));
  if (unary == NULL) {
    return PERI_ENOMEM;
  }
  unary->client = client;
  unary->done = done;
  unary->ctx = ctx;
  peri_rpc_op_init(&unary->op, on_complete);
  peri_list_push(&client->unaries, &unary->node);
  peri_rpc_op_arm(&unary->op);
  int rc = peri_rpc_exchange_start(&unary->exchange, channel, client->queue,
                                   request, &unary->op);
  // The channel may be freed while a cancelled call is still ending.
  unary->exchange.grpc = &client->grpc;
  if (rc < 0) {
    free_unary(unary);
    return rc;
  }
  *ret_unary = unary;
  return 0;
}

void peri_rpc_unary_cancel(struct peri_rpc_unary *unary) {
  unary->cancelled = true;
  peri_list_remove(&unary->node);
  unary->client->grpc.call_cancel(unary->exchange.call, NULL);
}

void peri_rpc_unaries_cancel(struct peri_rpc_client *client) {
  struct peri_list *node;
  while ((node = peri_list_pop(&client->unaries)) != NULL) {
    peri_rpc_unary_cancel(PERI_CONTAINER_OF(node, struct peri_rpc_unary, node));
  }
}
