#include "script/vm.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "script/sources.h"
#include "script/state.h"

enum {
  BIG_BYTES = 1024,  // allocations that grow by more count as steps
  LARGE_BYTES = 1 << 20,
  GC_PAUSE = 130,  // percent: the cap leaves little room for garbage
  GC_STEPMUL = 400,
  STRESS_STEPMUL = 20000,
  COLLECT_NS = 3000000,  // at most, before a run and after one
  STEPS_A_LOOK = 16
};

// One concatenation is one instruction however much it copies: growing counts
// as steps, and a large block that there are none left for is refused.
static bool may_grow(struct peri_vm *vm, size_t old_bytes, size_t new_bytes) {
  if (new_bytes <= old_bytes + BIG_BYTES ||
      peri_vm_spend(vm, (new_bytes - old_bytes) / PERI_VM_COPIED) ||
      new_bytes < LARGE_BYTES) {
    return true;
  }
  vm->denied = true;
  return false;
}

static void *allocate(void *ud, void *ptr, size_t old_bytes, size_t new_bytes) {
  struct peri_vm *vm = ud;

  if (new_bytes == 0) {
    free(ptr);
    vm->bytes -= old_bytes;
    peri_budget_block(vm, old_bytes, 0);
    return NULL;
  }
  // What waits to be collected must not be in the way of the next call.
  size_t cap_bytes = vm->cap_bytes + (vm->cycles > 0 ? vm->cap_bytes / 8 : 0);
  bool grows = new_bytes > old_bytes;
  if (grows && (vm->bytes - old_bytes + new_bytes > cap_bytes ||
                !may_grow(vm, old_bytes, new_bytes))) {
    peri_words_starved(vm);
    return NULL;
  }
  void *fresh = realloc(ptr, new_bytes);
  if (!fresh && new_bytes > old_bytes) {
    return NULL;
  }
  // The engine counts on shrinking to succeed.
  fresh = fresh ? fresh : ptr;
  vm->bytes = vm->bytes - old_bytes + new_bytes;
  peri_budget_block(vm, old_bytes, new_bytes);
  return fresh;
}

static int run_body(lua_State *L) {
  struct peri_vm *vm = peri_vm_of(L);

  vm->body(L, vm->ctx);
  return 0;
}

static int set_up(lua_State *L) {
  const struct peri_vm_options *options = lua_touserdata(L, 1);

  lua_pushcfunction(L, peri_words_handler);
  lua_rawseti(L, LUA_REGISTRYINDEX, PERI_SLOT_HANDLER);
  lua_pushcfunction(L, run_body);
  lua_rawseti(L, LUA_REGISTRYINDEX, PERI_SLOT_RUN);
  // Releasing a reference writes slot 0, which must be there by then: it must
  // not need memory.
  lua_pushboolean(L, true);
  luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
  peri_sandbox_open(L, !options->data_only);
  if (!options->data_only) {
    peri_handle_open(L);
    peri_view_open(L);
    peri_request_open(L);
    peri_asked_open(L);
  }
  return 0;
}

static char *copy(const char *text, bool *ret_failed) {
  char *twin = text ? strdup(text) : NULL;

  if (text && !twin) {
    *ret_failed = true;
  }
  return twin;
}

static void release(struct peri_vm *vm) {
  free(vm->failure);
  free(vm->kind);
  free(vm->name);
  free(vm->lua_dir);
  free(vm->plugins_dir);
  for (size_t i = 0; i < vm->resolved_count; i++) {
    free(vm->resolved[i].relative);
  }
  free(vm->resolved);
  peri_sources_unref(vm->sources);
  free(vm);
}

int peri_vm_new(const struct peri_vm_options *options,
                struct peri_vm **ret_vm) {
  struct peri_vm *vm = calloc(1, sizeof(*vm));
  bool failed = false;

  if (!vm) {
    return PERI_ENOMEM;
  }
  // The engine does not survive running out of memory in lua_newstate().
  vm->cap_bytes = SIZE_MAX;
  vm->loop = options->loop;
  vm->config = options->config;
  if (options->config) {
    vm->limits = options->config->policies;
  } else {
    peri_config_policies_defaults(&vm->limits);
  }
  vm->sources = options->sources ? peri_sources_ref(options->sources) : NULL;
  vm->metrics = options->metrics;
  vm->share = options->share;
  vm->kind = copy(options->kind ? options->kind : "", &failed);
  vm->name = copy(options->name ? options->name : "", &failed);
  vm->lua_dir = copy(options->lua_dir, &failed);
  vm->plugins_dir = copy(options->plugins_dir, &failed);
  if (failed) {
    goto fail_vm;
  }
  vm->L = lua_newstate(allocate, vm);
  if (!vm->L) {
    goto fail_vm;
  }
  vm->cap_bytes = options->memory_bytes ? options->memory_bytes
                                        : (size_t)vm->limits.memory_bytes;
  vm->collect_bytes = vm->cap_bytes / 2;
  // A hook does not fire inside compiled traces, so nothing is compiled.
  luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  lua_gc(vm->L, LUA_GCSETPAUSE, options->stress ? 1 : GC_PAUSE);
  lua_gc(vm->L, LUA_GCSETSTEPMUL,
         options->stress ? STRESS_STEPMUL : GC_STEPMUL);
  if (lua_cpcall(vm->L, set_up, (void *)options) != 0) {
    goto fail_state;
  }
  lua_rawgeti(vm->L, LUA_REGISTRYINDEX, PERI_SLOT_HANDLER);
  lua_rawgeti(vm->L, LUA_REGISTRYINDEX, PERI_SLOT_RUN);
  vm->tick = PERI_VM_TICK;
  peri_budget_block(vm, 0, 0);
  peri_budget_arm(vm);
  *ret_vm = vm;
  return 0;

fail_state:
  lua_close(vm->L);
fail_vm:
  release(vm);
  return PERI_ENOMEM;
}

