#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_address;
struct peri_loop;
struct peri_metrics;
struct peri_registry;

/// The operator's HTTP/1.1 page: /live, /ready and /metrics. Runs on the
/// control loop; its thread only.
struct peri_admin;

/// Where to listen, and what to show.
struct peri_admin_options {
  const char *address;  // as configured
  struct peri_loop *loop;
  struct peri_metrics *metrics;
};

/// Binds (or takes the socket inherited under the name "admin") and begins to
/// answer, /ready with 503. @return 0, what peri_listener_bind() says, or
/// PERI_ENOMEM, with words.
int peri_admin_new(const struct peri_admin_options *options,
                   struct peri_admin **ret_admin,
                   struct peri_problem *ret_problem);

/// Where it really listens.
const struct peri_address *peri_admin_address(const struct peri_admin *admin);

/// What /ready says: 200 when `reason` is NULL, else 503 with the reason, a
/// static string such as "starting" or "draining".
void peri_admin_ready(struct peri_admin *admin, const char *reason);

/// Lets /ready tell, after its first line, how current the registry is.
/// Borrowed.
void peri_admin_describe(struct peri_admin *admin,
                         struct peri_registry *registry);

/// Closes every connection at once. NULL is fine.
void peri_admin_free(struct peri_admin *admin);
