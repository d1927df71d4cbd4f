#include "script/wait.h"

#include <lauxlib.h>
#include <lua.h>

#include "script/state.h"
#include "script/waiter.h"

struct step {
  struct peri_waiter *waiter;
  int (*push)(struct lua_State *L, void *ctx);
  void *ctx;
};

static void fail(lua_State *L, struct peri_waiter *waiter, int status) {
  lua_State *co = waiter->co;
  const char *text = "an error value that is no text";

  waiter->state = PERI_WAITER_FAILED;
  if (status == LUA_ERRMEM) {
    waiter->code = waiter->vm->denied ? PERI_ESCRIPT : PERI_ENOMEM;
    peri_vm_keep_failure(waiter->vm, L, status);
    return;
  }
  waiter->code = PERI_ESCRIPT;
  if (lua_type(co, -1) == LUA_TSTRING) {
    text = lua_tostring(co, -1);
  }
  luaL_traceback(L, co, text, 0);
  peri_vm_keep_failure(waiter->vm, L, status);
}

static int step_body(lua_State *L, void *ctx) {
  struct step *step = ctx;
  struct peri_waiter *waiter = step->waiter;
  struct peri_vm *vm = waiter->vm;
  bool first = !waiter->co;

  if (first) {
    lua_State *co = lua_newthread(L);
    waiter->co_ref = luaL_ref(L, LUA_REGISTRYINDEX);  // May raise.
    waiter->co = co;
  }
  int count = step->push(L, step->ctx);
  lua_xmove(L, waiter->co, count);
  vm->fetching = waiter->co;
  vm->waiter = waiter;
  int status = lua_resume(waiter->co, first ? count - 1 : count);
  vm->fetching = NULL;
  vm->waiter = NULL;
  if (status == LUA_YIELD) {
    if (!waiter->wait) {
      luaL_error(L, "fetch yielded by itself; only waiting functions may");
    }
    waiter->state = PERI_WAITER_WAITING;
    return 0;
  }
  if (status != 0) {
    fail(L, waiter, status);
    return 0;
  }
  int results = lua_gettop(waiter->co);
  luaL_checkstack(L, results + 8, "too many results");
  lua_settop(L, 0);
  lua_xmove(waiter->co, L, results);
  waiter->finish(L, waiter);
  waiter->state = PERI_WAITER_ENDED;
  return 0;
}

static enum peri_waiter_state take_step(struct step *step) {
  struct peri_waiter *waiter = step->waiter;

  int rc = peri_vm_run(waiter->vm, step_body, step,
                       peri_vm_budget(waiter->vm, PERI_ENTRY_FETCH));
  if (rc < 0) {
    waiter->state = PERI_WAITER_FAILED;
    waiter->code = rc;
  }
  return waiter->state;
}

enum peri_waiter_state peri_waiter_start(struct peri_waiter *waiter,
                                         int (*push)(struct lua_State *L,
                                                     void *ctx),
                                         void *ctx) {
  struct step step = {waiter, push, ctx};

  return take_step(&step);
}

void peri_waiter_stop(struct peri_waiter *waiter) {
  struct peri_wait *wait = waiter->wait;

  if (wait) {
    waiter->wait = NULL;
    wait->cancel(wait);
  }
  if (waiter->co) {
    luaL_unref(peri_vm_lua(waiter->vm), LUA_REGISTRYINDEX, waiter->co_ref);
    waiter->co = NULL;
    waiter->co_ref = 0;
  }
}

void peri_wait_check(struct lua_State *L, const char *name) {
  const struct peri_vm *vm = peri_vm_of(L);

  if (!vm->fetching || !vm->loop) {
    luaL_error(L, "%s may not wait here: only a fallback's fetch may", name);
  }
  if (vm->fetching != L || !lua_isyieldable(L)) {
    luaL_error(L,
               "%s may not wait here: it was called from a coroutine, an "
               "iterator or a callback inside fetch",
               name);
  }
}

int peri_wait_yield(struct lua_State *L, struct peri_wait *wait) {
  struct peri_waiter *waiter = peri_vm_of(L)->waiter;

  wait->waiter = waiter;
  waiter->wait = wait;
  lua_settop(L, 0);  // Leaves room for the results whatever was there.
  return lua_yield(L, 0);
}

void peri_wait_done(struct peri_wait *wait,
                    int (*push)(struct lua_State *L, void *ctx), void *ctx) {
  struct step step = {wait->waiter, push, ctx};

  step.waiter->wait = NULL;
  if (take_step(&step) != PERI_WAITER_WAITING) {
    step.waiter->ended(step.waiter);
  }
}
