#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "loop/timer.h"
#include "script/lib.h"
#include "script/wait.h"

struct sleep {
  struct peri_wait wait;
  struct peri_timer *timer;
  struct peri_vm *vm;
};

static int clock_now(lua_State *L) {
  lua_pushnumber(L, (double)peri_clock_mono_ns() / 1e6);
  return 1;
}

static int clock_unix(lua_State *L) {
  lua_pushnumber(L, (double)peri_clock_unix_ns() / 1e9);
  return 1;
}

static void end_sleep(struct sleep *op) {
  peri_timer_free(op->timer);
  free(op);
}

static void cancel(struct peri_wait *wait) {
  struct sleep *op = PERI_CONTAINER_OF(wait, struct sleep, wait);

  peri_vm_closed(op->vm, PERI_OPEN_TIMERS);
  end_sleep(op);
}

static int push_nothing(lua_State *L, void *ctx) {
  (void)L;
  (void)ctx;
  return 0;
}

static void fire(void *ctx) {
  struct sleep *op = ctx;

  // First, since the policy and its VM may be gone when it has run on.
  peri_vm_closed(op->vm, PERI_OPEN_TIMERS);
  peri_wait_done(&op->wait, push_nothing, NULL);
  end_sleep(op);
}

static int clock_sleep(lua_State *L) {
  uint64_t ns = (uint64_t)peri_lib_duration_ns(L, 1);
  struct peri_vm *vm = peri_vm_of(L);

  peri_wait_check(L, "perigee.clock.sleep");
  peri_vm_check_open(L, PERI_OPEN_TIMERS);
  struct sleep *op = calloc(1, sizeof(*op));
  if (!op) {
    return peri_lib_fail(L, PERI_ENOMEM, NULL);
  }
  int rc = peri_timer_new(peri_vm_loop(vm), fire, op, &op->timer);
  if (rc < 0) {
    free(op);
    return peri_lib_fail(L, rc, NULL);
  }
  // Rounded up, and one more, since the loop counts whole milliseconds: a sleep
  // is never shorter than it was asked to be.
  peri_timer_start(op->timer, (ns + 999999) / 1000000 + (ns > 0), 0);
  op->vm = vm;
  op->wait.cancel = cancel;
  peri_vm_opened(vm, PERI_OPEN_TIMERS);
  return peri_wait_yield(L, &op->wait);
}

int peri_lib_clock(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"now_ms", clock_now},
                                       {"unix", clock_unix},
                                       {"sleep", clock_sleep},
                                       {NULL, NULL}};

  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
