#include "cli/policy_table.h"

#include <inttypes.h>
#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/output.h"

enum { COLUMNS = 8, CELL_BYTES = 1024, MS_PER_S = 1000 };

static int add_words(struct peri_buffer *text, ProtobufCBinaryData words) {
  return peri_cli_add_lines(peri_proto_slice(words), "  ", text);
}

static void write_text(ProtobufCBinaryData data, char cell[CELL_BYTES]) {
  (void)peri_cli_cell(peri_proto_slice(data), cell, CELL_BYTES);
}

static void write_bytes(uint64_t bytes, char cell[CELL_BYTES]) {
  if (bytes < 10 << 20) {
    snprintf(cell, CELL_BYTES, "%" PRIu64 "KiB", (bytes + 1023) >> 10);
  } else {
    snprintf(cell, CELL_BYTES, "%" PRIu64 "MiB", bytes >> 20);
  }
}

static uint64_t seconds_left(const Perigee__V1__Policy *policy) {
  return (policy->off_ms + MS_PER_S - 1) / MS_PER_S;
}

static void write_state(const Perigee__V1__Policy *policy,
                        char cell[CELL_BYTES]) {
  char off[64] = "";
  if (policy->off_workers > 0) {
    snprintf(off, sizeof(off), "off for %" PRIu64 "s", seconds_left(policy));
  }
  bool refused = policy->refused.len > 0;
  snprintf(cell, CELL_BYTES, "%s%s%s", off,
           off[0] != '\0' && refused ? ", " : "",
           refused          ? "edit refused"
           : off[0] != '\0' ? ""
                            : "running");
}

static void write_row(const Perigee__V1__Policy *policy,
                      char cells[COLUMNS][CELL_BYTES]) {
  write_text(policy->kind, cells[0]);
  write_text(policy->name, cells[1]);
  snprintf(cells[2], CELL_BYTES, "%" PRIu32, policy->version);
  write_state(policy, cells[3]);
  snprintf(cells[4], CELL_BYTES, "%" PRIu64, policy->calls);
  snprintf(cells[5], CELL_BYTES, "%" PRIu64, policy->errors);
  write_bytes(policy->memory_bytes, cells[6]);
  write_text(policy->path, cells[7]);
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

static int print_table(const Perigee__V1__PoliciesResponse *response,
                       struct peri_buffer *text) {
  char cells[COLUMNS][CELL_BYTES] = {"KIND",  "NAME",   "VERSION", "STATE",
                                     "CALLS", "ERRORS", "MEMORY",  "FILE"};
  char row[COLUMNS][CELL_BYTES];
  int widths[COLUMNS];
  if (response->n_policies == 0) {
    return peri_buffer_printf(text, "no policy is in use\n");
  }
  for (int i = 0; i < COLUMNS; i++) {
    widths[i] = (int)strlen(cells[i]);
  }
  for (size_t i = 0; i < response->n_policies; i++) {
    write_row(response->policies[i], row);
    for (int j = 0; j < COLUMNS; j++) {
      int len = (int)strlen(row[j]);
      widths[j] = len > widths[j] ? len : widths[j];
    }
  }
  int rc = print_row(cells, widths, text);
  for (size_t i = 0; rc == 0 && i < response->n_policies; i++) {
    write_row(response->policies[i], row);
    rc = print_row(row, widths, text);
  }
  return rc;
}

static int print_head(ProtobufCBinaryData kind, ProtobufCBinaryData name,
                      struct peri_buffer *text) {
  int rc = add_words(text, kind);
  rc = rc == 0 ? peri_buffer_add(text, " ", 1) : rc;
  rc = rc == 0 ? add_words(text, name) : rc;
  return rc == 0 ? peri_buffer_add(text, ": ", 2) : rc;
}

/// A sentence, its reason and the end of the line.
static int print_reason(const char *sentence, ProtobufCBinaryData reason,
                        struct peri_buffer *text) {
  int rc =
      peri_buffer_printf(text, "%s%s", sentence, reason.len > 0 ? ": " : "");
  rc = rc == 0 ? add_words(text, reason) : rc;
  return rc == 0 ? peri_buffer_add(text, "\n", 1) : rc;
}

static int print_refused(const Perigee__V1__Policy *policy,
                         struct peri_buffer *text) {
  char sentence[96];
  snprintf(sentence, sizeof(sentence),
           "the last edit is refused, version %" PRIu32 " stays",
           policy->version);
  int rc = print_head(policy->kind, policy->name, text);
  return rc == 0 ? print_reason(sentence, policy->refused, text) : rc;
}

static int print_off(const Perigee__V1__Policy *policy,
                     struct peri_buffer *text) {
  char sentence[128];
  snprintf(sentence, sizeof(sentence),
           "switched off on %" PRIu32 " of %" PRIu32
           " workers, tried again within %" PRIu64 "s",
           policy->off_workers, policy->workers, seconds_left(policy));
  int rc = print_head(policy->kind, policy->name, text);
  return rc == 0 ? print_reason(sentence, policy->last_error, text) : rc;
}

static int print_words(const Perigee__V1__Policy *policy,
                       struct peri_buffer *text) {
  int rc = 0;
  if (policy->refused.len > 0) {
    rc = print_refused(policy, text);
  }
  if (rc == 0 && policy->off_workers > 0) {
    rc = print_off(policy, text);
  }
  if (rc == 0 && policy->previous > policy->version) {
    rc = print_head(policy->kind, policy->name, text);
    rc = rc == 0 ? peri_buffer_printf(text,
                                      "rolled back from version %" PRIu32 "\n",
                                      policy->previous)
                 : rc;
  }
  return rc;
}

int peri_cli_policy_table(struct peri_slice message, struct peri_buffer *text) {
  Perigee__V1__PoliciesResponse *response =
      perigee__v1__policies_response__unpack(NULL, message.len,
                                             (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  int rc = print_table(response, text);
  for (size_t i = 0; rc == 0 && i < response->n_policies; i++) {
    rc = print_words(response->policies[i], text);
  }
  if (rc == 0 && response->refused.len > 0) {
    rc = print_reason("the configuration's last edit is refused",
                      response->refused, text);
  }
  perigee__v1__policies_response__free_unpacked(response, NULL);
  return rc;
}

static int print_change(const Perigee__V1__PolicyChange *change,
                        struct peri_buffer *text) {
  char sentence[96];
  int rc = print_head(change->kind, change->name, text);
  if (rc < 0) {
    return rc;
  }
  if (change->refused.len > 0) {
    snprintf(sentence, sizeof(sentence), "refused, version %" PRIu32 " stays",
             change->from);
    return print_reason(sentence, change->refused, text);
  }
  return peri_buffer_printf(text,
                            "version %" PRIu32 " runs, before it %" PRIu32 "\n",
                            change->to, change->from);
}

int peri_cli_policy_changes(struct peri_slice message, struct peri_buffer *text,
                            bool *ret_refused) {
  Perigee__V1__ReloadPoliciesResponse *response =
      perigee__v1__reload_policies_response__unpack(
          NULL, message.len, (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  bool refused = false;
  int rc = response->n_changes == 0
               ? peri_buffer_printf(text, "nothing has changed\n")
               : 0;
  for (size_t i = 0; rc == 0 && i < response->n_changes; i++) {
    refused = refused || response->changes[i]->refused.len > 0;
    rc = print_change(response->changes[i], text);
  }
  if (rc == 0) {
    *ret_refused = refused;
  }
  perigee__v1__reload_policies_response__free_unpacked(response, NULL);
  return rc;
}
