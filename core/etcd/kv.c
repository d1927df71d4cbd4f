#include "etcd/kv.h"

#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/kv_private.h"

size_t peri_etcd_prefix_end(struct peri_slice prefix, char *ret_end) {
  size_t len = prefix.len;
  while (len > 0 && (unsigned char)prefix.ptr[len - 1] == 0xff) {
    len--;
  }
  if (len == 0) {
    ret_end[0] = '\0';
    return 1;
  }
  memmove(ret_end, prefix.ptr, len);
  ret_end[len - 1] = (char)((unsigned char)ret_end[len - 1] + 1);
  return len;
}

void peri_etcd_kv_fill(struct peri_etcd_kv *kvs,
                       const struct Etcdpb__KeyValue *const *from,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    kvs[i].key = peri_proto_slice(from[i]->key);
    kvs[i].value = peri_proto_slice(from[i]->value);
    kvs[i].create_revision = from[i]->create_revision;
    kvs[i].mod_revision = from[i]->mod_revision;
    kvs[i].version = from[i]->version;
    kvs[i].lease = from[i]->lease;
  }
}

struct range_state {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_range_result *result);
  void *ctx;
};

static void range_done(void *state, const struct peri_etcd_error *error,
                       struct peri_slice message) {
  const struct range_state *range = state;
  struct peri_etcd_error own;
  Etcdpb__RangeResponse *response = NULL;
  struct peri_etcd_kv *kvs = NULL;
  if (error == NULL) {
    response = (Etcdpb__RangeResponse *)peri_etcd_unpack(
        &etcdpb__range_response__descriptor, message, &own);
    error = response == NULL ? &own : NULL;
  }
  if (error == NULL) {
    kvs = malloc((response->n_kvs + 1) * sizeof(*kvs));
    if (kvs == NULL) {
      peri_etcd_error_set(&own, PERI_ETCD_BUSY, "out of memory");
      error = &own;
    }
  }
  if (error != NULL) {
    range->done(range->ctx, error, NULL);
  } else {
    peri_etcd_kv_fill(kvs, (const Etcdpb__KeyValue *const *)response->kvs,
                      response->n_kvs);
    struct peri_etcd_range_result result = {
        .revision = peri_etcd_revision(response->header),
        .raft_term = response->header != NULL ? response->header->raft_term : 0,
        .kvs = kvs,
        .kv_count = response->n_kvs,
        .more = response->more,
        .total = response->count};
    range->done(range->ctx, NULL, &result);
  }
  free(kvs);
  if (response != NULL) {
    etcdpb__range_response__free_unpacked(response, NULL);
  }
}

int64_t peri_etcd_revision(const struct Etcdpb__ResponseHeader *header) {
  return header != NULL ? header->revision : 0;
}

int peri_etcd_range(struct peri_etcd *etcd, const struct peri_etcd_range *range,
                    void (*done)(void *ctx, const struct peri_etcd_error *error,
                                 const struct peri_etcd_range_result *result),
                    void *ctx, struct peri_etcd_call **ret_call) {
  Etcdpb__RangeRequest message = ETCDPB__RANGE_REQUEST__INIT;
  struct range_state state = {done, ctx};
  message.key = peri_proto_bytes(range->key);
  message.range_end = peri_proto_bytes(range->range_end);
  message.limit = range->limit;
  message.revision = range->revision;
  message.serializable = range->serializable;
  message.keys_only = range->keys_only;
  message.count_only = range->count_only;
  if (range->sort == PERI_ETCD_NEWEST_FIRST) {
    message.sort_order = ETCDPB__RANGE_REQUEST__SORT_ORDER__DESCEND;
    message.sort_target = ETCDPB__RANGE_REQUEST__SORT_TARGET__MOD;
  }
  struct peri_etcd_request request = {.path = "/etcdserverpb.KV/Range",
                                      .replay = true,
                                      .leaderless = range->serializable,
                                      .endpoint = -1};
  return peri_etcd_call_packed(etcd, &request, &message.base, range_done,
                               &state, sizeof(state), ret_call);
}

struct put_state {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               int64_t revision);
  void *ctx;
};

static void put_done(void *state, const struct peri_etcd_error *error,
                     struct peri_slice message) {
  const struct put_state *put = state;
  struct peri_etcd_error own;
  Etcdpb__PutResponse *response = NULL;
  if (error == NULL) {
    response = (Etcdpb__PutResponse *)peri_etcd_unpack(
        &etcdpb__put_response__descriptor, message, &own);
    error = response == NULL ? &own : NULL;
  }
  if (error != NULL) {
    put->done(put->ctx, error, 0);
    return;
  }
  int64_t revision = peri_etcd_revision(response->header);
  etcdpb__put_response__free_unpacked(response, NULL);
  put->done(put->ctx, NULL, revision);
}

int peri_etcd_put(struct peri_etcd *etcd, struct peri_slice key,
                  struct peri_slice value, int64_t lease,
                  void (*done)(void *ctx, const struct peri_etcd_error *error,
                               int64_t revision),
                  void *ctx, struct peri_etcd_call **ret_call) {
  Etcdpb__PutRequest message = ETCDPB__PUT_REQUEST__INIT;
  struct put_state state = {done, ctx};
  message.key = peri_proto_bytes(key);
  message.value = peri_proto_bytes(value);
  message.lease = lease;
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.KV/Put", .replay = true, .endpoint = -1};
  return peri_etcd_call_packed(etcd, &request, &message.base, put_done, &state,
                               sizeof(state), ret_call);
}

struct delete_state {
  void (*done)(void *ctx, const struct peri_etcd_error *error, int64_t deleted,
               int64_t revision);
  void *ctx;
};

static void delete_done(void *state, const struct peri_etcd_error *error,
                        struct peri_slice message) {
  const struct delete_state *removal = state;
  struct peri_etcd_error own;
  Etcdpb__DeleteRangeResponse *response = NULL;
  if (error == NULL) {
    response = (Etcdpb__DeleteRangeResponse *)peri_etcd_unpack(
        &etcdpb__delete_range_response__descriptor, message, &own);
    error = response == NULL ? &own : NULL;
  }
  if (error != NULL) {
    removal->done(removal->ctx, error, 0, 0);
    return;
  }
  int64_t deleted = response->deleted;
  int64_t revision = peri_etcd_revision(response->header);
  etcdpb__delete_range_response__free_unpacked(response, NULL);
  removal->done(removal->ctx, NULL, deleted, revision);
}

int peri_etcd_delete(struct peri_etcd *etcd, struct peri_slice key,
                     struct peri_slice range_end,
                     void (*done)(void *ctx,
                                  const struct peri_etcd_error *error,
                                  int64_t deleted, int64_t revision),
                     void *ctx, struct peri_etcd_call **ret_call) {
  Etcdpb__DeleteRangeRequest message = ETCDPB__DELETE_RANGE_REQUEST__INIT;
  struct delete_state state = {done, ctx};
  message.key = peri_proto_bytes(key);
  message.range_end = peri_proto_bytes(range_end);
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.KV/DeleteRange", .replay = true, .endpoint = -1};
  return peri_etcd_call_packed(etcd, &request, &message.base, delete_done,
                               &state, sizeof(state), ret_call);
}
