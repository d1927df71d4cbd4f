#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "model/load.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/asked.h"
#include "script/convert.h"
#include "script/handle.h"
#include "script/policy.h"
#include "script/request.h"
#include "script/state.h"

// What a test makes is held outside of the VM's memory cap.
enum { MAX_HANDLES = 64, MAX_ENDPOINTS = 1024, MAX_HEADERS = 32 };

// The upvalues of the toolkit's functions: the declaration, and the list of
// the handles made, which keeps what they point to at negative places, and
// true at 0 until the test's end.
enum { DECLARATION = 1, MADE = 2 };

struct header {
  const char *name;
  struct peri_slice value;
};

// The texts are Lua's, kept by the list of the handles.
struct call {
  struct peri_pick_request request;
  size_t count;
  struct header headers[MAX_HEADERS];
};

static bool is_kind(lua_State *L, const char *kind) {
  const char *own = peri_policy_kind(L, lua_upvalueindex(DECLARATION));

  return own && strcmp(own, kind) == 0;
}

static void check_open(lua_State *L) {
  lua_rawgeti(L, lua_upvalueindex(MADE), 0);
  if (!lua_toboolean(L, -1)) {
    luaL_error(L, "the selftest is over");
  }
  lua_pop(L, 1);
}

// Adds the handle at the top to those that end with the test.
static void keep(lua_State *L) {
  int count = (int)lua_objlen(L, lua_upvalueindex(MADE));

  if (count == MAX_HANDLES) {
    luaL_error(L, "a selftest may make %d handles", (int)MAX_HANDLES);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, lua_upvalueindex(MADE), count + 1);
}

// Keeps the value at the top, which the next handle points to, and pops it.
static void keep_data(lua_State *L) {
  int at = (int)lua_objlen(L, lua_upvalueindex(MADE)) + 1;

  lua_rawseti(L, lua_upvalueindex(MADE), -at);
}

// Fields are read without metamethods: no code of the policy runs while C
// points to its texts.
static void push_field(lua_State *L, int table, const char *field) {
  lua_pushstring(L, field);
  lua_rawget(L, table);
}

// Leaves the text on the stack.
static struct peri_slice text_field(lua_State *L, int table, const char *field,
                                    const char *missing) {
  struct peri_slice text;

  push_field(L, table, field);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushstring(L, missing);
  }
  if (lua_type(L, -1) != LUA_TSTRING) {
    luaL_error(L, "%s must be text, not a %s", field, luaL_typename(L, -1));
  }
  text.ptr = lua_tolstring(L, -1, &text.len);
  return text;
}

static double number_field(lua_State *L, int table, const char *field,
                           double missing, double most) {
  double number = missing;

  push_field(L, table, field);
  if (!lua_isnil(L, -1)) {
    number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(number >= 0 && number <= most)) {
      luaL_error(L, "%s must be a number from 0 to %f", field, most);
    }
  }
  lua_pop(L, 1);
  return number;
}

// Reads the endpoint at the top; its metadata is the caller's to release.
static void read_endpoint(lua_State *L, struct peri_endpoint_init *init) {
  int table = lua_gettop(L);
  struct peri_problem problem;

  if (!lua_istable(L, table)) {
    luaL_error(L, "an endpoint is given as { address = … }");
  }
  init->address = text_field(L, table, "address", "");
  init->zone = text_field(L, table, "zone", "");
  init->weight = (uint32_t)number_field(L, table, "weight", 1, 65535);
  push_field(L, table, "suspect");
  init->suspect = lua_toboolean(L, -1);
  push_field(L, table, "metadata");
  if (!lua_isnil(L, -1) &&
      peri_convert_read(L, lua_gettop(L), &init->metadata, &problem) < 0) {
    luaL_error(L, "metadata: %s", problem.text);
  }
  lua_settop(L, table);
}

struct reading {
  struct peri_endpoint_init *inits;
  size_t count;
};

