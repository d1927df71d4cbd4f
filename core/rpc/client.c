#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "rpc/client_private.h"

static void on_op(struct peri_message *message) {
  struct peri_rpc_op *op =
      PERI_CONTAINER_OF(message, struct peri_rpc_op, message);
  op->complete(op);
}

void peri_rpc_op_init(struct peri_rpc_op *op,
                      void (*complete)(struct peri_rpc_op *op)) {
  op->message.run = on_op;
  op->ok = false;
  op->complete = complete;
  atomic_init(&op->armed, false);
}

void peri_rpc_op_arm(struct peri_rpc_op *op) {
  atomic_store_explicit(&op->armed, true, memory_order_release);
}

/// The completion queue's thread: it only hands over. The mailbox is open as
/// long as the client is (whoever closes it closes the client first).
static void *serve(void *arg) {
  struct peri_rpc_client *client = arg;
  const struct peri_grpc *grpc = &client->grpc;
  for (;;) {
    grpc_event event = grpc->queue_next(
        client->queue, grpc->inf_future(GPR_CLOCK_MONOTONIC), NULL);
    if (event.type == GRPC_QUEUE_SHUTDOWN) {
      break;
    }
    struct peri_rpc_op *op = event.tag;
    atomic_load_explicit(&op->armed, memory_order_acquire);
    op->ok = event.success != 0;
    peri_mailbox_post(client->mailbox, &op->message);
  }
  peri_mailbox_post(client->mailbox, &client->ended);
  return NULL;
}

static void on_ended(struct peri_message *message) {
  struct peri_rpc_client *client =
      PERI_CONTAINER_OF(message, struct peri_rpc_client, ended);
  void (*closed)(void *ctx) = client->closed;
  void *ctx = client->ctx;
  pthread_join(client->thread, NULL);
  client->grpc.queue_destroy(client->queue);
  client->grpc.shutdown();
  peri_mailbox_unref(client->mailbox);
  free(client);
  closed(ctx);
}

int peri_rpc_client_new(struct peri_mailbox *mailbox,
                        struct peri_rpc_client **ret_client,
                        struct peri_problem *ret_problem) {
  struct peri_rpc_client *client = calloc(1, sizeof(*client));
  if (client == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  peri_list_init(&client->unaries);
  peri_list_init(&client->streams);
  client->ended.run = on_ended;
  int rc = peri_grpc_load(&client->grpc, ret_problem);
  if (rc < 0) {
    goto fail_load;
  }
  client->grpc.init();
  client->queue = client->grpc.queue_create(NULL);
  if (client->queue == NULL) {
    rc = peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
    goto fail_queue;
  }
  client->mailbox = peri_mailbox_ref(mailbox);
  rc = pthread_create(&client->thread, NULL, serve, client);
  if (rc != 0) {
    rc = peri_problem_set(ret_problem, -rc, "no thread: %s", strerror(rc));
    goto fail_thread;
  }
  *ret_client = client;
  return 0;

fail_thread:
  peri_mailbox_unref(client->mailbox);
  client->grpc.queue_shutdown(client->queue);
  client->grpc.queue_destroy(client->queue);
fail_queue:
  client->grpc.shutdown();
fail_load:
  free(client);
  return rc;
}

void peri_rpc_client_close(struct peri_rpc_client *client,
                           void (*closed)(void *ctx), void *ctx) {
  client->closed = closed;
  client->ctx = ctx;
  peri_rpc_unaries_cancel(client);
  peri_rpc_streams_cancel(client);
  // The thread ends when the last operation has; none begins from now on.
  client->grpc.queue_shutdown(client->queue);
}
