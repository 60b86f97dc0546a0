/*
 * Events applied all at once, as readers of files do, with more threads than are
 * looked for one by one.
 */
#include "scene.h"

#include <stdlib.h>

enum { THREADS = 6000, PROCESSES = 60, SWITCHES = 20000, MAX_EVENTS = 30000 };
enum { START_RUNDOWN = 3, SWITCH = 36, PAYLOAD_MAX = 128 };

static etwc_event events[MAX_EVENTS];
static uint8_t payloads[MAX_EVENTS][PAYLOAD_MAX];
static size_t event_count;

static void
keep(etwc_event event)
{
    CHECK(event_count < MAX_EVENTS && event.payload_size <= PAYLOAD_MAX);
    memcpy(payloads[event_count], payload, event.payload_size);
    event.payload = payloads[event_count];
    events[event_count++] = event;
}

static uint32_t
tid_of(unsigned number)
{
    return 1000 + 4 * number;
}

static void
keep_switch(int64_t now, uint32_t old_tid, uint32_t new_tid)
{
    put p = {0};
    put_u32(&p, new_tid);
    put_u32(&p, old_tid);
    put_u32(&p, 0);
    put_u32(&p, 0x00050006);
    put_u32(&p, 0);
    put_u32(&p, 0);
    keep(event_of(ETWC_CLASS_THREAD, SWITCH, 4, 0, now, p));
}

static void
make_events(void)
{
    uint32_t old_tid = 0;
    event_count = 0;
    for (unsigned i = 0; i < THREADS; i++)
        keep(thread_event(START_RUNDOWN, i, 100 + i % PROCESSES, tid_of(i)));
    for (unsigned i = 0; i < SWITCHES; i++) {
        uint32_t new_tid = tid_of(i * 7919u % (THREADS + 100)); /* some are not told */
        keep_switch(THREADS + 10 * (int64_t)i, old_tid, new_tid);
        old_tid = new_tid;
    }
}

static etwc_snapshot *
snapshot_of_all(bool is_at_once)
{
    begin(1);
    size_t applied = 0;
    if (is_at_once)
        CHECK_OK(
            etwc_aggregate_apply_all(aggregate, events, event_count, &applied, NULL));
    for (; applied < event_count; applied++) {
        CHECK(!is_at_once);
        CHECK_OK(etwc_aggregate_apply(aggregate, &events[applied], NULL));
    }
    etwc_snapshot *snapshot;
    CHECK_OK(etwc_aggregate_snapshot(aggregate, THREADS + 10 * SWITCHES,
                                     ETWC_SNAPSHOT_ROWS, &snapshot, NULL));
    return snapshot;
}

TEST(events_applied_at_once_give_what_they_give_one_by_one)
{
    make_events();
    etwc_snapshot *one_by_one = snapshot_of_all(false);
    etwc_aggregate_free(aggregate);
    etwc_snapshot *at_once = snapshot_of_all(true);
    size_t count, expected;
    const etwc_process_row *rows = etwc_snapshot_rows(at_once, &count);
    const etwc_process_row *wanted = etwc_snapshot_rows(one_by_one, &expected);
    CHECK_EQ_U64(count, expected);
    CHECK(count >= PROCESSES);
    uint64_t switches = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(memcmp(&rows[i], &wanted[i], sizeof rows[i]) == 0);
        switches += rows[i].counters.context_switches;
    }
    CHECK(switches > SWITCHES / 2);
    etwc_snapshot_free(one_by_one);
    finish(at_once);
}

TEST(a_failure_tells_which_event_it_was)
{
    make_events();
    etwc_aggregate_options options = {.processors = 1, .limit_bytes = 200000};
    etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
    etwc_aggregate *small = etwc_aggregate_new(&options);
    size_t applied = 0, fails = 0;
    while (applied < event_count) {
        size_t n;
        etwc_status st = etwc_aggregate_apply_all(small, events + applied,
                                                  event_count - applied, &n, NULL);
        CHECK(n != 0);
        applied += n;
        fails += st != ETWC_OK;
        if (st == ETWC_OK)
            CHECK_EQ_U64(applied, event_count);
    }
    CHECK_EQ_U64(applied, event_count);
    CHECK(fails > 0);
    etwc_aggregate_free(small);
}

HARNESS_MAIN
