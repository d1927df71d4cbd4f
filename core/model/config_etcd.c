#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/slice.h"
#include "loop/file.h"
#include "model/config_parts.h"

enum {
  MAX_ENDPOINTS = 64,
  MAX_PEM_BYTES = 1 << 20,
  MIN_TTL_S = 5,
  MAX_TTL_S = 86400,
  MIN_TIMEOUT_MS = 100,
  MAX_WAIT_MS = 60000,
  DEFAULT_TTL_S = 10,
  DEFAULT_TIMEOUT_MS = 2000,
  DEFAULT_PROPAGATION_MS = 1000,
  DEFAULT_AUDIT_MS = 15000,
  MIN_AUDIT_MS = 500,
  DEFAULT_FORGET_MS = 600000,
  MIN_FORGET_MS = 1000,
  MAX_FORGET_MS = 86400000
};

static const char begins[] = "-----BEGIN ";

// How endpoints are written: all the same, so that one channel's credentials
// are those of every other.
enum scheme { SCHEME_BARE, SCHEME_HTTP, SCHEME_HTTPS };

static enum scheme scheme_of(struct peri_slice text,
                             struct peri_slice *ret_rest) {
  static const char *const names[] = {"", "http://", "https://"};
  for (int scheme = SCHEME_HTTPS; scheme > SCHEME_BARE; scheme--) {
    size_t len = strlen(names[scheme]);
    if (peri_slice_starts(text, names[scheme])) {
      *ret_rest = (struct peri_slice){text.ptr + len, text.len - len};
      return (enum scheme)scheme;
    }
  }
  *ret_rest = text;
  return SCHEME_BARE;
}

static int read_endpoint(const struct peri_config_node *node,
                         const char **ret_endpoint, enum scheme *ret_scheme) {
  struct peri_address address;
  struct peri_slice rest;
  const char *text = "";
  int rc = peri_config_text(node, &text);
  if (rc < 0) {
    return rc;
  }
  struct peri_slice whole = peri_slice_of(text);
  if (memchr(whole.ptr, '@', whole.len) != NULL) {
    // Its words are not repeated: there may be a password among them.
    return peri_config_fail(node,
                            "must not hold a user or a password: use user and "
                            "password beside endpoints");
  }
  *ret_scheme = scheme_of(whole, &rest);
  if (*ret_scheme != SCHEME_BARE && rest.len > 0 &&
      rest.ptr[rest.len - 1] == '/') {
    rest.len--;
    whole.len--;
  }
  if (peri_address_parse(rest, &address) < 0) {
    return peri_config_fail(node,
                            "\"%.64s\" is not an endpoint such as "
                            "\"http://127.0.0.1:2379\"",
                            text);
  }
  if (address.kind != PERI_ADDRESS_UNIX && address.port == 0) {
    return peri_config_fail(node, "\"%.64s\" has no port to dial", text);
  }
  *ret_endpoint = peri_arena_copy(node->reader->arena, whole);
  return *ret_endpoint == NULL ? PERI_ENOMEM : 0;
}

static int check_endpoint(const struct peri_config_node *node,
                          const char *const *endpoints, size_t index,
                          enum scheme scheme, enum scheme first) {
  for (size_t i = 0; i < index; i++) {
    if (strcmp(endpoints[i], endpoints[index]) == 0) {
      return peri_config_fail(node, "\"%.64s\" is listed twice",
                              endpoints[index]);
    }
  }
  if (scheme != first) {
    return peri_config_fail(
        node, "\"%.64s\" is written another way than the first endpoint",
        endpoints[index]);
  }
  return 0;
}

static int read_endpoints(const struct peri_config_node *registry,
                          struct peri_config_etcd *etcd,
                          enum scheme *ret_scheme) {
  enum scheme scheme = SCHEME_BARE;
  struct peri_config_node list;
  size_t count = 0;
  if (!peri_config_member(registry, "endpoints", &list)) {
    return peri_config_fail(registry, "kind \"etcd\" needs endpoints");
  }
  bool alone = peri_json_type(list.json) == PERI_JSON_STRING;
  int rc = alone ? 0 : peri_config_list(&list, &count);
  count = alone ? 1 : count;
  if (rc == 0 && (count == 0 || count > MAX_ENDPOINTS)) {
    rc = peri_config_fail(&list, "must be 1 to %d endpoints",
                          (int)MAX_ENDPOINTS);
  }
  if (rc < 0) {
    return rc;
  }
  const char **endpoints =
      peri_arena_alloc(list.reader->arena, count * sizeof *endpoints);
  if (endpoints == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; rc == 0 && i < count; i++) {
    struct peri_config_node element = peri_config_element(&list, i);
    struct peri_config_node *node = alone ? &list : &element;
    rc = read_endpoint(node, &endpoints[i], &scheme);
    *ret_scheme = i == 0 ? scheme : *ret_scheme;
    if (rc == 0) {
      rc = check_endpoint(node, endpoints, i, scheme, *ret_scheme);
    }
  }
  etcd->endpoints = endpoints;
  etcd->endpoint_count = count;
  return rc;
}

