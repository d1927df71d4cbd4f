#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

struct peri_json;

/// What a registered endpoint is: etcd's naming package writes and reads it as
/// key `<prefix><service>/<host:port>`, value
/// `{"Op":0,"Addr":"<host:port>","Metadata":…}` (client/v3/naming/endpoints).
struct peri_record {
  struct peri_slice address;   // "10.0.0.7:7402"
  struct peri_slice zone;      // "" when unknown
  struct peri_slice version;   // of the application, "" when unknown
  struct peri_slice protocol;  // "grpc" by default; "perigee" for a sidecar
  uint32_t weight;             // 1 … 65535
  struct peri_json *metadata;  // the rest of what it says, may be NULL
};

/// Appends `<prefix><service>/<address>`. @return 0, PERI_EINVAL (a service
/// that is empty, has a '/' at an edge or two in a row, or control characters;
/// an address that does not parse or has port 0) or PERI_ENOMEM.
int peri_record_key(struct peri_slice prefix, struct peri_slice service,
                    struct peri_slice address, struct peri_buffer *key);

/// Appends the value: Metadata is an object of `weight`, `zone`, `version`,
/// `protocol` (what is not said is left out; a weight of 0 is not said) and the
/// members of `metadata` but for those four names; null when all are left out.
/// @return 0, PERI_EINVAL (what peri_record_read() would refuse: not UTF-8, a
/// NUL, a weight over 65,535, no address, over 64 KiB) or PERI_ENOMEM.
int peri_record_write(const struct peri_record *record,
                      struct peri_buffer *value);

/// A record read; freed by peri_record_done(). The slices belong to `json`.
struct peri_record_read {
  struct peri_record record;
  struct peri_json *json;
};

/// Reads a value as other writers may have written it too: Metadata null, an
/// object, a string holding JSON (etcd's grpc-proxy) or any other JSON; weight
/// as number or as digits in a string (a weight that is none, or outside
/// 1 … 65535, makes the record bad; none at all is 1). Zone, version and
/// protocol count when they are strings. The whole Metadata stays reachable as
/// `metadata` (NULL for null), and what a string held as an object takes the
/// string's place. "Op":1 is a deletion and refused here.
/// @return 0, PERI_ENOMEM, or PERI_EINVAL with words (not JSON, no "Addr", an
/// address that does not parse, over 64 KiB, a Metadata that is wrong …).
int peri_record_read(struct peri_slice value, struct peri_record_read *ret_read,
                     struct peri_problem *ret_problem);
void peri_record_done(struct peri_record_read *read);
