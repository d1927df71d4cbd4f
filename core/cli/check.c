#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/metrics.h"
#include "cli/arguments.h"
#include "cli/verbs.h"
#include "loop/loop.h"
#include "model/config.h"
#include "model/route.h"
#include "script/script.h"

static int read_config(const char *file, struct peri_config **ret_config,
                       struct peri_problem *problem) {
  char *source = NULL;
  size_t len = 0;
  struct peri_json *tree = NULL;
  int rc = peri_script_config(file, &source, &len, &tree, problem);
  if (rc == 0) {
    struct peri_slice text = {source, len};
    rc = peri_config_build(file, text, tree, ret_config, problem);
  }
  free(source);
  if (tree != NULL) {
    peri_json_unref(tree);
  }
  return rc;
}

/// Puts the key's path before what a policy's maker says.
static int name_group(const struct peri_config_group *group, const char *key,
                      int code, struct peri_problem *problem) {
  struct peri_problem told = *problem;
  return peri_problem_set(problem, code, "groups.%s.%s: %s", group->name, key,
                          told.text);
}

static int try_group(const struct peri_config_group *group,
                     struct peri_policy_host *host,
                     struct peri_problem *problem) {
  struct peri_picker *picker;
  struct peri_fallback *fallback;
  int rc = host->picker(host, &group->picker, &picker, problem);
  if (rc < 0) {
    return name_group(group, "picker", rc, problem);
  }
  picker->free(picker);
  if (group->fallback.name == NULL) {
    return 0;
  }
  rc = host->fallback(host, &group->fallback, &fallback, problem);
  if (rc < 0) {
    return name_group(group, "fallback", rc, problem);
  }
  fallback->free(fallback);
  return 0;
}

/// `key` names the place, as messages write it; without a policy it is fine.
static int try_balancer(const char *key, const struct peri_policy_ref *ref,
                        struct peri_policy_host *host,
                        struct peri_problem *problem) {
  struct peri_balancer *balancer;
  if (ref->name == NULL) {
    return 0;
  }
  int rc = host->balancer(host, ref, &balancer, problem);
  if (rc < 0) {
    struct peri_problem told = *problem;
    return peri_problem_set(problem, rc, "%s: %s", key, told.text);
  }
  balancer->free(balancer);
  return 0;
}

static int try_all(const struct peri_config *config,
                   struct peri_policy_host *host,
                   struct peri_problem *problem) {
  int rc = try_balancer("balancer", &config->balancer, host, problem);
  for (size_t i = 0; rc == 0 && i < config->route_count; i++) {
    char key[48];
    snprintf(key, sizeof(key), "routes[%zu].balancer", i + 1);
    rc = try_balancer(key, &config->routes[i].balancer, host, problem);
  }
  for (size_t i = 0; rc == 0 && i < config->group_count; i++) {
    rc = try_group(&config->groups[i], host, problem);
  }
  return rc;
}

/// Makes every policy that a worker would make, and frees it again.
static int try_policies(struct peri_config *config,
                        const struct peri_cli_run *run,
                        struct peri_problem *problem) {
  struct peri_script *script;
  struct peri_loop *loop;
  struct peri_metrics *metrics = peri_metrics_new();
  if (metrics == NULL) {
    return peri_problem_set(problem, PERI_ENOMEM, "out of memory");
  }
  int rc = peri_loop_new(&loop);
  if (rc < 0) {
    peri_metrics_free(metrics);
    return peri_problem_set(problem, rc, "%s", peri_error_text(rc));
  }
  struct peri_script_options options = {
      .loop = loop,
      .config = config,
      .metrics = metrics,
      .lua_dir = run->lua_dir,
      .plugins_dir = run->plugins_dir,
  };
  rc = peri_script_new(&options, &script, problem);
  if (rc == 0) {
    rc = try_all(config, peri_script_host(script), problem);
    peri_script_free(script);
  }
  peri_loop_free(loop);
  peri_metrics_free(metrics);
  return rc;
}

static void say_fine(const char *file, const struct peri_config *config) {
  if (strcmp(config->registry_kind, "etcd") == 0) {
    printf(
        "%s: fine, %zu groups and %zu services provided; etcd itself was "
        "not asked\n",
        file, config->group_count, config->provide_count);
  } else {
    printf("%s: fine, %zu groups and %zu services\n", file, config->group_count,
           config->service_count);
  }
}

int peri_cli_check(const struct peri_cli_run *run) {
  const char *file = run->arguments->config;
  struct peri_problem problem = {0, ""};
  struct peri_config *config;
  if (run->lua_dir == NULL) {
    fprintf(stderr, "perigee: %s\n", run->folders_problem);
    return PERI_CLI_FAILURE;
  }
  int rc = read_config(file, &config, &problem);
  if (rc == 0) {
    rc = try_policies(config, run, &problem);
    if (rc == 0) {
      say_fine(file, config);
    }
    peri_config_unref(config);
  }
  if (rc == 0) {
    return PERI_CLI_OK;
  }
  // Whoever wrote the words may have left out the file.
  const char *words =
      problem.text[0] != '\0' ? problem.text : peri_error_text(rc);
  bool named = strstr(words, file) != NULL;
  fprintf(stderr, "perigee: %s%s%s\n", named ? "" : file, named ? "" : ": ",
          words);
  return rc == PERI_ENOMEM ? PERI_CLI_FAILURE : PERI_CLI_USAGE;
}