// Reads the list at index 1 into the reading at index 2.
static int read_endpoints(lua_State *L) {
  struct reading *reading = lua_touserdata(L, 2);

  for (size_t i = 0; i < reading->count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    read_endpoint(L, &reading->inits[i]);
    lua_pop(L, 1);
  }
  return 0;
}

static void set_load(lua_State *L, struct peri_load *load, uint64_t now_ns) {
  int table = lua_gettop(L);
  double latency_ms = number_field(L, table, "latency_ms", 0, 1e9);

  load->inflight = (uint32_t)number_field(L, table, "inflight", 0, 1e9);
  load->ewma_ns = (uint64_t)(latency_ms * 1e6);
  load->ewma_at_ns = now_ns;
  load->recent = number_field(L, table, "failures", 0, 1e9);
  load->recent_at_ns = now_ns;
}

// Gives the endpoints of the handle at the top the loads that the list at
// index 1 tells, whose order may be another.
static void give_loads(lua_State *L, struct peri_peers_handle *handle) {
  size_t count = peri_peers_count(handle->peers);
  struct peri_load **loads =
      lua_newuserdata(L, (count + 1) * (sizeof(loads[0]) + sizeof(*loads[0])));
  struct peri_load *all = (struct peri_load *)(loads + count + 1);

  memset(all, 0, (count + 1) * sizeof(*all));
  handle->now_ns = peri_clock_mono_ns();
  for (size_t i = 0; i < count; i++) {
    loads[i] = &all[i];
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, lua_upvalueindex(MADE),
              -(int)lua_objlen(L, lua_upvalueindex(MADE)));
  for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
    lua_rawgeti(L, 1, i);
    struct peri_slice address = text_field(L, lua_gettop(L), "address", "");
    lua_pop(L, 1);
    size_t at = 0;
    while (at + 1 < count && strcmp(peri_peers_at(handle->peers, at)->address,
                                    address.ptr) != 0) {
      at++;
    }
    peri_vm_charge(L, 1 + at / 4);
    set_load(L, loads[at], handle->now_ns);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (peri_handle_hold(handle, loads) < 0) {
    luaL_error(L, "out of memory");
  }
}

static struct peri_peers *make_peers(lua_State *L, size_t count) {
  struct peri_problem problem;
  struct peri_peers *peers = NULL;
  struct peri_slice none = {NULL, 0};
  struct reading reading = {NULL, count};

  reading.inits = lua_newuserdata(L, (count + 1) * sizeof(reading.inits[0]));
  memset(reading.inits, 0, (count + 1) * sizeof(reading.inits[0]));
  lua_pushcfunction(L, read_endpoints);
  lua_pushvalue(L, 1);
  lua_pushlightuserdata(L, &reading);
  int status = lua_pcall(L, 2, 0, 0);
  int rc = status == 0 ? peri_peers_new("selftest", reading.inits, count, none,
                                        &peers, &problem)
                       : 0;
  for (size_t i = 0; i < count; i++) {
    peri_json_unref(reading.inits[i].metadata);
  }
  if (status != 0) {
    lua_error(L);
  }
  if (rc < 0) {
    luaL_error(L, "%s", problem.text);
  }
  lua_pop(L, 1);
  return peers;
}

// Replaces the list at index 1 by one that holds its elements, whatever the
// policy's does: C points to their texts while others are read.
static void hold_elements(lua_State *L, size_t count) {
  lua_createtable(L, (int)count, 0);
  for (int i = 1; i <= (int)count; i++) {
    lua_rawgeti(L, 1, i);
    lua_rawseti(L, 2, i);
  }
  lua_replace(L, 1);
}

static int wrap_peers(lua_State *L) {
  peri_handle_push(L, lua_touserdata(L, 1));
  return 1;
}

