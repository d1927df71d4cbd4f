#include "cli/resolve.h"

#include <descriptor.pb-c.h>
#include <reflection.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"
#include "cli/link.h"
#include "cli/schema.h"
#include "rpc/call.h"

enum { MOST_FILES = 4096, MOST_NAME = 512 };

typedef Grpc__Reflection__V1__ServerReflectionRequest question_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse answer_t;

struct search {
  struct peri_schema *schema;
  size_t files;
  int error;  // gRPC status of an error_response, or 0
  char text[320];
};

static int take(void *ctx, struct peri_slice bytes) {
  struct search *search = ctx;
  int rc = 0;
  answer_t *answer = grpc__reflection__v1__server_reflection_response__unpack(
      NULL, bytes.len, (const uint8_t *)bytes.ptr);
  if (answer == NULL) {
    return PERI_EPROTO;
  }
  if (answer->message_response_case ==
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE) {
    const Grpc__Reflection__V1__FileDescriptorResponse *files =
        answer->file_descriptor_response;
    for (size_t i = 0; rc == 0 && i < files->n_file_descriptor_proto; i++) {
      rc = peri_schema_add(search->schema,
                           peri_proto_slice(files->file_descriptor_proto[i]));
      search->files++;
    }
  } else if (
      answer->message_response_case ==
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE) {
    ProtobufCBinaryData words = answer->error_response->error_message;
    size_t len =
        words.len < sizeof(search->text) ? words.len : sizeof(search->text) - 1;
    search->error = answer->error_response->error_code;
    if (len > 0) {
      memcpy(search->text, words.data, len);
    }
    search->text[len] = '\0';
  }
  grpc__reflection__v1__server_reflection_response__free_unpacked(answer, NULL);
  return rc;
}

/// One question, one call. @return 0 or what the call itself failed with.
static int ask(struct peri_cli_link *link,
               const struct peri_rpc_request *request, const question_t *asked,
               struct search *search, struct peri_cli_outcome *ret_outcome) {
  struct peri_buffer bytes = {0};
  int rc = peri_proto_pack(&asked->base, &bytes);
  if (rc == 0) {
    struct peri_slice message = peri_buffer_slice(&bytes);
    rc = peri_cli_link_call(link, request, &message, 1, take, search,
                            ret_outcome);
  }
  peri_buffer_done(&bytes);
  return rc;
}

static int code_of(int status) {
  switch (status) {
    case PERI_STATUS_UNIMPLEMENTED:
      return PERI_EUNSUPPORTED;
    case PERI_STATUS_DEADLINE_EXCEEDED:
      return PERI_ETIMEOUT;
    case PERI_STATUS_UNAVAILABLE:
      return PERI_ECONNECT;
    default:
      return PERI_EPROTO;
  }
}

static int judge(int rc, const struct search *search,
                 const struct peri_cli_outcome *outcome,
                 struct peri_problem *ret_problem) {
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "reflection failed: %s",
                            peri_error_text(rc));
  }
  if (outcome->status == PERI_STATUS_UNIMPLEMENTED) {
    return peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                            "the server has no reflection (UNIMPLEMENTED): "
                            "send bytes with --raw");
  }
  if (outcome->status != PERI_STATUS_OK) {
    return peri_problem_set(ret_problem, code_of(outcome->status),
                            "reflection answered %s: %s",
                            peri_status_name(outcome->status), outcome->text);
  }
  if (search->error != 0) {
    return peri_problem_set(
        ret_problem,
        search->error == PERI_STATUS_NOT_FOUND ? PERI_ENOTFOUND : PERI_EPROTO,
        "reflection answered %s: %s", peri_status_name(search->error),
        search->text);
  }
  if (search->files == 0 || search->files > MOST_FILES) {
    return peri_problem_set(ret_problem, PERI_EPROTO,
                            "reflection did not answer the question");
  }
  return 0;
}

static void about_file(const char *name, question_t *asked) {
  asked->message_request_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
  asked->file_by_filename = peri_proto_text(name);
}

/// Stands for a file that the server cannot tell: its types fail only where
/// they are used.
static int stand_in(struct peri_schema *schema, const char *name) {
  char bytes[MOST_NAME + 8];
  Descriptor__File file = DESCRIPTOR__FILE__INIT;
  file.name = (char *)(uintptr_t)name;
  size_t len = descriptor__file__pack(&file, (uint8_t *)bytes);
  return peri_schema_add(schema, (struct peri_slice){bytes, len});
}

/// Asks for one file that another imports.
static int complete(struct peri_cli_link *link,
                    const struct peri_rpc_request *call, struct search *search,
                    struct peri_problem *ret_problem) {
  struct peri_cli_outcome outcome = {0, ""};
  question_t asked = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
  char name[MOST_NAME];
  snprintf(name, sizeof(name), "%s", peri_schema_missing(search->schema));
  about_file(name, &asked);
  search->error = 0;
  int rc = ask(link, call, &asked, search, &outcome);
  if (rc == 0 && outcome.status == PERI_STATUS_OK &&
      search->error == PERI_STATUS_NOT_FOUND) {
    return stand_in(search->schema, name);
  }
  rc = judge(rc, search, &outcome, ret_problem);
  const char *missing = peri_schema_missing(search->schema);
  if (rc == 0 && missing != NULL && strcmp(missing, name) == 0) {
    rc = peri_problem_set(ret_problem, PERI_EPROTO,
                          "reflection does not tell %s", name);
  }
  return rc;
}

int peri_cli_resolve(struct peri_cli_link *link,
                     const struct peri_rpc_request *request,
                     struct peri_slice service, struct peri_schema *schema,
                     struct peri_problem *ret_problem) {
  struct search search = {.schema = schema};
  struct peri_cli_outcome outcome = {0, ""};
  struct peri_rpc_request call = *request;
  question_t asked = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
  asked.message_request_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
  asked.file_containing_symbol = peri_proto_bytes(service);
  call.path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  int rc = ask(link, &call, &asked, &search, &outcome);
  if (rc == 0 && outcome.status == PERI_STATUS_UNIMPLEMENTED) {
    call.path =
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
    rc = ask(link, &call, &asked, &search, &outcome);
  }
  rc = judge(rc, &search, &outcome, ret_problem);
  while (rc == 0 && peri_schema_missing(schema) != NULL) {
    rc = complete(link, &call, &search, ret_problem);
  }
  return rc;
}
