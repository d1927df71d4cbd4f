#include <perigee.pb-c.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"
#include "base/proto.h"
#include "base/slice.h"
#include "cli/arguments.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "rpc/call.h"

static struct peri_json *metadata_of(const Perigee__V1__Peer *peer) {
  struct peri_json *json;
  if (peer->metadata.len == 0 ||
      peri_json_parse(peri_proto_slice(peer->metadata), &json, NULL) < 0) {
    return peri_json_null();
  }
  return json;
}

static struct peri_json *peer_json(const Perigee__V1__Peer *peer) {
  struct peri_json *object = peri_json_object();
  object =
      peri_cli_json_with(object, "address", peri_cli_json_data(peer->address));
  object = peri_cli_json_with(object, "zone", peri_cli_json_data(peer->zone));
  object =
      peri_cli_json_with(object, "weight", peri_json_integer(peer->weight));
  object = peri_cli_json_with(object, "self", peri_json_bool(peer->self));
  object = peri_cli_json_with(object, "suspect", peri_json_bool(peer->suspect));
  return peri_cli_json_with(object, "metadata", metadata_of(peer));
}

static struct peri_json *service_json(const Perigee__V1__Service *service) {
  struct peri_json *peers = peri_json_array();
  for (size_t i = 0; i < service->n_peers; i++) {
    peers = peri_cli_json_append(peers, peer_json(service->peers[i]));
  }
  struct peri_json *object = peri_json_object();
  object =
      peri_cli_json_with(object, "name", peri_cli_json_data(service->name));
  return peri_cli_json_with(object, "peers", peers);
}

static struct peri_json *all_json(const Perigee__V1__PeersResponse *response) {
  struct peri_json *services = peri_json_array();
  for (size_t i = 0; i < response->n_services; i++) {
    services =
        peri_cli_json_append(services, service_json(response->services[i]));
  }
  struct peri_json *object = peri_json_object();
  object = peri_cli_json_with(object, "version",
                              peri_json_integer((int64_t)response->version));
  object = peri_cli_json_with(object, "cluster",
                              peri_cli_json_data(response->cluster));
  return peri_cli_json_with(object, "services", services);
}

static int print_peer(const Perigee__V1__Peer *peer, struct peri_buffer *text) {
  int rc = peri_buffer_add(text, "  ", 2);
  rc = rc < 0 ? rc : peri_cli_add_clean(peri_proto_slice(peer->address), text);
  rc = rc < 0 ? rc : peri_buffer_printf(text, "  weight %u", peer->weight);
  if (rc == 0 && peer->zone.len > 0) {
    rc = peri_buffer_printf(text, "  zone ");
    rc = rc < 0 ? rc : peri_cli_add_clean(peri_proto_slice(peer->zone), text);
  }
  return rc == 0 ? peri_buffer_printf(text, "%s%s\n",
                                      peer->suspect ? "  suspect" : "",
                                      peer->self ? "  (this sidecar)" : "")
                 : rc;
}

static int print_service(const Perigee__V1__Service *service, bool cluster,
                         struct peri_buffer *text) {
  int rc = peri_cli_add_clean(peri_proto_slice(service->name), text);
  if (rc == 0) {
    rc = peri_buffer_printf(text, "%s\n", cluster ? " (the cluster)" : "");
  }
  for (size_t i = 0; rc == 0 && i < service->n_peers; i++) {
    rc = print_peer(service->peers[i], text);
  }
  return rc;
}

static int print_text(const struct peri_cli_arguments *arguments,
                      const Perigee__V1__PeersResponse *response,
                      struct peri_buffer *text) {
  int rc = 0;
  if (response->n_services == 0 && arguments->word_count > 0) {
    rc = peri_buffer_printf(text,
                            "no service %s is known (an etcd registry has "
                            "begun to look for it: ask again)\n",
                            arguments->words[0]);
  } else if (response->n_services == 0) {
    rc = peri_buffer_printf(
        text, "no services: this sidecar is alone and owns every key\n");
  }
  for (size_t i = 0; rc == 0 && i < response->n_services; i++) {
    const Perigee__V1__Service *service = response->services[i];
    bool cluster = peri_slice_equal(peri_proto_slice(service->name),
                                    peri_proto_slice(response->cluster));
    rc = print_service(service, cluster, text);
  }
  return rc;
}

static int show(const struct peri_cli_arguments *arguments,
                const Perigee__V1__PeersResponse *response) {
  struct peri_buffer text = {0};
  if (arguments->json) {
    return peri_cli_print_json(all_json(response));
  }
  return peri_cli_print_text(&text, print_text(arguments, response, &text),
                             false);
}

int peri_cli_peers(const struct peri_cli_run *run) {
  struct peri_rpc_result result;
  Perigee__V1__PeersRequest request = PERIGEE__V1__PEERS_REQUEST__INIT;
  if (run->arguments->word_count > 0) {
    request.service = peri_proto_text(run->arguments->words[0]);
  }
  int status = peri_cli_call(run->arguments, "/perigee.v1.Mesh/Peers",
                             &request.base, &result);
  if (status != PERI_CLI_OK) {
    return status;
  }
  Perigee__V1__PeersResponse *response = perigee__v1__peers_response__unpack(
      NULL, result.message.len, (const uint8_t *)result.message.ptr);
  peri_rpc_result_done(&result);
  if (response == NULL) {
    return peri_cli_garbled(run->arguments);
  }
  int rc = show(run->arguments, response);
  perigee__v1__peers_response__free_unpacked(response, NULL);
  return rc < 0 ? PERI_CLI_FAILURE : PERI_CLI_OK;
}
