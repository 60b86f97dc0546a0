/* Runs that are under way: they count up to the moment of a snapshot, in it alone. */
#include "metric_snapshot.h"

/* There are as many as processors: few. */
static void
add_running(etwc_snapshot *to, metric_running running)
{
    size_t at = to->running_count++;
    for (; at > 0 && to->running[at - 1].number > running.number; at--)
        to->running[at] = to->running[at - 1];
    to->running[at] = running;
}

void
metric_running_fill(const etwc_aggregate *a, int64_t now, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->processor_count; i++) {
        const metric_processor *p = &a->processors[i];
        uint64_t ticks = metric_run_so_far(p, now);
        metric_tables_fill_processor(a, i, ticks, to);
        if (p->thread == METRIC_NONE || ticks == 0)
            continue;
        const metric_thread *thread = &a->threads[p->thread];
        const metric_process *process = &a->processes[thread->process];
        if (process->number == METRIC_NONE) {
            to->machine.unowned_ticks += ticks;
        } else {
            add_running(to, (metric_running){process->number, p->thread, ticks});
            to->do_dead_run |= to->heads[process->number].end_raw_time <= now;
            if (process->row.process_id == 0)
                to->machine.idle_ticks += ticks;
            else
                to->machine.process_ticks += ticks;
        }
        if (to->threads != NULL)
            to->threads[p->thread].run_ticks += ticks;
    }
}

const metric_running *
metric_running_find(const etwc_snapshot *snapshot, size_t index, size_t *out_count)
{
    size_t low = 0, high = snapshot->running_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->running[middle].number < index)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < snapshot->running_count && snapshot->running[end].number == index)
        end++;
    *out_count = end - low;
    return snapshot->running + low;
}

uint64_t
metric_running_of(const etwc_snapshot *snapshot, size_t index)
{
    size_t count;
    const metric_running *running = metric_running_find(snapshot, index, &count);
    uint64_t ticks = 0;
    for (size_t i = 0; i < count; i++)
        ticks += running[i].ticks;
    return ticks;
}
