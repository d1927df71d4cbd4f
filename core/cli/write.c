#include <groupcache.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/proto.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/input.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static int fail(const char *words) {
  fprintf(stderr, "perigee: %s\n", words);
  return PERI_CLI_FAILURE;
}

int peri_cli_set(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  const char *word = arguments->words[2];
  struct peri_rpc_result result;
  struct peri_buffer value = {0};
  Groupcachepb__SetRequest request = GROUPCACHEPB__SET_REQUEST__INIT;
  request.group = peri_proto_text(arguments->words[0]);
  request.key = peri_proto_text(arguments->words[1]);
  request.value = peri_proto_text(word);
  int status = PERI_CLI_OK;
  if (strcmp(word, "-") == 0) {
    struct peri_problem problem = {0, ""};
    status = peri_cli_read("-", &value, &problem) < 0 ? fail(problem.text)
                                                      : PERI_CLI_OK;
    request.value = peri_proto_bytes(peri_buffer_slice(&value));
  }
  if (arguments->ttl_ns > 0) {
    request.expire = peri_clock_unix_ns() + arguments->ttl_ns;
  }
  if (status == PERI_CLI_OK) {
    status = peri_cli_call(arguments, "/groupcachepb.GroupCache/Set",
                           &request.base, &result);
  }
  if (status == PERI_CLI_OK) {
    peri_rpc_result_done(&result);
  }
  peri_buffer_done(&value);
  return status;
}

/// Tells which keys could not be removed.
static int report(const struct peri_cli_arguments *arguments,
                  const struct peri_rpc_result *result) {
  Groupcachepb__RemoveKeysResponse *response =
      groupcachepb__remove_keys_response__unpack(
          NULL, result->message.len, (const uint8_t *)result->message.ptr);
  if (response == NULL) {
    return peri_cli_garbled(arguments);
  }
  size_t failed = response->n_failed_keys;
  for (size_t i = 0; i < failed; i++) {
    char *key = (char *)response->failed_keys[i].data;
    size_t len = peri_text_clean(key, response->failed_keys[i].len);
    fprintf(stderr, "perigee: %.*s is not removed: its owner did not answer\n",
            (int)len, key);
  }
  groupcachepb__remove_keys_response__free_unpacked(response, NULL);
  return failed > 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}

int peri_cli_remove(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  size_t count = arguments->word_count - 1;
  struct peri_rpc_result result;
  Groupcachepb__RemoveKeysRequest request =
      GROUPCACHEPB__REMOVE_KEYS_REQUEST__INIT;
  request.group = peri_proto_text(arguments->words[0]);
  request.keys = calloc(count, sizeof(*request.keys));
  if (request.keys == NULL) {
    return fail("out of memory");
  }
  request.n_keys = count;
  for (size_t i = 0; i < count; i++) {
    request.keys[i] = peri_proto_text(arguments->words[i + 1]);
  }
  int status = peri_cli_call(arguments, "/groupcachepb.GroupCache/RemoveKeys",
                             &request.base, &result);
  free(request.keys);
  if (status == PERI_CLI_OK) {
    status = report(arguments, &result);
    peri_rpc_result_done(&result);
  }
  return status;
}
