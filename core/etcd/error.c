#include "etcd/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/status.h"
#include "etcd/private.h"

/// What a status with a text means; the first rule that fits counts.
struct rule {
  int status;  // -1: any
  int kind;
  const char *text;  // NULL: any; upper and lower case are the same
};

static const struct rule rules[] = {
    // Connections, in the words of C core.
    {-1, PERI_ETCD_TLS, "certificate"},
    {-1, PERI_ETCD_TLS, "ssl routines"},
    {-1, PERI_ETCD_TLS, "ssl_error_ssl"},
    {-1, PERI_ETCD_GARBAGE, "http1.x server"},
    {-1, PERI_ETCD_GARBAGE, "http2 header with status"},
    {14, PERI_ETCD_UNREACHABLE, "failed to connect"},
    {14, PERI_ETCD_UNREACHABLE, "connections to all backends failing"},
    {14, PERI_ETCD_UNREACHABLE, "connection refused"},
    {14, PERI_ETCD_UNREACHABLE, "resolution"},
    {14, PERI_ETCD_UNREACHABLE, "empty address list"},
    // Who one is and what one may.
    {-1, PERI_ETCD_TOKEN, "user name is empty"},
    {-1, PERI_ETCD_TOKEN, "revision of auth store is old"},
    {-1, PERI_ETCD_TOKEN, "invalid auth token"},
    {-1, PERI_ETCD_LOGIN, "authentication failed"},
    {-1, PERI_ETCD_LOGIN, "user name not found"},
    {-1, PERI_ETCD_DENIED, "permission denied"},
    {PERI_STATUS_UNAUTHENTICATED, PERI_ETCD_TOKEN, NULL},
    {PERI_STATUS_PERMISSION_DENIED, PERI_ETCD_DENIED, NULL},
    // Sizes and quotas.
    {-1, PERI_ETCD_NOSPACE, "database space exceeded"},
    {-1, PERI_ETCD_TOO_LARGE, "request is too large"},
    {-1, PERI_ETCD_TOO_LARGE, "too many operations"},
    {-1, PERI_ETCD_TOO_LARGE, "larger than max"},
    {-1, PERI_ETCD_BUSY, "too many requests"},
    {PERI_STATUS_RESOURCE_EXHAUSTED, PERI_ETCD_BUSY, NULL},
    // Leases and revisions.
    {-1, PERI_ETCD_NO_LEASE, "requested lease not found"},
    {-1, PERI_ETCD_LEASE_EXISTS, "lease already exists"},
    {-1, PERI_ETCD_COMPACTED, "has been compacted"},
    // Elections: nobody leads, or somebody else does.
    {-1, PERI_ETCD_INVALID, "election: no"},
    // The cluster. Without a quorum an answer of status 2 comes, too.
    {-1, PERI_ETCD_NO_LEADER, "no leader"},
    {-1, PERI_ETCD_NO_LEADER, "unhealthy cluster"},
    {-1, PERI_ETCD_NO_LEADER, "proposal dropped"},
    {PERI_STATUS_UNAVAILABLE, PERI_ETCD_NO_LEADER, "request timed out"},
    {PERI_STATUS_UNKNOWN, PERI_ETCD_NO_LEADER, "context deadline exceeded"},
    {-1, PERI_ETCD_BUSY, "not leader"},
    {-1, PERI_ETCD_BUSY, "learner"},
    // By status alone.
    {PERI_STATUS_DEADLINE_EXCEEDED, PERI_ETCD_TIMEOUT, NULL},
    {PERI_STATUS_UNAVAILABLE, PERI_ETCD_BUSY, NULL},
    {PERI_STATUS_CANCELLED, PERI_ETCD_BUSY, NULL},
    {PERI_STATUS_ABORTED, PERI_ETCD_BUSY, NULL},
    {PERI_STATUS_UNKNOWN, PERI_ETCD_BUSY, NULL},
    {PERI_STATUS_UNIMPLEMENTED, PERI_ETCD_GARBAGE, NULL},
    {PERI_STATUS_INTERNAL, PERI_ETCD_GARBAGE, NULL},
    {-1, PERI_ETCD_INVALID, NULL},
};

static const char *const names[PERI_ETCD_KINDS] = {
    "ok",        "unreachable", "timeout",      "no_leader", "busy",
    "token",     "login",       "denied",       "tls",       "nospace",
    "too_large", "no_lease",    "lease_exists", "compacted", "invalid",
    "garbage",   "closed",
};

static int judge(int status, const char *text) {
  if (status == PERI_STATUS_OK) {
    return PERI_ETCD_OK;
  }
  const struct rule *rule = rules;
  while ((rule->status != -1 && rule->status != status) ||
         (rule->text != NULL && strcasestr(text, rule->text) == NULL)) {
    rule++;
  }
  return rule->kind;
}

