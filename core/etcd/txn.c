#include <etcd.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "etcd/kv_private.h"

/// All that a request points at, in one piece.
struct parts {
  Etcdpb__Compare *compares;
  Etcdpb__Compare **compare_list;
  Etcdpb__RequestOp *ops;  // of both branches
  Etcdpb__RequestOp **op_list;
  union {
    Etcdpb__RangeRequest range;
    Etcdpb__PutRequest put;
    Etcdpb__DeleteRangeRequest removal;
  } * bodies;
};

struct txn_state {
  void (*done)(void *ctx, const struct peri_etcd_error *error,
               const struct peri_etcd_txn_result *result);
  void *ctx;
};

static void compare_of(const struct peri_etcd_compare *from,
                       Etcdpb__Compare *compare) {
  etcdpb__compare__init(compare);
  compare->key = peri_proto_bytes(from->key);
  compare->result = (Etcdpb__Compare__CompareResult)from->relation;
  compare->target = (Etcdpb__Compare__CompareTarget)from->target;
  switch (from->target) {
    case PERI_ETCD_VERSION:
      compare->target_union_case = ETCDPB__COMPARE__TARGET_UNION_VERSION;
      compare->version = from->number;
      break;
    case PERI_ETCD_CREATE:
      compare->target_union_case =
          ETCDPB__COMPARE__TARGET_UNION_CREATE_REVISION;
      compare->create_revision = from->number;
      break;
    case PERI_ETCD_MOD:
      compare->target_union_case = ETCDPB__COMPARE__TARGET_UNION_MOD_REVISION;
      compare->mod_revision = from->number;
      break;
    case PERI_ETCD_LEASE:
      compare->target_union_case = ETCDPB__COMPARE__TARGET_UNION_LEASE;
      compare->lease = from->number;
      break;
    default:
      compare->target_union_case = ETCDPB__COMPARE__TARGET_UNION_VALUE;
      compare->value = peri_proto_bytes(from->value);
      break;
  }
}

static void op_of(const struct peri_etcd_op *from, struct parts *parts,
                  size_t at) {
  Etcdpb__RequestOp *op = &parts->ops[at];
  parts->op_list[at] = op;
  etcdpb__request_op__init(op);
  if (from->kind == PERI_ETCD_OP_PUT) {
    Etcdpb__PutRequest *put = &parts->bodies[at].put;
    etcdpb__put_request__init(put);
    put->key = peri_proto_bytes(from->key);
    put->value = peri_proto_bytes(from->value);
    put->lease = from->lease;
    op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    op->request_put = put;
  } else if (from->kind == PERI_ETCD_OP_DELETE) {
    Etcdpb__DeleteRangeRequest *removal = &parts->bodies[at].removal;
    etcdpb__delete_range_request__init(removal);
    removal->key = peri_proto_bytes(from->key);
    removal->range_end = peri_proto_bytes(from->range_end);
    op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE;
    op->request_delete_range = removal;
  } else {
    Etcdpb__RangeRequest *range = &parts->bodies[at].range;
    etcdpb__range_request__init(range);
    range->key = peri_proto_bytes(from->key);
    range->range_end = peri_proto_bytes(from->range_end);
    op->request_case = ETCDPB__REQUEST_OP__REQUEST_REQUEST_RANGE;
    op->request_range = range;
  }
}

static void parts_free(struct parts *parts) {
  free(parts->compares);
  free(parts->compare_list);
  free(parts->ops);
  free(parts->op_list);
  free(parts->bodies);
}

static int parts_make(size_t compares, size_t ops, struct parts *ret_parts) {
  struct parts parts = {
      .compares = calloc(compares + 1, sizeof(*parts.compares)),
      .compare_list = calloc(compares + 1, sizeof(*parts.compare_list)),
      .ops = calloc(ops + 1, sizeof(*parts.ops)),
      .op_list = calloc(ops + 1, sizeof(*parts.op_list)),
      .bodies = calloc(ops + 1, sizeof(*parts.bodies))};
  if (parts.compares == NULL || parts.compare_list == NULL ||
      parts.ops == NULL || parts.op_list == NULL || parts.bodies == NULL) {
    parts_free(&parts);
    return PERI_ENOMEM;
  }
  *ret_parts = parts;
  return 0;
}

