#include <inttypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "loop/turn.h"
#include "model/policy.h"
#include "script/answer.h"
#include "script/instance.h"
#include "script/request.h"
#include "script/script_private.h"
#include "script/seat.h"
#include "script/waiter.h"

enum { MAX_FETCHES = 2048, TEXT_BYTES = 512 };

struct fallback {
  struct peri_fallback base;
  struct peri_seat seat;
  struct peri_list fetches;
  uint32_t count;
  uint32_t refs;  // the owner's, and one while a `done` runs
};

struct peri_fetch {
  struct peri_list link;
  struct fallback *fallback;
  struct peri_seat_order order;
  struct peri_instance *instance;  // the one that is asked, or NULL
  struct peri_waiter waiter;
  struct peri_request_view view;
  const char *cause;
  struct peri_request_handle *handle;  // anchored by handle_ref
  int handle_ref, value_ref;
  struct peri_timer *timer;
  struct peri_turn turn;
  uint64_t timeout_ms;
  void (*done)(void *ctx, const struct peri_fetch_result *result);
  void *ctx;
  struct peri_fetch_result result;
  char text[TEXT_BYTES];
  char copies[];  // group, key, peer, cause
};

static void unref(struct fallback *fallback) {
  if (--fallback->refs == 0) {
    peri_seat_close(&fallback->seat);
    free(fallback);
  }
}

// Ends what runs, but not the memory that the result points into.
static void halt(struct peri_fetch *fetch) {
  if (fetch->instance) {
    peri_waiter_stop(&fetch->waiter);
  }
  if (fetch->handle) {
    fetch->handle->view = NULL;
    fetch->handle = NULL;
  }
}

static void stop(struct peri_fetch *fetch) {
  peri_list_remove(&fetch->link);
  fetch->fallback->count--;
  peri_timer_free(fetch->timer);
  fetch->timer = NULL;
  peri_turn_cancel(&fetch->turn);
  halt(fetch);
}

// Gives back the instance that was asked.
static void leave(struct peri_fetch *fetch) {
  struct peri_instance *instance = fetch->instance;

  if (!instance) {
    return;
  }
  lua_State *L = peri_vm_lua(instance->version->vm);
  luaL_unref(L, LUA_REGISTRYINDEX, fetch->handle_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, fetch->value_ref);
  fetch->handle_ref = LUA_NOREF;
  fetch->value_ref = LUA_NOREF;
  fetch->instance = NULL;
  peri_seat_release(&fetch->fallback->seat, instance);
}

static void release(struct peri_fetch *fetch) {
  leave(fetch);
  free(fetch);
}

static void deliver(struct peri_fetch *fetch) {
  struct fallback *fallback = fetch->fallback;

  stop(fetch);
  fallback->refs++;  // `done` may free the fallback.
  fetch->done(fetch->ctx, &fetch->result);
  release(fetch);
  unref(fallback);
}

static void deliver_turn(struct peri_turn *turn) {
  deliver(PERI_CONTAINER_OF(turn, struct peri_fetch, turn));
}

static void set_failure(struct peri_fetch *fetch, int code) {
  fetch->result = (struct peri_fetch_result){
      .code = code, .ttl_ns = -1, .negative_ttl_ns = -1};
  fetch->result.text.ptr = fetch->text;
  fetch->result.text.len = strlen(fetch->text);
}

static void time_out(void *ctx) {
  struct peri_fetch *fetch = ctx;

  snprintf(fetch->text, sizeof(fetch->text),
           "fallback %s took longer than %" PRIu64 " ms",
           fetch->fallback->seat.policy->name, fetch->timeout_ms);
  set_failure(fetch, PERI_ETIMEOUT);
  deliver(fetch);
}

