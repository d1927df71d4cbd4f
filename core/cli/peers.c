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

enum { CELL_BYTES = 512 };

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
  object = peri_cli_json_with(
      object, "address", peri_json_string(peri_proto_slice(peer->address)));
  object = peri_cli_json_with(object, "zone",
                              peri_json_string(peri_proto_slice(peer->zone)));
  object =
      peri_cli_json_with(object, "weight", peri_json_integer(peer->weight));
  object = peri_cli_json_with(object, "self", peri_json_bool(peer->self));
  object = peri_cli_json_with(object, "suspect", peri_json_bool(peer->suspect));
  return peri_cli_json_with(object, "metadata", metadata_of(peer));
}

static struct peri_json *service_json(const Perigee__V1__Service *service) {
  struct peri_json *peers = peri_json_array();
  for (size_t i = 0; peers != NULL && i < service->n_peers; i++) {
    if (peri_json_append(peers, peer_json(service->peers[i])) < 0) {
      peri_json_unref(peers);
      peers = NULL;
    }
  }
  struct peri_json *object = peri_json_object();
  object = peri_cli_json_with(
      object, "name", peri_json_string(peri_proto_slice(service->name)));
  return peri_cli_json_with(object, "peers", peers);
}

static struct peri_json *all_json(const Perigee__V1__PeersResponse *response) {
  struct peri_json *services = peri_json_array();
  for (size_t i = 0; services != NULL && i < response->n_services; i++) {
    if (peri_json_append(services, service_json(response->services[i])) < 0) {
      peri_json_unref(services);
      services = NULL;
    }
  }
  struct peri_json *object = peri_json_object();
  object = peri_cli_json_with(object, "version",
                              peri_json_integer((int64_t)response->version));
  object = peri_cli_json_with(
      object, "cluster", peri_json_string(peri_proto_slice(response->cluster)));
  return peri_cli_json_with(object, "services", services);
}

static int print_peer(const Perigee__V1__Peer *peer, struct peri_buffer *text) {
  char cell[CELL_BYTES];
  (void)peri_cli_cell(peri_proto_slice(peer->address), cell, sizeof(cell));
  int rc = peri_buffer_printf(text, "  %s  weight %u", cell, peer->weight);
  if (rc == 0 && peer->zone.len > 0) {
    (void)peri_cli_cell(peri_proto_slice(peer->zone), cell, sizeof(cell));
    rc = peri_buffer_printf(text, "  zone %s", cell);
  }
  return rc == 0 ? peri_buffer_printf(text, "%s%s\n",
                                      peer->suspect ? "  suspect" : "",
                                      peer->self ? "  (this sidecar)" : "")
                 : rc;
}

static int print_text(const struct peri_cli_arguments *arguments,
                      const Perigee__V1__PeersResponse *response,
                      struct peri_buffer *text) {
  char name[CELL_BYTES];
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
    (void)peri_cli_cell(peri_proto_slice(service->name), name, sizeof(name));
    rc = peri_buffer_printf(text, "%s%s\n", name,
                            cluster ? " (the cluster)" : "");
    for (size_t j = 0; rc == 0 && j < service->n_peers; j++) {
      rc = print_peer(service->peers[j], text);
    }
  }
  return rc;
}

static int show(const struct peri_cli_arguments *arguments,
                const Perigee__V1__PeersResponse *response) {
  struct peri_buffer text = {0};
  if (arguments->json) {
    return peri_cli_print_json(all_json(response));
  }
  int rc = print_text(arguments, response, &text);
  if (rc == 0) {
    rc = peri_cli_print(peri_buffer_slice(&text), false);
  }
  peri_buffer_done(&text);
  return rc;
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