/// What the GETs found, in one array, which the caller frees; NULL when there
/// is no memory.
static struct peri_etcd_kv *found(const Etcdpb__TxnResponse *response,
                                  size_t *ret_count) {
  size_t count = 0;
  for (int fill = 0; fill < 2; fill++) {
    struct peri_etcd_kv *kvs = fill ? malloc((count + 1) * sizeof(*kvs)) : NULL;
    if (fill && kvs == NULL) {
      return NULL;
    }
    count = 0;
    for (size_t i = 0; i < response->n_responses; i++) {
      const Etcdpb__ResponseOp *op = response->responses[i];
      if (op->response_case != ETCDPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE) {
        continue;
      }
      if (fill) {
        peri_etcd_kv_fill(
            kvs + count,
            (const Etcdpb__KeyValue *const *)op->response_range->kvs,
            op->response_range->n_kvs);
      }
      count += op->response_range->n_kvs;
    }
    if (fill) {
      *ret_count = count;
      return kvs;
    }
  }
  return NULL;
}

static void txn_done(void *state, const struct peri_etcd_error *error,
                     struct peri_slice message) {
  const struct txn_state *txn = state;
  struct peri_etcd_error own;
  struct peri_etcd_txn_result result;
  struct peri_etcd_kv *kvs = NULL;
  Etcdpb__TxnResponse *response = NULL;
  memset(&result, 0, sizeof(result));
  if (error == NULL) {
    response = (Etcdpb__TxnResponse *)peri_etcd_unpack(
        &etcdpb__txn_response__descriptor, message, &own);
    error = response == NULL ? &own : NULL;
  }
  if (error == NULL) {
    kvs = found(response, &result.kv_count);
    if (kvs == NULL) {
      peri_etcd_error_set(&own, PERI_ETCD_BUSY, "out of memory");
      error = &own;
    }
  }
  if (error != NULL) {
    txn->done(txn->ctx, error, NULL);
  } else {
    result.succeeded = response->succeeded;
    result.revision = peri_etcd_revision(response->header);
    result.kvs = kvs;
    txn->done(txn->ctx, NULL, &result);
  }
  free(kvs);
  if (response != NULL) {
    etcdpb__txn_response__free_unpacked(response, NULL);
  }
}

int peri_etcd_txn(struct peri_etcd *etcd, const struct peri_etcd_txn *txn,
                  void (*done)(void *ctx, const struct peri_etcd_error *error,
                               const struct peri_etcd_txn_result *result),
                  void *ctx, struct peri_etcd_call **ret_call) {
  struct parts parts;
  int rc = parts_make(txn->compare_count,
                      txn->then_count + txn->otherwise_count, &parts);
  if (rc < 0) {
    return rc;
  }
  for (size_t i = 0; i < txn->compare_count; i++) {
    compare_of(&txn->compares[i], &parts.compares[i]);
    parts.compare_list[i] = &parts.compares[i];
  }
  for (size_t i = 0; i < txn->then_count; i++) {
    op_of(&txn->then[i], &parts, i);
  }
  for (size_t i = 0; i < txn->otherwise_count; i++) {
    op_of(&txn->otherwise[i], &parts, txn->then_count + i);
  }
  Etcdpb__TxnRequest message = ETCDPB__TXN_REQUEST__INIT;
  struct txn_state state = {done, ctx};
  message.n_compare = txn->compare_count;
  message.compare = parts.compare_list;
  message.n_success = txn->then_count;
  message.success = parts.op_list;
  message.n_failure = txn->otherwise_count;
  message.failure = parts.op_list + txn->then_count;
  struct peri_etcd_request request = {
      .path = "/etcdserverpb.KV/Txn", .replay = txn->replay, .endpoint = -1};
  rc = peri_etcd_call_packed(etcd, &request, &message.base, txn_done, &state,
                             sizeof(state), ret_call);
  parts_free(&parts);
  return rc;
}
