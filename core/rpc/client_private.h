#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/list.h"
#include "loop/mailbox.h"
#include "rpc/client.h"
#include "rpc/private.h"

/// An operation that gRPC works on: the tag of its batch. The thread of the
/// completion queue posts it to the owner's loop.
struct peri_rpc_op {
  struct peri_message message;
  bool ok;
  /// Set by the owner before gRPC gets the tag, read by the thread when it
  /// comes back: what happens between them is not for gRPC to order alone.
  atomic_bool armed;
  /// On the owner's loop.
  void (*complete)(struct peri_rpc_op *op);
};

struct peri_rpc_client {
  struct peri_grpc grpc;
  grpc_completion_queue *queue;
  pthread_t thread;
  struct peri_mailbox *mailbox;
  struct peri_list unaries;  // under way, not cancelled
  struct peri_list streams;  // likewise
  struct peri_message ended;
  void (*closed)(void *ctx);
  void *ctx;
};

/// Prepares a tag whose completion calls `complete`.
void peri_rpc_op_init(struct peri_rpc_op *op,
                      void (*complete)(struct peri_rpc_op *op));

/// To be called right before a batch with this tag is started.
void peri_rpc_op_arm(struct peri_rpc_op *op);

/// Cancels every stream that is under way.
void peri_rpc_streams_cancel(struct peri_rpc_client *client);
void peri_rpc_unaries_cancel(struct peri_rpc_client *client);
