#pragma once

#include "app/worker.h"
#include "base/error.h"
#include "base/types.h"

struct peri_address;
struct peri_loop;
struct peri_metrics;

/// One listening socket whose connections go to the worker with the fewest.
/// Control thread only.
struct peri_acceptor;

/// Where to listen, and for whom.
struct peri_acceptor_options {
  const char *address;  // as configured
  enum peri_side side;
  uint32_t most_conns;  // over it a connection is closed at once
  struct peri_metrics *metrics;
};

/// Binds, or takes the socket inherited under the side's name ("app", "mesh");
/// nothing is accepted yet. @return 0, or what peri_listener_bind() says, with
/// words.
int peri_acceptor_new(const struct peri_acceptor_options *options,
                      struct peri_acceptor **ret_acceptor,
                      struct peri_problem *ret_problem);

/// Where it really listens.
const struct peri_address *peri_acceptor_address(
    const struct peri_acceptor *acceptor);

/// Begins to accept. `workers` is borrowed. @return 0 or a libuv code.
int peri_acceptor_start(struct peri_acceptor *acceptor, struct peri_loop *loop,
                        struct peri_worker *const *workers, size_t count);

/// Stops accepting and closes the socket. NULL is fine.
void peri_acceptor_free(struct peri_acceptor *acceptor);
