#include "cli/services_table.h"

#include <inttypes.h>
#include <perigee.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/output.h"

enum { COLUMNS = 7, CELL_BYTES = 256, SHOWN_BYTES = 200 };

/// "230ms", "7.5s", "4m10s", "3h05m".
static void write_time(uint64_t ms, char text[CELL_BYTES]) {
  uint64_t s = ms / 1000;
  if (s == 0) {
    snprintf(text, CELL_BYTES, "%" PRIu64 "ms", ms);
  } else if (s < 60) {
    snprintf(text, CELL_BYTES, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
  } else if (s < 3600) {
    snprintf(text, CELL_BYTES, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
  } else {
    snprintf(text, CELL_BYTES, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
             s % 3600 / 60);
  }
}

static void write_text(ProtobufCBinaryData data, char text[CELL_BYTES]) {
  (void)peri_cli_cell(peri_proto_slice(data), text, SHOWN_BYTES + 1);
}

/// What a service's row says; a static one has neither revision nor age.
static void write_row(const Perigee__V1__ServiceState *state, bool is_static,
                      char cells[COLUMNS][CELL_BYTES]) {
  bool read = !peri_slice_is(peri_proto_slice(state->state), "syncing");
  write_text(state->name, cells[0]);
  write_text(state->state, cells[1]);
  snprintf(cells[2], CELL_BYTES, "%" PRIu32, state->endpoints);
  snprintf(cells[3], CELL_BYTES, "%" PRIu32, state->suspects);
  snprintf(cells[4], CELL_BYTES, "%" PRIu32, state->invalid);
  snprintf(cells[5], CELL_BYTES, "-");
  snprintf(cells[6], CELL_BYTES, "-");
  if (read && !is_static) {
    snprintf(cells[5], CELL_BYTES, "%" PRId64, state->revision);
    write_time(state->age_ms, cells[6]);
  }
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

static int print_table(const Perigee__V1__ServicesResponse *response,
                       struct peri_buffer *text) {
  char cells[COLUMNS][CELL_BYTES] = {
      "SERVICE", "STATE", "ENDPOINTS", "SUSPECT", "INVALID", "REVISION", "AGE"};
  char row[COLUMNS][CELL_BYTES];
  int widths[COLUMNS];
  bool is_static = peri_slice_is(peri_proto_slice(response->kind), "static");
  for (int i = 0; i < COLUMNS; i++) {
    widths[i] = (int)strlen(cells[i]);
  }
  for (size_t i = 0; i < response->n_services; i++) {
    write_row(response->services[i], is_static, row);
    for (int j = 0; j < COLUMNS; j++) {
      int len = (int)strlen(row[j]);
      widths[j] = len > widths[j] ? len : widths[j];
    }
  }
  int rc = response->n_services > 0 ? print_row(cells, widths, text) : 0;
  for (size_t i = 0; rc == 0 && i < response->n_services; i++) {
    write_row(response->services[i], is_static, row);
    rc = print_row(row, widths, text);
  }
  return rc;
}

static int print_lease(const Perigee__V1__ServicesResponse *response,
                       struct peri_buffer *text) {
  char left[CELL_BYTES];
  if (response->lease == 0) {
    return peri_buffer_printf(text, "lease: none\n");
  }
  write_time(response->lease_remaining_ms > 0
                 ? (uint64_t)response->lease_remaining_ms
                 : 0,
             left);
  return peri_buffer_printf(text, "lease %" PRIx64 ": %s left\n",
                            (uint64_t)response->lease, left);
}

static int print_registry(const Perigee__V1__ServicesResponse *response,
                          struct peri_buffer *text) {
  char kind[CELL_BYTES];
  char state[CELL_BYTES];
  char part[CELL_BYTES];
  write_text(response->kind, kind);
  write_text(response->state, state);
  bool is_static = strcmp(kind, "static") == 0;
  int rc = peri_buffer_printf(text, "registry %s%s%s", kind,
                              is_static ? "" : ": ", is_static ? "" : state);
  if (rc == 0 && response->endpoint.len > 0) {
    write_text(response->endpoint, part);
    rc = peri_buffer_printf(text, ", at %s", part);
  }
  if (rc == 0 && !is_static && strcmp(state, "syncing") != 0) {
    write_time(response->age_ms, part);
    rc = peri_buffer_printf(text, ", revision %" PRId64 ", age %s",
                            response->revision, part);
  }
  if (rc == 0 && response->reason.len > 0) {
    write_text(response->reason, part);
    rc = peri_buffer_printf(text, ": %s", part);
  }
  if (rc == 0 && response->trouble.len > 0) {
    write_text(response->trouble, part);
    rc = peri_buffer_printf(text, " (%s)", part);
  }
  rc = rc == 0 ? peri_buffer_printf(text, "\n") : rc;
  return rc == 0 && !is_static ? print_lease(response, text) : rc;
}

static int print_own(const Perigee__V1__ServicesResponse *response,
                     struct peri_buffer *text) {
  char service[CELL_BYTES];
  char address[CELL_BYTES];
  char state[CELL_BYTES];
  char reason[CELL_BYTES];
  int rc = response->n_own > 0
               ? peri_buffer_printf(text, "registered by this sidecar:\n")
               : 0;
  for (size_t i = 0; rc == 0 && i < response->n_own; i++) {
    const Perigee__V1__Own *own = response->own[i];
    write_text(own->service, service);
    write_text(own->address, address);
    write_text(own->state, state);
    write_text(own->reason, reason);
    rc = peri_buffer_printf(text, "  %s  %s  %s%s%s\n", service, address, state,
                            reason[0] != '\0' ? ": " : "", reason);
  }
  return rc;
}

static int print_all(const Perigee__V1__ServicesResponse *response,
                     const char *name, struct peri_buffer *text) {
  int rc = print_table(response, text);
  if (rc == 0 && response->n_services == 0) {
    rc = peri_buffer_printf(text, "no service %s%sis known\n",
                            name != NULL ? name : "", name != NULL ? " " : "");
  }
  if (rc == 0) {
    rc = print_registry(response, text);
  }
  return rc == 0 ? print_own(response, text) : rc;
}

int peri_cli_services_table(struct peri_slice message, const char *name,
                            struct peri_buffer *text) {
  Perigee__V1__ServicesResponse *response =
      perigee__v1__services_response__unpack(NULL, message.len,
                                             (const uint8_t *)message.ptr);
  if (response == NULL) {
    return PERI_EPROTO;
  }
  int rc = print_all(response, name, text);
  perigee__v1__services_response__free_unpacked(response, NULL);
  return rc;
}
