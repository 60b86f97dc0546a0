/* Taking a snapshot: what has changed is copied, the rest is shared. */
#include "etwc_aggregate.h"
#include "etwc_alloc.h"
#include "metric_snapshot.h"

static void
fill_images(const etwc_aggregate *a, etwc_snapshot *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->image_count; i++) {
        if (a->images[i].row.row == METRIC_NONE)
            continue; /* a free place */
        to->images[kept] = a->images[i].row;
        to->images[kept++].row = a->processes[a->images[i].row.row].number;
    }
    to->image_count = kept;
}

/* What it reads times with, and what belongs to no row; all of it is shared, or in the
 * store. */
static void
fill_common(const etwc_aggregate *a, int64_t now, etwc_snapshot *to)
{
    to->clock = a->clock;
    to->timer_resolution_100ns = a->timer_resolution_100ns;
    to->wait_epoch = a->epoch;
    to->is_in_gap = a->open_gap_count != 0;
    to->first_interval =
        etwc_lifetimes_session(a->lifetimes)->first_sample_interval_100ns;
    to->strings = a->strings;
    etwc_strings_retain(to->strings);
    to->identity_strings = etwc_lifetimes_strings(a->lifetimes);
    etwc_strings_retain(to->identity_strings);
    metric_machine_fill(a, now, &to->machine);
    to->machine_details = metric_side_told(&a->machine_side);
    to->object_types = metric_block_told(&a->object_types);
    to->object_type_count = a->object_type_count;
    to->ended = metric_block_told(&a->ended);
    to->ended_kept = a->ended_kept;
    to->ended_total = a->ended_total;
    to->object_names = a->object_names;
    if (to->object_names != NULL)
        etwc_strings_retain(to->object_names);
}

static bool
allocate(const etwc_aggregate *a, unsigned what, etwc_snapshot *to)
{
    to->copies = etwc_malloc(a->visible_count * sizeof *to->copies);
    to->running = etwc_malloc(a->processor_count * sizeof *to->running);
    if (to->copies == NULL || to->running == NULL)
        return false;
    if (!metric_tables_allocate(a, what, to))
        return false;
    if (!(what & ETWC_SNAPSHOT_ALL))
        return true;
    to->image_count = a->image_count;
    to->images = etwc_calloc(to->image_count, sizeof *to->images);
    return to->images != NULL;
}

/* Nothing fails once it has entered the store. */
static bool
fill_copies(etwc_aggregate *a, unsigned what, etwc_snapshot *to)
{
    if (!metric_copies_update(a, (what & ETWC_SNAPSHOT_FRESH) != 0))
        return false;
    if (a->visible_count != 0)
        memcpy(to->copies, a->copies, a->visible_count * sizeof *to->copies);
    to->row_count = a->visible_count;
    to->heads = a->heads == NULL ? NULL : (const void *)a->heads->content;
    to->store = a->store;
    metric_store_enter(to->store, &to->holder);
    return true;
}

etwc_status
etwc_aggregate_snapshot(etwc_aggregate *a, int64_t raw_time, unsigned what,
                        etwc_snapshot **out, etwc_error *err)
{
    metric_numbers_compact(a);
    metric_store_gather(a->store);
    etwc_snapshot *to = etwc_calloc(1, sizeof *to);
    if (to == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    int64_t now = raw_time > a->last_raw_time ? raw_time : a->last_raw_time;
    /* INT64_MAX is the end of what has not ended: no time reaches it. */
    now -= now == INT64_MAX;
    bool is_ok = allocate(a, what, to) && metric_side_tell(a, &a->machine_side) &&
                 metric_block_tell(a, &a->object_types) &&
                 metric_block_tell(a, &a->ended);
    if (is_ok && now >= a->next_edge_raw_time)
        metric_gaps_pass(a, now);
    if (!is_ok || !fill_copies(a, what, to)) {
        etwc_snapshot_free(to);
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    }
    fill_common(a, now, to);
    if (what & ETWC_SNAPSHOT_ALL) {
        metric_tables_fill_threads(a, to);
        fill_images(a, to);
    }
    metric_running_fill(a, now, to);
    metric_tables_finish(a, to);
    metric_machine_fill_sums(a, to);
    *out = to;
    return ETWC_OK;
}
