#include "script/script.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/slice.h"
#include "model/config.h"
#include "script/instance.h"
#include "script/lib.h"
#include "script/vm.h"

struct peri_script {
  struct peri_policy_host host;
  struct peri_list policies;
  struct peri_vm_options vm_options;
  char *lua_dir, *plugins_dir;
  struct peri_share *share;
  void (*notice)(void *ctx, const char *text);
  void *notice_ctx;
};

static struct peri_script *script_of(struct peri_policy_host *host) {
  return PERI_CONTAINER_OF(host, struct peri_script, host);
}

static int host_picker(struct peri_policy_host *host,
                       const struct peri_policy_ref *ref,
                       struct peri_picker **ret_picker,
                       struct peri_problem *ret_problem) {
  return peri_picker_make(script_of(host), ref, ret_picker, ret_problem);
}

static int host_fallback(struct peri_policy_host *host,
                         const struct peri_policy_ref *ref,
                         struct peri_fallback **ret_fallback,
                         struct peri_problem *ret_problem) {
  return peri_fallback_make(script_of(host), ref, ret_fallback, ret_problem);
}

static int host_balancer(struct peri_policy_host *host,
                         const struct peri_policy_ref *ref,
                         struct peri_balancer **ret_balancer,
                         struct peri_problem *ret_problem) {
  return peri_balancer_make(script_of(host), ref, ret_balancer, ret_problem);
}

static char *copy(const char *text, bool *ret_failed) {
  struct peri_slice slice = peri_slice_of(text);
  char *twin = text ? peri_slice_dup(slice) : NULL;

  if (text && !twin) {
    *ret_failed = true;
  }
  return twin;
}

int peri_script_new(const struct peri_script_options *options,
                    struct peri_script **ret_script,
                    struct peri_problem *ret_problem) {
  struct peri_script *script = calloc(1, sizeof(*script));
  bool failed = false;

  if (!script) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  peri_list_init(&script->policies);
  script->host.picker = host_picker;
  script->host.fallback = host_fallback;
  script->host.balancer = host_balancer;
  script->notice = options->notice;
  script->notice_ctx = options->notice_ctx;
  script->lua_dir = copy(options->lua_dir, &failed);
  script->plugins_dir = copy(options->plugins_dir, &failed);
  script->share = peri_share_new();
  if (options->config) {
    script->vm_options.config = peri_config_ref(options->config);
  }
  script->vm_options.loop = options->loop;
  script->vm_options.metrics = options->metrics;
  script->vm_options.lua_dir = script->lua_dir;
  script->vm_options.plugins_dir = script->plugins_dir;
  script->vm_options.share = script->share;
  if (failed || !script->share) {
    peri_script_free(script);
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  *ret_script = script;
  return 0;
}

struct peri_policy_host *peri_script_host(struct peri_script *script) {
  return &script->host;
}

void peri_script_free(struct peri_script *script) {
  if (!script) {
    return;
  }
  peri_share_free(script->share);
  peri_config_unref(script->vm_options.config);
  free(script->lua_dir);
  free(script->plugins_dir);
  free(script);
}

struct peri_list *peri_script_policies(struct peri_script *script) {
  return &script->policies;
}

const struct peri_vm_options *peri_script_vm_options(
    const struct peri_script *script) {
  return &script->vm_options;
}

void peri_script_tell(struct peri_script *script, const char *text) {
  if (script->notice) {
    script->notice(script->notice_ctx, text);
  }
}
