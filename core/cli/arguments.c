#include "cli/arguments.h"

#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/slice.h"
#include "base/text.h"

enum { HELP = 0 };

struct option {
  const char *name;
  unsigned flag;  // HELP, or of enum peri_cli_flag
  bool valued;
};

static const struct option options[] = {
    {"--help", HELP, false},
    {"--json", PERI_CLI_JSON, false},
    {"--target", PERI_CLI_TARGET, true},
    {"--timeout", PERI_CLI_TIMEOUT, true},
    {"--ttl", PERI_CLI_TTL, true},
    {"--config", PERI_CLI_CONFIG, true},
    {"--header", PERI_CLI_HEADER, true},
    {"--raw", PERI_CLI_RAW, true},
    {"--authority", PERI_CLI_AUTHORITY, true},
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

static bool allowed(const struct option *option, unsigned flags) {
  return option->flag == HELP || (option->flag & flags) != 0;
}

static const struct option *find(const char *word, size_t len, unsigned flags) {
  if (len == 2 && strncmp(word, "-h", 2) == 0) {
    return &options[0];
  }
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (allowed(&options[i], flags) && strlen(options[i].name) == len &&
        strncmp(options[i].name, word, len) == 0) {
      return &options[i];
    }
  }
  return NULL;
}

static int unknown(const char *word, unsigned flags,
                   struct peri_problem *ret_problem) {
  const char *names[OPTION_COUNT];
  size_t count = 0;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (allowed(&options[i], flags)) {
      names[count++] = options[i].name;
    }
  }
  const char *near = peri_text_nearest(word, names, count);
  if (near != NULL) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "unknown option %s; did you mean %s?", word, near);
  }
  return peri_problem_set(
      ret_problem, PERI_EINVAL,
      "unknown option %s (what begins with - and is none goes after --)", word);
}

static int take_duration(const char *name, const char *value, int64_t *ret_ns,
                         struct peri_problem *ret_problem) {
  if (peri_text_duration(peri_slice_of(value), ret_ns) < 0) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "%s %s: write a duration as 250ms, 2s, 5m or 1h",
                            name, value);
  }
  return 0;
}

static int take_timeout(const char *value, struct peri_cli_arguments *arguments,
                        struct peri_problem *ret_problem) {
  int64_t ns;
  int rc = take_duration("--timeout", value, &ns, ret_problem);
  if (rc < 0) {
    return rc;
  }
  uint64_t ms = (uint64_t)ns / PERI_NS_PER_MS;
  arguments->timeout_ms = ms > 0 ? ms : 1;
  return 0;
}

// gRPC itself would only say that an argument is invalid.
static bool is_name(const char *text, size_t len) {
  static const char letters[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return strspn(text, letters) == len;
}

static int take_header(const char *value, struct peri_cli_arguments *arguments,
                       struct peri_problem *ret_problem) {
  const char *equals = strchr(value, '=');
  if (equals == NULL || equals == value) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "--header %s: write a header as name=value", value);
  }
  if (!is_name(value, (size_t)(equals - value))) {
    return peri_problem_set(
        ret_problem, PERI_EINVAL,
        "--header %s: a name is made of letters, digits, -, _ and .", value);
  }
  if (arguments->header_count == PERI_CLI_MOST_HEADERS) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "--header: more than %d headers",
                            PERI_CLI_MOST_HEADERS);
  }
  arguments->headers[arguments->header_count++] = value;
  return 0;
}

static int take(const struct option *option, const char *value,
                struct peri_cli_arguments *arguments,
                struct peri_problem *ret_problem) {
  struct peri_address address;
  switch (option->flag) {
    case HELP:
      arguments->help = true;
      return 0;
    case PERI_CLI_JSON:
      arguments->json = true;
      return 0;
    case PERI_CLI_TARGET:
      if (peri_address_parse(peri_slice_of(value), &address) < 0) {
        return peri_problem_set(
            ret_problem, PERI_EINVAL,
            "--target %s: write an address as host:port or unix:PATH", value);
      }
      arguments->target = value;
      return 0;
    case PERI_CLI_TIMEOUT:
      return take_timeout(value, arguments, ret_problem);
    case PERI_CLI_TTL:
      return take_duration("--ttl", value, &arguments->ttl_ns, ret_problem);
    case PERI_CLI_HEADER:
      return take_header(value, arguments, ret_problem);
    case PERI_CLI_RAW:
      arguments->raw = value;
      return 0;
    case PERI_CLI_AUTHORITY:
      arguments->authority = value;
      return 0;
    default:
      arguments->config = value;
      return 0;
  }
}

/// Takes one option, and its value from the next argument where it needs one.
/// Returns how many arguments it was, or a negative code.
static int take_option(int left, const char *const *argv, unsigned flags,
                       struct peri_cli_arguments *arguments,
                       struct peri_problem *ret_problem) {
  const char *equals = strchr(argv[0], '=');
  size_t len = equals != NULL ? (size_t)(equals - argv[0]) : strlen(argv[0]);
  const struct option *option = find(argv[0], len, flags);
  if (option == NULL || (equals != NULL && !option->valued)) {
    return unknown(argv[0], flags, ret_problem);
  }
  if (!option->valued || equals != NULL) {
    int rc =
        take(option, equals != NULL ? equals + 1 : "", arguments, ret_problem);
    return rc < 0 ? rc : 1;
  }
  if (left < 2) {
    return peri_problem_set(ret_problem, PERI_EINVAL, "%s needs a value",
                            option->name);
  }
  int rc = take(option, argv[1], arguments, ret_problem);
  return rc < 0 ? rc : 2;
}

int peri_cli_arguments_parse(int argc, const char *const *argv, unsigned flags,
                             const char **words,
                             struct peri_cli_arguments *ret_arguments,
                             struct peri_problem *ret_problem) {
  struct peri_cli_arguments arguments = {
      .target = "127.0.0.1:7400",
      .config = "perigee.lua",
      .timeout_ms = 10000,
      .ttl_ns = -1,
      .words = words,
  };
  bool only_words = false;
  for (int i = 0; i < argc;) {
    if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
      words[arguments.word_count++] = argv[i++];
    } else if (strcmp(argv[i], "--") == 0) {
      only_words = true;
      i++;
    } else {
      int taken =
          take_option(argc - i, argv + i, flags, &arguments, ret_problem);
      if (taken < 0) {
        return taken;
      }
      i += taken;
    }
  }
  *ret_arguments = arguments;
  return 0;
}
