#include "etcd/lease.h"

#include <etcd.pb-c.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "etcd/keepalive_private.h"
#include "etcd/private.h"

static const uint64_t NS_PER_S = 1000000000;

struct granting {
  void (*done)(void *ctx, const struct peri_etcd_error *error, int64_t ttl_s);
  void *ctx;
  int64_t id;
  int64_t asked_s;
  uint64_t started_ns;
  struct peri_etcd_error exists;  // what the server said to the last attempt
};

struct revoking {
  void (*done)(void *ctx, const struct peri_etcd_error *error);
  void *ctx;
};

struct asking {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_lease_info *info);
  void *ctx;
};

static const struct peri_etcd_request ttl_request = {
    .path = "/etcdserverpb.Lease/LeaseTimeToLive",
    .replay = true,
    .endpoint = -1,
};

int64_t peri_etcd_lease_id(void) {
  int64_t id = 0;
  while (id == 0) {
    id = (int64_t)(peri_hash_random_seed() >> 1);
  }
  return id;
}

static bool is_ttl(int64_t ttl_s) {
  return ttl_s > 0 && ttl_s <= PERI_KEEP_MAX_TTL_S;
}

/// Whether the lease that exists is one that this call made: granted for long
/// enough, no older than the call, and without keys. IDs are random, so what
/// looks like ours is.
static bool is_ours(const struct granting *grant,
                    const Etcdpb__LeaseTimeToLiveResponse *info) {
  uint64_t age_s = (peri_clock_mono_ns() - grant->started_ns) / NS_PER_S;
  return is_ttl(info->grantedttl) && info->grantedttl >= grant->asked_s &&
         info->n_keys == 0 &&
         info->ttl >= info->grantedttl - (int64_t)age_s - 2;
}

static void existing(void *state, const struct peri_etcd_error *error,
                     struct peri_slice message) {
  struct granting *grant = state;
  struct peri_etcd_error problem;
  if (error != NULL) {
    grant->done(grant->ctx, error, 0);
    return;
  }
  Etcdpb__LeaseTimeToLiveResponse *info =
      (Etcdpb__LeaseTimeToLiveResponse *)peri_etcd_unpack(
          &etcdpb__lease_time_to_live_response__descriptor, message, &problem);
  if (info == NULL) {
    grant->done(grant->ctx, &problem, 0);
    return;
  }
  bool ours = is_ours(grant, info);
  int64_t ttl_s = info->grantedttl;
  etcdpb__lease_time_to_live_response__free_unpacked(info, NULL);
  grant->done(grant->ctx, ours ? NULL : &grant->exists, ours ? ttl_s : 0);
}

static void granted(void *state, const struct peri_etcd_error *error,
                    struct peri_slice message) {
  struct granting *grant = state;
  struct peri_etcd_error problem;
  if (error != NULL && error->kind == PERI_ETCD_LEASE_EXISTS) {
    grant->exists = *error;
    Etcdpb__LeaseTimeToLiveRequest ask =
        ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
    ask.id = grant->id;
    ask.keys = 1;
    if (peri_etcd_call_again(state, &ttl_request, &ask.base, existing) == 0) {
      return;
    }
  }
  if (error != NULL) {
    grant->done(grant->ctx, error, 0);
    return;
  }

  Etcdpb__LeaseGrantResponse *answer =
      (Etcdpb__LeaseGrantResponse *)peri_etcd_unpack(
          &etcdpb__lease_grant_response__descriptor, message, &problem);
  int64_t ttl_s = 0;
  if (answer != NULL) {
    if (answer->id == grant->id && is_ttl(answer->ttl)) {
      ttl_s = answer->ttl;
    } else {
      peri_etcd_error_set(&problem, PERI_ETCD_GARBAGE,
                          "the answer is no grant of that lease");
    }
    etcdpb__lease_grant_response__free_unpacked(answer, NULL);
  }
  grant->done(grant->ctx, ttl_s > 0 ? NULL : &problem, ttl_s);
}

