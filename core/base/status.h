#pragma once

#include "base/types.h"

/// gRPC status codes (grpc/grpc doc/statuscodes.md).
enum peri_status {
  PERI_STATUS_OK = 0,
  PERI_STATUS_CANCELLED = 1,
  PERI_STATUS_UNKNOWN = 2,
  PERI_STATUS_INVALID_ARGUMENT = 3,
  PERI_STATUS_DEADLINE_EXCEEDED = 4,
  PERI_STATUS_NOT_FOUND = 5,
  PERI_STATUS_ALREADY_EXISTS = 6,
  PERI_STATUS_PERMISSION_DENIED = 7,
  PERI_STATUS_RESOURCE_EXHAUSTED = 8,
  PERI_STATUS_FAILED_PRECONDITION = 9,
  PERI_STATUS_ABORTED = 10,
  PERI_STATUS_OUT_OF_RANGE = 11,
  PERI_STATUS_UNIMPLEMENTED = 12,
  PERI_STATUS_INTERNAL = 13,
  PERI_STATUS_UNAVAILABLE = 14,
  PERI_STATUS_DATA_LOSS = 15,
  PERI_STATUS_UNAUTHENTICATED = 16
};

/// "NOT_FOUND" and so on; "UNKNOWN" for codes gRPC does not know. Static
/// storage; any thread.
const char *peri_status_name(int status);

/// The status that a Perigee or libuv error maps to. Any thread.
int peri_status_of(int error);
