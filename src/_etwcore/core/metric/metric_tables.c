/* Rows of threads and processors in a snapshot, and tables of an interval. */
#include <stdlib.h>

#include "etwc_alloc.h"
#include "metric_snapshot.h"

bool
metric_tables_allocate(const etwc_aggregate *a, unsigned what, etwc_snapshot *to)
{
    to->processor_count = a->processor_count;
    to->processors = etwc_calloc(to->processor_count, sizeof *to->processors);
    if (to->processors == NULL)
        return false;
    if (!(what & ETWC_SNAPSHOT_ALL))
        return true;
    to->thread_count = a->thread_count;
    to->threads = etwc_calloc(to->thread_count, sizeof *to->threads);
    return to->threads != NULL;
}

/* ---- Threads ---------------------------------------------------------------------- */

static void
fill_life(const etwc_aggregate *a, const etwc_thread_life *life, int64_t now,
          etwc_thread_row *row)
{
    row->name = life->name;
    if (life->begin_raw_time != INT64_MIN)
        row->begin_filetime = etwc_clock_filetime(&a->clock, life->begin_raw_time);
    if (life->end_raw_time <= now)
        row->end_filetime = etwc_clock_filetime(&a->clock, life->end_raw_time);
}

static void
fill_thread(const etwc_aggregate *a, const metric_thread *thread, int64_t now,
            etwc_thread_row *row)
{
    const metric_thread_facts *facts = metric_facts_of(a, thread);
    const metric_process *process = &a->processes[thread->process];
    bool is_owned = process->number != METRIC_NONE;
    *row = (etwc_thread_row){
        .row_id = facts->row_id,
        .run_ticks = thread->run_ticks,
        .ready_ticks = thread->ready_ticks,
        .wait_ticks = thread->wait_ticks,
        .context_switches = thread->context_switches,
        .voluntary_switches = thread->voluntary_switches,
        .involuntary_switches = facts->involuntary_switches,
        .migrations = thread->migrations,
        .samples = facts->samples,
        .cycles = facts->cycles,
        .known = facts->known | (facts->has_ticks ? ETWC_THREAD_TICKS : 0u) |
                 (facts->cycles != 0 ? ETWC_THREAD_CYCLES : 0u),
        .affinity_mask = facts->affinity_mask,
        .base_priority = facts->base_priority,
        .kernel_ticks = facts->kernel_ticks,
        .user_ticks = facts->user_ticks,
        .thread_id = facts->thread_id,
        .process_id = is_owned ? process->row.process_id : ETWC_NO_ID,
        .row = is_owned ? process->number : ETWC_NO_ID,
        .state = ETWC_THREAD_UNKNOWN,
        .processor =
            thread->processor == METRIC_NO_PROCESSOR ? METRIC_NONE : thread->processor,
    };
    if (metric_wait_is_known(a, thread)) {
        row->state = (uint8_t)metric_state_of(thread);
        if (thread->state == ETWC_THREAD_WAITING)
            row->wait_reason = metric_wait_reason(a, thread);
    }
    int64_t end = thread->epoch == a->epoch ? now : a->epoch_ends[thread->epoch];
    if (thread->wait != METRIC_NOT_WAITING && end > thread->since)
        *(thread->wait == METRIC_READY ? &row->ready_ticks : &row->wait_ticks) +=
            (uint64_t)end - (uint64_t)thread->since;
    if (facts->life != METRIC_NONE)
        fill_life(a, etwc_lifetimes_thread_at(a->lifetimes, facts->life), now, row);
}

void
metric_tables_fill_threads(const etwc_aggregate *a, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->thread_count; i++)
        fill_thread(a, &a->threads[i], to->machine.raw_time, &to->threads[i]);
}

enum { REASON_SUSPENDED = 5, REASON_WR_SUSPENDED = 12 };

