#include "registry/provider.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/json.h"
#include "base/slice.h"
#include "loop/timer.h"
#include "model/config.h"
#include "registry/catalog.h"
#include "registry/provider_private.h"
#include "registry/registration.h"
#include "registry/status.h"
#include "rpc/client.h"

int peri_provider_new(const struct peri_provider_options *options,
                      struct peri_provider **ret_provider) {
  struct peri_provider *provider = calloc(1, sizeof(*provider));
  if (provider == NULL) {
    return PERI_ENOMEM;
  }
  peri_list_init(&provider->list);
  provider->options = *options;
  provider->self = peri_slice_dup(options->self_address);
  if (provider->self == NULL) {
    free(provider);
    return PERI_ENOMEM;
  }
  *ret_provider = provider;
  return 0;
}

static void on_closed(void *ctx) {
  struct peri_provider *provider = ctx;
  void (*closed)(void *ctx) = provider->closed;
  void *closed_ctx = provider->ctx;
  free(provider->self);
  free(provider->zone);
  free(provider);
  closed(closed_ctx);
}

void peri_provider_close(struct peri_provider *provider,
                         void (*closed)(void *ctx), void *ctx) {
  provider->closed = closed;
  provider->ctx = ctx;
  struct peri_list *node;
  while ((node = peri_list_pop(&provider->list)) != NULL) {
    peri_provided_free(PERI_CONTAINER_OF(node, struct peri_provided, node));
  }
  if (provider->rpc != NULL) {
    peri_rpc_client_close(provider->rpc, on_closed, provider);
  } else {
    on_closed(provider);
  }
}

static bool health_of(struct peri_slice name, enum peri_probe_kind *ret_kind) {
  static const struct {
    const char *name;
    enum peri_probe_kind kind;
  } kinds[] = {{"", PERI_PROBE_TCP},
               {"tcp", PERI_PROBE_TCP},
               {"grpc", PERI_PROBE_GRPC},
               {"none", PERI_PROBE_NONE}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    if (peri_slice_is(name, kinds[i].name)) {
      *ret_kind = kinds[i].kind;
      return true;
    }
  }
  return false;
}

static int put_self(struct peri_provider *provider,
                    const struct peri_config *config,
                    struct peri_problem *ret_problem) {
  struct peri_provided *provided;
  struct peri_provided_init init = {
      .source = PERI_PROVIDED_SELF,
      .service = peri_slice_of(config->cluster),
      .record = {.address = peri_slice_of(provider->self),
                 .zone = peri_slice_of(config->node_zone),
                 .protocol = peri_slice_of("perigee"),
                 .weight = config->node_weight},
      .health = PERI_PROBE_NONE,
  };
  int rc = peri_provided_put(provider, &init, &provided, ret_problem);
  if (rc == 0) {
    provided->marked = true;
  }
  return rc;
}

static int put_provide(struct peri_provider *provider,
                       const struct peri_config *config,
                       const struct peri_config_provide *provide,
                       struct peri_problem *ret_problem) {
  struct peri_provided *provided;
  struct peri_provided_init init = {
      .source = PERI_PROVIDED_CONFIG,
      .service = peri_slice_of(provide->service),
      .record = {.address = peri_slice_of(provider->self),
                 .zone = peri_slice_of(config->node_zone),
                 .version = peri_slice_of(provide->version),
                 .protocol = peri_slice_of("perigee"),
                 .weight = provide->weight,
                 .metadata = provide->metadata},
      .probed = peri_slice_of(provide->address),
  };
  if (!health_of(peri_slice_of(provide->health), &init.health)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "\"%s\" is no health check", provide->health);
  }
  int rc = peri_provided_put(provider, &init, &provided, ret_problem);
  if (rc == 0) {
    provided->marked = true;
  }
  return rc;
}

int peri_provider_configure(struct peri_provider *provider,
                            struct peri_config *config,
                            struct peri_problem *ret_problem) {
  struct peri_list *node, *next;
  char *zone = peri_slice_dup(peri_slice_of(config->node_zone));
  if (zone == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  free(provider->zone);
  provider->zone = zone;
  int rc = put_self(provider, config, ret_problem);
  for (size_t i = 0; i < config->provide_count; i++) {
    int code = put_provide(provider, config, &config->provides[i], ret_problem);
    rc = rc < 0 ? rc : code;
  }
  for (node = provider->list.next; node != &provider->list; node = next) {
    struct peri_provided *provided =
        PERI_CONTAINER_OF(node, struct peri_provided, node);
    next = node->next;
    if (!provided->marked && provided->source != PERI_PROVIDED_CALL) {
      peri_provided_remove(provided, NULL, NULL);
    } else {
      provided->marked = false;
    }
  }
  return rc;
}

static int read_metadata(struct peri_slice text, struct peri_json **ret_json,
                         struct peri_problem *ret_problem) {
  struct peri_json *json = NULL;
  if (text.len == 0) {
    return 0;
  }
  int rc = peri_json_parse(text, &json, ret_problem);
  if (rc == 0 && peri_json_type(json) != PERI_JSON_OBJECT) {
    peri_json_unref(json);
    rc = peri_problem_set(ret_problem, PERI_EINVAL,
                          "metadata must be a JSON object");
  }
  if (rc == 0) {
    *ret_json = json;
  }
  return rc;
}

static int check(const struct peri_provider *provider,
                 const struct peri_registration *registration,
                 enum peri_probe_kind *ret_health,
                 struct peri_problem *ret_problem) {
  const struct peri_provided *known =
      peri_provided_find(provider, registration->service);
  if (known != NULL && known->source != PERI_PROVIDED_CALL) {
    return peri_problem_set(ret_problem, PERI_EEXIST,
                            "\"%s\" is registered by the configuration",
                            known->service);
  }
  if (registration->weight > UINT16_MAX) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "weight must be 1 to 65535");
  }
  if (!health_of(registration->health, ret_health)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "health must be \"grpc\", \"tcp\" or \"none\"");
  }
  return 0;
}

