/*
 * Looking ahead. With many threads the rows of an event are in no cache, and each
 * waits for the one before it: the slot of an id, the row of the thread, that of its
 * process, its waits. So the rows of a group of events are asked for at once, step by
 * step; the events wait once for all of them and not one by one.
 *
 * Which thread an event is about is guessed: a wrong guess costs little. Nothing here
 * is a choice that depends on the event, for those that are foretold wrong cost more
 * than what a right guess gains.
 */
#include "etwc_frequent.h"
#include "metric_rows.h"

typedef uint32_t ahead_rows[METRIC_AHEAD];

/* Named at the front of the payload, or by a sample behind the address. Of other
 * records the thread that runs, which as a rule has caused them. */
static inline uint32_t
thread_of(const etwc_event *event)
{
    unsigned what = etwc_frequent_of(event);
    bool is_sample = what == ETWC_FREQUENT_SAMPLE;
    bool is_first =
        (what == ETWC_FREQUENT_CSWITCH) | (what == ETWC_FREQUENT_READY_THREAD);
    size_t at = is_sample ? 8 : 0;
    uint32_t id = event->running_thread_id;
    if (ETWC_LIKELY(event->payload_size >= at + sizeof id)) {
        uint32_t told = etwc_load_u32(event->payload + at);
        id = (is_sample | is_first) ? told : id;
    }
    return id;
}

static void
look_for_slots(const etwc_aggregate *a, const etwc_event *events, size_t count,
               ahead_rows ids)
{
    for (size_t i = 0; i < count; i++) {
        ids[i] = thread_of(&events[i]);
        etwc_table_prefetch(&a->thread_ids, ids[i]);
    }
}

/* Of a thread that is not there yet, the row of another will do. */
static void
look_for_threads(const etwc_aggregate *a, size_t count, ahead_rows rows)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t row = etwc_table_find(&a->thread_ids, rows[i]);
        rows[i] = row == METRIC_NONE ? 0 : row;
        ETWC_PREFETCH(&a->threads[rows[i]]);
    }
}

static void
look_for_processes(const etwc_aggregate *a, size_t count, ahead_rows rows)
{
    for (size_t i = 0; i < count; i++) {
        rows[i] = a->threads[rows[i]].process;
        const metric_process *process = &a->processes[rows[i]];
        ETWC_PREFETCH(process);
        ETWC_PREFETCH(&process->row.counters);
    }
}

static void
look_for_waits(const etwc_aggregate *a, size_t count, const ahead_rows rows)
{
    for (size_t i = 0; i < count; i++)
        ETWC_PREFETCH(a->processes[rows[i]].waits);
}

void
metric_look_ahead(const etwc_aggregate *a, const etwc_event *events, size_t count)
{
    ahead_rows rows;
    look_for_slots(a, events, count, rows);
    look_for_threads(a, count, rows);
    look_for_processes(a, count, rows);
    look_for_waits(a, count, rows);
}
