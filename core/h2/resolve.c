#include "h2/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/loop.h"

struct peri_resolve {
  uv_getaddrinfo_t request;
  uint16_t port;
  void (*done)(void *ctx, int code, const struct peri_resolved *resolved);
  void *ctx;
};

static bool convert(const struct addrinfo *info, uint16_t port,
                    struct peri_address *ret_address) {
  memset(ret_address, 0, sizeof(*ret_address));
  ret_address->port = port;
  if (info->ai_family == AF_INET) {
    const struct sockaddr_in *in = (const void *)info->ai_addr;
    ret_address->kind = PERI_ADDRESS_IPV4;
    return inet_ntop(AF_INET, &in->sin_addr, ret_address->host,
                     sizeof(ret_address->host)) != NULL;
  }
  if (info->ai_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const void *)info->ai_addr;
    ret_address->kind = PERI_ADDRESS_IPV6;
    return inet_ntop(AF_INET6, &in6->sin6_addr, ret_address->host,
                     sizeof(ret_address->host)) != NULL;
  }
  return false;
}

static void looked_up(uv_getaddrinfo_t *request, int status,
                      struct addrinfo *found) {
  struct peri_resolve *resolve =
      PERI_CONTAINER_OF(request, struct peri_resolve, request);
  if (resolve->done != NULL) {
    struct peri_resolved resolved;
    resolved.count = 0;
    for (const struct addrinfo *at = found;
         at != NULL && resolved.count < PERI_RESOLVED_MOST; at = at->ai_next) {
      if (convert(at, resolve->port, &resolved.addresses[resolved.count])) {
        resolved.count++;
      }
    }
    if (status == 0 && resolved.count == 0) {
      status = UV_EAI_NODATA;
    }
    resolve->done(resolve->ctx, status, &resolved);
  }
  uv_freeaddrinfo(found);
  free(resolve);
}

int peri_resolve_start(struct peri_loop *loop,
                       const struct peri_address *address,
                       void (*done)(void *ctx, int code,
                                    const struct peri_resolved *resolved),
                       void *ctx, struct peri_resolve **ret_resolve) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC,
                           .ai_socktype = SOCK_STREAM,
                           .ai_flags = AI_ADDRCONFIG};
  struct peri_resolve *resolve = calloc(1, sizeof(*resolve));
  if (resolve == NULL) {
    return PERI_ENOMEM;
  }
  resolve->port = address->port;
  resolve->done = done;
  resolve->ctx = ctx;
  if (strcmp(address->host, "localhost") == 0) {
    // Loopback does not count for AI_ADDRCONFIG.
    hints.ai_flags = 0;
  }
  int rc = uv_getaddrinfo(peri_loop_uv(loop), &resolve->request, looked_up,
                          address->host, NULL, &hints);
  if (rc < 0) {
    free(resolve);
    return rc;
  }
  *ret_resolve = resolve;
  return 0;
}

void peri_resolve_cancel(struct peri_resolve *resolve) {
  if (resolve != NULL) {
    resolve->done = NULL;
    (void)uv_cancel((uv_req_t *)&resolve->request);
  }
}
