#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>

#include "base/clock.h"
#include "script/state.h"

// Times the instructions of a pick.
enum { LONGER = 10, LONGEST = 40 };

enum {
  // What one instruction costs is bounded by the largest block there is: a
  // string to compare or to read a number from, a table to look through.
  BIG_BYTES = 160 << 10,
  SMALLEST_CLASS = 17,     // 2^17 bytes; four classes to each power of two
  GRANT_NS = 10000000,     // at most, in one run
  GROWN_BYTES = 16 << 10,  // no stack is deep before it was made so large
  MOST_LEVELS = 2000,
  STACK_BYTES = 160 << 10  // of C between a run and what it calls in the end
};

static void tick(lua_State *L, lua_Debug *ar);

void peri_budget_arm(struct peri_vm *vm) {
  lua_sethook(vm->L, tick, LUA_MASKCOUNT, (int)vm->tick);
}

// From here on every instruction raises, so that a pcall in the policy catches
// the error only to meet it again.
static void trip(struct peri_vm *vm) {
  lua_sethook(vm->L, tick, LUA_MASKCOUNT, 1);
}

static size_t class_of(size_t bytes) {
  size_t power = 63 - (size_t)__builtin_clzll(bytes);

  return (power - SMALLEST_CLASS) * 4 + ((bytes >> (power - 2)) & 3);
}

// The interval at which an instruction at its slowest is noticed in time.
static uint32_t interval(const struct peri_vm *vm) {
  if (vm->big_classes == 0) {
    return PERI_VM_TICK;
  }
  size_t top = 63 - (size_t)__builtin_clzll(vm->big_classes);
  size_t most = (5 + top % 4) << (top / 4 + SMALLEST_CLASS - 2);
  size_t ticks = (size_t)PERI_VM_TICK * BIG_BYTES / most;
  return ticks > 0 ? (uint32_t)ticks : 1;
}

void peri_budget_block(struct peri_vm *vm, size_t old_bytes, size_t new_bytes) {
  vm->grown = vm->grown || (old_bytes > 0 && new_bytes >= GROWN_BYTES);
  if (old_bytes < BIG_BYTES && new_bytes < BIG_BYTES) {
    return;
  }
  if (old_bytes >= BIG_BYTES && --vm->big[class_of(old_bytes)] == 0) {
    vm->big_classes &= ~(UINT64_C(1) << class_of(old_bytes));
  }
  if (new_bytes >= BIG_BYTES) {
    vm->big[class_of(new_bytes)]++;
    vm->big_classes |= UINT64_C(1) << class_of(new_bytes);
  }
  // Arming begins to count anew, so it must not come again and again: a longer
  // interval waits for the next run.
  uint32_t ticks = interval(vm);
  if (ticks >= vm->tick) {
    return;
  }
  vm->tick = ticks;
  if (vm->tripped[0] == '\0') {
    peri_budget_arm(vm);
  }
}

static bool in_time(struct peri_vm *vm);

void peri_budget_begin(struct peri_vm *vm, struct peri_vm_budget budget) {
  vm->budget = budget;
  vm->steps_left = budget.steps;
  vm->unseen = 0;
  vm->looks = 0;
  vm->granted_ns = 0;
  vm->stack = (uintptr_t)__builtin_frame_address(0);
  vm->starved[0] = '\0';
  vm->denied = false;
  vm->running = true;
  if (vm->tick < PERI_VM_TICK) {
    vm->tick = interval(vm);
    peri_budget_arm(vm);
    in_time(vm);  // Its first instructions can be slow already.
  }
}

void peri_budget_end(struct peri_vm *vm) {
  vm->running = false;
  if (vm->tripped[0] != '\0') {
    vm->tripped[0] = '\0';
    vm->ending[0] = '\0';
    peri_budget_arm(vm);
  }
}

