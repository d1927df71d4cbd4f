#include "etcd/client.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "etcd/keepalive_private.h"
#include "etcd/lease.h"
#include "etcd/private.h"
#include "loop/loop.h"
#include "loop/mailbox.h"

enum { STEP_MS = 1000 };

static const uint64_t NS_PER_MS = 1000000;

struct peri_etcd_client {
  struct peri_loop *loop;
  struct peri_mailbox *mailbox;
  struct peri_etcd *etcd;
  struct peri_etcd_keeper *keeper;
  struct peri_list leases;
  struct peri_buffer bytes;  // of `kv`
  struct peri_etcd_kv kv;
  bool closed;
};

/// A lease granted here, or kept.
struct lease {
  struct peri_list node;
  struct peri_etcd_kept *kept;  // NULL: not kept
  int64_t id;
  int64_t ttl_s;
  uint64_t granted_ns;
  bool lost;
};

/// The call that is waited for.
struct waiting {
  struct peri_etcd_client *client;
  struct peri_etcd_error error;
  int64_t number;  // TTL, keys deleted
  bool done;
  bool found;
};

static int fail(struct peri_etcd_error *ret_error, int code, int kind,
                const char *text) {
  if (ret_error != NULL) {
    peri_etcd_error_set(ret_error, kind, "%s", text);
  }
  return code;
}

static int no_memory(struct peri_etcd_error *ret_error) {
  return fail(ret_error, PERI_ENOMEM, PERI_ETCD_BUSY, "out of memory");
}

/// Runs the loop until the call that was started with `rc` is done.
static int await(struct waiting *wait, int rc,
                 struct peri_etcd_error *ret_error) {
  if (rc < 0) {
    return no_memory(ret_error);
  }
  while (!wait->done) {
    peri_loop_step(wait->client->loop, STEP_MS);
  }
  if (wait->error.kind != PERI_ETCD_OK && ret_error != NULL) {
    *ret_error = wait->error;
  }
  return peri_etcd_kind_code(wait->error.kind);
}

static void done(void *ctx, const struct peri_etcd_error *error) {
  struct waiting *wait = ctx;
  wait->done = true;
  if (error != NULL) {
    wait->error = *error;
  }
}

static void done_number(void *ctx, const struct peri_etcd_error *error,
                        int64_t number) {
  ((struct waiting *)ctx)->number = number;
  done(ctx, error);
}

static void done_delete(void *ctx, const struct peri_etcd_error *error,
                        int64_t deleted, int64_t revision) {
  (void)revision;
  done_number(ctx, error, deleted);
}

static void done_info(void *ctx, const struct peri_etcd_error *error,
                      const struct peri_etcd_lease_info *info) {
  done_number(ctx, error, info != NULL ? info->ttl_s : 0);
}

/// Keeps a copy of the pair in the client.
static void done_get(void *ctx, const struct peri_etcd_error *error,
                     const struct peri_etcd_range_result *result) {
  struct waiting *wait = ctx;
  struct peri_etcd_client *client = wait->client;
  done(ctx, error);
  if (error != NULL || result->kv_count == 0) {
    return;
  }
  struct peri_etcd_kv kv = result->kvs[0];
  peri_buffer_drop(&client->bytes, client->bytes.len);
  if (peri_buffer_reserve(&client->bytes, kv.key.len + kv.value.len) < 0) {
    peri_etcd_error_set(&wait->error, PERI_ETCD_BUSY, "out of memory");
    return;
  }
  peri_buffer_add(&client->bytes, kv.key.ptr, kv.key.len);
  peri_buffer_add(&client->bytes, kv.value.ptr, kv.value.len);
  kv.key.ptr = client->bytes.ptr;
  kv.value.ptr = client->bytes.ptr + kv.key.len;
  client->kv = kv;
  wait->found = true;
}

static void set_closed(void *ctx) {
  ((struct peri_etcd_client *)ctx)->closed = true;
}

