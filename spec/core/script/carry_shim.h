#pragma once

#include "script/vm.h"

/// Evaluates `text` in the VM `from`, and makes what it gives the global
/// `carried` of `to`. @return 0 or the failure of either, with its words there.
int carry_shim(struct peri_vm *from, const char *text, struct peri_vm *to);
