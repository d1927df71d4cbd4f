#include "proxy/rig_shim.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/slice.h"
#include "h2/client.h"
#include "h2/listener.h"
#include "h2/server.h"
#include "model/config.h"
#include "model/peers.h"
#include "model/snapshot.h"
#include "proxy/private.h"

enum { MOST_SERVICES = 8, MOST_PEERS = 32, MOST_FIELDS = 64, ZEROS = 65536 };

static void to_app(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_rig *rig = ctx;
  peri_proxy_outbound(rig->proxy, stream);
}

static void to_mesh(void *ctx, struct peri_h2_stream *stream) {
  struct proxy_rig *rig = ctx;
  peri_proxy_inbound(rig->proxy, stream);
}

static void app_accepted(void *ctx, int fd) {
  struct proxy_rig *rig = ctx;
  peri_h2_server_adopt(rig->app, fd);
}

static void mesh_accepted(void *ctx, int fd) {
  struct proxy_rig *rig = ctx;
  peri_h2_server_adopt(rig->mesh, fd);
}

static void refused(void *ctx) {
  (void)ctx;
}

static int listen_on(struct proxy_rig *rig, const char *text,
                     void (*accepted)(void *ctx, int fd), void *ctx,
                     struct peri_listener **ret_listener, char ret_text[300]) {
  struct peri_address address;
  int rc = peri_address_parse(peri_slice_of(text), &address);
  if (rc == 0) {
    rc = peri_listener_bind(&address, -1, ret_listener, NULL);
  }
  if (rc < 0) {
    return rc;
  }
  peri_address_format(peri_listener_address(*ret_listener), ret_text, 300);
  return peri_listener_start(*ret_listener, rig->loop, accepted, refused, ctx);
}

static void want(void *ctx, struct peri_slice service) {
  struct proxy_rig *rig = ctx;
  size_t used = strlen(rig->wanted);
  rig->wants++;
  if (used + service.len + 2 < sizeof(rig->wanted)) {
    memcpy(rig->wanted + used, service.ptr, service.len);
    rig->wanted[used + service.len] = ' ';
  }
}

static bool pattern(const char *text, struct peri_slice value) {
  return memmem(value.ptr, value.len, text, strlen(text)) != NULL;
}

static int read_config(struct proxy_rig *rig, const char *text,
                       struct peri_problem *problem) {
  struct peri_json *tree = NULL;
  int rc = peri_json_parse(peri_slice_of(text), &tree, problem);
  if (rc == 0) {
    struct peri_slice none = {"", 0};
    rc = peri_config_build("perigee.lua", none, tree, &rig->config, problem);
  }
  peri_json_unref(tree);
  return rc;
}

int proxy_rig_prepare(struct proxy_rig *rig, const char *config,
                      struct peri_problem *ret_problem) {
  peri_config_unref(rig->config);
  rig->config = NULL;
  int rc = read_config(rig, config, ret_problem);
  if (rc == 0) {
    rig->policy.make = strstr(config, "\"unmakeable\"") ? PERI_ESCRIPT : 0;
    rc = peri_proxy_prepare(rig->proxy, rig->config, ret_problem);
  }
  peri_config_unref(rig->config);
  rig->config = NULL;
  return rc;
}

static int open_all(struct proxy_rig *rig,
                    const struct proxy_rig_options *options) {
  struct peri_h2_server_options app = {.loop = rig->loop,
                                       .limits = options->limits,
                                       .metrics = rig->metrics,
                                       .name = "app",
                                       .on_request = to_app,
                                       .ctx = rig};
  struct peri_h2_server_options mesh = app;
  // All of the rig is one thread: a busy step must not look like a dead peer.
  struct peri_h2_client_options client = {.loop = rig->loop,
                                          .limits = options->limits,
                                          .connect_timeout_ms = 60000};
  struct peri_h2_client_options caller = client;
  mesh.name = "mesh";
  mesh.on_request = to_mesh;
  caller.limits = options->caller_limits;
  int rc = peri_h2_server_new(&app, &rig->app);
  rc = rc < 0 ? rc : peri_h2_server_new(&mesh, &rig->mesh);
  rc = rc < 0 ? rc : peri_h2_client_new(&client, &rig->client);
  rc = rc < 0 ? rc : peri_h2_client_new(&caller, &rig->caller);
  rc = rc < 0 ? rc
              : listen_on(rig, "127.0.0.1:0", app_accepted, rig,
                          &rig->app_listener, rig->app_address);
  rc = rc < 0 ? rc
              : listen_on(rig, "127.0.0.1:0", mesh_accepted, rig,
                          &rig->mesh_listener, rig->mesh_address);
  return rc;
}

struct proxy_rig *proxy_rig_new(const struct proxy_rig_options *options,
                                struct peri_problem *ret_problem) {
  struct proxy_rig *rig = calloc(1, sizeof(*rig));
  if (rig == NULL || peri_loop_new(&rig->loop) < 0) {
    abort();
  }
  rig->metrics = peri_metrics_new();
  rig->decisions = peri_decisions_new();
  int rc = read_config(rig, options->config, ret_problem);
  rc = rc < 0 ? rc : open_all(rig, options);
  if (rc == 0) {
    struct peri_proxy_options proxy = {
        .loop = rig->loop,
        .config = rig->config,
        .client = rig->client,
        .host = options->without_host ? NULL : proxy_policy_host(&rig->policy),
        .metrics = rig->metrics,
        .decisions = rig->decisions,
        .pattern = pattern,
        .want = options->without_want ? NULL : want,
        .ctx = rig};
    // A balancer that cannot be made is asked for by a word in the policy.
    rig->policy.make =
        strstr(options->config, "\"unmakeable\"") ? PERI_ESCRIPT : 0;
    rc = peri_proxy_new(&proxy, &rig->proxy, ret_problem);
  }
  if (rc < 0) {
    proxy_rig_free(rig);
    return NULL;
  }
  return rig;
}

