#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/metrics.h"
#include "etcd/kv.h"
#include "etcd/maintenance.h"
#include "etcd/session.h"

/// A session on a loop of its own, driven step by step.
struct etcd_rig;

/// What came of a call, a scan or a stream. Lists of keys are lines of key,
/// value, create revision, mod revision, version and lease, between tabs.
struct etcd_outcome {
  int code;   // of starting it
  int count;  // how often it ended
  int kind;
  int status;
  char text[256];
  uint64_t took_ns;
  uint64_t started_ns;
  struct peri_buffer bytes;  // a packed response, keys, or a version
  int messages;              // of a stream; pages of a scan
  int64_t revision;
  int64_t number;  // total, deleted, leader
  uint64_t raft_term;
  bool flag;      // more, succeeded, learner
  int cancel_at;  // a scan or stream ends itself in this many-th message
  struct peri_etcd_call *call;
  struct peri_etcd_scan *scan;
  struct peri_etcd_stream *stream;
  struct etcd_rig *close;  // closes the session when it ends
};

/// `options` without loop and mailbox. @return NULL with `ret_problem`.
struct etcd_rig *etcd_rig_new(const struct peri_etcd_options *options,
                              struct peri_problem *ret_problem);
struct peri_etcd *etcd_rig_session(struct etcd_rig *rig);
void etcd_rig_step(struct etcd_rig *rig, uint64_t for_ms);
/// Begins to close; etcd_rig_closed() tells when it is.
void etcd_rig_close(struct etcd_rig *rig);
bool etcd_rig_closed(const struct etcd_rig *rig);
/// After it is closed. @return what peri_loop_free() answered.
int etcd_rig_free(struct etcd_rig *rig);

struct etcd_outcome *etcd_outcome_new(void);
void etcd_outcome_free(struct etcd_outcome *outcome);

void etcd_rig_call(struct etcd_rig *rig, struct etcd_outcome *outcome,
                   const struct peri_etcd_request *request);
void etcd_rig_range(struct etcd_rig *rig, struct etcd_outcome *outcome,
                    const struct peri_etcd_range *range);
void etcd_rig_put(struct etcd_rig *rig, struct etcd_outcome *outcome,
                  struct peri_slice key, struct peri_slice value,
                  int64_t lease);
void etcd_rig_delete(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     struct peri_slice key, struct peri_slice range_end);
void etcd_rig_txn(struct etcd_rig *rig, struct etcd_outcome *outcome,
                  const struct peri_etcd_txn *txn);
void etcd_rig_scan(struct etcd_rig *rig, struct etcd_outcome *outcome,
                   struct peri_slice prefix, uint32_t page, bool serializable);
void etcd_rig_status(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     int endpoint);
void etcd_rig_stream(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     const char *path, int endpoint);
