#pragma once

#include "model/policy.h"

/// Pickers and fallbacks for the specs, controlled per node. Any thread.

enum {
  SHIM_OWNER_RING = -1,      // the picker fails, so the built-in ring decides
  SHIM_OWNER_CRC = -2,       // crc32(key) modulo the number of nodes
  SHIM_OWNER_NONSENSE = -3,  // an index out of range
  SHIM_MAX_NODES = 8
};

struct peri_loop;
struct peri_shim_policy;

/// `addresses` are those of all nodes, for owners by number.
struct peri_shim_policy *peri_shim_policy_new(const char (*addresses)[64],
                                              int count);
void peri_shim_policy_free(struct peri_shim_policy *policy);

/// Who owns every key: a node's number or one of the enum.
void peri_shim_policy_owner(struct peri_shim_policy *policy, int owner);
/// Keeps fetches from ending while it is set.
void peri_shim_policy_hold(struct peri_shim_policy *policy, bool hold);
/// What a fetch says about lifetimes; -1 leaves it to the group.
void peri_shim_policy_ttl(struct peri_shim_policy *policy, int64_t ttl_ns,
                          int64_t negative_ttl_ns);
/// Fetches begun, and those under way.
int peri_shim_policy_fetches(struct peri_shim_policy *policy);
int peri_shim_policy_under_way(struct peri_shim_policy *policy);
/// Pickers and fallbacks made and freed, and updates of pickers.
int peri_shim_policy_made(struct peri_shim_policy *policy);
int peri_shim_policy_freed(struct peri_shim_policy *policy);
int peri_shim_policy_updates(struct peri_shim_policy *policy);
/// Copies "cause peer" of the latest fetch.
void peri_shim_policy_cause(struct peri_shim_policy *policy, char *ret_text,
                            size_t capacity);

/// A host for one worker's loop. A policy called "nowhere" cannot be made, and
/// the picker "deaf" does not take peers. A fetch answers by the beginning of
/// its key: "missing", "fail", "refuse", "empty", "big" (100,000 bytes),
/// "hang"; every other value is "VALUE-OF KEY".
struct peri_policy_host *peri_shim_policy_host(struct peri_shim_policy *policy,
                                               struct peri_loop *loop);
void peri_shim_policy_host_free(struct peri_policy_host *host);
