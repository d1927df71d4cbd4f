#pragma once

#include "base/types.h"

struct peri_cli_arguments;
struct peri_rpc_channel;
struct peri_rpc_result;
struct ProtobufCMessage;

/// What the process ends with.
enum peri_cli_exit {
  PERI_CLI_OK = 0,
  PERI_CLI_FAILURE = 1,
  PERI_CLI_USAGE = 2,
  PERI_CLI_ABSENT = 4  // the sidecar answered NOT_FOUND
};

/// What a verb is run with.
struct peri_cli_run {
  const struct peri_cli_arguments *arguments;
  const char *lua_dir;  // NULL when not found; see `folders_problem`
  const char *plugins_dir;
  const char *folders_problem;
};

/// Calls the target and waits. What goes wrong is told on standard error,
/// together with what to do about it. @return PERI_CLI_OK, with a result that
/// the caller frees with peri_rpc_result_done(), or the exit status.
int peri_cli_call(const struct peri_cli_arguments *arguments, const char *path,
                  const struct ProtobufCMessage *request,
                  struct peri_rpc_result *ret_result);

/// Frees the channel, the last one of the process. NULL is fine.
void peri_cli_hang_up(struct peri_rpc_channel *channel);

/// Tells that an answer could not be read. @return PERI_CLI_FAILURE.
int peri_cli_garbled(const struct peri_cli_arguments *arguments);

/// The words that say what a call's status means here and what to do. Written
/// for people; `ret_text` is NUL-terminated.
void peri_cli_advise(int status, const char *words, const char *target,
                     char *ret_text, size_t capacity);

/// The verbs. @return the exit status.
int peri_cli_get(const struct peri_cli_run *run);
int peri_cli_set(const struct peri_cli_run *run);
int peri_cli_remove(const struct peri_cli_run *run);
int peri_cli_peers(const struct peri_cli_run *run);
int peri_cli_services(const struct peri_cli_run *run);
int peri_cli_policy(const struct peri_cli_run *run);
int peri_cli_explain(const struct peri_cli_run *run);
int peri_cli_stats(const struct peri_cli_run *run);
int peri_cli_check(const struct peri_cli_run *run);
int peri_cli_invoke(const struct peri_cli_run *run);
int peri_cli_version(const struct peri_cli_run *run);
