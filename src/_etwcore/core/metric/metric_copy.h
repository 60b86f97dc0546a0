/*
 * Rows as snapshots hold them. A copy never changes once it was made, does not
 * depend on the moment it is looked at, and is shared by all snapshots until its
 * process changes: a snapshot costs what has happened since the one before. The
 * store (metric_store.h) knows who still holds one. Private to core/metric.
 */
#ifndef METRIC_COPY_H
#define METRIC_COPY_H

#include "etwc_aggregate.h"
#include "metric_store.h"

/* Times of one kind, of all threads of a process. A time that is under way counts
 * up to any moment: its part is that moment less its begin. */
typedef struct metric_wait {
    uint64_t ticks;      /* of those that have ended */
    uint64_t begin_sum;  /* of those under way; wraps */
    uint32_t open_count; /* number of those under way */
    uint32_t reason;     /* KWAIT_REASON; of METRIC_READY: none */
} metric_wait;

/* Places in the waits of a process. */
enum {
    METRIC_READY = 0, /* waits for a processor; the others wait for something else */
    METRIC_NOT_WAITING = 255
};

/* Ticks up to that moment; `counts_open`: of those under way, too. */
static inline uint64_t
metric_wait_so_far(const metric_wait *wait, bool counts_open, int64_t now)
{
    if (!counts_open)
        return wait->ticks;
    return wait->ticks + wait->open_count * (uint64_t)now - wait->begin_sum;
}

typedef struct metric_copy {
    metric_stored stored;
    etwc_plain_row row; /* the end is told although it may lie ahead */
    etwc_row_texts texts;
    etwc_row_details details; /* held by the store, like the copy */
    int64_t end_raw_time;     /* looked at before it, the process has not ended */
    uint64_t samples_kernel_unweighted, samples_user_unweighted;
    uint32_t wait_epoch, wait_count, live_count;
    metric_wait waits[]; /* as in the process; after them, its living threads */
} metric_copy;

static inline etwc_live_thread *
metric_copy_live(metric_copy *copy)
{
    return (etwc_live_thread *)(void *)(copy->waits + copy->wait_count);
}

/* What says whether a row is in an interval: of all rows, one after the other. */
typedef struct metric_head {
    uint64_t row_id;
    int64_t end_raw_time; /* INT64_MAX: it has not ended */
    int64_t end_filetime;
    uint32_t process_id;
    uint32_t has_name;
} metric_head;

/* Makes anew the copies of what has changed, or of all; false when memory is out. */
ETWC_NODISCARD bool metric_copies_update(etwc_aggregate *a, bool is_all);

#endif