int peri_etcd_client_new(const struct peri_etcd_options *options,
                         struct peri_etcd_client **ret_client,
                         struct peri_etcd_error *ret_error) {
  struct peri_etcd_client *client = calloc(1, sizeof(*client));
  if (client == NULL) {
    return no_memory(ret_error);
  }
  peri_list_init(&client->leases);
  struct peri_problem problem = {0};
  struct peri_etcd_options mine = *options;
  int rc = peri_loop_new(&client->loop);
  if (rc < 0) {
    goto fail;
  }
  rc = peri_mailbox_new(client->loop, &client->mailbox);
  if (rc < 0) {
    goto fail;
  }
  mine.loop = client->loop;
  mine.mailbox = client->mailbox;
  rc = peri_etcd_new(&mine, &client->etcd, &problem);
  if (rc < 0) {
    goto fail;
  }
  rc = peri_etcd_keeper_new(client->etcd, &client->keeper);
  if (rc < 0) {
    goto fail;
  }
  *ret_client = client;
  return 0;

fail:
  peri_etcd_client_free(client);
  return fail(ret_error, rc,
              rc == PERI_EINVAL ? PERI_ETCD_INVALID : PERI_ETCD_BUSY,
              problem.code != 0 ? problem.text : peri_error_text(rc));
}

static void lease_free(struct lease *lease) {
  peri_etcd_kept_free(lease->kept);
  peri_list_remove(&lease->node);
  free(lease);
}

void peri_etcd_client_free(struct peri_etcd_client *client) {
  if (client == NULL) {
    return;
  }
  struct peri_list *at;
  while ((at = peri_list_pop(&client->leases)) != NULL) {
    lease_free(PERI_CONTAINER_OF(at, struct lease, node));
  }
  peri_etcd_keeper_free(client->keeper);
  if (client->etcd != NULL) {
    peri_etcd_close(client->etcd, set_closed, client);
    while (!client->closed) {
      peri_loop_step(client->loop, STEP_MS);
    }
  }
  if (client->mailbox != NULL) {
    peri_mailbox_close(client->mailbox);
  }
  if (client->loop != NULL) {
    peri_loop_free(client->loop);
  }
  peri_buffer_done(&client->bytes);
  free(client);
}

static struct lease *lease_find(const struct peri_etcd_client *client,
                                int64_t id) {
  for (struct peri_list *at = client->leases.next; at != &client->leases;
       at = at->next) {
    struct lease *lease = PERI_CONTAINER_OF(at, struct lease, node);
    if (lease->id == id) {
      return lease;
    }
  }
  return NULL;
}

static struct lease *lease_new(struct peri_etcd_client *client, int64_t id,
                               int64_t ttl_s, uint64_t granted_ns) {
  struct lease *lease = calloc(1, sizeof(*lease));
  if (lease == NULL) {
    return NULL;
  }
  lease->id = id;
  lease->ttl_s = ttl_s;
  lease->granted_ns = granted_ns;
  peri_list_push(&client->leases, &lease->node);
  return lease;
}

int peri_etcd_client_grant(struct peri_etcd_client *client, int64_t ttl_s,
                           int64_t *ret_lease,
                           struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  struct lease *lease =
      lease_new(client, peri_etcd_lease_id(), ttl_s, peri_clock_mono_ns());
  if (lease == NULL) {
    return no_memory(ret_error);
  }
  int rc = peri_etcd_lease_grant(client->etcd, lease->id, ttl_s, done_number,
                                 &wait, NULL);
  rc = await(&wait, rc, ret_error);
  if (rc < 0) {
    lease_free(lease);
    return rc;
  }
  lease->ttl_s = wait.number;
  *ret_lease = lease->id;
  return 0;
}

static void renewed(void *ctx, int64_t ttl_s, uint64_t sent_ns) {
  struct lease *lease = ctx;
  lease->ttl_s = ttl_s;
  lease->granted_ns = sent_ns;
}

static void lost(void *ctx) {
  ((struct lease *)ctx)->lost = true;
}

static const struct peri_etcd_kept_events kept_events = {
    .renewed = renewed,
    .lost = lost,
};

