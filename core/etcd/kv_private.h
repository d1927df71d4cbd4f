#pragma once

#include "etcd/kv.h"
#include "etcd/private.h"

struct Etcdpb__KeyValue;
struct Etcdpb__ResponseHeader;

/// Fills `count` keys with values, which stay `from`'s.
void peri_etcd_kv_fill(struct peri_etcd_kv *kvs,
                       const struct Etcdpb__KeyValue *const *from,
                       size_t count);

/// The revision in a header, or 0 when there is none.
int64_t peri_etcd_revision(const struct Etcdpb__ResponseHeader *header);
