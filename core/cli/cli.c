#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/verbs.h"

enum {
  CALL = PERI_CLI_TARGET | PERI_CLI_TIMEOUT,
  MANY = 1000000  // words
};

struct verb {
  const char *name;
  const char *usage;  // behind the name
  const char *summary;
  const char *more;  // paragraphs of --help, ending with a newline
  unsigned flags;
  size_t least_words;
  size_t most_words;
  int (*run)(const struct peri_cli_run *run);
};

// `serve` stands here for the lists only: the program runs it elsewhere.
static const struct verb verbs[] = {
    {"serve", "[--config FILE]", "run a sidecar in the foreground",
     "See perigee serve --help.\n", 0, 0, 0, NULL},
    {"check", "[--config FILE]", "check a configuration and its policies",
     "Evaluates FILE (./perigee.lua when not given) and loads every policy\n"
     "that it names, as `perigee serve` would.\n",
     PERI_CLI_CONFIG, 0, 0, peri_cli_check},
    {"get", "GROUP KEY", "print a value",
     "Prints the value's bytes, and a newline when they do not end with one.\n"
     "--json prints group, key, expire (Unix time in nanoseconds, or null) "
     "and\n"
     "value, which is called value_base64 when it is not UTF-8.\n",
     CALL | PERI_CLI_JSON | PERI_CLI_HEADER, 2, 2, peri_cli_get},
    {"set", "GROUP KEY VALUE|-", "store a value at its owner",
     "VALUE - reads the value from standard input. Without --ttl the group's\n"
     "own counts.\n",
     CALL | PERI_CLI_TTL | PERI_CLI_HEADER, 3, 3, peri_cli_set},
    {"remove", "GROUP KEY...", "remove values at their owners",
     "A key that is not there counts as removed.\n", CALL | PERI_CLI_HEADER, 2,
     MANY, peri_cli_remove},
    {"call", "SERVICE/METHOD [JSON|-]", "call any method of any service",
     "The target's reflection says what the method takes, unless --raw sends\n"
     "the bytes of FILE (- is standard input) and prints those of the "
     "answers.\n"
     "JSON is the request, {} when not given, in protobuf's JSON mapping; -\n"
     "reads it, or several for a stream, from standard input. Answers are one\n"
     "line of JSON each, indented on a terminal. --header "
     "perigee-service=NAME\n"
     "makes a sidecar forward the call, and the reflection, to that service.\n"
     "With --header perigee-explain=1 it tells on standard error where the "
     "call\n"
     "went, and why.\n",
     CALL | PERI_CLI_HEADER | PERI_CLI_RAW, 1, 2, peri_cli_invoke},
    {"peers", "[SERVICE]", "show the services and endpoints that it knows",
     "A suspect endpoint is gone from the registry but still answers.\n"
     "Naming a SERVICE makes an etcd registry look for it, so ask again.\n",
     CALL | PERI_CLI_JSON, 0, 1, peri_cli_peers},
    {"services", "[NAME]", "show how current that knowledge is",
     "For every service: whether it is live, stale (etcd cannot be asked) or\n"
     "syncing (never read yet), how many endpoints it has, how many of them "
     "are\n"
     "suspect (gone from the registry, but they answer), how many records are\n"
     "invalid, the last revision, and the age of all this. Below: the "
     "registry,\n"
     "the lease, and what this sidecar registers itself.\n",
     CALL | PERI_CLI_JSON, 0, 1, peri_cli_services},
    {"policy", "list|reload|rollback [NAME]",
     "show, reload and roll back policies",
     "list: every policy in use with its version, state, calls, errors, "
     "memory\n"
     "(of all workers together) and file; below, why an edit was refused or a\n"
     "policy is switched off. reload: takes over what was edited, and makes "
     "NAME\n"
     "anew in any case; all workers switch or none does, and the status is 1\n"
     "when an edit was refused. rollback: the version before NAME's runs "
     "again.\n"
     "NAME is as cheap or balancer/cheap; reload \"*\" makes all anew.\n",
     CALL | PERI_CLI_JSON, 1, 2, peri_cli_policy},
    {"explain", "[SERVICE/METHOD | GROUP KEY]",
     "tell where calls and keys go, and why",
     "Without words: the last decisions of all workers, the newest last. With "
     "a\n"
     "SERVICE/METHOD, or a GROUP and a KEY: what would be decided now; nothing "
     "is\n"
     "sent. A call with the header perigee-explain: 1 gets the same in its\n"
     "trailers; get, set, remove and call print it (--header "
     "perigee-explain=1).\n",
     CALL | PERI_CLI_JSON | PERI_CLI_HEADER | PERI_CLI_AUTHORITY, 0, 2,
     peri_cli_explain},
    {"stats", "[PREFIX]", "show counters and gauges",
     "PREFIX chooses those whose name begins so, as perigee_cache.\n",
     CALL | PERI_CLI_JSON, 0, 1, peri_cli_stats},
    {"version", "", "print the version", "", PERI_CLI_JSON, 0, 0,
     peri_cli_version},
};

enum { VERB_COUNT = sizeof(verbs) / sizeof(verbs[0]), USAGE_WIDTH = 24 };

struct option_help {
  unsigned flag;
  const char *text;
};

