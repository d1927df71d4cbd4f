#pragma once

#include "base/types.h"
#include "model/policy.h"
#include "script/script.h"
#include "script/vm.h"

/// A VM without policy, for specs of what Lua sees.
struct peri_vm *script_shim_vm(size_t memory_bytes, const char *lua_dir,
                               const char *plugins_dir);

/// Runs `text` in the VM and writes tostring() of its first result, or the
/// failure, into `ret_text`. `loading` lets require read files.
int script_shim_eval(struct peri_vm *vm, const char *text, uint64_t steps,
                     uint64_t time_ns, bool loading, char *ret_text,
                     size_t capacity);

/// Nanoseconds of processor time that a run of `text` took.
uint64_t script_shim_eval_ns(struct peri_vm *vm, const char *text,
                             uint64_t steps, uint64_t time_ns);

/// A loop with a script on it, and what its policies did.
struct script_shim {
  struct peri_loop *loop;
  struct peri_metrics *metrics;
  struct peri_config *config;
  struct peri_script *script;
  struct peri_policy_host *host;
  int notices;
  char notice[4096];
  int cancels;  // of sleep()
  char *lua_dir, *plugins_dir;
  int prepared;  // times that `done` of a preparation came
  size_t failure_count;
  char failures[2048];  // a line each, "kind/name code: words"
};

/// `config` is the configuration as JSON.
struct script_shim *script_shim_new(const char *config, const char *lua_dir,
                                    const char *plugins_dir,
                                    struct peri_problem *ret_problem);
/// Whether everything was released.
bool script_shim_free(struct script_shim *shim);

/// Begins to prepare what the folders hold now. `config` is JSON, or NULL for
/// the present one.
int script_shim_prepare(struct script_shim *shim, const char *config,
                        const char *force);
/// Runs the loop until that is prepared. Returns the turns it took, or -1 after
/// `max_ms`.
int script_shim_prepared(struct script_shim *shim, uint64_t max_ms);
void script_shim_step(struct script_shim *shim, uint64_t max_ms);
uint64_t script_shim_now_ns(void);

/// A copy of what peri_script_each() shows of one policy.
struct script_shim_policy {
  uint32_t version, previous, seats;
  uint64_t digest, off_ms, calls, errors;
  bool off;
  size_t bytes;
  char path[256], last_error[256];
};
bool script_shim_policy(struct script_shim *shim, const char *kind,
                        const char *name,
                        struct script_shim_policy *ret_policy);

/// Gives all loaded policies the waiting function `sleep(ms, result)` and the
/// failing one `sleep_badly(ms)`, whose results raise.
int script_shim_sleepers(struct script_shim *shim);

struct peri_peers *script_shim_peers(const char *const *addresses, size_t count,
                                     const char *self);

/// What a fetch answered.
struct script_outcome {
  int calls;
  int code;
  int64_t ttl_ns, negative_ttl_ns;
  char value[256];
  size_t value_len;
  char text[512];
  struct peri_fallback *free_me;  // freed from within done
};

int script_shim_fetch(struct peri_fallback *fallback, const char *key,
                      const char *cause, const char *peer, uint64_t timeout_ms,
                      struct script_outcome *outcome,
                      struct peri_fetch **ret_fetch);
/// Runs the loop until `outcome` has an answer or `max_ms` have passed.
void script_shim_wait(struct script_shim *shim,
                      const struct script_outcome *outcome, uint64_t max_ms);

/// Calls of the vtables.
int script_shim_picker(struct script_shim *shim, const char *name,
                       const char *options, struct peri_picker **ret_picker,
                       struct peri_problem *ret_problem);
int script_shim_fallback(struct script_shim *shim, const char *name,
                         const char *options,
                         struct peri_fallback **ret_fallback,
                         struct peri_problem *ret_problem);
int script_shim_update(struct peri_picker *picker, struct peri_peers *peers);
int script_shim_pick(struct peri_picker *picker, const char *key,
                     size_t *ret_index);
/// Nanoseconds of processor time that a pick takes, over `rounds`.
double script_shim_pick_ns(struct peri_picker *picker, const char *key,
                           int rounds);
void script_shim_cancel(struct peri_fallback *fallback,
                        struct peri_fetch *fetch);
void script_shim_free_picker(struct peri_picker *picker);
void script_shim_free_fallback(struct peri_fallback *fallback);
