#include <groupcache.pb-c.h>

#include "base/json.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *describe(const char *group, const char *key,
                                  const Groupcachepb__GetResponse *response) {
  struct peri_slice value = peri_proto_slice(response->value);
  struct peri_json *object = peri_json_object();
  if (object == NULL) {
    return NULL;
  }
  if (peri_cli_json_bytes(object, "group", peri_slice_of(group)) < 0 ||
      peri_cli_json_bytes(object, "key", peri_slice_of(key)) < 0 ||
      peri_cli_json_bytes(object, "value", value) < 0 ||
      peri_json_set(object, "expire",
                    response->expire != 0 ? peri_json_integer(response->expire)
                                          : peri_json_null()) < 0) {
    peri_json_unref(object);
    return NULL;
  }
  return object;
}

int peri_cli_get(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  const char *group = arguments->words[0], *key = arguments->words[1];
  struct peri_rpc_result result;
  Groupcachepb__GetRequest request = GROUPCACHEPB__GET_REQUEST__INIT;
  request.group = peri_proto_text(group);
  request.key = peri_proto_text(key);
  int status = peri_cli_call(arguments, "/groupcachepb.GroupCache/Get",
                             &request.base, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  Groupcachepb__GetResponse *response = groupcachepb__get_response__unpack(
      NULL, result.message.len, (const uint8_t *)result.message.ptr);
  peri_rpc_result_done(&result);
  if (response == NULL) {
    return peri_cli_garbled(arguments);
  }
  struct peri_slice value = peri_proto_slice(response->value);
  int rc = arguments->json ? peri_cli_print_json(describe(group, key, response))
                           : peri_cli_print(value, true);
  groupcachepb__get_response__free_unpacked(response, NULL);
  return rc < 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
