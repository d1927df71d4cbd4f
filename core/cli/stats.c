#include <inttypes.h>
#include <perigee.pb-c.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *stat_json(const Perigee__V1__Stat *stat) {
  const struct peri_cli_member members[] = {
      {"name", peri_cli_json_data(stat->name)},
      {"labels", peri_cli_labels(peri_proto_slice(stat->labels))},
      {"value", peri_json_integer(stat->value)},
  };
  return peri_cli_json_object(members, sizeof(members) / sizeof(members[0]));
}

static struct peri_json *all_json(const Perigee__V1__StatsResponse *response) {
  struct peri_json *array = peri_json_array();
  for (size_t i = 0; i < response->n_stats; i++) {
    array = peri_cli_json_append(array, stat_json(response->stats[i]));
  }
  return array;
}

static int print_stat(const Perigee__V1__Stat *stat, struct peri_buffer *text) {
  int rc = peri_cli_add_clean(peri_proto_slice(stat->name), text);
  if (rc == 0 && stat->labels.len > 0) {
    rc = peri_buffer_add(text, "{", 1);
    rc = rc < 0 ? rc : peri_cli_add_clean(peri_proto_slice(stat->labels), text);
    rc = rc < 0 ? rc : peri_buffer_add(text, "}", 1);
  }
  return rc < 0 ? rc : peri_buffer_printf(text, " %" PRId64 "\n", stat->value);
}

static int print_text(const Perigee__V1__StatsResponse *response,
                      struct peri_buffer *text) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < response->n_stats; i++) {
    rc = print_stat(response->stats[i], text);
  }
  return rc;
}

static int show(const struct peri_cli_arguments *arguments,
                const Perigee__V1__StatsResponse *response) {
  struct peri_buffer text = {0};
  if (arguments->json) {
    return peri_cli_print_json(all_json(response));
  }
  return peri_cli_print_text(&text, print_text(response, &text), false);
}

int peri_cli_stats(const struct peri_cli_run *run) {
  struct peri_rpc_result result;
  Perigee__V1__StatsRequest request = PERIGEE__V1__STATS_REQUEST__INIT;
  if (run->arguments->word_count > 0) {
    request.prefix = peri_proto_text(run->arguments->words[0]);
  }
  int status = peri_cli_call(run->arguments, "/perigee.v1.Mesh/Stats",
                             &request.base, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  Perigee__V1__StatsResponse *response = perigee__v1__stats_response__unpack(
      NULL, result.message.len, (const uint8_t *)result.message.ptr);
  peri_rpc_result_done(&result);
  if (response == NULL) {
    return peri_cli_garbled(run->arguments);
  }
  int rc = show(run->arguments, response);
  perigee__v1__stats_response__free_unpacked(response, NULL);
  return rc < 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
