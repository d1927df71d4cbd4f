#include "cli/explain_table.h"

#include <perigee.pb-c.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/proto.h"
#include "cli/table.h"
#include "model/decision.h"

enum { SHOWN_BYTES = 256, NAME_BYTES = 80 };

static void put(struct peri_cli_table *table, ProtobufCBinaryData data) {
  peri_cli_table_put(table, peri_proto_slice(data), SHOWN_BYTES);
}

// A key of a kilobyte would push all other columns out of sight.
static void put_name(struct peri_cli_table *table, ProtobufCBinaryData name) {
  peri_cli_table_put(table, peri_proto_slice(name), NAME_BYTES);
  if (name.len > NAME_BYTES) {
    peri_cli_table_add(table, "...");
  }
}

static void put_span(struct peri_cli_table *table, uint64_t ns) {
  if (table->rc == 0) {
    table->rc = peri_decision_span(ns, &table->cells);
  }
}

static void write_what(struct peri_cli_table *table,
                       const Perigee__V1__Decision *decision) {
  put_name(table, decision->subject);
  if (decision->key.len > 0) {
    peri_cli_table_add(table, " ");
    put_name(table, decision->key);
  } else if (decision->attempt > 1) {
    peri_cli_table_add(table, " #%u", (unsigned)decision->attempt);
  }
}

static void write_by(struct peri_cli_table *table,
                     const Perigee__V1__Decision *decision) {
  if (decision->policy.len > 0) {
    put(table, decision->policy);
    peri_cli_table_add(table, " v%u%s", (unsigned)decision->version,
                       decision->older ? " (older)" : "");
  } else {
    peri_cli_table_add(table, decision->chosen.len > 0 ? "built in" : "-");
  }
}

static void write_end(struct peri_cli_table *table,
                      const Perigee__V1__Decision *decision) {
  put(table, decision->status);
  if (decision->status.len == 0) {
    peri_cli_table_add(table, "-");
  } else if (decision->elapsed_ns > 0) {
    peri_cli_table_add(table, " after ");
    put_span(table, decision->elapsed_ns);
  }
}

/// What went wrong matters more than why the choice was what it was.
static void write_why(struct peri_cli_table *table,
                      const Perigee__V1__Decision *decision) {
  const ProtobufCBinaryData *why = &decision->found;
  if (decision->trouble.len > 0) {
    why = &decision->trouble;
  } else if (decision->outcome.len > 0) {
    why = &decision->outcome;
  } else if (decision->reason.len > 0) {
    why = &decision->reason;
  }
  put(table, *why);
}

static void write_row(struct peri_cli_table *table,
                      const Perigee__V1__Decision *decision) {
  put_span(table, decision->age_ms * PERI_NS_PER_MS);
  peri_cli_table_next(table);
  write_what(table, decision);
  peri_cli_table_next(table);
  if (decision->chosen.len > 0) {
    put(table, decision->chosen);
  } else {
    peri_cli_table_add(table, "-");
  }
  peri_cli_table_next(table);
  write_by(table, decision);
  peri_cli_table_next(table);
  write_end(table, decision);
  peri_cli_table_next(table);
  write_why(table, decision);
  peri_cli_table_next(table);
}

static int print(const Perigee__V1__ExplainResponse *response,
                 struct peri_buffer *text) {
  static const char *const titles[] = {"AGE", "WHAT",  "CHOSEN",
                                       "BY",  "ENDED", "WHY"};
  struct peri_cli_table table = {.columns = sizeof(titles) / sizeof(titles[0])};
  if (response->n_decisions == 0) {
    return peri_buffer_printf(text, "nothing has been decided yet\n");
  }
  peri_cli_table_titles(&table, titles);
  for (size_t i = 0; i < response->n_decisions; i++) {
    write_row(&table, response->decisions[i]);
  }
  return peri_cli_table_end(&table, text);
}

int peri_cli_explain_table(struct peri_slice message,
                           struct peri_buffer *text) {
  Perigee__V1__ExplainResponse *response =
      perigee__v1__explain_response__unpack(NULL, message.len,
                                            (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  int rc = print(response, text);
  perigee__v1__explain_response__free_unpacked(response, NULL);
  return rc;
}
