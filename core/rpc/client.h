#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_mailbox;
struct peri_rpc_channel;
struct peri_rpc_request;
struct peri_rpc_result;

/// Calls and streams that answer on a loop: one completion-queue thread, which
/// does nothing but post to the mailbox of the loop that owns the client. Every
/// function is called on that loop's thread, every callback comes there, never
/// from within the call that started it.
struct peri_rpc_client;

/// @return 0, PERI_EUNSUPPORTED (gRPC's library is not installed), PERI_ENOMEM
/// or a libuv code, with words.
int peri_rpc_client_new(struct peri_mailbox *mailbox,
                        struct peri_rpc_client **ret_client,
                        struct peri_problem *ret_problem);

/// Cancels every call and stream that is left (none of their callbacks comes
/// any more) and ends the thread; `closed(ctx)` comes when all of it is done
/// and the client is freed. Channels may be freed from then on. Needs the
/// loop to run. NULL is not fine.
void peri_rpc_client_close(struct peri_rpc_client *client,
                           void (*closed)(void *ctx), void *ctx);

/// A unary call under way.
struct peri_rpc_unary;

/// Starts a call; the request is copied. `done` comes exactly once unless it is
/// cancelled: `result` is valid during the callback. The handle ends with
/// `done`. @return 0, PERI_EINVAL (a field that gRPC does not allow),
/// PERI_ENOMEM: `done` does not come then.
int peri_rpc_unary_start(struct peri_rpc_client *client,
                         struct peri_rpc_channel *channel,
                         const struct peri_rpc_request *request,
                         void (*done)(void *ctx,
                                      const struct peri_rpc_result *result),
                         void *ctx, struct peri_rpc_unary **ret_unary);

/// Cancels it: `done` does not come, the handle is gone.
void peri_rpc_unary_cancel(struct peri_rpc_unary *unary);

/// A bidirectional stream.
struct peri_rpc_stream;

struct peri_rpc_stream_events {
  /// The server's headers have come. May be NULL.
  void (*opened)(void *ctx);
  /// A message, valid during the callback. The next one is asked for only after
  /// it returns, so a slow reader stops the sender.
  void (*message)(void *ctx, struct peri_slice message);
  /// It is over, with a gRPC status and its text; exactly once, last; the
  /// handle ends with it.
  void (*ended)(void *ctx, int status, const char *text);
};

/// Opens a stream; `request->message` is not sent, `timeout_ms` limits the
/// whole stream. `events` must outlive it. Callbacks may cancel the stream.
/// @return as peri_rpc_unary_start().
int peri_rpc_stream_open(struct peri_rpc_client *client,
                         struct peri_rpc_channel *channel,
                         const struct peri_rpc_request *request,
                         const struct peri_rpc_stream_events *events, void *ctx,
                         struct peri_rpc_stream **ret_stream);

/// Queues a copy of a message. @return 0, PERI_ELIMIT when 4 MiB wait already,
/// PERI_ECLOSED after peri_rpc_stream_finish(), PERI_ENOMEM.
int peri_rpc_stream_send(struct peri_rpc_stream *stream,
                         struct peri_slice message);

/// Half-closes: what was queued is sent first. `ended` follows when the server
/// ends it too.
void peri_rpc_stream_finish(struct peri_rpc_stream *stream);

/// Cancels it: no callback comes any more, the handle is gone.
void peri_rpc_stream_cancel(struct peri_rpc_stream *stream);
