#include "script/selftest_shim.h"

#include <lua.h>
#include <stdio.h>

#include "base/error.h"
#include "script/policy.h"
#include "script/state.h"

struct test {
  const char *kind, *name;
  struct peri_problem problem;
  int rc;
};

static int run(lua_State *L, void *ctx) {
  struct test *test = ctx;

  peri_vm_of(L)->loading = true;  // As a worker loads it: it may require files.
  test->rc = peri_policy_open(L, test->kind, test->name, &test->problem);
  return test->rc < 0 ? 0 : peri_policy_selftest(L, lua_gettop(L));
}

static int pick_after(lua_State *L, void *ctx) {
  struct test *test = ctx;

  run(L, ctx);
  lua_getfield(L, 1, "pick");
  lua_getfield(L, 1, "new");
  lua_call(L, 0, 1);
  lua_call(L, 1, 2);
  snprintf(test->problem.text, sizeof(test->problem.text), "%s",
           lua_tostring(L, -1));
  return 0;
}

static int run_vm(struct test *test, int (*body)(lua_State *L, void *ctx),
                  struct peri_vm_options options, struct peri_vm_budget budget,
                  char *ret_text, size_t capacity) {
  struct peri_vm *vm = NULL;

  options.kind = test->kind;
  options.name = test->name;
  if (peri_vm_new(&options, &vm) < 0) {
    return PERI_ENOMEM;
  }
  int rc = peri_vm_run(vm, body, test, budget);
  snprintf(ret_text, capacity, "%s",
           rc < 0 ? peri_vm_failure(vm) : test->problem.text);
  peri_vm_free(vm);
  return rc < 0 ? rc : test->rc;
}

int selftest_shim_run(const char *kind, const char *name, const char *lua_dir,
                      const char *plugins_dir, uint64_t steps, uint64_t time_ns,
                      char *ret_text, size_t capacity) {
  struct peri_vm_options options = {.lua_dir = lua_dir,
                                    .plugins_dir = plugins_dir};
  struct test test = {kind, name, {0, ""}, 0};
  struct peri_vm_budget budget = {steps, time_ns};

  return run_vm(&test, run, options, budget, ret_text, capacity);
}

int selftest_shim_twice(const char *kind, const char *name, const char *lua_dir,
                        const char *plugins_dir, char *ret_text,
                        size_t capacity) {
  struct peri_vm_options options = {.lua_dir = lua_dir,
                                    .plugins_dir = plugins_dir};
  struct test test = {kind, name, {0, ""}, 0};
  struct peri_vm_budget budget = {1000000, 1000000000};

  return run_vm(&test, pick_after, options, budget, ret_text, capacity);
}
