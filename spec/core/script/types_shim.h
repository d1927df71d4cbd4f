#pragma once

#include "base/types.h"

struct peri_vm;

/// Requires all of Perigee's modules in the VM and writes, for each type of
/// handle, one line for each of its methods and metamethods: "TYPE NAME".
/// @return what peri_vm_run() does.
int types_shim_list(struct peri_vm *vm, char *ret_text, size_t capacity);
