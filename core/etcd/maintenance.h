#pragma once

#include "base/types.h"
#include "etcd/error.h"

struct peri_etcd;
struct peri_etcd_call;

struct peri_etcd_member_status {
  struct peri_slice version;  // "3.4.23"
  uint64_t member_id;
  uint64_t leader;  // 0: none
  int64_t revision;
  uint64_t raft_term;
  int64_t db_bytes;
  bool learner;
};

/// Asks one endpoint how it is (Maintenance.Status). As the calls of kv.h.
int peri_etcd_status(struct peri_etcd *etcd, int endpoint,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  const struct peri_etcd_member_status *status),
                     void *ctx, struct peri_etcd_call **ret_call);
