#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "cli/arguments.h"
#include "cli/headers.h"
#include "cli/verbs.h"
#include "rpc/call.h"
#include "rpc/channel.h"

void peri_cli_hang_up(struct peri_rpc_channel *channel) {
#ifdef __SANITIZE_ADDRESS__
  // The leak checker at the end fails when a thread ends meanwhile.
  peri_rpc_channel_settle(channel, 5000);
#else
  peri_rpc_channel_free(channel);
#endif
}

/// What only a sidecar says: it answered, so the trouble lies behind it.
static bool answered(const char *words) {
  return strncmp(words, "the fallback", strlen("the fallback")) == 0 ||
         strncmp(words, "the owner", strlen("the owner")) == 0;
}

/// What gRPC itself says when there is no connection.
static bool unreached(const char *words) {
  return strncmp(words, "failed to connect", strlen("failed to connect")) ==
             0 ||
         strncmp(words, "DNS resolution failed",
                 strlen("DNS resolution failed")) == 0;
}

static const char *advice(int status, const char *words) {
  if (answered(words) ||
      (status == PERI_STATUS_UNAVAILABLE && !unreached(words))) {
    return NULL;
  }
  switch (status) {
    case PERI_STATUS_UNAVAILABLE:
      return "start a sidecar with `perigee serve`, or name one that runs with "
             "--target ADDR";
    case PERI_STATUS_DEADLINE_EXCEEDED:
      return "allow more time with --timeout";
    case PERI_STATUS_UNIMPLEMENTED:
      return "--target must name a sidecar's app listener";
    default:
      return NULL;
  }
}

void peri_cli_advise(int status, const char *words, const char *target,
                     char *ret_text, size_t capacity) {
  const char *what = advice(status, words);
  const char *text = words[0] != '\0' ? words : "no words came with it";
  if (what != NULL) {
    snprintf(ret_text, capacity, "%s from %s: %s\n  %s",
             peri_status_name(status), target, text, what);
  } else {
    snprintf(ret_text, capacity, "%s from %s: %s", peri_status_name(status),
             target, text);
  }
}

static int fail(const char *words) {
  fprintf(stderr, "perigee: %s\n", words);
  return PERI_CLI_FAILURE;
}

int peri_cli_garbled(const struct peri_cli_arguments *arguments) {
  char text[512];
  snprintf(text, sizeof(text),
           "the answer from %s cannot be read: is it a sidecar's app listener?",
           arguments->target);
  return fail(text);
}

static int conclude(const struct peri_cli_arguments *arguments,
                    struct peri_rpc_result *result) {
  char text[2048];
  int status = result->status;
  if (status == PERI_STATUS_OK) {
    return PERI_CLI_OK;
  }
  peri_cli_advise(status, result->text, arguments->target, text, sizeof(text));
  peri_rpc_result_done(result);
  fail(text);
  return status == PERI_STATUS_NOT_FOUND ? PERI_CLI_ABSENT : PERI_CLI_FAILURE;
}

static int make(const char *target, const struct peri_rpc_request *request,
                struct peri_rpc_result *ret_result,
                struct peri_problem *ret_problem) {
  struct peri_rpc_channel_options options = {.target = peri_slice_of(target)};
  struct peri_rpc_channel *channel;
  int rc = peri_rpc_channel_new(&options, &channel, ret_problem);
  if (rc < 0) {
    return rc;
  }
  rc = peri_rpc_call(channel, request, ret_result);
  peri_cli_hang_up(channel);
  return rc;
}

int peri_cli_call(const struct peri_cli_arguments *arguments, const char *path,
                  const struct ProtobufCMessage *request,
                  struct peri_rpc_result *ret_result) {
  struct peri_rpc_result result = {0};
  struct peri_cli_headers headers = {.count = 0};
  struct peri_problem problem = {0, ""};
  struct peri_buffer bytes = {0};
  int rc = peri_proto_pack(request, &bytes);
  if (rc == 0) {
    rc = peri_cli_headers_init(arguments, &headers);
  }
  if (rc == 0) {
    struct peri_rpc_request call = {.path = path,
                                    .metadata = headers.fields,
                                    .metadata_count = headers.count,
                                    .message = peri_buffer_slice(&bytes),
                                    .timeout_ms = arguments->timeout_ms,
                                    .trailers = {.field = peri_cli_explained}};
    rc = make(arguments->target, &call, &result, &problem);
  }
  peri_cli_headers_done(&headers);
  peri_buffer_done(&bytes);
  if (rc < 0) {
    return fail(problem.code != 0 ? problem.text : peri_error_text(rc));
  }
  int status = conclude(arguments, &result);
  if (status == PERI_CLI_OK) {
    *ret_result = result;
  }
  return status;
}
