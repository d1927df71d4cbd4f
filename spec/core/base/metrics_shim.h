#pragma once

#include "base/metrics.h"

/// Adds 1 to the metric and observes 1 ms, `rounds` times on each of `threads`
/// (at most 16) threads.
void shim_metrics_hammer(struct peri_metric *metric,
                         struct peri_histogram *histogram, int threads,
                         int rounds);

/// Appends "name{labels}=value;" for each series that is visited.
void shim_metrics_list(struct peri_metrics *metrics,
                       struct peri_buffer *buffer);
