#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/proto.h"
#include "cli/arguments.h"
#include "cli/explain_table.h"
#include "cli/headers.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *metadata_json(ProtobufCBinaryData data) {
  struct peri_json *json = NULL;
  return data.len > 0 &&
                 peri_json_parse(peri_proto_slice(data), &json, NULL) == 0
             ? json
             : peri_json_object();
}

static struct peri_json *candidate_json(
    const Perigee__V1__Candidate *candidate) {
  const struct peri_cli_member members[] = {
      {"address", peri_cli_json_data(candidate->address)},
      {"zone", peri_cli_json_data(candidate->zone)},
      {"weight", peri_cli_json_number(candidate->weight)},
      {"inflight", peri_cli_json_number(candidate->inflight)},
      {"latency_ns", peri_cli_json_number(candidate->latency_ns)},
      {"failures", peri_json_real(candidate->failures)},
      {"metadata", metadata_json(candidate->metadata)},
      {"self", peri_json_bool(candidate->self)},
      {"suspect", peri_json_bool(candidate->suspect)},
      {"tried", peri_json_bool(candidate->tried)},
      {"chosen", peri_json_bool(candidate->chosen)},
  };
  return peri_cli_json_object(members, sizeof(members) / sizeof(members[0]));
}

static struct peri_json *decision_json(const Perigee__V1__Decision *decision) {
  struct peri_json *missed = peri_json_array();
  struct peri_json *candidates = peri_json_array();
  for (size_t i = 0; i < decision->n_missed; i++) {
    missed =
        peri_cli_json_append(missed, peri_cli_json_data(decision->missed[i]));
  }
  for (size_t i = 0; i < decision->n_candidates; i++) {
    candidates = peri_cli_json_append(candidates,
                                      candidate_json(decision->candidates[i]));
  }
  const struct peri_cli_member members[] = {
      {"kind", peri_cli_json_data(decision->kind)},
      {"worker", peri_cli_json_number(decision->worker)},
      {"at_ns", peri_json_integer(decision->at_ns)},
      {"age_ms", peri_cli_json_number(decision->age_ms)},
      {"subject", peri_cli_json_data(decision->subject)},
      {"key", peri_cli_json_data(decision->key)},
      {"attempt", peri_cli_json_number(decision->attempt)},
      {"after", peri_cli_json_data(decision->after)},
      {"route", peri_cli_json_number(decision->route)},
      {"found", peri_cli_json_data(decision->found)},
      {"missed", missed},
      {"missed_more", peri_cli_json_number(decision->missed_more)},
      {"service", peri_cli_json_data(decision->service)},
      {"weight", peri_cli_json_number(decision->weight)},
      {"weights", peri_cli_json_number(decision->weights)},
      {"policy", peri_cli_json_data(decision->policy)},
      {"version", peri_cli_json_number(decision->version)},
      {"older", peri_json_bool(decision->older)},
      {"reason", peri_cli_json_data(decision->reason)},
      {"trouble", peri_cli_json_data(decision->trouble)},
      {"took_ns", peri_cli_json_number(decision->took_ns)},
      {"chosen", peri_cli_json_data(decision->chosen)},
      {"candidates", candidates},
      {"candidates_more", peri_cli_json_number(decision->candidates_more)},
      {"outcome", peri_cli_json_data(decision->outcome)},
      {"status", peri_cli_json_data(decision->status)},
      {"elapsed_ns", peri_cli_json_number(decision->elapsed_ns)},
      {"text", peri_cli_json_data(decision->text)},
  };
  return peri_cli_json_object(members, sizeof(members) / sizeof(members[0]));
}

/// What one question is answered is an object, the last ones are a list.
static int show_json(struct peri_slice message, bool one) {
  Perigee__V1__ExplainResponse *response =
      perigee__v1__explain_response__unpack(NULL, message.len,
                                            (const uint8_t *)message.ptr);
  if (response == NULL || (one && response->n_decisions != 1)) {
    perigee__v1__explain_response__free_unpacked(response, NULL);
    return PERI_EPROTO;
  }
  struct peri_json *json =
      one ? decision_json(response->decisions[0]) : peri_json_array();
  for (size_t i = 0; !one && i < response->n_decisions; i++) {
    json = peri_cli_json_append(json, decision_json(response->decisions[i]));
  }
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return peri_cli_print_json(json);
}

