#pragma once

#include "base/error.h"
#include "base/types.h"

/// What `cache` and `proxy` call and `script` implements; `app` injects it. All
/// objects here belong to one worker and are used on its loop thread only.

struct peri_peers;
struct peri_json;

/// A policy as the configuration names it: `"ring_crc32"` or `{ "http_origin",
/// url = … }`.
struct peri_policy_ref {
  const char *name;                 // NULL when none is configured
  const struct peri_json *options;  // an object without the name; may be NULL
  const char *place;  // "groups.scores.picker": where it is named, or NULL
};

/// Whether both name the same policy with the same options (none and an empty
/// object are the same), so that what was made for one serves the other. Any
/// thread.
bool peri_policy_ref_same(const struct peri_policy_ref *a,
                          const struct peri_policy_ref *b);

/// Puts the place where a policy is named before the words of a problem with
/// it. `ret_problem` may be NULL. @return `code`. Any thread.
int peri_policy_ref_fail(const struct peri_policy_ref *ref, int code,
                         struct peri_problem *ret_problem);

/// What a picker or a balancer chose, and what explains it. Slices are valid
/// until the policy is called again.
struct peri_choice {
  size_t index;               // in the peers last given to update()
  uint32_t version;           // of the policy, from 1: the one that chose
  bool older;                 // it is not the current one, which did not say
  struct peri_slice reason;   // what the policy says why, or empty
  struct peri_slice trouble;  // why the current version did not say (it raised,
                              // used up its budget, is switched off), or empty;
                              // set on PERI_ESCRIPT, too
};

/// A key-to-peer picker of one group on one worker.
struct peri_picker {
  /// The peers changed (first call before any pick). @return 0 or PERI_ESCRIPT
  /// (counted and logged by the implementation: no version can pick now, so
  /// pick() fails until an update succeeds or another version takes over).
  int (*update)(struct peri_picker *picker, struct peri_peers *peers);
  /// Chooses the owner. A version that fails leaves it to the one before.
  /// @return 0 or PERI_ESCRIPT: the caller uses its built-in ring.
  int (*pick)(struct peri_picker *picker, struct peri_slice key,
              struct peri_choice *ret_choice);
  /// Never NULL, for the other two likewise.
  void (*free)(struct peri_picker *picker);
};

/// What a fallback is asked.
struct peri_fetch_request {
  struct peri_slice group;
  struct peri_slice key;
  const char *cause;       // "origin", or how the peer failed: "unreachable",
                           // "timeout", "failed"
  struct peri_slice peer;  // the peer that failed, or empty
  uint64_t timeout_ms;     // the load's own limit
};

/// What it answered. Slices are valid during the callback.
struct peri_fetch_result {
  int code;  // 0: `value` counts; PERI_ENOTFOUND: the value does not exist;
             // else a failure
  struct peri_slice value;
  int64_t ttl_ns;           // -1: the group's; 0: never expires
  int64_t negative_ttl_ns;  // -1: the group's; 0: not remembered
  struct peri_slice text;   // words for a failure
};

struct peri_fetch;

/// A fallback of one group on one worker.
struct peri_fallback {
  /// Starts a fetch. `done` comes exactly once, from the loop, never from
  /// within this call, unless cancelled first. The request's slices are copied.
  /// @return 0, PERI_ENOMEM, PERI_ELIMIT, PERI_ESCRIPT (`done` does not come).
  int (*fetch)(struct peri_fallback *fallback,
               const struct peri_fetch_request *request,
               void (*done)(void *ctx, const struct peri_fetch_result *result),
               void *ctx, struct peri_fetch **ret_fetch);
  /// Gives a fetch up; `done` is not called any more.
  void (*cancel)(struct peri_fallback *fallback, struct peri_fetch *fetch);
  void (*free)(struct peri_fallback *fallback);
};

/// What a balancer is asked.
struct peri_pick_request {
  struct peri_slice service;  // of gRPC, "orders.v1.Orders"
  struct peri_slice method;
  /// The first request header of that name; false when absent.
  bool (*header)(void *ctx, const char *name, struct peri_slice *ret_value);
  /// The first bytes of the body that have come (a gRPC frame with its five
  /// bytes first), for policies that hash by a field; empty when none has.
  struct peri_slice body;
  void *ctx;
  uint64_t deadline_ns;  // monotonic; 0: none
  uint32_t attempt;      // from 1
  uint32_t version;      // that placed the attempt before, which goes on with
                         // the call; 0: the current one
};

/// How a call that a balancer placed ended.
struct peri_outcome {
  int status;           // of gRPC, as the caller saw it
  bool failed;          // the endpoint did not do its part
  uint64_t latency_ns;  // until the response headers, or the end without them
  uint64_t bytes;       // of the response's body
};

struct peri_load;

/// A balancer of one service on one worker.
struct peri_balancer {
  /// The endpoints changed (first call before any pick). `loads` is parallel to
  /// `peers` and lives as long as that.
  /// @return 0 or PERI_ESCRIPT: no version can pick now, so pick() fails until
  /// an update succeeds or another version takes over.
  int (*update)(struct peri_balancer *balancer, struct peri_peers *peers,
                struct peri_load *const *loads);
  /// Chooses among the endpoints at `open` (indexes, ascending; NULL and 0 for
  /// all). A version that fails leaves it to the one before. @return 0,
  /// PERI_ENOTFOUND (it wants none of them; the reason says why) or
  /// PERI_ESCRIPT: the caller uses its built-in round robin.
  int (*pick)(struct peri_balancer *balancer,
              const struct peri_pick_request *request, const uint32_t *open,
              size_t open_count, struct peri_choice *ret_choice);
  /// An attempt that was picked ended: once for each pick that chose.
  /// `request->version` is the one that did; `address` names the endpoint,
  /// which may have left meanwhile.
  void (*done)(struct peri_balancer *balancer,
               const struct peri_pick_request *request, const char *address,
               const struct peri_outcome *outcome);
  void (*free)(struct peri_balancer *balancer);
};

/// Makes policy objects for one worker.
struct peri_policy_host {
  /// `balancer` may be NULL: there are none. @return 0; PERI_ENOTFOUND
  /// (no such policy on the path), PERI_ECONFIG (options do not fit the
  /// schema), PERI_ESCRIPT (it does not load): `ret_problem` says file, line
  /// and why.
  int (*picker)(struct peri_policy_host *host,
                const struct peri_policy_ref *ref,
                struct peri_picker **ret_picker,
                struct peri_problem *ret_problem);
  int (*fallback)(struct peri_policy_host *host,
                  const struct peri_policy_ref *ref,
                  struct peri_fallback **ret_fallback,
                  struct peri_problem *ret_problem);
  int (*balancer)(struct peri_policy_host *host,
                  const struct peri_policy_ref *ref,
                  struct peri_balancer **ret_balancer,
                  struct peri_problem *ret_problem);
};