void peri_vm_free(struct peri_vm *vm) {
  if (!vm) {
    return;
  }
  vm->tick = 0;
  lua_close(vm->L);
  release(vm);
}

struct peri_vm *peri_vm_of(struct lua_State *L) {
  void *ud = NULL;

  lua_getallocf(L, &ud);
  return ud;
}

// A part of a collection, since all of it can take as long as a worker must not
// stand still.
static int collect(lua_State *L, void *ctx) {
  struct peri_vm *vm = ctx;
  uint64_t end_ns =
      peri_clock_mono_ns() + COLLECT_NS * UINT64_C(1) * PERI_SLOWDOWN;

  while (vm->cycles > 0 && peri_clock_mono_ns() < end_ns) {
    for (int i = 0; i < STEPS_A_LOOK && vm->cycles > 0; i++) {
      vm->cycles -= lua_gc(L, LUA_GCSTEP, 0) == 1;
    }
  }
  return 0;
}

static int protect(struct peri_vm *vm,
                   int (*body)(struct lua_State *L, void *ctx), void *ctx) {
  vm->body = body;
  vm->ctx = ctx;
  lua_pushvalue(vm->L, PERI_SLOT_RUN);
  return lua_pcall(vm->L, 0, 0, PERI_SLOT_HANDLER);
}

static void make_room(struct peri_vm *vm) {
  if (vm->cycles == 0) {
    vm->cycles = 2;  // One that is under way leaves what it has marked.
  }
  if (protect(vm, collect, vm) != 0) {
    lua_settop(vm->L, PERI_SLOT_RUN);
  }
  size_t left = vm->cap_bytes > vm->bytes ? vm->cap_bytes - vm->bytes : 0;
  vm->collect_bytes = vm->bytes + left / 2;
}

int peri_vm_run(struct peri_vm *vm, int (*body)(struct lua_State *L, void *ctx),
                void *ctx, struct peri_vm_budget budget) {
  if (vm->running) {
    return peri_vm_fail(vm, PERI_ESCRIPT, "the policy is running already");
  }
  if (vm->bytes > vm->collect_bytes || vm->cycles > 0) {
    make_room(vm);
  }
  peri_budget_begin(vm, budget);
  int status = protect(vm, body, ctx);
  peri_budget_end(vm);
  if (status == 0) {
    return 0;
  }
  peri_vm_keep_failure(vm, vm->L, status);
  lua_settop(vm->L, PERI_SLOT_RUN);
  if (status == LUA_ERRMEM) {
    make_room(vm);
    vm->collect_bytes = 0;
    return vm->denied ? PERI_ESCRIPT : PERI_ENOMEM;
  }
  return PERI_ESCRIPT;
}

void peri_vm_keep_failure(struct peri_vm *vm, struct lua_State *L, int status) {
  const char *text =
      lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "unknown failure";

  if (status == LUA_ERRMEM) {
    // What failed may be anchored still: the next run collects before it
    // begins.
    vm->collect_bytes = 0;
    int place = (int)strcspn(vm->starved, "\n");
    if (vm->denied) {
      peri_vm_fail(vm, PERI_ESCRIPT,
                   "%.*sthe instruction budget of %" PRIu64 " is used up%s",
                   place, vm->starved, vm->budget.steps, vm->starved + place);
      return;
    }
    peri_vm_fail(vm, PERI_ENOMEM, "%.*sthe memory cap of %zu KiB is used up%s",
                 place, vm->starved, vm->cap_bytes / 1024, vm->starved + place);
  } else {
    peri_vm_fail(vm, PERI_ESCRIPT, "%s", text);
  }
}

int peri_vm_fail(struct peri_vm *vm, int code, const char *format, ...) {
  char *text = NULL;
  va_list args;

  va_start(args, format);
  int length = vasprintf(&text, format, args);
  va_end(args);
  free(vm->failure);
  vm->failure = length < 0 ? NULL : text;
  return code;
}

const char *peri_vm_failure(const struct peri_vm *vm) {
  return vm->failure ? vm->failure : "";
}

struct lua_State *peri_vm_lua(struct peri_vm *vm) {
  return vm->L;
}

const char *peri_vm_kind(const struct peri_vm *vm) {
  return vm->kind;
}

const char *peri_vm_name(const struct peri_vm *vm) {
  return vm->name;
}

struct peri_loop *peri_vm_loop(const struct peri_vm *vm) {
  return vm->loop;
}

struct peri_config *peri_vm_config(const struct peri_vm *vm) {
  return vm->config;
}

struct peri_metrics *peri_vm_metrics(const struct peri_vm *vm) {
  return vm->metrics;
}

struct peri_share *peri_vm_share(const struct peri_vm *vm) {
  return vm->share;
}

size_t peri_vm_bytes(const struct peri_vm *vm) {
  return vm->bytes;
}
