#include "app/admin.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/inherit.h"
#include "app/process.h"
#include "app/report.h"
#include "base/container.h"
#include "base/list.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "h2/listener.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "registry/registry.h"
#include "registry/status.h"

// Short, since microhttpd overlooks that a peer which sent half a request has
// gone when both reach it at once: only this ends such a connection.
enum {
  CONN_MEMORY_BYTES = 8192,
  MOST_GUESTS = 192,  // then the oldest goes
  MOST_CONNS = 256,   // with those that microhttpd has yet to close
  IDLE_S = 3
};

struct peri_admin {
  struct peri_listener *listener;
  struct MHD_Daemon *daemon;
  struct peri_poll *poll;
  struct peri_timer *timer;
  struct peri_metrics *metrics;
  const char *not_ready;
  struct peri_registry *registry;  // NULL until it is there
  struct peri_list guests;         // the oldest first
  unsigned guest_count;
};

/// One connection, from its beginning until it ends or has to make room.
struct guest {
  struct peri_list link;
  int fd;
};

/// Lets microhttpd work, then sleep as long as it likes.
static void turn(struct peri_admin *admin) {
  MHD_UNSIGNED_LONG_LONG wait_ms;
  MHD_run(admin->daemon);
  if (MHD_get_timeout(admin->daemon, &wait_ms) == MHD_YES) {
    peri_timer_start(admin->timer, wait_ms, 0);
  } else {
    peri_timer_stop(admin->timer);
  }
}

static void on_timer(void *ctx) {
  turn(ctx);
}

static void on_ready(void *ctx, int events, int error) {
  (void)events;
  (void)error;
  turn(ctx);
}

static void let_go(struct peri_admin *admin, struct guest *guest) {
  if (!peri_list_empty(&guest->link)) {
    peri_list_remove(&guest->link);
    admin->guest_count--;
  }
}

static void on_guest(void *ctx, struct MHD_Connection *connection, void **place,
                     enum MHD_ConnectionNotificationCode code) {
  struct peri_admin *admin = ctx;
  struct guest *guest = *place;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (guest != NULL) {
      let_go(admin, guest);
      free(guest);
    }
    return;
  }
  // Without memory it is not counted, and ends when it has been idle.
  guest = malloc(sizeof(*guest));
  *place = guest;
  if (guest != NULL) {
    guest->fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
            ->connect_fd;
    peri_list_push(&admin->guests, &guest->link);
    admin->guest_count++;
  }
}

// A request that means it has been answered long before its connection is the
// oldest of so many. What is older is half a request, or one that comes byte by
// byte, and must not keep probes out.
static void make_room(struct peri_admin *admin) {
  if (admin->guest_count > MOST_GUESTS) {
    struct guest *oldest =
        PERI_CONTAINER_OF(admin->guests.next, struct guest, link);
    let_go(admin, oldest);
    (void)shutdown(oldest->fd, SHUT_RDWR);
  }
}

static void on_accepted(void *ctx, int fd) {
  struct peri_admin *admin = ctx;
  struct sockaddr_storage peer;
  socklen_t len = sizeof(peer);
  memset(&peer, 0, sizeof(peer));
  if (getpeername(fd, (struct sockaddr *)&peer, &len) != 0) {
    close(fd);
    return;
  }
  // Closes the socket itself when it cannot take it.
  MHD_add_connection(admin->daemon, fd, (struct sockaddr *)&peer, len);
  make_room(admin);
  turn(admin);
}

