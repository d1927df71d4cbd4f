#include "app/policies.h"

#include <perigee.pb-c.h>
#include <string.h>

#include "app/edits.h"
#include "app/failures.h"
#include "app/roster.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/proto.h"

static void fill(Perigee__V1__Policy *policy,
                 const struct peri_roster_entry *item,
                 const struct peri_edits *edits) {
  perigee__v1__policy__init(policy);
  policy->kind = peri_proto_text(item->kind);
  policy->name = peri_proto_text(item->name);
  policy->path = peri_proto_text(item->path);
  policy->version = item->version;
  policy->previous = item->previous;
  policy->calls = item->calls;
  policy->errors = item->errors;
  policy->memory_bytes = item->bytes;
  policy->uses = item->seats;
  policy->workers = item->workers;
  policy->off_workers = item->off;
  policy->off_ms = item->off_ms;
  policy->last_error = peri_proto_text(item->last_error);
  policy->refused =
      peri_proto_text(peri_edits_words(edits, item->kind, item->name));
}

int peri_policies_pack(const struct peri_roster *roster,
                       const struct peri_roster_entry *only,
                       const struct peri_edits *edits,
                       struct peri_buffer *bytes) {
  Perigee__V1__PoliciesResponse response = PERIGEE__V1__POLICIES_RESPONSE__INIT;
  size_t count = peri_roster_count(roster);
  struct peri_arena *arena = peri_arena_new(0);
  if (arena == NULL) {
    return PERI_ENOMEM;
  }
  Perigee__V1__Policy *policies =
      peri_arena_alloc(arena, (count + 1) * sizeof(*policies));
  response.policies =
      peri_arena_alloc(arena, (count + 1) * sizeof(Perigee__V1__Policy *));
  int rc = policies == NULL || response.policies == NULL ? PERI_ENOMEM : 0;
  for (size_t i = 0; rc == 0 && i < count; i++) {
    const struct peri_roster_entry *item = peri_roster_at(roster, i);
    if (only == NULL || only == item) {
      fill(&policies[i], item, edits);
      response.policies[response.n_policies++] = &policies[i];
    }
  }
  response.refused = peri_proto_text(peri_edits_config_words(edits));
  if (rc == 0) {
    rc = peri_proto_pack(&response.base, bytes);
  }
  peri_arena_free(arena);
  return rc;
}

/// What is being put together.
struct changes {
  struct peri_arena *arena;
  Perigee__V1__ReloadPoliciesResponse response;
  bool failed;  // out of memory
};

static void add(struct changes *changes, const char *kind, const char *name,
                uint32_t from, uint32_t to, const char *refused) {
  Perigee__V1__PolicyChange *change =
      peri_arena_alloc(changes->arena, sizeof(*change));
  if (change == NULL) {
    changes->failed = true;
    return;
  }
  perigee__v1__policy_change__init(change);
  change->kind = peri_proto_text(kind);
  change->name = peri_proto_text(name);
  change->from = from;
  change->to = to;
  change->refused = peri_proto_text(refused);
  changes->response.changes[changes->response.n_changes++] = change;
}

static void collect(struct changes *changes, const struct peri_roster *before,
                    const struct peri_roster *after,
                    const struct peri_failures *refused) {
  size_t count = after != NULL ? peri_roster_count(after) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct peri_roster_entry *item = peri_roster_at(after, i);
    uint32_t from = peri_roster_version(before, item->kind, item->name);
    if (from != item->version) {
      add(changes, item->kind, item->name, from, item->version, "");
    }
  }
  count = refused != NULL ? peri_failures_count(refused) : 0;
  for (size_t i = 0; i < count; i++) {
    const struct peri_failure *item = peri_failures_at(refused, i);
    uint32_t version = peri_roster_version(after, item->kind, item->name);
    add(changes, item->kind, item->name, version, version, item->words);
  }
}

int peri_policies_pack_changes(const struct peri_roster *before,
                               const struct peri_roster *after,
                               const struct peri_failures *refused,
                               struct peri_buffer *bytes) {
  struct changes changes = {
      .arena = peri_arena_new(0),
      .response = PERIGEE__V1__RELOAD_POLICIES_RESPONSE__INIT};
  size_t most = (after != NULL ? peri_roster_count(after) : 0) +
                (refused != NULL ? peri_failures_count(refused) : 0);
  if (changes.arena == NULL) {
    return PERI_ENOMEM;
  }
  changes.response.changes = peri_arena_alloc(
      changes.arena, (most + 1) * sizeof(Perigee__V1__PolicyChange *));
  changes.failed = changes.response.changes == NULL;
  if (!changes.failed) {
    collect(&changes, before, after, refused);
  }
  int rc = changes.failed ? PERI_ENOMEM
                          : peri_proto_pack(&changes.response.base, bytes);
  peri_arena_free(changes.arena);
  return rc;
}

int peri_policies_name(struct peri_slice message, char *ret_name,
                       size_t capacity) {
  Perigee__V1__PoliciesRequest *request = perigee__v1__policies_request__unpack(
      NULL, message.len, (const uint8_t *)message.ptr);
  if (request == NULL || request->name.len >= capacity) {
    perigee__v1__policies_request__free_unpacked(request, NULL);
    return PERI_EINVAL;
  }
  if (request->name.len > 0) {
    memcpy(ret_name, request->name.data, request->name.len);
  }
  ret_name[request->name.len] = '\0';
  perigee__v1__policies_request__free_unpacked(request, NULL);
  return 0;
}