/// A lease that was not granted here: asks how long it has to live.
static int adopt(struct peri_etcd_client *client, int64_t id,
                 struct lease **ret_lease, struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  uint64_t now = peri_clock_mono_ns();
  int rc =
      peri_etcd_lease_info(client->etcd, id, false, done_info, &wait, NULL);
  rc = await(&wait, rc, ret_error);
  if (rc < 0) {
    return rc;
  }
  if (wait.number <= 0) {
    return fail(ret_error, PERI_ENOTFOUND, PERI_ETCD_NO_LEASE,
                "the lease does not exist");
  }
  if (wait.number > PERI_KEEP_MAX_TTL_S) {
    return fail(ret_error, PERI_EPROTO, PERI_ETCD_GARBAGE,
                "no lease lives that long");
  }
  struct lease *lease = lease_new(client, id, wait.number, now);
  if (lease == NULL) {
    return no_memory(ret_error);
  }
  *ret_lease = lease;
  return 0;
}

int peri_etcd_client_keepalive(struct peri_etcd_client *client, int64_t lease,
                               struct peri_etcd_error *ret_error) {
  struct lease *held = lease_find(client, lease);
  if (held == NULL) {
    int rc = adopt(client, lease, &held, ret_error);
    if (rc < 0) {
      return rc;
    }
  }
  if (held->kept != NULL) {
    return 0;
  }
  int rc =
      peri_etcd_keeper_add(client->keeper, lease, held->ttl_s, held->granted_ns,
                           &kept_events, held, &held->kept);
  return rc < 0 ? no_memory(ret_error) : 0;
}

/// Drops a lease found to be lost. @return whether there was one.
static bool drop_lost(struct peri_etcd_client *client) {
  for (struct peri_list *at = client->leases.next; at != &client->leases;
       at = at->next) {
    struct lease *lease = PERI_CONTAINER_OF(at, struct lease, node);
    if (lease->lost) {
      lease_free(lease);
      return true;
    }
  }
  return false;
}

int peri_etcd_client_run(struct peri_etcd_client *client, uint64_t ms,
                         struct peri_etcd_error *ret_error) {
  uint64_t end = peri_clock_mono_ns() + ms * NS_PER_MS;
  while (true) {
    if (drop_lost(client)) {
      return fail(ret_error, PERI_ENOTFOUND, PERI_ETCD_NO_LEASE,
                  "a lease that was kept does not exist any more");
    }
    uint64_t now = peri_clock_mono_ns();
    if (now >= end) {
      return 0;
    }
    peri_loop_step(client->loop, (end - now + NS_PER_MS - 1) / NS_PER_MS);
  }
}

int64_t peri_etcd_client_remaining_ms(const struct peri_etcd_client *client,
                                      int64_t lease) {
  const struct lease *held = lease_find(client, lease);
  if (held == NULL || held->kept == NULL) {
    return -1;
  }
  return peri_etcd_kept_remaining_ms(held->kept);
}

int peri_etcd_client_revoke(struct peri_etcd_client *client, int64_t lease,
                            struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  struct lease *held = lease_find(client, lease);
  if (held != NULL) {
    lease_free(held);
  }
  int rc = peri_etcd_lease_revoke(client->etcd, lease, done, &wait, NULL);
  return await(&wait, rc, ret_error);
}

int peri_etcd_client_put(struct peri_etcd_client *client, struct peri_slice key,
                         struct peri_slice value, int64_t lease,
                         struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  int rc =
      peri_etcd_put(client->etcd, key, value, lease, done_number, &wait, NULL);
  return await(&wait, rc, ret_error);
}

int peri_etcd_client_get(struct peri_etcd_client *client, struct peri_slice key,
                         const struct peri_etcd_kv **ret_kv,
                         struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  struct peri_etcd_range range = {.key = key};
  int rc = peri_etcd_range(client->etcd, &range, done_get, &wait, NULL);
  rc = await(&wait, rc, ret_error);
  if (rc == 0) {
    *ret_kv = wait.found ? &client->kv : NULL;
  }
  return rc;
}

int peri_etcd_client_delete(struct peri_etcd_client *client,
                            struct peri_slice key, int64_t *ret_deleted,
                            struct peri_etcd_error *ret_error) {
  struct waiting wait = {.client = client};
  struct peri_slice one = {0};
  int rc = peri_etcd_delete(client->etcd, key, one, done_delete, &wait, NULL);
  rc = await(&wait, rc, ret_error);
  if (rc == 0 && ret_deleted != NULL) {
    *ret_deleted = wait.number;
  }
  return rc;
}
