#pragma once

#include "registry/probe.h"

struct peri_loop;

/// A loop with one probe, and with gRPC when that is asked for.
struct probe_rig {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_rpc_client *rpc;
  struct peri_probe *probe;
  bool frees;  // frees the probe as soon as it says something
  bool closed;
  unsigned changes;
  bool healthy;
  char why[512];
};

int probe_rig_new(bool rpc, struct probe_rig **ret_rig);
/// Starts the probe; what `options` lack is filled in.
int probe_rig_start(struct probe_rig *rig, struct peri_probe_options *options,
                    struct peri_problem *ret_problem);
/// Frees the probe, and then all else. Whether nothing was left.
bool probe_rig_free(struct probe_rig *rig);