static void
count_live(const etwc_snapshot *snapshot, const etwc_live_thread *live,
           etwc_row_threads *out)
{
    bool is_known = (live->epoch == snapshot->wait_epoch && !snapshot->is_in_gap) ||
                    live->state == ETWC_THREAD_RUNNING ||
                    live->state == ETWC_THREAD_TERMINATED;
    bool has_state = is_known && live->state < ETWC_THREAD_STATES;
    out->states[has_state ? live->state : ETWC_THREAD_STATES]++;
    if (has_state && live->state == ETWC_THREAD_WAITING &&
        (live->wait_reason == REASON_SUSPENDED ||
         live->wait_reason == REASON_WR_SUSPENDED))
        out->suspended++;
    out->affinity_mask |= live->affinity_mask;
}

static bool
is_running(const metric_running *running, size_t count, uint32_t thread)
{
    for (size_t i = 0; i < count; i++)
        if (running[i].thread == thread)
            return true;
    return false;
}

void
etwc_snapshot_threads_of(const etwc_snapshot *snapshot, size_t index,
                         const etwc_snapshot *base, etwc_row_threads *out)
{
    *out = (etwc_row_threads){0};
    int64_t begin = base == NULL ? INT64_MIN + 1 : base->machine.raw_time;
    size_t count, running_count;
    const etwc_live_thread *live = etwc_snapshot_live(snapshot, index, &count);
    const metric_running *running =
        metric_running_find(snapshot, index, &running_count);
    bool has_time = snapshot->machine.raw_time > begin;
    for (size_t i = 0; i < count; i++) {
        count_live(snapshot, &live[i], out);
        out->active += live[i].active_raw_time >= begin ||
                       (has_time && is_running(running, running_count, live[i].thread));
    }
    const etwc_plain_row *row = &snapshot->copies[index]->row;
    out->active += row->counters.active_threads_ended;
    size_t before =
        base == NULL ? ETWC_NO_ROW : etwc_snapshot_find(base, row->row_id, index);
    if (before != ETWC_NO_ROW)
        out->active -= base->copies[before]->row.counters.active_threads_ended;
    if (row->known & ETWC_ROW_GROUPS)
        out->affinity_mask = 0;
}

/* ---- Processors ------------------------------------------------------------------- */

void
metric_tables_fill_processor(const etwc_aggregate *a, size_t processor,
                             uint64_t run_so_far, etwc_snapshot *to)
{
    const metric_processor *p = &a->processors[processor];
    etwc_processor_row *row = &to->processors[processor];
    *row = (etwc_processor_row){
        .wall_ticks = (uint64_t)to->machine.wall_ticks,
        .process_ticks = p->process_ticks,
        .idle_ticks = p->idle_ticks,
        .dpc_ticks = p->dpc_ticks,
        .isr_ticks = p->isr_ticks,
        .unknown_ticks = p->unknown_ticks,
        .context_switches = p->context_switches,
        .dpcs = p->dpcs,
        .isrs = p->isrs,
        .samples = p->samples,
        .number = (uint32_t)processor,
        .thread_id = ETWC_NO_ID,
    };
    if (p->thread == METRIC_NONE) {
        row->unknown_ticks += run_so_far;
    } else {
        row->thread_id = p->thread_id;
        *(p->thread_id == 0 ? &row->idle_ticks : &row->process_ticks) += run_so_far;
    }
    row->self_check_ticks =
        (int64_t)(row->process_ticks + row->idle_ticks + row->dpc_ticks +
                  row->isr_ticks + row->unknown_ticks - row->wall_ticks);
    row->wall_ns = metric_snapshot_ns(to, row->wall_ticks);
    row->process_ns = metric_snapshot_ns(to, row->process_ticks);
    row->idle_ns = metric_snapshot_ns(to, row->idle_ticks);
    row->dpc_ns = metric_snapshot_ns(to, row->dpc_ticks);
    row->isr_ns = metric_snapshot_ns(to, row->isr_ticks);
    row->unknown_ns = metric_snapshot_ns(to, row->unknown_ticks);
}

static int
compare_threads(const void *a, const void *b)
{
    uint64_t x = ((const etwc_thread_row *)a)->row_id;
    uint64_t y = ((const etwc_thread_row *)b)->row_id;
    return (x > y) - (x < y);
}