void proxy_rig_hang_up(struct proxy_rig *rig) {
  peri_h2_client_free(rig->caller);
  rig->caller = NULL;
}

size_t proxy_rig_calls(const struct proxy_rig *rig) {
  const struct peri_list *calls = &rig->proxy->calls;
  size_t count = 0;
  for (const struct peri_list *at = calls->next; at != calls; at = at->next) {
    count++;
  }
  return count;
}

void proxy_rig_free(struct proxy_rig *rig) {
  proxy_rig_hang_up(rig);
  peri_listener_free(rig->app_listener);
  peri_listener_free(rig->mesh_listener);
  if (rig->app != NULL) {
    peri_h2_server_free(rig->app);
  }
  if (rig->mesh != NULL) {
    peri_h2_server_free(rig->mesh);
  }
  if (rig->proxy != NULL && proxy_rig_calls(rig) != 0) {
    abort();
  }
  peri_proxy_free(rig->proxy);
  peri_h2_client_free(rig->client);
  for (int i = 0; i < SHIM_BACKENDS; i++) {
    proxy_backend_stop(rig, i);
    peri_buffer_done(&rig->backends[i].fields);
    peri_buffer_done(&rig->backends[i].body);
    peri_buffer_done(&rig->backends[i].trailing);
  }
  if (peri_loop_free(rig->loop) < 0 || rig->policy.made != rig->policy.freed) {
    abort();
  }
  if (rig->config != NULL) {
    peri_config_unref(rig->config);
  }
  peri_decisions_free(rig->decisions);
  peri_metrics_free(rig->metrics);
  free(rig);
}

static void backend_accepted(void *ctx, int fd) {
  struct proxy_backend *backend = ctx;
  backend->accepted++;
  peri_h2_server_adopt(backend->server, fd);
}

int proxy_backend_start(struct proxy_rig *rig, int index, const char *address,
                        const struct peri_h2_limits *limits) {
  struct proxy_backend *backend = &rig->backends[index];
  struct peri_h2_server_options options = {.loop = rig->loop,
                                           .limits = *limits,
                                           .name = "mesh",
                                           .on_request = proxy_backend_request,
                                           .ctx = backend};
  backend->rig = rig;
  backend->hungry = true;
  int rc = peri_h2_server_new(&options, &backend->server);
  return rc < 0 ? rc
                : listen_on(rig, address, backend_accepted, backend,
                            &backend->listener, backend->address);
}

void proxy_backend_stop(struct proxy_rig *rig, int index) {
  struct proxy_backend *backend = &rig->backends[index];
  peri_listener_free(backend->listener);
  backend->listener = NULL;
  if (backend->server != NULL) {
    struct peri_h2_server *server = backend->server;
    backend->server = NULL;
    peri_h2_server_free(server);
  }
}

static struct peri_json *sidecar_metadata(void) {
  struct peri_json *metadata = peri_json_object();
  peri_json_set(metadata, "protocol",
                peri_json_string(peri_slice_of("perigee")));
  return metadata;
}

// One line: a service and its addresses.
static int read_line(char *line, struct peri_peers **ret_peers) {
  struct peri_endpoint_init inits[MOST_PEERS];
  struct peri_slice none = {"", 0};
  struct peri_json *metadata = sidecar_metadata();
  char *rest = NULL;
  const char *service = strtok_r(line, " ", &rest);
  size_t count = 0;
  for (char *address = strtok_r(NULL, ",", &rest); address != NULL;
       address = strtok_r(NULL, ",", &rest)) {
    struct peri_endpoint_init init = {.address = peri_slice_of(address)};
    if (address[init.address.len - 1] == '*') {
      init.address.len--;
      init.metadata = metadata;
    }
    inits[count++] = init;
  }
  int rc = peri_peers_new(service, inits, count, none, ret_peers, NULL);
  peri_json_unref(metadata);
  return rc;
}

int proxy_rig_publish(struct proxy_rig *rig, const char *text) {
  struct peri_peers *peers[MOST_SERVICES];
  struct peri_snapshot *snapshot = NULL;
  char *copy = strdup(text);
  char *rest = NULL;
  size_t count = 0;
  int rc = 0;
  for (char *line = strtok_r(copy, "\n", &rest); rc == 0 && line != NULL;
       line = strtok_r(NULL, "\n", &rest)) {
    rc = read_line(line, &peers[count]);
    count += rc == 0 ? 1 : 0;
  }
  rc = rc < 0 ? rc : peri_snapshot_new(++rig->version, peers, count, &snapshot);
  if (rc == 0) {
    peri_proxy_adopt(rig->proxy, snapshot);
    peri_snapshot_unref(snapshot);
  }
  while (count > 0) {
    peri_peers_unref(peers[--count]);
  }
  free(copy);
  return rc;
}

static bool key_header(void *ctx, const char *name,
                       struct peri_slice *ret_value) {
  *ret_value = *(const struct peri_slice *)ctx;
  return ret_value->len > 0 && strcmp(name, "x-key") == 0;
}

struct peri_proxy_question proxy_question_of(struct peri_slice value) {
  static struct peri_slice kept;
  kept = value;
  return (struct peri_proxy_question){.header = key_header, .ctx = &kept};
}
