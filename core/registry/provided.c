#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/slice.h"
#include "loop/timer.h"
#include "registry/catalog.h"
#include "registry/provider_private.h"
#include "registry/registration.h"
#include "rpc/client.h"

struct peri_provided *peri_provided_find(const struct peri_provider *provider,
                                         struct peri_slice service) {
  for (struct peri_list *node = provider->list.next; node != &provider->list;
       node = node->next) {
    struct peri_provided *provided =
        PERI_CONTAINER_OF(node, struct peri_provided, node);
    if (peri_slice_is(service, provided->service)) {
      return provided;
    }
  }
  return NULL;
}

static void answer(struct peri_provided *provided, int error,
                   const char *words) {
  void (*done)(void *ctx, int error, const char *words) = provided->done;
  if (done == NULL) {
    return;
  }
  provided->done = NULL;
  peri_timer_stop(provided->limit);
  done(provided->ctx, error, words);
}

bool peri_provided_settle(struct peri_provided *provided) {
  enum peri_listing_state state = peri_listing_state(provided->listing);
  if (state == PERI_LISTING_REGISTERED) {
    answer(provided, 0, "");
  } else if (state == PERI_LISTING_BLOCKED) {
    answer(provided, PERI_EBUSY, peri_listing_reason(provided->listing));
  }
  return state == PERI_LISTING_REGISTERED || state == PERI_LISTING_BLOCKED;
}

/// Tells where calls for it go: to its application, or nowhere when `there` is
/// false.
static void tell(const struct peri_provided *provided, bool there) {
  const struct peri_provider *provider = provided->provider;
  // A sidecar is nobody's application; what is closing needs no calls.
  if (provider->options.provided != NULL &&
      provided->source != PERI_PROVIDED_SELF && provider->closed == NULL) {
    provider->options.provided(provider->options.ctx,
                               peri_slice_of(provided->service),
                               peri_slice_of(there ? provided->probed : NULL));
  }
}

static void on_limit(void *ctx) {
  struct peri_provided *provided = ctx;
  char words[400];
  const char *why = provided->why[0] != '\0'
                        ? provided->why
                        : peri_listing_reason(provided->listing);
  if (peri_provided_settle(provided)) {
    return;
  }
  snprintf(words, sizeof(words),
           "not registered yet, and tried again until it is: %.300s", why);
  answer(provided, PERI_ETIMEOUT, words);
}

static void on_probe(void *ctx, bool healthy, const char *why) {
  struct peri_provided *provided = ctx;
  snprintf(provided->why, sizeof(provided->why), "%s%.180s",
           healthy ? "" : "unhealthy: ", healthy ? "" : why);
  peri_listing_switch(provided->listing, healthy);
}

static int check_health(struct peri_provided *provided,
                        struct peri_problem *ret_problem) {
  struct peri_provider *provider = provided->provider;
  peri_probe_free(provided->probe);
  provided->probe = NULL;
  if (provided->health == PERI_PROBE_NONE) {
    provided->why[0] = '\0';
    peri_listing_switch(provided->listing, true);
    return 0;
  }
  if (provided->health == PERI_PROBE_GRPC && provider->rpc == NULL) {
    int rc = peri_rpc_client_new(provider->options.mailbox, &provider->rpc,
                                 ret_problem);
    if (rc < 0) {
      return rc;
    }
  }
  struct peri_probe_options options = {
      .loop = provider->options.loop,
      .rpc = provider->rpc,
      .kind = provided->health,
      .address = peri_slice_of(provided->probed),
      .changed = on_probe,
      .ctx = provided,
  };
  snprintf(provided->why, sizeof(provided->why), "health not checked yet");
  return peri_probe_new(&options, &provided->probe, ret_problem);
}

void peri_provided_free(struct peri_provided *provided) {
  struct peri_provider *provider = provided->provider;
  // Out of the list first: whoever is told may ask for the name again.
  provider->count--;
  peri_list_remove(&provided->node);
  tell(provided, false);
  answer(provided, PERI_ECANCELED, "replaced, deregistered or stopping");
  peri_catalog_release(provider->options.catalog,
                       peri_slice_of(provided->service));
  peri_probe_free(provided->probe);
  peri_timer_free(provided->limit);
  peri_buffer_done(&provided->record);
  free(provided->service);
  free(provided->probed);
  free(provided);
}

