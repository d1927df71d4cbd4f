#include "h2/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "loop/poll.h"
#include "loop/timer.h"

enum {
  BACKLOG = 1024,
  MOST_ACCEPTS = 64,  // of one iteration
  RETRY_MS = 100,     // after the spare descriptor was lost, too
  ADDRESS_TEXT_BYTES = 300
};

struct peri_listener {
  int fd;
  int spare;  // given up to be able to turn a connection away
  struct peri_address address;
  bool owns_file;
  dev_t device;
  ino_t inode;
  struct peri_poll *poll;
  struct peri_timer *retry;
  void (*accepted)(void *ctx, int fd);
  void (*refused)(void *ctx);
  void *ctx;
};

static int explain(const struct peri_address *address, int error,
                   struct peri_problem *ret_problem) {
  char text[ADDRESS_TEXT_BYTES];
  peri_address_format(address, text, sizeof(text));
  if (error == EADDRINUSE && address->kind != PERI_ADDRESS_UNIX) {
    return peri_problem_set(ret_problem, -error, "port %u on %s is in use",
                            (unsigned)address->port, address->host);
  }
  return peri_problem_set(ret_problem, -error, "cannot listen on %s: %s", text,
                          peri_error_text(-error));
}

// A socket file that nobody answers on was left behind and may go.
static int clear_path(const struct peri_address *address,
                      const struct sockaddr *to, socklen_t len,
                      struct peri_problem *ret_problem) {
  struct stat info;
  if (lstat(address->host, &info) < 0) {
    return errno == ENOENT ? 0 : explain(address, errno, ret_problem);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return peri_problem_set(ret_problem, PERI_EEXIST,
                            "%s exists and is not a socket", address->host);
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    return explain(address, errno, ret_problem);
  }
  // EAGAIN is a live listener whose queue is full.
  bool stale = connect(fd, to, len) < 0 && errno == ECONNREFUSED;
  close(fd);
  if (!stale) {
    return peri_problem_set(ret_problem, PERI_EEXIST,
                            "somebody already listens on unix:%s",
                            address->host);
  }
  if (unlink(address->host) < 0 && errno != ENOENT) {
    return explain(address, errno, ret_problem);
  }
  return 0;
}

static int bind_to(struct peri_listener *listener,
                   struct peri_problem *ret_problem) {
  const struct peri_address *address = &listener->address;
  struct sockaddr_storage to;
  int on = 1;
  int len = peri_address_sockaddr(address, (struct sockaddr *)&to);
  if (len < 0) {
    return peri_problem_set(ret_problem, len,
                            "cannot listen on the name %s: give an IP address",
                            address->host);
  }
  if (address->kind == PERI_ADDRESS_UNIX) {
    int rc = clear_path(address, (const struct sockaddr *)&to, (socklen_t)len,
                        ret_problem);
    if (rc < 0) {
      return rc;
    }
  }
  listener->fd =
      socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener->fd < 0) {
    return explain(address, errno, ret_problem);
  }
  if (address->kind != PERI_ADDRESS_UNIX) {
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  if (bind(listener->fd, (const struct sockaddr *)&to, (socklen_t)len) < 0) {
    return explain(address, errno, ret_problem);
  }
  struct stat info;
  if (address->kind == PERI_ADDRESS_UNIX && lstat(address->host, &info) == 0) {
    listener->owns_file = true;
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
  }
  if (listen(listener->fd, BACKLOG) < 0) {
    return explain(address, errno, ret_problem);
  }
  return 0;
}

static int inherit(struct peri_listener *listener, int fd,
                   struct peri_problem *ret_problem) {
  int listening = 0;
  socklen_t size = sizeof(listening);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
      listening == 0) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "descriptor %d is not a listening socket", fd);
  }
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
    return explain(&listener->address, errno, ret_problem);
  }
  listener->fd = fd;
  return 0;
}

