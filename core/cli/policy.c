#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/proto.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/policy_table.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *policy_json(const Perigee__V1__Policy *policy) {
  const struct peri_cli_member members[] = {
      {"kind", peri_cli_json_data(policy->kind)},
      {"name", peri_cli_json_data(policy->name)},
      {"version", peri_cli_json_number(policy->version)},
      {"previous", peri_cli_json_number(policy->previous)},
      {"calls", peri_cli_json_number(policy->calls)},
      {"errors", peri_cli_json_number(policy->errors)},
      {"memory_bytes", peri_cli_json_number(policy->memory_bytes)},
      {"uses", peri_cli_json_number(policy->uses)},
      {"workers", peri_cli_json_number(policy->workers)},
      {"off_workers", peri_cli_json_number(policy->off_workers)},
      {"off_ms", peri_cli_json_number(policy->off_ms)},
      {"last_error", peri_cli_json_data(policy->last_error)},
      {"refused", peri_cli_json_data(policy->refused)},
      {"file", peri_cli_json_data(policy->path)},
  };
  return peri_cli_json_object(members, sizeof(members) / sizeof(members[0]));
}

static int show_list_json(struct peri_slice message) {
  Perigee__V1__PoliciesResponse *response =
      perigee__v1__policies_response__unpack(NULL, message.len,
                                             (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  struct peri_json *policies = peri_json_array();
  for (size_t i = 0; i < response->n_policies; i++) {
    policies =
        peri_cli_json_append(policies, policy_json(response->policies[i]));
  }
  struct peri_json *object =
      peri_cli_json_with(peri_json_object(), "policies", policies);
  object = peri_cli_json_with(object, "config_refused",
                              peri_cli_json_data(response->refused));
  perigee__v1__policies_response__free_unpacked(response, NULL);
  return peri_cli_print_json(object);
}

static struct peri_json *change_json(const Perigee__V1__PolicyChange *change) {
  struct peri_json *object = peri_json_object();
  object = peri_cli_json_with(object, "kind", peri_cli_json_data(change->kind));
  object = peri_cli_json_with(object, "name", peri_cli_json_data(change->name));
  object =
      peri_cli_json_with(object, "from", peri_cli_json_number(change->from));
  object = peri_cli_json_with(object, "to", peri_cli_json_number(change->to));
  return peri_cli_json_with(object, "refused",
                            peri_cli_json_data(change->refused));
}

static int show_changes_json(struct peri_slice message) {
  Perigee__V1__ReloadPoliciesResponse *response =
      perigee__v1__reload_policies_response__unpack(
          NULL, message.len, (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  struct peri_json *changes = peri_json_array();
  for (size_t i = 0; i < response->n_changes; i++) {
    changes = peri_cli_json_append(changes, change_json(response->changes[i]));
  }
  perigee__v1__reload_policies_response__free_unpacked(response, NULL);
  return peri_cli_print_json(changes);
}

static int show_list(const struct peri_cli_arguments *arguments,
                     struct peri_slice message) {
  struct peri_buffer text = {0};
  if (arguments->json) {
    return show_list_json(message);
  }
  return peri_cli_print_text(&text, peri_cli_policy_table(message, &text),
                             false);
}

static int show_changes(const struct peri_cli_arguments *arguments,
                        struct peri_slice message, bool *ret_refused) {
  struct peri_buffer text = {0};
  int rc = peri_cli_policy_changes(message, &text, ret_refused);
  if (rc == 0 && arguments->json) {
    peri_buffer_done(&text);
    return show_changes_json(message);
  }
  return peri_cli_print_text(&text, rc, false);
}

/// A thing to do with policies.
struct action {
  const char *word;
  const char *path;
  size_t least_words, most_words;  // behind the word
};

static const struct action actions[] = {
    {"list", "/perigee.v1.Mesh/Policies", 0, 1},
    {"reload", "/perigee.v1.Mesh/ReloadPolicies", 0, 1},
    {"rollback", "/perigee.v1.Mesh/RollbackPolicy", 1, 1},
};

static const struct action *find(const struct peri_cli_arguments *arguments) {
  for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
    size_t words = arguments->word_count - 1;
    if (strcmp(actions[i].word, arguments->words[0]) == 0 &&
        words >= actions[i].least_words && words <= actions[i].most_words) {
      return &actions[i];
    }
  }
  return NULL;
}

int peri_cli_policy(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  const struct action *action = find(arguments);
  struct peri_rpc_result result;
  bool refused = false;
  // All three requests are a name.
  Perigee__V1__PoliciesRequest request = PERIGEE__V1__POLICIES_REQUEST__INIT;
  if (action == NULL) {
    fprintf(stderr,
            "perigee: use it as: perigee policy list [NAME], perigee policy "
            "reload [NAME] or perigee policy rollback NAME\n");
    return PERI_CLI_USAGE;
  }
  if (arguments->word_count > 1) {
    request.name = peri_proto_text(arguments->words[1]);
  }
  int status = peri_cli_call(arguments, action->path, &request.base, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  struct peri_slice message = peri_buffer_slice(&result.message);
  int rc = action == &actions[0] ? show_list(arguments, message)
                                 : show_changes(arguments, message, &refused);
  peri_rpc_result_done(&result);
  if (rc == PERI_EPROTO) {
    return peri_cli_garbled(arguments);
  }
  return rc < 0 || refused ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
