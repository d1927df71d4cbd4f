#include <ctype.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "script/http.h"
#include "script/lib.h"
#include "script/state.h"
#include "script/wait.h"

enum {
  HEADERS = 64,
  DEFAULT_TIMEOUT_MS = 10000,
  DEFAULT_CONNECT_MS = 2000,
  DEFAULT_BYTES = 4 << 20,
  MOST_BYTES = 64 << 20,
  DEFAULT_REDIRECTS = 3,
  MOST_REDIRECTS = 20
};

// A call that a fetch waits for. Beyond curl's connections they queue.
struct waiting {
  struct peri_wait wait;
  struct peri_http_call *call;
  struct peri_vm *vm;
};

static void cancel(struct peri_wait *wait) {
  struct waiting *op = PERI_CONTAINER_OF(wait, struct waiting, wait);

  peri_vm_closed(op->vm, PERI_OPEN_REQUESTS);
  peri_http_cancel(op->call);
  free(op);
}

static struct peri_slice next_line(struct peri_slice *rest) {
  const char *end = memchr(rest->ptr, '\n', rest->len);
  struct peri_slice line = {rest->ptr,
                            end ? (size_t)(end - rest->ptr) : rest->len};
  size_t taken = end ? line.len + 1 : line.len;

  rest->ptr += taken;
  rest->len -= taken;
  return line;
}

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

// Sets `headers[name] = value` in the table at the top; a name that occurs
// again adds to its value, as RFC 9110 allows.
static void push_header(lua_State *L, struct peri_slice line) {
  const char *colon = line.len > 0 ? memchr(line.ptr, ':', line.len) : NULL;
  luaL_Buffer name;

  peri_vm_charge(L, 1 + line.len / 16);
  if (!colon) {
    return;
  }
  luaL_buffinit(L, &name);
  for (const char *at = line.ptr; at < colon; at++) {
    luaL_addchar(&name, (char)tolower((unsigned char)*at));
  }
  luaL_pushresult(&name);
  const char *begin = colon + 1;
  const char *end = line.ptr + line.len;
  while (begin < end && blank(*begin)) {
    begin++;
  }
  while (end > begin && blank(end[-1])) {
    end--;
  }
  lua_pushvalue(L, -1);
  lua_rawget(L, -3);
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    lua_pushlstring(L, begin, (size_t)(end - begin));
  } else {
    // What there is of it already is copied each time.
    peri_vm_charge(L, 1 + lua_objlen(L, -1) / 16);
    lua_pushliteral(L, ", ");
    lua_pushlstring(L, begin, (size_t)(end - begin));
    lua_concat(L, 3);
  }
  lua_rawset(L, -3);
}

static int push_response(lua_State *L, void *ctx) {
  const struct peri_http_response *response = ctx;
  struct peri_slice rest = response->headers;

  if (response->code < 0) {
    return peri_lib_fail(L, response->code, response->text);
  }
  lua_createtable(L, 0, 4);
  lua_pushinteger(L, response->status);
  lua_setfield(L, -2, "status");
  lua_pushstring(L, response->url);
  lua_setfield(L, -2, "url");
  lua_newtable(L);
  while (rest.len > 0) {
    push_header(L, next_line(&rest));
  }
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, response->body.ptr ? response->body.ptr : "",
                  response->body.len);
  lua_setfield(L, -2, "body");
  return 1;
}

static void done(void *ctx, const struct peri_http_response *response) {
  struct waiting *op = ctx;

  // First, since the policy and its VM may be gone when it has run on.
  peri_vm_closed(op->vm, PERI_OPEN_REQUESTS);
  peri_wait_done(&op->wait, push_response, (void *)response);
  free(op);
}

static void check_text(lua_State *L, const char *text, size_t len,
                       const char *what) {
  for (size_t i = 0; i < len; i++) {
    if ((unsigned char)text[i] < 0x20 && text[i] != '\t') {
      luaL_error(L, "%s must not hold control characters", what);
    }
  }
}

