#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
  UV_CODE_EOF = -4095,
  UV_CODE_LOOKUP_FIRST = -3014,
  UV_CODE_LOOKUP_LAST = -3000,
  LARGEST_ERRNO = 4095
};

struct words {
  int code;
  const char *name;
  const char *text;
};

static const struct words known[] = {
    {0, "OK", "no error"},
    {PERI_ENOMEM, "ENOMEM", "out of memory"},
    {PERI_EINVAL, "EINVAL", "invalid argument"},
    {PERI_ENOTFOUND, "ENOTFOUND", "not found"},
    {PERI_ELIMIT, "ELIMIT", "a limit was reached"},
    {PERI_ETIMEOUT, "ETIMEOUT", "timed out"},
    {PERI_ECANCELED, "ECANCELED", "canceled"},
    {PERI_EPROTO, "EPROTO", "the peer broke the protocol"},
    {PERI_ECLOSED, "ECLOSED", "closed"},
    {PERI_ECONNECT, "ECONNECT", "could not connect"},
    {PERI_EBUSY, "EBUSY", "busy, try again later"},
    {PERI_ESCRIPT, "ESCRIPT", "the policy failed"},
    {PERI_ECONFIG, "ECONFIG", "wrong configuration"},
    {PERI_EIO, "EIO", "reading or writing failed"},
    {PERI_EPERM, "EPERM", "not allowed"},
    {PERI_EEXIST, "EEXIST", "already exists"},
    {PERI_EUNSUPPORTED, "EUNSUPPORTED", "not supported"},
    {PERI_EREFUSED, "EREFUSED", "refused by the peer"},
};

static const struct words *find(int code) {
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    if (known[i].code == code) {
      return &known[i];
    }
  }
  return NULL;
}

const char *peri_error_name(int code) {
  static _Thread_local char name[32];
  const struct words *words = find(code);
  if (words != NULL) {
    return words->name;
  }
  if (code < 0 && code >= -LARGEST_ERRNO) {
    snprintf(name, sizeof(name), "ERRNO_%d", -code);
    return name;
  }
  return "EUNKNOWN";
}

const char *peri_error_text(int code) {
  static _Thread_local char text[128];
  const struct words *words = find(code);
  if (words != NULL) {
    return words->text;
  }
  if (code == UV_CODE_EOF) {
    return "end of file";
  }
  if (code >= UV_CODE_LOOKUP_FIRST && code <= UV_CODE_LOOKUP_LAST) {
    return "the host name could not be resolved";
  }
  if (code < 0 && code >= -LARGEST_ERRNO) {
    // The GNU form answers a constant of its own for the codes it knows.
    return strerror_r(-code, text, sizeof(text));
  }
  return "unknown error";
}

int peri_problem_set(struct peri_problem *ret_problem, int code,
                     const char *format, ...) {
  if (ret_problem == NULL) {
    return code;
  }
  va_list args;
  va_start(args, format);
  ret_problem->code = code;
  if (vsnprintf(ret_problem->text, sizeof(ret_problem->text), format, args) <
      0) {
    snprintf(ret_problem->text, sizeof(ret_problem->text), "%s",
             peri_error_text(code));
  }
  va_end(args);
  return code;
}
