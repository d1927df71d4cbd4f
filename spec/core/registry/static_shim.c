#include "registry/static_shim.h"

#include "model/snapshot.h"

static void publish(void *ctx, struct peri_snapshot *snapshot) {
  struct peri_static_probe *probe = ctx;
  peri_static_probe_done(probe);
  probe->last = peri_snapshot_ref(snapshot);
  probe->count++;
}

int peri_static_probe_new(struct peri_static_probe *probe,
                          struct peri_config *config,
                          struct peri_slice self_address,
                          struct peri_static **ret_static,
                          struct peri_problem *ret_problem) {
  struct peri_static_options options = {
      .config = config,
      .self_address = self_address,
      .publish = publish,
      .ctx = probe,
  };
  return peri_static_new(&options, ret_static, ret_problem);
}

void peri_static_probe_done(struct peri_static_probe *probe) {
  if (probe->last != NULL) {
    peri_snapshot_unref(probe->last);
    probe->last = NULL;
  }
}
