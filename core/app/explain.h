#pragma once

#include "app/round.h"
#include "base/types.h"

struct peri_ask;
struct peri_call;
struct peri_mailbox;
struct peri_worker;

/// perigee.v1.Mesh/Explain: a question about one call or key is answered by the
/// worker that gets it; the last decisions are asked of all.
struct peri_explain;

/// Handler for peri_call_accept(); `ctx` is the worker's struct peri_control.
void peri_control_explain(void *ctx, struct peri_call *call,
                          struct peri_slice message);

/// Everything is borrowed.
struct peri_explain_options {
  struct peri_mailbox *control;
  struct peri_worker *const *workers;
  size_t count;
  struct peri_ask *ask;
};

/// Answers for all workers from now on. Control thread. @return 0 or
/// PERI_ENOMEM.
int peri_explain_new(const struct peri_explain_options *options,
                     struct peri_explain **ret_explain);
/// After the workers were joined and the control thread's mailbox closed. NULL
/// is fine.
void peri_explain_free(struct peri_explain *explain);
