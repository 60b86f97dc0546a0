/*
 * Loss whose place is known: while events of a processor may be missing, nobody knows
 * who runs there, nor what threads that do not run elsewhere wait for
 * (event-decoding.md, 14.8). Its state machine begins anew with the first switch after
 * that; the epoch of all waits ends with the beginning.
 */
#include <stdlib.h>

#include "etwc_alloc.h"
#include "metric_rows.h"

static int
compare_edges(const void *left, const void *right)
{
    const metric_gap_edge *a = left, *b = right;
    if (a->raw_time != b->raw_time)
        return a->raw_time < b->raw_time ? -1 : 1;
    /* One that begins where another ends leaves no time between them. */
    return (int)a->is_end - (int)b->is_end;
}

bool
metric_gaps_init(etwc_aggregate *a, const etwc_gap *gaps, size_t count)
{
    a->next_edge_raw_time = INT64_MAX;
    a->edges = etwc_calloc(2 * count, sizeof *a->edges);
    a->epoch_ends = etwc_calloc(2 * count + 1, sizeof *a->epoch_ends);
    if (a->edges == NULL || a->epoch_ends == NULL)
        return false;
    a->epoch_capacity = 2 * count + 1;
    for (size_t i = 0; i < count; i++) {
        if (!metric_processors_reach(a, gaps[i].processor))
            return false;
        a->edges[a->edge_count++] =
            (metric_gap_edge){gaps[i].begin_raw_time, gaps[i].processor, false};
        if (gaps[i].end_raw_time != INT64_MAX)
            a->edges[a->edge_count++] =
                (metric_gap_edge){gaps[i].end_raw_time, gaps[i].processor, true};
    }
    qsort(a->edges, a->edge_count, sizeof *a->edges, compare_edges);
    if (a->edge_count != 0)
        a->next_edge_raw_time = a->edges[0].raw_time;
    return true;
}

/* Times that are under way count up to `end`, or not at all when it is INT64_MIN. */
static void
epoch_end(etwc_aggregate *a, int64_t end)
{
    void *ends = a->epoch_ends;
    if (!etwc_grow(&ends, &a->epoch_capacity, (size_t)a->epoch + 1,
                   sizeof *a->epoch_ends)) {
        metric_out_of_memory(a);
        return;
    }
    a->epoch_ends = ends;
    a->epoch_ends[a->epoch++] = end;
    metric_processes_change(a);
}

static void
edge_pass(etwc_aggregate *a, const metric_gap_edge *edge, int64_t now)
{
    metric_processor *p = &a->processors[edge->processor];
    if (edge->is_end) {
        if (--p->gap_count != 0)
            return;
        metric_run_forget(a, edge->processor, now);
        if (--a->open_gap_count == 0)
            epoch_end(a, now); /* states that were told in the gap may be outdated */
        return;
    }
    if (p->gap_count++ != 0)
        return;
    a->gaps++;
    p->has_had_gap = true;
    metric_run_forget(a, edge->processor, now);
    if (a->open_gap_count++ == 0)
        epoch_end(a, now);
}

void
metric_gaps_pass(etwc_aggregate *a, int64_t now)
{
    while (a->next_edge < a->edge_count && a->edges[a->next_edge].raw_time <= now) {
        const metric_gap_edge *edge = &a->edges[a->next_edge++];
        int64_t at = edge->raw_time;
        if (at < a->begin_raw_time)
            at = a->begin_raw_time;
        edge_pass(a, edge, at);
    }
    a->next_edge_raw_time =
        a->next_edge < a->edge_count ? a->edges[a->next_edge].raw_time : INT64_MAX;
}

uint32_t
metric_gaps_open(const etwc_aggregate *a)
{
    uint32_t count = 0;
    for (size_t i = 0; i < a->processor_count; i++) {
        const metric_processor *p = &a->processors[i];
        bool has_stopped =
            p->thread == METRIC_NONE && a->seen[ETWC_SOURCE_switches] != 0;
        count += p->gap_count != 0 || (p->has_had_gap && has_stopped);
    }
    return count;
}

void
metric_apply_lost(etwc_aggregate *a, int64_t now)
{
    a->lost_records++;
    for (size_t i = 0; i < a->processor_count; i++)
        metric_run_forget(a, (uint32_t)i, now);
    epoch_end(a, INT64_MIN); /* nobody says since when */
}
