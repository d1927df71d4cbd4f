#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address.h"
#include "base/slice.h"
#include "h2/resolve.h"
#include "h2/rig_shim.h"

int rig_connect(struct rig *rig) {
  struct peri_address address;
  struct sockaddr_storage to;
  if (peri_address_parse(peri_slice_of(rig->address), &address) < 0) {
    return -1;
  }
  int len = peri_address_sockaddr(&address, (struct sockaddr *)&to);
  int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  // EINPROGRESS is as good: the kernel goes on by itself.
  (void)connect(fd, (const struct sockaddr *)&to, (socklen_t)len);
  return fd;
}

int rig_full(struct rig *rig) {
  enum { CROWD = 8 };
  struct sockaddr_in at = {.sin_family = AF_INET,
                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(at);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 0) < 0 ||
      getsockname(fd, (struct sockaddr *)&at, &len) < 0) {
    close(fd);
    return -1;
  }
  snprintf(rig->address, sizeof(rig->address), "127.0.0.1:%u",
           (unsigned)ntohs(at.sin_port));
  // These take the queue, and live as long as the process.
  for (int i = 0; i < CROWD; i++) {
    (void)rig_connect(rig);
  }
  return fd;
}

int rig_stale(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
  int rc = bind(fd, (const struct sockaddr *)&at, sizeof(at));
  close(fd);
  return rc;
}

static void looked_up(void *ctx, int code,
                      const struct peri_resolved *resolved) {
  struct rig_lookup *lookup = ctx;
  lookup->calls++;
  lookup->code = code;
  lookup->resolved = *resolved;
}

int rig_resolve(struct rig *rig, const char *host, uint16_t port,
                struct rig_lookup *lookup, bool cancel) {
  struct peri_address address = {.kind = PERI_ADDRESS_NAME, .port = port};
  struct peri_resolve *resolve = NULL;
  strncpy(address.host, host, sizeof(address.host) - 1);
  int rc = peri_resolve_start(rig->loop, &address, looked_up, lookup, &resolve);
  if (rc == 0 && cancel) {
    peri_resolve_cancel(resolve);
  }
  return rc;
}
