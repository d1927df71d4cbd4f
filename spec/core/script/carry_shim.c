#include "script/carry_shim.h"

#include <lauxlib.h>
#include <lua.h>

#include "base/buffer.h"
#include "script/carry.h"

static const struct peri_vm_budget budget = {10000000, 2000000000};

struct carrying {
  const char *text;
  struct peri_buffer buffer;
};

static int read_body(lua_State *L, void *ctx) {
  struct carrying *carrying = ctx;

  if (luaL_loadstring(L, carrying->text) != 0) {
    lua_error(L);
  }
  lua_call(L, 0, 1);
  peri_carry_read(L, 1, &carrying->buffer);
  return 0;
}

static int push_body(lua_State *L, void *ctx) {
  const struct carrying *carrying = ctx;

  peri_carry_push(L, peri_buffer_slice(&carrying->buffer));
  lua_setglobal(L, "carried");
  return 0;
}

int carry_shim(struct peri_vm *from, const char *text, struct peri_vm *to) {
  struct carrying carrying = {text, {NULL, 0, 0}};

  int rc = peri_vm_run(from, read_body, &carrying, budget);
  if (rc == 0) {
    rc = peri_vm_run(to, push_body, &carrying, budget);
  }
  peri_buffer_done(&carrying.buffer);
  return rc;
}
