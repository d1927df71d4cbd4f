#include "etcd/lock.h"

#include <etcd.pb-c.h>

#include "etcd/private.h"

struct locking {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               struct peri_slice key);
  void *ctx;
};

struct unlocking {
  void (*done)(void *ctx, const struct peri_etcd_error *error);
  void *ctx;
};

static void locked(void *state, const struct peri_etcd_error *error,
                   struct peri_slice message) {
  const struct locking *lock = state;
  struct peri_etcd_error problem;
  struct peri_slice none = {0};
  if (error != NULL) {
    lock->done(lock->ctx, error, none);
    return;
  }
  Etcdpb__LockResponse *answer = (Etcdpb__LockResponse *)peri_etcd_unpack(
      &etcdpb__lock_response__descriptor, message, &problem);
  if (answer == NULL) {
    lock->done(lock->ctx, &problem, none);
    return;
  }
  lock->done(lock->ctx, NULL, peri_proto_slice(answer->key));
  etcdpb__lock_response__free_unpacked(answer, NULL);
}

int peri_etcd_lock(struct peri_etcd *etcd, struct peri_slice name,
                   int64_t lease,
                   void (*done)(void *ctx, const struct peri_etcd_error *error,
                                struct peri_slice key),
                   void *ctx, struct peri_etcd_call **ret_call) {
  struct locking lock = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3lockpb.Lock/Lock",
      .replay = true,  // the key in the queue is made of name and lease
      .timeout_ms = UINT32_MAX,
      .endpoint = -1,
  };
  Etcdpb__LockRequest message = ETCDPB__LOCK_REQUEST__INIT;
  message.name = peri_proto_bytes(name);
  message.lease = lease;
  return peri_etcd_call_packed(etcd, &request, &message.base, locked, &lock,
                               sizeof(lock), ret_call);
}

static void unlocked(void *state, const struct peri_etcd_error *error,
                     struct peri_slice message) {
  const struct unlocking *unlock = state;
  (void)message;  // holds nothing
  unlock->done(unlock->ctx, error);
}

int peri_etcd_unlock(struct peri_etcd *etcd, struct peri_slice key,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error),
                     void *ctx, struct peri_etcd_call **ret_call) {
  struct unlocking unlock = {.done = done, .ctx = ctx};
  struct peri_etcd_request request = {
      .path = "/v3lockpb.Lock/Unlock",
      .replay = true,
      .endpoint = -1,
  };
  Etcdpb__UnlockRequest message = ETCDPB__UNLOCK_REQUEST__INIT;
  message.key = peri_proto_bytes(key);
  return peri_etcd_call_packed(etcd, &request, &message.base, unlocked, &unlock,
                               sizeof(unlock), ret_call);
}
