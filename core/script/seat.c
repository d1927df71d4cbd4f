#include "script/seat.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/container.h"
#include "base/json.h"
#include "model/load.h"
#include "model/peers.h"
#include "model/policy.h"
#include "script/carry.h"
#include "script/policy.h"
#include "script/script_private.h"

static int make_on(struct peri_seat *seat, struct peri_version *version,
                   struct peri_slice carried,
                   struct peri_instance **ret_instance,
                   struct peri_problem *ret_problem) {
  struct peri_instance_init init = {seat->options, seat->balances, carried};
  int rc = peri_instance_new(version, &init, ret_instance, ret_problem);

  if (rc == 0) {
    // A fallback has no peers to wait for.
    (*ret_instance)->ready = strcmp(seat->policy->kind, "fallback") == 0;
  }
  return rc;
}

// Makes the first version of a policy that nothing is prepared of.
static int load_first(struct peri_policy *policy,
                      struct peri_problem *ret_problem) {
  struct peri_script *script = policy->script;

  if (policy->current || policy->next) {
    return 0;
  }
  int rc = peri_version_load(policy, script->vm_options.config, script->sources,
                             1, &policy->next, ret_problem);
  if (rc == 0) {
    peri_policy_switch(policy);
  }
  return rc;
}

static int make_all(struct peri_seat *seat, struct peri_problem *ret_problem) {
  const struct peri_policy *policy = seat->policy;
  struct peri_slice nothing = {NULL, 0};
  int rc = load_first(seat->policy, ret_problem);

  if (rc == 0 && policy->current) {
    rc = make_on(seat, policy->current, nothing, &seat->current, ret_problem);
    if (policy->previous) {
      make_on(seat, policy->previous, nothing, &seat->previous, NULL);
    }
  }
  if (policy->next) {
    rc = make_on(seat, policy->next, nothing, &seat->next, ret_problem);
  }
  return rc;
}

static void free_instances(struct peri_seat *seat) {
  peri_instance_free(seat->current);
  peri_instance_free(seat->previous);
  peri_instance_free(seat->next);
  while (!peri_list_empty(&seat->older)) {
    peri_instance_free(
        PERI_CONTAINER_OF(seat->older.next, struct peri_instance, link));
  }
}

static void forget_peers(struct peri_seat *seat) {
  size_t count = seat->peers && seat->loads ? peri_peers_count(seat->peers) : 0;

  for (size_t i = 0; i < count; i++) {
    seat->loads[i]->holders--;
  }
  free(seat->loads);
  seat->loads = NULL;
  peri_peers_unref(seat->peers);
  seat->peers = NULL;
}

int peri_seat_open(struct peri_seat *seat, struct peri_script *script,
                   const char *kind, const struct peri_policy_ref *ref,
                   struct peri_problem *ret_problem) {
  if (!ref->name || !peri_policy_name_ok(ref->name)) {
    return peri_problem_set(
        ret_problem, PERI_ENOTFOUND,
        "\"%.80s\" cannot be a %s's name: only a-z, 0-9 and _ can be in it",
        ref->name ? ref->name : "", kind);
  }
  *seat = (struct peri_seat){.balances = strcmp(kind, "balancer") == 0};
  int rc = peri_policy_get(script, kind, ref->name, &seat->policy);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "%s %s: out of memory", kind,
                            ref->name);
  }
  if (ref->options) {
    seat->options = peri_json_ref((struct peri_json *)(uintptr_t)ref->options);
  }
  peri_list_init(&seat->older);
  peri_list_push(&seat->policy->seats, &seat->link);
  seat->policy->seat_count++;
  rc = make_all(seat, ret_problem);
  if (rc < 0) {
    peri_seat_close(seat);
  }
  return rc;
}

void peri_seat_close(struct peri_seat *seat) {
  free_instances(seat);
  forget_peers(seat);
  peri_json_unref(seat->options);
  peri_list_remove(&seat->link);
  seat->policy->seat_count--;
  peri_policy_settle(seat->policy);
}

static int keep_peers(struct peri_seat *seat, struct peri_peers *peers,
                      struct peri_load *const *loads) {
  size_t count = peri_peers_count(peers);
  struct peri_load **held = NULL;

  if (loads) {
    held = calloc(count + 1, sizeof(held[0]));
    if (!held) {
      return PERI_ENOMEM;
    }
  }
  for (size_t i = 0; held && i < count; i++) {
    held[i] = loads[i];
    held[i]->holders++;
  }
  struct peri_peers *fresh = peri_peers_ref(peers);
  forget_peers(seat);
  seat->peers = fresh;
  seat->loads = held;
  return 0;
}

