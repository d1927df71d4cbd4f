#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/handle.h"
#include "script/instance.h"
#include "script/script_private.h"
#include "script/seat.h"
#include "script/vm.h"

enum { REASON_BYTES = 160 };

// A picker in Lua.
struct picker {
  struct peri_picker base;
  struct peri_seat seat;
  char reason[REASON_BYTES];
};

static int update(struct peri_picker *base, struct peri_peers *peers) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);

  return peri_seat_update(&picker->seat, peers, NULL);
}

struct pick_job {
  struct picker *picker;
  const struct peri_instance *instance;
  struct peri_slice key;
  size_t index;
  size_t reason_len;
};

// The words are copied: those that the policy made can be collected.
static void read_reason(lua_State *L, struct pick_job *job) {
  size_t len = 0;
  const char *text =
      lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;

  if (text) {
    job->reason_len = len < REASON_BYTES ? len : REASON_BYTES;
    memcpy(job->picker->reason, text, job->reason_len);
  }
}

// Raises for the results at -2 and -1, naming where pick was written.
static void nonsense(lua_State *L, const struct peri_instance *instance) {
  lua_Debug at;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->main);
  lua_getinfo(L, ">S", &at);
  if (lua_isnil(L, -2) && lua_isstring(L, -1)) {
    luaL_error(L, "%s:%d: pick found no peer: %s", at.short_src, at.linedefined,
               lua_tostring(L, -1));
  }
  bool ended = lua_isuserdata(L, -2);
  luaL_error(L, "%s:%d: pick must return one of its peers, not %s",
             at.short_src, at.linedefined,
             ended ? "something else" : luaL_typename(L, -2));
}

static int pick_body(lua_State *L, void *ctx) {
  struct pick_job *job = ctx;
  const struct peri_instance *instance = job->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
  lua_pushlstring(L, job->key.ptr, job->key.len);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->handle_ref);
  lua_call(L, 3, 2);
  if (!peri_handle_endpoint(L, -2, instance->handle, &job->index)) {
    nonsense(L, instance);
  }
  read_reason(L, job);
  return 0;
}

static int pick(struct peri_picker *base, struct peri_slice key,
                struct peri_choice *ret_choice) {
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);
  struct peri_seat *seat = &picker->seat;
  struct peri_seat_order order = {0, 0, {NULL, NULL, NULL}};
  struct peri_instance *instance = peri_seat_first(seat, &order);

  *ret_choice = (struct peri_choice){0};
  while (instance) {
    struct peri_vm *vm = instance->version->vm;
    struct pick_job job = {.picker = picker, .instance = instance, .key = key};
    int rc =
        peri_vm_run(vm, pick_body, &job, peri_vm_budget(vm, PERI_ENTRY_PICK));
    if (rc == 0) {
      peri_seat_succeeded(seat, instance);
      ret_choice->index = job.index;
      ret_choice->reason = (struct peri_slice){picker->reason, job.reason_len};
      peri_seat_tell(seat, instance, ret_choice);
      return 0;
    }
    peri_seat_failed(seat, instance);
    instance = peri_seat_next(seat, &order);
  }
  peri_seat_tell(seat, NULL, ret_choice);
  return PERI_ESCRIPT;
}

static void free_picker(struct peri_picker *base) {
  if (!base) {
    return;
  }
  struct picker *picker = PERI_CONTAINER_OF(base, struct picker, base);
  peri_seat_close(&picker->seat);
  free(picker);
}

int peri_picker_make(struct peri_script *script,
                     const struct peri_policy_ref *ref,
                     struct peri_picker **ret_picker,
                     struct peri_problem *ret_problem) {
  struct picker *picker = calloc(1, sizeof(*picker));

  if (!picker) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc = peri_seat_open(&picker->seat, script, "picker", ref, ret_problem);
  if (rc < 0) {
    free(picker);
    return rc;
  }
  picker->base =
      (struct peri_picker){.update = update, .pick = pick, .free = free_picker};
  *ret_picker = &picker->base;
  return 0;
}
