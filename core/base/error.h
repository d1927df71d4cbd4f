#pragma once

#include "base/types.h"

/// Perigee's own error codes. They start below every libuv code (which is
/// -errno, at most -4095), so both travel in the same `int`.
enum peri_error {
  PERI_ENOMEM = -10001,        // out of memory, or over a memory cap
  PERI_EINVAL = -10002,        // an argument or a field is wrong
  PERI_ENOTFOUND = -10003,     // there is no such thing
  PERI_ELIMIT = -10004,        // a configured limit was reached
  PERI_ETIMEOUT = -10005,      // the time given ran out
  PERI_ECANCELED = -10006,     // whoever asked no longer wants it
  PERI_EPROTO = -10007,        // the peer broke the protocol
  PERI_ECLOSED = -10008,       // the connection or object is closed
  PERI_ECONNECT = -10009,      // no connection could be made
  PERI_EBUSY = -10010,         // try again later
  PERI_ESCRIPT = -10011,       // a policy raised, or returned nonsense
  PERI_ECONFIG = -10012,       // the configuration is wrong
  PERI_EIO = -10013,           // reading or writing failed
  PERI_EPERM = -10014,         // not allowed
  PERI_EEXIST = -10015,        // there already
  PERI_EUNSUPPORTED = -10016,  // understood, but not done here
  PERI_EREFUSED = -10017       // the peer refused before processing
};

/// An error with its words. Lives on the caller's stack; no ownership.
struct peri_problem {
  int code;        // 0 or a negative code
  char text[496];  // NUL-terminated, cut when too long
};

/// The short name of a code, as in "ENOTFOUND"; "ERRNO_2" for libuv's. Static
/// storage, but for libuv's: valid until this thread asks again. Any thread.
const char *peri_error_name(int code);

/// A few plain words for a code, as in "not found"; for -errno codes the
/// system's text. Static storage (thread-local for system texts); any thread.
const char *peri_error_text(int code);

/// Fills `ret_problem` (which may be NULL) and returns `code`, so that a
/// function can end with `return peri_problem_set(problem, PERI_ECONFIG, …)`.
int peri_problem_set(struct peri_problem *ret_problem, int code,
                     const char *format, ...)
    __attribute__((format(printf, 3, 4)));
