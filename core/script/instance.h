#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/types.h"
#include "script/vm.h"

struct peri_metric;
struct peri_policy_ref;
struct peri_script;

enum { PERI_POLICY_SEEN = 32 };

/// A policy file that is loaded, with its VM; shared by what `new` made of it,
/// and freed with the last of them.
struct peri_policy {
  struct peri_list link;  // in the script
  struct peri_script *script;
  struct peri_vm *vm;
  const char *kind;  // static
  char name[72];
  int declaration;  // registry reference
  uint32_t uses;
  struct peri_metric *errors;       // NULL without metrics
  uint64_t seen[PERI_POLICY_SEEN];  // hashes of the failures told already
  uint32_t seen_count;
};

/// What `new` made: the object and the functions that are called with it, as
/// registry references (LUA_NOREF when not declared).
struct peri_instance {
  struct peri_policy *policy;
  int self;
  int main;    // pick or fetch
  int update;  // of pickers and balancers
  int done;    // of balancers
};

/// Loads the policy when needed and makes an object of it.
/// @return 0, PERI_ENOTFOUND, PERI_ECONFIG, PERI_ESCRIPT, PERI_ENOMEM with
///   words in `ret_problem`.
int peri_instance_new(struct peri_script *script, const char *kind,
                      const struct peri_policy_ref *ref,
                      struct peri_instance *ret_instance,
                      struct peri_problem *ret_problem);
void peri_instance_done(struct peri_instance *instance);

/// Counts the VM's last failure in the metrics, and tells the application of it
/// unless it was told before.
void peri_policy_report(struct peri_policy *policy);

struct peri_picker;
struct peri_fallback;
struct peri_balancer;
struct peri_policy_host;
/// The vtables that script.c gives out (picker.c, fallback.c, balancer.c); as
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

/// Parts of the script that its policies use (script.c).
struct peri_list *peri_script_policies(struct peri_script *script);
const struct peri_vm_options *peri_script_vm_options(
    const struct peri_script *script);
void peri_script_tell(struct peri_script *script, const char *text);
