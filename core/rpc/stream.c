#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/slice.h"
#include "rpc/client_private.h"

enum { WAITING_BYTES = 4 << 20, TEXT_BYTES = 1024 };

struct outgoing {
  struct peri_list node;
  grpc_byte_buffer *buffer;
  size_t bytes;
};

struct peri_rpc_stream {
  struct peri_list node;  // in the client's list, or in none once gone
  struct peri_rpc_client *client;
  const struct peri_rpc_stream_events *events;
  void *ctx;
  struct peri_rpc_trailers trailers;
  grpc_call *call;
  struct peri_rpc_headers headers;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_status_code status;
  grpc_slice details;
  grpc_byte_buffer *received;
  struct peri_list waiting;  // of struct outgoing; the first is being sent
  size_t waiting_bytes;
  struct peri_rpc_op head, open, read, write, half_close, over;
  unsigned pending;  // operations that gRPC works on
  bool writing;      // one of them is a write, or the headers
  bool finishing;    // half-close when everything is written
  bool unread;       // a read may still bring something
  bool has_status;
  bool gone;  // cancelled or ended: the owner no longer knows it
};

static const struct peri_grpc *grpc_of(const struct peri_rpc_stream *stream) {
  return &stream->client->grpc;
}

static void drop_first(struct peri_rpc_stream *stream) {
  struct outgoing *first =
      PERI_CONTAINER_OF(peri_list_pop(&stream->waiting), struct outgoing, node);
  stream->waiting_bytes -= first->bytes;
  grpc_of(stream)->buffer_destroy(first->buffer);
  free(first);
}

/// Frees it once nobody refers to it: neither its owner nor gRPC.
static void settle(struct peri_rpc_stream *stream) {
  const struct peri_grpc *grpc = grpc_of(stream);
  if (!stream->gone || stream->pending > 0) {
    return;
  }
  while (!peri_list_empty(&stream->waiting)) {
    drop_first(stream);
  }
  if (stream->call != NULL) {
    grpc->call_unref(stream->call);
  }
  if (stream->received != NULL) {
    grpc->buffer_destroy(stream->received);
  }
  peri_rpc_headers_done(grpc, &stream->headers);
  grpc->metadata_destroy(&stream->initial);
  grpc->metadata_destroy(&stream->trailing);
  grpc->slice_unref(stream->details);
  peri_list_remove(&stream->node);
  free(stream);
}

/// Starts one operation. A batch that gRPC does not take can only be one too
/// many after the call has ended, which its status tells.
static bool start(struct peri_rpc_stream *stream, grpc_op *op,
                  struct peri_rpc_op *tag) {
  peri_rpc_op_arm(tag);
  if (grpc_of(stream)->start_batch(stream->call, op, 1, tag, NULL) !=
      GRPC_CALL_OK) {
    return false;
  }
  stream->pending++;
  return true;
}

static void start_read(struct peri_rpc_stream *stream) {
  grpc_op op;
  memset(&op, 0, sizeof(op));
  op.op = GRPC_OP_RECV_MESSAGE;
  op.data.recv_message.recv_message = &stream->received;
  stream->unread = start(stream, &op, &stream->read);
}

static void start_write(struct peri_rpc_stream *stream) {
  grpc_op op;
  memset(&op, 0, sizeof(op));
  if (stream->writing || stream->gone || stream->has_status) {
    return;
  }
  if (!peri_list_empty(&stream->waiting)) {
    op.op = GRPC_OP_SEND_MESSAGE;
    op.data.send_message.send_message =
        PERI_CONTAINER_OF(stream->waiting.next, struct outgoing, node)->buffer;
    stream->writing = start(stream, &op, &stream->write);
  } else if (stream->finishing) {
    op.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    stream->writing = start(stream, &op, &stream->half_close);
  }
}

/// Tells the owner of the end when nothing can come before it any more.
static void finish_up(struct peri_rpc_stream *stream) {
  char text[TEXT_BYTES];
  if (stream->gone || !stream->has_status || stream->unread) {
    return;
  }
  peri_rpc_text(stream->details, text, sizeof(text));
  stream->gone = true;
  peri_rpc_trailers_tell(&stream->trailers, &stream->trailing);
  peri_list_remove(&stream->node);
  stream->events->ended(stream->ctx, (int)stream->status, text);
}

static void on_head(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, head);
  stream->writing = false;
  stream->pending--;
  if (op->ok) {
    start_write(stream);
  }
  settle(stream);
}

static void on_open(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, open);
  if (op->ok && !stream->gone && stream->events->opened != NULL) {
    stream->events->opened(stream->ctx);
  }
  stream->unread = false;
  if (!stream->gone) {
    start_read(stream);
  }
  finish_up(stream);
  stream->pending--;
  settle(stream);
}

static void deliver(struct peri_rpc_stream *stream) {
  struct peri_buffer message = {0};
  grpc_byte_buffer *received = stream->received;
  stream->received = NULL;
  int rc = peri_rpc_unpack(grpc_of(stream), received, &message);
  grpc_of(stream)->buffer_destroy(received);
  if (rc == 0) {
    stream->events->message(stream->ctx, peri_buffer_slice(&message));
  } else {
    grpc_of(stream)->call_cancel(stream->call, NULL);
  }
  peri_buffer_done(&message);
}

