#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_cli_link;
struct peri_rpc_request;
struct peri_schema;

/// Asks the server's reflection, v1 or else v1alpha, for the file that declares
/// `service` and for all that it imports.
/// @param request  its metadata and timeout go with every question
/// @return 0; PERI_ENOTFOUND: the server has no such service; PERI_EUNSUPPORTED
/// (no reflection), PERI_ECONNECT, PERI_ETIMEOUT, PERI_EPROTO, PERI_EINVAL or
/// PERI_ENOMEM, with words.
int peri_cli_resolve(struct peri_cli_link *link,
                     const struct peri_rpc_request *request,
                     struct peri_slice service, struct peri_schema *schema,
                     struct peri_problem *ret_problem);
