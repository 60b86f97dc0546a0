/*
 * What threads do while they do not run: the states of a thread, and the time that
 * it waits, by reason, or is ready and waits for a processor (event-decoding.md,
 * 14.3 and 14.5).
 *
 * A wait lasts from the switch away in a waiting state to the ready record, or to
 * the switch to the thread when there is none; a thread is ready from there, or from
 * a switch away in a ready state, to the switch to it. A time under way counts up to
 * any moment, so its process keeps the sum of the begins and their number: no list of
 * waiting threads is walked.
 *
 * Nothing is counted whose ends may not belong together. When something may have been
 * lost the epoch of the aggregate ends (metric_gap.c): times under way end with it, and
 * states of earlier epochs are unknown. A record that contradicts a state ends that
 * state's time uncounted.
 */
#include "etwc_alloc.h"
#include "metric_rows.h"

/* ---- Times of a process ------------------------------------------------------------- */

/* Times that began in an earlier epoch ended with it. */
void
metric_wait_renew(const etwc_aggregate *a, metric_process *process)
{
    if (ETWC_LIKELY(process->wait_epoch == a->epoch))
        return;
    if (process->wait_count != 0) {
        int64_t end = a->epoch_ends[process->wait_epoch];
        for (size_t i = 0; i < process->wait_count; i++) {
            metric_wait *wait = &process->waits[i];
            wait->ticks = metric_wait_so_far(wait, end != INT64_MIN, end);
            wait->begin_sum = 0;
            wait->open_count = 0;
        }
    }
    process->wait_epoch = a->epoch;
}

static bool
wait_add(etwc_aggregate *a, metric_process *process, uint32_t reason)
{
    void *waits = process->waits;
    size_t capacity = process->wait_capacity;
    if (!etwc_grow(&waits, &capacity, process->wait_count + (size_t)1,
                   sizeof *process->waits)) {
        metric_out_of_memory(a);
        return false;
    }
    if (capacity != process->wait_capacity) {
        a->wait_bytes += (capacity - process->wait_capacity) * sizeof *process->waits;
        metric_has_grown(a);
    }
    process->waits = waits;
    process->wait_capacity = (uint32_t)capacity;
    process->waits[process->wait_count++] = (metric_wait){.reason = reason};
    return true;
}

/* Place of the time of a reason, made when it is the first; METRIC_NOT_WAITING when
 * memory is out. */
static inline uint8_t
place_of(etwc_aggregate *a, metric_process *process, uint8_t reason)
{
    if (reason >= ETWC_WAIT_REASONS)
        reason = ETWC_WAIT_REASONS - 1; /* Windows has no such reason */
    if (process->wait_count == 0 && !wait_add(a, process, 0))
        return METRIC_NOT_WAITING;
    if (ETWC_LIKELY(reason < METRIC_WAIT_PLACES &&
                    process->wait_places[reason] != METRIC_READY))
        return process->wait_places[reason];
    for (uint32_t i = METRIC_READY + 1; i < process->wait_count; i++)
        if (process->waits[i].reason == reason)
            return (uint8_t)i;
    if (!wait_add(a, process, reason))
        return METRIC_NOT_WAITING;
    uint8_t place = (uint8_t)(process->wait_count - 1);
    if (reason < METRIC_WAIT_PLACES)
        process->wait_places[reason] = place;
    return place;
}

static inline uint8_t
place_of_ready(etwc_aggregate *a, metric_process *process)
{
    if (process->wait_count == 0 && !wait_add(a, process, 0))
        return METRIC_NOT_WAITING;
    return METRIC_READY;
}

/* ---- Times of a thread -------------------------------------------------------------- */

