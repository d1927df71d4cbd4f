#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "etcd/private.h"
#include "rpc/channel.h"

enum {
  KEEPALIVE_MS = 10000,
  KEEPALIVE_TIMEOUT_MS = 2000,
  SUSPECT_MS = 1000,  // doubled for each failure in a row
  SUSPECT_DOUBLINGS = 4
};

int peri_etcd_endpoint_parse(const char *text, char *ret_target,
                             size_t capacity, int *ret_tls) {
  int tls = -1;
  if (strncmp(text, "http://", 7) == 0) {
    tls = 0;
    text += 7;
  } else if (strncmp(text, "https://", 8) == 0) {
    tls = 1;
    text += 8;
  }
  struct peri_slice rest = peri_slice_of(text);
  if (tls >= 0 && rest.len > 0 && text[rest.len - 1] == '/') {
    rest.len--;
  }
  struct peri_address address;
  int rc = peri_address_parse(rest, &address);
  if (rc < 0 || (tls >= 0 && address.kind == PERI_ADDRESS_UNIX) ||
      (address.kind != PERI_ADDRESS_UNIX && address.port == 0)) {
    return PERI_EINVAL;
  }
  peri_address_format(&address, ret_target, capacity);
  *ret_tls = tls;
  return 0;
}

/// Parses all endpoints and finds out whether they speak TLS: all or none.
static int parse_all(struct peri_etcd *etcd,
                     const struct peri_etcd_options *options, bool *ret_tls,
                     struct peri_problem *ret_problem) {
  int all = -1;
  bool wanted =
      options->tls || options->ca.len > 0 || options->certificate.len > 0;
  for (size_t i = 0; i < options->endpoint_count; i++) {
    struct peri_etcd_endpoint *endpoint = &etcd->endpoints[i];
    const char *text = options->endpoints[i];
    char target[300];
    int tls;
    if (peri_etcd_endpoint_parse(text, target, sizeof(target), &tls) < 0) {
      return peri_problem_set(ret_problem, PERI_EINVAL,
                              "\"%s\" is no endpoint: write http://host:port, "
                              "https://host:port, host:port or unix:PATH",
                              text);
    }
    tls = tls < 0 ? wanted : tls;
    if (all >= 0 && all != tls) {
      return peri_problem_set(ret_problem, PERI_EINVAL,
                              "\"%s\": endpoints with and without TLS cannot "
                              "be mixed",
                              text);
    }
    all = tls;
    endpoint->name = strdup(text);
    endpoint->target = strdup(target);
    if (endpoint->name == NULL || endpoint->target == NULL) {
      return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
    }
  }
  *ret_tls = all == 1;
  return 0;
}

/// Whether a text may be PEM of that kind; C core says little of what is not.
static bool is_pem(struct peri_slice text, const char *kind) {
  if (text.len == 0) {
    return true;
  }
  const char *begin = memmem(text.ptr, text.len, "-----BEGIN ", 11);
  return begin != NULL && memmem(begin, text.len - (size_t)(begin - text.ptr),
                                 kind, strlen(kind)) != NULL;
}

static int check_tls(const struct peri_etcd_options *options,
                     struct peri_problem *ret_problem) {
  const char *what = NULL;
  if ((options->key.len > 0) != (options->certificate.len > 0)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "a certificate and its key come together");
  }
  if (!is_pem(options->ca, "CERTIFICATE")) {
    what = "the CA";
  } else if (!is_pem(options->certificate, "CERTIFICATE")) {
    what = "the certificate";
  } else if (!is_pem(options->key, "PRIVATE KEY")) {
    what = "the key";
  }
  return what == NULL ? 0
                      : peri_problem_set(ret_problem, PERI_EINVAL,
                                         "%s is no PEM text", what);
}

static int connect_all(struct peri_etcd *etcd,
                       const struct peri_etcd_options *options,
                       struct peri_problem *ret_problem) {
  struct peri_rpc_tls secrets = {options->ca, options->certificate,
                                 options->key, options->server_name};
  for (size_t i = 0; i < etcd->endpoint_count; i++) {
    struct peri_rpc_channel_options channel = {
        .target = peri_slice_of(etcd->endpoints[i].target),
        .tls = etcd->tls ? &secrets : NULL,
        .keepalive_ms = KEEPALIVE_MS,
        .keepalive_timeout_ms = KEEPALIVE_TIMEOUT_MS};
    int rc = peri_rpc_channel_new(&channel, &etcd->endpoints[i].channel,
                                  ret_problem);
    if (rc < 0) {
      return rc;
    }
  }
  return 0;
}

