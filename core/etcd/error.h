#pragma once

#include "base/types.h"

/// What went wrong, in kinds that a caller can act upon. Each has a name that
/// appears in logs, metrics and tables.
enum peri_etcd_kind {
  PERI_ETCD_OK = 0,
  PERI_ETCD_UNREACHABLE,   // no member can be connected to
  PERI_ETCD_TIMEOUT,       // no answer within our own deadline
  PERI_ETCD_NO_LEADER,     // no quorum: "no leader", "request timed out" …
  PERI_ETCD_BUSY,          // "too many requests", leader changed, stopping
  PERI_ETCD_TOKEN,         // the token is no longer valid
  PERI_ETCD_LOGIN,         // user or password is wrong, or both are missing
  PERI_ETCD_DENIED,        // the user may not do this
  PERI_ETCD_TLS,           // a certificate is not accepted, or has expired
  PERI_ETCD_NOSPACE,       // the quota is exhausted
  PERI_ETCD_TOO_LARGE,     // request, value or number of operations
  PERI_ETCD_NO_LEASE,      // the lease does not exist
  PERI_ETCD_LEASE_EXISTS,  // a lease of this ID exists
  PERI_ETCD_COMPACTED,     // the revision asked for is gone
  PERI_ETCD_INVALID,       // any other request that can never succeed
  PERI_ETCD_GARBAGE,       // the answer is not what etcd answers
  PERI_ETCD_CLOSED,        // the session is closed
  PERI_ETCD_KINDS
};

enum peri_etcd_class {
  PERI_ETCD_RETRY = 0,     // may succeed later, or on another member
  PERI_ETCD_RELOGIN = 1,   // after authenticating again
  PERI_ETCD_PERMANENT = 2  // not before somebody changes something
};

struct peri_etcd_error {
  int kind;        // enum peri_etcd_kind
  int status;      // the gRPC status it came from, or -1
  char text[256];  // in words; never holds a password or a token
};

/// Classifies a gRPC status with its message (etcd's api/v3rpc/rpctypes, and
/// what C core says of connections). Any thread.
void peri_etcd_error_of(int status, const char *text,
                        struct peri_etcd_error *ret_error);

/// "no_leader" and so on: lower case, as in metrics. Static storage.
const char *peri_etcd_kind_name(int kind);
/// What a kind calls for. Any thread.
enum peri_etcd_class peri_etcd_kind_class(int kind);
/// The code of base/error.h that says a kind, 0 for PERI_ETCD_OK. Any thread.
int peri_etcd_kind_code(int kind);
