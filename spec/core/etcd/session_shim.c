#include "etcd/session_shim.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

struct etcd_rig {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_etcd *etcd;
  bool closed;
};

struct etcd_rig *etcd_rig_new(const struct peri_etcd_options *options,
                              struct peri_problem *ret_problem) {
  struct peri_etcd_options own = *options;
  struct etcd_rig *rig = calloc(1, sizeof(*rig));
  if (rig == NULL) {
    return NULL;
  }
  if (peri_loop_new(&rig->loop) < 0 ||
      peri_mailbox_new(rig->loop, &rig->mailbox) < 0) {
    abort();
  }
  own.loop = rig->loop;
  own.mailbox = rig->mailbox;
  if (peri_etcd_new(&own, &rig->etcd, ret_problem) < 0) {
    etcd_rig_free(rig);
    return NULL;
  }
  return rig;
}

struct peri_etcd *etcd_rig_session(struct etcd_rig *rig) {
  return rig->etcd;
}

void etcd_rig_step(struct etcd_rig *rig, uint64_t for_ms) {
  peri_loop_step(rig->loop, for_ms);
}

static void on_closed(void *ctx) {
  struct etcd_rig *rig = ctx;
  rig->closed = true;
}

void etcd_rig_close(struct etcd_rig *rig) {
  if (rig->etcd != NULL) {
    peri_etcd_close(rig->etcd, on_closed, rig);
    rig->etcd = NULL;
  }
}

bool etcd_rig_closed(const struct etcd_rig *rig) {
  return rig->closed;
}

int etcd_rig_free(struct etcd_rig *rig) {
  peri_mailbox_close(rig->mailbox);
  int rc = peri_loop_free(rig->loop);
  free(rig);
  return rc;
}

struct etcd_outcome *etcd_outcome_new(void) {
  return calloc(1, sizeof(struct etcd_outcome));
}

void etcd_outcome_free(struct etcd_outcome *outcome) {
  peri_buffer_done(&outcome->bytes);
  free(outcome);
}

static void begin(struct etcd_outcome *outcome) {
  outcome->started_ns = peri_clock_mono_ns();
}

static void end(struct etcd_outcome *outcome,
                const struct peri_etcd_error *error) {
  outcome->count++;
  outcome->took_ns = peri_clock_mono_ns() - outcome->started_ns;
  outcome->call = NULL;
  outcome->scan = NULL;
  if (error != NULL) {
    outcome->kind = error->kind;
    outcome->status = error->status;
    memcpy(outcome->text, error->text, sizeof(outcome->text));
  }
  if (outcome->close != NULL) {
    etcd_rig_close(outcome->close);
  }
}

static void add(struct etcd_outcome *outcome, const struct peri_etcd_kv *kvs,
                size_t count) {
  struct peri_buffer *bytes = &outcome->bytes;
  for (size_t i = 0; i < count; i++) {
    peri_buffer_add(bytes, kvs[i].key.ptr, kvs[i].key.len);
    peri_buffer_add(bytes, "\t", 1);
    peri_buffer_add(bytes, kvs[i].value.ptr, kvs[i].value.len);
    peri_buffer_printf(bytes, "\t%lld\t%lld\t%lld\t%lld\n",
                       (long long)kvs[i].create_revision,
                       (long long)kvs[i].mod_revision,
                       (long long)kvs[i].version, (long long)kvs[i].lease);
  }
}

static void call_done(void *ctx, const struct peri_etcd_error *error,
                      struct peri_slice message) {
  struct etcd_outcome *outcome = ctx;
  peri_buffer_add(&outcome->bytes, message.ptr, message.len);
  end(outcome, error);
}

void etcd_rig_call(struct etcd_rig *rig, struct etcd_outcome *outcome,
                   const struct peri_etcd_request *request) {
  begin(outcome);
  outcome->code =
      peri_etcd_call(rig->etcd, request, call_done, outcome, &outcome->call);
}

static void range_done(void *ctx, const struct peri_etcd_error *error,
                       const struct peri_etcd_range_result *result) {
  struct etcd_outcome *outcome = ctx;
  if (result != NULL) {
    outcome->revision = result->revision;
    outcome->raft_term = result->raft_term;
    outcome->flag = result->more;
    outcome->number = result->total;
    add(outcome, result->kvs, result->kv_count);
  }
  end(outcome, error);
}

void etcd_rig_range(struct etcd_rig *rig, struct etcd_outcome *outcome,
                    const struct peri_etcd_range *range) {
  begin(outcome);
  outcome->code =
      peri_etcd_range(rig->etcd, range, range_done, outcome, &outcome->call);
}

