#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_rpc_request;

/// A connection for calls of any kind, waited for one after another. One thread
/// only.
struct peri_cli_link;

/// How a call ended.
struct peri_cli_outcome {
  int status;       // enum peri_status
  char text[1024];  // grpc-message, cut when too long
};

/// @return 0, PERI_EINVAL (target), PERI_EUNSUPPORTED, PERI_ENOMEM or a libuv
/// code, with words.
int peri_cli_link_new(const char *target, struct peri_cli_link **ret_link,
                      struct peri_problem *ret_problem);

/// Makes a call: sends `count` messages, half-closes and waits for the end.
/// `message(ctx, …)` is called for each answer; a non-zero return cancels the
/// call. The request's own message is not sent.
/// @return 0 when the call ended, whatever its status; what `message` returned;
/// PERI_EINVAL (a header that gRPC does not allow), PERI_ELIMIT (over 4 MiB of
/// messages) or PERI_ENOMEM.
int peri_cli_link_call(struct peri_cli_link *link,
                       const struct peri_rpc_request *request,
                       const struct peri_slice *messages, size_t count,
                       int (*message)(void *ctx, struct peri_slice bytes),
                       void *ctx, struct peri_cli_outcome *ret_outcome);

/// NULL is fine.
void peri_cli_link_free(struct peri_cli_link *link);
