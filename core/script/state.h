#pragma once

#include "base/types.h"
#include "script/vm.h"

/// Lets `L` end protected runs early: the inside of a VM, for this room's own
/// files only.
struct peri_vm {
  struct lua_State *L;
  size_t bytes, cap_bytes;
  size_t collect_bytes;  // over this, a full collection before the next run

  // The run under way.
  int (*body)(struct lua_State *L, void *ctx);
  void *ctx;
  struct peri_vm_budget budget;
  uint64_t steps_left;
  uint64_t started_ns,
      cpu_ns;  // 0 until the first tick: short runs pay nothing
  uint64_t granted_ns;
  bool running;
  bool loading;         // the file is loading or new() runs: require may read
  const char *tripped;  // why the run is being ended, or NULL

  struct lua_State *fetching;  // the coroutine that may wait, or NULL
  struct peri_waiter *waiter;  // its fetch

  char *failure;
  char *kind, *name, *lua_dir, *plugins_dir;
  struct peri_loop *loop;
  struct peri_config *config;
  struct peri_metrics *metrics;
  struct peri_share *share;
};

/// The fixed slots at the bottom of the stack.
enum peri_vm_slot { PERI_SLOT_HANDLER = 1, PERI_SLOT_RUN = 2 };

/// Begins and ends the counting of a run (budget.c).
void peri_budget_begin(struct peri_vm *vm, struct peri_vm_budget budget);
void peri_budget_end(struct peri_vm *vm);
/// Arms the count hook on a new state.
void peri_budget_arm(struct peri_vm *vm);

/// Makes the words of an error at the top of `L` the VM's failure.
void peri_vm_keep_failure(struct peri_vm *vm, struct lua_State *L, int status);

/// Opens the builtins that policies see (sandbox.c). Raises.
void peri_sandbox_open(struct lua_State *L, bool with_require);
/// Replaces string functions that could run long by counting ones
/// (strings.c); the string library's table is at the top. Raises.
void peri_strings_open(struct lua_State *L);
/// Opens load, loadstring and, when asked, require (chunk.c); the globals are
/// at the top. Raises.
void peri_chunk_open(struct lua_State *L, bool with_require);
/// Loads the text file `path` as a function on top of the stack, or raises.
void peri_chunk_load(struct lua_State *L, const char *path);