// Pushes the value of an option of the table at 1 and returns its type.
static int option(lua_State *L, const char *name) {
  lua_getfield(L, 1, name);
  return lua_type(L, -1);
}

static uint64_t check_ms(lua_State *L, const char *name, uint64_t missing) {
  uint64_t ms = missing;

  if (option(L, name) != LUA_TNIL) {
    ms = ((uint64_t)peri_lib_duration_ns(L, lua_gettop(L)) + 999999) / 1000000;
    if (ms == 0 || ms > 3600000) {
      luaL_error(L, "%s must be between 1ms and 1h", name);
    }
  }
  lua_pop(L, 1);
  return ms;
}

static uint64_t check_count(lua_State *L, const char *name, lua_Number least,
                            lua_Number most, uint64_t missing) {
  lua_Number count = (lua_Number)missing;
  int type = option(L, name);

  if (type != LUA_TNIL) {
    count = type == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(count >= least && count <= most)) {
      luaL_error(L, "%s must be a number from %d to %d", name, (int)least,
                 (int)most);
    }
  }
  lua_pop(L, 1);
  return (uint64_t)count;
}

// Leaves the text on the stack: the options may have made it for this reading.
static const char *check_string(lua_State *L, const char *name,
                                const char *missing) {
  size_t len;
  int type = option(L, name);

  if (type == LUA_TNIL && missing) {
    return missing;
  }
  if (type != LUA_TSTRING) {
    luaL_error(L, "%s must be text, not a %s", name, luaL_typename(L, -1));
  }
  const char *text = lua_tolstring(L, -1, &len);
  check_text(L, text, len, name);
  return text;
}

// Likewise.
static void read_body(lua_State *L, struct peri_http_request *request) {
  int type = option(L, "body");

  if (type == LUA_TNIL) {
    return;
  }
  if (type != LUA_TSTRING) {
    luaL_error(L, "body must be text");
  }
  request->body.ptr = lua_tolstring(L, -1, &request->body.len);
  request->has_body = true;
  peri_vm_charge(L, request->body.len / 16);
}

// Pushes a list of "name: value" texts and leaves it on the stack.
static size_t push_headers(lua_State *L) {
  static const char token[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
      "!#$%&'*+-.^_`|~";
  size_t count = 0;
  size_t len;

  lua_newtable(L);
  int list = lua_gettop(L);
  if (option(L, "headers") == LUA_TNIL) {
    lua_pop(L, 1);
    return 0;
  }
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, list + 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING ||
        count == HEADERS) {
      luaL_error(L, "headers must be a table of at most %d texts by name",
                 HEADERS);
    }
    const char *name = lua_tolstring(L, -2, &len);
    if (len == 0 || strspn(name, token) != len) {
      luaL_error(L, "a header's name holds a character that none may have");
    }
    const char *value = lua_tolstring(L, -1, &len);
    check_text(L, value, len, "a header's value");
    // curl takes "name;" for a header whose value is empty.
    lua_pushfstring(L, len > 0 ? "%s: %s" : "%s;", name, value);
    lua_rawseti(L, list, (int)++count);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return count;
}

static void check_method(lua_State *L, const char *method) {
  size_t len = strlen(method);

  if (len == 0 || len > 16 ||
      strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != len) {
    luaL_error(L, "method must be one such as \"GET\" or \"POST\"");
  }
}

