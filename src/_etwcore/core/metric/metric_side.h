/*
 * What few processes have, beside their rows: made when it is first counted. What is
 * written is nobody else's; snapshots share a copy in the store, which is made when one
 * is taken, so that who writes allocates nothing in between. Private to core/metric.
 */
#ifndef METRIC_SIDE_H
#define METRIC_SIDE_H

#include "etwc_snapshot.h"
#include "metric_store.h"

/* Lies right before what is written. */
typedef struct metric_block_head {
    metric_told *told;   /* what snapshots share, as of the latest; or NULL */
    size_t size;         /* of the content */
    uint64_t is_changed; /* since told */
} metric_block_head;

/* Content is zeroed when it is made, and aligned for 64-bit numbers. */
typedef struct metric_block {
    metric_block_head *head; /* NULL before the first write */
} metric_block;

static inline void *
metric_block_content(const metric_block *block)
{
    return block->head == NULL ? NULL : block->head + 1;
}

static inline size_t
metric_block_size(const metric_block *block)
{
    return block->head == NULL ? 0 : block->head->size;
}

static inline void *
metric_block_told(const metric_block *block)
{
    return block->head == NULL || block->head->told == NULL
               ? NULL
               : block->head->told->content;
}

static inline size_t
metric_block_told_size(const metric_block *block)
{
    return block->head == NULL || block->head->told == NULL ? 0
                                                            : block->head->told->size;
}

typedef struct metric_side {
    metric_block latencies[ETWC_LATENCY_COUNT]; /* etwc_histogram */
    metric_block disk_priorities;               /* uint64_t[ETWC_DISK_PRIORITIES] */
    metric_block objects;                       /* etwc_object_counts, by slot */
} metric_side;

struct etwc_aggregate;

/* Makes a block that large, to be written: allocates only when it is not yet, and
 * counts its memory. False, with the aggregate told, when memory is out. */
ETWC_NODISCARD bool metric_block_write(struct etwc_aggregate *a, metric_block *block,
                                       size_t size);
/* Brings the copy for snapshots up to date. False when memory is out. */
ETWC_NODISCARD bool metric_block_tell(struct etwc_aggregate *a, metric_block *block);
void metric_block_reset(struct etwc_aggregate *a, metric_block *block);
size_t metric_block_bytes(const metric_block *block);
void metric_side_reset(struct etwc_aggregate *a, metric_side *side);
size_t metric_side_bytes(const metric_side *side);
/* Adds what `from` has to `to`; `from` is empty then. */
void metric_side_move(struct etwc_aggregate *a, metric_side *to, metric_side *from);
/* metric_block_tell for each block. */
ETWC_NODISCARD bool metric_side_tell(struct etwc_aggregate *a, metric_side *side);
/* The blocks as they were told, for a snapshot that enters the store before the next
 * are. */
etwc_row_details metric_side_told(const metric_side *side);

#endif
