#include "app/reflect.h"

#include <descriptor.pb-c.h>
#include <reflection.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "app/reflect_private.h"
#include "base/proto.h"
#include "base/slice.h"
#include "base/status.h"

enum { MOST_SERVICES = 32, SHOWN_BYTES = 200 };

typedef Grpc__Reflection__V1__ServerReflectionRequest request_t;
typedef Grpc__Reflection__V1__ServerReflectionResponse response_t;

/// Whether the name begins with `part` as a whole, and what is behind its dot:
/// empty when that was all of it.
static bool step(struct peri_slice name, const char *part,
                 struct peri_slice *ret_rest) {
  size_t len = strlen(part);
  if (!peri_slice_starts(name, part) ||
      (name.len > len && (name.ptr[len] != '.' || name.len == len + 1))) {
    return false;
  }
  size_t used = name.len > len ? len + 1 : len;
  *ret_rest = (struct peri_slice){name.ptr + used, name.len - used};
  return true;
}

static bool enum_has(const Descriptor__Enum *one, struct peri_slice name) {
  struct peri_slice rest;
  return step(name, one->name, &rest) && rest.len == 0;
}

static bool message_has(const Descriptor__Message *message,
                        struct peri_slice name) {
  struct peri_slice rest;
  if (!step(name, message->name, &rest)) {
    return false;
  }
  bool found = rest.len == 0;
  for (size_t i = 0; !found && i < message->n_field; i++) {
    found = peri_slice_is(rest, message->field[i]->name);
  }
  for (size_t i = 0; !found && i < message->n_enum_type; i++) {
    found = enum_has(message->enum_type[i], rest);
  }
  for (size_t i = 0; !found && i < message->n_nested_type; i++) {
    found = message_has(message->nested_type[i], rest);
  }
  return found;
}

static bool service_has(const Descriptor__Service *service,
                        struct peri_slice name) {
  struct peri_slice rest;
  if (!step(name, service->name, &rest)) {
    return false;
  }
  bool found = rest.len == 0;
  for (size_t i = 0; !found && i < service->n_method; i++) {
    found = peri_slice_is(rest, service->method[i]->name);
  }
  return found;
}

static bool message_in(const Descriptor__File *file, struct peri_slice symbol) {
  struct peri_slice name;
  bool found = false;
  if (!step(symbol, file->package, &name)) {
    return false;
  }
  for (size_t i = 0; !found && i < file->n_message_type; i++) {
    found = message_has(file->message_type[i], name);
  }
  return found;
}

static bool symbol_in(const Descriptor__File *file, struct peri_slice symbol) {
  struct peri_slice name;
  bool found = message_in(file, symbol);
  if (found || !step(symbol, file->package, &name)) {
    return found;
  }
  for (size_t i = 0; !found && i < file->n_enum_type; i++) {
    found = enum_has(file->enum_type[i], name);
  }
  for (size_t i = 0; !found && i < file->n_service; i++) {
    found = service_has(file->service[i], name);
  }
  return found;
}

static bool named(const Descriptor__File *file, struct peri_slice name) {
  return peri_slice_is(name, file->name);
}

/// The file for which `has` says yes, as bytes of the set; data is NULL when
/// there is none.
static ProtobufCBinaryData find(const Descriptor__FileSet *set,
                                bool (*has)(const Descriptor__File *file,
                                            struct peri_slice name),
                                ProtobufCBinaryData name) {
  ProtobufCBinaryData found = {0, NULL};
  struct peri_slice wanted = peri_proto_slice(name);
  for (size_t i = 0; found.data == NULL && wanted.len > 0 && i < set->n_file;
       i++) {
    Descriptor__File *file =
        descriptor__file__unpack(NULL, set->file[i].len, set->file[i].data);
    if (file != NULL && has(file, wanted)) {
      found = set->file[i];
    }
    descriptor__file__free_unpacked(file, NULL);
  }
  return found;
}

static int refuse(response_t response, int status, const char *words,
                  ProtobufCBinaryData name, struct peri_buffer *answer) {
  char text[320];
  Grpc__Reflection__V1__ErrorResponse error =
      GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
  int shown = name.len > SHOWN_BYTES ? SHOWN_BYTES : (int)name.len;
  // Only what is text is shown: the field is one.
  if (!peri_slice_is_utf8(
          (struct peri_slice){(const char *)name.data, (size_t)shown})) {
    shown = 0;
  }
  snprintf(text, sizeof(text), "%s%s%.*s", words, shown > 0 ? ": " : "", shown,
           shown > 0 ? (const char *)name.data : "");
  error.error_code = status;
  error.error_message = peri_proto_text(text);
  response.message_response_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
  response.error_response = &error;
  return peri_proto_pack(&response.base, answer);
}