void
metric_tables_finish(const etwc_aggregate *a, etwc_snapshot *to)
{
    size_t kept = 0;
    bool is_sorted = true;
    for (size_t i = 0; i < to->thread_count; i++) {
        if (a->thread_facts[i].is_adopted)
            continue;
        etwc_thread_row *row = &to->threads[kept++];
        *row = to->threads[i];
        row->run_ns = metric_snapshot_ns(to, row->run_ticks);
        row->ready_ns = metric_snapshot_ns(to, row->ready_ticks);
        row->wait_ns = metric_snapshot_ns(to, row->wait_ticks);
        is_sorted &= kept == 1 || row[-1].row_id < row->row_id;
    }
    to->thread_count = kept;
    if (!is_sorted) /* places of those that have left were given to others */
        qsort(to->threads, kept, sizeof *to->threads, compare_threads);
}

/* ---- Tables of an interval ---------------------------------------------------------- */

static void
subtract(etwc_table_kind kind, void *row, const void *base)
{
    const etwc_column *column;
    for (size_t i = 0; (column = etwc_column_at(kind, i)) != NULL; i++) {
        if (!column->is_counted)
            continue;
        uint64_t value, less;
        memcpy(&value, (uint8_t *)row + column->offset, sizeof value);
        memcpy(&less, (const uint8_t *)base + column->offset, sizeof less);
        value -= less;
        memcpy((uint8_t *)row + column->offset, &value, sizeof value);
    }
}

static void
table_of_threads(const etwc_snapshot *snapshot, const etwc_snapshot *base,
                 etwc_thread_row *out)
{
    size_t at = 0;
    for (size_t i = 0; i < snapshot->thread_count; i++) {
        out[i] = snapshot->threads[i];
        while (base != NULL && at < base->thread_count &&
               base->threads[at].row_id < out[i].row_id)
            at++;
        if (base != NULL && at < base->thread_count &&
            base->threads[at].row_id == out[i].row_id)
            subtract(ETWC_TABLE_THREADS, &out[i], &base->threads[at]);
    }
}

static void
table_of_processors(const etwc_snapshot *snapshot, const etwc_snapshot *base,
                    etwc_processor_row *out)
{
    for (size_t i = 0; i < snapshot->processor_count; i++) {
        out[i] = snapshot->processors[i];
        if (base != NULL && i < base->processor_count)
            subtract(ETWC_TABLE_PROCESSORS, &out[i], &base->processors[i]);
    }
}

void
etwc_snapshot_table(const etwc_snapshot *snapshot, etwc_table_kind kind,
                    const etwc_snapshot *base, void *out)
{
    switch (kind) {
    case ETWC_TABLE_THREADS:
        table_of_threads(snapshot, base, out);
        break;
    case ETWC_TABLE_PROCESSORS:
        table_of_processors(snapshot, base, out);
        break;
    default:
        for (size_t i = 0; i < snapshot->row_count; i++)
            etwc_snapshot_difference(snapshot, i, base, (etwc_process_row *)out + i);
        break;
    }
}

size_t
etwc_snapshot_table_count(const etwc_snapshot *snapshot, etwc_table_kind kind)
{
    switch (kind) {
    case ETWC_TABLE_THREADS:
        return snapshot->thread_count;
    case ETWC_TABLE_PROCESSORS:
        return snapshot->processor_count;
    default:
        return snapshot->row_count;
    }
}

/* ---- Threads that have ended ------------------------------------------------------- */

const etwc_ended_thread *
etwc_snapshot_ended(const etwc_snapshot *snapshot, const etwc_snapshot *base,
                    size_t *out_count)
{
    static const etwc_ended_thread nobody;
    uint64_t count = snapshot->ended_total - (base != NULL ? base->ended_total : 0);
    *out_count = 0;
    if (count > snapshot->ended_kept)
        return NULL;
    *out_count = (size_t)count;
    return count == 0 ? &nobody : snapshot->ended + (snapshot->ended_kept - count);
}
