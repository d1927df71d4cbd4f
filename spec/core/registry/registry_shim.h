#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "registry/registry.h"
#include "registry/status.h"

/// A whole registry on a loop of its own, driven step by step.
struct registry_rig;

struct registry_outcome {
  int count;
  int error;
  char words[400];
};

struct registry_rig *registry_rig_new(struct peri_config *config,
                                      struct peri_slice self_address,
                                      struct peri_problem *ret_problem);
struct peri_registry *registry_rig_registry(struct registry_rig *rig);
void registry_rig_step(struct registry_rig *rig, uint64_t for_ms);
/// Snapshots published, and the fewest endpoints that any of them had, in all
/// services together, after the first that had some.
int registry_rig_published(const struct registry_rig *rig);
int registry_rig_fewest(const struct registry_rig *rig);
/// Lines of service, address, zone, weight, self and suspect, between tabs, of
/// the snapshot published last.
struct peri_slice registry_rig_lines(struct registry_rig *rig);
/// Lines of service and address, between tabs, of what was told to be provided.
struct peri_slice registry_rig_provided(struct registry_rig *rig);
struct peri_slice registry_rig_metrics(struct registry_rig *rig);

int registry_rig_register(struct registry_rig *rig,
                          const struct peri_registration *registration,
                          struct registry_outcome *outcome,
                          struct peri_problem *ret_problem);
int registry_rig_deregister(struct registry_rig *rig, struct peri_slice service,
                            struct registry_outcome *outcome,
                            struct peri_problem *ret_problem);
void registry_rig_leave(struct registry_rig *rig, uint64_t limit_ms,
                        struct registry_outcome *outcome);
/// Stops and frees everything. Returns whether that ended within the limit,
/// with no handle left.
bool registry_rig_free(struct registry_rig *rig, uint64_t limit_ms);
