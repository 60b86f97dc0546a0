/*
 * What threads do while they do not run: waits, readiness, switches, migrations, from
 * events made by hand. What is expected is worked out beside each test from chapters
 * 14.3 and 14.5 of event-decoding.md.
 */
#include "scene.h"

/* States and reasons as Windows numbers them. */
enum { IS_READY = 1, IS_RUNNING = 2, IS_STANDBY = 3, IS_DEAD = 4, IS_WAITING = 5 };
enum { EXECUTIVE = 0, SUSPENDED = 5, USER_REQUEST = 6, WR_QUEUE = 15, PREEMPTED = 32 };

static size_t
index_of(etwc_snapshot *s, uint32_t pid)
{
    size_t count;
    return (size_t)(row_of(s, pid, 0) - etwc_snapshot_rows(s, &count));
}

static uint64_t
waited(etwc_snapshot *s, uint32_t pid, uint32_t reason)
{
    etwc_wait_row waits[ETWC_WAIT_REASONS];
    size_t count = etwc_snapshot_waits(s, index_of(s, pid), NULL, waits);
    uint64_t ticks = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_U64(waits[i].ns, waits[i].ticks * 100);
        ticks += waits[i].reason == reason ? waits[i].ticks : 0;
    }
    return ticks;
}

#define READY(s, pid) (row_of((s), (pid), 0)->counters.ready_ticks)
#define WAIT(s, pid) (row_of((s), (pid), 0)->counters.wait_ticks)
#define COUNT(s, pid, name) (row_of((s), (pid), 0)->counters.name)

TEST(a_wait_ends_when_the_thread_is_ready_and_that_when_it_runs)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    ready(0, 150, 10);
    switch_to(0, 157, 0, 10);
    switch_from(0, 160, 10, IS_WAITING, WR_QUEUE, 0);
    etwc_snapshot *s = look(170);
    CHECK_EQ_U64(waited(s, A, USER_REQUEST), 30);
    CHECK_EQ_U64(waited(s, A, WR_QUEUE), 10); /* under way counts up to now */
    CHECK_EQ_U64(WAIT(s, A), 40);
    CHECK_EQ_U64(READY(s, A), 7);
    CHECK_EQ_U64(row_of(s, A, 0)->times.ready_ns, 700);
    CHECK_EQ_U64(row_of(s, A, 0)->times.wait_ns, 4000);
    CHECK_EQ_U64(COUNT(s, A, voluntary_switches), 2);
    CHECK_EQ_U64(COUNT(s, A, involuntary_switches), 0);
    CHECK_EQ_U64(WAIT(s, B) + READY(s, B), 0);
    finish(s);
}

TEST(without_ready_records_a_wait_lasts_to_the_switch)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    switch_to(0, 157, 0, 10);
    etwc_snapshot *s = look(160);
    CHECK_EQ_U64(WAIT(s, A), 37);
    CHECK_EQ_U64(READY(s, A), 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->presence[ETWC_SOURCE_ready], ETWC_ABSENT);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 0);
    finish(s);
}

TEST(a_preempted_thread_is_ready)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_READY, PREEMPTED, 20);
    switch_from(0, 125, 20, IS_STANDBY, PREEMPTED, 10);
    etwc_snapshot *s = look(131);
    CHECK_EQ_U64(READY(s, A), 5);
    CHECK_EQ_U64(READY(s, B), 6);
    CHECK_EQ_U64(WAIT(s, A) + WAIT(s, B), 0);
    CHECK_EQ_U64(COUNT(s, A, involuntary_switches), 1);
    CHECK_EQ_U64(COUNT(s, B, involuntary_switches), 1);
    CHECK_EQ_U64(COUNT(s, B, voluntary_switches), 0);
    finish(s);
}

TEST(a_thread_that_was_never_seen_to_wait_is_ready_from_its_record)
{
    begin(1);
    two_processes();
    switch_to(0, 50, 99, 0);
    ready(0, 100, 10);
    switch_to(0, 130, 0, 10);
    etwc_snapshot *s = look(140);
    CHECK_EQ_U64(READY(s, A), 30);
    CHECK_EQ_U64(WAIT(s, A), 0);
    finish(s);
}

TEST(readiness_without_switches_has_no_end)
{
    begin(1);
    two_processes();
    ready(0, 100, 10);
    etwc_snapshot *s = look(1000);
    CHECK_EQ_U64(READY(s, A), 0);
    finish(s);
}

TEST(a_thread_made_ready_again_is_ready_from_then)
{
    begin(1); /* its stack had to be swapped in first: in between it was neither */
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, EXECUTIVE, 0);
    ready(0, 130, 10);
    ready(0, 170, 10);
    switch_to(0, 175, 0, 10);
    etwc_snapshot *s = look(180);
    CHECK_EQ_U64(WAIT(s, A), 10);
    CHECK_EQ_U64(READY(s, A), 5);
    finish(s);
}

