#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "rpc/private.h"

enum { OPS = 6 };

static void fill(struct peri_rpc_exchange *exchange, grpc_op ops[OPS]) {
  memset(ops, 0, OPS * sizeof(ops[0]));
  ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
  ops[0].data.send_initial_metadata.count = exchange->headers.count;
  ops[0].data.send_initial_metadata.metadata = exchange->headers.fields;
  ops[1].op = GRPC_OP_SEND_MESSAGE;
  ops[1].data.send_message.send_message = exchange->sent;
  ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
  ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
  ops[3].data.recv_initial_metadata.recv_initial_metadata = &exchange->initial;
  ops[4].op = GRPC_OP_RECV_MESSAGE;
  ops[4].data.recv_message.recv_message = &exchange->received;
  ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  ops[5].data.recv_status_on_client.trailing_metadata = &exchange->trailing;
  ops[5].data.recv_status_on_client.status = &exchange->status;
  ops[5].data.recv_status_on_client.status_details = &exchange->details;
}

int peri_rpc_exchange_start(struct peri_rpc_exchange *exchange,
                            struct peri_rpc_channel *channel,
                            grpc_completion_queue *queue,
                            const struct peri_rpc_request *request, void *tag) {
  const struct peri_grpc *grpc = &channel->grpc;
  memset(exchange, 0, sizeof(*exchange));
  exchange->grpc = grpc;
  exchange->trailers = request->trailers;
  grpc->metadata_init(&exchange->initial);
  grpc->metadata_init(&exchange->trailing);
  int rc = peri_rpc_headers_set(grpc, request, &exchange->headers);
  if (rc < 0) {
    return rc;
  }
  exchange->call = peri_rpc_call_create(channel, queue, request);
  exchange->sent = peri_rpc_pack(grpc, request->message);
  if (exchange->call == NULL || exchange->sent == NULL) {
    return PERI_ENOMEM;
  }
  grpc_op ops[OPS];
  fill(exchange, ops);
  return grpc->start_batch(exchange->call, ops, OPS, tag, NULL) == GRPC_CALL_OK
             ? 0
             : PERI_EINVAL;
}

int peri_rpc_exchange_result(const struct peri_rpc_exchange *exchange,
                             struct peri_rpc_result *ret_result) {
  struct peri_rpc_result result;
  memset(&result, 0, sizeof(result));
  result.status = (int)exchange->status;
  peri_rpc_text(exchange->details, result.text, sizeof(result.text));
  if (result.status == PERI_STATUS_OK && exchange->received == NULL) {
    // An empty message is one; none at all is no answer of a unary call.
    result.status = PERI_STATUS_INTERNAL;
    snprintf(result.text, sizeof(result.text), "OK came without a message");
  } else if (result.status == PERI_STATUS_OK) {
    int rc =
        peri_rpc_unpack(exchange->grpc, exchange->received, &result.message);
    if (rc < 0) {
      peri_buffer_done(&result.message);
      return rc;
    }
  }
  peri_rpc_trailers_tell(&exchange->trailers, &exchange->trailing);
  *ret_result = result;
  return 0;
}

void peri_rpc_exchange_done(struct peri_rpc_exchange *exchange) {
  const struct peri_grpc *grpc = exchange->grpc;
  if (exchange->call != NULL) {
    grpc->call_unref(exchange->call);
  }
  peri_rpc_headers_done(grpc, &exchange->headers);
  if (exchange->sent != NULL) {
    grpc->buffer_destroy(exchange->sent);
  }
  if (exchange->received != NULL) {
    grpc->buffer_destroy(exchange->received);
  }
  grpc->metadata_destroy(&exchange->initial);
  grpc->metadata_destroy(&exchange->trailing);
  grpc->slice_unref(exchange->details);
}
