#include "etcd/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "etcd/private.h"

/// What a status with a text means; the first rule that fits counts.
struct rule {
  int status;        // -1: any
  const char *text;  // NULL: any; in any case
  int kind;
};

static const struct rule rules[] = {
    // Connections, in the words of C core.
    {-1, "certificate", PERI_ETCD_TLS},
    {-1, "ssl routines", PERI_ETCD_TLS},
    {-1, "ssl_error_ssl", PERI_ETCD_TLS},
    {-1, "http1.x server", PERI_ETCD_GARBAGE},
    {-1, "http2 header with status", PERI_ETCD_GARBAGE},
    {14, "failed to connect", PERI_ETCD_UNREACHABLE},
    {14, "connections to all backends failing", PERI_ETCD_UNREACHABLE},
    {14, "connection refused", PERI_ETCD_UNREACHABLE},
    {14, "resolution", PERI_ETCD_UNREACHABLE},
    {14, "empty address list", PERI_ETCD_UNREACHABLE},
    // Who one is and what one may.
    {-1, "user name is empty", PERI_ETCD_TOKEN},
    {-1, "revision of auth store is old", PERI_ETCD_TOKEN},
    {-1, "invalid auth token", PERI_ETCD_TOKEN},
    {-1, "authentication failed", PERI_ETCD_LOGIN},
    {-1, "user name not found", PERI_ETCD_LOGIN},
    {-1, "permission denied", PERI_ETCD_DENIED},
    {PERI_STATUS_UNAUTHENTICATED, NULL, PERI_ETCD_TOKEN},
    {PERI_STATUS_PERMISSION_DENIED, NULL, PERI_ETCD_DENIED},
    // Sizes and quotas.
    {-1, "database space exceeded", PERI_ETCD_NOSPACE},
    {-1, "request is too large", PERI_ETCD_TOO_LARGE},
    {-1, "too many operations", PERI_ETCD_TOO_LARGE},
    {-1, "larger than max", PERI_ETCD_TOO_LARGE},
    {-1, "too many requests", PERI_ETCD_BUSY},
    {PERI_STATUS_RESOURCE_EXHAUSTED, NULL, PERI_ETCD_BUSY},
    // Leases and revisions.
    {-1, "requested lease not found", PERI_ETCD_NO_LEASE},
    {-1, "lease already exists", PERI_ETCD_LEASE_EXISTS},
    {-1, "has been compacted", PERI_ETCD_COMPACTED},
    // Elections: nobody leads, or somebody else does.
    {-1, "election: no", PERI_ETCD_INVALID},
    // The cluster. Without a quorum an answer of status 2 comes, too.
    {-1, "no leader", PERI_ETCD_NO_LEADER},
    {-1, "unhealthy cluster", PERI_ETCD_NO_LEADER},
    {-1, "proposal dropped", PERI_ETCD_NO_LEADER},
    {PERI_STATUS_UNAVAILABLE, "request timed out", PERI_ETCD_NO_LEADER},
    {PERI_STATUS_UNKNOWN, "context deadline exceeded", PERI_ETCD_NO_LEADER},
    {-1, "not leader", PERI_ETCD_BUSY},
    {-1, "learner", PERI_ETCD_BUSY},
    // By status alone.
    {PERI_STATUS_DEADLINE_EXCEEDED, NULL, PERI_ETCD_TIMEOUT},
    {PERI_STATUS_UNAVAILABLE, NULL, PERI_ETCD_BUSY},
    {PERI_STATUS_CANCELLED, NULL, PERI_ETCD_BUSY},
    {PERI_STATUS_ABORTED, NULL, PERI_ETCD_BUSY},
    {PERI_STATUS_UNKNOWN, NULL, PERI_ETCD_BUSY},
    {PERI_STATUS_UNIMPLEMENTED, NULL, PERI_ETCD_GARBAGE},
    {PERI_STATUS_INTERNAL, NULL, PERI_ETCD_GARBAGE},
    {-1, NULL, PERI_ETCD_INVALID},
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
