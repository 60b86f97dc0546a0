/* Thread records: how many there are, what they are told to be, and the ticks and
 * cycles of those that end. */
#include "metric_rows.h"

/* Threads begin with the base priority of their process, so the first one that is told
 * of says it, and as that is changed so is the process's. When it has ended, the next
 * one that is told of does. */
static void
base_priority_told(etwc_aggregate *a, uint32_t row, uint8_t priority)
{
    metric_thread_facts *thread = &a->thread_facts[row];
    uint32_t owner = a->threads[row].process;
    metric_process *process = &a->processes[owner];
    thread->base_priority = priority;
    thread->known |= ETWC_THREAD_PRIORITY;
    bool has_first =
        (process->row.known & ETWC_ROW_PRIORITY) &&
        a->thread_facts[process->base_priority_thread].live_at != METRIC_NONE;
    if (has_first && process->base_priority_thread != row)
        return;
    process = metric_process_change(a, owner);
    process->base_priority_thread = row;
    process->row.gauges.base_priority = priority;
    process->row.known |= ETWC_ROW_PRIORITY;
}

void
metric_apply_base_priority(etwc_aggregate *a, const etwc_event *event,
                           const etwc_kernel_priority *record)
{
    enum { SET_BASE_PRIORITY = 49 };
    if (record->which != SET_BASE_PRIORITY || record->thread_id == 0)
        return;
    uint32_t row = metric_thread_row(a, record->thread_id, event->raw_time);
    if (row != METRIC_NONE)
        base_priority_told(a, row, record->new_priority);
}

static void
affinity_told(etwc_aggregate *a, uint32_t row, uint64_t mask)
{
    (void)metric_thread_change(a, row);
    a->thread_facts[row].affinity_mask = mask;
    a->thread_facts[row].known |= ETWC_THREAD_AFFINITY;
}

void
metric_apply_affinity(etwc_aggregate *a, const etwc_event *event,
                      const etwc_kernel_affinity *record)
{
    if (record->thread_id == 0)
        return;
    uint32_t row = metric_thread_row(a, record->thread_id, event->raw_time);
    if (row == METRIC_NONE)
        return;
    affinity_told(a, row, record->affinity);
    /* A mask means other processors in another group: there is no union then. */
    if (record->group != 0)
        metric_process_change(a, a->threads[row].process)->row.known |= ETWC_ROW_GROUPS;
}

void
metric_apply_thread(etwc_aggregate *a, const etwc_event *event,
                    const etwc_kernel_record *record)
{
    const etwc_kernel_thread *said = &record->u.thread;
    int64_t now = event->raw_time;
    uint32_t row = METRIC_NONE;
    uint32_t process;
    if (said->thread_id == 0) {
        process = metric_process_row(a, said->process_id, now);
    } else {
        row = metric_thread_row(a, said->thread_id, now);
        process = row == METRIC_NONE ? METRIC_NONE : a->threads[row].process;
    }
    if (process == METRIC_NONE)
        return;
    etwc_plain_row *to = &metric_process_change(a, process)->row;
    to->known |= ETWC_ROW_THREADS;
    switch (record->type) {
    case ETWC_KERNEL_THREAD_START:
        to->counters.threads_started++;
        if (row != METRIC_NONE && a->threads[row].state == METRIC_STATE_UNKNOWN)
            metric_wait_set_state(a, row, ETWC_THREAD_INITIALIZED);
        break;
    case ETWC_KERNEL_THREAD_RUNDOWN_START:
        to->counters.threads_rundown_start++;
        break;
    case ETWC_KERNEL_THREAD_RUNDOWN_END:
        to->counters.threads_rundown_end++;
        break;
    case ETWC_KERNEL_THREAD_END:
        to->counters.threads_ended++;
        if (event->thread_id != ETWC_NO_ID && !(event->flags & ETWC_FLAG_NO_CPUTIME)) {
            to->counters.ended_kernel_ticks += event->kernel_ticks;
            to->counters.ended_user_ticks += event->user_ticks;
        }
        if (row == METRIC_NONE)
            return;
        metric_live_remove(a, row);
        metric_bounds_thread_died(a, row);
        return;
    default:
        return;
    }
    if (row == METRIC_NONE)
        return;
    if (record->fields & ETWC_HAS_PRIORITY) {
        metric_io_priority_told(a, row, said->io_priority);
        base_priority_told(a, row, said->base_priority);
    }
    if (record->fields & ETWC_HAS_AFFINITY)
        affinity_told(a, row, said->affinity);
    /* A rundown record of a thread that has ended does not bring it back. */
    uint32_t life = a->thread_facts[row].life;
    if (life == METRIC_NONE ||
        etwc_lifetimes_thread_at(a->lifetimes, life)->end_raw_time > now)
        metric_live_add(a, row);
}

static void
ended_add(etwc_aggregate *a, etwc_ended_thread thread)
{
    enum { FIRST = 64 };
    size_t room = metric_block_size(&a->ended) / sizeof thread;
    if (a->ended_kept == room && room < ETWC_ENDED_THREADS)
        room = room == 0 ? FIRST : room * 2;
    if (!metric_block_write(a, &a->ended, room * sizeof thread))
        return;
    etwc_ended_thread *ended = metric_block_content(&a->ended);
    if (a->ended_kept == room) { /* the older half is forgotten */
        a->ended_kept = room / 2;
        memmove(ended, ended + (room - a->ended_kept), a->ended_kept * sizeof *ended);
    }
    ended[a->ended_kept++] = thread;
    a->ended_total++;
}

void
metric_apply_thread_cycles(etwc_aggregate *a, const etwc_event *event,
                           const etwc_kernel_thread *record)
{
    uint32_t row = metric_thread_row(a, record->thread_id, event->raw_time);
    if (row == METRIC_NONE || a->thread_facts[row].cycles != 0)
        return;
    a->thread_facts[row].cycles = record->cycles;
    metric_process *process = metric_process_change(a, a->threads[row].process);
    process->row.counters.ended_thread_cycles += record->cycles;
    ended_add(a, (etwc_ended_thread){.row_id = process->row_id,
                                     .cycles = record->cycles,
                                     .thread_id = record->thread_id});
}