static int refresh(struct peri_seat *seat, struct peri_instance *instance) {
  return peri_instance_update(instance, seat->peers, seat->loads,
                              peri_script_now_ns(seat->policy->script));
}

// Whether the instance can pick, after an update when its peers are old.
static bool is_fresh(struct peri_seat *seat, struct peri_instance *instance) {
  if (instance->ready) {
    return true;
  }
  if (instance->spoilt && !instance->version->off) {
    return false;
  }
  if (!seat->peers) {
    return false;
  }
  if (refresh(seat, instance) < 0) {
    peri_seat_failed(seat, instance);
    return false;
  }
  return true;
}

static void outdate(struct peri_instance *instance) {
  if (instance) {
    instance->ready = false;
    instance->spoilt = false;
  }
}

int peri_seat_update(struct peri_seat *seat, struct peri_peers *peers,
                     struct peri_load *const *loads) {
  int rc = keep_peers(seat, peers, loads);

  outdate(seat->current);
  outdate(seat->previous);
  outdate(seat->next);
  for (struct peri_list *at = seat->older.next; at != &seat->older;
       at = at->next) {
    outdate(PERI_CONTAINER_OF(at, struct peri_instance, link));
  }
  if (rc < 0) {
    forget_peers(seat);  // Nobody may pick from those that have left.
    return PERI_ESCRIPT;
  }
  // What is prepared takes them now, and may be all there is yet.
  bool prepared = seat->next && is_fresh(seat, seat->next);
  if (!seat->current) {
    return prepared ? 0 : PERI_ESCRIPT;
  }
  // One that is off takes them when it is tried again.
  if (seat->current->version->off || is_fresh(seat, seat->current)) {
    return 0;
  }
  return seat->previous && is_fresh(seat, seat->previous) ? 0 : PERI_ESCRIPT;
}

struct export_job {
  const struct peri_instance *instance;
  struct peri_buffer *buffer;
};

static int export_body(lua_State *L, void *ctx) {
  const struct export_job *job = ctx;

  lua_rawgeti(L, LUA_REGISTRYINDEX, job->instance->version->exports);
  lua_rawgeti(L, LUA_REGISTRYINDEX, job->instance->self);
  lua_call(L, 1, 1);
  peri_carry_read(L, 1, job->buffer);
  return 0;
}

// What the running instance hands over, or nothing.
static void export(struct peri_seat *seat, struct peri_buffer *buffer) {
  const struct peri_instance *from = seat->current;
  struct export_job job = {from, buffer};

  if (!from || from->version->exports == LUA_NOREF ||
      seat->policy->next->imports == LUA_NOREF) {
    return;
  }
  struct peri_vm *vm = from->version->vm;
  int rc =
      peri_vm_run(vm, export_body, &job, peri_vm_budget(vm, PERI_ENTRY_UPDATE));
  if (rc < 0) {
    peri_buffer_done(buffer);
    // An edit that may be refused yet must not switch off what runs.
    peri_version_told(from->version);
  }
}

int peri_seat_prepare(struct peri_seat *seat,
                      struct peri_problem *ret_problem) {
  struct peri_buffer carried = {NULL, 0, 0};
  struct peri_instance *next = NULL;

  export(seat, &carried);
  int rc = make_on(seat, seat->policy->next, peri_buffer_slice(&carried), &next,
                   ret_problem);
  peri_buffer_done(&carried);
  if (rc < 0) {
    return rc;
  }
  if (seat->peers && refresh(seat, next) < 0) {
    rc = peri_version_problem(next->version, ret_problem);
    peri_instance_free(next);
    return rc;
  }
  seat->next = next;
  return 0;
}

void peri_seat_forgo(struct peri_seat *seat) {
  peri_instance_free(seat->next);
  seat->next = NULL;
  seat->stays = false;
}

// Keeps an instance that has lost its place while calls go on with it.
static void retire(struct peri_seat *seat, struct peri_instance *instance) {
  if (!instance) {
    return;
  }
  if (instance->open == 0) {
    peri_instance_free(instance);
    return;
  }
  peri_list_push(&seat->older, &instance->link);
  seat->older_count++;
  // Fetches end, and hold what they run on; of picks no end may ever come.
  if (seat->balances && seat->older_count > PERI_SEAT_OLDER) {
    peri_instance_free(
        PERI_CONTAINER_OF(seat->older.next, struct peri_instance, link));
    seat->older_count--;
  }
}

