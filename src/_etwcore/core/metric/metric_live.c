/*
 * The threads of a process that are alive, with it: a snapshot takes those of the
 * processes that have changed.
 */
#include "etwc_alloc.h"
#include "metric_rows.h"

static bool
live_reach(etwc_aggregate *a, metric_process *process)
{
    if (process->live_count < process->live_capacity)
        return true;
    uint32_t capacity = process->live_capacity == 0 ? 4 : process->live_capacity * 2;
    size_t bytes;
    if (capacity <= process->live_capacity ||
        !etwc_mul_size(capacity, sizeof *process->live, &bytes))
        return false;
    void *live = etwc_realloc(process->live, bytes);
    if (live == NULL)
        return false;
    process->live = live;
    a->live_bytes += bytes - process->live_capacity * sizeof *process->live;
    process->live_capacity = capacity;
    return true;
}

void
metric_live_add(etwc_aggregate *a, uint32_t thread)
{
    metric_thread_facts *facts = &a->thread_facts[thread];
    if (facts->live_at != METRIC_NONE)
        return;
    metric_process *process = metric_process_change(a, a->threads[thread].process);
    if (!live_reach(a, process)) {
        metric_out_of_memory(a);
        return;
    }
    process->live[process->live_count] =
        (etwc_live_thread){.thread_id = facts->thread_id, .thread = thread};
    facts->live_at = process->live_count++;
    a->live_count++;
    process->row.gauges.thread_count++;
    (void)metric_thread_change(a, thread);
}

void
metric_live_update(etwc_aggregate *a)
{
    while (a->changed_thread_count != 0) {
        metric_thread *row = &a->threads[a->changed_threads[--a->changed_thread_count]];
        const metric_thread_facts *facts = metric_facts_of(a, row);
        row->is_changed = 0;
        if (facts->live_at == METRIC_NONE)
            continue;
        metric_process *process = metric_process_change(a, row->process);
        etwc_live_thread *live = &process->live[facts->live_at];
        live->active_raw_time = row->active;
        live->affinity_mask = facts->affinity_mask;
        live->epoch = row->epoch;
        live->state = (uint8_t)metric_state_of(row);
        live->wait_reason = metric_wait_reason(a, row);
    }
}

void
metric_live_remove(etwc_aggregate *a, uint32_t thread)
{
    const metric_thread *row = &a->threads[thread];
    uint32_t at = a->thread_facts[thread].live_at;
    if (at == METRIC_NONE)
        return;
    metric_process *process = metric_process_change(a, row->process);
    const etwc_live_thread *last = &process->live[--process->live_count];
    process->live[at] = *last;
    a->thread_facts[last->thread].live_at = at;
    a->thread_facts[thread].live_at = METRIC_NONE;
    a->live_count--;
    process->row.gauges.thread_count--;
    if (row->active != INT64_MIN || row->state == ETWC_THREAD_RUNNING)
        process->row.counters.active_threads_ended++;
    metric_wait_set_state(a, thread, ETWC_THREAD_TERMINATED);
}

void
metric_live_free(etwc_aggregate *a, metric_process *process)
{
    etwc_free(process->live);
    a->live_count -= process->live_count;
    a->live_bytes -= process->live_capacity * sizeof *process->live;
    process->live = NULL;
    process->live_count = process->live_capacity = 0;
}