static const char *words_of_read(int code) {
  switch (code) {
    case PERI_ENOTFOUND:
      return "there is no such file";
    case PERI_EINVAL:
      return "this is not a regular file";
    case PERI_EPERM:
      return "this process may not read it";
    case PERI_ELIMIT:
      return "a PEM file has at most 1 MiB";
    default:
      return peri_error_text(code);
  }
}

// Nothing of the text itself is ever told: it may be a key. `from` is the path
// it was read from, or "it".
static int take_pem(const struct peri_config_node *node, struct peri_slice text,
                    const char *from, const char *label, const char *what,
                    const char **ret_pem) {
  const char *pem = peri_arena_copy(node->reader->arena, text);
  if (pem == NULL) {
    return PERI_ENOMEM;
  }
  if (strlen(pem) != text.len || strstr(pem, begins) == NULL) {
    return peri_config_fail(node, "%.200s is no PEM text", from);
  }
  if (strstr(pem, label) == NULL) {
    return peri_config_fail(node, "%.200s holds no %s", from, what);
  }
  *ret_pem = pem;
  return 0;
}

// PEM text as it is, or the path of a file that holds it.
static int read_pem(const struct peri_config_node *registry, const char *key,
                    const char *label, const char *what, const char **ret_pem) {
  struct peri_config_node node;
  const char *text = NULL;
  char *bytes = NULL;
  size_t len = 0;
  if (!peri_config_member(registry, key, &node)) {
    return 0;
  }
  int rc = peri_config_text(&node, &text);
  if (rc < 0) {
    return rc;
  }
  if (strstr(text, begins) != NULL) {
    return take_pem(&node, peri_slice_of(text), "it", label, what, ret_pem);
  }
  if (strchr(text, '\n') != NULL) {
    return peri_config_fail(&node, "must be a path or PEM text");
  }
  rc = peri_config_path(&node, &text);
  if (rc < 0) {
    return rc;
  }
  rc = peri_file_slurp(text, MAX_PEM_BYTES, &bytes, &len);
  if (rc == PERI_ENOMEM) {
    return rc;
  }
  if (rc < 0) {
    return peri_config_fail(&node, "%.200s: %s", text, words_of_read(rc));
  }
  rc = take_pem(&node, (struct peri_slice){bytes, len}, text, label, what,
                ret_pem);
  free(bytes);
  return rc;
}

// The two go together; neither value is told.
static int check_pair(const struct peri_config_node *registry,
                      const char *a_key, const char *a, const char *b_key,
                      const char *b) {
  struct peri_config_node node;
  const char *present = a != NULL ? a_key : b_key;
  if ((a != NULL) == (b != NULL) ||
      !peri_config_member(registry, present, &node)) {
    return 0;
  }
  return peri_config_fail(&node, "needs %s as well", a != NULL ? b_key : a_key);
}

static int check_tls(const struct peri_config_node *registry,
                     const struct peri_config_etcd *etcd, enum scheme scheme) {
  static const char *const keys[] = {"ca", "certificate", "server_name"};
  struct peri_config_node node;
  bool secure = scheme == SCHEME_HTTPS ||
                (scheme == SCHEME_BARE &&
                 (etcd->ca != NULL || etcd->certificate != NULL));
  for (size_t i = 0; !secure && i < sizeof keys / sizeof *keys; i++) {
    if (peri_config_member(registry, keys[i], &node)) {
      return peri_config_fail(&node,
                              "says nothing without TLS: write the endpoints "
                              "with https://");
    }
  }
  return 0;
}

