#pragma once

#include "cli/arguments.h"
#include "rpc/call.h"

/// The headers that were given with --header, as a call has them: names are
/// lower case there.
struct peri_cli_headers {
  struct peri_rpc_field fields[PERI_CLI_MOST_HEADERS];
  size_t count;
  char *names;  // of all of them
};

/// Values stay borrowed from the arguments. @return 0 or PERI_ENOMEM.
int peri_cli_headers_init(const struct peri_cli_arguments *arguments,
                          struct peri_cli_headers *ret_headers);
/// Frees what they hold.
void peri_cli_headers_done(struct peri_cli_headers *headers);

/// To be told of a call's trailers: prints each `perigee-explain` as a line on
/// standard error, so that standard output has nothing but the answer.
void peri_cli_explained(void *ctx, const struct peri_rpc_field *field);