static void check_options(lua_State *L) {
  static const char *const known[] = {
      "method",          "url",       "headers",       "body", "timeout",
      "connect_timeout", "max_bytes", "max_redirects", NULL};

  lua_pushnil(L);
  while (lua_next(L, 1)) {
    lua_pop(L, 1);
    size_t i = 0;
    while (known[i] && (lua_type(L, -1) != LUA_TSTRING ||
                        strcmp(known[i], lua_tostring(L, -1)) != 0)) {
      i++;
    }
    if (!known[i]) {
      luaL_error(L, "a request has no option \"%s\"",
                 lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?");
    }
  }
}

// Reads the options at 1; the list of headers is then at 2, and behind it what
// the texts of the request are borrowed from.
static void read_request(lua_State *L, struct peri_http_request *request) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_options(L);
  request->header_count = push_headers(L);
  request->method = check_string(L, "method", "GET");
  request->url = check_string(L, "url", NULL);
  check_method(L, request->method);
  read_body(L, request);
  request->timeout_ms = check_ms(L, "timeout", DEFAULT_TIMEOUT_MS);
  request->connect_timeout_ms =
      check_ms(L, "connect_timeout", DEFAULT_CONNECT_MS);
  request->max_bytes =
      check_count(L, "max_bytes", 0, MOST_BYTES, DEFAULT_BYTES);
  request->max_redirects = (uint32_t)check_count(
      L, "max_redirects", 0, MOST_REDIRECTS, DEFAULT_REDIRECTS);
}

static void free_http(void *object) {
  peri_http_free(object);
}

static int shared_client(struct peri_vm *vm, struct peri_http **ret_http) {
  struct peri_share *share = peri_vm_share(vm);
  struct peri_http *http = peri_share_get(share, PERI_SHARE_HTTP);

  if (!share) {
    return PERI_EUNSUPPORTED;
  }
  if (!http) {
    int rc = peri_http_new(peri_vm_loop(vm), &http);
    if (rc < 0) {
      return rc;
    }
    peri_share_put(share, PERI_SHARE_HTTP, http, free_http);
  }
  *ret_http = http;
  return 0;
}

static int start(lua_State *L, struct peri_http_request *request,
                 const char *const *header) {
  struct peri_vm *vm = peri_vm_of(L);
  struct peri_http *http = NULL;
  struct waiting *op = NULL;

  peri_vm_check_open(L, PERI_OPEN_REQUESTS);
  int rc = shared_client(vm, &http);
  if (rc < 0) {
    return peri_lib_fail(L, rc, NULL);
  }
  op = calloc(1, sizeof(*op));
  if (!op) {
    return peri_lib_fail(L, PERI_ENOMEM, NULL);
  }
  request->header = header;
  vm->room.most_bytes = MOST_BYTES;
  request->room = &vm->room;
  rc = peri_http_start(http, request, done, op, &op->call);
  if (rc < 0) {
    free(op);
    return peri_lib_fail(
        L, rc,
        rc == PERI_ELIMIT ? "the policy's open requests hold too much" : NULL);
  }
  op->vm = vm;
  op->wait.cancel = cancel;
  peri_vm_opened(vm, PERI_OPEN_REQUESTS);
  return peri_wait_yield(L, &op->wait);
}

static int http_request(lua_State *L) {
  struct peri_http_request request = {0};
  const char *header[HEADERS];

  read_request(L, &request);
  peri_wait_check(L, "perigee.http.request");
  for (size_t i = 0; i < request.header_count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    header[i] = lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  return start(L, &request, header);
}

// http.get(url, options): a request whose options are copied.
static int http_get(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 2);
  lua_newtable(L);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, 2)) {
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, 3);
    }
  }
  lua_pushvalue(L, 1);
  lua_setfield(L, 3, "url");
  lua_replace(L, 1);
  lua_settop(L, 1);
  return http_request(L);
}

static int http_escape(lua_State *L) {
  static const char digits[] = "0123456789ABCDEF";
  size_t len;
  const char *text = luaL_checklstring(L, 1, &len);
  luaL_Buffer out;

  peri_vm_charge(L, 1 + len);
  luaL_buffinit(L, &out);
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x80 && (isalnum(c) || strchr("-._~", c)) && c != '\0') {
      luaL_addchar(&out, (char)c);
    } else {
      luaL_addchar(&out, '%');
      luaL_addchar(&out, digits[c >> 4]);
      luaL_addchar(&out, digits[c & 15]);
    }
  }
  luaL_pushresult(&out);
  return 1;
}

int peri_lib_http(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"get", http_get},
                                       {"request", http_request},
                                       {"escape", http_escape},
                                       {NULL, NULL}};

  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
