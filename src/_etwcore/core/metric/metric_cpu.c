/*
 * Processor time, three ways: runs between context switches less the interrupts
 * inside them, samples times their interval, and the clock ticks that record
 * headers carry (event-decoding.md, 14.3).
 */
#include "etwc_alloc.h"
#include "metric_rows.h"

/* The most interrupts remembered of one run. An interrupt that encloses more
 * would be counted with those it has forgotten, so the number is generous. */
#define CPU_INTERRUPTS_KEPT 4096u

/* ---- Context switches --------------------------------------------------------------- */

uint64_t
metric_run_so_far(const metric_processor *p, int64_t now)
{
    if (now <= p->run_begin)
        return 0;
    uint64_t ticks = (uint64_t)now - (uint64_t)p->run_begin;
    return ticks > p->run_interrupted ? ticks - p->run_interrupted : 0;
}

/* Whether the thread ran all the time, so far as anybody can tell. */
static bool
has_run(const metric_processor *p, uint32_t processor, const metric_thread *thread,
        int64_t now, uint32_t leaving_id)
{
    if (ETWC_UNLIKELY(p->thread_id != leaving_id))
        return false;
    /* It was switched to on another processor since; at the same time is no
     * contradiction, for records of one time come in the order of processors. */
    return (leaving_id == 0) | (thread->processor == processor) |
           (thread->since == now);
}

/* `pair`: who leaves; the thread of the processor when that has the same id. */
static inline void
run_end(etwc_aggregate *a, uint32_t processor, metric_pair pair, int64_t now,
        uint32_t leaving_id)
{
    metric_processor *p = &a->processors[processor];
    uint64_t ticks = metric_run_so_far(p, now);
    if (ETWC_UNLIKELY(p->thread == METRIC_NONE)) {
        p->unknown_ticks += ticks;
    } else if (ETWC_UNLIKELY(!has_run(p, processor, pair.thread, now, leaving_id))) {
        /* A switch in between was lost: nobody knows who ran how long. */
        p->unknown_ticks += ticks;
        a->switch_mismatches++;
    } else {
        if (ETWC_LIKELY(ticks != 0))
            pair.thread->active = now - 1;
        *(leaving_id == 0 ? &p->idle_ticks : &p->process_ticks) += ticks;
        pair.thread->run_ticks += ticks;
        pair.process->row.counters.run_ticks += ticks;
    }
    /* After a step back the next run begins where everything so far has ended. */
    int64_t settled = (int64_t)((uint64_t)p->run_begin + p->run_interrupted);
    if (ETWC_UNLIKELY(now < settled))
        a->negative_intervals++;
    p->run_begin = now < settled ? settled : now;
    p->run_interrupted = 0;
    p->interrupt_count = 0;
}

void
metric_run_forget(etwc_aggregate *a, uint32_t processor, int64_t now)
{
    metric_processor *p = &a->processors[processor];
    if (p->thread != METRIC_NONE && p->thread_id != 0 &&
        a->threads[p->thread].processor == processor &&
        a->threads[p->thread].state == ETWC_THREAD_RUNNING)
        metric_wait_forget(a, p->thread);
    p->thread = METRIC_NONE;
    p->thread_id = ETWC_NO_ID;
    p->is_packed = false;
    run_end(a, processor, (metric_pair){NULL, NULL}, now, ETWC_NO_ID);
}

/* Row of the thread that leaves: that of the running one, as a rule. */
static uint32_t
leaving_row(etwc_aggregate *a, uint32_t processor, uint32_t thread_id, int64_t now)
{
    const metric_processor *p = &a->processors[processor];
    if (ETWC_LIKELY(p->thread_id == thread_id && p->thread != METRIC_NONE))
        return p->thread;
    /* Who seemed to run was switched away from meanwhile, to nobody knows what. */
    if (p->thread != METRIC_NONE && p->thread_id != 0 &&
        a->threads[p->thread].processor == processor &&
        a->threads[p->thread].state == ETWC_THREAD_RUNNING)
        metric_wait_forget(a, p->thread);
    return thread_id == 0 ? METRIC_NONE : metric_thread_row(a, thread_id, now);
}

