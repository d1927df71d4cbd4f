#include <lauxlib.h>
#include <lua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/slice.h"
#include "loop/file.h"
#include "script/convert.h"
#include "script/script.h"
#include "script/state.h"
#include "script/vm.h"

enum {
  FILE_BYTES = 16 << 20,
  SECRET_BYTES = 64 << 10,
  MEMORY_BYTES = 128 << 20,
  PATH_BYTES = 4096
};

static const struct peri_vm_budget config_budget = {200000000, 5000000000};

struct evaluation {
  const char *file;
  struct peri_slice source;
  struct peri_json *tree;
  struct peri_problem *problem;
  int rc;
};

// env("NAME") or env("NAME", default).
static int env(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const char *value = getenv(name);

  if (value) {
    lua_pushstring(L, value);
    return 1;
  }
  if (lua_gettop(L) < 2) {
    return luaL_error(L,
                      "the environment has no %s; set it, or give a default: "
                      "env(\"%s\", \"…\")",
                      name, name);
  }
  lua_settop(L, 2);
  return 1;
}

// secret_file("PATH"): the file's text without the newline at its end.
// Relative paths begin at the configuration's folder.
static int secret_file(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const char *config = lua_tostring(L, lua_upvalueindex(1));
  const char *slash = strrchr(config, '/');
  char path[PATH_BYTES], text[SECRET_BYTES];
  char *bytes = NULL;
  size_t len = 0;

  int folder = name[0] == '/' || !slash ? 0 : (int)(slash - config) + 1;
  int length = snprintf(path, sizeof(path), "%.*s%s", folder, config, name);
  if (length < 0 || (size_t)length >= sizeof(path)) {
    return luaL_error(L, "secret_file: the path is too long");
  }
  int rc = peri_file_slurp(path, SECRET_BYTES, &bytes, &len);
  if (rc < 0) {
    return luaL_error(L, "secret_file: %s: %s", path, peri_error_text(rc));
  }
  memcpy(text, bytes, len);  // Nothing may be held where Lua can raise.
  free(bytes);
  if (len > 0 && text[len - 1] == '\n') {
    len--;
  }
  if (len > 0 && text[len - 1] == '\r') {
    len--;
  }
  lua_pushlstring(L, text, len);
  return 1;
}

static int evaluate(lua_State *L, void *ctx) {
  struct evaluation *evaluation = ctx;

  lua_pushcfunction(L, env);
  lua_setglobal(L, "env");
  lua_pushstring(L, evaluation->file);
  lua_pushcclosure(L, secret_file, 1);
  lua_setglobal(L, "secret_file");

  const char *name = lua_pushfstring(L, "@%s", evaluation->file);
  if (peri_chunk_text(L, evaluation->source, name) != 0) {
    lua_error(L);
  }
  lua_call(L, 0, 1);
  if (!lua_istable(L, -1)) {
    evaluation->rc = peri_problem_set(
        evaluation->problem, PERI_ECONFIG,
        "%s: the file must return a table, not %s%s", evaluation->file,
        lua_isnil(L, -1) ? "" : "a ", luaL_typename(L, -1));
    return 0;
  }
  struct peri_problem problem = {0, ""};
  evaluation->rc =
      peri_convert_read(L, lua_gettop(L), &evaluation->tree, &problem);
  if (evaluation->rc == PERI_EINVAL) {
    evaluation->rc = peri_problem_set(evaluation->problem, PERI_ECONFIG,
                                      "%s: %s", evaluation->file, problem.text);
  }
  return 0;
}

// Lua cuts long file names to "...tail"; puts the whole one back.
static int set_failure(struct peri_problem *problem, const char *file,
                       const char *failure) {
  int line = (int)strcspn(failure, "\n");
  const char *colon = strchr(failure, ':');

  if (strncmp(failure, "...", 3) == 0 && colon) {
    struct peri_slice tail = {failure + 3, (size_t)(colon - failure) - 3};
    size_t len = strlen(file);
    if (tail.len < len &&
        memcmp(file + len - tail.len, tail.ptr, tail.len) == 0) {
      return peri_problem_set(problem, PERI_ECONFIG, "%s%.*s", file,
                              line - (int)(colon - failure), colon);
    }
  }
  bool placed = strncmp(failure, file, strlen(file)) == 0;
  return peri_problem_set(problem, PERI_ECONFIG, "%s%s%.*s", placed ? "" : file,
                          placed ? "" : ": ", line, failure);
}

static const char *words_of_read(int code) {
  switch (code) {
    case PERI_ENOTFOUND:
      return "there is no such file";
    case PERI_EINVAL:
      return "this is not a regular file";
    case PERI_EPERM:
      return "this process may not read it";
    case PERI_ELIMIT:
      return "a configuration has at most 16 MiB";
    default:
      return peri_error_text(code);
  }
}

int peri_script_config(const char *file, char **ret_source, size_t *ret_len,
                       struct peri_json **ret_tree,
                       struct peri_problem *ret_problem) {
  struct peri_vm_options options = {
      .name = "configuration", .memory_bytes = MEMORY_BYTES, .data_only = true};
  struct evaluation evaluation = {.file = file, .problem = ret_problem};
  struct peri_vm *vm = NULL;
  char *source = NULL;
  size_t len = 0;

  int rc = peri_file_slurp(file, FILE_BYTES, &source, &len);
  if (rc < 0) {
    return peri_problem_set(ret_problem, rc, "%s: %s", file, words_of_read(rc));
  }
  rc = peri_vm_new(&options, &vm);
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "%s: out of memory", file);
    goto fail_source;
  }
  evaluation.source = (struct peri_slice){source, len};
  rc = peri_vm_run(vm, evaluate, &evaluation, config_budget);
  if (rc < 0) {
    rc = set_failure(ret_problem, file, peri_vm_failure(vm));
  } else {
    rc = evaluation.rc;
  }
  peri_vm_free(vm);
  if (rc < 0) {
    goto fail_tree;
  }
  *ret_source = source;
  *ret_len = len;
  *ret_tree = evaluation.tree;
  return 0;

fail_tree:
  peri_json_unref(evaluation.tree);
fail_source:
  free(source);
  return rc;
}
