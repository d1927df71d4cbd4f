#pragma once

#include "base/types.h"
#include "etcd/error.h"

struct peri_etcd;
struct peri_etcd_call;

/// A key with its value; the bytes belong to whoever hands it out.
struct peri_etcd_kv {
  struct peri_slice key;
  struct peri_slice value;
  int64_t create_revision;
  int64_t mod_revision;
  int64_t version;
  int64_t lease;
};

/// The end of the range of all keys that begin with `prefix`: the prefix with
/// its last byte that is not 0xff incremented; "\0" (all keys from `key` on)
/// for an empty prefix or one of 0xff only. Writes at most prefix.len (at least
/// 1) bytes to `ret_end` and returns how many.
size_t peri_etcd_prefix_end(struct peri_slice prefix, char *ret_end);

enum peri_etcd_sort { PERI_ETCD_BY_KEY = 0, PERI_ETCD_NEWEST_FIRST = 1 };

struct peri_etcd_range {
  struct peri_slice key;
  struct peri_slice range_end;  // empty: this key only
  int64_t limit;                // 0: none
  int64_t revision;             // 0: the newest
  int sort;                     // enum peri_etcd_sort
  bool serializable;            // may be stale, needs no quorum
  bool keys_only;
  bool count_only;
};

struct peri_etcd_range_result {
  int64_t revision;  // of the store, from the header
  uint64_t raft_term;
  const struct peri_etcd_kv *kvs;
  size_t kv_count;
  bool more;
  int64_t total;  // keys in the range, whatever the limit
};

/// In all calls here `done` comes exactly once unless the call is cancelled;
/// `error` is NULL on success and `result` is valid during the callback (NULL
/// on failure). `ret_call` may be NULL. @return 0 or PERI_ENOMEM.
int peri_etcd_range(struct peri_etcd *etcd, const struct peri_etcd_range *range,
                    void (*done)(void *ctx, const struct peri_etcd_error *error,
                                 const struct peri_etcd_range_result *result),
                    void *ctx, struct peri_etcd_call **ret_call);

/// Reads all keys with a prefix in pages of `page` keys (0 for 1,000), all at
/// the revision of the first page. `each` comes for every page; `done` once at
/// the end with the revision, or with the error. When the revision is compacted
/// in between it ends with PERI_ETCD_COMPACTED. Cancelled by
/// peri_etcd_scan_cancel().
struct peri_etcd_scan;
int peri_etcd_scan(struct peri_etcd *etcd, struct peri_slice prefix,
                   uint32_t page, bool serializable,
                   void (*each)(void *ctx, const struct peri_etcd_kv *kvs,
                                size_t count),
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                int64_t revision, uint64_t raft_term),
                   void *ctx, struct peri_etcd_scan **ret_scan);
void peri_etcd_scan_cancel(struct peri_etcd_scan *scan);

/// Puts a key, under a lease unless that is 0. A Put is safe to send twice
/// (same key, value and lease).
int peri_etcd_put(struct peri_etcd *etcd, struct peri_slice key,
                  struct peri_slice value, int64_t lease,
                  void (*done)(void *ctx, const struct peri_etcd_error *error,
                               int64_t revision),
                  void *ctx, struct peri_etcd_call **ret_call);

/// Deletes a key, or a range; `deleted` says how many keys went.
int peri_etcd_delete(struct peri_etcd *etcd, struct peri_slice key,
                     struct peri_slice range_end,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  int64_t deleted, int64_t revision),
                     void *ctx, struct peri_etcd_call **ret_call);

enum peri_etcd_target {
  PERI_ETCD_VERSION = 0,
  PERI_ETCD_CREATE = 1,
  PERI_ETCD_MOD = 2,
  PERI_ETCD_VALUE = 3,
  PERI_ETCD_LEASE = 4
};
enum peri_etcd_relation {
  PERI_ETCD_EQUAL = 0,
  PERI_ETCD_GREATER = 1,
  PERI_ETCD_LESS = 2,
  PERI_ETCD_NOT_EQUAL = 3
};

struct peri_etcd_compare {
  struct peri_slice key;
  int target;               // enum peri_etcd_target
  int relation;             // enum peri_etcd_relation
  int64_t number;           // for all targets but the value
  struct peri_slice value;  // for the value
};

enum peri_etcd_op_kind {
  PERI_ETCD_OP_GET = 0,
  PERI_ETCD_OP_PUT = 1,
  PERI_ETCD_OP_DELETE = 2
};

struct peri_etcd_op {
  int kind;  // enum peri_etcd_op_kind
  struct peri_slice key;
  struct peri_slice range_end;
  struct peri_slice value;
  int64_t lease;
};

struct peri_etcd_txn {
  const struct peri_etcd_compare *compares;
  size_t compare_count;
  const struct peri_etcd_op *then;
  size_t then_count;
  const struct peri_etcd_op *otherwise;
  size_t otherwise_count;
  bool replay;  // whether doing it twice is the same as once
};

struct peri_etcd_txn_result {
  bool succeeded;  // the comparisons held, `then` was done
  int64_t revision;
  /// What the GETs of the branch taken found, one after another.
  const struct peri_etcd_kv *kvs;
  size_t kv_count;
};

int peri_etcd_txn(struct peri_etcd *etcd, const struct peri_etcd_txn *txn,
                  void (*done)(void *ctx, const struct peri_etcd_error *error,
                               const struct peri_etcd_txn_result *result),
                  void *ctx, struct peri_etcd_call **ret_call);
