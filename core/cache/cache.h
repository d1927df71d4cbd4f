#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;
struct peri_metrics;
struct peri_loop;
struct peri_mailbox;
struct peri_h2_client;
struct peri_call;
struct peri_decision;
struct peri_decisions;
struct peri_policy_host;
struct peri_snapshot;
struct peri_peers;

/// All groups of the process: their shards and flights, shared by the workers.
struct peri_cache;
/// One worker's side of it: pickers, fallbacks and calls under way. Its loop's
/// thread only.
struct peri_cache_worker;

/// Makes the groups of a configuration. @return 0 or PERI_ENOMEM. Freed by
/// peri_cache_free() after every worker is gone.
int peri_cache_new(struct peri_config *config, struct peri_metrics *metrics,
                   struct peri_cache **ret_cache);
void peri_cache_free(struct peri_cache *cache);

/// Removes expired entries, one bounded slice of one shard per call, round
/// robin, and brings the metrics of a group up to date once it is through; call
/// it from a timer of one thread. Returns how many went.
size_t peri_cache_sweep(struct peri_cache *cache);

/// The groups of another configuration: those that stay, by name, and new ones.
struct peri_cache_plan;

/// Makes the plan, and empty groups for the new names. Control thread.
/// @return 0, PERI_ENOMEM, or PERI_ECONFIG (a group that stays would have
/// another number of shards; words name it).
int peri_cache_plan_new(struct peri_cache *cache, struct peri_config *config,
                        struct peri_cache_plan **ret_plan,
                        struct peri_problem *ret_problem);
/// Drops a plan that is not taken over, before or after the workers let go of
/// it. NULL is fine. Control thread.
void peri_cache_plan_free(struct peri_cache_plan *plan);
/// Takes the plan over, after every worker committed it: the values of groups
/// that are gone are freed in the slices of the sweep, once the last load and
/// worker let go; a group with fewer bytes than before shrinks likewise.
/// Control thread.
void peri_cache_adopt(struct peri_cache *cache, struct peri_cache_plan *plan);

/// What a worker is made of; copied.
struct peri_cache_worker_options {
  struct peri_cache *cache;
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;   // of that loop; referenced
  struct peri_h2_client *client;  // for peers
  struct peri_policy_host *host;
  struct peri_decisions *decisions;  // of the worker; borrowed, may be NULL
  uint32_t message_bytes;            // largest gRPC message
};

/// Makes the worker's policies. @return 0, or what peri_policy_host says with
/// words.
int peri_cache_worker_new(const struct peri_cache_worker_options *options,
                          struct peri_cache_worker **ret_worker,
                          struct peri_problem *ret_problem);

/// Makes what a plan needs beside what runs: pickers (they get the present
/// peers) and fallbacks of groups that are new or name another policy. Those
/// whose policy did not change are kept with their state. One plan at a time.
/// @return as peri_cache_worker_new(); on a failure nothing is prepared.
int peri_cache_worker_prepare(struct peri_cache_worker *worker,
                              const struct peri_cache_plan *plan,
                              struct peri_problem *ret_problem);
/// Switches to what is prepared, which cannot fail. Loads under way end with
/// the group, fallback and limits that they began with.
void peri_cache_worker_commit(struct peri_cache_worker *worker);
/// Drops what is prepared, if anything is.
void peri_cache_worker_abort(struct peri_cache_worker *worker);

/// A new snapshot: peers of the cluster go to the pickers. Keeps its own
/// reference.
void peri_cache_worker_adopt(struct peri_cache_worker *worker,
                             struct peri_snapshot *snapshot);

/// The handler for a path below "/groupcachepb.GroupCache/", to be given to
/// peri_call_accept() with the worker as its context; NULL when there is no
/// such method. `mesh`: the call came from another sidecar's listener, where
/// Set, Remove, RemoveKeys are only answered as a hop (UNIMPLEMENTED
/// otherwise), and where the `perigee-hop` header counts; on the app listener
/// it is ignored. Any thread.
typedef void peri_cache_method(void *ctx, struct peri_call *call,
                               struct peri_slice message);
peri_cache_method *peri_cache_method_of(struct peri_slice path, bool mesh);

/// Decides what a Get of `key` by an application would do, without doing it.
/// @return 0 (with a reference), PERI_ENOTFOUND (no such group) or PERI_ENOMEM.
int peri_cache_explain(struct peri_cache_worker *worker,
                       struct peri_slice group, struct peri_slice key,
                       struct peri_decision **ret_decision);

/// Ends what is under way (waiters elsewhere get a failure, never silence) and
/// frees it. Messages may still arrive in the mailbox until it is closed, so:
/// stop the servers, free the worker, then close the mailbox.
void peri_cache_worker_free(struct peri_cache_worker *worker);
