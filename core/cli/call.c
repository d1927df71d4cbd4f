#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "base/status.h"
#include "cli/arguments.h"
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

static const char *advice(int status, const char *words) {
  if (answered(words)) {
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

void peri_cli_explain(int status, const char *words, const char *target,
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
  peri_cli_explain(status, result->text, arguments->target, text, sizeof(text));
  peri_rpc_result_done(result);
  fail(text);
  return status == PERI_STATUS_NOT_FOUND ? PERI_CLI_ABSENT : PERI_CLI_FAILURE;
}

int peri_cli_call(const struct peri_cli_arguments *arguments, const char *path,
                  const struct ProtobufCMessage *request,
                  struct peri_rpc_result *ret_result) {
  struct peri_problem problem = {0, ""};
  struct peri_rpc_channel *channel;
  struct peri_rpc_result result = {0};
  size_t len = protobuf_c_message_get_packed_size(request);
  uint8_t *bytes = malloc(len > 0 ? len : 1);
  if (bytes == NULL) {
    return fail("out of memory");
  }
  protobuf_c_message_pack(request, bytes);
  struct peri_rpc_channel_options options = {
      .target = peri_slice_of(arguments->target)};
  int rc = peri_rpc_channel_new(&options, &channel, &problem);
  if (rc < 0) {
    free(bytes);
    return fail(problem.text);
  }
  struct peri_rpc_request call = {
      .path = path,
      .message = {(const char *)bytes, len},
      .timeout_ms = arguments->timeout_ms,
  };
  rc = peri_rpc_call(channel, &call, &result);
  peri_cli_hang_up(channel);
  free(bytes);
  if (rc < 0) {
    return fail(peri_error_text(rc));
  }
  int status = conclude(arguments, &result);
  if (status == PERI_CLI_OK) {
    *ret_result = result;
  }
  return status;
}
