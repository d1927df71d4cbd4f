#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

/// Reads a whole file, or standard input for "-", at most 64 MiB.
/// @return 0, PERI_EIO, PERI_ELIMIT or PERI_ENOMEM, with words.
int peri_cli_read(const char *file, struct peri_buffer *bytes,
                  struct peri_problem *ret_problem);

/// Takes the next JSON value's text from the front of `left`: values may stand
/// behind one another with or without white space. Says nothing about whether
/// it is valid. Empty at the end.
struct peri_slice peri_cli_next_json(struct peri_slice *left);
