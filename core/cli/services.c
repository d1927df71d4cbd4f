#include <inttypes.h>
#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/services_table.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *state_json(const Perigee__V1__ServiceState *state) {
  struct peri_json *object = peri_json_object();
  if (object != NULL &&
      peri_cli_json_bytes(object, "name", peri_proto_slice(state->name)) < 0) {
    peri_json_unref(object);
    return NULL;
  }
  object =
      peri_cli_json_with(object, "state", peri_cli_json_data(state->state));
  object = peri_cli_json_with(object, "endpoints",
                              peri_json_integer(state->endpoints));
  object = peri_cli_json_with(object, "suspects",
                              peri_json_integer(state->suspects));
  object =
      peri_cli_json_with(object, "invalid", peri_json_integer(state->invalid));
  object = peri_cli_json_with(object, "revision",
                              peri_json_integer(state->revision));
  object =
      peri_cli_json_with(object, "age_ms", peri_cli_json_number(state->age_ms));
  return peri_cli_json_with(object, "stale_ms",
                            peri_cli_json_number(state->stale_ms));
}

static struct peri_json *own_json(const Perigee__V1__Own *own) {
  struct peri_json *object = peri_json_object();
  object =
      peri_cli_json_with(object, "service", peri_cli_json_data(own->service));
  object =
      peri_cli_json_with(object, "address", peri_cli_json_data(own->address));
  object = peri_cli_json_with(object, "state", peri_cli_json_data(own->state));
  return peri_cli_json_with(object, "reason", peri_cli_json_data(own->reason));
}

/// In hexadecimal, as etcdctl shows it: readers of JSON often hold no 64 bits.
static struct peri_json *lease_json(int64_t lease) {
  char text[17] = "";
  if (lease != 0) {
    snprintf(text, sizeof(text), "%016" PRIx64, (uint64_t)lease);
  }
  return peri_json_string(peri_slice_of(text));
}

static struct peri_json *all_json(
    const Perigee__V1__ServicesResponse *response) {
  struct peri_json *services = peri_json_array();
  struct peri_json *own = peri_json_array();
  for (size_t i = 0; i < response->n_services; i++) {
    services =
        peri_cli_json_append(services, state_json(response->services[i]));
  }
  for (size_t i = 0; i < response->n_own; i++) {
    own = peri_cli_json_append(own, own_json(response->own[i]));
  }
  struct peri_json *object = peri_json_object();
  object =
      peri_cli_json_with(object, "kind", peri_cli_json_data(response->kind));
  object =
      peri_cli_json_with(object, "state", peri_cli_json_data(response->state));
  object = peri_cli_json_with(object, "reason",
                              peri_cli_json_data(response->reason));
  object = peri_cli_json_with(object, "trouble",
                              peri_cli_json_data(response->trouble));
  object = peri_cli_json_with(object, "endpoint",
                              peri_cli_json_data(response->endpoint));
  object = peri_cli_json_with(object, "revision",
                              peri_json_integer(response->revision));
  object = peri_cli_json_with(object, "age_ms",
                              peri_cli_json_number(response->age_ms));
  object = peri_cli_json_with(object, "lease", lease_json(response->lease));
  object = peri_cli_json_with(object, "lease_remaining_ms",
                              peri_json_integer(response->lease_remaining_ms));
  object = peri_cli_json_with(object, "services", services);
  return peri_cli_json_with(object, "own", own);
}

static int show_json(struct peri_slice message) {
  Perigee__V1__ServicesResponse *response =
      perigee__v1__services_response__unpack(NULL, message.len,
                                             (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  int rc = peri_cli_print_json(all_json(response));
  perigee__v1__services_response__free_unpacked(response, NULL);
  return rc;
}

static int show_text(struct peri_slice message, const char *name) {
  struct peri_buffer text = {0};
  return peri_cli_print_text(
      &text, peri_cli_services_table(message, name, &text), false);
}

int peri_cli_services(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  const char *name = arguments->word_count > 0 ? arguments->words[0] : NULL;
  struct peri_rpc_result result;
  Perigee__V1__ServicesRequest request = PERIGEE__V1__SERVICES_REQUEST__INIT;
  if (name != NULL) {
    request.name = peri_proto_text(name);
  }
  int status = peri_cli_call(arguments, "/perigee.v1.Mesh/Services",
                             &request.base, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  struct peri_slice message = peri_buffer_slice(&result.message);
  int rc = arguments->json ? show_json(message) : show_text(message, name);
  peri_rpc_result_done(&result);
  if (rc == PERI_EPROTO) {
    return peri_cli_garbled(arguments);
  }
  return rc < 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