/* Of an earlier epoch, only that a thread runs is still known: its processor knows. */
static inline void
refresh(const etwc_aggregate *a, metric_thread *thread)
{
    if (ETWC_LIKELY(thread->epoch == a->epoch))
        return;
    int64_t end = a->epoch_ends[thread->epoch];
    if (thread->wait != METRIC_NOT_WAITING && end > thread->since)
        *(thread->wait == METRIC_READY ? &thread->ready_ticks : &thread->wait_ticks) +=
            (uint64_t)end - (uint64_t)thread->since;
    thread->epoch = a->epoch;
    thread->wait = METRIC_NOT_WAITING;
    thread->is_readied = 0;
    if (thread->state != ETWC_THREAD_RUNNING && thread->state != ETWC_THREAD_TERMINATED)
        thread->state = METRIC_STATE_UNKNOWN;
}

bool
metric_wait_is_known(const etwc_aggregate *a, const metric_thread *thread)
{
    return (thread->epoch == a->epoch && a->open_gap_count == 0) ||
           thread->state == ETWC_THREAD_RUNNING ||
           thread->state == ETWC_THREAD_TERMINATED;
}

static inline void
wait_begin(const etwc_aggregate *a, metric_pair pair, uint8_t place, int64_t now)
{
    if (ETWC_UNLIKELY(place == METRIC_NOT_WAITING || a->open_gap_count != 0))
        return; /* without a place, or with an end that may be lost */
    metric_wait_renew(a, pair.process);
    metric_wait *wait = &pair.process->waits[place];
    wait->begin_sum += (uint64_t)now;
    wait->open_count++;
    pair.thread->wait = place;
    pair.thread->since = now;
}

/* Ends what the thread waits for; `counts`: the time is known. */
static inline void
wait_end(metric_pair pair, int64_t now, bool counts)
{
    metric_thread *thread = pair.thread;
    metric_wait *wait = &pair.process->waits[thread->wait];
    wait->begin_sum -= (uint64_t)thread->since;
    wait->open_count--;
    if (counts && now > thread->since) {
        uint64_t ticks = (uint64_t)now - (uint64_t)thread->since;
        wait->ticks += ticks;
        *(thread->wait == METRIC_READY ? &thread->ready_ticks : &thread->wait_ticks) +=
            ticks;
    }
    thread->wait = METRIC_NOT_WAITING;
}

static void
contradict(etwc_aggregate *a, metric_pair pair)
{
    a->waits_dropped++;
    wait_end(pair, 0, false);
}

/* ---- Records ------------------------------------------------------------------------ */

static inline void
state_set(metric_thread *thread, unsigned state)
{
    thread->state = state < ETWC_THREAD_STATES ? state & 0xF : METRIC_STATE_UNKNOWN;
}

static bool
is_waiting(uint8_t state)
{
    return state == ETWC_THREAD_WAITING || state == ETWC_THREAD_GATE_WAIT;
}

static bool
is_ready(uint8_t state)
{
    return state == ETWC_THREAD_READY || state == ETWC_THREAD_STANDBY ||
           state == ETWC_THREAD_DEFERRED_READY;
}

void
metric_wait_switch_away(etwc_aggregate *a, metric_pair pair, uint32_t processor,
                        int64_t now, const etwc_kernel_cswitch *record)
{
    metric_thread *thread = pair.thread;
    metric_process *process = pair.process;
    uint8_t state = record->old_state;
    if (is_waiting(state)) {
        thread->voluntary_switches++;
        process->row.counters.voluntary_switches++;
    } else if (is_ready(state)) {
        metric_facts_of(a, thread)->involuntary_switches++;
        process->row.counters.involuntary_switches++;
    }
    refresh(a, thread);
    if (ETWC_UNLIKELY(thread->wait != METRIC_NOT_WAITING)) {
        contradict(a, pair); /* the switch to it was lost */
    } else if (ETWC_UNLIKELY(thread->processor != processor &&
                             thread->state == ETWC_THREAD_RUNNING &&
                             thread->since == now)) {
        return; /* it runs elsewhere already: that switch came first, at the same time */
    }
    bool was_readied = thread->is_readied;
    thread->is_readied = 0;
    thread->processor = (uint16_t)processor;
    state_set(thread, state);
    if (is_waiting(state)) {
        if (!was_readied) {
            wait_begin(a, pair, place_of(a, process, record->old_wait_reason), now);
            return;
        }
        thread->state = ETWC_THREAD_READY;
    } else if (!is_ready(state)) {
        return;
    }
    wait_begin(a, pair, place_of_ready(a, process), now);
}

