// JSON from outside beyond its syntax: a configuration's tree, with the search
// for the line of what is wrong in it, and documents that become records.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/slice.h"
#include "model/config.h"
#include "script/records.h"

static void insist(bool truth) {
  if (!truth) {
    abort();
  }
}

static void try_config(struct peri_slice text) {
  struct peri_problem problem = {0, ""};
  struct peri_config *config = NULL;
  struct peri_json *tree = NULL;
  if (peri_json_parse(text, &tree, &problem) < 0) {
    return;
  }
  int rc =
      peri_config_build("/nowhere/perigee.lua", text, tree, &config, &problem);
  insist(rc == 0 || (rc == PERI_ECONFIG && problem.text[0] != '\0'));
  if (rc == 0) {
    insist(peri_config_ref(config) == config);
    peri_config_unref(config);
  }
  peri_config_unref(config);
  peri_json_unref(tree);
}

static void try_records(struct peri_slice text, const char *rows,
                        size_t field_count) {
  static const char *const fields[] = {"a", "id"};
  struct peri_records_query query = {rows, fields, field_count};
  struct peri_problem problem = {0, ""};
  struct peri_records *records = NULL;
  struct peri_slice row;
  if (peri_records_new(text, &query, &records, &problem) < 0) {
    insist(problem.text[0] != '\0');
    return;
  }
  insist(peri_records_bytes(records) > 0);
  if (peri_records_find(records, peri_slice_of("1"), &row)) {
    insist(row.len > 0 && peri_records_count(records) > 0);
  }
  peri_records_free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
  struct peri_slice text = {(const char *)bytes, len};
  try_config(text);
  try_records(text, "", 0);
  try_records(text, "", 2);
  try_records(text, "a.b", 1);
  return 0;
}
