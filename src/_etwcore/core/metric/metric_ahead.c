/*
 * Looking ahead. With many threads the rows of an event are in no cache, and each
 * waits for the one before it: the slot of an id, the row of the thread, that of its
 * process. So the rows of a group of events are asked for at once, step by step; the
 * events wait once for all of them and not one by one.
 */
#include "metric_owner.h"
#include "metric_rows.h"

enum { LINE_BYTES = 64, HOT_LINES = 3 };

/* The frequent ones, whose rows are anywhere. */
#define BIT(type) ETWC_KERNEL_BIT(ETWC_KERNEL_##type)
#define LOOKED_AT                                                            \
    (BIT(CSWITCH) | BIT(READY_THREAD) | BIT(SAMPLE) | BIT(PAGE_FAULT) |      \
     BIT(HARD_FAULT) | BIT(DISK_READ) | BIT(DISK_WRITE) | BIT(FILE_READ) |   \
     BIT(FILE_WRITE) | BIT(FILE_OTHER) | BIT(NETWORK) | BIT(HANDLE_CREATE) | \
     BIT(HANDLE_CLOSE))

typedef struct ahead {
    metric_subject subjects[METRIC_AHEAD];
    uint32_t processes[METRIC_AHEAD];
    size_t count;
} ahead;

static void
ask_for(const void *row)
{
    for (size_t i = 0; i < HOT_LINES; i++)
        ETWC_PREFETCH((const char *)row + i * LINE_BYTES);
}

static const etwc_table *
table_of(const etwc_aggregate *a, metric_subject subject)
{
    return subject.by == METRIC_BY_PROCESS ? &a->process_ids : &a->thread_ids;
}

static void
look_for_slots(const etwc_aggregate *a, const etwc_event *events, size_t count,
               ahead *out)
{
    out->count = 0;
    for (size_t i = 0; i < count; i++) {
        etwc_kernel_record record;
        if (events[i].kernel_class == ETWC_CLASS_NONE)
            continue;
        if (etwc_kernel_decode_some(&events[i], LOOKED_AT, &record) ==
            ETWC_DECODED_NONE)
            continue;
        metric_subject subject = metric_subject_of(&events[i], &record);
        if (subject.by == METRIC_BY_NOBODY)
            continue;
        etwc_table_prefetch(table_of(a, subject), subject.id);
        out->subjects[out->count++] = subject;
    }
}

/* A process that is found is a row already, a thread leads to one. */
static void
look_for_rows(const etwc_aggregate *a, ahead *out)
{
    for (size_t i = 0; i < out->count; i++) {
        metric_subject subject = out->subjects[i];
        uint32_t row = etwc_table_find(table_of(a, subject), subject.id);
        out->processes[i] = row;
        if (row == METRIC_NONE)
            continue;
        if (subject.by == METRIC_BY_PROCESS)
            ask_for(&a->processes[row]);
        else
            ask_for(&a->threads[row]);
    }
}

static void
look_for_processes(const etwc_aggregate *a, ahead *out)
{
    for (size_t i = 0; i < out->count; i++) {
        uint32_t row = out->processes[i];
        if (row == METRIC_NONE || out->subjects[i].by == METRIC_BY_PROCESS)
            continue;
        out->processes[i] = a->threads[row].process;
        ask_for(&a->processes[out->processes[i]]);
    }
}

static void
look_for_waits(const etwc_aggregate *a, const ahead *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->processes[i] != METRIC_NONE &&
            out->subjects[i].by != METRIC_BY_PROCESS)
            ETWC_PREFETCH(a->processes[out->processes[i]].waits);
}

void
metric_look_ahead(const etwc_aggregate *a, const etwc_event *events, size_t count)
{
    ahead found;
    look_for_slots(a, events, count, &found);
    look_for_rows(a, &found);
    look_for_processes(a, &found);
    look_for_waits(a, &found);
}
