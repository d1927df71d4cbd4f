#pragma once

#include "base/types.h"
#include "cache/policy_shim.h"

/// Several sidecars' caches with real HTTP/2 between them, each with worker
/// threads of its own, and a client on the thread of the spec.
struct peri_shim_mesh;

/// `config` is JSON: the configuration besides node, for every node.
/// NULL, with words in `ret_words` (500 bytes), when it cannot be made.
struct peri_shim_mesh *peri_shim_mesh_new(int nodes, int workers,
                                          struct peri_slice config,
                                          char *ret_words);
void peri_shim_mesh_free(struct peri_shim_mesh *mesh);

struct peri_shim_policy *peri_shim_mesh_policy(struct peri_shim_mesh *mesh,
                                               int node);
/// Gives a node the peers of `mask` (bit i: node i; bit 30: the liar; bit
/// 31: an address where nobody listens), and waits until its workers have them.
void peri_shim_mesh_peers(struct peri_shim_mesh *mesh, int node, uint32_t mask);
/// The node's address on the mesh.
const char *peri_shim_mesh_address(struct peri_shim_mesh *mesh, int node);
/// Prepares another configuration on all workers of a node; a code, with words
/// in `ret_words` (500 bytes), when one refuses it.
int peri_shim_mesh_prepare(struct peri_shim_mesh *mesh, int node,
                           struct peri_slice config, char *ret_words);
/// Takes it over on the first `workers` of them only.
void peri_shim_mesh_commit_some(struct peri_shim_mesh *mesh, int node,
                                int workers);
/// Takes it over, or drops it.
void peri_shim_mesh_commit(struct peri_shim_mesh *mesh, int node);
void peri_shim_mesh_abort(struct peri_shim_mesh *mesh, int node);
/// Groups that are gone and not yet freed, and the bytes that they hold.
int peri_shim_mesh_retired(struct peri_shim_mesh *mesh, int node,
                           uint64_t *ret_bytes);
/// Stops a node for good: servers first, as a sidecar that ends.
void peri_shim_mesh_stop(struct peri_shim_mesh *mesh, int node);
/// A counter or gauge by name and labels; -1 when there is none.
int64_t peri_shim_mesh_metric(struct peri_shim_mesh *mesh, int node,
                              const char *name, const char *labels);
/// One slice of the sweep. Returns how many entries went.
size_t peri_shim_mesh_sweep(struct peri_shim_mesh *mesh, int node);
/// Loads and calls under way on a node.
bool peri_shim_mesh_busy(struct peri_shim_mesh *mesh, int node);

/// One call of the client.
struct peri_shim_ask {
  int node;
  int worker;          // of its app listener; -1 for the mesh listener
  const char *method;  // "Get"
  struct peri_slice message;
  uint64_t timeout_ms;  // 0 for none
  bool hop;             // marks it with perigee-hop
};
/// Starts a call; returns its number, or a negative code.
int peri_shim_mesh_call(struct peri_shim_mesh *mesh,
                        const struct peri_shim_ask *ask);
/// The same, `count` times; returns the first number.
int peri_shim_mesh_calls(struct peri_shim_mesh *mesh,
                         const struct peri_shim_ask *ask, int count);
/// Runs the client for up to `ms`, or until something happened.
void peri_shim_mesh_step(struct peri_shim_mesh *mesh, uint64_t ms);
void peri_shim_mesh_cancel(struct peri_shim_mesh *mesh, int number);
/// The status of a call, -1 while it is under way, -2 once canceled.
int peri_shim_mesh_status(struct peri_shim_mesh *mesh, int number);
struct peri_slice peri_shim_mesh_message(struct peri_shim_mesh *mesh,
                                         int number);
struct peri_slice peri_shim_mesh_text(struct peri_shim_mesh *mesh, int number);
/// How many calls are still under way, and how many ended with `status`.
int peri_shim_mesh_open(struct peri_shim_mesh *mesh);
int peri_shim_mesh_ended(struct peri_shim_mesh *mesh, int status);
/// Forgets all calls (none may be under way).
void peri_shim_mesh_forget(struct peri_shim_mesh *mesh);
