#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/metrics.h"
#include "base/types.h"
#include "cache/cache.h"
#include "model/config.h"
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

/// One group of the process; any thread may use its stores and metrics.
struct peri_cache_group {
  const struct peri_config_group *config;
  struct peri_slice name;
  struct peri_store *values;    // what this sidecar owns, and loads of that
  struct peri_store *forwards;  // stores nothing: Gets under way to owners.
                                // Apart from `values`, since a call that came
                                // with a hop must never wait for one of these
  struct peri_metric *hits, *misses, *negatives, *joined;
  struct peri_metric *loads[3][3];  // by source and result
  struct peri_histogram *load_seconds;
  struct peri_metric *entries, *bytes, *evictions, *expired, *oversize;
  struct peri_store_stats seen;  // what the counters have; the sweep's thread
};

struct peri_cache {
  struct peri_config *config;
  struct peri_cache_group *groups;
  size_t group_count;
  size_t sweep_group;
  uint32_t sweep_shard;
};

/// The group of that name, or NULL. Any thread.
struct peri_cache_group *peri_cache_group(struct peri_cache *cache,
                                          struct peri_slice name);

/// The instant (Unix) at which something that lives `ttl_ns` from now ends; 0,
/// for never, stays 0. Any thread.
int64_t peri_cache_expire_ns(int64_t ttl_ns);

/// A group as one worker uses it.
struct peri_cache_side {
  struct peri_cache_group *group;
  struct peri_picker *picker;
  struct peri_fallback *fallback;  // NULL: no origin
  bool picks;                      // the picker took the last update
};

struct peri_cache_worker {
  struct peri_cache *cache;
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_h2_client *client;
  uint32_t message_bytes;
  struct peri_peers *peers;      // of the cluster; NULL before any came
  const struct peri_ring *ring;  // for when a picker fails; NULL when alone
  bool alone;                    // no other sidecar: every key is ours
  struct peri_list waits;
  struct peri_list loads;
  struct peri_list sends;
  size_t busy;  // loads and sends
  struct peri_cache_side *sides;
  size_t side_count;
};

/// The worker's side of a group, or NULL.
struct peri_cache_side *peri_cache_side(struct peri_cache_worker *worker,
                                        struct peri_slice name);

/// Who owns `key`: NULL for this sidecar, else an endpoint borrowed from the
/// worker's peers (until the next snapshot).
const struct peri_endpoint *peri_cache_owner(struct peri_cache_worker *worker,
                                             struct peri_cache_side *side,
                                             struct peri_slice key);

/// One call to a method: what handlers get.
struct peri_cache_call {
  struct peri_cache_worker *worker;
  struct peri_call *call;
  struct peri_slice message;
  bool hop;  // forwarded by another sidecar: never to be sent on
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
