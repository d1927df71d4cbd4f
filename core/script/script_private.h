#pragma once

#include "base/list.h"
#include "base/types.h"
#include "model/policy.h"
#include "script/prepare.h"
#include "script/vm.h"

struct peri_share;
struct peri_timer;

/// The inside of a script, for this room's own files only.
struct peri_script {
  struct peri_policy_host host;
  struct peri_list policies;
  struct peri_vm_options vm_options;  // without kind, name and sources
  char *lua_dir, *plugins_dir;
  struct peri_share *share;
  struct peri_sources *sources;  // what runs was made of, and new objects are
  struct peri_prepare prepare;
  struct peri_list dead;      // versions that wait to be freed
  struct peri_timer *reaper;  // NULL without a loop
  void (*notice)(void *ctx, const char *text);
  void *notice_ctx;
};

/// The present moment on the clock of the script's loop.
uint64_t peri_script_now_ns(const struct peri_script *script);
void peri_script_tell(struct peri_script *script, const char *text);

struct peri_picker;
struct peri_fallback;
struct peri_balancer;
/// The vtables that the host gives out (picker.c, fallback.c, balancer.c); as
/// in model/policy.h, with the script for the host.
int peri_picker_make(struct peri_script *script,
                     const struct peri_policy_ref *ref,
                     struct peri_picker **ret_picker,
                     struct peri_problem *ret_problem);
int peri_fallback_make(struct peri_script *script,
                       const struct peri_policy_ref *ref,
                       struct peri_fallback **ret_fallback,
                       struct peri_problem *ret_problem);
int peri_balancer_make(struct peri_script *script,
                       const struct peri_policy_ref *ref,
                       struct peri_balancer **ret_balancer,
                       struct peri_problem *ret_problem);
