#include "etcd/session.h"

#include <stdlib.h>
#include <string.h>

#include "etcd/private.h"
#include "rpc/client.h"

enum { TIMEOUT_MS = 2000, ATTEMPT_MS = 700 };

int peri_etcd_new(const struct peri_etcd_options *options,
                  struct peri_etcd **ret_etcd,
                  struct peri_problem *ret_problem) {
  struct peri_etcd *etcd = calloc(1, sizeof(*etcd));
  if (etcd == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  etcd->loop = options->loop;
  etcd->metrics = options->metrics;
  etcd->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
  etcd->attempt_ms = options->attempt_ms > 0 ? options->attempt_ms : ATTEMPT_MS;
  peri_list_init(&etcd->calls);
  peri_list_init(&etcd->streams);
  peri_list_init(&etcd->scans);
  int rc = peri_etcd_endpoints_open(etcd, options, ret_problem);
  if (rc < 0) {
    goto fail;
  }
  rc = peri_etcd_token_init(etcd, options);
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "out of memory");
    goto fail;
  }
  rc = peri_rpc_client_new(options->mailbox, &etcd->client, ret_problem);
  if (rc < 0) {
    goto fail;
  }
  *ret_etcd = etcd;
  return 0;

fail:
  peri_etcd_token_free(etcd);
  peri_etcd_endpoints_free(etcd);
  free(etcd);
  return rc;
}

static void client_closed(void *ctx) {
  struct peri_etcd *etcd = ctx;
  void (*closed)(void *ctx) = etcd->closed;
  void *closed_ctx = etcd->closed_ctx;
  peri_etcd_endpoints_free(etcd);
  free(etcd);
  if (closed != NULL) {
    closed(closed_ctx);
  }
}

void peri_etcd_close(struct peri_etcd *etcd, void (*closed)(void *ctx),
                     void *ctx) {
  etcd->closed = closed;
  etcd->closed_ctx = ctx;
  peri_etcd_token_free(etcd);
  peri_etcd_scans_drop(etcd);
  peri_etcd_calls_drop(etcd);
  peri_etcd_streams_drop(etcd);
  peri_rpc_client_close(etcd->client, client_closed, etcd);
}

struct peri_loop *peri_etcd_loop(const struct peri_etcd *etcd) {
  return etcd->loop;
}
