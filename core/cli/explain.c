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

static struct peri_json *bytes_json(ProtobufCBinaryData data) {
  return peri_json_string(peri_proto_slice(data));
}

static struct peri_json *number(uint64_t value) {
  return peri_json_integer((int64_t)value);
}

/// Takes over `item`; NULL once anything has failed.
static struct peri_json *append(struct peri_json *array,
                                struct peri_json *item) {
  if (array == NULL || peri_json_append(array, item) < 0) {
    peri_json_unref(array != NULL ? array : item);
    return NULL;
  }
  return array;
}

struct member {
  const char *key;
  struct peri_json *value;
};

static struct peri_json *object_of(const struct member *members, size_t count) {
  struct peri_json *object = peri_json_object();
  for (size_t i = 0; i < count; i++) {
    object = peri_cli_json_with(object, members[i].key, members[i].value);
  }
  return object;
}

static struct peri_json *metadata_json(ProtobufCBinaryData data) {
  struct peri_json *json = NULL;
  return data.len > 0 &&
                 peri_json_parse(peri_proto_slice(data), &json, NULL) == 0
             ? json
             : peri_json_object();
}

static struct peri_json *candidate_json(
    const Perigee__V1__Candidate *candidate) {
  const struct member members[] = {
      {"address", bytes_json(candidate->address)},
      {"zone", bytes_json(candidate->zone)},
      {"weight", number(candidate->weight)},
      {"inflight", number(candidate->inflight)},
      {"latency_ns", number(candidate->latency_ns)},
      {"failures", peri_json_real(candidate->failures)},
      {"metadata", metadata_json(candidate->metadata)},
      {"self", peri_json_bool(candidate->self)},
      {"suspect", peri_json_bool(candidate->suspect)},
      {"tried", peri_json_bool(candidate->tried)},
      {"chosen", peri_json_bool(candidate->chosen)},
  };
  return object_of(members, sizeof(members) / sizeof(members[0]));
}

static struct peri_json *decision_json(const Perigee__V1__Decision *decision) {
  struct peri_json *missed = peri_json_array();
  struct peri_json *candidates = peri_json_array();
  for (size_t i = 0; i < decision->n_missed; i++) {
    missed = append(missed, bytes_json(decision->missed[i]));
  }
  for (size_t i = 0; i < decision->n_candidates; i++) {
    candidates = append(candidates, candidate_json(decision->candidates[i]));
  }
  const struct member members[] = {
      {"kind", bytes_json(decision->kind)},
      {"worker", number(decision->worker)},
      {"at_ns", peri_json_integer(decision->at_ns)},
      {"age_ms", number(decision->age_ms)},
      {"subject", bytes_json(decision->subject)},
      {"key", bytes_json(decision->key)},
      {"attempt", number(decision->attempt)},
      {"after", bytes_json(decision->after)},
      {"route", number(decision->route)},
      {"found", bytes_json(decision->found)},
      {"missed", missed},
      {"missed_more", number(decision->missed_more)},
      {"service", bytes_json(decision->service)},
      {"weight", number(decision->weight)},
      {"weights", number(decision->weights)},
      {"policy", bytes_json(decision->policy)},
      {"version", number(decision->version)},
      {"older", peri_json_bool(decision->older)},
      {"reason", bytes_json(decision->reason)},
      {"trouble", bytes_json(decision->trouble)},
      {"took_ns", number(decision->took_ns)},
      {"chosen", bytes_json(decision->chosen)},
      {"candidates", candidates},
      {"candidates_more", number(decision->candidates_more)},
      {"outcome", bytes_json(decision->outcome)},
      {"status", bytes_json(decision->status)},
      {"elapsed_ns", number(decision->elapsed_ns)},
      {"text", bytes_json(decision->text)},
  };
  return object_of(members, sizeof(members) / sizeof(members[0]));
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
    json = append(json, decision_json(response->decisions[i]));
  }
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return peri_cli_print_json(json);
}

/// Prints and frees what was written, unless that failed.
static int print(struct peri_buffer *text, int rc) {
  if (rc == 0) {
    rc = peri_cli_print(peri_buffer_slice(text), true);
  } else if (rc == PERI_ENOMEM) {
    fprintf(stderr, "perigee: out of memory\n");
  }
  peri_buffer_done(text);
  return rc;
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
    rc = peri_cli_add_lines(peri_proto_slice(response->decisions[i]->text), "",
                            &text);
  }
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return print(&text, rc);
}

static int show_table(struct peri_slice message) {
  struct peri_buffer text = {0};
  return print(&text, peri_cli_explain_table(message, &text));
}

static ProtobufCBinaryData text(const char *value, size_t len) {
  ProtobufCBinaryData data = {len, (uint8_t *)(uintptr_t)value};
  return data;
}

static ProtobufCBinaryData data_of(struct peri_slice slice) {
  return text(slice.ptr, slice.len);
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
    each[i].name = data_of(headers.fields[i].name);
    each[i].value = data_of(headers.fields[i].value);
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
    request->group = text(words[0], strlen(words[0]));
    request->key = text(words[1], strlen(words[1]));
  } else if (arguments->word_count == 1) {
    const char *word = words[0][0] == '/' ? words[0] + 1 : words[0];
    const char *slash = strrchr(word, '/');
    if (slash == NULL || slash == word || slash[1] == '\0') {
      return false;
    }
    request->service = text(word, (size_t)(slash - word));
    request->method = text(slash + 1, strlen(slash + 1));
    request->authority = text(authority, strlen(authority));
  }
  return true;
}

int peri_cli_explain_verb(const struct peri_cli_run *run) {
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
