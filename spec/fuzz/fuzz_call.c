// What a server says of itself by reflection, and then answers: descriptions of
// files, and messages of the first type in them.
#include <descriptor.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/json_message.h"
#include "cli/schema.h"

enum { NAME_BYTES = 300 };

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

// The first message's full name; false when there is none.
static bool first_type(struct peri_slice file, char ret_type[NAME_BYTES]) {
  Descriptor__File *read =
      descriptor__file__unpack(NULL, file.len, (const uint8_t *)file.ptr);
  bool found = read != NULL && read->n_message_type > 0;
  if (found) {
    bool bare = read->package[0] == '\0';
    snprintf(ret_type, NAME_BYTES, "%s%s.%s", bare ? "" : ".", read->package,
             read->message_type[0]->name);
  }
  if (read != NULL) {
    descriptor__file__free_unpacked(read, NULL);
  }
  return found;
}

// What was read as JSON can be written again, or the words say why not.
static void try_message(const struct peri_schema *schema, const char *type,
                        struct peri_slice message) {
  struct peri_problem problem = {0, ""};
  struct peri_buffer written = {.ptr = NULL};
  struct peri_json *json = NULL;
  if (peri_json_decode(schema, type, message, &json, &problem) < 0) {
    insist(problem.text[0] != '\0');
    return;
  }
  if (peri_json_encode(schema, type, json, &written, &problem) < 0) {
    insist(problem.text[0] != '\0');
  }
  peri_buffer_done(&written);
  peri_json_unref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  char type[NAME_BYTES];
  struct peri_problem problem = {0, ""};
  if (len < 2) {
    return 0;
  }
  // The first two bytes say how long the file's description is.
  size_t file_len = (size_t)bytes[0] << 8 | bytes[1];
  file_len = file_len < len - 2 ? file_len : len - 2;
  struct peri_slice file = {(const char *)bytes + 2, file_len};
  struct peri_slice rest = {(const char *)bytes + 2 + file_len,
                            len - 2 - file_len};
  struct peri_schema *schema = peri_schema_new();
  insist(schema != NULL);
  if (peri_schema_add(schema, file) == 0) {
    (void)peri_schema_missing(schema);
    (void)peri_schema_method(schema, rest, "M");
    if (first_type(file, type)) {
      struct peri_json *json = NULL;
      struct peri_buffer written = {.ptr = NULL};
      try_message(schema, type, rest);
      if (peri_json_parse(rest, &json, &problem) == 0) {
        (void)peri_json_encode(schema, type, json, &written, &problem);
        peri_json_unref(json);
      }
      peri_buffer_done(&written);
    }
  }
  peri_schema_free(schema);
  return 0;
}
