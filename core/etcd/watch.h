#pragma once

#include "base/types.h"
#include "etcd/error.h"
#include "etcd/kv.h"

struct peri_etcd;

/// The watches of a session, over one shared stream. The stream is probed when
/// nothing came for 400 ms (any message is life, a progress answer never moves
/// a revision), given up when nothing comes for 800 ms more, and opened again
/// on another endpoint, where every watch resumes from the revision after the
/// last event that it delivered.
struct peri_etcd_watches;

int peri_etcd_watches_new(struct peri_etcd *etcd,
                          struct peri_etcd_watches **ret_watches);
/// Every watch must be freed before. NULL is fine.
void peri_etcd_watches_free(struct peri_etcd_watches *watches);
/// Monotonic time of the last message of the stream, 0 when none came yet.
uint64_t peri_etcd_watches_heard_ns(const struct peri_etcd_watches *watches);

struct peri_etcd_watch;

struct peri_etcd_event {
  bool deleted;  // kv then has only key and mod_revision
  struct peri_etcd_kv kv;
};

enum peri_etcd_reset {
  PERI_ETCD_RESET_COMPACTED = 1,  // history between was compacted
  PERI_ETCD_RESET_REGRESSED = 2   // the store is older than what was seen: its
                                  // data were lost (confirmed by a read)
};

struct peri_etcd_watch_events {
  /// All events of one or more whole revisions, in order, never twice, never
  /// below the start; `revision` is the last one's. Fragments are joined.
  void (*events)(void *ctx, const struct peri_etcd_event *events, size_t count,
                 int64_t revision);
  /// It cannot go on from where it was: read the range again and call
  /// peri_etcd_watch_restart(). It waits until then.
  void (*reset)(void *ctx, enum peri_etcd_reset why);
  /// The state changed: error NULL when the server confirmed the watch (it is
  /// live), else why it is not. It is tried again by itself, with backoff from
  /// 50 ms to 1 s (permission denied and the like: every 5 s).
  void (*state)(void *ctx, const struct peri_etcd_error *error);
};

/// Watches all keys that begin with `prefix`, or the one key when `exact`,
/// from `start_revision` (> 0) on. `events` must outlive it. Callbacks may free
/// the watch. @return 0 or PERI_ENOMEM.
int peri_etcd_watch_new(struct peri_etcd_watches *watches,
                        struct peri_slice prefix, bool exact,
                        int64_t start_revision,
                        const struct peri_etcd_watch_events *events, void *ctx,
                        struct peri_etcd_watch **ret_watch);
/// Goes on from `start_revision`, after a reset or a reload: earlier events
/// are not delivered.
void peri_etcd_watch_restart(struct peri_etcd_watch *watch,
                             int64_t start_revision);
bool peri_etcd_watch_live(const struct peri_etcd_watch *watch);
/// The revision it would resume from.
int64_t peri_etcd_watch_next_revision(const struct peri_etcd_watch *watch);
/// NULL is fine.
void peri_etcd_watch_free(struct peri_etcd_watch *watch);
