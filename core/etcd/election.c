#include "etcd/election.h"

#include <etcd.pb-c.h>
#include <string.h>

#include "etcd/kv_private.h"

struct campaigning {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_leader *leader);
  void *ctx;
};

struct looking {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_kv *kv);
  void *ctx;
};

/// Of the calls that answer nothing but how it went.
struct telling {
  void (*done)(void *ctx, const struct peri_etcd_error *error);
  void *ctx;
};

static const struct peri_etcd_error misled = {
    .kind = PERI_ETCD_GARBAGE,
    .status = -1,
    .text = "the answer to an election's call names nobody",
};

static void leads(void *state, const struct peri_etcd_error *error,
                  struct peri_slice message) {
  const struct campaigning *campaign = state;
  struct peri_etcd_error problem;
  if (error != NULL) {
    campaign->done(campaign->ctx, error, NULL);
    return;
  }
  Etcdpb__CampaignResponse *answer =
      (Etcdpb__CampaignResponse *)peri_etcd_unpack(
          &etcdpb__campaign_response__descriptor, message, &problem);
  if (answer == NULL) {
    campaign->done(campaign->ctx, &problem, NULL);
    return;
  }
  if (answer->leader != NULL) {
    struct peri_etcd_leader leader = {
        .name = peri_proto_slice(answer->leader->name),
        .key = peri_proto_slice(answer->leader->key),
        .revision = answer->leader->rev,
        .lease = answer->leader->lease,
    };
    campaign->done(campaign->ctx, NULL, &leader);
  } else {
    campaign->done(campaign->ctx, &misled, NULL);
  }
  etcdpb__campaign_response__free_unpacked(answer, NULL);
}

int peri_etcd_campaign(struct peri_etcd *etcd, struct peri_slice name,
                       int64_t lease, struct peri_slice value,
                       void (*done)(void *ctx,
                                    const struct peri_etcd_error *error,
                                    const struct peri_etcd_leader *leader),
                       void *ctx, struct peri_etcd_call **ret_call) {
  struct campaigning campaign = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3electionpb.Election/Campaign",
      .replay = true,  // the candidate's key is made of name and lease
      .timeout_ms = UINT32_MAX,
      .endpoint = -1,
  };
  Etcdpb__CampaignRequest message = ETCDPB__CAMPAIGN_REQUEST__INIT;
  message.name = peri_proto_bytes(name);
  message.lease = lease;
  message.value = peri_proto_bytes(value);
  return peri_etcd_call_packed(etcd, &request, &message.base, leads, &campaign,
                               sizeof(campaign), ret_call);
}

static void told(void *state, const struct peri_etcd_error *error,
                 struct peri_slice message) {
  const struct telling *tell = state;
  (void)message;  // holds nothing
  tell->done(tell->ctx, error);
}

static void leader_fill(const struct peri_etcd_leader *leader,
                        Etcdpb__LeaderKey *ret_key) {
  etcdpb__leader_key__init(ret_key);
  ret_key->name = peri_proto_bytes(leader->name);
  ret_key->key = peri_proto_bytes(leader->key);
  ret_key->rev = leader->revision;
  ret_key->lease = leader->lease;
}

int peri_etcd_proclaim(struct peri_etcd *etcd,
                       const struct peri_etcd_leader *leader,
                       struct peri_slice value,
                       void (*done)(void *ctx,
                                    const struct peri_etcd_error *error),
                       void *ctx, struct peri_etcd_call **ret_call) {
  struct telling tell = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3electionpb.Election/Proclaim",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__LeaderKey key;
  leader_fill(leader, &key);
  Etcdpb__ProclaimRequest message = ETCDPB__PROCLAIM_REQUEST__INIT;
  message.leader = &key;
  message.value = peri_proto_bytes(value);
  return peri_etcd_call_packed(etcd, &request, &message.base, told, &tell,
                               sizeof(tell), ret_call);
}

static void found(void *state, const struct peri_etcd_error *error,
                  struct peri_slice message) {
  const struct looking *look = state;
  struct peri_etcd_error problem;
  if (error != NULL) {
    bool nobody = strstr(error->text, "election: no leader") != NULL;
    look->done(look->ctx, nobody ? NULL : error, NULL);
    return;
  }
  Etcdpb__LeaderResponse *answer = (Etcdpb__LeaderResponse *)peri_etcd_unpack(
      &etcdpb__leader_response__descriptor, message, &problem);
  if (answer == NULL) {
    look->done(look->ctx, &problem, NULL);
    return;
  }
  if (answer->kv != NULL) {
    struct peri_etcd_kv kv;
    peri_etcd_kv_fill(&kv, (const Etcdpb__KeyValue *const *)&answer->kv, 1);
    look->done(look->ctx, NULL, &kv);
  } else {
    look->done(look->ctx, &misled, NULL);
  }
  etcdpb__leader_response__free_unpacked(answer, NULL);
}

int peri_etcd_leader(struct peri_etcd *etcd, struct peri_slice name,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  const struct peri_etcd_kv *kv),
                     void *ctx, struct peri_etcd_call **ret_call) {
  struct looking look = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3electionpb.Election/Leader",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__LeaderRequest message = ETCDPB__LEADER_REQUEST__INIT;
  message.name = peri_proto_bytes(name);
  return peri_etcd_call_packed(etcd, &request, &message.base, found, &look,
                               sizeof(look), ret_call);
}

int peri_etcd_resign(struct peri_etcd *etcd,
                     const struct peri_etcd_leader *leader,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error),
                     void *ctx, struct peri_etcd_call **ret_call) {
  struct telling tell = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3electionpb.Election/Resign",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__LeaderKey key;
  leader_fill(leader, &key);
  Etcdpb__ResignRequest message = ETCDPB__RESIGN_REQUEST__INIT;
  message.leader = &key;
  return peri_etcd_call_packed(etcd, &request, &message.base, told, &tell,
                               sizeof(tell), ret_call);
}
