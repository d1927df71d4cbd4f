#include "rpc/call.h"

#include <string.h>

#include "rpc/private.h"

static void drop_queue(const struct peri_grpc *grpc,
                       grpc_completion_queue *queue) {
  grpc->queue_shutdown(queue);
  while (grpc->queue_next(queue, grpc->inf_future(GPR_CLOCK_MONOTONIC), NULL)
             .type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc->queue_destroy(queue);
}

int peri_rpc_call(struct peri_rpc_channel *channel,
                  const struct peri_rpc_request *request,
                  struct peri_rpc_result *ret_result) {
  const struct peri_grpc *grpc = &channel->grpc;
  struct peri_rpc_exchange exchange;
  grpc_completion_queue *queue = grpc->queue_create(NULL);
  if (queue == NULL) {
    return PERI_ENOMEM;
  }
  int rc = peri_rpc_exchange_start(&exchange, channel, queue, request, queue);
  if (rc == 0) {
    // The call carries the deadline, so that the queue always answers.
    grpc->queue_next(queue, grpc->inf_future(GPR_CLOCK_MONOTONIC), NULL);
    rc = peri_rpc_exchange_result(&exchange, ret_result);
  }
  peri_rpc_exchange_done(&exchange);
  drop_queue(grpc, queue);
  return rc;
}

void peri_rpc_result_done(struct peri_rpc_result *result) {
  peri_buffer_done(&result->message);
  memset(result, 0, sizeof(*result));
}
