/*
 * Where copies live, and how they die: of rows (metric_copy.h), and of blocks that rows
 * and snapshots refer to (metric_told). Private to core/metric.
 *
 * One aggregate makes copies and replaces them; its snapshots hold those that were
 * current when they were taken. Nobody counts references: snapshots have ages, a
 * copy knows the first snapshot that may hold it, and one that is replaced waits with
 * the youngest snapshot that holds it. When that one is freed, it goes on to the next
 * older one that holds it, or its memory is used again. So a snapshot costs what has
 * changed since the one before, however many rows there are.
 *
 * gather, take, replace and enter are of the thread that feeds the aggregate; snapshots may be
 * freed by any thread. The lock is a leaf lock.
 */
#ifndef METRIC_STORE_H
#define METRIC_STORE_H

#include "etwc_base.h"

/* Begins a copy. */
typedef struct metric_stored {
    struct metric_stored *next; /* among the replaced, or the free */
    uint64_t since;             /* age of the first snapshot that may hold it */
    uint32_t size_class;
} metric_stored;

/* A block as of a moment; its content is aligned for 64-bit numbers. */
typedef struct metric_told {
    metric_stored stored;
    size_t size; /* of the content */
    uint64_t content[];
} metric_told;

/* What a snapshot is to the store. */
typedef struct metric_holder {
    struct metric_holder *older, *younger;
    uint64_t age;
    metric_stored *replaced; /* copies that no younger snapshot holds */
} metric_holder;

typedef struct metric_store metric_store;

/* NULL when memory is out. */
ETWC_NODISCARD metric_store *metric_store_new(void);
/* Its aggregate goes, and has replaced all copies by nothing; the store lives as long
 * as a snapshot does. Accepts NULL. */
void metric_store_close(metric_store *store);

/* To be called before copies are made: has what nobody holds any more used for them. */
void metric_store_gather(metric_store *store);
/* Room for a copy of that size, which becomes current. NULL when memory is out. */
ETWC_NODISCARD metric_stored *metric_store_take(metric_store *store, size_t size);
/* The copy is no longer current. */
void metric_store_replace(metric_store *store, metric_stored *copy);
/* The same for a block, which is not zeroed; metric_told_replace accepts NULL. */
ETWC_NODISCARD metric_told *metric_told_take(metric_store *store, size_t size);
void metric_told_replace(metric_store *store, metric_told *told);
/* Whether no snapshot can hold the copy yet, so that it may still change. */
bool metric_store_is_new(const metric_store *store, const metric_stored *copy);
/* A snapshot holds all copies that are current now, until it leaves. */
void metric_store_enter(metric_store *store, metric_holder *snapshot);
/* From any thread. */
void metric_store_leave(metric_store *store, metric_holder *snapshot);

#endif
