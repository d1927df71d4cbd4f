#include "h2/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/loop.h"

// What a socket did not take at once: the copied bytes move in here, the
// borrowed ones stay where they are until they have left.
struct rest {
  uv_write_t request;
  struct peri_wire *wire;
  size_t count;
  struct peri_out_part *parts;
};

enum { MOST_READS = 2 };

struct peri_wire {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  uv_connect_t connect;
  uv_shutdown_t shutdown;
  struct peri_wire_setup setup;
  struct rest *rest;
  unsigned reads;  // in a row that filled the buffer
  bool reading;
  bool shut;
};

static void closed(uv_handle_t *handle) {
  free(handle->data);
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  struct peri_wire *wire = handle->data;
  bool enough = wire->reads == MOST_READS;
  (void)suggested;
  // libuv would read 32 times before it looks at another connection: a flood of
  // tiny frames takes 10 ms of the worker that way. Without a buffer it goes on
  // and comes back here after the others.
  *buf = uv_buf_init(wire->setup.read_buffer,
                     enough ? 0 : (unsigned int)wire->setup.read_bytes);
}

static void got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf) {
  struct peri_wire *wire = stream->data;
  bool full = count > 0 && (size_t)count == wire->setup.read_bytes;
  wire->reads = full ? wire->reads + 1 : 0;
  if (count == UV_ENOBUFS && buf->len == 0) {
    return;
  }
  if (count > 0) {
    struct peri_slice bytes = {buf->base, (size_t)count};
    wire->setup.events->on_bytes(wire->setup.ctx, bytes);
  } else if (count < 0) {
    int code = count == UV_EOF ? PERI_ECLOSED : (int)count;
    wire->reading = false;
    uv_read_stop(stream);
    wire->setup.events->on_end(wire->setup.ctx, code);
  }
}

static struct peri_wire *make(const struct peri_wire_setup *setup, bool local,
                              int *ret_rc) {
  uv_loop_t *loop = peri_loop_uv(setup->loop);
  struct peri_wire *wire = calloc(1, sizeof(*wire));
  if (wire == NULL) {
    *ret_rc = PERI_ENOMEM;
    return NULL;
  }
  int rc = local ? uv_pipe_init(loop, &wire->uv.pipe, 0)
                 : uv_tcp_init(loop, &wire->uv.tcp);
  if (rc < 0) {
    free(wire);
    *ret_rc = rc;
    return NULL;
  }
  wire->setup = *setup;
  wire->uv.handle.data = wire;
  return wire;
}

int peri_wire_adopt(const struct peri_wire_setup *setup, int fd,
                    struct peri_wire **ret_wire) {
  int domain = 0;
  socklen_t size = sizeof(domain);
  int rc = 0;
  struct peri_wire *wire = NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0) {
    wire = make(setup, domain == AF_UNIX, &rc);
  } else {
    rc = UV_ENOTSOCK;
  }
  if (wire == NULL) {
    close(fd);
    return rc;
  }
  rc = domain == AF_UNIX ? uv_pipe_open(&wire->uv.pipe, fd)
                         : uv_tcp_open(&wire->uv.tcp, fd);
  if (rc < 0) {
    close(fd);
    peri_wire_close(wire);
    return rc;
  }
  *ret_wire = wire;
  return 0;
}

static void connected(uv_connect_t *request, int status) {
  struct peri_wire *wire = request->data;
  if (uv_is_closing(&wire->uv.handle)) {
    return;
  }
  wire->setup.events->on_connect(wire->setup.ctx, status);
}

int peri_wire_connect(const struct peri_wire_setup *setup,
                      const struct peri_address *address,
                      struct peri_wire **ret_wire) {
  struct sockaddr_storage to;
  int rc = peri_address_sockaddr(address, (struct sockaddr *)&to);
  if (rc < 0) {
    return rc;
  }
  bool local = address->kind == PERI_ADDRESS_UNIX;
  struct peri_wire *wire = make(setup, local, &rc);
  if (wire == NULL) {
    return rc;
  }
  wire->connect.data = wire;
  if (local) {
    uv_pipe_connect(&wire->connect, &wire->uv.pipe, address->host, connected);
    rc = 0;
  } else {
    uv_tcp_nodelay(&wire->uv.tcp, 1);
    rc = uv_tcp_connect(&wire->connect, &wire->uv.tcp,
                        (const struct sockaddr *)&to, connected);
  }
  if (rc < 0) {
    peri_wire_close(wire);
    return rc;
  }
  *ret_wire = wire;
  return 0;
}

