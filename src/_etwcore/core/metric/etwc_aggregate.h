/*
 * From events to numbers per process: one aggregate is fed with every event, in
 * time order, and keeps rows that only grow. Rows belong to a process instance
 * (a pid that is reused makes a new row), or to a pid that records have named
 * without any process record.
 *
 * One thread at a time. Feeding does not allocate once the processes, threads
 * and images that occur are known, whatever snapshots were taken and are held.
 */
#ifndef ETWC_AGGREGATE_H
#define ETWC_AGGREGATE_H

#include "etwc_lifetime.h"
#include "etwc_snapshot.h"

typedef struct etwc_aggregate etwc_aggregate;

typedef struct etwc_aggregate_options {
    /* A table that was filled in a first pass over the same events; shared, and
     * not changed. With NULL the aggregate keeps its own as the events come: the
     * same totals, but what a thread did before its first record is given to its
     * process at that record. */
    const etwc_lifetimes *lifetimes;
    /* Sources that are known to be in the trace (index: etwc_metric_source), so that
     * CPU time does not change its source on the way. */
    bool present[ETWC_SOURCE_COUNT];
    bool has_packed_switches; /* all context switches are packed into batches */
    /* Sources that kernel classes are known to feed somewhere in the trace. Where both
     * they and manifest providers tell the same, only they are counted: from the
     * beginning when it is known here, else from their first record on. */
    bool classic[ETWC_SOURCE_COUNT];
    etwc_clock clock;
    int64_t begin_raw_time;          /* of the header event */
    uint32_t processors;             /* 0 when unknown */
    uint32_t timer_resolution_100ns; /* unit of header ticks; 0 when unknown */
    uint64_t limit_bytes;            /* of all rows; 0: none */
    /* Most rows at once; 0: as many as there are. When all are taken, the row that is
     * dead for the longest makes place for a new one: see etwc_machine_row. Lifetimes
     * of its own forget it then, so that memory is bounded however long it is fed. */
    uint32_t max_processes, max_threads, max_images;
    /* Times in which events are missing, in any order; copied. What begins, ends or
     * lies in them is not counted as run, wait or readiness of anybody. */
    const etwc_gap *gaps;
    size_t gap_count;
} etwc_aggregate_options;

/* Owned; `lifetimes` must outlive it. NULL when memory is out. */
ETWC_NODISCARD etwc_aggregate *
etwc_aggregate_new(const etwc_aggregate_options *options);
void etwc_aggregate_free(etwc_aggregate *aggregate); /* accepts NULL */

/* E_NOMEM and E_LIMIT leave the aggregate usable, without this event. */
ETWC_NODISCARD etwc_status etwc_aggregate_apply(etwc_aggregate *aggregate,
                                                const etwc_event *event,
                                                etwc_error *err);
/* The same for events one after the other, and faster when there are many threads.
 * *applied is how many were taken, the one that fails included. */
ETWC_NODISCARD etwc_status etwc_aggregate_apply_all(etwc_aggregate *aggregate,
                                                    const etwc_event *events,
                                                    size_t count, size_t *applied,
                                                    etwc_error *err);
/* Session clock of the latest event; begin_raw_time before the first. */
int64_t etwc_aggregate_last_raw_time(const etwc_aggregate *aggregate);

/* All consumers have seen what ended up to that time: its rows may leave without
 * anything being missed. */
void etwc_aggregate_release(etwc_aggregate *aggregate, int64_t raw_time);
/* Bytes of memory in use, shared lifetimes not counted. */
uint64_t etwc_aggregate_bytes(const etwc_aggregate *aggregate);

/* A copy of all rows as of raw_time (at least the latest event's time): runs
 * that are under way count up to it. `what` is ETWC_SNAPSHOT_*. Owned. */
ETWC_NODISCARD etwc_status etwc_aggregate_snapshot(etwc_aggregate *aggregate,
                                                   int64_t raw_time, unsigned what,
                                                   etwc_snapshot **out,
                                                   etwc_error *err);

#endif