TEST(a_wait_that_is_over_before_the_switch_is_none)
{
    begin(2); /* another processor ends it while the thread is on its way out */
    two_processes();
    switch_to(0, 100, 0, 10);
    ready(1, 119, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    switch_to(0, 126, 0, 10);
    etwc_snapshot *s = look(130);
    CHECK_EQ_U64(WAIT(s, A), 0);
    CHECK_EQ_U64(READY(s, A), 6);
    CHECK_EQ_U64(RUN(s, A), 20 + 4);
    CHECK_EQ_U64(COUNT(s, A, voluntary_switches), 1);
    finish(s);
}

TEST(a_dead_thread_neither_waits_nor_is_ready)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    thread(END, 110, A, 10);
    switch_from(0, 120, 10, IS_DEAD, 22, 0);
    etwc_snapshot *s = look(500);
    CHECK_EQ_U64(WAIT(s, A) + READY(s, A), 0);
    CHECK_EQ_U64(COUNT(s, A, voluntary_switches), 0);
    CHECK_EQ_U64(COUNT(s, A, involuntary_switches), 0);
    CHECK_EQ_U64(RUN(s, A), 20);
    finish(s);
}

TEST(a_thread_that_outlives_its_end_record_waits_for_its_own_process)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    thread(END, 110, A, 10);
    process(END, 111, A, 0xA, 0);
    switch_from(0, 120, 10, IS_WAITING, WR_QUEUE, 0);
    switch_to(0, 150, 0, 10);
    switch_from(0, 160, 10, IS_DEAD, 22, 0);
    etwc_snapshot *s = look(500);
    CHECK_EQ_U64(waited(s, A, WR_QUEUE), 30);
    CHECK_EQ_U64(RUN(s, A), 30);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 0);
    finish(s);
}

TEST(a_wait_of_a_process_that_ended_does_not_go_on)
{
    begin(1); /* the end records of its threads were lost */
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, WR_QUEUE, 0);
    process(END, 200, A, 0xA, 0);
    etwc_snapshot *s = look(900);
    CHECK_EQ_U64(WAIT(s, A), 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 1);
    finish(s);
}

TEST(migrations_are_switches_to_another_processor_than_the_last)
{
    begin(300);
    two_processes();
    switch_to(299, 100, 0, 10);
    switch_from(299, 110, 10, IS_WAITING, EXECUTIVE, 0);
    switch_to(299, 120, 0, 10);
    switch_from(299, 130, 10, IS_READY, PREEMPTED, 20);
    switch_to(7, 140, 0, 10);
    switch_from(7, 150, 10, IS_READY, PREEMPTED, 0);
    switch_from(299, 160, 20, IS_WAITING, EXECUTIVE, 10);
    etwc_snapshot *s = look(170);
    CHECK_EQ_U64(COUNT(s, A, migrations), 2);
    CHECK_EQ_U64(COUNT(s, B, migrations), 0);
    CHECK_EQ_U64(READY(s, A), 20);
    finish(s);
}

TEST(records_of_one_time_come_in_the_order_of_processors)
{
    begin(2); /* 10 leaves processor 1 and enters processor 0, all at 120 */
    two_processes();
    switch_to(1, 100, 0, 10);
    switch_to(0, 120, 0, 10);
    switch_from(1, 120, 10, IS_READY, PREEMPTED, 0);
    switch_from(0, 130, 10, IS_WAITING, EXECUTIVE, 0);
    etwc_snapshot *s = look(140);
    CHECK_EQ_U64(RUN(s, A), 20 + 10);
    CHECK_EQ_U64(READY(s, A), 0);
    CHECK_EQ_U64(WAIT(s, A), 10);
    CHECK_EQ_U64(COUNT(s, A, migrations), 1);
    CHECK_EQ_U64(COUNT(s, A, involuntary_switches), 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->switch_mismatches, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 0);
    finish(s);
}

/* ---- Loss that shows ---------------------------------------------------------------------- */

TEST(a_thread_that_leaves_while_it_should_wait_did_not_wait_so_long)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 20);
    /* lost: the switch from 20 to 10 */
    switch_from(0, 200, 10, IS_WAITING, WR_QUEUE, 0);
    etwc_snapshot *s = look(210);
    CHECK_EQ_U64(waited(s, A, USER_REQUEST), 0);
    CHECK_EQ_U64(waited(s, A, WR_QUEUE), 10);
    CHECK_EQ_U64(RUN(s, A), 20);
    CHECK_EQ_U64(RUN(s, B), 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->switch_mismatches, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 100 + 80);
    finish(s);
}

TEST(a_thread_that_ran_elsewhere_meanwhile_did_not_run_here)
{
    begin(2);
    two_processes();
    switch_to(0, 100, 0, 10);
    /* lost: the switch away on processor 0 */
    switch_to(1, 130, 0, 10);
    switch_from(1, 140, 10, IS_WAITING, EXECUTIVE, 0);
    /* lost: the switch to it on processor 0 */
    switch_from(0, 190, 10, IS_WAITING, EXECUTIVE, 0);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(RUN(s, A), 10);
    CHECK_EQ_U64(WAIT(s, A), 10);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->switch_mismatches, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 1);
    finish(s);
}

