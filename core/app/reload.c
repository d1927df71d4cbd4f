#include "app/reload.h"

#include <stdlib.h>

#include "app/diff.h"
#include "base/container.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/file.h"
#include "loop/turn.h"
#include "model/snapshot.h"
#include "registry/registry.h"

enum { LOOK_EVERY_MS = 2000 };

struct peri_reload {
  struct peri_reload_options options;
  struct peri_watch *watch;
  struct peri_turn turn;
  struct peri_metric *taken;
  struct peri_metric *refused;
};

static void refuse(struct peri_reload *reload,
                   const struct peri_problem *problem) {
  peri_metric_add(reload->refused, 1);
  peri_log(PERI_LOG_ERROR, "app",
           "the changed configuration is wrong, the old one stays: %s",
           problem->text);
}

/// 0 before the first.
static uint64_t version_of(const struct peri_registry *registry) {
  const struct peri_snapshot *snapshot = peri_registry_snapshot(registry);
  return snapshot != NULL ? peri_snapshot_version(snapshot) : 0;
}

static void read_again(struct peri_turn *turn) {
  struct peri_reload *reload =
      PERI_CONTAINER_OF(turn, struct peri_reload, turn);
  struct peri_registry *registry = reload->options.registry;
  struct peri_problem problem = {0, ""};
  struct peri_setup setup;
  struct peri_diff diff;
  if (peri_setup_read(reload->options.file, &setup, &problem) < 0) {
    refuse(reload, &problem);
    return;
  }
  uint64_t before = version_of(registry);
  if (peri_registry_update(registry, setup.config, &problem) < 0) {
    refuse(reload, &problem);
    peri_setup_done(&setup);
    return;
  }
  uint64_t after = version_of(registry);
  peri_metric_add(reload->taken, 1);
  peri_log(PERI_LOG_INFO, "app",
           "read the configuration again: the services %s (version %llu)",
           after == before ? "are the same" : "have changed",
           (unsigned long long)after);
  if (peri_diff_make(reload->options.setup, &setup, &diff) == 0) {
    if (diff.restart[0] != '\0') {
      peri_log(PERI_LOG_WARN, "app",
               "what changed in %s takes effect after a restart", diff.restart);
    }
    peri_diff_done(&diff);
  }
  peri_setup_done(&setup);
}

void peri_reload_request(struct peri_reload *reload) {
  peri_turn_request(&reload->turn);
}

static void on_changed(void *ctx) {
  peri_reload_request(ctx);
}

int peri_reload_new(const struct peri_reload_options *options,
                    struct peri_reload **ret_reload) {
  static const char *const metric = "perigee_config_reloads_total";
  static const char *const help = "Times the configuration was read again.";
  struct peri_reload *reload = calloc(1, sizeof(*reload));
  if (reload == NULL) {
    return PERI_ENOMEM;
  }
  reload->options = *options;
  reload->taken =
      peri_metrics_counter(options->metrics, metric, help, "result=\"taken\"");
  reload->refused = peri_metrics_counter(options->metrics, metric, help,
                                         "result=\"refused\"");
  peri_turn_init(&reload->turn, options->loop, read_again);
  int rc = peri_watch_new(options->loop, options->file, LOOK_EVERY_MS,
                          on_changed, reload, &reload->watch);
  if (rc < 0) {
    free(reload);
    return rc;
  }
  *ret_reload = reload;
  return 0;
}

void peri_reload_free(struct peri_reload *reload) {
  if (reload == NULL) {
    return;
  }
  peri_turn_cancel(&reload->turn);
  peri_watch_free(reload->watch);
  free(reload);
}
