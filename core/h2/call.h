#pragma once

#include "base/status.h"
#include "base/types.h"
#include "h2/stream.h"

enum { PERI_CALL_MOST_TRAILERS = 24 };

/// A gRPC call that this sidecar answers itself (grpc/grpc
/// doc/PROTOCOL-HTTP2.md): one request message in, one or many out. It is freed
/// after the handler has finished it and the stream has closed. Loop thread
/// only.
struct peri_call;

/// Called with the one, decompressed request message, valid until the handler
/// returns. The handler answers, now or later, with exactly one
/// peri_call_reply() or peri_call_finish().
typedef void peri_call_handler(void *ctx, struct peri_call *call,
                               struct peri_slice message);

/// Takes over a request stream from `on_request`: checks method and
/// content-type (as peri_call_admit()), encoding (UNIMPLEMENTED with
/// grpc-accept-encoding), grpc-timeout; collects the message up to
/// `message_bytes` (RESOURCE_EXHAUSTED above) and calls `handler`. A deadline
/// that passes first ends the call with DEADLINE_EXCEEDED. Everything that is
/// wrong is answered here and never reaches the handler.
void peri_call_accept(struct peri_h2_stream *stream, uint32_t message_bytes,
                      peri_call_handler *handler, void *ctx);

/// Answers what is no gRPC call with an HTTP status: 405 for another method
/// than POST, 415 for another content-type. False: it is answered.
bool peri_call_admit(struct peri_h2_stream *stream, struct peri_slice method,
                     struct peri_slice content_type);

/// Answers a request stream at once with a status and words, whatever its
/// method (no such method, no route …).
void peri_call_refuse(struct peri_h2_stream *stream, int status,
                      const char *message);
/// The same with at most PERI_CALL_MOST_TRAILERS more fields behind the status.
void peri_call_refuse_more(struct peri_h2_stream *stream, int status,
                           const char *message,
                           const struct peri_h2_field *more, size_t count);

/// The `:path`; empty once the caller has left.
struct peri_slice peri_call_path(const struct peri_call *call);
/// A request header; false when absent, or once the caller has left.
bool peri_call_header(const struct peri_call *call, const char *name,
                      struct peri_slice *ret_value);
/// Whether the request has the header `perigee-explain`, other than "0": the
/// caller asks why things are as they are.
bool peri_call_asks_why(const struct peri_call *call);
/// The bytes of header list that the caller takes in one answer, as HTTP/2
/// counts them; 0 once it has left.
size_t peri_call_list_bytes(const struct peri_call *call);
/// Tells the handler once, if the caller leaves (`PERI_ECANCELED`) or its
/// deadline passes (`PERI_ETIMEOUT`; `PERI_ENOMEM` when it could not be
/// watched) before the call is finished. After this callback the handler must
/// not touch the call. A handler that does not ask for it still answers: the
/// call waits for that, and the answer goes nowhere.
void peri_call_on_cancel(struct peri_call *call,
                         void (*canceled)(void *ctx, int code), void *ctx);

/// Adds a field behind the status. Copied. @return 0, PERI_EINVAL (no valid
/// field), PERI_ELIMIT (PERI_CALL_MOST_TRAILERS are there), PERI_ECLOSED or
/// PERI_ENOMEM.
int peri_call_add_trailer(struct peri_call *call, const char *name,
                          struct peri_slice value);

/// Sends one message made of `pieces` and status OK: the whole unary answer.
/// Pieces are released as peri_h2_stream_write() says. The call must not be
/// touched afterwards.
void peri_call_reply(struct peri_call *call, const struct peri_h2_piece *pieces,
                     size_t count);

/// Streaming: sends one message and goes on. @return 0, PERI_EBUSY (sent, but
/// the reader is slow) or PERI_ECLOSED.
int peri_call_send(struct peri_call *call, const struct peri_h2_piece *pieces,
                   size_t count);

/// Ends the call with a status and, unless OK, words (any UTF-8; NULL for
/// none). Not to be touched afterwards.
void peri_call_finish(struct peri_call *call, int status, const char *message);