static void count_all(struct peri_etcd *etcd) {
  for (size_t i = 0; etcd->metrics != NULL && i < etcd->endpoint_count; i++) {
    char labels[400] = "";
    peri_metrics_label(labels, sizeof(labels), "endpoint",
                       peri_slice_of(etcd->endpoints[i].name));
    etcd->endpoints[i].failures_total = peri_metrics_counter(
        etcd->metrics, "perigee_etcd_endpoint_failures_total",
        "Times that an etcd endpoint did not answer as it should.", labels);
  }
}

int peri_etcd_endpoints_open(struct peri_etcd *etcd,
                             const struct peri_etcd_options *options,
                             struct peri_problem *ret_problem) {
  size_t count = options->endpoint_count;
  if (count == 0 || count > PERI_ETCD_MAX_ENDPOINTS) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "%zu endpoints: there must be 1 to %d", count,
                            PERI_ETCD_MAX_ENDPOINTS);
  }
  int rc = check_tls(options, ret_problem);
  if (rc < 0) {
    return rc;
  }
  etcd->endpoints = calloc(count, sizeof(*etcd->endpoints));
  if (etcd->endpoints == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  etcd->endpoint_count = count;
  // Not all sidecars of a fleet to the first one.
  etcd->preferred = peri_hash_random_seed() % count;
  rc = parse_all(etcd, options, &etcd->tls, ret_problem);
  if (rc == 0) {
    rc = connect_all(etcd, options, ret_problem);
  }
  count_all(etcd);
  return rc;
}

void peri_etcd_endpoints_free(struct peri_etcd *etcd) {
  for (size_t i = 0; i < etcd->endpoint_count; i++) {
    peri_rpc_channel_free(etcd->endpoints[i].channel);
    free(etcd->endpoints[i].target);
    free(etcd->endpoints[i].name);
  }
  free(etcd->endpoints);
  etcd->endpoints = NULL;
  etcd->endpoint_count = 0;
}

int peri_etcd_endpoint_pick(const struct peri_etcd *etcd, uint32_t tried) {
  uint64_t now = peri_clock_mono_ns();
  int best = -1;
  for (size_t i = 0; i < etcd->endpoint_count; i++) {
    size_t at = (etcd->preferred + i) % etcd->endpoint_count;
    const struct peri_etcd_endpoint *endpoint = &etcd->endpoints[at];
    if ((tried & (UINT32_C(1) << at)) != 0) {
      continue;
    }
    if (endpoint->suspect_until_ns <= now) {
      return (int)at;
    }
    if (best < 0 ||
        endpoint->suspect_until_ns < etcd->endpoints[best].suspect_until_ns) {
      best = (int)at;
    }
  }
  return best;
}

int peri_etcd_endpoint_best(const struct peri_etcd *etcd, int avoid) {
  uint32_t tried = avoid >= 0 ? UINT32_C(1) << avoid : 0;
  int best = peri_etcd_endpoint_pick(etcd, tried);
  return best >= 0 ? best : avoid;
}

void peri_etcd_endpoint_suspect(struct peri_etcd *etcd, int at) {
  struct peri_etcd_endpoint *endpoint = &etcd->endpoints[at];
  uint32_t doublings = endpoint->failures < SUSPECT_DOUBLINGS
                           ? endpoint->failures
                           : SUSPECT_DOUBLINGS;
  endpoint->failures++;
  endpoint->suspect_until_ns =
      peri_clock_mono_ns() + ((uint64_t)SUSPECT_MS << doublings) * 1000000;
  if (endpoint->failures_total != NULL) {
    peri_metric_add(endpoint->failures_total, 1);
  }
}

void peri_etcd_endpoint_well(struct peri_etcd *etcd, int at) {
  struct peri_etcd_endpoint *endpoint = &etcd->endpoints[at];
  endpoint->failures = 0;
  endpoint->suspect_until_ns = 0;
  // Stays with what works, until that fails.
  if (etcd->endpoints[etcd->preferred].suspect_until_ns != 0) {
    etcd->preferred = (size_t)at;
  }
}

size_t peri_etcd_endpoint_count(const struct peri_etcd *etcd) {
  return etcd->endpoint_count;
}

const char *peri_etcd_endpoint_name(const struct peri_etcd *etcd, int at) {
  return etcd->endpoints[at].name;
}
