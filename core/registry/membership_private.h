#pragma once

#include "base/log.h"
#include "etcd/error.h"
#include "registry/membership.h"

struct peri_etcd;
struct peri_metric;
struct peri_registrar;
struct peri_timer;

struct peri_membership {
  struct peri_registry_options options;
  struct peri_config *config;  // the one applied last
  char *self;
  struct peri_etcd *etcd;
  struct peri_catalog *catalog;
  struct peri_registrar *registrar;
  struct peri_provider *provider;
  struct peri_timer *pulse;
  struct peri_etcd_error trouble;  // kind 0: none
  struct peri_log_gate gates[PERI_ETCD_KINDS];
  struct peri_metric *troubles[PERI_ETCD_KINDS];
  struct peri_metric *stale;
  struct peri_metric *lease;
  struct peri_metric *revision;
  bool well;  // said so since the last trouble
  bool stopping;
  void (*left)(void *ctx);
  void *left_ctx;
  void (*stopped)(void *ctx);
  void *stopped_ctx;
  uint64_t stop_by_ns;
};

/// membership_health.c: notes what fails (NULL: nothing does any more), in the
/// log, in metrics and for the status.
void peri_membership_trouble(struct peri_membership *membership,
                             const struct peri_etcd_error *error);
/// Brings the gauges up to date before their time.
void peri_membership_pulse(struct peri_membership *membership);
/// Makes the metrics and the timer that keeps them.
int peri_membership_health_new(struct peri_membership *membership);