static void finish(lua_State *L, struct peri_waiter *waiter) {
  struct peri_fetch *fetch =
      PERI_CONTAINER_OF(waiter, struct peri_fetch, waiter);

  peri_answer_read(L, &fetch->result);
  fetch->value_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static bool ask(struct peri_fetch *fetch, struct peri_instance *instance);

// Nothing takes the place of a fallback that is off, so some keys that it fails
// on must not end it for all: only failures without a success between count.
static void succeeded(const struct peri_fetch *fetch) {
  peri_version_forgive(fetch->instance->version);
  peri_seat_succeeded(&fetch->fallback->seat, fetch->instance);
}

static void keep_words(struct peri_fetch *fetch, const char *words, size_t len,
                       int code) {
  snprintf(fetch->text, sizeof(fetch->text), "fallback %s: %.*s",
           fetch->fallback->seat.policy->name, (int)len, words);
  set_failure(fetch, code);
}

// The version that was asked has failed: whether the one before answers, or
// will.
static bool ask_before(struct peri_fetch *fetch) {
  struct peri_seat *seat = &fetch->fallback->seat;
  struct peri_instance *instance = fetch->instance;
  const char *failure = peri_vm_failure(instance->version->vm);

  keep_words(fetch, failure, strcspn(failure, "\n"), fetch->waiter.code);
  peri_seat_failed(seat, instance);
  halt(fetch);
  leave(fetch);
  instance = peri_seat_next(seat, &fetch->order);
  return instance && ask(fetch, instance);
}

static void ended(struct peri_waiter *waiter) {
  struct peri_fetch *fetch =
      PERI_CONTAINER_OF(waiter, struct peri_fetch, waiter);

  if (waiter->state == PERI_WAITER_ENDED) {
    succeeded(fetch);
  } else if (ask_before(fetch)) {
    return;
  }
  deliver(fetch);
}

static struct peri_slice keep(char **at, struct peri_slice text) {
  struct peri_slice copy = {*at, text.len};

  if (text.len > 0) {
    memcpy(*at, text.ptr, text.len);
  }
  *at += text.len;
  return copy;
}

static struct peri_fetch *make(struct fallback *fallback,
                               const struct peri_fetch_request *request) {
  struct peri_loop *loop = fallback->seat.policy->script->vm_options.loop;
  struct peri_slice cause = {request->cause, strlen(request->cause) + 1};
  struct peri_fetch *fetch =
      calloc(1, sizeof(*fetch) + request->group.len + request->key.len +
                    request->peer.len + cause.len);

  if (!fetch) {
    return NULL;
  }
  if (peri_timer_new(loop, time_out, fetch, &fetch->timer) < 0) {
    free(fetch);
    return NULL;
  }
  char *at = fetch->copies;
  fetch->view.group = keep(&at, request->group);
  fetch->view.key = keep(&at, request->key);
  fetch->view.peer = keep(&at, request->peer);
  fetch->cause = keep(&at, cause).ptr;
  fetch->view.loop = loop;
  fetch->timeout_ms = request->timeout_ms;
  if (request->timeout_ms > 0) {
    fetch->view.deadline_ns =
        peri_loop_now_ns(loop) + request->timeout_ms * 1000000u;
  }
  fetch->fallback = fallback;
  fetch->handle_ref = LUA_NOREF;
  fetch->value_ref = LUA_NOREF;
  peri_turn_init(&fetch->turn, loop, deliver_turn);
  peri_list_push(&fallback->fetches, &fetch->link);
  fallback->count++;
  return fetch;
}

static int push_call(lua_State *L, void *ctx) {
  struct peri_fetch *fetch = ctx;
  const struct peri_instance *instance = fetch->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->version->main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
  struct peri_request_handle *handle = peri_request_push(L, &fetch->view);
  lua_pushvalue(L, -1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  fetch->handle = handle;
  fetch->handle_ref = ref;
  lua_pushstring(L, fetch->cause);
  return 4;
}

// Runs the policy up to its end or its first wait. Returns false when it has
// ended.
static bool ask(struct peri_fetch *fetch, struct peri_instance *instance) {
  fetch->instance = instance;
  peri_seat_hold(instance);
  fetch->waiter = (struct peri_waiter){
      .vm = instance->version->vm, .finish = finish, .ended = ended};
  enum peri_waiter_state state =
      peri_waiter_start(&fetch->waiter, push_call, fetch);
  if (state == PERI_WAITER_FAILED) {
    return ask_before(fetch);
  }
  if (state == PERI_WAITER_ENDED) {
    succeeded(fetch);
  }
  return state == PERI_WAITER_WAITING;
}

static void begin(struct peri_fetch *fetch) {
  struct peri_seat *seat = &fetch->fallback->seat;
  struct peri_instance *instance = peri_seat_first(seat, &fetch->order);
  bool waits = false;

  if (instance) {
    waits = ask(fetch, instance);
  } else {
    keep_words(fetch, seat->trouble, seat->trouble_len, PERI_ESCRIPT);
  }
  if (!waits) {
    // `done` never comes from within fetch().
    peri_turn_request(&fetch->turn);
  } else if (fetch->timeout_ms > 0) {
    peri_timer_start(fetch->timer, fetch->timeout_ms, 0);
  }
}

static int fetch_start(struct peri_fallback *base,
                       const struct peri_fetch_request *request,
                       void (*done)(void *ctx,
                                    const struct peri_fetch_result *result),
                       void *ctx, struct peri_fetch **ret_fetch) {
  struct fallback *fallback = PERI_CONTAINER_OF(base, struct fallback, base);

  if (fallback->count >= MAX_FETCHES) {
    return PERI_ELIMIT;
  }
  struct peri_fetch *fetch = make(fallback, request);
  if (!fetch) {
    return PERI_ENOMEM;
  }
  fetch->done = done;
  fetch->ctx = ctx;
  *ret_fetch = fetch;
  begin(fetch);
  return 0;
}

static void cancel(struct peri_fallback *base, struct peri_fetch *fetch) {
  (void)base;
  stop(fetch);
  release(fetch);
}

static void free_fallback(struct peri_fallback *base) {
  if (!base) {
    return;
  }
  struct fallback *fallback = PERI_CONTAINER_OF(base, struct fallback, base);
  struct peri_list *at = fallback->fetches.next;
  while (at != &fallback->fetches) {
    struct peri_list *next = at->next;
    cancel(base, PERI_CONTAINER_OF(at, struct peri_fetch, link));
    at = next;
  }
  unref(fallback);
}

int peri_fallback_make(struct peri_script *script,
                       const struct peri_policy_ref *ref,
                       struct peri_fallback **ret_fallback,
                       struct peri_problem *ret_problem) {
  struct fallback *fallback = calloc(1, sizeof(*fallback));

  if (!fallback) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  int rc =
      peri_seat_open(&fallback->seat, script, "fallback", ref, ret_problem);
  if (rc < 0) {
    free(fallback);
    return rc;
  }
  peri_list_init(&fallback->fetches);
  fallback->refs = 1;
  fallback->base = (struct peri_fallback){fetch_start, cancel, free_fallback};
  *ret_fallback = &fallback->base;
  return 0;
}
