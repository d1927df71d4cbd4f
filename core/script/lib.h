#pragma once

#include "base/types.h"
#include "script/vm.h"

struct peri_peers;

/// The C modules, one file each: lib_http.c holds peri_lib_http() and so on.
/// Each pushes its module table and returns 1; called protected, on first
/// `require("perigee.http")`. What only Lua can say well is in
/// lua/perigee/NAME.lua, found by the same require when no C module has the
/// name (a C module called "perigee.http" may build on nothing in Lua).
int peri_lib_http(struct lua_State *L);
int peri_lib_file(struct lua_State *L);
int peri_lib_json(struct lua_State *L);
int peri_lib_log(struct lua_State *L);
int peri_lib_clock(struct lua_State *L);
int peri_lib_random(struct lua_State *L);
int peri_lib_hash(struct lua_State *L);
int peri_lib_ring(struct lua_State *L);
int peri_lib_metrics(struct lua_State *L);
int peri_lib_policy(struct lua_State *L);

/// The luaopen function of a C module by its full name, or NULL.
int (*peri_lib_find(const char *module))(struct lua_State *L);

/// Pushes nil, "ENAME: text", "ENAME" and returns 3. `code` is a PERI or libuv
/// code; `text` NULL gives the code's own words.
int peri_lib_fail(struct lua_State *L, int code, const char *text);

/// The peers behind the peers handle at `index`; raises when it is something
/// else or after its end. Borrowed: take a reference to keep them.
struct peri_peers *peri_lib_peers(struct lua_State *L, int index);
/// Pushes the endpoint handle of 0-based `at` of the peers handle at `index`:
/// `peers[at + 1]` in Lua, where a pick has not left some out.
void peri_lib_push_endpoint(struct lua_State *L, int index, size_t at);

/// Reads a duration at `index`: "250ms", "2s", or a number of milliseconds.
/// Raises for others and for negative ones.
int64_t peri_lib_duration_ns(struct lua_State *L, int index);

/// What all VMs of a worker share, made on first use by the library it belongs
/// to (curl's multi handle with its connections, for one).
enum peri_share_slot {
  PERI_SHARE_HTTP = 0,
  PERI_SHARE_FILE = 1,
  PERI_SHARE_RANDOM = 2,
  PERI_SHARE_METRICS = 3,
  PERI_SHARE_SLOTS = 4
};
struct peri_share;

struct peri_share *peri_share_new(void);
/// Frees what the slots hold. All VMs must be gone.
void peri_share_free(struct peri_share *share);
/// The object in a slot, or NULL.
void *peri_share_get(struct peri_share *share, enum peri_share_slot slot);
/// Puts an object in, to be released with `free_object` at the worker's end.
void peri_share_put(struct peri_share *share, enum peri_share_slot slot,
                    void *object, void (*free_object)(void *object));

/// Lets the gauges of a VM count in the metrics (as they do at first), or not:
/// of several versions of a policy, only those of the running one show.
void peri_metrics_show(struct peri_vm *vm, bool show);

/// In Lua, `policy.use("fallback", { "json_file", … })` gives another policy's
/// object, made in this VM: `:fetch(request, cause)` (or `:update(peers)` and
/// `:pick(key, peers)` for "picker"). For policies that combine others; only
/// while the file loads or `new` runs.
int peri_policy_use(struct lua_State *L);
