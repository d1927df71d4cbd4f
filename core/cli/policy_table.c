#include "cli/policy_table.h"

#include <inttypes.h>
#include <perigee.pb-c.h>
#include <stdio.h>

#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/output.h"
#include "cli/table.h"

enum { SHOWN_BYTES = 1024, MS_PER_S = 1000 };

static void write_text(struct peri_cli_table *table, ProtobufCBinaryData data) {
  peri_cli_table_put(table, peri_proto_slice(data), SHOWN_BYTES);
  peri_cli_table_next(table);
}

static void write_number(struct peri_cli_table *table, uint64_t number) {
  peri_cli_table_add(table, "%" PRIu64, number);
  peri_cli_table_next(table);
}

static void write_bytes(struct peri_cli_table *table, uint64_t bytes) {
  bool large = bytes >= 10 << 20;
  peri_cli_table_add(table, "%" PRIu64 "%s",
                     large ? bytes >> 20 : (bytes + 1023) >> 10,
                     large ? "MiB" : "KiB");
  peri_cli_table_next(table);
}

static uint64_t seconds_left(const Perigee__V1__Policy *policy) {
  return (policy->off_ms + MS_PER_S - 1) / MS_PER_S;
}

static void write_state(struct peri_cli_table *table,
                        const Perigee__V1__Policy *policy) {
  bool off = policy->off_workers > 0;
  bool refused = policy->refused.len > 0;
  if (off) {
    peri_cli_table_add(table, "off for %" PRIu64 "s%s", seconds_left(policy),
                       refused ? ", " : "");
  }
  if (refused || !off) {
    peri_cli_table_add(table, refused ? "edit refused" : "running");
  }
  peri_cli_table_next(table);
}

static void write_row(struct peri_cli_table *table,
                      const Perigee__V1__Policy *policy) {
  write_text(table, policy->kind);
  write_text(table, policy->name);
  write_number(table, policy->version);
  write_state(table, policy);
  write_number(table, policy->calls);
  write_number(table, policy->errors);
  write_bytes(table, policy->memory_bytes);
  write_text(table, policy->path);
}

static int print_table(const Perigee__V1__PoliciesResponse *response,
                       struct peri_buffer *text) {
  static const char *const titles[] = {"KIND",  "NAME",   "VERSION", "STATE",
                                       "CALLS", "ERRORS", "MEMORY",  "FILE"};
  struct peri_cli_table table = {.columns = sizeof(titles) / sizeof(titles[0])};
  if (response->n_policies == 0) {
    return peri_buffer_printf(text, "no policy is in use\n");
  }
  peri_cli_table_titles(&table, titles);
  for (size_t i = 0; i < response->n_policies; i++) {
    write_row(&table, response->policies[i]);
  }
  return peri_cli_table_end(&table, text);
}

static int add_words(struct peri_buffer *text, ProtobufCBinaryData words) {
  return peri_cli_add_lines(peri_proto_slice(words), "  ", text);
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
