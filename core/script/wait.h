#pragma once

#include "base/types.h"

struct lua_State;
struct peri_wait;

/// What a waiting library function embeds in its own operation. How one is
/// written:
///
///   struct read { struct peri_wait wait; struct peri_file_read *read; };
///
///   static int file_read(lua_State *L) {
///     const char *path = luaL_checkstring(L, 1);      // misuse raises first
///     peri_wait_check(L, "perigee.file.read");        // raises in pick
///     struct read *op = calloc(1, sizeof *op);        // nothing raises from
///     …                                               // here to the yield
///     if (rc < 0) { free(op); return peri_lib_fail(L, rc, "words"); }
///     op->wait.cancel = cancel;
///     return peri_wait_yield(L, &op->wait);
///   }
///   static void done(void *ctx, const struct peri_file_result *result) {
///     struct read *op = ctx;
///     peri_wait_done(&op->wait, push, (void *)result);  // runs the policy on
///     free(op);
///   }
///   static int push(lua_State *L, void *ctx) {  // may raise
///     lua_pushlstring(L, …);
///     return 1;                                 // at most 8 results
///   }
struct peri_wait {
  /// The fetch was given up: stop the operation and release it. Neither
  /// peri_wait_done() nor anything else of this wait may follow.
  void (*cancel)(struct peri_wait *wait);
  struct peri_waiter *waiter;  // set by peri_wait_yield()
};

/// Raises "NAME may not wait here" unless `L` is the coroutine of a fetch.
/// Call it before the operation is started.
void peri_wait_check(struct lua_State *L, const char *name);

/// Ends the calling C function, as in `return peri_wait_yield(L, &op->wait)`;
/// the Lua caller sees what `push` pushes later. Does not raise after
/// peri_wait_check(). The operation must not end before the loop runs again.
int peri_wait_yield(struct lua_State *L, struct peri_wait *wait);

/// The operation has ended: calls `push(L, ctx)` protected, resumes the
/// coroutine with the results, and may run the policy to its end. Comes once,
/// from the loop; afterwards nothing refers to `wait` any more, so the caller
/// releases the operation. When `push` raises, the fetch fails with that.
void peri_wait_done(struct peri_wait *wait,
                    int (*push)(struct lua_State *L, void *ctx), void *ctx);