void
metric_apply_switch(etwc_aggregate *a, const etwc_event *event,
                    const etwc_kernel_cswitch *record)
{
    int64_t now = event->raw_time;
    uint32_t processor = event->processor;
    if (ETWC_UNLIKELY(!metric_processors_reach(a, processor))) {
        metric_out_of_memory(a);
        return;
    }
    /* Rows first: pointers are good until one is added. */
    uint32_t row = metric_thread_row(a, record->new_thread_id, now);
    uint32_t old_row = leaving_row(a, processor, record->old_thread_id, now);
    metric_pair old = {NULL, NULL};
    if (ETWC_LIKELY(old_row != METRIC_NONE))
        old = metric_pair_change(a, old_row);
    run_end(a, processor, old, now, record->old_thread_id);
    if (record->old_thread_id != 0 && ETWC_LIKELY(old_row != METRIC_NONE))
        metric_wait_switch_away(a, old, processor, now, record);
    metric_processor *p = &a->processors[processor];
    p->thread = row;
    p->thread_id = record->new_thread_id;
    p->is_packed = false;
    p->context_switches++;
    if (ETWC_UNLIKELY(row == METRIC_NONE))
        return;
    metric_pair new = metric_pair_change(a, row);
    new.thread->context_switches++;
    new.process->row.counters.context_switches++;
    if (record->new_thread_id != 0)
        metric_wait_switch_to(a, new, processor, now);
    if (ETWC_UNLIKELY(p->gap_count != 0)) {
        p->thread = METRIC_NONE; /* the next switch may not be the one after this */
        p->thread_id = ETWC_NO_ID;
    }
}

/* ---- Interrupts --------------------------------------------------------------------- */

static bool
interrupt_push(metric_processor *p, metric_interval interval)
{
    if (p->interrupt_count == CPU_INTERRUPTS_KEPT) {
        size_t kept = CPU_INTERRUPTS_KEPT / 2;
        memmove(p->interrupts, p->interrupts + (p->interrupt_count - kept),
                kept * sizeof *p->interrupts);
        p->interrupt_count = kept;
    }
    void *items = p->interrupts;
    if (!etwc_grow(&items, &p->interrupt_capacity, p->interrupt_count + 1,
                   sizeof *p->interrupts))
        return false;
    p->interrupts = items;
    p->interrupts[p->interrupt_count++] = interval;
    return true;
}

/* Records come when the routine ends, so one that is interrupted by another comes
 * after it and encloses it: time is counted once, for the inner one. */
void
metric_apply_interrupt(etwc_aggregate *a, const etwc_event *event,
                       const etwc_kernel_interrupt *record)
{
    if (!metric_processors_reach(a, event->processor)) {
        metric_out_of_memory(a);
        return;
    }
    metric_processor *p = &a->processors[event->processor];
    *(record->is_isr ? &p->isrs : &p->dpcs) += 1;
    if (ETWC_UNLIKELY(p->gap_count != 0))
        return; /* one inside it may be missing, whose time it would take */
    metric_interval interval = {record->initial_raw_time, event->raw_time};
    /* What lies before the switch was settled with the run before it. */
    if (interval.begin < p->run_begin)
        interval.begin = p->run_begin;
    uint64_t inner = 0;
    while (p->interrupt_count != 0) {
        metric_interval last = p->interrupts[p->interrupt_count - 1];
        if (last.begin < interval.begin) {
            if (last.end > interval.begin)
                interval.begin = last.end;
            break;
        }
        inner += (uint64_t)(last.end - last.begin);
        p->interrupt_count--;
    }
    if (interval.end <= interval.begin) {
        /* Empty, or cut away; what it enclosed is counted and stays. */
        if (inner == 0)
            return;
        interval.end = interval.begin + (int64_t)inner;
    }
    uint64_t whole = (uint64_t)(interval.end - interval.begin);
    uint64_t own = whole > inner ? whole - inner : 0;
    p->run_interrupted += own;
    if (record->is_isr)
        p->isr_ticks += own;
    else
        p->dpc_ticks += own;
    if (!interrupt_push(p, interval))
        metric_out_of_memory(a);
}

/* ---- Samples ------------------------------------------------------------------------ */

#define SAMPLE_IN_DPC 1u
#define SAMPLE_IN_ISR 2u

static bool
is_kernel_address(uint64_t address, uint8_t pointer_size)
{
    return pointer_size == 8 ? address >= UINT64_C(0xFFFF800000000000)
                             : address >= UINT64_C(0x80000000);
}

