#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

struct peri_rpc_channel;

/// One metadata entry of a request. The name is lower case.
struct peri_rpc_field {
  struct peri_slice name;
  struct peri_slice value;
};

/// Who is told what comes behind the status. Zero-initialised: nobody.
struct peri_rpc_trailers {
  /// A field of the trailers, valid during the callback; before the call's end
  /// is told, and where that is.
  void (*field)(void *ctx, const struct peri_rpc_field *field);
  void *ctx;
};

struct peri_rpc_request {
  const char *path;                       // "/groupcachepb.GroupCache/Get"
  const struct peri_rpc_field *metadata;  // may be NULL
  size_t metadata_count;
  struct peri_slice message;  // of a unary call
  uint64_t timeout_ms;        // 0 for none
  struct peri_rpc_trailers trailers;
};

/// How a call ended. Zero-initialise it; freed by peri_rpc_result_done().
struct peri_rpc_result {
  int status;                  // enum peri_status
  struct peri_buffer message;  // the response message, when status is OK
  char text[1024];             // grpc-message, cut when too long
};

/// Makes a unary call and waits for its end: blocking, for commands and for
/// threads that have no loop.
/// @return 0 when the call ended, whatever its status; PERI_EINVAL (a field
/// that gRPC does not allow) or PERI_ENOMEM when it was never made.
int peri_rpc_call(struct peri_rpc_channel *channel,
                  const struct peri_rpc_request *request,
                  struct peri_rpc_result *ret_result);

/// Frees what the result holds and leaves it empty.
void peri_rpc_result_done(struct peri_rpc_result *result);