static int show_words(struct peri_slice message) {
  Perigee__V1__ExplainResponse *response =
      perigee__v1__explain_response__unpack(NULL, message.len,
                                            (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  struct peri_buffer text = {0};
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < response->n_decisions; i++) {
    rc = i > 0 ? peri_buffer_add(&text, "\n", 1) : 0;
    if (rc == 0) {
      rc = peri_cli_add_lines(peri_proto_slice(response->decisions[i]->text),
                              "", &text);
    }
  }
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return peri_cli_print_text(&text, rc, true);
}

static int show_table(struct peri_slice message) {
  struct peri_buffer text = {0};
  return peri_cli_print_text(&text, peri_cli_explain_table(message, &text),
                             false);
}

/// The headers are those of the call in question, not of this one.
static int ask(const struct peri_cli_arguments *arguments,
               Perigee__V1__ExplainRequest *request,
               struct peri_rpc_result *ret_result) {
  Perigee__V1__ExplainHeader each[PERI_CLI_MOST_HEADERS];
  Perigee__V1__ExplainHeader *list[PERI_CLI_MOST_HEADERS];
  struct peri_cli_headers headers;
  struct peri_cli_arguments bare = *arguments;
  bare.header_count = 0;
  if (peri_cli_headers_init(arguments, &headers) < 0) {
    fprintf(stderr, "perigee: out of memory\n");
    return PERI_CLI_FAILURE;
  }
  for (size_t i = 0; i < headers.count; i++) {
    perigee__v1__explain_header__init(&each[i]);
    each[i].name = peri_proto_bytes(headers.fields[i].name);
    each[i].value = peri_proto_bytes(headers.fields[i].value);
    list[i] = &each[i];
  }
  request->headers = list;
  request->n_headers = headers.count;
  int status = peri_cli_call(&bare, "/perigee.v1.Mesh/Explain", &request->base,
                             ret_result);
  request->headers = NULL;
  request->n_headers = 0;
  peri_cli_headers_done(&headers);
  return status;
}

/// Fills in what is asked about. False: the words are wrong.
static bool put_words(const struct peri_cli_arguments *arguments,
                      Perigee__V1__ExplainRequest *request) {
  const char *const *words = arguments->words;
  const char *authority =
      arguments->authority != NULL ? arguments->authority : arguments->target;
  if (arguments->word_count == 2) {
    request->group = peri_proto_text(words[0]);
    request->key = peri_proto_text(words[1]);
  } else if (arguments->word_count == 1) {
    const char *word = words[0][0] == '/' ? words[0] + 1 : words[0];
    const char *slash = strrchr(word, '/');
    if (slash == NULL || slash == word || slash[1] == '\0') {
      return false;
    }
    request->service =
        peri_proto_bytes((struct peri_slice){word, (size_t)(slash - word)});
    request->method = peri_proto_text(slash + 1);
    request->authority = peri_proto_text(authority);
  }
  return true;
}

int peri_cli_explain(const struct peri_cli_run *run) {
  const struct peri_cli_arguments *arguments = run->arguments;
  struct peri_rpc_result result;
  Perigee__V1__ExplainRequest request = PERIGEE__V1__EXPLAIN_REQUEST__INIT;
  if (!put_words(arguments, &request)) {
    fprintf(stderr,
            "perigee: explain: write a call as SERVICE/METHOD, a key as "
            "GROUP KEY\n");
    return PERI_CLI_USAGE;
  }
  int status = ask(arguments, &request, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  struct peri_slice message = peri_buffer_slice(&result.message);
  bool one = arguments->word_count > 0;
  int rc = arguments->json ? show_json(message, one)
           : one           ? show_words(message)
                           : show_table(message);
  peri_rpc_result_done(&result);
  if (rc == PERI_EPROTO) {
    return peri_cli_garbled(arguments);
  }
  return rc < 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
