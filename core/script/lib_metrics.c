#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics.h"
#include "base/slice.h"
#include "script/lib.h"
#include "script/state.h"

enum { MOST_SERIES = 64, NAME_BYTES = 64, HELP_BYTES = 200 };

// One series of this VM. `metric` is NULL where nothing collects metrics. A
// gauge adds what it changed by, so that the workers' VMs share one series
// which shows their sum.
struct peri_series {
  struct peri_metric *metric;
  struct peri_vm *vm;  // of a gauge, which may be hidden; else NULL
  struct peri_series *next;
  int64_t added;
};

static const char counter_type[] = "perigee.metrics.counter";
static const char gauge_type[] = "perigee.metrics.gauge";

static const int64_t most_amount = INT64_C(1) << 53;

static int64_t check_amount(lua_State *L, int index) {
  lua_Number amount = luaL_optnumber(L, index, 1);

  luaL_argcheck(L, fabs(amount) <= (lua_Number)most_amount, index,
                "a metric counts whole numbers up to 2^53");
  return (int64_t)llround(amount);
}

// The amount, when what is added in all stays in bounds.
static int64_t check_sum(lua_State *L, const struct peri_series *series,
                         int64_t amount) {
  int64_t sum = series->added + amount;

  if (sum > most_amount || sum < -most_amount) {
    luaL_error(L, "a metric counts whole numbers up to 2^53");
  }
  return amount;
}

static void add(struct peri_series *series, int64_t amount) {
  bool hidden = series->vm && series->vm->gauges_hidden;

  series->added += amount;
  if (series->metric && !hidden) {
    peri_metric_add(series->metric, amount);
  }
}

static int counter_add(lua_State *L) {
  struct peri_series *series = luaL_checkudata(L, 1, counter_type);
  int64_t amount = check_amount(L, 2);

  luaL_argcheck(L, amount >= 0, 2, "a counter only grows; use a gauge");
  add(series, check_sum(L, series, amount));
  return 0;
}

static int gauge_add(lua_State *L) {
  struct peri_series *series = luaL_checkudata(L, 1, gauge_type);

  add(series, check_sum(L, series, check_amount(L, 2)));
  return 0;
}

static int gauge_set(lua_State *L) {
  struct peri_series *series = luaL_checkudata(L, 1, gauge_type);

  luaL_checknumber(L, 2);
  add(series, check_amount(L, 2) - series->added);
  return 0;
}

// A VM that goes takes its part of the sum along.
static int gauge_collect(lua_State *L) {
  struct peri_series *series = luaL_checkudata(L, 1, gauge_type);
  struct peri_series **at = &series->vm->gauges;

  add(series, -series->added);
  while (*at && *at != series) {
    at = &(*at)->next;
  }
  if (*at) {
    *at = series->next;
  }
  return 0;
}

void peri_metrics_show(struct peri_vm *vm, bool show) {
  if (show != vm->gauges_hidden) {
    return;
  }
  vm->gauges_hidden = !show;
  for (struct peri_series *at = vm->gauges; at; at = at->next) {
    if (at->metric) {
      peri_metric_add(at->metric, show ? at->added : -at->added);
    }
  }
}

// Whether Perigee itself keeps such a metric of each policy.
static bool is_own(const char *name) {
  static const char *const own[] = {"off", "version", "refused", "reloads",
                                    "reloads_total"};
  bool found = strncmp(name, "errors", 6) == 0;

  for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
    found = found || strcmp(name, own[i]) == 0;
  }
  return found;
}

static const char *check_name(lua_State *L, size_t *ret_len) {
  const char *name = luaL_checklstring(L, 1, ret_len);
  size_t len = *ret_len;

  luaL_argcheck(
      L,
      len > 0 && len <= NAME_BYTES &&
          strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len,
      1, "a metric's name is written in a-z, 0-9 and _");
  luaL_argcheck(L, !is_own(name), 1,
                "this name is one of Perigee's own metrics of policies");
  return name;
}

static struct peri_metric *find(lua_State *L, const char *full, bool counts) {
  const struct peri_vm *vm = peri_vm_of(L);
  struct peri_metrics *metrics = peri_vm_metrics(vm);
  size_t help_len = 0;
  const char *help = luaL_optlstring(L, 2, "Kept by a policy.", &help_len);
  char labels[256] = "";

  luaL_argcheck(L, help_len <= HELP_BYTES, 2, "help has at most 200 bytes");
  if (!metrics) {
    return NULL;
  }
  peri_metrics_label(labels, sizeof(labels), "kind",
                     peri_slice_of(peri_vm_kind(vm)));
  peri_metrics_label(labels, sizeof(labels), "name",
                     peri_slice_of(peri_vm_name(vm)));
  return counts ? peri_metrics_counter(metrics, full, help, labels)
                : peri_metrics_gauge(metrics, full, help, labels);
}

// Upvalue 1: this VM's series by their full names; upvalue 2: how many.
static int open_series(lua_State *L, bool counts) {
  size_t len;
  const char *name = check_name(L, &len);
  bool total = len > 6 && strcmp(name + len - 6, "_total") == 0;
  char full[NAME_BYTES + 32];

  snprintf(full, sizeof(full), "perigee_policy_%s%s", name,
           counts && !total ? "_total" : "");
  lua_getfield(L, lua_upvalueindex(1), full);
  if (!lua_isnil(L, -1)) {
    luaL_checkudata(L, -1, counts ? counter_type : gauge_type);
    return 1;
  }
  lua_Integer *count = lua_touserdata(L, lua_upvalueindex(2));
  if (*count == MOST_SERIES) {
    return luaL_error(L, "a policy keeps at most %d metrics", MOST_SERIES);
  }
  struct peri_series *series = lua_newuserdata(L, sizeof(*series));
  *series = (struct peri_series){.metric = find(L, full, counts)};
  if (!counts) {
    struct peri_vm *vm = peri_vm_of(L);
    series->vm = vm;
    series->next = vm->gauges;
    vm->gauges = series;
  }
  luaL_getmetatable(L, counts ? counter_type : gauge_type);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_setfield(L, lua_upvalueindex(1), full);
  ++*count;
  return 1;
}

static int metrics_counter(lua_State *L) {
  return open_series(L, true);
}

static int metrics_gauge(lua_State *L) {
  return open_series(L, false);
}

static void open_type(lua_State *L, const char *name, const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__metatable");
}

int peri_lib_metrics(struct lua_State *L) {
  static const luaL_Reg counter_methods[] = {{"add", counter_add},
                                             {NULL, NULL}};
  static const luaL_Reg gauge_methods[] = {
      {"add", gauge_add}, {"set", gauge_set}, {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"counter", metrics_counter}, {"gauge", metrics_gauge}, {NULL, NULL}};

  open_type(L, counter_type, counter_methods);
  open_type(L, gauge_type, gauge_methods);
  lua_pushcfunction(L, gauge_collect);
  lua_setfield(L, -2, "__gc");
  lua_newtable(L);
  lua_newtable(L);
  lua_Integer *count = lua_newuserdata(L, sizeof(*count));
  *count = 0;
  luaL_setfuncs(L, functions, 2);
  return 1;
}
