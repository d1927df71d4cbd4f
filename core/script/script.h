#pragma once

#include "base/error.h"
#include "base/types.h"
#include "model/policy.h"

struct peri_loop;
struct peri_config;
struct peri_json;
struct peri_metrics;

/// Runs a configuration file in a sandbox without I/O (`env(NAME, default)`,
/// `secret_file(PATH)` and pure builtins at hand, limited in instructions and
/// memory) and turns the table it returns into a JSON tree, to be checked by
/// peri_config_build(). Any thread, no loop needed.
/// @return 0, PERI_ECONFIG with `file:line: words`, PERI_ENOTFOUND, PERI_EPERM,
/// PERI_EIO or PERI_ENOMEM. The caller frees *ret_source
///   with free() and unrefs *ret_tree.
int peri_script_config(const char *file, char **ret_source, size_t *ret_len,
                       struct peri_json **ret_tree,
                       struct peri_problem *ret_problem);

/// The policies of one worker: one small LuaJIT VM for each policy file in use.
struct peri_script;

struct peri_script_options {
  struct peri_loop *loop;
  struct peri_config *config;  // for policy paths and files; referenced
  struct peri_metrics *metrics;
  const char *lua_dir;      // holds perigee/*.lua
  const char *plugins_dir;  // holds picker/ fallback/ (searched last)
  /// Called once for each policy and distinct failure, with `kind name:
  /// file:line: words` and a traceback in further lines; may be NULL. Must not
  /// call back into the script.
  void (*notice)(void *ctx, const char *text);
  void *notice_ctx;
};

int peri_script_new(const struct peri_script_options *options,
                    struct peri_script **ret_script,
                    struct peri_problem *ret_problem);

/// The vtable that makes policies; lives as long as the script.
struct peri_policy_host *peri_script_host(struct peri_script *script);

/// Frees every VM. Pickers and fallbacks must have been freed before.
void peri_script_free(struct peri_script *script);
