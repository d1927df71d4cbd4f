#include "app/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "loop/process.h"
#include "loop/signal.h"

enum { PASSED = 4, OWN = 3, SIGNAL_STATUS = 128 };

struct peri_child {
  struct peri_child_options options;
  struct peri_process *process;
  struct peri_signal *passed[PASSED];
  int status;
  bool over;
};

// Ours, or of the sockets that systemd gave us.
static bool is_ours(const char *variable) {
  static const char *const names[] = {
      "PERIGEE_APP_ADDRESS=", "PERIGEE_MESH_ADDRESS=", "PERIGEE_ADMIN_ADDRESS=",
      "LISTEN_PID=",          "LISTEN_FDS=",           "LISTEN_FDNAMES="};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (strncmp(variable, names[i], strlen(names[i])) == 0) {
      return true;
    }
  }
  return false;
}

static int add_address(struct peri_arena *arena, const char *name,
                       const char *address, const char **variables,
                       size_t *count) {
  if (address == NULL) {
    return 0;
  }
  variables[*count] = peri_arena_printf(arena, "%s=%s", name, address);
  return variables[(*count)++] != NULL ? 0 : PERI_ENOMEM;
}

// This process's environment with what is ours replaced; the arena's.
static int make_environment(struct peri_arena *arena,
                            const struct peri_child_options *options,
                            const char *const **ret_variables) {
  size_t inherited = 0;
  size_t count = 0;
  while (environ != NULL && environ[inherited] != NULL) {
    inherited++;
  }
  const char **variables =
      peri_arena_alloc(arena, (inherited + OWN + 1) * sizeof(*variables));
  if (variables == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < inherited; i++) {
    if (!is_ours(environ[i])) {
      variables[count++] = environ[i];
    }
  }
  int rc = add_address(arena, "PERIGEE_APP_ADDRESS", options->app, variables,
                       &count);
  if (rc == 0) {
    rc = add_address(arena, "PERIGEE_MESH_ADDRESS", options->mesh, variables,
                     &count);
  }
  if (rc == 0) {
    rc = add_address(arena, "PERIGEE_ADMIN_ADDRESS", options->admin, variables,
                     &count);
  }
  *ret_variables = variables;
  return rc;
}

static void on_ended(void *ctx, int status, int signal) {
  struct peri_child *child = ctx;
  child->over = true;
  child->status = signal != 0 ? SIGNAL_STATUS + signal : status;
  if (signal != 0) {
    peri_log(PERI_LOG_INFO, "app", "%s was ended by signal %d",
             child->options.command[0], signal);
  } else {
    peri_log(PERI_LOG_INFO, "app", "%s ended with status %d",
             child->options.command[0], status);
  }
  child->options.ended(child->options.ctx);
}

static void on_signal(void *ctx, int number) {
  peri_child_signal(ctx, number);
}

static int spawn(struct peri_child *child) {
  struct peri_process_options options = {
      .command = child->options.command,
      .descriptors = child->options.descriptors,
      .ended = on_ended,
      .ctx = child};
  struct peri_arena *arena = peri_arena_new(0);
  if (arena == NULL) {
    return PERI_ENOMEM;
  }
  int rc = make_environment(arena, &child->options, &options.environment);
  if (rc == 0) {
    rc = peri_process_new(child->options.loop, &options, &child->process);
  }
  peri_arena_free(arena);
  return rc;
}

static int pass_signals(struct peri_child *child) {
  static const int numbers[PASSED] = {SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH};
  int rc = 0;
  for (int i = 0; rc == 0 && i < PASSED; i++) {
    rc = peri_signal_new(child->options.loop, numbers[i], on_signal, child,
                         &child->passed[i]);
  }
  return rc;
}

int peri_child_new(const struct peri_child_options *options,
                   struct peri_child **ret_child,
                   struct peri_problem *ret_problem) {
  struct peri_child *child = calloc(1, sizeof(*child));
  if (child == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  child->options = *options;
  // Before it starts: a signal that comes between is passed on, not obeyed.
  int rc = pass_signals(child);
  if (rc == 0) {
    rc = spawn(child);
  }
  if (rc < 0) {
    peri_problem_set(ret_problem, rc, "cannot run %s: %s", options->command[0],
                     peri_error_text(rc));
    peri_child_free(child);
    return rc == -ENOENT ? PERI_ENOTFOUND : rc == -EACCES ? PERI_EPERM : rc;
  }
  peri_log(PERI_LOG_INFO, "app", "runs %s as process %d", options->command[0],
           peri_process_id(child->process));
  *ret_child = child;
  return 0;
}

bool peri_child_runs(const struct peri_child *child) {
  return child != NULL && !child->over;
}

void peri_child_signal(struct peri_child *child, int number) {
  if (child->process != NULL && !child->over) {
    int rc = peri_process_signal(child->process, number);
    if (rc < 0) {
      peri_log(PERI_LOG_WARN, "app", "%s does not get signal %d: %s",
               child->options.command[0], number, peri_error_text(rc));
    }
  }
}

int peri_child_status(const struct peri_child *child) {
  return child->status;
}

void peri_child_free(struct peri_child *child) {
  if (child == NULL) {
    return;
  }
  for (int i = 0; i < PASSED; i++) {
    peri_signal_free(child->passed[i]);
  }
  peri_process_free(child->process);
  free(child);
}
