#include "etcd/wire_shim.h"

#include <etcd.pb-c.h>

#include "etcd/private.h"

int shim_wire_pack(struct peri_slice key, struct peri_slice value,
                   struct peri_buffer *buffer) {
  Etcdpb__PutRequest message = ETCDPB__PUT_REQUEST__INIT;
  message.key = peri_proto_bytes(key);
  message.value = peri_proto_bytes(value);
  return peri_proto_pack(&message.base, buffer);
}

bool shim_wire_unpack(struct peri_slice bytes, struct peri_buffer *buffer,
                      struct peri_etcd_error *ret_error) {
  Etcdpb__PutRequest *message = (Etcdpb__PutRequest *)peri_etcd_unpack(
      &etcdpb__put_request__descriptor, bytes, ret_error);
  if (message == NULL) {
    return false;
  }
  struct peri_slice key = peri_proto_slice(message->key);
  struct peri_slice value = peri_proto_slice(message->value);
  peri_buffer_add(buffer, key.ptr, key.len);
  peri_buffer_add(buffer, "=", 1);
  peri_buffer_add(buffer, value.ptr, value.len);
  etcdpb__put_request__free_unpacked(message, NULL);
  return true;
}

long shim_wire_range(struct peri_slice bytes,
                     struct peri_etcd_error *ret_error) {
  Etcdpb__RangeResponse *message = (Etcdpb__RangeResponse *)peri_etcd_unpack(
      &etcdpb__range_response__descriptor, bytes, ret_error);
  if (message == NULL) {
    return -1;
  }
  long count = (long)message->n_kvs;
  etcdpb__range_response__free_unpacked(message, NULL);
  return count;
}
