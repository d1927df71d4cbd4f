#include "app/acceptor.h"

#include <stdlib.h>
#include <unistd.h>

#include "app/inherit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "h2/listener.h"

enum { GATE_MS = 5000 };

struct peri_acceptor {
  struct peri_acceptor_options options;
  struct peri_listener *listener;
  struct peri_worker *const *workers;
  size_t count;
  struct peri_metric *accepted;
  struct peri_metric *over_limit;
  struct peri_metric *no_descriptors;
  struct peri_log_gate gate;
};

static const char *side_name(enum peri_side side) {
  return side == PERI_SIDE_APP ? "app" : "mesh";
}

static void make_metrics(struct peri_acceptor *acceptor) {
  struct peri_metrics *metrics = acceptor->options.metrics;
  static const char *const refused = "perigee_connections_refused_total";
  static const char *const help = "Connections closed as soon as they came.";
  bool app = acceptor->options.side == PERI_SIDE_APP;
  acceptor->accepted = peri_metrics_counter(
      metrics, "perigee_connections_accepted_total", "Connections accepted.",
      app ? "listener=\"app\"" : "listener=\"mesh\"");
  acceptor->over_limit =
      peri_metrics_counter(metrics, refused, help,
                           app ? "listener=\"app\",reason=\"limit\""
                               : "listener=\"mesh\",reason=\"limit\"");
  acceptor->no_descriptors =
      peri_metrics_counter(metrics, refused, help,
                           app ? "listener=\"app\",reason=\"descriptors\""
                               : "listener=\"mesh\",reason=\"descriptors\"");
}

int peri_acceptor_new(const struct peri_acceptor_options *options,
                      struct peri_acceptor **ret_acceptor,
                      struct peri_problem *ret_problem) {
  struct peri_address address;
  int rc = peri_address_parse(peri_slice_of(options->address), &address);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "listen.%s: %s is no address",
                            side_name(options->side), options->address);
  }
  struct peri_acceptor *acceptor = calloc(1, sizeof(*acceptor));
  if (acceptor == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  acceptor->options = *options;
  make_metrics(acceptor);
  rc = peri_listener_bind(&address, peri_inherit_find(side_name(options->side)),
                          &acceptor->listener, ret_problem);
  if (rc < 0) {
    free(acceptor);
    return rc;
  }
  *ret_acceptor = acceptor;
  return 0;
}

const struct peri_address *peri_acceptor_address(
    const struct peri_acceptor *acceptor) {
  return peri_listener_address(acceptor->listener);
}

static void complain(struct peri_acceptor *acceptor, const char *why) {
  uint64_t more;
  if (peri_log_gate_open(&acceptor->gate, peri_clock_mono_ns(), GATE_MS,
                         &more)) {
    peri_log(PERI_LOG_WARN, "app",
             "the %s listener closes new connections: %s (and %llu before)",
             side_name(acceptor->options.side), why, (unsigned long long)more);
  }
}

/// The worker with the fewest connections of both listeners, as they cost it
/// the same.
static struct peri_worker *idlest(const struct peri_acceptor *acceptor,
                                  size_t *ret_total) {
  struct peri_worker *best = NULL;
  size_t least = SIZE_MAX, total = 0;
  for (size_t i = 0; i < acceptor->count; i++) {
    size_t conns = 0;
    for (int side = 0; side < PERI_SIDE_COUNT; side++) {
      conns += peri_worker_conns(acceptor->workers[i], (enum peri_side)side);
    }
    total += peri_worker_conns(acceptor->workers[i], acceptor->options.side);
    if (conns < least) {
      least = conns;
      best = acceptor->workers[i];
    }
  }
  *ret_total = total;
  return best;
}

static void on_accepted(void *ctx, int fd) {
  struct peri_acceptor *acceptor = ctx;
  size_t total;
  struct peri_worker *worker = idlest(acceptor, &total);
  if (total >= acceptor->options.most_conns) {
    close(fd);
    peri_metric_add(acceptor->over_limit, 1);
    complain(acceptor, "limits.conns_per_listener is reached");
    return;
  }
  if (peri_worker_adopt(worker, acceptor->options.side, fd) < 0) {
    close(fd);
    complain(acceptor, "a worker cannot take them");
    return;
  }
  peri_metric_add(acceptor->accepted, 1);
}

static void on_refused(void *ctx) {
  struct peri_acceptor *acceptor = ctx;
  peri_metric_add(acceptor->no_descriptors, 1);
  complain(acceptor, "no file descriptors are left");
}

int peri_acceptor_start(struct peri_acceptor *acceptor, struct peri_loop *loop,
                        struct peri_worker *const *workers, size_t count) {
  acceptor->workers = workers;
  acceptor->count = count;
  return peri_listener_start(acceptor->listener, loop, on_accepted, on_refused,
                             acceptor);
}

void peri_acceptor_free(struct peri_acceptor *acceptor) {
  if (acceptor == NULL) {
    return;
  }
  peri_listener_free(acceptor->listener);
  free(acceptor);
}
