#pragma once

#include "base/types.h"
#include "etcd/client.h"
#include "etcd/election.h"
#include "etcd/keepalive.h"
#include "etcd/lease.h"
#include "etcd/lock.h"
#include "etcd/session.h"
#include "loop/loop.h"

/// A session with a loop of its own, and a keeper.
struct peri_lease_rig {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_etcd *etcd;
  struct peri_etcd_keeper *keeper;
  bool closed;
};

int peri_lease_rig_new(struct peri_lease_rig *rig, const char *const *endpoints,
                       size_t count, const char *user, const char *password);
/// Whether the loop came down clean.
bool peri_lease_rig_free(struct peri_lease_rig *rig);
/// How many streams the keeper has open.
size_t peri_lease_rig_lanes(const struct peri_lease_rig *rig);
/// How many it has ever opened.
size_t peri_lease_rig_opened(const struct peri_lease_rig *rig);
/// Where the newest of them goes; -1 without one.
int peri_lease_rig_endpoint(const struct peri_lease_rig *rig);
/// Hands the newest of them a message, as if etcd had sent it.
bool peri_lease_rig_receive(struct peri_lease_rig *rig,
                            struct peri_slice message);
/// Whether the answer "lease `id` lives `ttl_s`" was handed to it.
bool peri_lease_rig_answer(struct peri_lease_rig *rig, int64_t id,
                           int64_t ttl_s);

/// Remembers how the callbacks of one call, or of one kept lease, came.
struct peri_lease_probe {
  unsigned done;
  int kind;  // of the error, 0 for none
  char text[256];
  int64_t number;  // TTL, lease or revision
  int64_t lease;
  size_t keys;
  char key[128];
  char value[128];
  size_t key_len;
  size_t value_len;

  struct peri_etcd_kept *kept;
  int64_t ttl_s;
  unsigned renewed;
  uint64_t renewed_ns;    // the last time, or when it began
  uint64_t worst_gap_ns;  // between two times
  unsigned lost;
  unsigned troubles;
  unsigned recovered;
  bool drop_when_renewed;
  bool drop_when_lost;
  bool drop_when_troubled;
  struct peri_lease_probe *other;  // dropped as well
};

void peri_lease_done(void *ctx, const struct peri_etcd_error *error);
void peri_lease_granted(void *ctx, const struct peri_etcd_error *error,
                        int64_t ttl_s);
void peri_lease_told(void *ctx, const struct peri_etcd_error *error,
                     const struct peri_etcd_lease_info *info);
void peri_lease_locked(void *ctx, const struct peri_etcd_error *error,
                       struct peri_slice key);
void peri_lease_leads(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_leader *leader);
void peri_lease_found(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_kv *kv);
/// Keeps a lease with the probe.
int peri_lease_keep(struct peri_lease_rig *rig, struct peri_lease_probe *probe,
                    int64_t id, int64_t ttl_s);
void peri_lease_drop(struct peri_lease_probe *probe);