static int tell_file(response_t response, ProtobufCBinaryData file,
                     const char *missing, ProtobufCBinaryData name,
                     struct peri_buffer *answer) {
  Grpc__Reflection__V1__FileDescriptorResponse files =
      GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
  if (file.data == NULL) {
    return refuse(response, PERI_STATUS_NOT_FOUND, missing, name, answer);
  }
  files.n_file_descriptor_proto = 1;
  files.file_descriptor_proto = &file;
  response.message_response_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
  response.file_descriptor_response = &files;
  return peri_proto_pack(&response.base, answer);
}

/// None of our messages has extensions: an empty list for those that there are.
static int tell_extensions(const Descriptor__FileSet *set, response_t response,
                           ProtobufCBinaryData type,
                           struct peri_buffer *answer) {
  Grpc__Reflection__V1__ExtensionNumberResponse numbers =
      GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
  if (find(set, message_in, type).data == NULL) {
    return refuse(response, PERI_STATUS_NOT_FOUND, "there is no such message",
                  type, answer);
  }
  numbers.base_type_name = type;
  response.message_response_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
  response.all_extension_numbers_response = &numbers;
  return peri_proto_pack(&response.base, answer);
}

struct listing {
  char texts[MOST_SERVICES][96];
  Grpc__Reflection__V1__ServiceResponse services[MOST_SERVICES];
  Grpc__Reflection__V1__ServiceResponse *pointers[MOST_SERVICES];
  size_t count;
};

static void list_file(struct listing *listing, const Descriptor__File *file) {
  for (size_t i = 0; i < file->n_service && listing->count < MOST_SERVICES;
       i++) {
    size_t at = listing->count++;
    char *text = listing->texts[at];
    snprintf(text, sizeof(listing->texts[at]), "%s.%s", file->package,
             file->service[i]->name);
    grpc__reflection__v1__service_response__init(&listing->services[at]);
    listing->services[at].name = peri_proto_text(text);
    listing->pointers[at] = &listing->services[at];
  }
}

static int tell_services(const Descriptor__FileSet *set, response_t response,
                         struct peri_buffer *answer) {
  struct listing listing;
  Grpc__Reflection__V1__ListServiceResponse list =
      GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
  listing.count = 0;
  for (size_t i = 0; i < set->n_file; i++) {
    Descriptor__File *file =
        descriptor__file__unpack(NULL, set->file[i].len, set->file[i].data);
    if (file == NULL) {
      return PERI_ENOMEM;
    }
    list_file(&listing, file);
    descriptor__file__free_unpacked(file, NULL);
  }
  list.n_service = listing.count;
  list.service = listing.pointers;
  response.message_response_case =
      GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
  response.list_services_response = &list;
  return peri_proto_pack(&response.base, answer);
}

static int answer_from(const Descriptor__FileSet *set, const request_t *request,
                       response_t response, struct peri_buffer *answer) {
  ProtobufCBinaryData none = {0, NULL};
  switch (request->message_request_case) {
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
      return tell_file(response, find(set, named, request->file_by_filename),
                       "there is no such file", request->file_by_filename,
                       answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
      return tell_file(
          response, find(set, symbol_in, request->file_containing_symbol),
          "there is no such symbol", request->file_containing_symbol, answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
      return refuse(response, PERI_STATUS_NOT_FOUND,
                    "there are no extensions here", none, answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
      return tell_extensions(set, response,
                             request->all_extension_numbers_of_type, answer);
    case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
      return tell_services(set, response, answer);
    default:
      return refuse(response, PERI_STATUS_INVALID_ARGUMENT,
                    "the request asks for nothing that is known here", none,
                    answer);
  }
}

int peri_reflect_answer(struct peri_slice request, struct peri_buffer *answer) {
  response_t response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
  request_t *asked = grpc__reflection__v1__server_reflection_request__unpack(
      NULL, request.len, (const uint8_t *)request.ptr);
  if (asked == NULL) {
    return PERI_EPROTO;
  }
  int rc = PERI_ENOMEM;
  Descriptor__FileSet *set = descriptor__file_set__unpack(
      NULL, peri_reflected_set_bytes, peri_reflected_set);
  if (set != NULL) {
    response.valid_host = asked->host;
    response.original_request = asked;
    rc = answer_from(set, asked, response, answer);
  }
  descriptor__file_set__free_unpacked(set, NULL);
  grpc__reflection__v1__server_reflection_request__free_unpacked(asked, NULL);
  return rc;
}