// Asks the kernel where the socket listens.
static void learn_address(struct peri_listener *listener) {
  struct peri_address *address = &listener->address;
  struct sockaddr_storage at;
  socklen_t len = sizeof(at);
  memset(&at, 0, sizeof(at));
  if (getsockname(listener->fd, (struct sockaddr *)&at, &len) < 0) {
    return;
  }
  if (at.ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&at;
    address->kind = PERI_ADDRESS_IPV4;
    address->port = ntohs(in->sin_port);
    inet_ntop(AF_INET, &in->sin_addr, address->host, sizeof(address->host));
  } else if (at.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&at;
    address->kind = PERI_ADDRESS_IPV6;
    address->port = ntohs(in6->sin6_port);
    inet_ntop(AF_INET6, &in6->sin6_addr, address->host, sizeof(address->host));
  } else if (at.ss_family == AF_UNIX) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&at;
    address->kind = PERI_ADDRESS_UNIX;
    address->port = 0;
    memcpy(address->host, un->sun_path, sizeof(un->sun_path));
    address->host[sizeof(un->sun_path)] = '\0';
  }
}

int peri_listener_bind(const struct peri_address *address, int fd,
                       struct peri_listener **ret_listener,
                       struct peri_problem *ret_problem) {
  struct peri_listener *listener = calloc(1, sizeof(*listener));
  if (listener == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  listener->fd = -1;
  listener->spare = -1;
  listener->address = *address;
  if (address->kind == PERI_ADDRESS_NAME &&
      strcmp(address->host, "localhost") == 0) {
    listener->address.kind = PERI_ADDRESS_IPV4;
    strcpy(listener->address.host, "127.0.0.1");
  }
  int rc = fd >= 0 ? inherit(listener, fd, ret_problem)
                   : bind_to(listener, ret_problem);
  if (rc < 0) {
    peri_listener_free(listener);
    return rc;
  }
  learn_address(listener);
  *ret_listener = listener;
  return 0;
}

const struct peri_address *peri_listener_address(
    const struct peri_listener *listener) {
  return &listener->address;
}

static void arm_spare(struct peri_listener *listener) {
  if (listener->spare < 0) {
    listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
  }
}

// No descriptor is left: the spare one makes room to take a connection and
// close it, so that its peer learns at once. False when even that failed.
static bool turn_away(struct peri_listener *listener) {
  if (listener->spare < 0) {
    return false;
  }
  close(listener->spare);
  listener->spare = -1;
  int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
  if (fd >= 0) {
    close(fd);
    if (listener->refused != NULL) {
      listener->refused(listener->ctx);
    }
  }
  arm_spare(listener);
  return fd >= 0;
}

static void hand_over(struct peri_listener *listener, int fd) {
  int on = 1;
  if (listener->address.kind != PERI_ADDRESS_UNIX) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  listener->accepted(listener->ctx, fd);
}

static void ready(void *ctx, int events, int error) {
  struct peri_listener *listener = ctx;
  (void)events;
  (void)error;
  for (int i = 0; i < MOST_ACCEPTS; i++) {
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      hand_over(listener, fd);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
               errno == ENOMEM) {
      if (!turn_away(listener)) {
        // The queue stays readable: looking away for a while keeps the loop
        // from spinning.
        peri_poll_set(listener->poll, 0);
        peri_timer_start(listener->retry, RETRY_MS, 0);
        return;
      }
    }
  }
}

static void look_again(void *ctx) {
  struct peri_listener *listener = ctx;
  arm_spare(listener);
  peri_poll_set(listener->poll, PERI_POLL_READ);
}

int peri_listener_start(struct peri_listener *listener, struct peri_loop *loop,
                        void (*accepted)(void *ctx, int fd),
                        void (*refused)(void *ctx), void *ctx) {
  listener->accepted = accepted;
  listener->refused = refused;
  listener->ctx = ctx;
  arm_spare(listener);
  int rc = peri_timer_new(loop, look_again, listener, &listener->retry);
  if (rc == 0) {
    rc = peri_poll_new(loop, listener->fd, ready, listener, &listener->poll);
  }
  if (rc == 0) {
    rc = peri_poll_set(listener->poll, PERI_POLL_READ);
  }
  return rc;
}

void peri_listener_free(struct peri_listener *listener) {
  struct stat info;
  if (listener == NULL) {
    return;
  }
  peri_poll_free(listener->poll);
  peri_timer_free(listener->retry);
  if (listener->owns_file && lstat(listener->address.host, &info) == 0 &&
      info.st_dev == listener->device && info.st_ino == listener->inode) {
    // Only our own file: somebody may have put another in its place.
    unlink(listener->address.host);
  }
  if (listener->fd >= 0) {
    close(listener->fd);
  }
  if (listener->spare >= 0) {
    close(listener->spare);
  }
  free(listener);
}