static enum MHD_Result send_text(struct MHD_Connection *connection,
                                 unsigned status, const char *type,
                                 struct peri_buffer *text) {
  // microhttpd takes the memory over.
  struct MHD_Response *response = MHD_create_response_from_buffer(
      text->len, text->ptr, MHD_RESPMEM_MUST_FREE);
  if (response == NULL) {
    peri_buffer_done(text);
    return MHD_NO;
  }
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  enum MHD_Result result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result send_words(struct MHD_Connection *connection,
                                  unsigned status, const char *words) {
  struct peri_buffer text = {0};
  if (peri_buffer_printf(&text, "%s\n", words) < 0) {
    return MHD_NO;
  }
  return send_text(connection, status, "text/plain; charset=utf-8", &text);
}

static enum MHD_Result send_ready(struct peri_admin *admin,
                                  struct MHD_Connection *connection) {
  struct peri_registry_status *status = NULL;
  struct peri_buffer text = {0};
  int rc = peri_buffer_printf(
      &text, "%s\n", admin->not_ready != NULL ? admin->not_ready : "ready");
  if (rc == 0 && admin->registry != NULL) {
    rc = peri_registry_status(admin->registry, &status);
  }
  if (rc == 0 && status != NULL) {
    rc = peri_report_text(status, &text);
  }
  peri_registry_status_unref(status);
  if (rc < 0) {
    peri_buffer_done(&text);
    return MHD_NO;
  }
  return send_text(
      connection,
      admin->not_ready == NULL ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
      "text/plain; charset=utf-8", &text);
}

static enum MHD_Result send_metrics(struct peri_admin *admin,
                                    struct MHD_Connection *connection) {
  struct peri_buffer text = {0};
  if (peri_metrics_render(admin->metrics, &text) < 0 ||
      peri_process_render(&text) < 0) {
    peri_buffer_done(&text);
    return MHD_NO;
  }
  return send_text(connection, MHD_HTTP_OK,
                   "text/plain; version=0.0.4; charset=utf-8", &text);
}

static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection,
                              const char *url, const char *method,
                              const char *version, const char *upload,
                              size_t *upload_size, void **state) {
  struct peri_admin *admin = ctx;
  (void)version;
  (void)upload;
  if (*upload_size > 0) {
    *upload_size = 0;  // Nothing here reads a body.
    return MHD_YES;
  }
  if (*state == NULL) {
    *state = admin;  // The first of two calls: the headers have come.
    return MHD_YES;
  }
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
      strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    return send_words(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                      "only GET and HEAD");
  }
  if (strcmp(url, "/live") == 0) {
    return send_words(connection, MHD_HTTP_OK, "live");
  }
  if (strcmp(url, "/ready") == 0) {
    return send_ready(admin, connection);
  }
  if (strcmp(url, "/metrics") == 0) {
    return send_metrics(admin, connection);
  }
  return send_words(connection, MHD_HTTP_NOT_FOUND,
                    "there are /live, /ready and /metrics");
}

static void quiet(void *ctx, const char *format, va_list args) {
  (void)ctx;
  (void)format;
  (void)args;
}

static int start_daemon(struct peri_admin *admin, struct peri_loop *loop) {
  admin->daemon = MHD_start_daemon(
      MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL,
      NULL, answer, admin, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONN_MEMORY_BYTES,
      MHD_OPTION_CONNECTION_LIMIT, (unsigned)MOST_CONNS,
      MHD_OPTION_NOTIFY_CONNECTION, on_guest, admin,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_END);
  if (admin->daemon == NULL) {
    return PERI_ENOMEM;
  }
  const union MHD_DaemonInfo *info =
      MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
  if (info == NULL) {
    return PERI_EUNSUPPORTED;
  }
  int rc = peri_poll_new(loop, info->epoll_fd, on_ready, admin, &admin->poll);
  if (rc == 0) {
    rc = peri_poll_set(admin->poll, PERI_POLL_READ);
  }
  if (rc == 0) {
    rc = peri_timer_new(loop, on_timer, admin, &admin->timer);
  }
  if (rc == 0) {
    rc = peri_listener_start(admin->listener, loop, on_accepted, NULL, admin);
  }
  return rc;
}

int peri_admin_new(const struct peri_admin_options *options,
                   struct peri_admin **ret_admin,
                   struct peri_problem *ret_problem) {
  struct peri_address address;
  int rc = peri_address_parse(peri_slice_of(options->address), &address);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "listen.admin: %s is no address",
                            options->address);
  }
  struct peri_admin *admin = calloc(1, sizeof(*admin));
  if (admin == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  admin->metrics = options->metrics;
  admin->not_ready = "starting";
  peri_list_init(&admin->guests);
  rc = peri_listener_bind(&address, peri_inherit_find("admin"),
                          &admin->listener, ret_problem);
  if (rc < 0) {
    goto fail;
  }
  rc = start_daemon(admin, options->loop);
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "the admin page cannot start: %s",
                     peri_error_text(rc));
    goto fail;
  }
  *ret_admin = admin;
  return 0;

fail:
  peri_admin_free(admin);
  return rc;
}

const struct peri_address *peri_admin_address(const struct peri_admin *admin) {
  return peri_listener_address(admin->listener);
}

void peri_admin_ready(struct peri_admin *admin, const char *reason) {
  admin->not_ready = reason;
}

void peri_admin_describe(struct peri_admin *admin,
                         struct peri_registry *registry) {
  admin->registry = registry;
}

void peri_admin_free(struct peri_admin *admin) {
  if (admin == NULL) {
    return;
  }
  peri_listener_free(admin->listener);
  peri_poll_free(admin->poll);
  peri_timer_free(admin->timer);
  if (admin->daemon != NULL) {
    MHD_stop_daemon(admin->daemon);
  }
  free(admin);
}