int peri_provider_register(struct peri_provider *provider,
                           const struct peri_registration *registration,
                           void (*done)(void *ctx, int error,
                                        const char *words),
                           void *ctx, struct peri_problem *ret_problem) {
  struct peri_provided *provided = NULL;
  struct peri_provided_init init = {
      .source = PERI_PROVIDED_CALL,
      .service = registration->service,
      .record = {.address = peri_slice_of(provider->self),
                 .zone = peri_slice_of(provider->zone),
                 .version = registration->version,
                 .protocol = peri_slice_of("perigee"),
                 .weight = registration->weight > 0 ? registration->weight : 1},
      .probed = registration->address,
  };
  int rc = check(provider, registration, &init.health, ret_problem);
  if (rc == 0) {
    rc = read_metadata(registration->metadata, &init.record.metadata,
                       ret_problem);
  }
  if (rc == 0) {
    rc = peri_provided_put(provider, &init, &provided, ret_problem);
  }
  if (init.record.metadata != NULL) {
    peri_json_unref(init.record.metadata);
  }
  if (rc != 0) {
    return rc;
  }
  if (provided->done != NULL) {
    provided->done(provided->ctx, PERI_ECANCELED, "registered again meanwhile");
  }
  provided->done = done;
  provided->ctx = ctx;
  // A state that holds already is told by the limit's timer too: never from
  // within this call.
  bool settled =
      peri_listing_state(provided->listing) == PERI_LISTING_REGISTERED;
  peri_timer_start(provided->limit, settled ? 0 : PERI_PROVIDED_WAIT_MS, 0);
  return 0;
}

struct goodbye {
  void (*done)(void *ctx, int error, const char *words);
  void *ctx;
};

static void on_removed(void *ctx, int error) {
  struct goodbye *goodbye = ctx;
  goodbye->done(goodbye->ctx, error,
                error == 0 ? ""
                           : "etcd did not confirm it; the key goes with its "
                             "lease at the latest");
  free(goodbye);
}

int peri_provider_deregister(struct peri_provider *provider,
                             struct peri_slice service,
                             void (*done)(void *ctx, int error,
                                          const char *words),
                             void *ctx, struct peri_problem *ret_problem) {
  struct peri_provided *provided = peri_provided_find(provider, service);
  if (provided == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                            "\"%.*s\" was not registered here",
                            (int)service.len, service.ptr);
  }
  if (provided->source != PERI_PROVIDED_CALL) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "\"%s\" is registered by the configuration",
                            provided->service);
  }
  struct goodbye *goodbye = malloc(sizeof(*goodbye));
  if (goodbye == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  goodbye->done = done;
  goodbye->ctx = ctx;
  peri_provided_remove(provided, on_removed, goodbye);
  return 0;
}

void peri_provider_changed(struct peri_provider *provider,
                           struct peri_listing *listing) {
  for (struct peri_list *node = provider->list.next; node != &provider->list;
       node = node->next) {
    struct peri_provided *provided =
        PERI_CONTAINER_OF(node, struct peri_provided, node);
    if (provided->listing == listing) {
      peri_provided_settle(provided);
      return;
    }
  }
}

void peri_provider_seen(struct peri_provider *provider, struct peri_slice key,
                        int64_t lease, int64_t mod_revision) {
  size_t len = strlen(provider->self);
  // Most keys are somebody else's, which their end tells.
  if (key.len <= len ||
      memcmp(key.ptr + key.len - len, provider->self, len) != 0) {
    return;
  }
  for (struct peri_list *node = provider->list.next; node != &provider->list;
       node = node->next) {
    struct peri_provided *provided =
        PERI_CONTAINER_OF(node, struct peri_provided, node);
    if (peri_slice_equal(key, peri_listing_key(provided->listing))) {
      peri_listing_seen(provided->listing, lease, mod_revision);
      return;
    }
  }
}

void peri_provider_loaded(struct peri_provider *provider,
                          struct peri_slice service, int64_t revision) {
  struct peri_provided *provided = peri_provided_find(provider, service);
  int64_t lease, mod_revision;
  if (provided != NULL && !peri_catalog_has(provider->options.catalog,
                                            peri_listing_key(provided->listing),
                                            &lease, &mod_revision)) {
    peri_listing_seen(provided->listing, 0, revision);
  }
}

size_t peri_provider_count(const struct peri_provider *provider) {
  return provider->count;
}

void peri_provider_status(const struct peri_provider *provider, size_t index,
                          struct peri_own_status *ret_status) {
  static const char *const states[] = {"out", "registering", "registered",
                                       "blocked"};
  struct peri_list *node = provider->list.next;
  for (size_t i = 0; i < index; i++) {
    node = node->next;
  }
  const struct peri_provided *provided =
      PERI_CONTAINER_OF(node, struct peri_provided, node);
  *ret_status = (struct peri_own_status){
      .service = provided->service,
      .address = peri_listing_address(provided->listing),
      .state = states[peri_listing_state(provided->listing)],
      .reason = provided->why[0] != '\0'
                    ? provided->why
                    : peri_listing_reason(provided->listing),
  };
}
