#include "cli/explain_table.h"

#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/proto.h"
#include "cli/output.h"
#include "model/decision.h"

enum { COLUMNS = 6, CELL_BYTES = 384, SHOWN_BYTES = 256, NS_PER_MS = 1000000 };

static size_t put(char *cell, size_t used, ProtobufCBinaryData data) {
  size_t room = CELL_BYTES - used;
  return used + peri_cli_cell(peri_proto_slice(data), cell + used,
                              room <= SHOWN_BYTES ? room : SHOWN_BYTES + 1);
}

static void put_span(char *cell, uint64_t ns) {
  struct peri_buffer text = {0};
  if (peri_decision_span(ns, &text) == 0) {
    (void)snprintf(cell, CELL_BYTES, "%.*s", (int)text.len, text.ptr);
  }
  peri_buffer_done(&text);
}

static void write_what(const Perigee__V1__Decision *decision, char *cell) {
  size_t used = put(cell, 0, decision->subject);
  if (decision->key.len > 0) {
    used += (size_t)snprintf(cell + used, CELL_BYTES - used, " ");
    (void)put(cell, used, decision->key);
  } else if (decision->attempt > 1) {
    (void)snprintf(cell + used, CELL_BYTES - used, " #%u",
                   (unsigned)decision->attempt);
  }
}

static void write_by(const Perigee__V1__Decision *decision, char *cell) {
  if (decision->policy.len > 0) {
    size_t used = put(cell, 0, decision->policy);
    (void)snprintf(cell + used, CELL_BYTES - used, " v%u%s",
                   (unsigned)decision->version,
                   decision->older ? " (older)" : "");
  } else {
    (void)snprintf(cell, CELL_BYTES, "%s",
                   decision->chosen.len > 0 ? "built in" : "-");
  }
}

static void write_end(const Perigee__V1__Decision *decision, char *cell) {
  char span[CELL_BYTES] = "";
  size_t used = put(cell, 0, decision->status);
  if (used == 0) {
    (void)snprintf(cell, CELL_BYTES, "-");
  } else if (decision->elapsed_ns > 0) {
    put_span(span, decision->elapsed_ns);
    (void)snprintf(cell + used, CELL_BYTES - used, " after %.20s", span);
  }
}

/// What went wrong matters more than why the choice was what it was.
static void write_why(const Perigee__V1__Decision *decision, char *cell) {
  const ProtobufCBinaryData *why = &decision->found;
  if (decision->trouble.len > 0) {
    why = &decision->trouble;
  } else if (decision->outcome.len > 0) {
    why = &decision->outcome;
  } else if (decision->reason.len > 0) {
    why = &decision->reason;
  }
  (void)put(cell, 0, *why);
}

static void write_row(const Perigee__V1__Decision *decision,
                      char cells[COLUMNS][CELL_BYTES]) {
  cells[0][0] = '\0';
  put_span(cells[0], decision->age_ms * NS_PER_MS);
  write_what(decision, cells[1]);
  if (put(cells[2], 0, decision->chosen) == 0) {
    (void)snprintf(cells[2], CELL_BYTES, "-");
  }
  write_by(decision, cells[3]);
  write_end(decision, cells[4]);
  write_why(decision, cells[5]);
}

static int print_row(char cells[COLUMNS][CELL_BYTES], const int *widths,
                     struct peri_buffer *text) {
  int rc = 0;
  for (int i = 0; rc == 0 && i < COLUMNS; i++) {
    bool last = i == COLUMNS - 1;
    rc = peri_buffer_printf(text, "%-*s%s", last ? 0 : widths[i], cells[i],
                            last ? "\n" : "  ");
  }
  return rc;
}

static int print(const Perigee__V1__ExplainResponse *response,
                 struct peri_buffer *text) {
  char cells[COLUMNS][CELL_BYTES] = {"AGE", "WHAT",  "CHOSEN",
                                     "BY",  "ENDED", "WHY"};
  char row[COLUMNS][CELL_BYTES];
  int widths[COLUMNS];
  for (int i = 0; i < COLUMNS; i++) {
    widths[i] = (int)strlen(cells[i]);
  }
  for (size_t i = 0; i < response->n_decisions; i++) {
    write_row(response->decisions[i], row);
    for (int j = 0; j < COLUMNS; j++) {
      int len = (int)strlen(row[j]);
      widths[j] = len > widths[j] ? len : widths[j];
    }
  }
  if (response->n_decisions == 0) {
    return peri_buffer_printf(text, "nothing has been decided yet\n");
  }
  int rc = print_row(cells, widths, text);
  for (size_t i = 0; rc == 0 && i < response->n_decisions; i++) {
    write_row(response->decisions[i], row);
    rc = print_row(row, widths, text);
  }
  return rc;
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
