#include "app/report.h"

#include <perigee.pb-c.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/proto.h"
#include "base/slice.h"
#include "registry/status.h"

static const char *state_of(enum peri_service_state state) {
  switch (state) {
    case PERI_SERVICE_LIVE:
      return "live";
    case PERI_SERVICE_STALE:
      return "stale";
    case PERI_SERVICE_SYNCING:
    default:
      return "syncing";
  }
}

/// How long ago `then` was; 0 when it never was.
static uint64_t since_ms(uint64_t now_ns, uint64_t then_ns) {
  return then_ns > 0 && then_ns < now_ns ? (now_ns - then_ns) / PERI_NS_PER_MS
                                         : 0;
}

static int add_services(struct peri_arena *arena,
                        const struct peri_registry_status *status,
                        struct peri_slice name,
                        Perigee__V1__ServicesResponse *response) {
  size_t count = status->service_count;
  response->services = peri_arena_alloc(
      arena, (count + 1) * sizeof(Perigee__V1__ServiceState *));
  Perigee__V1__ServiceState *states =
      peri_arena_alloc(arena, (count + 1) * sizeof(*states));
  if (response->services == NULL || states == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    const struct peri_service_status *service = &status->services[i];
    Perigee__V1__ServiceState *state = &states[i];
    if (name.len > 0 && !peri_slice_is(name, service->name)) {
      continue;
    }
    perigee__v1__service_state__init(state);
    state->name = peri_proto_text(service->name);
    state->state = peri_proto_text(state_of(service->state));
    state->endpoints = (uint32_t)service->endpoints;
    state->suspects = (uint32_t)service->suspects;
    state->invalid = (uint32_t)service->invalid;
    state->revision = service->revision;
    state->age_ms = since_ms(status->taken_ns, service->current_ns);
    state->stale_ms = since_ms(status->taken_ns, service->stale_since_ns);
    response->services[response->n_services++] = state;
  }
  return 0;
}

static int add_own(struct peri_arena *arena,
                   const struct peri_registry_status *status,
                   struct peri_slice name,
                   Perigee__V1__ServicesResponse *response) {
  size_t count = status->own_count;
  response->own =
      peri_arena_alloc(arena, (count + 1) * sizeof(Perigee__V1__Own *));
  Perigee__V1__Own *all = peri_arena_alloc(arena, (count + 1) * sizeof(*all));
  if (response->own == NULL || all == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    const struct peri_own_status *from = &status->own[i];
    Perigee__V1__Own *own = &all[i];
    if (name.len > 0 && !peri_slice_is(name, from->service)) {
      continue;
    }
    perigee__v1__own__init(own);
    own->service = peri_proto_text(from->service);
    own->address = peri_proto_text(from->address);
    own->state = peri_proto_text(from->state);
    own->reason = peri_proto_text(from->reason);
    response->own[response->n_own++] = own;
  }
  return 0;
}

int peri_report_services(const struct peri_registry_status *status,
                         struct peri_slice name, struct peri_buffer *bytes) {
  Perigee__V1__ServicesResponse response = PERIGEE__V1__SERVICES_RESPONSE__INIT;
  struct peri_arena *arena = peri_arena_new(0);
  if (arena == NULL) {
    return PERI_ENOMEM;
  }
  response.kind = peri_proto_text(status->kind);
  response.state = peri_proto_text(status->state);
  response.reason = peri_proto_text(status->reason);
  response.trouble = peri_proto_text(status->trouble);
  response.endpoint = peri_proto_text(status->endpoint);
  response.revision = status->revision;
  response.age_ms = status->age_ms;
  response.lease = status->lease;
  response.lease_remaining_ms = status->lease_remaining_ms;
  int rc = add_services(arena, status, name, &response);
  if (rc == 0) {
    rc = add_own(arena, status, name, &response);
  }
  if (rc == 0) {
    rc = peri_proto_pack(&response.base, bytes);
  }
  peri_arena_free(arena);
  return rc;
}

static int add_line(const struct peri_registry_status *status,
                    struct peri_buffer *buffer) {
  size_t suspects = 0, endpoints = 0;
  for (size_t i = 0; i < status->service_count; i++) {
    endpoints += status->services[i].endpoints;
    suspects += status->services[i].suspects;
  }
  int rc = peri_buffer_printf(
      buffer,
      "registry %s: %s%s%s, age %.1f s, revision %lld, %zu endpoints, %zu "
      "suspect",
      status->kind, status->state, status->trouble[0] != '\0' ? ", " : "",
      status->trouble, (double)status->age_ms / 1000,
      (long long)status->revision, endpoints, suspects);
  if (rc == 0 && status->lease != 0) {
    rc = peri_buffer_printf(buffer, ", lease %016llx for %.1f s",
                            (unsigned long long)status->lease,
                            (double)status->lease_remaining_ms / 1000);
  }
  return rc < 0 ? rc : peri_buffer_add(buffer, "\n", 1);
}

int peri_report_text(const struct peri_registry_status *status,
                     struct peri_buffer *buffer) {
  if (strcmp(status->kind, "static") == 0) {
    return 0;
  }
  int rc = add_line(status, buffer);
  for (size_t i = 0; rc == 0 && i < status->service_count; i++) {
    const struct peri_service_status *service = &status->services[i];
    if (service->state != PERI_SERVICE_LIVE) {
      rc = peri_buffer_printf(
          buffer, "%s: %s, age %.1f s\n", service->name,
          state_of(service->state),
          (double)since_ms(status->taken_ns, service->current_ns) / 1000);
    }
  }
  for (size_t i = 0; rc == 0 && i < status->own_count; i++) {
    const struct peri_own_status *own = &status->own[i];
    if (strcmp(own->state, "registered") != 0) {
      rc = peri_buffer_printf(buffer, "%s at %s: %s%s%s\n", own->service,
                              own->address, own->state,
                              own->reason[0] != '\0' ? ", " : "", own->reason);
    }
  }
  return rc;
}
