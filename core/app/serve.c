#include "app/serve.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/inherit.h"
#include "app/options.h"
#include "app/setup.h"
#include "app/sidecar.h"
#include "base/error.h"

/// As many as may be. @return how many files could be open before, or 0 when
/// there are no more now.
static uint64_t raise_descriptors(void) {
  struct rlimit limit;
  uint64_t before = 0;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
      limit.rlim_cur < limit.rlim_max) {
    before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  return before;
}

static bool missing_default(const struct peri_serve_options *options,
                            const struct peri_serve_options *defaults) {
  return options->config == defaults->config && access(options->config, F_OK);
}

static void warn_stray(void) {
  struct peri_slice name;
  if (peri_inherit_stray(&name)) {
    peri_log(PERI_LOG_WARN, "app",
             "the inherited socket \"%.*s\" is not used: its "
             "FileDescriptorName must be app, mesh or admin",
             (int)name.len, name.ptr);
  }
}

int peri_serve_main(int argc, const char *const *argv,
                    const struct peri_folders *folders,
                    const char *folders_problem, bool *ret_stuck) {
  struct peri_serve_options options, defaults;
  struct peri_problem problem = {0, ""};
  struct peri_setup setup;
  // Until the loop listens for it: whoever asks for a new reading while the
  // first one goes on must not end the process.
  signal(SIGHUP, SIG_IGN);
  peri_serve_options_parse(0, NULL, &defaults, NULL);
  if (peri_serve_options_parse(argc, argv, &options, &problem) < 0) {
    fprintf(stderr, "perigee: %s\n", problem.text);
    return PERI_EXIT_USAGE;
  }
  if (options.help) {
    fputs(peri_serve_options_help(), stdout);
    return PERI_EXIT_OK;
  }
  peri_log_setup(options.log_level, options.log_format);
  if (missing_default(&options, &defaults)) {
    fprintf(stderr,
            "perigee: there is no ./%s here; name the configuration with "
            "--config FILE\n",
            options.config);
    return PERI_EXIT_USAGE;
  }
  if (folders == NULL) {
    peri_log(PERI_LOG_ERROR, "app", "%s", folders_problem);
    return PERI_EXIT_FAILURE;
  }
  signal(SIGPIPE, SIG_IGN);
  struct peri_application application = {.command = options.command,
                                         .descriptors = raise_descriptors()};
  int rc = peri_setup_read(options.config, &setup, &problem);
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "app", "%s", problem.text);
    return rc == PERI_ENOMEM ? PERI_EXIT_FAILURE : PERI_EXIT_USAGE;
  }
  peri_setup_warn(setup.config);
  warn_stray();
  int status = peri_sidecar_run(options.config, &setup, folders, &application,
                                ret_stuck);
  peri_setup_done(&setup);
  return status;
}
