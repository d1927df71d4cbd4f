#pragma once

#include "base/buffer.h"
#include "base/metrics.h"
#include "etcd/session.h"

/// A call that goes on with another request until it made all its steps.
struct shim_chain {
  struct peri_etcd_call *call;
  int wanted;
  int steps;
  int ended;
  int kind;
};

int shim_chain_start(struct peri_etcd *etcd, int steps,
                     struct shim_chain *chain);
