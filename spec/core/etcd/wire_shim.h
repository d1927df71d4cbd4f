#pragma once

#include "base/buffer.h"
#include "etcd/error.h"

/// Packs a PutRequest.
int shim_wire_pack(struct peri_slice key, struct peri_slice value,
                   struct peri_buffer *buffer);
/// Unpacks one, as "key=value"; false with the error when it is none.
bool shim_wire_unpack(struct peri_slice bytes, struct peri_buffer *buffer,
                      struct peri_etcd_error *ret_error);

/// How many keys the range response in `bytes` has; -1 when it is none.
long shim_wire_range(struct peri_slice bytes,
                     struct peri_etcd_error *ret_error);
