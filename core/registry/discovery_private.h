#pragma once

#include "base/hash.h"
#include "base/log.h"
#include "registry/directory.h"
#include "registry/discovery.h"
#include "registry/suspects.h"

struct peri_etcd_call;
struct peri_etcd_kv;
struct peri_etcd_scan;
struct peri_etcd_watch;
struct peri_metric;
struct peri_timer;

enum { PERI_DISCOVERY_LOG_MS = 10000, PERI_DISCOVERY_PREFIX_BYTES = 4096 };

struct peri_discovery {
  struct peri_discovery_options options;
  char *service;
  char *prefix;  // "<prefix><service>/"
  char *self;
  struct peri_directory *directory;
  struct peri_suspects *suspects;
  struct peri_peers *peers;
  struct peri_timer *tick;   // for suspects whose time is over
  struct peri_timer *retry;  // of reading
  struct peri_etcd_scan *scan;
  struct peri_etcd_watch *watch;
  bool known;         // read once
  bool denied;        // the last reading was not permitted
  bool regressed;     // the next reading is of a store that lost its data
  bool serializable;  // the reading under way
  bool anew;          // it takes the store for one that lost its data
  bool overtaken;     // it has older versions than are known
  bool broken;        // the watch lost its connection since it was live
  bool doubtful;      // the next audit reads everything
  unsigned failures;  // readings in a row
  unsigned rereads;   // compactions in a row that left no time between
  uint64_t reread_ns;
  int64_t revision;  // of what is known
  uint64_t current_ns;
  uint64_t stale_since_ns;  // 0 while the watch is live
  struct peri_timer *audit;
  bool audited;  // from time to time, since the watch was first live
  struct peri_etcd_call *audit_call;
  bool suspicious;  // the last audit differed: look again before reading
  uint64_t random;
};

/// Reads the whole range, unless that is under way.
void peri_discovery_read(struct peri_discovery *discovery);
/// Reads again because the history is gone: at once, unless that happens again
/// and again.
void peri_discovery_reread(struct peri_discovery *discovery);
/// The directory was changed: suspects, timers and the owner follow.
void peri_discovery_touched(struct peri_discovery *discovery);
void peri_discovery_put(struct peri_discovery *discovery,
                        const struct peri_etcd_kv *kv, uint64_t now_ns);
void peri_discovery_trouble(struct peri_discovery *discovery,
                            const struct peri_etcd_error *error);

/// discovery_watch.c: starts the watch after the revision that is known.
int peri_discovery_watch(struct peri_discovery *discovery);

/// discovery_audit.c
int peri_discovery_audit_new(struct peri_discovery *discovery);
void peri_discovery_audit_free(struct peri_discovery *discovery);
/// From now on, once and for all: a watch that comes and goes must not put the
/// next audit off each time.
void peri_discovery_audit_start(struct peri_discovery *discovery);
/// Reads everything soon, spread over a fleet: a store that was away may have
/// lost its data and yet look as if it had not.
void peri_discovery_audit_soon(struct peri_discovery *discovery);
/// Counts a reading that something made necessary.
void peri_discovery_count_resync(struct peri_discovery *discovery,
                                 const char *reason);