TEST(a_clock_that_steps_back_takes_no_wait_away)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    ready(0, 110, 10);
    switch_to(0, 115, 0, 10);
    etwc_snapshot *s = look(120);
    CHECK_EQ_U64(WAIT(s, A), 0);
    CHECK_EQ_U64(READY(s, A), 5);
    finish(s);
}

/* ---- Ids and owners ------------------------------------------------------------------------ */

TEST(a_reused_thread_id_inherits_nothing)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    thread(START, 150, B, 10); /* the end of the first was lost */
    switch_to(0, 160, 0, 10);
    switch_from(0, 170, 10, IS_READY, PREEMPTED, 0);
    etwc_snapshot *s = look(180);
    CHECK_EQ_U64(WAIT(s, A), 0);
    CHECK_EQ_U64(WAIT(s, B), 0);
    CHECK_EQ_U64(READY(s, B), 10);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->waits_dropped, 1);
    finish(s);
}

static void
late_owner(void)
{
    switch_to(0, 10, 0, 10);
    switch_from(0, 20, 10, IS_WAITING, WR_QUEUE, 0);
    switch_to(0, 30, 0, 10);
    switch_from(0, 40, 10, IS_WAITING, USER_REQUEST, 0);
    process(RUNDOWN, 50, A, 0xA, 259);
    thread(RUNDOWN, 50, A, 10);
    ready(0, 60, 10);
    switch_to(0, 63, 0, 10);
}

static void
check_late_owner(void)
{
    etwc_snapshot *s = look(70);
    CHECK_EQ_U64(waited(s, A, WR_QUEUE), 10);
    CHECK_EQ_U64(waited(s, A, USER_REQUEST), 20);
    CHECK_EQ_U64(READY(s, A), 3);
    CHECK_EQ_U64(COUNT(s, A, voluntary_switches), 2);
    finish(s);
}

TEST(a_wait_under_way_is_given_to_the_process_that_is_told_later)
{
    begin(1);
    late_owner();
    check_late_owner();
}

TEST(a_wait_has_its_process_from_the_beginning_after_a_first_pass)
{
    first_pass(1);
    late_owner();
    open_aggregate();
    late_owner();
    check_late_owner();
}

TEST(more_reasons_than_windows_has_stay_bounded)
{
    begin(1);
    two_processes();
    switch_to(0, 1000, 0, 10);
    for (unsigned i = 0; i < 256; i++) {
        switch_from(0, 1001 + 4 * i, 10, IS_WAITING, i, 0);
        switch_to(0, 1003 + 4 * i, 0, 10);
    }
    etwc_snapshot *s = look(3000);
    etwc_wait_row waits[ETWC_WAIT_REASONS];
    CHECK(etwc_snapshot_waits(s, index_of(s, A), NULL, waits) <= ETWC_WAIT_REASONS);
    CHECK_EQ_U64(WAIT(s, A), 512);
    CHECK_EQ_U64(waited(s, A, 42), 2);
    finish(s);
}

/* ---- Slices -------------------------------------------------------------------------------- */

static etwc_snapshot *slice_base;
static uint64_t slice_ready, slice_wait, slice_by_reason;

static void
slice(int64_t now)
{
    etwc_snapshot *next = look(now);
    size_t count = etwc_snapshot_row_count(next);
    for (size_t i = 0; i < count; i++) {
        etwc_process_row part;
        etwc_wait_row waits[ETWC_WAIT_REASONS];
        etwc_snapshot_difference(next, i, slice_base, &part);
        size_t reasons = etwc_snapshot_waits(next, i, slice_base, waits);
        for (size_t j = 0; j < reasons; j++)
            slice_by_reason += waits[j].ticks;
        CHECK((int64_t)part.counters.ready_ticks >= 0);
        CHECK((int64_t)part.counters.wait_ticks >= 0);
        slice_ready += part.counters.ready_ticks;
        slice_wait += part.counters.wait_ticks;
    }
    etwc_snapshot_free(slice_base);
    slice_base = next;
}

TEST(slices_of_waits_add_up)
{
    begin(1);
    two_processes();
    slice_base = NULL;
    slice_ready = slice_wait = slice_by_reason = 0;
    after_each_event = slice; /* 3 ticks after each event */
    switch_to(0, 100, 0, 10);
    switch_from(0, 120, 10, IS_WAITING, USER_REQUEST, 0);
    ready(0, 150, 10);
    switch_to(0, 157, 0, 10);
    switch_from(0, 170, 10, IS_READY, PREEMPTED, 0);
    after_each_event = NULL;
    slice(180);
    slice(200);
    CHECK_EQ_U64(slice_wait, 30);
    CHECK_EQ_U64(slice_by_reason, 30);
    CHECK_EQ_U64(slice_ready, 7 + 30);
    finish(slice_base);
}

HARNESS_MAIN
