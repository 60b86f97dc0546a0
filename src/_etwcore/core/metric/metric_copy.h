/*
 * Rows as snapshots hold them. A copy never changes once it was made, does not
 * depend on the moment it is looked at, and is shared by all snapshots until its
 * process changes: a snapshot costs what has happened since the one before.
 * Private to core/metric.
 */
#ifndef METRIC_COPY_H
#define METRIC_COPY_H

#include "etwc_aggregate.h"
#include "etwc_atomic.h"

typedef struct metric_copy {
    etwc_atomic_size references;
    etwc_process_row row; /* without times; the end is told although it may lie ahead */
    etwc_row_texts texts;
    int64_t end_raw_time; /* looked at before it, the process has not ended */
    uint64_t samples_kernel_unweighted, samples_user_unweighted;
} metric_copy;

/* NULL when memory is out. */
ETWC_NODISCARD metric_copy *metric_copy_new(etwc_aggregate *a, uint32_t process);
ETWC_NODISCARD metric_copy *metric_copy_duplicate(const metric_copy *copy);
void metric_copy_retain(metric_copy *copy);
void metric_copy_release(metric_copy *copy); /* accepts NULL */
/* Whether nobody else holds it, so that its one holder may write. */
bool metric_copy_is_private(metric_copy *copy);

/* Makes anew the copies of what has changed, or of all; false when memory is out. */
ETWC_NODISCARD bool metric_copies_update(etwc_aggregate *a, bool is_all);

#endif