int peri_etcd_lease_grant(struct peri_etcd *etcd, int64_t id, int64_t ttl_s,
                          void (*done)(void *ctx,
                                       const struct peri_etcd_error *error,
                                       int64_t ttl_s),
                          void *ctx, struct peri_etcd_call **ret_call) {
  struct granting grant = {
      .done = done,
      .ctx = ctx,
      .id = id,
      .asked_s = ttl_s,
      .started_ns = peri_clock_mono_ns(),
  };
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.Lease/LeaseGrant",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__LeaseGrantRequest message = ETCDPB__LEASE_GRANT_REQUEST__INIT;
  message.id = id;
  message.ttl = ttl_s;
  return peri_etcd_call_packed(etcd, &request, &message.base, granted, &grant,
                               sizeof(grant), ret_call);
}

static void revoked(void *state, const struct peri_etcd_error *error,
                    struct peri_slice message) {
  struct revoking *revoke = state;
  (void)message;  // holds nothing
  bool gone = error != NULL && error->kind == PERI_ETCD_NO_LEASE;
  revoke->done(revoke->ctx, gone ? NULL : error);
}

int peri_etcd_lease_revoke(struct peri_etcd *etcd, int64_t id,
                           void (*done)(void *ctx,
                                        const struct peri_etcd_error *error),
                           void *ctx, struct peri_etcd_call **ret_call) {
  struct revoking revoke = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.Lease/LeaseRevoke",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__LeaseRevokeRequest message = ETCDPB__LEASE_REVOKE_REQUEST__INIT;
  message.id = id;
  return peri_etcd_call_packed(etcd, &request, &message.base, revoked, &revoke,
                               sizeof(revoke), ret_call);
}

/// Tells what the answer holds; its keys are borrowed from it.
static void tell_info(const struct asking *ask,
                      const Etcdpb__LeaseTimeToLiveResponse *answer) {
  struct peri_etcd_error problem;
  struct peri_slice *keys = NULL;
  if (answer->n_keys > 0) {
    keys = calloc(answer->n_keys, sizeof(*keys));
    if (keys == NULL) {
      peri_etcd_error_set(&problem, PERI_ETCD_BUSY, "out of memory");
      ask->done(ask->ctx, &problem, NULL);
      return;
    }
    for (size_t i = 0; i < answer->n_keys; i++) {
      keys[i] = peri_proto_slice(answer->keys[i]);
    }
  }
  struct peri_etcd_lease_info info = {
      .ttl_s = answer->ttl,
      .granted_ttl_s = answer->grantedttl,
      .keys = keys,
      .key_count = answer->n_keys,
  };
  ask->done(ask->ctx, NULL, &info);
  free(keys);
}

static void asked(void *state, const struct peri_etcd_error *error,
                  struct peri_slice message) {
  const struct asking *ask = state;
  struct peri_etcd_error problem;
  if (error != NULL) {
    ask->done(ask->ctx, error, NULL);
    return;
  }
  Etcdpb__LeaseTimeToLiveResponse *answer =
      (Etcdpb__LeaseTimeToLiveResponse *)peri_etcd_unpack(
          &etcdpb__lease_time_to_live_response__descriptor, message, &problem);
  if (answer == NULL) {
    ask->done(ask->ctx, &problem, NULL);
    return;
  }
  tell_info(ask, answer);
  etcdpb__lease_time_to_live_response__free_unpacked(answer, NULL);
}

int peri_etcd_lease_info(struct peri_etcd *etcd, int64_t id, bool keys,
                         void (*done)(void *ctx,
                                      const struct peri_etcd_error *error,
                                      const struct peri_etcd_lease_info *info),
                         void *ctx, struct peri_etcd_call **ret_call) {
  struct asking ask = {.done = done, .ctx = ctx};
  Etcdpb__LeaseTimeToLiveRequest message =
      ETCDPB__LEASE_TIME_TO_LIVE_REQUEST__INIT;
  message.id = id;
  message.keys = keys;
  return peri_etcd_call_packed(etcd, &ttl_request, &message.base, asked, &ask,
                               sizeof(ask), ret_call);
}