static bool in_time(struct peri_vm *vm) {
  uint64_t now = peri_clock_mono_ns();

  vm->looks++;
  if (vm->looks == 1) {
    vm->deadline_ns = now + vm->budget.time_ns;
    vm->cpu_ns = peri_clock_thread_ns();
    return true;
  }
  if (now < vm->deadline_ns) {
    return true;
  }
  // A thread that was made to wait by the system is not the policy's fault.
  uint64_t used = peri_clock_thread_ns() - vm->cpu_ns;
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

// The words are made once: what catches each error at each level of a deep
// stack only makes it come again.
static void keep_words(lua_State *L, struct peri_vm *vm) {
  if (vm->ending[0] == '\0') {
    peri_words_where(L);
    snprintf(vm->ending, sizeof(vm->ending), "%s%s", lua_tostring(L, -1),
             vm->tripped);
    lua_pop(L, 1);
  }
}

static void end_run(lua_State *L, struct peri_vm *vm) {
  keep_words(L, vm);
  lua_pushstring(L, vm->ending);
  lua_error(L);
}

// The engine bounds its own stack, but not that of C, which grows when Lua and
// C call each other.
static void check_stack(lua_State *L, const struct peri_vm *vm) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);

  if (vm->running && here < vm->stack && vm->stack - here > STACK_BYTES) {
    luaL_error(L, "functions of Lua and C call each other too deep");
  }
}

static void tick(lua_State *L, lua_Debug *ar) {
  struct peri_vm *vm = peri_vm_of(L);
  lua_Debug deepest;

  (void)ar;
  if (vm->tripped[0] == '\0' && vm->grown &&
      lua_getstack(L, MOST_LEVELS, &deepest)) {
    // An error that is caught at each level would let it go on ever deeper.
    snprintf(vm->tripped, sizeof(vm->tripped),
             "functions call each other over %d levels deep", (int)MOST_LEVELS);
    trip(vm);
  }
  if (vm->tripped[0] == '\0') {
    check_stack(L, vm);
  }
  vm->unseen += PERI_VM_TICK - vm->tick;
  if (peri_vm_spend(vm, vm->tripped[0] == '\0' ? vm->tick : 1)) {
    return;
  }
  // Whatever catches errors in a coroutine, which may be deep, is left at once
  // by going on with who resumed it.
  if (L != vm->L && L != vm->fetching && lua_isyieldable(L)) {
    keep_words(L, vm);
    lua_yield(L, 0);
  }
  end_run(L, vm);
}

void peri_vm_charge(struct lua_State *L, uint64_t steps) {
  struct peri_vm *vm = peri_vm_of(L);

  if (!peri_vm_spend(vm, steps)) {
    end_run(L, vm);
  }
  check_stack(L, vm);
}

bool peri_vm_grant(struct peri_vm *vm, uint64_t time_ns) {
  uint64_t most_ns = GRANT_NS * UINT64_C(1) * PERI_SLOWDOWN;
  bool within = time_ns <= most_ns - vm->granted_ns;

  time_ns = within ? time_ns : most_ns - vm->granted_ns;
  vm->granted_ns += time_ns;
  vm->budget.time_ns += time_ns;
  vm->deadline_ns += time_ns;
  return within;
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

void peri_vm_check_open(struct lua_State *L, enum peri_vm_open what) {
  const struct peri_vm *vm = peri_vm_of(L);
  bool requests = what == PERI_OPEN_REQUESTS;
  uint32_t most = requests ? vm->limits.requests : vm->limits.timers;

  if (vm->open[what] >= most) {
    luaL_error(L, "the policy has %d %s; it may have %d", (int)vm->open[what],
               requests ? "HTTP requests open" : "timers running", (int)most);
  }
}

void peri_vm_opened(struct peri_vm *vm, enum peri_vm_open what) {
  vm->open[what]++;
}

void peri_vm_closed(struct peri_vm *vm, enum peri_vm_open what) {
  vm->open[what]--;
}