static void on_read(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, read);
  bool more = stream->received != NULL;
  stream->unread = false;
  if (more && !stream->gone) {
    deliver(stream);
    if (!stream->gone) {
      start_read(stream);
    }
  }
  finish_up(stream);
  stream->pending--;
  settle(stream);
}

static void on_write(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, write);
  stream->writing = false;
  stream->pending--;
  drop_first(stream);
  if (op->ok) {
    start_write(stream);
  }
  settle(stream);
}

static void on_half_close(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, half_close);
  // `writing` stays set: nothing may be sent after it.
  stream->pending--;
  settle(stream);
}

static void on_over(struct peri_rpc_op *op) {
  struct peri_rpc_stream *stream =
      PERI_CONTAINER_OF(op, struct peri_rpc_stream, over);
  stream->has_status = true;
  finish_up(stream);
  stream->pending--;
  settle(stream);
}

static bool begin(struct peri_rpc_stream *stream) {
  grpc_op head, open, over;
  memset(&head, 0, sizeof(head));
  memset(&open, 0, sizeof(open));
  memset(&over, 0, sizeof(over));
  head.op = GRPC_OP_SEND_INITIAL_METADATA;
  head.data.send_initial_metadata.count = stream->headers.count;
  head.data.send_initial_metadata.metadata = stream->headers.fields;
  open.op = GRPC_OP_RECV_INITIAL_METADATA;
  open.data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
  over.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
  over.data.recv_status_on_client.trailing_metadata = &stream->trailing;
  over.data.recv_status_on_client.status = &stream->status;
  over.data.recv_status_on_client.status_details = &stream->details;
  stream->writing = true;
  stream->unread = true;
  return start(stream, &over, &stream->over) &&
         start(stream, &head, &stream->head) &&
         start(stream, &open, &stream->open);
}

int peri_rpc_stream_open(struct peri_rpc_client *client,
                         struct peri_rpc_channel *channel,
                         const struct peri_rpc_request *request,
                         const struct peri_rpc_stream_events *events, void *ctx,
                         struct peri_rpc_stream **ret_stream) {
  const struct peri_grpc *grpc = &client->grpc;
  struct peri_rpc_stream *stream = calloc(1, sizeof(*stream));
  if (stream == NULL) {
    return PERI_ENOMEM;
  }
  stream->client = client;
  stream->events = events;
  stream->ctx = ctx;
  stream->trailers = request->trailers;
  peri_list_init(&stream->waiting);
  peri_list_push(&client->streams, &stream->node);
  grpc->metadata_init(&stream->initial);
  grpc->metadata_init(&stream->trailing);
  peri_rpc_op_init(&stream->head, on_head);
  peri_rpc_op_init(&stream->open, on_open);
  peri_rpc_op_init(&stream->read, on_read);
  peri_rpc_op_init(&stream->write, on_write);
  peri_rpc_op_init(&stream->half_close, on_half_close);
  peri_rpc_op_init(&stream->over, on_over);
  int rc = peri_rpc_headers_set(grpc, request, &stream->headers);
  if (rc == 0) {
    stream->call = peri_rpc_call_create(channel, client->queue, request);
    rc = stream->call != NULL ? 0 : PERI_ENOMEM;
  }
  if (rc == 0 && !begin(stream)) {
    grpc->call_cancel(stream->call, NULL);
    rc = PERI_EINVAL;
  }
  if (rc < 0) {
    stream->gone = true;
    peri_list_remove(&stream->node);
    settle(stream);
    return rc;
  }
  *ret_stream = stream;
  return 0;
}

int peri_rpc_stream_send(struct peri_rpc_stream *stream,
                         struct peri_slice message) {
  if (stream->finishing || stream->has_status) {
    return PERI_ECLOSED;
  }
  if (stream->waiting_bytes > 0 &&
      stream->waiting_bytes + message.len > WAITING_BYTES) {
    return PERI_ELIMIT;
  }
  struct outgoing *outgoing = calloc(1, sizeof(*outgoing));
  if (outgoing == NULL) {
    return PERI_ENOMEM;
  }
  outgoing->buffer = peri_rpc_pack(grpc_of(stream), message);
  outgoing->bytes = message.len;
  if (outgoing->buffer == NULL) {
    free(outgoing);
    return PERI_ENOMEM;
  }
  stream->waiting_bytes += outgoing->bytes;
  peri_list_push(&stream->waiting, &outgoing->node);
  start_write(stream);
  return 0;
}

void peri_rpc_stream_finish(struct peri_rpc_stream *stream) {
  stream->finishing = true;
  start_write(stream);
}

void peri_rpc_stream_cancel(struct peri_rpc_stream *stream) {
  stream->gone = true;
  peri_list_remove(&stream->node);
  grpc_of(stream)->call_cancel(stream->call, NULL);
  // Within one of its own callbacks an operation is still counted.
  settle(stream);
}

void peri_rpc_streams_cancel(struct peri_rpc_client *client) {
  struct peri_list *node;
  while ((node = peri_list_pop(&client->streams)) != NULL) {
    peri_rpc_stream_cancel(
        PERI_CONTAINER_OF(node, struct peri_rpc_stream, node));
  }
}
