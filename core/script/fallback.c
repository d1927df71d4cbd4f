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
#include "script/waiter.h"

enum { MAX_FETCHES = 2048, TEXT_BYTES = 512 };

struct fallback {
  struct peri_fallback base;
  struct peri_instance instance;
  struct peri_list fetches;
  uint32_t count;
  uint32_t refs;  // the owner's, and one while a `done` runs
};

struct peri_fetch {
  struct peri_list link;
  struct fallback *fallback;
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
    peri_instance_done(&fallback->instance);
    free(fallback);
  }
}

// Ends everything but the memory that the result points into.
static void stop(struct peri_fetch *fetch) {
  peri_list_remove(&fetch->link);
  fetch->fallback->count--;
  peri_timer_free(fetch->timer);
  fetch->timer = NULL;
  peri_turn_cancel(&fetch->turn);
  peri_waiter_stop(&fetch->waiter);
  if (fetch->handle) {
    fetch->handle->view = NULL;
  }
}

static void release(struct peri_fetch *fetch) {
  lua_State *L = peri_vm_lua(fetch->waiter.vm);

  luaL_unref(L, LUA_REGISTRYINDEX, fetch->handle_ref);
  luaL_unref(L, LUA_REGISTRYINDEX, fetch->value_ref);
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
           fetch->fallback->instance.policy->name, fetch->timeout_ms);
  set_failure(fetch, PERI_ETIMEOUT);
  deliver(fetch);
}

static void finish(lua_State *L, struct peri_waiter *waiter) {
  struct peri_fetch *fetch =
      PERI_CONTAINER_OF(waiter, struct peri_fetch, waiter);

  peri_answer_read(L, &fetch->result);
  fetch->value_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void keep_failure(struct peri_fetch *fetch) {
  struct peri_policy *policy = fetch->fallback->instance.policy;
  const char *failure = peri_vm_failure(policy->vm);

  snprintf(fetch->text, sizeof(fetch->text), "fallback %s: %.*s", policy->name,
           (int)strcspn(failure, "\n"), failure);
  set_failure(fetch, fetch->waiter.code);
  peri_policy_report(policy);
}

static void ended(struct peri_waiter *waiter) {
  struct peri_fetch *fetch =
      PERI_CONTAINER_OF(waiter, struct peri_fetch, waiter);

  if (waiter->state == PERI_WAITER_FAILED) {
    keep_failure(fetch);
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
  struct peri_vm *vm = fallback->instance.policy->vm;
  struct peri_loop *loop = peri_vm_loop(vm);
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
  fetch->waiter.vm = vm;
  fetch->waiter.finish = finish;
  fetch->waiter.ended = ended;
  peri_turn_init(&fetch->turn, loop, deliver_turn);
  peri_list_push(&fallback->fetches, &fetch->link);
  fallback->count++;
  return fetch;
}

static int push_call(lua_State *L, void *ctx) {
  struct peri_fetch *fetch = ctx;
  const struct peri_instance *instance = &fetch->fallback->instance;

  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->main);
  lua_rawgeti(L, LUA_REGISTRYINDEX, instance->self);
  struct peri_request_handle *handle = peri_request_push(L, &fetch->view);
  lua_pushvalue(L, -1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  fetch->handle = handle;
  fetch->handle_ref = ref;
  lua_pushstring(L, fetch->cause);
  return 4;
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
  enum peri_waiter_state state =
      peri_waiter_start(&fetch->waiter, push_call, fetch);
  if (state == PERI_WAITER_WAITING) {
    if (request->timeout_ms > 0) {
      peri_timer_start(fetch->timer, request->timeout_ms, 0);
    }
    return 0;
  }
  if (state == PERI_WAITER_FAILED) {
    keep_failure(fetch);
  }
  peri_turn_request(&fetch->turn);  // `done` never comes from within this call.
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
  int rc = peri_instance_new(script, "fallback", ref, &fallback->instance,
                             ret_problem);
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
