#pragma once

#include "base/types.h"
#include "model/config.h"
#include "script/http.h"
#include "script/vm.h"

struct luaL_Reg;
struct peri_series;
struct peri_source;
struct peri_sources;

/// What a file's name stood for when the VM looked for it.
struct peri_vm_resolved {
  char *relative;
  uint64_t print;
};

/// Lets `L` end protected runs early: the inside of a VM, for this room's own
/// files only.
struct peri_vm {
  struct lua_State *L;
  size_t bytes, cap_bytes;
  size_t collect_bytes;  // over this, a full collection before the next run
  int cycles;            // of the collector that it still takes

  // The run under way.
  int (*body)(struct lua_State *L, void *ctx);
  void *ctx;
  struct peri_vm_budget budget;
  uint64_t steps_left;
  uint64_t unseen;       // steps since the clock was last looked at
  uint64_t looks;        // at the clock; short runs never do
  uint64_t deadline_ns;  // of the monotonic clock
  uint64_t cpu_ns;       // this thread's processor time at the first look
  bool running;
  bool loading;       // the file is loading or new() runs: require may read
  char tripped[96];   // why the run is being ended, or ""
  char ending[256];   // the words for that, with the place, or ""
  bool grown;         // some stack may be deep
  bool denied;        // a large block, since no steps were left for it
  char starved[512];  // where memory was refused last, with a traceback, or ""
  uintptr_t stack;    // of C, where the run began
  uint64_t granted_ns;   // of the time that libraries took, in this run
  uint32_t tick;         // instructions between two hooks; 0: it is being freed
  uint64_t big_classes;  // of sizes of big blocks that there are
  uint16_t big[64];      // such blocks of each class

  uint32_t open[PERI_OPENS];
  struct peri_http_room room;  // of its open requests
  uint32_t coroutines;         // made, but for those known to have ended

  struct lua_State *fetching;  // the coroutine that may wait, or NULL
  struct peri_waiter *waiter;  // its fetch

  char *failure;
  char *kind, *name, *lua_dir, *plugins_dir;
  struct peri_loop *loop;
  struct peri_config *config;
  struct peri_config_policies limits;
  struct peri_sources *sources;  // NULL until it looks for a file
  struct peri_vm_resolved *resolved;
  size_t resolved_count;
  struct peri_metrics *metrics;
  struct peri_series *gauges;  // lib_metrics.c
  bool gauges_hidden;
  struct peri_share *share;
  const void *metatables[4];  // by enum peri_handle_type
};

/// The handles that are checked on the hot path.
enum peri_handle_type {
  PERI_HANDLE_PEERS = 0,
  PERI_HANDLE_ENDPOINT = 1,
  PERI_HANDLE_VIEW = 2,
  PERI_HANDLE_ASKED = 3
};

/// The userdata at `index` when it is a handle of that type, else NULL.
void *peri_handle_test(struct lua_State *L, int index,
                       enum peri_handle_type type);
/// The same, but raises for anything else.
void *peri_handle_check(struct lua_State *L, int index,
                        enum peri_handle_type type);
/// Pushes a new metatable for handles of `type`, with `methods` in __index
/// (or, when `index` is given, in the first upvalue of that function).
void peri_handle_type_open(struct lua_State *L, enum peri_handle_type type,
                           const struct luaL_Reg *methods,
                           int (*index)(struct lua_State *L));

/// The fixed slots at the bottom of the stack.
enum peri_vm_slot { PERI_SLOT_HANDLER = 1, PERI_SLOT_RUN = 2 };

/// Begins and ends the counting of a run (budget.c).
void peri_budget_begin(struct peri_vm *vm, struct peri_vm_budget budget);
void peri_budget_end(struct peri_vm *vm);
/// Arms the count hook on a new state.
void peri_budget_arm(struct peri_vm *vm);

/// Notes that a block of memory came, grew or went: the hook comes more often
/// while there are big ones.
void peri_budget_block(struct peri_vm *vm, size_t old_bytes, size_t new_bytes);

/// The words of failures (words.c). The message handler of runs:
int peri_words_handler(struct lua_State *L);
/// Pushes "file:line: " of the innermost function in Lua, or "".
void peri_words_where(struct lua_State *L);
/// Notes where memory is refused. Called by the allocator: touches no stack.
void peri_words_starved(struct peri_vm *vm);

/// Makes the words of an error at the top of `L` the VM's failure.
void peri_vm_keep_failure(struct peri_vm *vm, struct lua_State *L, int status);

/// Opens the builtins that policies see (sandbox.c). Raises.
void peri_sandbox_open(struct lua_State *L, bool with_require);
/// Replaces string functions that could run long by counting ones
/// (strings.c); the string library's table is at the top. Raises.
void peri_strings_open(struct lua_State *L);
/// Pushes table.sort as it was opened, whatever the policy did to its table.
void peri_sandbox_push_sort(struct lua_State *L);
/// Replaces coroutine.create and wrap by ones that are limited (coroutines.c).
/// Raises.
void peri_coroutines_open(struct lua_State *L);
/// Opens load, loadstring and, when asked, require (chunk.c); the globals are
/// at the top. Raises.
void peri_chunk_open(struct lua_State *L, bool with_require);
/// Makes the metatables of handles in a new VM (handle.c, view.c, request.c,
/// asked.c). Raises.
void peri_handle_open(struct lua_State *L);
void peri_view_open(struct lua_State *L);
void peri_request_open(struct lua_State *L);
void peri_asked_open(struct lua_State *L);
/// Finds the file `relative` of a policy or module in the VM's sources
/// ("perigee/ …" in those of Perigee itself) and remembers what it was. NULL
/// when there is none; raises when there is no memory.
const struct peri_source *peri_chunk_find(struct lua_State *L,
                                          const char *relative);
/// Loads it as a function on top of the stack, or raises why it cannot be.
void peri_chunk_load(struct lua_State *L, const struct peri_source *source);
/// Loads Lua text, never bytecode, under the chunk name `name` ("@FILE").
/// @return 0 with the function on top, or a Lua status with the error there.
int peri_chunk_text(struct lua_State *L, struct peri_slice text,
                    const char *name);