static int read_tls(const struct peri_config_node *registry,
                    struct peri_config_etcd *etcd, enum scheme scheme) {
  static const char certificate[] = "CERTIFICATE-----";
  int rc = read_pem(registry, "ca", certificate, "certificate", &etcd->ca);
  if (rc == 0) {
    rc = read_pem(registry, "certificate", certificate, "certificate",
                  &etcd->certificate);
  }
  if (rc == 0) {
    rc = read_pem(registry, "key", "PRIVATE KEY-----", "private key",
                  &etcd->key);
  }
  if (rc == 0) {
    rc = peri_config_string(registry, "server_name", &etcd->server_name);
  }
  if (rc == 0) {
    rc = check_pair(registry, "certificate", etcd->certificate, "key",
                    etcd->key);
  }
  return rc == 0 ? check_tls(registry, etcd, scheme) : rc;
}

static int read_ttl(const struct peri_config_node *registry, uint32_t *ret_s) {
  enum { SECOND = 1000000000 };
  struct peri_config_node node;
  int64_t ns = -1;
  int rc = peri_config_duration(registry, "ttl", false, &ns);
  if (rc < 0 || ns < 0 || !peri_config_member(registry, "ttl", &node)) {
    return rc;
  }
  if (ns % SECOND != 0) {
    return peri_config_fail(&node, "must be whole seconds");
  }
  if (ns / SECOND < MIN_TTL_S || ns / SECOND > MAX_TTL_S) {
    return peri_config_fail(&node, "must be 5s to 24h");
  }
  *ret_s = (uint32_t)(ns / SECOND);
  return 0;
}

static int read_wait(const struct peri_config_node *registry, const char *key,
                     uint64_t least_ms, uint64_t most_ms, const char *words,
                     uint64_t *ret_ms) {
  struct peri_config_node node;
  uint64_t ms = *ret_ms;
  int rc = peri_config_duration_ms(registry, key, least_ms == 0, &ms);
  if (rc == 0 && (ms < least_ms || ms > most_ms) &&
      peri_config_member(registry, key, &node)) {
    return peri_config_fail(&node, "must be %s", words);
  }
  if (rc == 0) {
    *ret_ms = ms;
  }
  return rc;
}

// Unlike other texts this one may be empty, which is the default.
static int read_prefix(const struct peri_config_node *registry,
                       const char **ret_prefix) {
  struct peri_config_node node;
  if (!peri_config_member(registry, "prefix", &node) ||
      (peri_json_type(node.json) == PERI_JSON_STRING &&
       peri_json_to_string(node.json).len == 0)) {
    return 0;
  }
  return peri_config_text(&node, ret_prefix);
}

int peri_config_read_etcd(const struct peri_config_node *registry,
                          struct peri_config *config) {
  struct peri_config_etcd *etcd = &config->etcd;
  enum scheme scheme = SCHEME_BARE;
  *etcd = (struct peri_config_etcd){.ttl_s = DEFAULT_TTL_S,
                                    .prefix = "",
                                    .timeout_ms = DEFAULT_TIMEOUT_MS,
                                    .propagation_ms = DEFAULT_PROPAGATION_MS,
                                    .audit_ms = DEFAULT_AUDIT_MS,
                                    .forget_ms = DEFAULT_FORGET_MS};
  int rc = read_endpoints(registry, etcd, &scheme);
  if (rc == 0) {
    rc = read_ttl(registry, &etcd->ttl_s);
  }
  if (rc == 0) {
    rc = read_prefix(registry, &etcd->prefix);
  }
  if (rc == 0) {
    rc = peri_config_string(registry, "user", &etcd->user);
  }
  if (rc == 0) {
    rc = peri_config_string(registry, "password", &etcd->password);
  }
  if (rc == 0) {
    rc = check_pair(registry, "user", etcd->user, "password", etcd->password);
  }
  if (rc == 0) {
    rc = read_tls(registry, etcd, scheme);
  }
  if (rc == 0) {
    rc = read_wait(registry, "timeout", MIN_TIMEOUT_MS, MAX_WAIT_MS,
                   "100ms to 1m", &etcd->timeout_ms);
  }
  if (rc == 0) {
    rc = read_wait(registry, "propagation", 0, MAX_WAIT_MS, "at most 1m",
                   &etcd->propagation_ms);
  }
  if (rc == 0) {
    rc = read_wait(registry, "audit", MIN_AUDIT_MS, MAX_WAIT_MS, "500ms to 1m",
                   &etcd->audit_ms);
  }
  if (rc == 0) {
    rc = read_wait(registry, "forget", MIN_FORGET_MS, MAX_FORGET_MS,
                   "1s to 24h", &etcd->forget_ms);
  }
  return rc;
}
