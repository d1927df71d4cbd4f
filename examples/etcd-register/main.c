// Registers a service in etcd and takes it out again, as one would with etcd's
// Go client: New, Grant, Put with the lease, KeepAlive, Delete, Revoke.
//
// etcd-register ENDPOINT [SECONDS]
// The key is kept alive for SECONDS, 8 by default. When the environment names a
// command in SHOW, it is run after each step.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/slice.h"
#include "etcd/client.h"

enum { TTL_S = 5, KEPT_S = 8 };

static const char key_text[] = "services/greeter/127.0.0.1:8080";
static const char value_text[] =
    "{\"Op\":0,\"Addr\":\"127.0.0.1:8080\",\"Metadata\":null}";

/// Says what was just done and lets SHOW show it.
static int show(const char *step) {
  const char *command = getenv("SHOW");
  printf("%s\n", step);
  fflush(stdout);
  return command == NULL ? 0 : system(command);
}

/// Everything between New and Free.
static int run(struct peri_etcd_client *client, uint64_t kept_ms,
               struct peri_etcd_error *ret_error) {
  struct peri_slice key = peri_slice_of(key_text);
  struct peri_slice value = peri_slice_of(value_text);
  const struct peri_etcd_kv *found = NULL;
  int64_t lease = 0;

  int rc = peri_etcd_client_grant(client, TTL_S, &lease, ret_error);
  if (rc < 0) {
    return rc;
  }
  printf("Grant: lease %" PRIx64 " lives %d s\n", (uint64_t)lease, TTL_S);

  rc = peri_etcd_client_put(client, key, value, lease, ret_error);
  if (rc < 0) {
    return rc;
  }
  show("Put with the lease:");

  rc = peri_etcd_client_keepalive(client, lease, ret_error);
  if (rc < 0) {
    return rc;
  }
  rc = peri_etcd_client_run(client, kept_ms, ret_error);
  if (rc < 0) {
    return rc;
  }
  show("KeepAlive, longer than the lease would have lived by itself:");

  rc = peri_etcd_client_get(client, key, &found, ret_error);
  if (rc < 0) {
    return rc;
  }
  printf("Get: %s, %" PRId64 " ms of the lease are left\n",
         found != NULL ? "it is there" : "it is not there",
         peri_etcd_client_remaining_ms(client, lease));

  rc = peri_etcd_client_delete(client, key, NULL, ret_error);
  if (rc < 0) {
    return rc;
  }
  show("Delete:");

  rc = peri_etcd_client_put(client, key, value, lease, ret_error);
  if (rc < 0) {
    return rc;
  }
  show("Put again:");

  rc = peri_etcd_client_revoke(client, lease, ret_error);
  if (rc < 0) {
    return rc;
  }
  show("Revoke, which takes the key with it:");
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s ENDPOINT [SECONDS]\n", argv[0]);
    return 2;
  }
  uint64_t kept_s = argc > 2 ? strtoull(argv[2], NULL, 10) : KEPT_S;
  const char *endpoints[] = {argv[1]};
  struct peri_etcd_options options = {
      .endpoints = endpoints,
      .endpoint_count = 1,
  };
  struct peri_etcd_client *client = NULL;
  struct peri_etcd_error error = {0};

  int rc = peri_etcd_client_new(&options, &client, &error);
  if (rc == 0) {
    rc = run(client, kept_s * 1000, &error);
  }
  if (rc < 0) {
    fprintf(stderr, "%s: %s\n", peri_etcd_kind_name(error.kind), error.text);
  }
  peri_etcd_client_free(client);
  return rc < 0 ? 1 : 0;
}