void
metric_wait_switch_to(const etwc_aggregate *a, metric_pair pair, uint32_t processor,
                      int64_t now)
{
    metric_thread *thread = pair.thread;
    refresh(a, thread);
    if (ETWC_LIKELY(thread->wait != METRIC_NOT_WAITING))
        wait_end(pair, now, true);
    if (thread->processor != processor) {
        if (thread->processor != METRIC_NO_PROCESSOR) {
            thread->migrations++;
            pair.process->row.counters.migrations++;
        }
        thread->processor = (uint16_t)processor;
    }
    thread->state = ETWC_THREAD_RUNNING;
    thread->is_readied = 0;
    thread->since = now;
}

void
metric_apply_ready(etwc_aggregate *a, const etwc_event *event,
                   const etwc_kernel_ready *record)
{
    int64_t now = event->raw_time;
    if (record->thread_id == 0)
        return;
    uint32_t row = metric_thread_row(a, record->thread_id, now);
    if (row == METRIC_NONE)
        return;
    metric_pair pair = metric_pair_change(a, row);
    metric_thread *thread = pair.thread;
    refresh(a, thread);
    if (thread->state == ETWC_THREAD_RUNNING) {
        /* Its wait was over before it had been switched away. */
        thread->is_readied = 1;
        return;
    }
    /* Made ready twice: once its stack or its process had been swapped in. */
    if (thread->wait != METRIC_NOT_WAITING)
        wait_end(pair, now, thread->wait != METRIC_READY);
    thread->state = ETWC_THREAD_READY;
    /* Without switches nobody says when it ends. */
    if (a->seen[ETWC_SOURCE_switches] && !a->has_packed_switches)
        wait_begin(a, pair, place_of_ready(a, pair.process), now);
}

void
metric_wait_forget(etwc_aggregate *a, uint32_t row)
{
    metric_wait_set_state(a, row, ETWC_THREAD_UNKNOWN);
}

void
metric_wait_set_state(etwc_aggregate *a, uint32_t row, etwc_thread_state state)
{
    metric_pair pair = metric_pair_change(a, row);
    metric_thread *thread = pair.thread;
    refresh(a, thread);
    if (thread->wait != METRIC_NOT_WAITING)
        contradict(a, pair);
    thread->is_readied = 0;
    state_set(thread, state);
}

/* ---- Threads whose process is told later --------------------------------------------- */

void
metric_wait_adopt(etwc_aggregate *a, uint32_t to, uint32_t from, uint32_t row)
{
    metric_process *process = metric_process_change(a, to);
    metric_process *orphan = &a->processes[from];
    metric_thread *thread = &a->threads[row];
    metric_wait_renew(a, process);
    metric_wait_renew(a, orphan);
    refresh(a, thread);
    uint8_t was = thread->wait;
    thread->wait = METRIC_NOT_WAITING;
    for (uint32_t i = 0; i < orphan->wait_count; i++) {
        const metric_wait *wait = &orphan->waits[i];
        uint8_t place = i == METRIC_READY ? place_of_ready(a, process)
                                          : place_of(a, process, (uint8_t)wait->reason);
        if (place == METRIC_NOT_WAITING)
            break;
        process->waits[place].ticks += wait->ticks;
        process->waits[place].begin_sum += wait->begin_sum;
        process->waits[place].open_count += wait->open_count;
        if (was == i)
            thread->wait = place;
    }
    metric_wait_free(a, orphan);
}

void
metric_wait_free(etwc_aggregate *a, metric_process *process)
{
    a->wait_bytes -= process->wait_capacity * sizeof *process->waits;
    etwc_free(process->waits);
    process->waits = NULL;
    process->wait_count = process->wait_capacity = 0;
    memset(process->wait_places, METRIC_READY, sizeof process->wait_places);
}