static void announce(struct peri_seat *seat) {
  if (seat->changed) {
    seat->changed(seat);
  }
}

void peri_seat_switch(struct peri_seat *seat) {
  struct peri_instance *oldest = seat->previous;

  seat->stays = false;
  if (!seat->next) {
    return;
  }
  seat->previous = seat->current;
  seat->current = seat->next;
  seat->next = NULL;
  retire(seat, oldest);
  announce(seat);
}

void peri_seat_swap(struct peri_seat *seat) {
  const struct peri_policy *policy = seat->policy;
  struct peri_instance *current = seat->current;
  struct peri_slice nothing = {NULL, 0};

  if (current && current->version != policy->current) {
    return;
  }
  if (seat->previous && seat->previous->version != policy->previous) {
    struct peri_instance *oldest = seat->previous;
    seat->previous = NULL;
    retire(seat, oldest);
  }
  // One that the seat's own options do not suit stays with what it has.
  if (!seat->previous &&
      make_on(seat, policy->previous, nothing, &seat->previous, NULL) < 0) {
    return;
  }
  seat->current = seat->previous;
  seat->previous = current;
  announce(seat);
}

static void set_trouble(struct peri_seat *seat,
                        const struct peri_instance *instance,
                        const char *words) {
  if (instance != seat->current) {
    return;
  }
  size_t len = strlen(words);
  seat->trouble_len =
      (uint32_t)(len < sizeof(seat->trouble) ? len : sizeof(seat->trouble));
  memcpy(seat->trouble, words, seat->trouble_len);
}

static bool may_ask(struct peri_seat *seat, struct peri_instance *instance) {
  struct peri_version *version = instance->version;

  if (!peri_version_may_try(version)) {
    set_trouble(seat, instance, version->failing.off_words);
    return false;
  }
  if (is_fresh(seat, instance)) {
    return true;
  }
  if (instance == seat->current && seat->trouble_len == 0) {
    set_trouble(seat, instance, version->failing.last);
  }
  return false;
}

struct peri_instance *peri_seat_next(struct peri_seat *seat,
                                     struct peri_seat_order *order) {
  while (order->step < 3) {
    struct peri_instance *instance = order->step == 0
                                         ? peri_seat_find(seat, order->version)
                                     : order->step == 1 ? seat->current
                                                        : seat->previous;
    bool known = instance == order->asked[0] || instance == order->asked[1];
    order->asked[order->step++] = instance;
    if (instance && !known && may_ask(seat, instance)) {
      return instance;
    }
  }
  return NULL;
}

void peri_seat_failed(struct peri_seat *seat, struct peri_instance *instance) {
  peri_version_failed(instance->version);
  set_trouble(seat, instance, instance->version->failing.last);
}

void peri_seat_tell(struct peri_seat *seat,
                    const struct peri_instance *instance,
                    struct peri_choice *ret_choice) {
  if (instance) {
    ret_choice->version = instance->version->number;
    ret_choice->older = instance != seat->current && seat->trouble_len > 0;
  }
  ret_choice->trouble = (struct peri_slice){seat->trouble, seat->trouble_len};
}

void peri_seat_hold(struct peri_instance *instance) {
  instance->open++;
}

void peri_seat_release(struct peri_seat *seat, struct peri_instance *instance) {
  instance->open--;
  if (instance->open == 0 && !peri_list_empty(&instance->link)) {
    peri_instance_free(instance);
    seat->older_count--;
  }
}

static bool is_version(const struct peri_instance *instance, uint32_t version) {
  return instance && instance->version->number == version;
}

struct peri_instance *peri_seat_find(struct peri_seat *seat, uint32_t version) {
  if (version == 0) {
    return NULL;
  }
  if (is_version(seat->current, version)) {
    return seat->current;
  }
  if (is_version(seat->previous, version)) {
    return seat->previous;
  }
  for (struct peri_list *at = seat->older.next; at != &seat->older;
       at = at->next) {
    struct peri_instance *instance =
        PERI_CONTAINER_OF(at, struct peri_instance, link);
    if (is_version(instance, version)) {
      return instance;
    }
  }
  return NULL;
}

static bool wants_done(const struct peri_instance *instance) {
  return instance && instance->version->done != LUA_NOREF;
}

bool peri_seat_wants_done(const struct peri_seat *seat) {
  return wants_done(seat->current) || wants_done(seat->previous) ||
         !peri_list_empty(&seat->older);
}
