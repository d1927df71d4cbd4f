#include "etcd/lease_shim.h"

#include <etcd.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "etcd/keepalive_private.h"
#include "loop/mailbox.h"

int peri_lease_rig_new(struct peri_lease_rig *rig, const char *const *endpoints,
                       size_t count, const char *user, const char *password) {
  struct peri_problem problem;
  memset(rig, 0, sizeof(*rig));
  int rc = peri_loop_new(&rig->loop);
  if (rc < 0) {
    return rc;
  }
  rc = peri_mailbox_new(rig->loop, &rig->mailbox);
  if (rc < 0) {
    return rc;
  }
  struct peri_etcd_options options = {
      .loop = rig->loop,
      .mailbox = rig->mailbox,
      .endpoints = endpoints,
      .endpoint_count = count,
      .user = peri_slice_of(user),
      .password = peri_slice_of(password),
  };
  rc = peri_etcd_new(&options, &rig->etcd, &problem);
  return rc < 0 ? rc : peri_etcd_keeper_new(rig->etcd, &rig->keeper);
}

static void set_closed(void *ctx) {
  struct peri_lease_rig *rig = ctx;
  rig->closed = true;
}

bool peri_lease_rig_free(struct peri_lease_rig *rig) {
  peri_etcd_keeper_free(rig->keeper);
  peri_etcd_close(rig->etcd, set_closed, rig);
  while (!rig->closed) {
    peri_loop_step(rig->loop, 100);
  }
  peri_mailbox_close(rig->mailbox);
  return peri_loop_free(rig->loop) == 0;
}

size_t peri_lease_rig_opened(const struct peri_lease_rig *rig) {
  return rig->keeper->serial;
}

size_t peri_lease_rig_lanes(const struct peri_lease_rig *rig) {
  size_t count = 0;
  for (const struct peri_list *at = rig->keeper->lanes.next;
       at != &rig->keeper->lanes; at = at->next) {
    count++;
  }
  return count;
}

int peri_lease_rig_endpoint(const struct peri_lease_rig *rig) {
  const struct peri_keep_lane *lane = peri_keep_lane_newest(rig->keeper);
  return lane == NULL ? -1 : lane->endpoint;
}

bool peri_lease_rig_receive(struct peri_lease_rig *rig,
                            struct peri_slice message) {
  struct peri_keep_lane *lane = peri_keep_lane_newest(rig->keeper);
  if (lane == NULL) {
    return false;
  }
  peri_keep_lane_message(lane, message);
  return true;
}

bool peri_lease_rig_answer(struct peri_lease_rig *rig, int64_t id,
                           int64_t ttl_s) {
  uint8_t packed[64];
  Etcdpb__LeaseKeepAliveResponse answer =
      ETCDPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
  answer.id = id;
  answer.ttl = ttl_s;
  size_t len = etcdpb__lease_keep_alive_response__pack(&answer, packed);
  return peri_lease_rig_receive(rig,
                                (struct peri_slice){(const char *)packed, len});
}

void peri_lease_done(void *ctx, const struct peri_etcd_error *error) {
  struct peri_lease_probe *probe = ctx;
  probe->done++;
  probe->kind = error != NULL ? error->kind : 0;
  snprintf(probe->text, sizeof(probe->text), "%s",
           error != NULL ? error->text : "");
}

static size_t copy(char *to, size_t capacity, struct peri_slice from) {
  if (from.len > capacity) {
    from.len = capacity;
  }
  if (from.len > 0) {
    memcpy(to, from.ptr, from.len);
  }
  return from.len;
}

void peri_lease_granted(void *ctx, const struct peri_etcd_error *error,
                        int64_t ttl_s) {
  struct peri_lease_probe *probe = ctx;
  probe->number = ttl_s;
  peri_lease_done(ctx, error);
}

void peri_lease_told(void *ctx, const struct peri_etcd_error *error,
                     const struct peri_etcd_lease_info *info) {
  struct peri_lease_probe *probe = ctx;
  if (info != NULL) {
    probe->ttl_s = info->ttl_s;
    probe->number = info->granted_ttl_s;
    probe->keys = info->key_count;
    if (info->key_count > 0) {
      probe->key_len = copy(probe->key, sizeof(probe->key), info->keys[0]);
    }
  }
  peri_lease_done(ctx, error);
}

void peri_lease_locked(void *ctx, const struct peri_etcd_error *error,
                       struct peri_slice key) {
  struct peri_lease_probe *probe = ctx;
  probe->key_len = copy(probe->key, sizeof(probe->key), key);
  peri_lease_done(ctx, error);
}

void peri_lease_leads(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_leader *leader) {
  struct peri_lease_probe *probe = ctx;
  if (leader != NULL) {
    probe->key_len = copy(probe->key, sizeof(probe->key), leader->key);
    probe->value_len = copy(probe->value, sizeof(probe->value), leader->name);
    probe->number = leader->revision;
    probe->lease = leader->lease;
  }
  peri_lease_done(ctx, error);
}

void peri_lease_found(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_kv *kv) {
  struct peri_lease_probe *probe = ctx;
  probe->key_len = 0;
  probe->value_len = 0;
  if (kv != NULL) {
    probe->key_len = copy(probe->key, sizeof(probe->key), kv->key);
    probe->value_len = copy(probe->value, sizeof(probe->value), kv->value);
    probe->lease = kv->lease;
  }
  peri_lease_done(ctx, error);
}

void peri_lease_drop(struct peri_lease_probe *probe) {
  struct peri_etcd_kept *kept = probe->kept;
  probe->kept = NULL;
  peri_etcd_kept_free(kept);
  if (probe->other != NULL && probe->other->kept != NULL) {
    peri_lease_drop(probe->other);
  }
}

static void renewed(void *ctx, int64_t ttl_s, uint64_t sent_ns) {
  struct peri_lease_probe *probe = ctx;
  uint64_t now = peri_clock_mono_ns(), gap = now - probe->renewed_ns;
  (void)sent_ns;
  probe->worst_gap_ns = gap > probe->worst_gap_ns ? gap : probe->worst_gap_ns;
  probe->renewed_ns = now;
  probe->renewed++;
  probe->ttl_s = ttl_s;
  if (probe->drop_when_renewed) {
    peri_lease_drop(probe);
  }
}

static void lost(void *ctx) {
  struct peri_lease_probe *probe = ctx;
  probe->lost++;
  if (probe->drop_when_lost) {
    peri_lease_drop(probe);
  }
}

static void trouble(void *ctx, const struct peri_etcd_error *error) {
  struct peri_lease_probe *probe = ctx;
  if (error == NULL) {
    probe->recovered++;
    return;
  }
  probe->troubles++;
  probe->kind = error->kind;
  if (probe->drop_when_troubled) {
    peri_lease_drop(probe);
  }
}

static const struct peri_etcd_kept_events events = {
    .renewed = renewed,
    .lost = lost,
    .trouble = trouble,
};

int peri_lease_keep(struct peri_lease_rig *rig, struct peri_lease_probe *probe,
                    int64_t id, int64_t ttl_s) {
  probe->renewed_ns = peri_clock_mono_ns();
  return peri_etcd_keeper_add(rig->keeper, id, ttl_s, probe->renewed_ns,
                              &events, probe, &probe->kept);
}
