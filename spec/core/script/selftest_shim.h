#pragma once

#include "base/types.h"

/// Loads policy `name` of `kind` from `plugins_dir` into a VM of its own and
/// runs its selftest. @return what peri_vm_run() did, with the failure (and its
/// traceback) in `ret_text`.
int selftest_shim_run(const char *kind, const char *name, const char *lua_dir,
                      const char *plugins_dir, uint64_t steps, uint64_t time_ns,
                      char *ret_text, size_t capacity);

/// Runs the selftest, and after it the declaration's `new` and `pick`, whose
/// second result goes into `ret_text`.
int selftest_shim_twice(const char *kind, const char *name, const char *lua_dir,
                        const char *plugins_dir, char *ret_text,
                        size_t capacity);
