/*
 * What few processes have, beside their rows: made when it is first counted, and
 * shared with snapshots. Private to core/metric.
 */
#ifndef METRIC_SIDE_H
#define METRIC_SIDE_H

#include "etwc_snapshot.h"

/* Each is NULL or a block of etwc_shared.h. */
typedef struct metric_side {
    void *latencies[ETWC_LATENCY_COUNT]; /* etwc_histogram */
    void *disk_priorities;               /* uint64_t[ETWC_DISK_PRIORITIES] */
    void *objects;                       /* etwc_object_counts, by slot */
} metric_side;

struct etwc_aggregate;

/* Makes a block writable and that large, and counts its memory. False, with the
 * aggregate told, when memory is out. */
ETWC_NODISCARD bool metric_side_own(struct etwc_aggregate *a, void **block,
                                    size_t size);
void metric_side_reset(metric_side *side);
size_t metric_side_bytes(const metric_side *side);
/* Adds what `from` has to `to`; `from` is empty then. */
void metric_side_move(struct etwc_aggregate *a, metric_side *to, metric_side *from);
/* A reference to each block, for a snapshot; then one more, and their release. */
etwc_row_details metric_side_share(const metric_side *side);
void metric_details_retain(const etwc_row_details *details);
void metric_details_release(const etwc_row_details *details);

#endif
