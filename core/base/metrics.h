#pragma once

#include "base/buffer.h"
#include "base/types.h"

/// The process's metrics: counters, gauges and histograms with labels, written
/// by any thread with relaxed atomics and rendered as Prometheus text
/// (exposition format 0.0.4). Families and series live as long as the registry.
struct peri_metrics;
/// One series of a counter or gauge. Increments are spread over cache lines by
/// thread, so that workers do not fight over one.
struct peri_metric;
/// One series of a histogram of seconds with fixed buckets 100 µs … 10 s.
struct peri_histogram;

/// An empty registry, or NULL when out of memory.
struct peri_metrics *peri_metrics_new(void);
/// Every series must be out of use.
void peri_metrics_free(struct peri_metrics *metrics);

/// Finds or makes a series. `name` follows Prometheus conventions
/// (`perigee_…_total`, `_seconds`, `_bytes`); `help` is one sentence. `labels`
/// is NULL or written ready, as `group="countries",result="hit"`, made by
/// peri_metrics_label() where a value is not a constant. Beyond 1,000 series a
/// family answers one shared series labelled `overflow="true"`, and beyond
/// 1,000 families there are no more, so hostile names cannot eat memory. Any
/// thread (takes a lock: keep the pointer). Never NULL: without memory, or
/// room, a shared discard series.
struct peri_metric *peri_metrics_counter(struct peri_metrics *metrics,
                                         const char *name, const char *help,
                                         const char *labels);
struct peri_metric *peri_metrics_gauge(struct peri_metrics *metrics,
                                       const char *name, const char *help,
                                       const char *labels);
struct peri_histogram *peri_metrics_histogram(struct peri_metrics *metrics,
                                              const char *name,
                                              const char *help,
                                              const char *labels);

/// Writes `name="value"` with the value escaped into `ret_text`, appending a
/// comma first when it is not empty. Returns false, leaving it as it was, when
/// it does not fit.
bool peri_metrics_label(char *ret_text, size_t capacity, const char *name,
                        struct peri_slice value);

/// Adds `amount`, which for a gauge may be negative. Any thread.
void peri_metric_add(struct peri_metric *metric, int64_t amount);
/// For gauges: makes the value `value` (one writer thread only).
void peri_metric_set(struct peri_metric *metric, int64_t value);
/// The sum over all threads. Any thread.
int64_t peri_metric_value(const struct peri_metric *metric);
/// Counts what took `ns` nanoseconds. Any thread.
void peri_histogram_observe(struct peri_histogram *histogram, uint64_t ns);

/// Appends all families in Prometheus text form. Any thread.
/// @return 0 or PERI_ENOMEM.
int peri_metrics_render(struct peri_metrics *metrics, struct peri_buffer *text);

/// Calls `visit` for each counter and gauge series. Any thread; `visit` runs
/// under the registry's lock and must not call back into it.
void peri_metrics_each(struct peri_metrics *metrics,
                       void (*visit)(void *ctx, const char *name,
                                     const char *labels, int64_t value),
                       void *ctx);
