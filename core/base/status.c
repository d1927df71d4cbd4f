#include "base/status.h"

#include <errno.h>

#include "base/error.h"

enum {
  UV_CODE_EOF = -4095,
  UV_CODE_LOOKUP_FIRST = -3014,
  UV_CODE_LOOKUP_LAST = -3000
};

static const char *const names[] = {
    [PERI_STATUS_OK] = "OK",
    [PERI_STATUS_CANCELLED] = "CANCELLED",
    [PERI_STATUS_UNKNOWN] = "UNKNOWN",
    [PERI_STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [PERI_STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [PERI_STATUS_NOT_FOUND] = "NOT_FOUND",
    [PERI_STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [PERI_STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [PERI_STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [PERI_STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [PERI_STATUS_ABORTED] = "ABORTED",
    [PERI_STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [PERI_STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [PERI_STATUS_INTERNAL] = "INTERNAL",
    [PERI_STATUS_UNAVAILABLE] = "UNAVAILABLE",
    [PERI_STATUS_DATA_LOSS] = "DATA_LOSS",
    [PERI_STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *peri_status_name(int status) {
  if (status < PERI_STATUS_OK || status > PERI_STATUS_UNAUTHENTICATED) {
    return "UNKNOWN";
  }
  return names[status];
}

// What libuv reports when a connection cannot be made or was lost.
static bool lost_connection(int error) {
  switch (-error) {
    case EADDRNOTAVAIL:
    case ECONNABORTED:
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETRESET:
    case ENETUNREACH:
    case ENOTCONN:
    case EPIPE:
    case ESHUTDOWN:
    case ETIMEDOUT:
      return true;
    default:
      return error == UV_CODE_EOF ||
             (error >= UV_CODE_LOOKUP_FIRST && error <= UV_CODE_LOOKUP_LAST);
  }
}

int peri_status_of(int error) {
  switch (error) {
    case 0:
      return PERI_STATUS_OK;
    case PERI_ENOTFOUND:
      return PERI_STATUS_NOT_FOUND;
    case PERI_ETIMEOUT:
      return PERI_STATUS_DEADLINE_EXCEEDED;
    case PERI_ECANCELED:
    case -ECANCELED:
      return PERI_STATUS_CANCELLED;
    case PERI_ELIMIT:
      return PERI_STATUS_RESOURCE_EXHAUSTED;
    case PERI_EINVAL:
      return PERI_STATUS_INVALID_ARGUMENT;
    case PERI_ECONNECT:
    case PERI_ECLOSED:
    case PERI_EREFUSED:
    case PERI_EBUSY:
      return PERI_STATUS_UNAVAILABLE;
    case PERI_EUNSUPPORTED:
      return PERI_STATUS_UNIMPLEMENTED;
    case PERI_EPERM:
      return PERI_STATUS_PERMISSION_DENIED;
    case PERI_EEXIST:
      return PERI_STATUS_ALREADY_EXISTS;
    case PERI_ESCRIPT:
      // gRPC servers answer UNKNOWN for what application code raises.
      return PERI_STATUS_UNKNOWN;
    default:
      return lost_connection(error) ? PERI_STATUS_UNAVAILABLE
                                    : PERI_STATUS_INTERNAL;
  }
}
