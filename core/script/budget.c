#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "script/state.h"

// Times the instructions of a pick.
enum { LONGER = 10, LONGEST = 40 };

static void tick(lua_State *L, lua_Debug *ar);

static uint64_t cpu_ns(void) {
  struct timespec now = {0, 0};

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void peri_budget_arm(struct peri_vm *vm) {
  lua_sethook(vm->L, tick, LUA_MASKCOUNT, PERI_VM_TICK);
}

// From here on every instruction raises, so that a pcall in the policy catches
// the error only to meet it again.
static void trip(struct peri_vm *vm) {
  lua_sethook(vm->L, tick, LUA_MASKCOUNT, 1);
}

void peri_budget_begin(struct peri_vm *vm, struct peri_vm_budget budget) {
  vm->budget = budget;
  vm->steps_left = budget.steps;
  vm->unseen = 0;
  vm->looks = 0;
  vm->running = true;
}

void peri_budget_end(struct peri_vm *vm) {
  vm->running = false;
  if (vm->tripped[0] != '\0') {
    vm->tripped[0] = '\0';
    peri_budget_arm(vm);
  }
}

static bool in_time(struct peri_vm *vm) {
  uint64_t now = peri_clock_mono_ns();

  vm->looks++;
  if (vm->looks == 1) {
    vm->deadline_ns = now + vm->budget.time_ns;
    vm->cpu_ns = cpu_ns();
    return true;
  }
  if (now < vm->deadline_ns) {
    return true;
  }
  // A thread that was made to wait by the system is not the policy's fault.
  uint64_t used = cpu_ns() - vm->cpu_ns;
  if (used < vm->budget.time_ns) {
    vm->deadline_ns = now + (vm->budget.time_ns - used);
    return true;
  }
  snprintf(vm->tripped, sizeof(vm->tripped),
           "the time budget of %" PRIu64 " us is used up",
           vm->budget.time_ns / 1000);
  trip(vm);
  return false;
}

bool peri_vm_spend(struct peri_vm *vm, uint64_t steps) {
  if (!vm->running) {
    return true;
  }
  if (vm->tripped[0] != '\0') {
    return false;
  }
  if (steps > vm->steps_left) {
    snprintf(vm->tripped, sizeof(vm->tripped),
             "the instruction budget of %" PRIu64 " is used up",
             vm->budget.steps);
    trip(vm);
    return false;
  }
  vm->steps_left -= steps;
  vm->unseen += steps;
  // The first tick comes after any number of instructions of earlier runs, so
  // the clock is looked at from the second on.
  if (vm->unseen <= PERI_VM_TICK) {
    return true;
  }
  vm->unseen = 1;
  return in_time(vm);
}

static void end_run(lua_State *L, const struct peri_vm *vm, int level) {
  luaL_where(L, level);
  lua_pushstring(L, vm->tripped);
  lua_concat(L, 2);
  lua_error(L);
}

static void tick(lua_State *L, lua_Debug *ar) {
  struct peri_vm *vm = peri_vm_of(L);

  (void)ar;
  if (!peri_vm_spend(vm, vm->tripped[0] == '\0' ? PERI_VM_TICK : 1)) {
    end_run(L, vm, 0);
  }
}

void peri_vm_charge(struct lua_State *L, uint64_t steps) {
  struct peri_vm *vm = peri_vm_of(L);

  if (!peri_vm_spend(vm, steps)) {
    end_run(L, vm, 1);
  }
}

void peri_vm_grant(struct peri_vm *vm, uint64_t time_ns) {
  vm->budget.time_ns += time_ns;
  vm->deadline_ns += time_ns;
}

struct peri_vm_budget peri_vm_budget(const struct peri_vm *vm,
                                     enum peri_vm_entry entry) {
  const struct peri_config_policies *limits = &vm->limits;
  uint64_t steps = limits->instructions;
  uint64_t time_ns = limits->pick_ns;

  switch (entry) {
    case PERI_ENTRY_UPDATE:
      steps *= LONGER;
      time_ns = limits->update_ns;
      break;
    case PERI_ENTRY_FETCH:
      steps *= LONGER;
      time_ns = limits->fetch_ns;
      break;
    case PERI_ENTRY_LOAD:
      steps *= LONGEST;
      time_ns = limits->load_ns;
      break;
    default:
      break;
  }
  return (struct peri_vm_budget){steps, time_ns * PERI_SLOWDOWN};
}
