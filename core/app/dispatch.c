#include "app/dispatch.h"

#include <stdio.h>

#include "app/control.h"
#include "app/explain.h"
#include "app/health.h"
#include "app/reflection.h"
#include "base/slice.h"
#include "base/status.h"
#include "cache/cache.h"
#include "h2/call.h"
#include "h2/stream.h"
#include "proxy/proxy.h"

struct row {
  const char *path;
  enum peri_dispatch_target target;
  bool app_only;
};

static const struct row table[] = {
    {"/grpc.health.v1.Health/Check", PERI_DISPATCH_HEALTH_CHECK, false},
    {"/grpc.health.v1.Health/Watch", PERI_DISPATCH_HEALTH_WATCH, false},
    {"/perigee.v1.Mesh/Peers", PERI_DISPATCH_PEERS, true},
    {"/perigee.v1.Mesh/Stats", PERI_DISPATCH_STATS, true},
    {"/perigee.v1.Mesh/Services", PERI_DISPATCH_SERVICES, true},
    {"/perigee.v1.Mesh/Register", PERI_DISPATCH_REGISTER, true},
    {"/perigee.v1.Mesh/Deregister", PERI_DISPATCH_DEREGISTER, true},
    {"/perigee.v1.Mesh/Policies", PERI_DISPATCH_POLICIES, true},
    {"/perigee.v1.Mesh/ReloadPolicies", PERI_DISPATCH_RELOAD_POLICIES, true},
    {"/perigee.v1.Mesh/RollbackPolicy", PERI_DISPATCH_ROLLBACK_POLICY, true},
    {"/perigee.v1.Mesh/Explain", PERI_DISPATCH_EXPLAIN, true},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
     PERI_DISPATCH_REFLECTION, true},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
     PERI_DISPATCH_REFLECTION, true},
};

/// Who answers the operator.
static void (*const controls[])(void *ctx, struct peri_call *call,
                                struct peri_slice message) = {
    [PERI_DISPATCH_PEERS] = peri_control_peers,
    [PERI_DISPATCH_STATS] = peri_control_stats,
    [PERI_DISPATCH_SERVICES] = peri_control_services,
    [PERI_DISPATCH_REGISTER] = peri_control_register,
    [PERI_DISPATCH_DEREGISTER] = peri_control_deregister,
    [PERI_DISPATCH_POLICIES] = peri_control_policies,
    [PERI_DISPATCH_RELOAD_POLICIES] = peri_control_reload_policies,
    [PERI_DISPATCH_ROLLBACK_POLICY] = peri_control_rollback_policy,
    [PERI_DISPATCH_EXPLAIN] = peri_control_explain,
};

enum peri_dispatch_target peri_dispatch_choose(struct peri_slice path,
                                               bool mesh) {
  if (peri_slice_starts(path, "/groupcachepb.GroupCache/")) {
    return PERI_DISPATCH_CACHE;
  }
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    if (peri_slice_is(path, table[i].path)) {
      return mesh && table[i].app_only ? PERI_DISPATCH_APP_ONLY
                                       : table[i].target;
    }
  }
  return PERI_DISPATCH_PROXY;
}

static void refuse(struct peri_h2_stream *stream, struct peri_slice path,
                   const char *words) {
  char text[512];
  int shown = path.len > 200 ? 200 : (int)path.len;
  snprintf(text, sizeof(text), "%.*s: %s", shown, path.ptr, words);
  peri_call_refuse(stream, PERI_STATUS_UNIMPLEMENTED, text);
}

static void to_cache(struct peri_dispatch *dispatch,
                     struct peri_h2_stream *stream, struct peri_slice path,
                     bool mesh) {
  peri_cache_method *method = peri_cache_method_of(path, mesh);
  if (method == NULL) {
    refuse(stream, path,
           "GroupCache has no such method; it has Get, Peek, Set, Remove, "
           "RemoveKeys and BatchGet");
    return;
  }
  peri_call_accept(stream, dispatch->message_bytes, method, dispatch->cache);
}

static void to_proxy(struct peri_dispatch *dispatch,
                     struct peri_h2_stream *stream, bool mesh) {
  if (mesh) {
    peri_proxy_inbound(dispatch->proxy, stream);
  } else {
    peri_proxy_outbound(dispatch->proxy, stream);
  }
}

void peri_dispatch_request(struct peri_dispatch *dispatch,
                           struct peri_h2_stream *stream, bool mesh) {
  struct peri_slice path = {"", 0};
  uint32_t bytes = dispatch->message_bytes;
  peri_h2_stream_header(stream, ":path", &path);
  // Between sidecars the cache's own calls name their service as well.
  if (peri_proxy_is_addressed(stream) &&
      !(mesh && peri_slice_starts(path, "/groupcachepb.GroupCache/"))) {
    to_proxy(dispatch, stream, mesh);
    return;
  }
  enum peri_dispatch_target target = peri_dispatch_choose(path, mesh);
  switch (target) {
    case PERI_DISPATCH_CACHE:
      to_cache(dispatch, stream, path, mesh);
      break;
    case PERI_DISPATCH_HEALTH_CHECK:
      peri_call_accept(stream, bytes, peri_health_check, dispatch->health);
      break;
    case PERI_DISPATCH_HEALTH_WATCH:
      peri_call_accept(stream, bytes, peri_health_watch, dispatch->health);
      break;
    case PERI_DISPATCH_REFLECTION:
      peri_reflection_accept(dispatch->reflection, stream);
      break;
    case PERI_DISPATCH_APP_ONLY:
      refuse(stream, path, "this is answered on the app listener only");
      break;
    case PERI_DISPATCH_PROXY:
      to_proxy(dispatch, stream, mesh);
      break;
    default:
      peri_call_accept(stream, bytes, controls[target], dispatch->control);
      break;
  }
}
