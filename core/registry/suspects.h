#pragma once

#include "base/types.h"

struct peri_directory;
struct peri_loop;

/// Asks the suspects of a directory whether they still answer: a TCP connection
/// twice a second, 256 of them at the most (the others wait for their time to
/// be over). On the loop's thread.
struct peri_suspects;

/// @param gone  a suspect does not answer; called on the loop
/// @return 0 or PERI_ENOMEM.
int peri_suspects_new(struct peri_loop *loop,
                      void (*gone)(void *ctx, struct peri_slice address),
                      void *ctx, struct peri_suspects **ret_suspects);
/// Starts asking those that are new, and stops asking those that are suspect no
/// more.
void peri_suspects_sync(struct peri_suspects *suspects,
                        const struct peri_directory *directory);
/// NULL is fine.
void peri_suspects_free(struct peri_suspects *suspects);