static const struct option_help option_helps[] = {
    {PERI_CLI_TARGET,
     "  --target ADDR   app listener of a sidecar, host:port or unix:PATH\n"
     "                  (127.0.0.1:7400)\n"},
    {PERI_CLI_TIMEOUT, "  --timeout TIME  longest wait for the answer (10s)\n"},
    {PERI_CLI_TTL,
     "  --ttl TIME      how long the value lives, as 30s or 1h\n"},
    {PERI_CLI_HEADER, "  --header N=V    a header of the call, any number\n"},
    {PERI_CLI_AUTHORITY,
     "  --authority A   the call's authority (the target)\n"},
    {PERI_CLI_RAW, "  --raw FILE|-    send bytes as they are, print bytes\n"},
    {PERI_CLI_CONFIG, "  --config FILE   configuration (./perigee.lua)\n"},
    {PERI_CLI_JSON, "  --json          print JSON\n"},
};

static const char exit_help[] =
    "Exit status: 0 done, 1 failed at run time, 2 wrong usage or wrong\n"
    "configuration, 4 there is no such value or group.\n";

int peri_cli_version(const struct peri_cli_run *run) {
  if (run->arguments->json) {
    printf("{\"version\": \"%s\"}\n", PERI_VERSION);
  } else {
    printf("perigee %s\n", PERI_VERSION);
  }
  return PERI_CLI_OK;
}

static void print_help(FILE *to) {
  fprintf(to,
          "perigee: a Lua-scriptable sidecar that finds, calls and caches\n\n");
  for (size_t i = 0; i < VERB_COUNT; i++) {
    char usage[64];
    snprintf(usage, sizeof(usage), "%s %s", verbs[i].name, verbs[i].usage);
    if (strlen(usage) > USAGE_WIDTH) {
      // A long one has a line of its own.
      fprintf(to, "  %s\n", usage);
      usage[0] = '\0';
    }
    fprintf(to, "  %-*s %s\n", USAGE_WIDTH, usage, verbs[i].summary);
  }
  fprintf(to, "\nperigee VERB --help says more about each.\n%s", exit_help);
}

static void print_verb_help(const struct verb *verb) {
  printf("perigee %s%s%s\n  %s\n\n%s", verb->name,
         verb->usage[0] != '\0' ? " " : "", verb->usage, verb->summary,
         verb->more);
  size_t count = sizeof(option_helps) / sizeof(option_helps[0]);
  for (size_t i = 0; i < count; i++) {
    if ((verb->flags & option_helps[i].flag) != 0) {
      fputs(option_helps[i].text, stdout);
    }
  }
  fputs(exit_help, stdout);
}

static const struct verb *find(const char *name) {
  for (size_t i = 0; i < VERB_COUNT; i++) {
    if (strcmp(verbs[i].name, name) == 0) {
      return &verbs[i];
    }
  }
  return NULL;
}

static int unknown(const char *name) {
  const char *names[VERB_COUNT];
  for (size_t i = 0; i < VERB_COUNT; i++) {
    names[i] = verbs[i].name;
  }
  const char *near = peri_text_nearest(name, names, VERB_COUNT);
  if (near != NULL) {
    fprintf(stderr, "perigee: there is no verb %s; did you mean %s?\n", name,
            near);
  } else {
    fprintf(stderr, "perigee: there is no verb %s; see perigee help\n", name);
  }
  return PERI_CLI_USAGE;
}

static int help(int argc, const char *const *argv) {
  const struct verb *verb = argc > 1 ? find(argv[1]) : NULL;
  if (argc > 1 && verb == NULL) {
    return unknown(argv[1]);
  }
  if (verb != NULL) {
    print_verb_help(verb);
  } else {
    print_help(stdout);
  }
  return PERI_CLI_OK;
}

static int run_verb(const struct verb *verb, int argc, const char *const *argv,
                    const char **words, struct peri_cli_run *run) {
  struct peri_cli_arguments arguments;
  struct peri_problem problem = {0, ""};
  if (peri_cli_arguments_parse(argc, argv, verb->flags, words, &arguments,
                               &problem) < 0) {
    fprintf(stderr, "perigee: %s: %s\n", verb->name, problem.text);
    return PERI_CLI_USAGE;
  }
  if (arguments.help) {
    print_verb_help(verb);
    return PERI_CLI_OK;
  }
  if (verb->run == NULL || arguments.word_count < verb->least_words ||
      arguments.word_count > verb->most_words) {
    fprintf(stderr, "perigee: use it as: perigee %s %s\n", verb->name,
            verb->usage);
    return PERI_CLI_USAGE;
  }
  run->arguments = &arguments;
  return verb->run(run);
}

int peri_cli_main(int argc, const char *const *argv, const char *lua_dir,
                  const char *plugins_dir, const char *folders_problem) {
  struct peri_cli_run run = {NULL, lua_dir, plugins_dir, folders_problem};
  if (argc < 1) {
    print_help(stderr);
    return PERI_CLI_USAGE;
  }
  if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 ||
      strcmp(argv[0], "-h") == 0) {
    return help(argc, argv);
  }
  if (strcmp(argv[0], "--version") == 0) {
    puts("perigee " PERI_VERSION);
    return PERI_CLI_OK;
  }
  const struct verb *verb = find(argv[0]);
  if (verb == NULL) {
    return unknown(argv[0]);
  }
  const char **words = calloc((size_t)argc, sizeof(*words));
  if (words == NULL) {
    fprintf(stderr, "perigee: out of memory\n");
    return PERI_CLI_FAILURE;
  }
  int status = run_verb(verb, argc - 1, argv + 1, words, &run);
  free(words);
  return status;
}