/* After its end record a thread is no owner of samples: see metric_owner.c. */
static bool
has_ended(const etwc_aggregate *a, const metric_thread_facts *facts, int64_t now)
{
    return facts->live_at == METRIC_NONE && facts->life != METRIC_NONE &&
           etwc_lifetimes_thread_at(a->lifetimes, facts->life)->end_raw_time < now;
}

void
metric_apply_sample(etwc_aggregate *a, const etwc_event *event,
                    const etwc_kernel_sample *record)
{
    if (metric_processors_reach(a, event->processor))
        a->processors[event->processor].samples++;
    uint32_t row = metric_thread_row(a, record->thread_id, event->raw_time);
    if (row == METRIC_NONE)
        return;
    if (ETWC_UNLIKELY(has_ended(a, &a->thread_facts[row], event->raw_time))) {
        a->unowned_samples++;
        return;
    }
    metric_thread *thread = metric_thread_change(a, row);
    a->thread_facts[row].samples++;
    if (thread->active < event->raw_time)
        thread->active = event->raw_time;
    metric_process *process = metric_process_change(a, a->threads[row].process);
    etwc_row_counters *counters = &process->row.counters;
    counters->samples++;
    counters->samples_in_dpc += (record->flags & SAMPLE_IN_DPC) != 0;
    counters->samples_in_isr += (record->flags & SAMPLE_IN_ISR) != 0;
    if (record->flags & (SAMPLE_IN_DPC | SAMPLE_IN_ISR))
        return; /* time of the system, not of the thread that was interrupted */
    bool is_kernel =
        is_kernel_address(record->instruction_pointer, event->pointer_size);
    if (a->sample_interval_100ns == 0) {
        if (is_kernel)
            process->samples_kernel_unweighted += record->count;
        else
            process->samples_user_unweighted += record->count;
        return;
    }
    uint64_t time = (uint64_t)record->count * a->sample_interval_100ns;
    if (is_kernel)
        counters->sample_kernel_100ns += time;
    else
        counters->sample_user_100ns += time;
}

void
metric_apply_sample_interval(etwc_aggregate *a,
                             const etwc_kernel_sample_interval *record)
{
    if (record->source != 0 || record->new_interval == 0)
        return; /* a performance counter: its samples are not time */
    a->sample_interval_100ns = record->new_interval;
}

/* ---- Clock ticks -------------------------------------------------------------------- */

/* The header of a kernel record holds the ticks that its thread has used since
 * it began. The difference to the last ones seen belongs to the trace. */
void
metric_apply_ticks(etwc_aggregate *a, const etwc_event *event)
{
    if (event->thread_id == 0 ||
        (event->flags & (ETWC_FLAG_NO_CPUTIME | ETWC_FLAG_PRIVATE_SESSION)))
        return; /* thread 0 is many threads */
    uint32_t row = metric_thread_row(a, event->thread_id, event->raw_time);
    if (row == METRIC_NONE)
        return;
    uint32_t process = a->threads[row].process;
    /* Nobody tells of the thread, but its header names the process. */
    if (a->processes[process].number == METRIC_NONE &&
        etwc_lifetimes_process(a->lifetimes, event->process_id, event->raw_time) !=
            NULL)
        process = metric_process_row(a, event->process_id, event->raw_time);
    if (process == METRIC_NONE)
        return;
    metric_thread_facts *thread = &a->thread_facts[row];
    etwc_plain_row *to = &metric_process_change(a, process)->row;
    etwc_row_counters *counters = &to->counters;
    to->known |= ETWC_ROW_TICKS;
    bool is_first = !thread->has_ticks;
    if (event->kernel_ticks > thread->kernel_ticks) {
        uint64_t more = event->kernel_ticks - thread->kernel_ticks;
        counters->life_kernel_ticks += more;
        if (!(is_first && thread->is_old))
            counters->kernel_ticks += more;
        thread->kernel_ticks = event->kernel_ticks;
    }
    if (event->user_ticks > thread->user_ticks) {
        uint64_t more = event->user_ticks - thread->user_ticks;
        counters->life_user_ticks += more;
        if (!(is_first && thread->is_old))
            counters->user_ticks += more;
        thread->user_ticks = event->user_ticks;
    }
    thread->has_ticks = true;
}
