#include "etcd/call_shim.h"

#include <etcd.pb-c.h>

#include "etcd/private.h"

struct state {
  struct shim_chain *chain;
};

static void step(void *state, const struct peri_etcd_error *error,
                 struct peri_slice message) {
  struct shim_chain *chain = ((struct state *)state)->chain;
  Etcdpb__RangeRequest next = ETCDPB__RANGE_REQUEST__INIT;
  struct peri_slice key = {"key", 3};
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.KV/Range", .replay = true, .endpoint = -1};
  (void)message;
  chain->steps += error == NULL;
  if (error == NULL && chain->steps < chain->wanted) {
    next.key = peri_proto_bytes(key);
    if (peri_etcd_call_again(state, &request, &next.base, step) == 0) {
      return;
    }
  }
  chain->ended++;
  chain->kind = error != NULL ? error->kind : 0;
}

int shim_chain_start(struct peri_etcd *etcd, int steps,
                     struct shim_chain *chain) {
  struct state state = {chain};
  Etcdpb__StatusRequest message = ETCDPB__STATUS_REQUEST__INIT;
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.Maintenance/Status",
      .replay = true,
      .endpoint = -1};
  chain->wanted = steps;
  return peri_etcd_call_packed(etcd, &request, &message.base, step, &state,
                               sizeof(state), &chain->call);
}
