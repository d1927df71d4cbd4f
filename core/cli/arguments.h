#pragma once

#include "base/error.h"
#include "base/types.h"

/// Options that a verb may take, as bits.
enum peri_cli_flag {
  PERI_CLI_TARGET = 1,
  PERI_CLI_JSON = 2,
  PERI_CLI_TIMEOUT = 4,
  PERI_CLI_TTL = 8,
  PERI_CLI_CONFIG = 16,
  PERI_CLI_HEADER = 32,
  PERI_CLI_RAW = 64,
  PERI_CLI_AUTHORITY = 128
};

/// How often --header may be given.
enum { PERI_CLI_MOST_HEADERS = 32 };

/// What follows a verb. Texts are borrowed from the arguments.
struct peri_cli_arguments {
  const char *target;     // "127.0.0.1:7400" by default; an address
  const char *config;     // "perigee.lua" by default
  uint64_t timeout_ms;    // 10,000 by default; never 0
  int64_t ttl_ns;         // -1 when not given
  const char *authority;  // NULL when not given
  const char *raw;        // a file, "-" for standard input, or NULL
  const char *headers[PERI_CLI_MOST_HEADERS];  // each name=value
  size_t header_count;
  bool json;
  bool help;
  const char *const *words;  // what is no option, in order
  size_t word_count;
};

/// Reads options and words in any order; `--` ends the options, `-` is a word,
/// `--name VALUE` and `--name=VALUE` are the same.
/// @param flags  the options allowed, of enum peri_cli_flag; --help always is
/// @param words  room for `argc` words, which ret_arguments->words points to
/// @return 0, or PERI_EINVAL with words that name what is right.
int peri_cli_arguments_parse(int argc, const char *const *argv, unsigned flags,
                             const char **words,
                             struct peri_cli_arguments *ret_arguments,
                             struct peri_problem *ret_problem);
