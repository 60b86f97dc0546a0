/*
 * Loss whose place is known: nothing is counted whose ends may not belong together, and
 * what is counted is a lower bound. Events made by hand.
 */
#include "scene.h"

enum { IS_READY = 1, IS_WAITING = 5 };

static void
begin_with_gaps(uint32_t processors, const etwc_gap *gaps, size_t count)
{
    scene_gaps = gaps;
    scene_gap_count = count;
    begin(processors);
    scene_gaps = NULL;
    scene_gap_count = 0;
    two_processes();
}

#define COUNT(s, pid, name) (row_of((s), (pid), 0)->counters.name)

TEST(a_processor_begins_anew_after_a_gap)
{
    static const etwc_gap gap = {200, 300, 0};
    begin_with_gaps(1, &gap, 1);
    switch_to(0, 100, 0, 10);
    switch_from(0, 150, 10, IS_READY, 32, 20);
    switch_from(0, 220, 20, IS_WAITING, 6, 10); /* since when 20 ran: unknown */
    switch_from(0, 280, 10, IS_WAITING, 6, 20);
    switch_from(0, 320, 20, IS_WAITING, 6, 10); /* the first that is certain */
    switch_from(0, 350, 10, IS_WAITING, 6, 0);
    etwc_snapshot *s = look(400);
    CHECK_EQ_U64(RUN(s, A), 50 + 30);
    CHECK_EQ_U64(RUN(s, B), 0);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->unknown_ticks, 100 + 170);
    CHECK_EQ_U64(m->idle_ticks, 50);
    CHECK_EQ_U64(m->gaps, 1);
    CHECK_EQ_U64(m->switch_mismatches, 0);
    CHECK_EQ_U64(COUNT(s, A, context_switches), 3); /* each is a record */
    finish(s);
}

TEST(waits_end_where_a_gap_begins_on_any_processor)
{
    static const etwc_gap gap = {200, 300, 1};
    begin_with_gaps(2, &gap, 1);
    switch_to(0, 100, 0, 10);
    switch_from(0, 150, 10, IS_WAITING, 6, 20);  /* until 200 at least */
    switch_from(0, 250, 20, IS_WAITING, 15, 10); /* in the gap: not counted */
    switch_from(0, 260, 10, IS_READY, 32, 0);
    etwc_snapshot *in_gap = look(280);
    CHECK_EQ_U64(COUNT(in_gap, A, wait_ticks), 50);
    CHECK_EQ_U64(COUNT(in_gap, A, ready_ticks), 0);
    CHECK_EQ_U64(COUNT(in_gap, B, wait_ticks), 0);
    etwc_snapshot_free(in_gap);
    switch_to(0, 310, 0, 10); /* since when it was ready is not certain */
    switch_from(0, 320, 10, IS_WAITING, 6, 0);
    ready(0, 340, 10);
    etwc_snapshot *s = look(345);
    CHECK_EQ_U64(COUNT(s, A, wait_ticks), 50 + 20);
    CHECK_EQ_U64(COUNT(s, A, ready_ticks), 5);
    /* Processor 0 has no holes: who ran there is known all the time. */
    CHECK_EQ_U64(RUN(s, A), 50 + 10 + 10);
    CHECK_EQ_U64(RUN(s, B), 100);
    CHECK_EQ_U64(COUNT(s, A, voluntary_switches), 2);
    size_t count;
    const etwc_thread_row *threads = etwc_snapshot_threads(s, &count);
    for (size_t i = 0; i < count; i++)
        if (threads[i].thread_id == 10) {
            CHECK_EQ_U64(threads[i].wait_ticks, 70);
            CHECK_EQ_U64(threads[i].ready_ticks, 5);
            CHECK_EQ_U64(threads[i].state, ETWC_THREAD_READY);
        } else if (threads[i].thread_id == 20) {
            CHECK_EQ_U64(threads[i].wait_ticks, 0);
            CHECK_EQ_U64(threads[i].state, ETWC_THREAD_UNKNOWN);
        }
    finish(s);
}

TEST(a_snapshot_before_a_gap_sees_what_one_after_it_keeps)
{
    static const etwc_gap gap = {200, 300, 0};
    begin_with_gaps(1, &gap, 1);
    switch_to(0, 100, 0, 10);
    switch_from(0, 150, 10, IS_WAITING, 6, 0);
    etwc_snapshot *before = look(190);
    CHECK_EQ_U64(COUNT(before, A, wait_ticks), 40);
    etwc_snapshot *after = look(500); /* no event in between */
    CHECK_EQ_U64(COUNT(after, A, wait_ticks), 50);
    CHECK_EQ_U64(etwc_snapshot_machine(after)->idle_ticks, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(after)->unknown_ticks, 500 - 50);
    etwc_snapshot_free(before);
    finish(after);
}

TEST(gaps_of_several_processors_may_overlap)
{
    static const etwc_gap gaps[] = {
        {200, 300, 0}, {250, 400, 1}, {INT64_MIN, 50, 1}, {600, INT64_MAX, 1}};
    begin_with_gaps(2, gaps, 4);
    switch_to(1, 20, 0, 20);
    switch_to(0, 100, 0, 10);
    switch_from(0, 150, 10, IS_WAITING, 6, 0);
    switch_to(0, 350, 0, 10); /* processor 0 is certain again, waits are not */
    switch_from(0, 360, 10, IS_WAITING, 6, 0);
    switch_to(0, 420, 0, 10);
    switch_from(0, 430, 10, IS_WAITING, 6, 0);
    switch_to(0, 450, 0, 10);
    switch_from(0, 700, 10, IS_WAITING, 6, 0);
    etwc_snapshot *s = look(900);
    CHECK_EQ_U64(RUN(s, A), 50 + 10 + 10 + 250);
    CHECK_EQ_U64(RUN(s, B), 0);
    CHECK_EQ_U64(COUNT(s, A, wait_ticks), 50 + 20);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->gaps, 4);
    finish(s);
}

TEST(interrupts_in_a_gap_are_counted_but_take_no_time)
{
    static const etwc_gap gap = {200, 300, 0}; /* an ISR inside could be missing */
    begin_with_gaps(1, &gap, 1);
    switch_to(0, 100, 0, 10);
    interrupt(DPC, 0, 110, 120);
    interrupt(DPC, 0, 190, 210);
    interrupt(DPC, 0, 290, 310);
    etwc_snapshot *s = look(400);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->dpc_ticks, 10 + 10);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->dpcs, 3);
    CHECK_EQ_U64(RUN(s, A), 0); /* it could have been switched away in the gap */
    finish(s);
}

TEST(a_note_of_loss_ends_everything_under_way)
{
    begin(2);
    two_processes();
    switch_to(0, 100, 0, 10);
    switch_from(0, 150, 10, IS_WAITING, 6, 20);
    etwc_event lost = event_of(ETWC_CLASS_LOST_EVENT, 32, 0, 0, 200, (put){0});
    feed(&lost);
    switch_from(0, 250, 20, IS_WAITING, 6, 10);
    switch_from(0, 260, 10, IS_WAITING, 6, 0);
    etwc_snapshot *s = look(270);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->lost_records, 1);
    CHECK_EQ_U64(RUN(s, A), 50 + 10);
    CHECK_EQ_U64(RUN(s, B), 0);
    CHECK_EQ_U64(COUNT(s, A, wait_ticks), 10);
    CHECK_EQ_U64(COUNT(s, B, wait_ticks), 20);
    finish(s);
}

HARNESS_MAIN