void peri_provided_remove(struct peri_provided *provided,
                          void (*done)(void *ctx, int error), void *ctx) {
  struct peri_listing *listing = provided->listing;
  peri_provided_free(provided);
  peri_registrar_remove(listing, done, ctx);
}

static int add(struct peri_provider *provider,
               const struct peri_provided_init *init,
               struct peri_provided **ret_provided) {
  struct peri_provided *provided = calloc(1, sizeof(*provided));
  if (provided == NULL) {
    return PERI_ENOMEM;
  }
  int rc = PERI_ENOMEM;
  provided->provider = provider;
  provided->source = init->source;
  provided->service = peri_slice_dup(init->service);
  if (provided->service == NULL) {
    goto fail_service;
  }
  rc = peri_timer_new(provider->options.loop, on_limit, provided,
                      &provided->limit);
  if (rc < 0) {
    goto fail_timer;
  }
  rc = peri_catalog_keep(provider->options.catalog, init->service);
  if (rc < 0) {
    goto fail_keep;
  }
  rc = peri_registrar_add(provider->options.registrar, init->service,
                          &init->record, false, &provided->listing);
  if (rc < 0) {
    goto fail_listing;
  }
  peri_list_push(&provider->list, &provided->node);
  provider->count++;
  *ret_provided = provided;
  return 0;

fail_listing:
  peri_catalog_release(provider->options.catalog, init->service);
fail_keep:
  peri_timer_free(provided->limit);
fail_timer:
  free(provided->service);
fail_service:
  free(provided);
  return rc;
}

/// Gives it the record and the health check of `init`, where they differ.
static int apply(struct peri_provided *provided,
                 const struct peri_provided_init *init,
                 struct peri_problem *ret_problem) {
  struct peri_buffer record = {0};
  bool moved = provided->probed == NULL || provided->health != init->health ||
               !peri_slice_is(init->probed, provided->probed);
  int rc = peri_record_write(&init->record, &record);
  if (rc == 0 && !peri_slice_equal(peri_buffer_slice(&record),
                                   peri_buffer_slice(&provided->record))) {
    rc = peri_listing_update(provided->listing, &init->record);
  }
  if (rc < 0) {
    peri_buffer_done(&record);
    return rc;
  }
  peri_buffer_done(&provided->record);
  provided->record = record;
  provided->source = init->source;
  if (moved) {
    char *probed = peri_slice_dup(init->probed);
    if (probed == NULL) {
      return PERI_ENOMEM;
    }
    free(provided->probed);
    provided->probed = probed;
    provided->health = init->health;
    tell(provided, true);
    rc = check_health(provided, ret_problem);
  }
  return rc;
}

int peri_provided_put(struct peri_provider *provider,
                      const struct peri_provided_init *init,
                      struct peri_provided **ret_provided,
                      struct peri_problem *ret_problem) {
  struct peri_provided *provided = peri_provided_find(provider, init->service);
  bool fresh = provided == NULL;
  int rc = 0;
  if (fresh && provider->count == PERI_PROVIDED_MOST) {
    return peri_problem_set(ret_problem, PERI_ELIMIT,
                            "%d services are registered already",
                            PERI_PROVIDED_MOST);
  }
  if (fresh) {
    rc = add(provider, init, &provided);
  }
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "\"%.*s\": %s",
                            (int)init->service.len, init->service.ptr,
                            rc == PERI_EINVAL
                                ? "no name for a service (1 to 1024 "
                                  "bytes, no '/' at an edge)"
                                : peri_error_text(rc));
  }
  struct peri_problem problem = {0, ""};
  rc = apply(provided, init, &problem);
  if (rc < 0) {
    peri_problem_set(
        ret_problem, rc, "\"%s\": %s", provided->service,
        problem.text[0] != '\0' ? problem.text : peri_error_text(rc));
    if (fresh) {
      peri_provided_remove(provided, NULL, NULL);
    }
    return rc;
  }
  *ret_provided = provided;
  return 0;
}
