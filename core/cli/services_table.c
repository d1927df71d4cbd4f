#include "cli/services_table.h"

#include <inttypes.h>
#include <perigee.pb-c.h>
#include <string.h>

#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/output.h"
#include "cli/table.h"

enum { SHOWN_BYTES = 200 };

/// "230ms", "7.5s", "4m10s", "3h05m".
static int add_time(uint64_t ms, struct peri_buffer *text) {
  uint64_t s = ms / 1000;
  if (s == 0) {
    return peri_buffer_printf(text, "%" PRIu64 "ms", ms);
  }
  if (s < 60) {
    return peri_buffer_printf(text, "%" PRIu64 ".%" PRIu64 "s", s,
                              ms % 1000 / 100);
  }
  if (s < 3600) {
    return peri_buffer_printf(text, "%" PRIu64 "m%02" PRIu64 "s", s / 60,
                              s % 60);
  }
  return peri_buffer_printf(text, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
                            s % 3600 / 60);
}

/// Words of our own with words of others behind them.
static int add_text(const char *before, ProtobufCBinaryData data,
                    struct peri_buffer *text) {
  struct peri_slice words = peri_proto_slice(data);
  words.len = words.len < SHOWN_BYTES ? words.len : SHOWN_BYTES;
  int rc = peri_buffer_add(text, before, strlen(before));
  return rc < 0 ? rc : peri_cli_add_clean(words, text);
}

/// What a service's row says; a static one has neither revision nor age.
static void write_row(struct peri_cli_table *table,
                      const Perigee__V1__ServiceState *state, bool is_static) {
  bool read = !peri_slice_is(peri_proto_slice(state->state), "syncing");
  const uint32_t counts[] = {state->endpoints, state->suspects, state->invalid};
  peri_cli_table_put(table, peri_proto_slice(state->name), SHOWN_BYTES);
  peri_cli_table_next(table);
  peri_cli_table_put(table, peri_proto_slice(state->state), SHOWN_BYTES);
  peri_cli_table_next(table);
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
    peri_cli_table_add(table, "%" PRIu32, counts[i]);
    peri_cli_table_next(table);
  }
  if (read && !is_static) {
    peri_cli_table_add(table, "%" PRId64, state->revision);
    peri_cli_table_next(table);
    table->rc =
        table->rc < 0 ? table->rc : add_time(state->age_ms, &table->cells);
  } else {
    peri_cli_table_add(table, "-");
    peri_cli_table_next(table);
    peri_cli_table_add(table, "-");
  }
  peri_cli_table_next(table);
}

static int print_table(const Perigee__V1__ServicesResponse *response,
                       struct peri_buffer *text) {
  static const char *const titles[] = {
      "SERVICE", "STATE", "ENDPOINTS", "SUSPECT", "INVALID", "REVISION", "AGE"};
  struct peri_cli_table table = {.columns = sizeof(titles) / sizeof(titles[0])};
  bool is_static = peri_slice_is(peri_proto_slice(response->kind), "static");
  if (response->n_services == 0) {
    return 0;
  }
  peri_cli_table_titles(&table, titles);
  for (size_t i = 0; i < response->n_services; i++) {
    write_row(&table, response->services[i], is_static);
  }
  return peri_cli_table_end(&table, text);
}

static int print_lease(const Perigee__V1__ServicesResponse *response,
                       struct peri_buffer *text) {
  int64_t left_ms = response->lease_remaining_ms;
  if (response->lease == 0) {
    return peri_buffer_printf(text, "lease: none\n");
  }
  int rc = peri_buffer_printf(text, "lease %" PRIx64 ": ",
                              (uint64_t)response->lease);
  rc = rc < 0 ? rc : add_time(left_ms > 0 ? (uint64_t)left_ms : 0, text);
  return rc < 0 ? rc : peri_buffer_printf(text, " left\n");
}

/// How an etcd registry does: a static one has nothing to tell.
static int add_state(const Perigee__V1__ServicesResponse *response,
                     struct peri_buffer *text) {
  int rc = add_text(": ", response->state, text);
  if (rc == 0 && response->endpoint.len > 0) {
    rc = add_text(", at ", response->endpoint, text);
  }
  if (rc == 0 && !peri_slice_is(peri_proto_slice(response->state), "syncing")) {
    rc = peri_buffer_printf(text, ", revision %" PRId64 ", age ",
                            response->revision);
    rc = rc < 0 ? rc : add_time(response->age_ms, text);
  }
  return rc;
}

static int print_registry(const Perigee__V1__ServicesResponse *response,
                          struct peri_buffer *text) {
  bool is_static = peri_slice_is(peri_proto_slice(response->kind), "static");
  int rc = add_text("registry ", response->kind, text);
  if (rc == 0 && !is_static) {
    rc = add_state(response, text);
  }
  if (rc == 0 && response->reason.len > 0) {
    rc = add_text(": ", response->reason, text);
  }
  if (rc == 0 && response->trouble.len > 0) {
    rc = add_text(" (", response->trouble, text);
    rc = rc < 0 ? rc : peri_buffer_add(text, ")", 1);
  }
  rc = rc < 0 ? rc : peri_buffer_add(text, "\n", 1);
  return rc == 0 && !is_static ? print_lease(response, text) : rc;
}

static int print_own(const Perigee__V1__ServicesResponse *response,
                     struct peri_buffer *text) {
  int rc = response->n_own > 0
               ? peri_buffer_printf(text, "registered by this sidecar:\n")
               : 0;
  for (size_t i = 0; rc == 0 && i < response->n_own; i++) {
    const Perigee__V1__Own *own = response->own[i];
    rc = add_text("  ", own->service, text);
    rc = rc < 0 ? rc : add_text("  ", own->address, text);
    rc = rc < 0 ? rc : add_text("  ", own->state, text);
    if (rc == 0 && own->reason.len > 0) {
      rc = add_text(": ", own->reason, text);
    }
    rc = rc < 0 ? rc : peri_buffer_add(text, "\n", 1);
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
