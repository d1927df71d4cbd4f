#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "loop/file.h"
#include "model/config.h"
#include "script/file_records.h"
#include "script/lib.h"
#include "script/wait.h"

enum { DEFAULT_BYTES = 4 << 20, MOST_BYTES = 64 << 20 };

// Looks through the configured folders one after the other: the first that has
// the file gives it.
struct reading {
  struct peri_wait wait;
  struct peri_loop *loop;
  struct peri_config *config;
  struct peri_file_read *read;
  uint64_t max_bytes;
  size_t next;  // the folder to look in after this one
  int code;     // of the folder that came nearest to having it
  bool given_up;
  bool compares;  // nothing new with this modification time
  double mtime;
  struct peri_file_index *index;  // records(); else NULL
  char path[PATH_MAX];
};

static void release(struct reading *op) {
  peri_config_unref(op->config);
  peri_file_index_free(op->index);
  free(op);
}

// The read itself ends later, on the loop, and releases what it needs.
static void cancel(struct peri_wait *wait) {
  struct reading *op = PERI_CONTAINER_OF(wait, struct reading, wait);

  op->given_up = true;
  peri_file_cancel(op->read);
}

// Where the file would be below `root`, or false when an absolute path lies
// elsewhere.
static bool place(const struct reading *op, const char *root,
                  char ret_path[PATH_MAX]) {
  size_t len = strlen(root);

  if (op->path[0] == '/') {
    while (len > 0 && root[len - 1] == '/') {
      len--;
    }
    snprintf(ret_path, PATH_MAX, "%s", op->path);
    return strncmp(op->path, root, len) == 0 && op->path[len] == '/';
  }
  int written = snprintf(ret_path, PATH_MAX, "%s/%s", root, op->path);
  return written > 0 && written < PATH_MAX;
}

static double mtime_of(const struct peri_file_result *result) {
  return (double)result->mtime_ns / 1e9;
}

// On the pool's thread.
static void process(void *ctx, const struct peri_file_result *result) {
  struct reading *op = ctx;

  if (!op->compares || mtime_of(result) != op->mtime) {
    peri_file_index_make(op->index, result->bytes);
  }
}

static void done(void *ctx, const struct peri_file_result *result);

// Starts reading in the next folder that may have the file.
// @return 0, or why there is none
static int read_next(struct reading *op) {
  char path[PATH_MAX];

  while (op->next < op->config->file_count) {
    const char *root = op->config->files[op->next++];
    if (place(op, root, path)) {
      return peri_file_read(op->loop, root, path, op->max_bytes,
                            op->index ? process : NULL, done, op, &op->read);
    }
  }
  return op->code;
}

struct answer {
  const struct reading *op;
  struct peri_file_result result;
};

static int push_result(lua_State *L, void *ctx) {
  const struct answer *answer = ctx;
  const struct peri_file_result *result = &answer->result;
  const struct reading *op = answer->op;
  double mtime = mtime_of(result);

  if (result->code < 0) {
    return peri_lib_fail(L, result->code, NULL);
  }
  bool same = op->compares && mtime == op->mtime;
  if (op->index && !same) {
    return peri_file_index_push(L, op->index, mtime);
  }
  if (same) {
    lua_pushboolean(L, 0);
  } else {
    lua_pushlstring(L, result->bytes.ptr, result->bytes.len);
  }
  if (!op->compares || op->index) {
    return 1;
  }
  lua_pushnumber(L, mtime);
  return 2;
}

static void done(void *ctx, const struct peri_file_result *result) {
  struct reading *op = ctx;
  struct answer answer = {op, *result};

  if (op->given_up) {
    release(op);
    return;
  }
  if (result->code == PERI_ENOTFOUND || result->code == PERI_EPERM) {
    if (op->code != PERI_ENOTFOUND) {
      op->code = result->code;
    }
    answer.result.code = read_next(op);
    if (answer.result.code == 0) {
      return;
    }
  }
  peri_wait_done(&op->wait, push_result, &answer);
  release(op);
}

static uint64_t check_max_bytes(lua_State *L, int options) {
  if (lua_isnoneornil(L, options)) {
    return DEFAULT_BYTES;
  }
  luaL_checktype(L, options, LUA_TTABLE);
  lua_getfield(L, options, "max_bytes");
  lua_Number bytes = lua_isnil(L, -1) ? DEFAULT_BYTES : lua_tonumber(L, -1);
  luaL_argcheck(L, bytes >= 1 && bytes <= MOST_BYTES, options,
                "max_bytes is a number from 1 to 64 MiB");
  lua_pop(L, 1);
  return (uint64_t)bytes;
}

// The path in slot 1; raises when it is none, or where nothing may wait.
static const char *check_path(lua_State *L, const char *name) {
  size_t len;
  const char *path = luaL_checklstring(L, 1, &len);

  luaL_argcheck(L, len > 0 && len < PATH_MAX && strlen(path) == len, 1,
                "a path is not empty, not over 4 KiB and has no NUL");
  peri_wait_check(L, name);
  return path;
}

// Takes over the index of what is asked. Nothing raises from here on.
static int start(lua_State *L, const struct reading *asked, const char *path) {
  struct peri_vm *vm = peri_vm_of(L);

  if (!peri_vm_config(vm)) {
    peri_file_index_free(asked->index);
    return peri_lib_fail(L, PERI_EPERM, "no `files` folders are configured");
  }
  struct reading *op = malloc(sizeof(*op));
  if (!op) {
    peri_file_index_free(asked->index);
    return peri_lib_fail(L, PERI_ENOMEM, NULL);
  }
  *op = *asked;
  op->loop = peri_vm_loop(vm);
  op->config = peri_config_ref(peri_vm_config(vm));
  op->code = PERI_EPERM;
  snprintf(op->path, sizeof(op->path), "%s", path);
  op->wait.cancel = cancel;
  int rc = read_next(op);
  if (rc < 0) {
    release(op);
    return peri_lib_fail(
        L, rc,
        rc == PERI_EPERM ? "the file is not below a folder of `files`" : NULL);
  }
  return peri_wait_yield(L, &op->wait);
}

static int file_read(lua_State *L) {
  struct reading asked = {.max_bytes = check_max_bytes(L, 2)};

  return start(L, &asked, check_path(L, "perigee.file.read"));
}

static int file_read_newer(lua_State *L) {
  struct reading asked = {.max_bytes = check_max_bytes(L, 3),
                          .compares = true,
                          .mtime = luaL_optnumber(L, 2, -1)};

  return start(L, &asked, check_path(L, "perigee.file.read_newer"));
}

static int file_records(lua_State *L) {
  struct reading asked = {.max_bytes = check_max_bytes(L, 2),
                          .compares = !lua_isnoneornil(L, 3),
                          .mtime = luaL_optnumber(L, 3, -1)};
  const char *path = check_path(L, "perigee.file.records");
  int rc = peri_file_index_new(L, 2, &asked.index);

  if (rc < 0) {
    return peri_lib_fail(L, rc, NULL);
  }
  return start(L, &asked, path);
}

int peri_lib_file(struct lua_State *L) {
  static const luaL_Reg functions[] = {{"read", file_read},
                                       {"read_newer", file_read_newer},
                                       {"records", file_records},
                                       {NULL, NULL}};

  peri_file_records_open(L);
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  return 1;
}