int peri_wire_read(struct peri_wire *wire, bool on) {
  if (on == wire->reading) {
    return 0;
  }
  wire->reading = on;
  return on ? uv_read_start(&wire->uv.stream, lend_buffer, got)
            : uv_read_stop(&wire->uv.stream);
}

static void rest_free(struct rest *rest) {
  for (size_t i = 0; i < rest->count; i++) {
    if (rest->parts[i].release != NULL) {
      rest->parts[i].release(rest->parts[i].owner);
    }
  }
  free(rest);
}

static void rest_written(uv_write_t *request, int status) {
  struct rest *rest = PERI_CONTAINER_OF(request, struct rest, request);
  struct peri_wire *wire = rest->wire;
  wire->rest = NULL;
  rest_free(rest);
  if (!uv_is_closing(&wire->uv.handle)) {
    wire->setup.events->on_drained(wire->setup.ctx, status);
  }
}

// Moves the parts after the first `sent` bytes into one block.
static struct rest *rest_new(struct peri_out *out, size_t sent) {
  size_t head = sizeof(struct rest) + out->count * sizeof(*out->parts);
  struct rest *rest = malloc(head + out->used);
  if (rest == NULL) {
    return NULL;
  }
  memset(rest, 0, sizeof(*rest));
  rest->parts = (struct peri_out_part *)(void *)(rest + 1);
  char *bytes = (char *)rest + head;
  memcpy(bytes, out->scratch, out->used);
  for (size_t i = 0; i < out->count; i++) {
    struct peri_out_part *part = &out->parts[i];
    if (sent >= part->len) {
      sent -= part->len;
      continue;
    }
    struct peri_out_part kept = *part;
    kept.ptr = (part->ptr != NULL ? part->ptr : bytes + part->offset);
    kept.ptr += sent;
    kept.len -= sent;
    sent = 0;
    rest->parts[rest->count++] = kept;
    part->release = NULL;
  }
  return rest;
}

static int keep(struct peri_wire *wire, struct peri_out *out, size_t sent) {
  uv_buf_t bufs[PERI_OUT_PARTS];
  struct rest *rest = rest_new(out, sent);
  if (rest == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < rest->count; i++) {
    bufs[i].base = (char *)(uintptr_t)rest->parts[i].ptr;
    bufs[i].len = rest->parts[i].len;
  }
  rest->wire = wire;
  int rc = uv_write(&rest->request, &wire->uv.stream, bufs,
                    (unsigned int)rest->count, rest_written);
  if (rc < 0) {
    rest_free(rest);
    return rc;
  }
  wire->rest = rest;
  return 0;
}

int peri_wire_write(struct peri_wire *wire, struct peri_out *out) {
  uv_buf_t bufs[PERI_OUT_PARTS];
  for (size_t i = 0; i < out->count; i++) {
    const struct peri_out_part *part = &out->parts[i];
    const char *ptr =
        part->ptr != NULL ? part->ptr : out->scratch + part->offset;
    bufs[i].base = (char *)(uintptr_t)ptr;
    bufs[i].len = part->len;
  }
  int rc = uv_try_write(&wire->uv.stream, bufs, (unsigned int)out->count);
  if (rc == UV_EAGAIN) {
    rc = 0;
  }
  if (rc >= 0) {
    size_t sent = (size_t)rc;
    rc = sent < out->bytes ? keep(wire, out, sent) : 0;
  }
  peri_out_clear(out);
  return rc;
}

bool peri_wire_busy(const struct peri_wire *wire) {
  return wire->rest != NULL;
}

size_t peri_wire_backlog(const struct peri_wire *wire) {
  return wire->uv.stream.write_queue_size;
}

static void shut_down(uv_shutdown_t *request, int status) {
  (void)request;
  (void)status;
}

void peri_wire_shutdown(struct peri_wire *wire) {
  if (!wire->shut) {
    // A failure means that the peer has gone, which reading reports.
    wire->shut = true;
    (void)uv_shutdown(&wire->shutdown, &wire->uv.stream, shut_down);
  }
}

void peri_wire_close(struct peri_wire *wire) {
  if (wire != NULL && !uv_is_closing(&wire->uv.handle)) {
    uv_close(&wire->uv.handle, closed);
  }
}
