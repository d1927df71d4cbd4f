#pragma once

#include <stdatomic.h>

#include "base/error.h"
#include "base/list.h"
#include "base/metrics.h"
#include "base/types.h"
#include "cache/cache.h"
#include "model/config.h"
#include "model/decisions.h"
#include "model/peers.h"
#include "model/policy.h"
#include "store/store.h"

/// What the files of this room share. Loop thread of the worker unless a
/// comment says otherwise.

enum {
  PERI_CACHE_MAX_KEYS = 1000,      // of a BatchGet or RemoveKeys
  PERI_CACHE_SWEEP_ENTRIES = 1024  // looked at in one slice of the sweep
};

/// Where a load gets its value, and how that ended; labels of a metric.
enum peri_cache_source {
  PERI_CACHE_ORIGIN = 0,    // the fallback, for a key that is ours
  PERI_CACHE_PEER = 1,      // the owner
  PERI_CACHE_FALLBACK = 2,  // the fallback, because the owner failed
  PERI_CACHE_SOURCES = 3
};
enum peri_cache_result {
  PERI_CACHE_OK = 0,
  PERI_CACHE_NOT_FOUND = 1,
  PERI_CACHE_FAILED = 2,
  PERI_CACHE_RESULTS = 3
};

/// One group of the process; any thread may use its stores and metrics. Every
/// worker's sides count in `refs`, the cache and its plans once each; only the
/// control thread frees it.
struct peri_cache_group {
  atomic_size_t refs;
  struct peri_list retired;  // cache->retired, once no configuration has it
  uint32_t emptied;          // the shard that is being emptied then
  uint64_t budget_bytes;
  struct peri_slice name;
  struct peri_store *values;    // what this sidecar owns, and loads of that
  struct peri_store *forwards;  // stores nothing: Gets under way to owners.
                                // Apart from `values`, since a call that came
                                // with a hop must never wait for one of these
  struct peri_metric *hits, *misses, *negatives, *joined;
  struct peri_metric *loads[PERI_CACHE_SOURCES][PERI_CACHE_RESULTS];
  struct peri_histogram *load_seconds;
  struct peri_metric *entries, *bytes, *evictions, *expired, *oversize;
  struct peri_store_stats seen;  // what the counters have; the sweep's thread
  char text[];
};

/// The groups of one configuration, in its order, with a reference to each.
struct peri_cache_plan {
  struct peri_cache *cache;
  struct peri_config *config;
  size_t group_count;
  struct peri_cache_group *groups[];
};

/// The control thread's, and that of a worker that is being made.
struct peri_cache {
  struct peri_metrics *metrics;
  struct peri_cache_plan *plan;  // in use
  struct peri_list retired;      // groups that are gone, until let go of
  size_t sweep_group;
  uint32_t sweep_shard;
};

/// A new group, with one reference. @return 0 or PERI_ENOMEM.
int peri_cache_group_new(const struct peri_config_group *config,
                         struct peri_metrics *metrics,
                         struct peri_cache_group **ret_group);
/// Frees a group that nothing uses any more.
void peri_cache_group_free(struct peri_cache_group *group);
/// Brings its gauges and counters up to date.
void peri_cache_group_measure(struct peri_cache_group *group);
/// Hands a reference to a group that no configuration has to the sweep, which
/// empties it, and frees it when that is the last one.
void peri_cache_group_retire(struct peri_cache *cache,
                             struct peri_cache_group *group);

/// The instant (Unix) at which something that lives `ttl_ns` from now ends; 0,
/// for never, stays 0. Any thread.
int64_t peri_cache_expire_ns(int64_t ttl_ns);

/// A picker or a fallback on one worker, kept with its state as long as one
/// configuration after another names the same policy for the group.
struct peri_cache_seat {
  uint32_t references;
  struct peri_picker *picker;
  struct peri_fallback *fallback;
  bool picks;      // the picker took the last update as it came
  uint64_t heard;  // the worker's `changes` at that
};

/// A group as one worker uses it under one configuration. Counted by what began
/// with it (loads, waits, writes), without atomics.
struct peri_cache_side {
  uint32_t references;
  struct peri_cache_group *group;
  struct peri_config *whole;  // keeps `config`
  const struct peri_config_group *config;
  struct peri_cache_seat *pick_seat;
  struct peri_cache_seat *fetch_seat;  // NULL: no origin
  struct peri_picker *picker;
  struct peri_fallback *fallback;  // NULL: no origin
};

/// One worker's sides of the groups of one configuration.
struct peri_cache_sides {
  struct peri_config *config;
  size_t count;
  struct peri_cache_side *all[];
};

/// See cache.h.
struct peri_cache_worker {
  struct peri_cache *cache;
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_h2_client *client;
  struct peri_policy_host *host;
  struct peri_decisions *decisions;  // never NULL
  uint32_t message_bytes;
  uint64_t changes;              // of the peers
  struct peri_peers *peers;      // of the cluster; NULL before any came
  const struct peri_ring *ring;  // for when a picker fails; NULL when alone
  bool alone;                    // no other sidecar: every key is ours
  struct peri_list waits;
  struct peri_list loads;
  struct peri_list sends;
  struct peri_cache_sides *sides;  // in use
  struct peri_cache_sides *next;   // prepared, or NULL
};

/// Makes a worker's sides of a plan, with the seats of `before` (may be NULL)
/// where the policy is the same. @return as peri_cache_worker_new().
int peri_cache_sides_new(struct peri_cache_worker *worker,
                         const struct peri_cache_plan *plan,
                         const struct peri_cache_sides *before,
                         struct peri_cache_sides **ret_sides,
                         struct peri_problem *ret_problem);
