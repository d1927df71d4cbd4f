#include <descriptor.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"
#include "cli/arguments.h"
#include "cli/headers.h"
#include "cli/input.h"
#include "cli/json_message.h"
#include "cli/link.h"
#include "cli/output.h"
#include "cli/resolve.h"
#include "cli/schema.h"
#include "cli/verbs.h"
#include "rpc/call.h"

/// A call that is being prepared and made.
struct invocation {
  const struct peri_cli_arguments *arguments;
  struct peri_slice service;
  const char *method;
  char *path;
  struct peri_cli_headers headers;
  struct peri_rpc_request request;
  struct peri_cli_link *link;
  struct peri_schema *schema;
  const Descriptor__Method *described;
  struct peri_buffer input;
  struct peri_slice *messages;
  size_t count;
  struct peri_problem problem;
};

static int fail(const char *words, int status) {
  fprintf(stderr, "perigee: %s\n", words);
  return status;
}

static int usage(struct invocation *call, const char *words) {
  return peri_problem_set(&call->problem, PERI_EINVAL, "%s", words);
}

/// Reads SERVICE/METHOD and the headers.
static int prepare(struct invocation *call) {
  const char *word = call->arguments->words[0];
  word += word[0] == '/' ? 1 : 0;
  const char *slash = strrchr(word, '/');
  if (slash == NULL || slash == word || slash[1] == '\0') {
    return usage(call, "write the method as SERVICE/METHOD");
  }
  size_t len = strlen(word) + 2;
  call->path = malloc(len);
  if (call->path == NULL) {
    return PERI_ENOMEM;
  }
  snprintf(call->path, len, "/%s", word);
  call->service = (struct peri_slice){word, (size_t)(slash - word)};
  call->method = slash + 1;
  int rc = peri_cli_headers_init(call->arguments, &call->headers);
  call->request.path = call->path;
  call->request.metadata = call->headers.fields;
  call->request.metadata_count = call->headers.count;
  call->request.timeout_ms = call->arguments->timeout_ms;
  return rc;
}

static int add_message(struct invocation *call, struct peri_slice json) {
  struct peri_json *value = NULL;
  struct peri_buffer bytes = {0};
  int rc = peri_json_parse(json, &value, &call->problem);
  if (rc < 0) {
    return rc;
  }
  rc = peri_json_encode(call->schema, call->described->input_type, value,
                        &bytes, &call->problem);
  peri_json_unref(value);
  struct peri_slice *more =
      rc == 0
          ? realloc(call->messages, (call->count + 1) * sizeof(*call->messages))
          : NULL;
  if (more == NULL) {
    peri_buffer_done(&bytes);
    return rc < 0 ? rc : PERI_ENOMEM;
  }
  // From here on the list owns the bytes.
  more[call->count++] = peri_buffer_slice(&bytes);
  call->messages = more;
  return 0;
}

/// Turns what was given into messages: one, or for a stream of requests any
/// number.
static int read_messages(struct invocation *call) {
  const struct peri_cli_arguments *arguments = call->arguments;
  const char *word = arguments->word_count > 1 ? arguments->words[1] : "{}";
  struct peri_slice left = peri_slice_of(word);
  int rc = 0;
  if (strcmp(word, "-") == 0) {
    rc = peri_cli_read("-", &call->input, &call->problem);
    left = peri_buffer_slice(&call->input);
  }
  while (rc == 0) {
    struct peri_slice one = peri_cli_next_json(&left);
    if (one.len == 0) {
      break;
    }
    rc = add_message(call, one);
  }
  if (rc == 0 && call->count != 1 && !call->described->client_streaming) {
    rc = usage(call, "the method takes exactly one request");
  }
  return rc;
}

static int read_raw(struct invocation *call) {
  if (call->arguments->word_count > 1) {
    return usage(call, "give JSON or --raw, not both");
  }
  int rc = peri_cli_read(call->arguments->raw, &call->input, &call->problem);
  if (rc < 0) {
    return rc;
  }
  call->messages = malloc(sizeof(*call->messages));
  if (call->messages == NULL) {
    return PERI_ENOMEM;
  }
  call->messages[0] = peri_buffer_slice(&call->input);
  call->count = 1;
  return 0;
}

/// A sidecar's own reflection tells its own services only.
static void advise(struct invocation *call) {
  struct peri_problem told = call->problem;
  for (size_t i = 0; i < call->request.metadata_count; i++) {
    if (peri_slice_is(call->request.metadata[i].name, "perigee-service")) {
      return;
    }
  }
  (void)peri_problem_set(&call->problem, told.code,
                         "%s\n  a service behind a sidecar is named with "
                         "--header perigee-service=NAME",
                         told.text);
}

