#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;

/// The Lua files that policies are made of, as they were at one moment. All
/// workers load from the same sources, so they agree on what a policy is, and
/// no file is read while a loop runs. Immutable, reference-counted; any thread.
struct peri_sources;

enum peri_sources_limits {
  PERI_SOURCES_FILE_BYTES = 1 << 20,
  PERI_SOURCES_FILES = 4096,
  PERI_SOURCES_FOLDERS = 4096,
  PERI_SOURCES_BYTES = 64 << 20,
  PERI_SOURCES_NAME_BYTES = 128  // of `relative`, with the final NUL
};

struct peri_source {
  const char *relative;  // "balancer/x.lua"
  const char *path;      // absolute, as shown
  struct peri_slice text;
  uint64_t digest;  // XXH3 of the text
  int code;         // why it, or its folder, cannot be read, or 0
};

/// Reads, blocking for as long as the file system does, the Lua files below
/// config->policy_paths (the first folder that has a name wins), then
/// `plugins_dir`, and "perigee" of `lua_dir`; each may be NULL, and folders may
/// be missing. Names are written in a-z, 0-9 and
/// _; symbolic links are followed; what is no regular file is not opened.
/// @return 0, PERI_ENOMEM, or PERI_ELIMIT with words (too many or too large in
///   all). One file that cannot be read is no failure here: its `code` says so.
int peri_sources_read(const struct peri_config *config, const char *plugins_dir,
                      const char *lua_dir, struct peri_sources **ret_sources,
                      struct peri_problem *ret_problem);
struct peri_sources *peri_sources_ref(struct peri_sources *sources);
/// NULL is fine.
void peri_sources_unref(struct peri_sources *sources);

/// A policy's file, or a module beside policies, by its path below one of the
/// folders; NULL when there is none. Lives as long as the sources.
const struct peri_source *peri_sources_find(const struct peri_sources *sources,
                                            const char *relative);
/// A module of Perigee itself: "perigee/cache_control.lua".
const struct peri_source *peri_sources_module(
    const struct peri_sources *sources, const char *relative);
