#include "registry/probe_shim.h"

#include <stdio.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "loop/mailbox.h"
#include "rpc/client.h"

enum { STEP_MS = 20, STEPS = 2000 };

int probe_rig_new(bool rpc, struct probe_rig **ret_rig) {
  struct probe_rig *rig = calloc(1, sizeof(*rig));
  int rc = rig != NULL ? peri_loop_new(&rig->loop) : PERI_ENOMEM;
  if (rc == 0) {
    rc = peri_mailbox_new(rig->loop, &rig->mailbox);
  }
  if (rc == 0 && rpc) {
    rc = peri_rpc_client_new(rig->mailbox, &rig->rpc, NULL);
  }
  if (rc == 0) {
    *ret_rig = rig;
  }
  return rc;
}

static void changed(void *ctx, bool healthy, const char *why) {
  struct probe_rig *rig = ctx;
  rig->changes++;
  rig->healthy = healthy;
  snprintf(rig->why, sizeof(rig->why), "%s", why);
  if (rig->frees) {
    peri_probe_free(rig->probe);
    rig->probe = NULL;
  }
}

int probe_rig_start(struct probe_rig *rig, struct peri_probe_options *options,
                    struct peri_problem *ret_problem) {
  options->loop = rig->loop;
  options->rpc = rig->rpc;
  options->changed = changed;
  options->ctx = rig;
  return peri_probe_new(options, &rig->probe, ret_problem);
}

static void on_closed(void *ctx) {
  struct probe_rig *rig = ctx;
  rig->closed = true;
}

bool probe_rig_free(struct probe_rig *rig) {
  unsigned changes = rig->changes;
  peri_probe_free(rig->probe);
  if (rig->rpc != NULL) {
    peri_rpc_client_close(rig->rpc, on_closed, rig);
    for (int i = 0; i < STEPS && !rig->closed; i++) {
      peri_loop_step(rig->loop, STEP_MS);
    }
  }
  peri_mailbox_close(rig->mailbox);
  bool clean = (rig->closed || rig->rpc == NULL) &&
               peri_loop_free(rig->loop) == 0 && rig->changes == changes;
  free(rig);
  return clean;
}
