#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/poll.h"
#include "registry/reach_private.h"

static void add(struct peri_reach *reach, int kind, const char *host) {
  struct peri_address *address = &reach->candidates[reach->count++];

  memset(address, 0, sizeof(*address));
  address->kind = kind;
  address->port = reach->asked.port;
  memcpy(address->host, host, strlen(host) + 1);
}

static bool is_named(const struct peri_reach *reach) {
  return reach->asked.kind == PERI_ADDRESS_NAME &&
         strcmp(reach->asked.host, "localhost") != 0;
}

void peri_reach_init(struct peri_reach *reach, struct peri_loop *loop,
                     const struct peri_address *address,
                     void (*done)(void *ctx, int error), void *ctx) {
  memset(reach, 0, sizeof(*reach));
  reach->loop = loop;
  reach->asked = *address;
  reach->fd = -1;
  reach->done = done;
  reach->ctx = ctx;
  if (address->kind != PERI_ADDRESS_NAME) {
    add(reach, address->kind, address->host);
  } else if (!is_named(reach)) {
    add(reach, PERI_ADDRESS_IPV4, "127.0.0.1");
    add(reach, PERI_ADDRESS_IPV6, "::1");
  }
}

static void hang_up(struct peri_reach *reach) {
  peri_poll_free(reach->poll);
  reach->poll = NULL;
  if (reach->fd >= 0) {
    close(reach->fd);
    reach->fd = -1;
  }
}

static void finish(struct peri_reach *reach, int error) {
  hang_up(reach);
  reach->active = false;
  if (error < 0 && is_named(reach)) {
    // The name may stand for something else by now.
    reach->count = 0;
  }
  reach->done(reach->ctx, error);
}

static void on_ready(void *ctx, int events, int error);

// @return 1 when connected, 0 when that is under way, else -errno.
static int dial(struct peri_reach *reach, const struct peri_address *address) {
  struct sockaddr_storage storage;
  struct sockaddr *target = (void *)&storage;
  int len = peri_address_sockaddr(address, target);

  if (len < 0) {
    return -EAFNOSUPPORT;
  }
  reach->fd =
      socket(target->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (reach->fd < 0) {
    return -errno;
  }
  if (connect(reach->fd, target, (socklen_t)len) == 0) {
    return 1;
  }
  if (errno != EINPROGRESS) {
    return -errno;
  }
  int rc = peri_poll_new(reach->loop, reach->fd, on_ready, reach, &reach->poll);
  return rc < 0 ? rc : peri_poll_set(reach->poll, PERI_POLL_WRITE);
}

static void try_next(struct peri_reach *reach) {
  while (reach->next < reach->count) {
    int rc = dial(reach, &reach->candidates[reach->next++]);
    if (rc > 0) {
      finish(reach, 0);
    }
    if (rc >= 0) {
      return;
    }
    reach->error = rc;
    hang_up(reach);
  }
  finish(reach, reach->error);
}

static void on_ready(void *ctx, int events, int error) {
  struct peri_reach *reach = ctx;
  int failure = 0;
  socklen_t len = sizeof(failure);

  (void)events;
  // The socket knows better than libuv, which calls all failures the same.
  if (getsockopt(reach->fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0) {
    failure = errno;
  }
  error = failure != 0 ? -failure : error;
  if (error == 0) {
    finish(reach, 0);
    return;
  }
  reach->error = error;
  hang_up(reach);
  try_next(reach);
}

static void on_found(void *ctx, const struct peri_address *addresses,
                     size_t count) {
  struct peri_reach *reach = ctx;

  reach->lookup = NULL;
  reach->count = count;
  memcpy(reach->candidates, addresses, count * sizeof(addresses[0]));
  if (reach->active) {
    try_next(reach);
  }
}

void peri_reach_start(struct peri_reach *reach) {
  reach->active = true;
  reach->next = 0;
  reach->error = -ENXIO;
  if (reach->count > 0) {
    try_next(reach);
  } else if (!reach->lookup) {
    int rc = peri_lookup_start(reach->loop, &reach->asked, on_found, reach,
                               &reach->lookup);
    if (rc < 0) {
      finish(reach, rc);
    }
  }
}

void peri_reach_give_up(struct peri_reach *reach) {
  hang_up(reach);
  reach->active = false;
  if (is_named(reach)) {
    reach->count = 0;
  }
}

void peri_reach_stop(struct peri_reach *reach) {
  peri_reach_give_up(reach);
  peri_lookup_cancel(reach->lookup);
  reach->lookup = NULL;
}