static void put_done(void *ctx, const struct peri_etcd_error *error,
                     int64_t revision) {
  struct etcd_outcome *outcome = ctx;
  outcome->revision = revision;
  end(outcome, error);
}

void etcd_rig_put(struct etcd_rig *rig, struct etcd_outcome *outcome,
                  struct peri_slice key, struct peri_slice value,
                  int64_t lease) {
  begin(outcome);
  outcome->code = peri_etcd_put(rig->etcd, key, value, lease, put_done, outcome,
                                &outcome->call);
}

static void delete_done(void *ctx, const struct peri_etcd_error *error,
                        int64_t deleted, int64_t revision) {
  struct etcd_outcome *outcome = ctx;
  outcome->number = deleted;
  outcome->revision = revision;
  end(outcome, error);
}

void etcd_rig_delete(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     struct peri_slice key, struct peri_slice range_end) {
  begin(outcome);
  outcome->code = peri_etcd_delete(rig->etcd, key, range_end, delete_done,
                                   outcome, &outcome->call);
}

static void txn_done(void *ctx, const struct peri_etcd_error *error,
                     const struct peri_etcd_txn_result *result) {
  struct etcd_outcome *outcome = ctx;
  if (result != NULL) {
    outcome->flag = result->succeeded;
    outcome->revision = result->revision;
    add(outcome, result->kvs, result->kv_count);
  }
  end(outcome, error);
}

void etcd_rig_txn(struct etcd_rig *rig, struct etcd_outcome *outcome,
                  const struct peri_etcd_txn *txn) {
  begin(outcome);
  outcome->code =
      peri_etcd_txn(rig->etcd, txn, txn_done, outcome, &outcome->call);
}

static void scan_each(void *ctx, const struct peri_etcd_kv *kvs, size_t count) {
  struct etcd_outcome *outcome = ctx;
  outcome->messages++;
  outcome->number += (int64_t)count;
  add(outcome, kvs, count);
  if (outcome->messages == outcome->cancel_at) {
    peri_etcd_scan_cancel(outcome->scan);
    outcome->scan = NULL;
  }
}

static void scan_done(void *ctx, const struct peri_etcd_error *error,
                      int64_t revision, uint64_t raft_term) {
  struct etcd_outcome *outcome = ctx;
  outcome->revision = revision;
  outcome->raft_term = raft_term;
  end(outcome, error);
}

void etcd_rig_scan(struct etcd_rig *rig, struct etcd_outcome *outcome,
                   struct peri_slice prefix, uint32_t page, bool serializable) {
  begin(outcome);
  outcome->code = peri_etcd_scan(rig->etcd, prefix, page, serializable,
                                 scan_each, scan_done, outcome, &outcome->scan);
}

static void status_done(void *ctx, const struct peri_etcd_error *error,
                        const struct peri_etcd_member_status *status) {
  struct etcd_outcome *outcome = ctx;
  if (status != NULL) {
    peri_buffer_add(&outcome->bytes, status->version.ptr, status->version.len);
    outcome->revision = status->revision;
    outcome->raft_term = status->raft_term;
    outcome->number = status->leader == status->member_id;
    outcome->flag = status->leader == 0;
    outcome->messages = status->db_bytes > 0 && !status->learner;
  }
  end(outcome, error);
}

void etcd_rig_status(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     int endpoint) {
  begin(outcome);
  outcome->code = peri_etcd_status(rig->etcd, endpoint, status_done, outcome,
                                   &outcome->call);
}

static void stream_message(void *ctx, struct peri_slice message) {
  struct etcd_outcome *outcome = ctx;
  outcome->messages++;
  outcome->bytes.len = 0;
  peri_buffer_add(&outcome->bytes, message.ptr, message.len);
  if (outcome->messages == outcome->cancel_at) {
    peri_etcd_stream_close(outcome->stream);
    outcome->stream = NULL;
  }
}

static void stream_ended(void *ctx, const struct peri_etcd_error *error) {
  struct etcd_outcome *outcome = ctx;
  if (outcome->cancel_at < 0) {
    peri_etcd_stream_close(outcome->stream);
  }
  outcome->stream = NULL;
  end(outcome, error);
}

static const struct peri_etcd_stream_events stream_events = {stream_message,
                                                             stream_ended};

void etcd_rig_stream(struct etcd_rig *rig, struct etcd_outcome *outcome,
                     const char *path, int endpoint) {
  begin(outcome);
  outcome->code = peri_etcd_stream_open(
      rig->etcd, path, endpoint, &stream_events, outcome, &outcome->stream);
}