/// Keeps the text on one line of plain characters.
static void clean(char *text) {
  for (; *text != '\0'; text++) {
    if (*text < 0x20 || *text > 0x7e) {
      *text = '?';
    }
  }
}

void peri_etcd_error_of(int status, const char *text,
                        struct peri_etcd_error *ret_error) {
  if (text == NULL) {
    text = "";
  }
  ret_error->kind = judge(status, text);
  ret_error->status = status;
  snprintf(ret_error->text, sizeof(ret_error->text), "%s",
           text[0] != '\0' ? text : peri_status_name(status));
  clean(ret_error->text);
}

void peri_etcd_error_set(struct peri_etcd_error *ret_error, int kind,
                         const char *format, ...) {
  va_list args;
  va_start(args, format);
  ret_error->kind = kind;
  ret_error->status = -1;
  vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
  va_end(args);
  clean(ret_error->text);
}

const char *peri_etcd_kind_name(int kind) {
  return kind >= 0 && kind < PERI_ETCD_KINDS ? names[kind] : "unknown";
}

enum peri_etcd_class peri_etcd_kind_class(int kind) {
  switch (kind) {
    case PERI_ETCD_OK:
    case PERI_ETCD_UNREACHABLE:
    case PERI_ETCD_TIMEOUT:
    case PERI_ETCD_NO_LEADER:
    case PERI_ETCD_BUSY:
    case PERI_ETCD_GARBAGE:
      return PERI_ETCD_RETRY;
    case PERI_ETCD_TOKEN:
      return PERI_ETCD_RELOGIN;
    default:
      return PERI_ETCD_PERMANENT;
  }
}

int peri_etcd_kind_code(int kind) {
  static const int codes[PERI_ETCD_KINDS] = {
      [PERI_ETCD_OK] = 0,
      [PERI_ETCD_UNREACHABLE] = PERI_ECONNECT,
      [PERI_ETCD_TIMEOUT] = PERI_ETIMEOUT,
      [PERI_ETCD_NO_LEADER] = PERI_EBUSY,
      [PERI_ETCD_BUSY] = PERI_EBUSY,
      [PERI_ETCD_TOKEN] = PERI_EPERM,
      [PERI_ETCD_LOGIN] = PERI_EPERM,
      [PERI_ETCD_DENIED] = PERI_EPERM,
      [PERI_ETCD_TLS] = PERI_EPERM,
      [PERI_ETCD_NOSPACE] = PERI_ELIMIT,
      [PERI_ETCD_TOO_LARGE] = PERI_ELIMIT,
      [PERI_ETCD_NO_LEASE] = PERI_ENOTFOUND,
      [PERI_ETCD_LEASE_EXISTS] = PERI_EEXIST,
      [PERI_ETCD_COMPACTED] = PERI_ENOTFOUND,
      [PERI_ETCD_INVALID] = PERI_EINVAL,
      [PERI_ETCD_GARBAGE] = PERI_EPROTO,
      [PERI_ETCD_CLOSED] = PERI_ECLOSED,
  };
  return kind >= 0 && kind < PERI_ETCD_KINDS ? codes[kind] : PERI_EBUSY;
}

bool peri_etcd_error_undone(const struct peri_etcd_error *error) {
  switch (error->kind) {
    case PERI_ETCD_UNREACHABLE:
    case PERI_ETCD_TLS:
    case PERI_ETCD_TOKEN:
      return true;
    case PERI_ETCD_NO_LEADER:
      // Said before anything is done, to whoever asked for a leader.
      return strstr(error->text, "etcdserver: no leader") != NULL;
    case PERI_ETCD_BUSY:
      return strstr(error->text, "too many requests") != NULL;
    default:
      return false;
  }
}

void peri_etcd_error_judge(const struct peri_etcd *etcd,
                           struct peri_etcd_error *error) {
  size_t len = strlen(error->text);
  if (error->kind == PERI_ETCD_TOKEN && etcd->user == NULL) {
    error->kind = PERI_ETCD_LOGIN;
  }
  if (etcd->tls && strstr(error->text, "empty address list") != NULL) {
    // Endpoints always have an address; it is the credentials that have none.
    error->kind = PERI_ETCD_TLS;
    snprintf(error->text, sizeof(error->text),
             "gRPC cannot use the CA, certificate or key given");
  } else if (etcd->tls && error->kind == PERI_ETCD_UNREACHABLE &&
             strstr(error->text, "read failed") != NULL) {
    // A server in its last breath looks the same, so it stays worth a retry.
    snprintf(error->text + len, sizeof(error->text) - len,
             " (does it ask for another certificate?)");
  }
}
