/*
 * Which instance an id names, and when. Every id has a chain of spans: from when on
 * it named which instance. A span has no end of its own: an id names its last
 * instance, also a dead one, until it is given to the next.
 */
#ifndef METRIC_IDS_H
#define METRIC_IDS_H

#include "etwc_table.h"

typedef struct metric_span {
    int64_t from_raw_time;
    uint32_t index; /* of the instance */
} metric_span;

/* Nearly every id is given once, so the first span lies in the chain itself. */
typedef struct metric_chain {
    metric_span first;
    metric_span *spans; /* owned; NULL while there is one span */
    size_t capacity;
    uint32_t count;
} metric_chain;

typedef struct metric_ids {
    etwc_table table; /* id -> number of its chain */
    metric_chain *chains;
    size_t count, capacity;
    uint32_t free; /* chains without a span, through first.index; or ETWC_TABLE_NONE */
} metric_ids;

ETWC_NODISCARD bool metric_ids_init(metric_ids *ids);
void metric_ids_reset(metric_ids *ids); /* accepts what a failed init leaves */

/* Number of the instance that had the id at that time, and of the last one that
 * was given it; ETWC_TABLE_NONE when nobody was. */
uint32_t metric_ids_find(const metric_ids *ids, uint32_t id, int64_t raw_time);
uint32_t metric_ids_last(const metric_ids *ids, uint32_t id);
/* When the id passes on to the next instance; INT64_MAX: never. */
int64_t metric_ids_until(const metric_ids *ids, uint32_t id, int64_t raw_time);
/* Spans come in time order. False when memory is out. */
ETWC_NODISCARD bool metric_ids_give(metric_ids *ids, uint32_t id, metric_span span);

/* The instance never had the id; accepts one that has not. */
void metric_ids_take_back(metric_ids *ids, uint32_t id, uint32_t index);

/* The chain of an id, NULL when it has none, and its `count` spans. */
const metric_chain *metric_ids_chain(const metric_ids *ids, uint32_t id);
const metric_span *metric_chain_spans(const metric_chain *chain);

#endif
