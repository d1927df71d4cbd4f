#include "app/options.h"

#include <string.h>

#include "base/text.h"

static const char *const flags[] = {"--config", "--log-format", "--log-level",
                                    "--help"};
static const char *const levels[] = {"debug", "info", "warn", "error"};
static const char *const formats[] = {"text", "json"};

enum {
  FLAG_COUNT = sizeof(flags) / sizeof(flags[0]),
  LEVEL_COUNT = sizeof(levels) / sizeof(levels[0]),
  FORMAT_COUNT = sizeof(formats) / sizeof(formats[0])
};

static int find(const char *word, size_t len, const char *const *words,
                size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strlen(words[i]) == len && strncmp(words[i], word, len) == 0) {
      return (int)i;
    }
  }
  return -1;
}

static int unknown(const char *word, struct peri_problem *ret_problem) {
  if (word[0] != '-') {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "serve takes no argument \"%s\": the configuration "
                            "is named by --config FILE, and an application to "
                            "run stands behind --",
                            word);
  }
  const char *near = peri_text_nearest(word, flags, FLAG_COUNT);
  if (near != NULL) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "unknown option %s; did you mean %s?", word, near);
  }
  return peri_problem_set(ret_problem, PERI_EINVAL,
                          "unknown option %s; see perigee serve --help", word);
}

static int take(int flag, const char *value, struct peri_serve_options *options,
                struct peri_problem *ret_problem) {
  if (flag == 0) {
    options->config = value;
    return 0;
  }
  bool format = flag == 1;
  int found = format ? find(value, strlen(value), formats, FORMAT_COUNT)
                     : find(value, strlen(value), levels, LEVEL_COUNT);
  if (found < 0) {
    return peri_problem_set(
        ret_problem, PERI_EINVAL, "%s %s: expected %s", flags[flag], value,
        format ? "text or json" : "debug, info, warn or error");
  }
  if (format) {
    options->log_format = (enum peri_log_format)found;
  } else {
    options->log_level = (enum peri_log_level)found;
  }
  return 0;
}

int peri_serve_options_parse(int argc, const char *const *argv,
                             struct peri_serve_options *ret_options,
                             struct peri_problem *ret_problem) {
  struct peri_serve_options options = {
      .config = "perigee.lua",
      .log_level = PERI_LOG_INFO,
      .log_format = PERI_LOG_TEXT,
  };
  for (int i = 0; i < argc; i++) {
    if (strcmp(argv[i], "--") == 0) {
      if (i + 1 == argc) {
        return peri_problem_set(ret_problem, PERI_EINVAL,
                                "-- needs a command behind it");
      }
      options.command = argv + i + 1;
      break;
    }
    const char *equals = strchr(argv[i], '=');
    size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
    int flag = find(argv[i], len, flags, FLAG_COUNT);
    if (strcmp(argv[i], "-h") == 0 || (flag == 3 && equals == NULL)) {
      options.help = true;
      continue;
    }
    if (flag < 0 || flag == 3) {
      return unknown(argv[i], ret_problem);
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (value == NULL && i + 1 < argc) {
      value = argv[++i];
    }
    if (value == NULL || value[0] == '\0') {
      return peri_problem_set(ret_problem, PERI_EINVAL, "%s needs a value",
                              flags[flag]);
    }
    int rc = take(flag, value, &options, ret_problem);
    if (rc < 0) {
      return rc;
    }
  }
  *ret_options = options;
  return 0;
}

const char *peri_serve_options_help(void) {
  return "perigee serve [--config FILE] [--log-format text|json]\n"
         "              [--log-level debug|info|warn|error]\n"
         "              [-- COMMAND ARGS …]\n"
         "\n"
         "Runs a sidecar in the foreground. When every listener is bound it\n"
         "prints one line on standard output:\n"
         "  perigee ready app=ADDR mesh=ADDR admin=ADDR\n"
         "Log lines go to standard error.\n"
         "\n"
         "  --config FILE     configuration; ./perigee.lua when not given\n"
         "  --log-format F    text (default) or json\n"
         "  --log-level L     debug, info (default), warn or error\n"
         "\n"
         "With a COMMAND it runs that as its application, once it is ready,\n"
         "and ends with it. The command finds PERIGEE_APP_ADDRESS,\n"
         "PERIGEE_MESH_ADDRESS and PERIGEE_ADMIN_ADDRESS in its environment;\n"
         "what it provides is registered when it is healthy. On SIGTERM calls\n"
         "from others are finished before the command gets SIGTERM, and its\n"
         "own calls go through until it has ended; it is killed when `drain`\n"
         "is over. SIGQUIT, SIGUSR1, SIGUSR2 and SIGWINCH are passed on to "
         "it.\n"
         "\n"
         "Signals:\n"
         "  SIGTERM, SIGINT   drain for as long as `drain` allows, then stop;\n"
         "                    a second one stops at once\n"
         "  SIGHUP            read the configuration and the policies again,\n"
         "                    as when one of their files was saved\n"
         "\n"
         "Environment:\n"
         "  PERIGEE_DATA      folder that holds lua/ and plugins/, when they\n"
         "                    are not beside the program\n"
         "  LISTEN_FDS, LISTEN_FDNAMES   sockets inherited from systemd, "
         "named\n"
         "                    app, mesh or admin\n"
         "\n"
         "Exit status: 0 stopped cleanly, 1 runtime failure, 2 wrong usage or\n"
         "wrong configuration. With a COMMAND: what that exited with, or 128\n"
         "and the signal that ended it; 126 when it cannot be run, 127 when\n"
         "there is no such command.\n";
}
