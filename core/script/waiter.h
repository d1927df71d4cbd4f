#pragma once

#include "base/types.h"
#include "script/vm.h"

struct peri_wait;

enum peri_waiter_state {
  PERI_WAITER_WAITING = 1,
  PERI_WAITER_ENDED = 2,  // `finish` has seen the results
  PERI_WAITER_FAILED = 3  // `code` says how, peri_vm_failure() the words
};

/// A coroutine that may wait on the loop. Fill in vm, finish and ended and zero
/// the rest.
struct peri_waiter {
  struct peri_vm *vm;
  /// The function has returned; its results are on L from index 1. Called
  /// protected, may raise, which makes the waiter fail.
  void (*finish)(struct lua_State *L, struct peri_waiter *waiter);
  /// It has ended or failed after a wait, on the loop, outside the VM. May
  /// release the waiter.
  void (*ended)(struct peri_waiter *waiter);

  struct lua_State *co;
  int co_ref;              // 0 when there is none
  struct peri_wait *wait;  // what it waits for
  enum peri_waiter_state state;
  int code;
};

/// Starts the coroutine: `push(L, ctx)`, called protected, pushes the function
/// and its arguments and returns their number. `ended` is not called from here.
/// @return the state
enum peri_waiter_state peri_waiter_start(struct peri_waiter *waiter,
                                         int (*push)(struct lua_State *L,
                                                     void *ctx),
                                         void *ctx);

/// Cancels what it waits for and lets the coroutine go.
void peri_waiter_stop(struct peri_waiter *waiter);
