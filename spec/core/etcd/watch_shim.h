#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"
#include "etcd/session.h"
#include "etcd/watch.h"

/// A loop with a session and its watches.
struct peri_watch_rig {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_etcd *etcd;
  struct peri_etcd_watches *watches;
  bool closed;
};

int peri_watch_rig_new(struct peri_watch_rig *rig, const char *const *endpoints,
                       size_t count, const char *user, const char *password,
                       struct peri_problem *ret_problem);
/// Every watch must be freed before.
void peri_watch_rig_free(struct peri_watch_rig *rig);
/// The endpoint that has the stream, or -1.
int peri_watch_rig_endpoint(const struct peri_watch_rig *rig);
/// How many creates were sent on all streams so far.
int64_t peri_watch_rig_creates(const struct peri_watch_rig *rig);

/// What a probe does when it is called.
enum peri_watch_action {
  PERI_WATCH_ACT_NOTHING = 0,
  PERI_WATCH_ACT_FREE = 1,      // frees its watch
  PERI_WATCH_ACT_FREE_ALL = 2,  // and the other one's, and all watches
  PERI_WATCH_ACT_RESTART = 3    // restarts it at `restart_at`, once
};

/// Stands in for the owner of a watch and remembers what it was told.
struct peri_watch_probe {
  struct peri_watch_rig *rig;
  struct peri_etcd_watch *watch;
  struct peri_watch_probe *other;  // may be NULL
  /// "put KEY VALUE REVISION\n", "delete KEY  REVISION\n"; each batch begins
  /// with "batch REVISION\n".
  struct peri_buffer log;
  unsigned batches;
  unsigned events;
  unsigned lives;  // state told without an error
  unsigned troubles;
  unsigned resets;
  int reset_why;
  int kind;  // of the last state
  char text[256];
  uint64_t last_event_ns;
  uint64_t last_live_ns;
  uint64_t last_trouble_ns;
  uint64_t worst_latency_ns;
  uint64_t block_ms;  // sleeps so long in the next call of `events`, once
  int on_events;      // enum peri_watch_action
  int on_state;
  int on_reset;
  int64_t restart_at;
};

int peri_watch_probe_start(struct peri_watch_probe *probe,
                           struct peri_watch_rig *rig, struct peri_slice prefix,
                           bool exact, int64_t start_revision);
/// Frees its watch and its log.
void peri_watch_probe_done(struct peri_watch_probe *probe);
/// The ID it has on the stream.
int64_t peri_watch_probe_id(const struct peri_watch_probe *probe);

struct peri_forged_event {
  const char *key;
  const char *value;  // NULL: deleted
  int64_t revision;   // 0: an event without a key
};

struct peri_forged {
  int64_t id;
  int64_t revision;  // of the header; -1: no header
  uint64_t term;
  bool created;
  bool canceled;
  bool fragment;
  int64_t compact_revision;
  const char *reason;  // may be NULL
  const struct peri_forged_event *events;
  size_t event_count;
  size_t padding;  // bytes of a further value, in every event
};

/// A response that the stream did not send.
void peri_watch_rig_forge(struct peri_watch_rig *rig,
                          const struct peri_forged *forged);
void peri_watch_rig_raw(struct peri_watch_rig *rig, struct peri_slice bytes);

/// What a cancelled watch says of why, as a kind.
int peri_watch_reason_kind(const char *reason, int *ret_status);

/// Writes without a pause: transaction number N puts PREFIX<N mod 7>/a and
/// PREFIX<N mod 7>/b, both "N", and puts or deletes PREFIXc.
struct peri_watch_writer {
  struct peri_watch_rig *rig;
  struct peri_timer *timer;
  struct peri_etcd_call *call;
  const char *prefix;
  unsigned number;
  unsigned done;
  unsigned failed;
  /// "put PREFIX0/a N REVISION\n" and so on of what was acknowledged.
  struct peri_buffer log;
};

int peri_watch_writer_start(struct peri_watch_writer *writer,
                            struct peri_watch_rig *rig, const char *prefix);
void peri_watch_writer_stop(struct peri_watch_writer *writer);
void peri_watch_writer_done(struct peri_watch_writer *writer);
