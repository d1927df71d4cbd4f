#pragma once

#include "base/error.h"
#include "base/types.h"

struct lua_State;
struct peri_config;
struct peri_loop;
struct peri_metrics;
struct peri_share;
struct peri_sources;

/// One small LuaJIT state of one policy file and worker: capped in memory, with
/// the JIT compiler off and a count hook armed for good. Used on the thread of
/// its loop only.
struct peri_vm;

enum peri_vm_defaults {
  PERI_VM_TICK = 100,  // instructions between two looks at budgets
  PERI_VM_COPIED = 4   // bytes that are copied in a step
};

struct peri_vm_options {
  const char *kind;            // "picker", "fallback"; "" outside policies
  const char *name;            // the policy's name; copied, like all texts here
  const char *lua_dir;         // holds perigee/*.lua; NULL: no Lua modules
  const char *plugins_dir;     // holds KIND/NAME.lua; NULL: none are shipped
  bool data_only;              // a configuration: no require, no os
  size_t memory_bytes;         // 0: what the configuration allows policies
  struct peri_loop *loop;      // NULL: nothing can wait
  struct peri_config *config;  // borrowed; NULL: no files, no policy path, and
                               // the limits of a configuration without any
  struct peri_sources *sources;  // referenced; NULL: read from the folders when
                                 // a file is first looked for
  struct peri_metrics *metrics;  // borrowed; may be NULL
  struct peri_share *share;      // what the VMs of a worker share; may be NULL
  bool stress;                   // collects garbage again and again, for specs
};

/// What one entry into a VM may cost: instructions (and steps that builtins and
/// libraries count with peri_vm_charge()), and processor time of this thread.
struct peri_vm_budget {
  uint64_t steps;
  uint64_t time_ns;
};

/// What an entry is for.
enum peri_vm_entry {
  PERI_ENTRY_PICK = 0,  // also done()
  PERI_ENTRY_UPDATE = 1,
  PERI_ENTRY_FETCH = 2,  // a part of fetch() between two waits
  PERI_ENTRY_LOAD = 3,   // loading the file, new(), and so on
  PERI_ENTRIES = 4
};

/// What the configuration allows one entry.
struct peri_vm_budget peri_vm_budget(const struct peri_vm *vm,
                                     enum peri_vm_entry entry);

/// What a policy may have so many of at a time, as the configuration says.
enum peri_vm_open {
  PERI_OPEN_REQUESTS = 0,
  PERI_OPEN_TIMERS = 1,
  PERI_OPENS = 2
};

/// Raises when the policy has as many as it may. Call it before one is made.
void peri_vm_check_open(struct lua_State *L, enum peri_vm_open what);
/// Counts one that was made, and one that ended.
void peri_vm_opened(struct peri_vm *vm, enum peri_vm_open what);
void peri_vm_closed(struct peri_vm *vm, enum peri_vm_open what);

/// A state with the sandbox opened and nothing loaded.
/// @return 0 or PERI_ENOMEM. Free with peri_vm_free().
int peri_vm_new(const struct peri_vm_options *options, struct peri_vm **ret_vm);
void peri_vm_free(struct peri_vm *vm);

/// The VM that `L`, or the coroutine `L`, belongs to. Cheap.
struct peri_vm *peri_vm_of(struct lua_State *L);
struct lua_State *peri_vm_lua(struct peri_vm *vm);
const char *peri_vm_kind(const struct peri_vm *vm);
const char *peri_vm_name(const struct peri_vm *vm);
struct peri_loop *peri_vm_loop(const struct peri_vm *vm);
struct peri_config *peri_vm_config(const struct peri_vm *vm);
struct peri_metrics *peri_vm_metrics(const struct peri_vm *vm);
struct peri_share *peri_vm_share(const struct peri_vm *vm);
/// Bytes the state holds now.
size_t peri_vm_bytes(const struct peri_vm *vm);

/// A digest of the files that the VM has loaded, its own and required ones, and
/// of those it looked for in vain.
uint64_t peri_vm_digest(const struct peri_vm *vm);
/// Whether each file it looked for is in `fresh` what it was.
bool peri_vm_same(const struct peri_vm *vm, const struct peri_sources *fresh);

/// Counts `steps` of C work against the entry's budget and raises when that is
/// used up. Library functions whose work grows with their input call it first:
/// about one step for a nanosecond, which is one byte that is looked at, a few
/// that are copied, or one element. What cannot be interrupted then ends with
/// the steps before it takes long, whatever the memory cap.
void peri_vm_charge(struct lua_State *L, uint64_t steps);
/// As peri_vm_charge(), but returns false where that would raise, for callers
/// that hold memory; they release it and call peri_vm_charge(L, 0).
bool peri_vm_spend(struct peri_vm *vm, uint64_t steps);
/// Takes `time_ns` that a library spends in C, and counts in steps, out of the
/// entry's time budget: 10 ms at most in one entry. @return whether it was
/// within that.
bool peri_vm_grant(struct peri_vm *vm, uint64_t time_ns);

/// Runs `body(L, ctx)` protected and within a budget, on an empty part of the
/// stack of peri_vm_lua(vm): whatever touches the state from outside goes
/// through here. What the body leaves on the stack is dropped; it keeps Lua
/// values in the registry and all else in `ctx`. Runs do not nest.
/// @return 0, or PERI_ESCRIPT (it raised, or the budget was used up) or
///   PERI_ENOMEM, with the words in peri_vm_failure().
int peri_vm_run(struct peri_vm *vm, int (*body)(struct lua_State *L, void *ctx),
                void *ctx, struct peri_vm_budget budget);

/// The words of the last failure, with a traceback in further lines; "" when
/// there was none. Borrowed until the next failure.
const char *peri_vm_failure(const struct peri_vm *vm);
/// Remembers a failure that a caller found (the results were nonsense).
int peri_vm_fail(struct peri_vm *vm, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
