#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "rpc/call.h"
#include "rpc/library.h"

enum { PERI_RPC_MAX_METADATA = 32 };

struct peri_rpc_channel {
  struct peri_grpc grpc;
  grpc_channel *channel;
};

/// What is sent before the first message: lives as long as the call.
struct peri_rpc_headers {
  grpc_metadata fields[PERI_RPC_MAX_METADATA];
  size_t count;
};

/// Copies the fields. @return 0 or PERI_EINVAL (too many, or not allowed); what
/// was copied is freed by peri_rpc_headers_done() either way.
int peri_rpc_headers_set(const struct peri_grpc *grpc,
                         const struct peri_rpc_request *request,
                         struct peri_rpc_headers *ret_headers);
void peri_rpc_headers_done(const struct peri_grpc *grpc,
                           struct peri_rpc_headers *headers);

/// Makes the call object with the request's path and timeout on `queue`. NULL
/// when out of memory.
grpc_call *peri_rpc_call_create(struct peri_rpc_channel *channel,
                                grpc_completion_queue *queue,
                                const struct peri_rpc_request *request);

/// A byte buffer with a copy of the message; NULL when out of memory.
grpc_byte_buffer *peri_rpc_pack(const struct peri_grpc *grpc,
                                struct peri_slice message);

/// Appends the bytes of `from`, which may be NULL. @return 0 or PERI_ENOMEM.
int peri_rpc_unpack(const struct peri_grpc *grpc, grpc_byte_buffer *from,
                    struct peri_buffer *message);

/// Copies the text of a status, cut to `capacity` and fit to be printed.
void peri_rpc_text(grpc_slice details, char *ret_text, size_t capacity);

/// Tells whom it concerns what came behind the status.
void peri_rpc_trailers_tell(const struct peri_rpc_trailers *trailers,
                            const grpc_metadata_array *fields);

/// Everything that a unary call owns while it is under way.
struct peri_rpc_exchange {
  const struct peri_grpc *grpc;
  grpc_call *call;
  struct peri_rpc_headers headers;
  grpc_byte_buffer *sent;
  grpc_byte_buffer *received;
  grpc_metadata_array initial;
  grpc_metadata_array trailing;
  grpc_status_code status;
  grpc_slice details;
  struct peri_rpc_trailers trailers;
};

/// Starts a whole unary call whose completion carries `tag`. @return 0,
/// PERI_EINVAL or PERI_ENOMEM: no completion comes then. What it holds is freed
/// by peri_rpc_exchange_done() either way.
int peri_rpc_exchange_start(struct peri_rpc_exchange *exchange,
                            struct peri_rpc_channel *channel,
                            grpc_completion_queue *queue,
                            const struct peri_rpc_request *request, void *tag);

/// After its completion: how it ended. @return 0 or PERI_ENOMEM.
int peri_rpc_exchange_result(const struct peri_rpc_exchange *exchange,
                             struct peri_rpc_result *ret_result);
void peri_rpc_exchange_done(struct peri_rpc_exchange *exchange);
