#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "cache/mesh_private.h"
#include "h2/unary.h"

static void done(void *ctx, const struct peri_unary_result *result) {
  struct shim_call *call = ctx;
  call->unary = NULL;
  call->status = result->status;
  call->message = malloc(result->message.len + 1);
  call->len = result->message.len;
  if (call->len > 0) {
    memcpy(call->message, result->message.ptr, call->len);
  }
  call->text = peri_slice_dup(result->text);
  call->mesh->open--;
}

int peri_shim_mesh_call(struct peri_shim_mesh *mesh,
                        const struct peri_shim_ask *ask) {
  struct shim_node *node = &mesh->nodes[ask->node];
  const struct peri_h2_field hop = {peri_slice_of("perigee-hop"),
                                    peri_slice_of("1"), false};
  struct shim_call *call = &mesh->calls[mesh->call_count];
  char path[128];
  if (mesh->call_count == SHIM_MAX_CALLS) {
    return PERI_ELIMIT;
  }
  (void)snprintf(path, sizeof path, "/groupcachepb.GroupCache/%s", ask->method);
  struct peri_unary_request request = {
      .address = peri_slice_of(ask->worker < 0
                                   ? node->workers[0].mesh.address
                                   : node->workers[ask->worker].app.address),
      .path = path,
      .metadata = &hop,
      .metadata_count = ask->hop ? 1 : 0,
      .message = ask->message,
      .timeout_ms = ask->timeout_ms};
  *call = (struct shim_call){.mesh = mesh, .status = -1};
  int rc = peri_unary_start(mesh->client, &request, done, call, &call->unary);
  if (rc < 0) {
    return rc;
  }
  mesh->open++;
  mesh->call_count++;
  return mesh->call_count - 1;
}

int peri_shim_mesh_calls(struct peri_shim_mesh *mesh,
                         const struct peri_shim_ask *ask, int count) {
  int first = mesh->call_count;
  for (int i = 0; i < count; i++) {
    int rc = peri_shim_mesh_call(mesh, ask);
    if (rc < 0) {
      return rc;
    }
  }
  return first;
}

void peri_shim_mesh_step(struct peri_shim_mesh *mesh, uint64_t ms) {
  (void)peri_loop_step(mesh->loop, ms);
}

void peri_shim_mesh_cancel(struct peri_shim_mesh *mesh, int number) {
  struct shim_call *call = &mesh->calls[number];
  if (call->unary != NULL) {
    peri_unary_cancel(call->unary);
    call->unary = NULL;
    call->status = -2;
    mesh->open--;
  }
}

int peri_shim_mesh_status(struct peri_shim_mesh *mesh, int number) {
  return mesh->calls[number].status;
}

struct peri_slice peri_shim_mesh_message(struct peri_shim_mesh *mesh,
                                         int number) {
  return (struct peri_slice){mesh->calls[number].message,
                             mesh->calls[number].len};
}

struct peri_slice peri_shim_mesh_text(struct peri_shim_mesh *mesh, int number) {
  return peri_slice_of(mesh->calls[number].text);
}

int peri_shim_mesh_open(struct peri_shim_mesh *mesh) {
  return mesh->open;
}

int peri_shim_mesh_ended(struct peri_shim_mesh *mesh, int status) {
  int count = 0;
  for (int i = 0; i < mesh->call_count; i++) {
    count += mesh->calls[i].status == status ? 1 : 0;
  }
  return count;
}

void peri_shim_mesh_forget(struct peri_shim_mesh *mesh) {
  for (int i = 0; i < mesh->call_count; i++) {
    free(mesh->calls[i].message);
    free(mesh->calls[i].text);
  }
  mesh->call_count = 0;
}
