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
#include "model/policy.h"
#include "script/named.h"
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

struct trial {
  struct peri_policy_host *host;
  struct peri_problem *problem;
};

// One of them, for peri_named_each().
static int try_policy(void *ctx, const char *kind,
                      const struct peri_policy_ref *ref) {
  const struct trial *trial = ctx;
  struct peri_policy_host *host = trial->host;
  struct peri_picker *picker = NULL;
  struct peri_fallback *fallback = NULL;
  struct peri_balancer *balancer = NULL;
  int rc;
  if (strcmp(kind, "picker") == 0) {
    rc = host->picker(host, ref, &picker, trial->problem);
  } else if (strcmp(kind, "fallback") == 0) {
    rc = host->fallback(host, ref, &fallback, trial->problem);
  } else {
    rc = host->balancer(host, ref, &balancer, trial->problem);
  }
  if (rc < 0) {
    return peri_policy_ref_fail(ref, rc, trial->problem);
  }
  if (picker != NULL) {
    picker->free(picker);
  }
  if (fallback != NULL) {
    fallback->free(fallback);
  }
  if (balancer != NULL) {
    balancer->free(balancer);
  }
  return 0;
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
    struct trial trial = {peri_script_host(script), problem};
    rc = peri_named_each(config, try_policy, &trial);
    peri_script_free(script);
  }
  peri_loop_free(loop);
  peri_metrics_free(metrics);
  return rc;
}

static void warn(void *ctx, const char *key, const char *folder) {
  fprintf(stderr, "perigee: %s: %s: there is no folder %s\n", (const char *)ctx,
          key, folder);
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
      peri_config_absent(config, warn, (void *)(uintptr_t)file);
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
