#pragma once

#include "base/types.h"

/// Counts answers.
struct link_answers {
  int count;
  int most;
};

/// For peri_cli_link_call(): PERI_ECANCELED for those beyond `most`.
int link_answer(void *ctx, struct peri_slice bytes);
