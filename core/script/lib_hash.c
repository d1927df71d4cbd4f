#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "script/lib.h"

static struct peri_slice check_counted(lua_State *L, size_t bytes_a_step) {
  struct peri_slice bytes;

  bytes.ptr = luaL_checklstring(L, 1, &bytes.len);
  peri_vm_charge(L, 1 + bytes.len / bytes_a_step);
  return bytes;
}

static struct peri_slice check_bytes(lua_State *L) {
  return check_counted(L, 4);
}

// Of what takes one byte after the other.
static struct peri_slice check_each(lua_State *L) {
  return check_counted(L, 1);
}

// A number in Lua has 53 bits, so 64 are written out.
static int push_hex(lua_State *L, uint64_t value) {
  char text[17];

  snprintf(text, sizeof(text), "%016" PRIx64, value);
  lua_pushlstring(L, text, 16);
  return 1;
}

static int hash_crc32(lua_State *L) {
  lua_pushnumber(L, peri_hash_crc32(check_bytes(L)));
  return 1;
}

static int hash_fnv1a32(lua_State *L) {
  lua_pushnumber(L, peri_hash_fnv1a32(check_each(L)));
  return 1;
}

static int hash_fnv1_64(lua_State *L) {
  return push_hex(L, peri_hash_fnv1_64(check_each(L)));
}

static int hash_xxh3(lua_State *L) {
  struct peri_slice bytes = check_bytes(L);
  return push_hex(L, peri_hash_xxh3(bytes, 0));
}

static int hash_md5_hex(lua_State *L) {
  char hex[33];

  peri_hash_md5_hex(check_each(L), hex);
  lua_pushlstring(L, hex, 32);
  return 1;
}

static int hash_bucket(lua_State *L) {
  struct peri_slice bytes = check_bytes(L);
  lua_Number count = luaL_checknumber(L, 2);

  luaL_argcheck(L, count >= 1 && count <= 4294967296.0 && count == floor(count),
                2, "a whole number from 1 is expected");
  lua_pushnumber(L,
                 (lua_Number)(peri_hash_xxh3(bytes, 0) % (uint64_t)count) + 1);
  return 1;
}

int peri_lib_hash(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"crc32", hash_crc32},
                                       {"fnv1a32", hash_fnv1a32},
                                       {"fnv1_64", hash_fnv1_64},
                                       {"xxh3", hash_xxh3},
                                       {"md5_hex", hash_md5_hex},
                                       {"bucket", hash_bucket},
                                       {NULL, NULL}};

  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