static int resolve(struct invocation *call) {
  call->schema = peri_schema_new();
  if (call->schema == NULL) {
    return PERI_ENOMEM;
  }
  int rc = peri_cli_resolve(call->link, &call->request, call->service,
                            call->schema, &call->problem);
  if (rc == PERI_ENOTFOUND) {
    advise(call);
  }
  if (rc < 0) {
    return rc;
  }
  call->described =
      peri_schema_method(call->schema, call->service, call->method);
  if (call->described == NULL) {
    return peri_problem_set(&call->problem, PERI_ENOTFOUND,
                            "%.*s has no method %s", (int)call->service.len,
                            call->service.ptr, call->method);
  }
  return 0;
}

static int print_raw(void *ctx, struct peri_slice bytes) {
  (void)ctx;
  return peri_cli_print(bytes, false);
}

static int print_json(void *ctx, struct peri_slice bytes) {
  struct invocation *call = ctx;
  struct peri_json *json = NULL;
  struct peri_buffer text = {0};
  int rc = peri_json_decode(call->schema, call->described->output_type, bytes,
                            &json, &call->problem);
  if (rc < 0) {
    return rc;
  }
  rc = peri_json_dump(json, isatty(STDOUT_FILENO) == 1, &text);
  if (rc == 0) {
    rc = peri_cli_print(peri_buffer_slice(&text), true);
  }
  peri_buffer_done(&text);
  peri_json_unref(json);
  return rc;
}

static int conclude(const struct invocation *call,
                    const struct peri_cli_outcome *outcome) {
  char text[2048];
  if (outcome->status == PERI_STATUS_OK) {
    return PERI_CLI_OK;
  }
  if (outcome->status == PERI_STATUS_UNIMPLEMENTED) {
    // Any server may say so: no advice about sidecars then.
    snprintf(text, sizeof(text), "%s from %s: %s",
             peri_status_name(outcome->status), call->arguments->target,
             outcome->text);
  } else {
    peri_cli_advise(outcome->status, outcome->text, call->arguments->target,
                    text, sizeof(text));
  }
  return fail(text, outcome->status == PERI_STATUS_NOT_FOUND
                        ? PERI_CLI_ABSENT
                        : PERI_CLI_FAILURE);
}

/// @return the exit status, or a negative code.
static int make(struct invocation *call) {
  struct peri_cli_outcome outcome = {0, ""};
  bool raw = call->arguments->raw != NULL;
  int rc = prepare(call);
  if (rc == 0 && raw) {
    rc = read_raw(call);
  }
  if (rc == 0) {
    rc =
        peri_cli_link_new(call->arguments->target, &call->link, &call->problem);
  }
  if (rc == 0 && !raw) {
    rc = resolve(call);
  }
  if (rc == 0 && !raw) {
    rc = read_messages(call);
  }
  if (rc == 0) {
    // Not of the reflection before.
    call->request.trailers.field = peri_cli_explained;
    rc = peri_cli_link_call(call->link, &call->request, call->messages,
                            call->count, raw ? print_raw : print_json, call,
                            &outcome);
  }
  return rc == 0 ? conclude(call, &outcome) : rc;
}

static void tidy(struct invocation *call) {
  peri_cli_link_free(call->link);
  peri_schema_free(call->schema);
  if (call->arguments->raw == NULL) {
    for (size_t i = 0; i < call->count; i++) {
      free((char *)(uintptr_t)call->messages[i].ptr);
    }
  }
  free(call->messages);
  free(call->path);
  peri_cli_headers_done(&call->headers);
  peri_buffer_done(&call->input);
}

int peri_cli_invoke(const struct peri_cli_run *run) {
  struct invocation call = {.arguments = run->arguments};
  int rc = make(&call);
  if (rc < 0 && rc != PERI_EIO) {
    char text[1024];
    snprintf(text, sizeof(text), "call: %s",
             call.problem.code != 0 ? call.problem.text : peri_error_text(rc));
    fail(text, 0);
  } else if (rc == PERI_EIO && call.problem.code != 0) {
    fail(call.problem.text, 0);
  }
  tidy(&call);
  if (rc >= 0) {
    return rc;
  }
  return rc == PERI_EINVAL ? PERI_CLI_USAGE : PERI_CLI_FAILURE;
}