// try.endpoints({ { address = …, … }, … })
static int try_endpoints(lua_State *L) {
  check_open(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (is_kind(L, "fallback")) {
    return luaL_error(L, "a fallback is given no endpoints");
  }
  size_t count = lua_objlen(L, 1);
  luaL_argcheck(L, count <= MAX_ENDPOINTS, 1, "these are too many endpoints");
  peri_vm_charge(L, 1 + count * 16);
  hold_elements(L, count);
  struct peri_peers *peers = make_peers(L, count);
  lua_pushcfunction(L, wrap_peers);
  lua_pushlightuserdata(L, peers);
  int status = lua_pcall(L, 1, 1, 0);
  peri_peers_unref(peers);  // The handle has its own reference.
  if (status != 0) {
    return lua_error(L);
  }
  keep(L);
  if (is_kind(L, "balancer")) {
    give_loads(L, lua_touserdata(L, -1));
  }
  return 1;
}

static bool find_header(void *ctx, const char *name,
                        struct peri_slice *ret_value) {
  const struct call *call = ctx;

  for (size_t i = 0; i < call->count; i++) {
    if (strcmp(call->headers[i].name, name) == 0) {
      *ret_value = call->headers[i].value;
      return true;
    }
  }
  return false;
}

// Reads the headers in the table at index 1.
static void read_headers(lua_State *L, struct call *call) {
  push_field(L, 1, "headers");
  if (lua_isnil(L, -1)) {
    return;
  }
  luaL_argcheck(L, lua_istable(L, -1), 1, "headers must be a table");
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING ||
        call->count == MAX_HEADERS) {
      luaL_error(L, "headers are up to %d names with texts", (int)MAX_HEADERS);
    }
    struct header *header = &call->headers[call->count++];
    header->name = lua_tostring(L, -2);
    header->value.ptr = lua_tolstring(L, -1, &header->value.len);
    lua_pop(L, 1);
  }
}

static int push_call(lua_State *L) {
  struct call *call = lua_newuserdata(L, sizeof(*call));
  struct peri_pick_request *request = &call->request;

  memset(call, 0, sizeof(*call));
  lua_insert(L, 2);
  request->service = text_field(L, 1, "service", "");
  request->method = text_field(L, 1, "method", "");
  request->body = text_field(L, 1, "body", "");
  request->attempt = (uint32_t)number_field(L, 1, "attempt", 1, 1e6);
  double left_ms = number_field(L, 1, "deadline_ms", 0, 1e9);
  if (left_ms > 0) {
    request->deadline_ns = peri_clock_mono_ns() + (uint64_t)(left_ms * 1e6);
  }
  read_headers(L, call);
  request->header = find_header;
  request->ctx = call;
  // The texts may be in nothing but a table that the policy changes.
  lua_createtable(L, 2 * MAX_HEADERS + 4, 0);
  int texts = lua_gettop(L), used = 0;
  for (int i = 3; i <= 5; i++) {
    lua_pushvalue(L, i);
    lua_rawseti(L, texts, ++used);
  }
  for (size_t i = 0; i < call->count; i++) {
    const struct header *header = &call->headers[i];
    lua_pushstring(L, header->name);
    lua_rawseti(L, texts, ++used);
    lua_pushlstring(L, header->value.ptr, header->value.len);
    lua_rawseti(L, texts, ++used);
  }
  lua_setfenv(L, 2);
  struct peri_asked_handle *handle = peri_asked_push(L);
  lua_pushvalue(L, 2);
  keep_data(L);
  keep(L);
  handle->request = request;
  return 1;
}

static int push_fetch(lua_State *L) {
  struct peri_request_view *view = lua_newuserdata(L, sizeof(*view));

  memset(view, 0, sizeof(*view));
  lua_createtable(L, 3, 0);
  view->group = text_field(L, 1, "group", "");
  lua_rawseti(L, 3, 1);
  view->key = text_field(L, 1, "key", "");
  lua_rawseti(L, 3, 2);
  view->peer = text_field(L, 1, "peer", "");
  lua_rawseti(L, 3, 3);
  lua_setfenv(L, 2);
  double left_ms = number_field(L, 1, "deadline_ms", 0, 1e9);
  view->deadline_ns = (uint64_t)(left_ms * 1e6);  // Without a loop it is now 0.
  struct peri_request_handle *handle = peri_request_push(L, NULL);
  lua_pushvalue(L, 2);
  keep_data(L);
  keep(L);
  handle->view = view;
  return 1;
}

