#pragma once

#include "base/error.h"
#include "base/types.h"
#include "model/policy.h"

struct peri_loop;
struct peri_config;
struct peri_json;
struct peri_metrics;
struct peri_sources;

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

/// The policies of one worker: for each file in use a small LuaJIT VM, one for
/// each of its versions that may still be needed.
struct peri_script;

struct peri_script_options {
  struct peri_loop *loop;
  struct peri_config *config;  // for policy paths and files; referenced
  struct peri_metrics *metrics;
  const char *lua_dir;      // holds perigee/*.lua
  const char *plugins_dir;  // holds picker/ fallback/ (searched last)
  /// What policies load from; referenced. NULL: the folders as they are now.
  struct peri_sources *sources;
  /// Called once for each version of a policy and distinct failure, with `kind
  /// name: file:line: words` and a traceback in further lines, and when a
  /// policy is switched off or is on again; may be NULL. Must not call back
  /// into the script.
  void (*notice)(void *ctx, const char *text);
  void *notice_ctx;
};

int peri_script_new(const struct peri_script_options *options,
                    struct peri_script **ret_script,
                    struct peri_problem *ret_problem);

/// The vtable that makes policies; lives as long as the script.
struct peri_policy_host *peri_script_host(struct peri_script *script);

/// Frees every VM. Pickers, fallbacks and balancers must have been freed
/// before.
void peri_script_free(struct peri_script *script);

/// Why a policy could not be prepared.
struct peri_script_failure {
  const char *kind, *name;
  struct peri_problem problem;
};

/// Makes a new version, beside what runs, of each policy whose files differ
/// from those that its latest one was made of, or that `force` names
/// ("kind/name", or "*" for all; NULL for none), and a first one of each that
/// only `config` names. One thing in each turn of the loop: loading and
/// selftest, or one object with what the running one exports and the present
/// peers. From here until commit or abort, objects that the host makes get the
/// prepared versions. `config` NULL: the one that runs; `sources` are
/// referenced.
/// `done` comes once from the loop, never from within this call; it may commit
/// or abort. The failures, of policies that keep their running version, are
/// borrowed until it returns.
/// @return 0, PERI_ENOMEM, PERI_EBUSY (something is prepared already) or
///   PERI_EINVAL (the script has no loop)
int peri_script_prepare(struct peri_script *script, struct peri_config *config,
                        struct peri_sources *sources, const char *force,
                        void (*done)(void *ctx,
                                     const struct peri_script_failure *failures,
                                     size_t count),
                        void *ctx);
/// Gives one prepared policy up: it keeps its running version.
void peri_script_forgo(struct peri_script *script, const char *kind,
                       const char *name);
/// Switches to all that is prepared. The versions before stay, for rollback and
/// for when the new ones fail.
void peri_script_commit(struct peri_script *script);
/// Drops all that is prepared, also while it is being prepared (`done` does not
/// come then). Fine when nothing is.
void peri_script_abort(struct peri_script *script);

/// Exchanges the running version and the one before.
/// @return 0, or PERI_ENOTFOUND with words (no such policy, or nothing before)
int peri_script_rollback(struct peri_script *script, const char *kind,
                         const char *name, struct peri_problem *ret_problem);

/// One policy as this worker knows it. Texts are borrowed during the visit.
struct peri_script_policy {
  const char *kind, *name;
  const char *path;            // of its file, as shown
  uint32_t version, previous;  // 0: none
  uint64_t digest;             // of the running version's files
  bool off;
  uint64_t off_ms;         // until it is tried again
  uint64_t calls, errors;  // of all versions
  size_t bytes;            // of the running version's VM
  uint32_t seats;          // objects made of it
  const char *last_error;  // of the running version; "" or words
};
void peri_script_each(struct peri_script *script,
                      void (*visit)(void *ctx,
                                    const struct peri_script_policy *policy),
                      void *ctx);
