#pragma once

#include "base/buffer.h"

/// Appends what Prometheus calls process metrics, in its text form: resident
/// memory, CPU time, start time, open and allowed descriptors, threads. What
/// the system does not tell is left out. @return 0 or PERI_ENOMEM.
int peri_process_render(struct peri_buffer *text);