// try.request({ … }): what a pick, or a fetch, is asked.
static int try_request(lua_State *L) {
  check_open(L);
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  if (is_kind(L, "picker")) {
    return luaL_error(L, "a picker is asked with a key, not a request");
  }
  return is_kind(L, "fallback") ? push_fetch(L) : push_call(L);
}

// try.new(options): an object of the policy, or nil and why not.
static int try_new(lua_State *L) {
  struct peri_problem problem;

  check_open(L);
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushvalue(L, lua_upvalueindex(DECLARATION));
  if (peri_policy_make(L, 2, 1, &problem) < 0) {
    lua_pushnil(L);
    lua_pushstring(L, problem.text);
    return 2;
  }
  peri_policy_bind(L, 2, 3);
  return 1;
}

// Ends the handles in the list at the top. Does not raise.
static void end_all(lua_State *L) {
  int count = (int)lua_objlen(L, -1);

  lua_pushnil(L);
  lua_rawseti(L, -2, 0);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, i);
    void *handle = lua_touserdata(L, -1);
    if (peri_handle_test(L, -1, PERI_HANDLE_PEERS)) {
      peri_handle_end(handle);
    } else if (peri_handle_test(L, -1, PERI_HANDLE_ASKED)) {
      ((struct peri_asked_handle *)handle)->request = NULL;
    } else {
      ((struct peri_request_handle *)handle)->view = NULL;
    }
    lua_pop(L, 1);
  }
}

static void push_toolkit(lua_State *L, int declaration, int made) {
  static const luaL_Reg functions[] = {{"endpoints", try_endpoints},
                                       {"request", try_request},
                                       {"new", try_new},
                                       {NULL, NULL}};

  lua_newtable(L);
  lua_pushvalue(L, declaration);
  lua_pushvalue(L, made);
  luaL_setfuncs(L, functions, 2);
}

// Raises when the results at -2 and -1 are false, or nil and why.
static void refuse(lua_State *L, int declaration) {
  bool refused = lua_isboolean(L, -2) && !lua_toboolean(L, -2);
  lua_Debug at;

  if (!refused && !(lua_isnil(L, -2) && lua_isstring(L, -1))) {
    return;
  }
  const char *why = lua_tostring(L, -1);
  why = why ? why : "it returned false";
  push_field(L, declaration, "selftest");
  if (!lua_isfunction(L, -1)) {
    luaL_error(L, "selftest: %s", why);  // It has changed its declaration.
  }
  lua_getinfo(L, ">S", &at);
  luaL_error(L, "%s:%d: selftest: %s", at.short_src, at.linedefined, why);
}

int peri_policy_selftest(struct lua_State *L, int declaration) {
  struct peri_vm *vm = peri_vm_of(L);
  int top = lua_gettop(L), made = top + 1;
  bool loading = vm->loading;

  luaL_checkstack(L, 16, "selftest");
  lua_newtable(L);
  lua_pushboolean(L, true);
  lua_rawseti(L, made, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, PERI_SLOT_HANDLER);
  lua_getfield(L, declaration, "selftest");
  if (lua_isnil(L, -1)) {
    lua_settop(L, top);
    return 0;
  }
  push_toolkit(L, declaration, made);
  vm->loading = true;
  int status = lua_pcall(L, 1, 2, made + 1);
  vm->loading = loading;
  lua_pushvalue(L, made);
  end_all(L);
  lua_pop(L, 1);
  if (status != 0) {
    return lua_error(L);
  }
  refuse(L, declaration);
  lua_settop(L, top);
  return 0;
}
