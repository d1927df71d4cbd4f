#pragma once

#include "script/script_shim.h"

/// Lets the VMs that are made from now on collect garbage all the time.
void hostile_shim_stress(struct script_shim *shim);

/// This thread's processor time.
uint64_t hostile_shim_cpu_ns(void);

/// By how much this build lengthens the budgets.
int hostile_shim_slowdown(void);