/// NULL is fine. Sides that are still used outlive it.
void peri_cache_sides_free(struct peri_cache_sides *sides);
/// Tells the pickers of the worker's peers, if they have not heard yet.
void peri_cache_sides_update(const struct peri_cache_worker *worker,
                             struct peri_cache_sides *sides);
/// One reference more, or less: the last one frees it.
struct peri_cache_side *peri_cache_side_ref(struct peri_cache_side *side);
void peri_cache_side_unref(struct peri_cache_side *side);

/// The worker's side of a group, or NULL; borrowed until the next
/// configuration is taken.
struct peri_cache_side *peri_cache_side(struct peri_cache_worker *worker,
                                        struct peri_slice name);

/// What is done with keys.
enum peri_cache_deed {
  PERI_CACHE_GET = 0,
  PERI_CACHE_PEEK = 1,
  PERI_CACHE_SET = 2,
  PERI_CACHE_REMOVE = 3
};

/// Who owns `key`: NULL for this sidecar, else an endpoint borrowed from the
/// worker's peers (until the next snapshot). `deed` is for explaining.
const struct peri_endpoint *peri_cache_owner(struct peri_cache_worker *worker,
                                             struct peri_cache_side *side,
                                             enum peri_cache_deed deed,
                                             struct peri_slice key);

/// What a picker said.
struct peri_cache_pick {
  int code;                   // as pick() says
  struct peri_choice choice;  // `index` is the owner's in any case
  uint64_t took_ns;           // 0: not measured
};

/// Lets the group's picker choose the owner of `key`, or the built-in ring.
/// Only while there are others.
void peri_cache_pick(struct peri_cache_worker *worker,
                     struct peri_cache_side *side, struct peri_slice key,
                     struct peri_cache_pick *ret_pick);

/// One call to a method: what handlers get.
struct peri_cache_call {
  struct peri_cache_worker *worker;
  struct peri_call *call;
  struct peri_slice message;
  bool hop;   // forwarded by another sidecar: never to be sent on
  bool mesh;  // came in there
};

/// The methods.
void peri_cache_get(const struct peri_cache_call *call);
void peri_cache_peek(const struct peri_cache_call *call);
void peri_cache_set(const struct peri_cache_call *call);
void peri_cache_remove(const struct peri_cache_call *call);
void peri_cache_remove_keys(const struct peri_cache_call *call);
void peri_cache_batch_get(const struct peri_cache_call *call);

struct peri_pb_request;
/// Reads a request and checks what all methods ask of it: a group that is there
/// and, when `one_key`, a key; both UTF-8. On false the call has been finished
/// with the words for it.
bool peri_cache_check(const struct peri_cache_call *call, bool one_key,
                      struct peri_pb_request *ret_request,
                      struct peri_cache_side **ret_side);

/// The keys of a request with several, at most PERI_CACHE_MAX_KEYS of them;
/// they may be empty or not UTF-8. False when the call has been finished.
bool peri_cache_check_keys(const struct peri_cache_call *call,
                           const struct peri_pb_request *request,
                           struct peri_slice *ret_keys);

/// Copies the call's message, and lets `keys`, which lie in it, lie in the
/// copy, to be freed with free(). NULL: out of memory.
char *peri_cache_keep_keys(const struct peri_cache_call *call,
                           struct peri_slice *keys, size_t count);

/// Answers with the value of `entry`, whose reference it takes over.
void peri_cache_reply_value(struct peri_call *call, struct peri_entry *entry);

/// Answers with a message that is copied.
void peri_cache_reply_bytes(struct peri_call *call, struct peri_slice message);

struct peri_unary_result;
/// Passes on what the owner of a key answered, or why it did not.
void peri_cache_reply_failure(struct peri_call *call, struct peri_slice owner,
                              const struct peri_unary_result *result);

/// Removes what this sidecar has of a key, and keeps what is being loaded for
/// it from being stored or joined. Returns whether a value was there. Any
/// thread.
bool peri_cache_drop(struct peri_cache_group *group, struct peri_slice key);

/// Answers with a message built in `buffer`, which it takes over.
void peri_cache_reply_buffer(struct peri_call *call,
                             struct peri_buffer *buffer);

/// The worker's decisions go there, or nowhere.
void peri_cache_explain_init(struct peri_cache_worker *worker,
                             struct peri_decisions *decisions);
/// What is done with which keys.
struct peri_cache_keys {
  enum peri_cache_deed deed;
  const struct peri_slice *list;  // may be empty or not UTF-8
  size_t count;
};
/// Keeps what is decided on the first key, if it is time for that, and tells
/// the caller of all of them, if it asks and may. Before it is done.
void peri_cache_explain_keys(const struct peri_cache_call *call,
                             struct peri_cache_side *side,
                             const struct peri_cache_keys *keys);
/// The same for the one key of a request.
void peri_cache_explain_key(const struct peri_cache_call *call,
                            struct peri_cache_side *side,
                            enum peri_cache_deed deed, struct peri_slice key);
/// Tells the caller that there is no such group, if it asks and may.
void peri_cache_explain_absent(const struct peri_cache_call *call,
                               struct peri_slice group);
/// Keeps that a picker did not say, or only its older version, if there is
/// room.
void peri_cache_explain_trouble(struct peri_cache_worker *worker,
                                struct peri_cache_side *side,
                                enum peri_cache_deed deed,
                                struct peri_slice key,
                                const struct peri_cache_pick *pick);
