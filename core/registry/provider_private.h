#pragma once

#include "base/buffer.h"
#include "base/list.h"
#include "registry/probe.h"
#include "registry/provider.h"
#include "registry/record.h"

struct peri_listing;
struct peri_rpc_client;
struct peri_timer;

enum {
  PERI_PROVIDED_MOST = 1000,
  PERI_PROVIDED_WAIT_MS = 1900  // so that the answer is there within 2 s
};

enum peri_provided_source {
  PERI_PROVIDED_SELF = 0,    // the sidecar, in its cluster
  PERI_PROVIDED_CONFIG = 1,  // `provides` of the configuration
  PERI_PROVIDED_CALL = 2     // Mesh/Register
};

/// What is to be registered, in words of its own.
struct peri_provided_init {
  enum peri_provided_source source;
  struct peri_slice service;
  struct peri_record record;
  enum peri_probe_kind health;
  struct peri_slice probed;  // where the application listens
};

struct peri_provided {
  struct peri_list node;
  struct peri_provider *provider;
  struct peri_listing *listing;
  struct peri_probe *probe;  // NULL when nothing is checked
  enum peri_provided_source source;
  char *service;
  char *probed;
  enum peri_probe_kind health;
  struct peri_buffer record;  // as written, to tell what changed
  bool marked;                // by a configuration being applied
  char why[200];              // what the health check says, "" when it passes
  struct peri_timer *limit;   // of the registration that waits
  void (*done)(void *ctx, int error, const char *words);
  void *ctx;
};

struct peri_provider {
  struct peri_provider_options options;
  char *self;
  char *zone;                   // of the configuration applied last
  struct peri_rpc_client *rpc;  // made when the first check needs it
  struct peri_list list;
  size_t count;
  void (*closed)(void *ctx);
  void *ctx;
};

/// Adds or replaces. @return 0, PERI_EINVAL, PERI_EEXIST (the configuration or
/// the cluster has the name), PERI_ELIMIT, PERI_ENOMEM.
int peri_provided_put(struct peri_provider *provider,
                      const struct peri_provided_init *init,
                      struct peri_provided **ret_provided,
                      struct peri_problem *ret_problem);
/// Stops its checks and takes the listing out; `done` may be NULL.
void peri_provided_remove(struct peri_provided *provided,
                          void (*done)(void *ctx, int error), void *ctx);
/// Frees it without touching the listing. A registration that waits is told
/// that it is over.
void peri_provided_free(struct peri_provided *provided);
struct peri_provided *peri_provided_find(const struct peri_provider *provider,
                                         struct peri_slice service);
/// Answers a registration that waits when there is something to say. Returns
/// whether there is: `provided` may be gone then.
bool peri_provided_settle(struct peri_provided *provided);
