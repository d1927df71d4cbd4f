#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop/poll.h"
#include "registry/lookup_private.h"

struct peri_lookup {
  atomic_int references;  // the loop's and the thread's
  atomic_bool found;
  int reads;
  int writes;  // the thread's
  struct peri_poll *poll;
  struct peri_address asked;
  struct peri_address addresses[PERI_LOOKUP_MOST];
  size_t count;
  void (*done)(void *ctx, const struct peri_address *addresses, size_t count);
  void *ctx;
};

static void unref(struct peri_lookup *lookup) {
  if (atomic_fetch_sub_explicit(&lookup->references, 1, memory_order_acq_rel) ==
      1) {
    free(lookup);
  }
}

static bool convert(const struct addrinfo *info, uint16_t port,
                    struct peri_address *ret_address) {
  const void *bytes = NULL;

  memset(ret_address, 0, sizeof(*ret_address));
  ret_address->port = port;
  if (info->ai_family == AF_INET) {
    bytes =
        &((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;
    ret_address->kind = PERI_ADDRESS_IPV4;
  } else if (info->ai_family == AF_INET6) {
    bytes =
        &((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr;
    ret_address->kind = PERI_ADDRESS_IPV6;
  }
  return bytes && inet_ntop(info->ai_family, bytes, ret_address->host,
                            sizeof(ret_address->host));
}

static void *ask(void *arg) {
  struct peri_lookup *lookup = arg;
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;

  if (getaddrinfo(lookup->asked.host, NULL, &hints, &found) == 0) {
    for (const struct addrinfo *at = found;
         at && lookup->count < PERI_LOOKUP_MOST; at = at->ai_next) {
      lookup->count +=
          convert(at, lookup->asked.port, &lookup->addresses[lookup->count]);
    }
    freeaddrinfo(found);
  }
  atomic_store_explicit(&lookup->found, true, memory_order_release);
  // That its other end closes is what wakes the loop: this cannot fail.
  close(lookup->writes);
  unref(lookup);
  return NULL;
}

static void stop_watching(struct peri_lookup *lookup) {
  peri_poll_free(lookup->poll);
  lookup->poll = NULL;
  close(lookup->reads);
}

static void on_closed(void *ctx, int events, int error) {
  struct peri_lookup *lookup = ctx;

  (void)events;
  (void)error;
  bool found = atomic_load_explicit(&lookup->found, memory_order_acquire);
  stop_watching(lookup);
  lookup->done(lookup->ctx, lookup->addresses, found ? lookup->count : 0);
  unref(lookup);
}

static int start_thread(struct peri_lookup *lookup) {
  pthread_t thread;
  sigset_t all, before;

  // Signals are for the threads that expect them.
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = pthread_create(&thread, NULL, ask, lookup);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (rc == 0) {
    pthread_detach(thread);
  }
  return -rc;
}

int peri_lookup_start(
    struct peri_loop *loop, const struct peri_address *address,
    void (*done)(void *ctx, const struct peri_address *addresses, size_t count),
    void *ctx, struct peri_lookup **ret_lookup) {
  struct peri_lookup *lookup = calloc(1, sizeof(*lookup));
  int ends[2];

  if (!lookup) {
    return PERI_ENOMEM;
  }
  atomic_init(&lookup->references, 2);
  atomic_init(&lookup->found, false);
  lookup->asked = *address;
  lookup->done = done;
  lookup->ctx = ctx;
  int rc = pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
  if (rc < 0) {
    goto fail_pipe;
  }
  lookup->reads = ends[0];
  lookup->writes = ends[1];
  rc = peri_poll_new(loop, lookup->reads, on_closed, lookup, &lookup->poll);
  if (rc < 0) {
    goto fail_poll;
  }
  rc = peri_poll_set(lookup->poll, PERI_POLL_READ);
  if (rc == 0) {
    rc = start_thread(lookup);
  }
  if (rc < 0) {
    goto fail_thread;
  }
  *ret_lookup = lookup;
  return 0;

fail_thread:
  peri_poll_free(lookup->poll);
fail_poll:
  close(ends[0]);
  close(ends[1]);
fail_pipe:
  free(lookup);
  return rc;
}

void peri_lookup_cancel(struct peri_lookup *lookup) {
  if (lookup) {
    stop_watching(lookup);
    unref(lookup);
  }
}
