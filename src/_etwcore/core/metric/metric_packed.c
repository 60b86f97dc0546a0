/*
 * Packed context switches (event-decoding.md, 3.3.1): a record tells of many, all of
 * them in the past, when the memory that the kernel packs them into is full. Run time
 * and switches are as exact as those of single records, for the switches of one
 * processor come in order; they are told late. Waits and migrations cannot be had, since
 * the switches of different processors, and ready records, are not in order; nor which
 * threads ran in an interval, for a run can lie in an earlier one than the one that tells.
 */
#include "metric_rows.h"

/* Interrupts of the time that a record tells of; they were told before it. */
typedef struct interrupts {
    metric_interval *next, *end;
    uint64_t forgotten; /* ticks of those that lie before `next` and were forgotten */
} interrupts;

static interrupts
interrupts_of(const metric_processor *p)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < p->interrupt_count; i++)
        kept += (uint64_t)(p->interrupts[i].end - p->interrupts[i].begin);
    return (interrupts){p->interrupts, p->interrupts + p->interrupt_count,
                        p->run_interrupted > kept ? p->run_interrupted - kept : 0};
}

/* Ticks of interrupts before that time; they are passed. */
static uint64_t
interrupts_take(interrupts *list, int64_t until)
{
    uint64_t ticks = 0;
    for (; list->next != list->end && list->next->begin < until; list->next++) {
        if (list->next->end > until) { /* a threaded DPC goes on after the switch */
            ticks += (uint64_t)(until - list->next->begin);
            list->next->begin = until;
            break;
        }
        ticks += (uint64_t)(list->next->end - list->next->begin);
    }
    return ticks;
}

static void
count_run(etwc_aggregate *a, metric_processor *p, uint32_t thread_id, uint32_t row,
          uint64_t ticks)
{
    *(thread_id == 0 ? &p->idle_ticks : &p->process_ticks) += ticks;
    metric_pair pair = metric_pair_change(a, row);
    pair.thread->run_ticks += ticks;
    pair.process->row.counters.run_ticks += ticks;
    /* It arrived with the switch before. */
    pair.thread->context_switches++;
    pair.process->row.counters.context_switches++;
    p->context_switches++;
}

static void
apply_one(etwc_aggregate *a, metric_processor *p, const etwc_kernel_packed_switch *one,
          interrupts *list, uint32_t row)
{
    uint64_t whole = (uint64_t)one->raw_time - (uint64_t)p->run_begin;
    uint64_t interrupted = interrupts_take(list, one->raw_time);
    uint64_t forgotten = list->forgotten < whole ? list->forgotten : whole;
    uint64_t held = interrupted + forgotten < whole ? interrupted + forgotten : whole;
    p->run_interrupted -= held < p->run_interrupted ? held : p->run_interrupted;
    list->forgotten -= forgotten;
    if (p->is_packed && forgotten == 0 && p->gap_count == 0 && row != METRIC_NONE)
        count_run(a, p, one->old_thread_id, row, whole - held);
    else
        p->unknown_ticks += whole - held;
    p->run_begin = one->raw_time;
    p->is_packed = true;
}

void
metric_apply_packed_switches(etwc_aggregate *a, const etwc_event *event,
                             const etwc_kernel_cswitch_batch *record)
{
    if (!metric_processors_reach(a, event->processor)) {
        metric_out_of_memory(a);
        return;
    }
    metric_processor *p = &a->processors[event->processor];
    if (p->thread != METRIC_NONE) /* single records came before: who left is unknown */
        metric_run_forget(a, event->processor, p->run_begin);
    interrupts list = interrupts_of(p);
    etwc_kernel_cswitch_batch batch = *record;
    etwc_kernel_packed_switch one;
    while (etwc_kernel_batch_next(&batch, &one)) {
        if (one.raw_time < p->run_begin || one.raw_time > event->raw_time) {
            /* Before a gap that lay between, or a clock that stepped. */
            p->is_packed = false;
            continue;
        }
        uint32_t row = metric_thread_row_at(a, one.old_thread_id, one.raw_time);
        apply_one(a, p, &one, &list, row);
    }
    size_t left = (size_t)(list.end - list.next);
    if (left != 0)
        memmove(p->interrupts, list.next, left * sizeof *p->interrupts);
    p->interrupt_count = left;
}
