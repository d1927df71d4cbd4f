#include "etcd/maintenance.h"

#include <etcd.pb-c.h>

#include "etcd/private.h"

struct status_state {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_member_status *status);
  void *ctx;
};

static void status_done(void *state, const struct peri_etcd_error *error,
                        struct peri_slice message) {
  const struct status_state *call = state;
  struct peri_etcd_error own;
  Etcdpb__StatusResponse *response = NULL;
  if (error == NULL) {
    response = (Etcdpb__StatusResponse *)peri_etcd_unpack(
        &etcdpb__status_response__descriptor, message, &own);
    error = response == NULL ? &own : NULL;
  }
  if (error != NULL) {
    call->done(call->ctx, error, NULL);
    return;
  }
  const Etcdpb__ResponseHeader *header = response->header;
  struct peri_etcd_member_status status = {
      .version = peri_proto_slice(response->version),
      .member_id = header != NULL ? header->member_id : 0,
      .leader = response->leader,
      .revision = header != NULL ? header->revision : 0,
      .raft_term = response->raftterm,
      .db_bytes = response->dbsize,
      .learner = response->islearner};
  call->done(call->ctx, NULL, &status);
  etcdpb__status_response__free_unpacked(response, NULL);
}

int peri_etcd_status(struct peri_etcd *etcd, int endpoint,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  const struct peri_etcd_member_status *status),
                     void *ctx, struct peri_etcd_call **ret_call) {
  Etcdpb__StatusRequest message = ETCDPB__STATUS_REQUEST__INIT;
  struct status_state state = {done, ctx};
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.Maintenance/Status",
      .replay = true,
      .leaderless = true,
      .endpoint = endpoint};
  return peri_etcd_call_packed(etcd, &request, &message.base, status_done,
                               &state, sizeof(state), ret_call);
}
