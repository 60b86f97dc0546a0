/*
 * Packed context switches: run time and switches as exact as those of single records,
 * told late. Packets are made by hand (event-decoding.md, 3.3.1).
 */
#include "scene.h"

enum { PACKET_IDLE = 1, PACKET_LITE = 2, ABOVE_REASONS = 60 };

static put batch;

static void
batch_begin(int64_t first, uint32_t tid0, uint32_t tid1)
{
    batch = (put){0};
    put_u64(&batch, (uint64_t)first);
    put_u32(&batch, tid0);
    put_u32(&batch, tid1);
    for (int i = 2; i < 16; i++)
        put_u32(&batch, 0);
    for (int i = 0; i < 16; i++)
        put_u8(&batch, 8);
}

static void
idle_leaves(unsigned delta)
{
    put_u32(&batch, PACKET_IDLE | delta << 2);
}

static void
leaves(unsigned tid_index, unsigned delta)
{
    put_u32(&batch, PACKET_LITE | tid_index << 2 | 6u << 9 | delta << 15);
}

static void
batch_end(unsigned cpu, int64_t now)
{
    etwc_event event = event_of(ETWC_CLASS_THREAD, 37, 2, cpu, now, batch);
    feed(&event);
}

#define COUNT(s, pid, name) (row_of((s), (pid), 0)->counters.name)

TEST(a_packed_switch_ends_the_run_of_who_leaves)
{
    begin(1);
    two_processes();
    batch_begin(100, 10, 20);
    idle_leaves(10); /* at 110; since when it ran nobody knows */
    leaves(0, 40);   /* 10 at 150 */
    leaves(1, 20);   /* 20 at 170 */
    idle_leaves(30); /* at 200 */
    batch_end(0, 300);
    etwc_snapshot *s = look(300);
    CHECK_EQ_U64(RUN(s, A), 40);
    CHECK_EQ_U64(RUN(s, B), 20);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->idle_ticks, 30);
    CHECK_EQ_U64(m->unknown_ticks, 110 + 100); /* who runs since 200 is told later */
    CHECK_EQ_U64(m->context_switches, 3);
    CHECK_EQ_U64(m->undecoded, 0);
    CHECK_EQ_U64(COUNT(s, A, context_switches), 1);
    CHECK_EQ_U64(m->presence[ETWC_SOURCE_switches], ETWC_PRESENT);
    CHECK_EQ_U64(m->presence[ETWC_SOURCE_single_switches], ETWC_ABSENT);
    etwc_snapshot_free(s);
    batch_begin(200, 10, 0);
    leaves(0, 160); /* at 360 */
    batch_end(0, 400);
    s = look(400);
    CHECK_EQ_U64(RUN(s, A), 40 + 160);
    CHECK_EQ_U64(COUNT(s, A, context_switches), 2);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 110 + 40);
    finish(s);
}

TEST(interrupts_are_taken_out_of_the_packed_runs_they_lie_in)
{
    begin(1);
    two_processes();
    interrupt(DPC, 0, 105, 107);
    interrupt(DPC, 0, 120, 125);
    interrupt(ISR, 0, 160, 161);
    interrupt(66, 0, 165, 173); /* a threaded DPC, across the switch */
    interrupt(DPC, 0, 290, 299);
    batch_begin(100, 10, 20);
    idle_leaves(10);
    leaves(0, 40);
    leaves(1, 20);
    idle_leaves(30);
    batch_end(0, 300);
    interrupt(DPC, 0, 310, 311);
    etwc_snapshot *s = look(350);
    CHECK_EQ_U64(RUN(s, A), 40 - 5);
    CHECK_EQ_U64(RUN(s, B), 20 - 1 - 5);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->idle_ticks, 30 - 3);
    CHECK_EQ_U64(m->dpc_ticks, 2 + 5 + 8 + 9 + 1);
    CHECK_EQ_U64(m->unknown_ticks, 110 - 2 + 150 - 10);
    finish(s);
}

TEST(more_interrupts_than_are_remembered_make_packed_runs_unknown)
{
    begin(1);
    two_processes();
    for (int64_t i = 0; i < 10000; i++)
        interrupt(ISR, 0, 200 + i * 10, 201 + i * 10);
    batch_begin(100, 10, 20);
    idle_leaves(10);
    leaves(0, 100000); /* at 100110: most of its interrupts are forgotten */
    leaves(1, 20);
    batch_end(0, 200000);
    etwc_snapshot *s = look(200000); /* with the self-check */
    CHECK_EQ_U64(RUN(s, A), 0);
    CHECK_EQ_U64(RUN(s, B), 20 - 2);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->isr_ticks, 10000);
    finish(s);
}

static void
reuse(void)
{
    thread(END, 160, A, 10);
    thread(START, 165, B, 10);
    batch_begin(100, 10, 20);
    idle_leaves(10);
    leaves(0, 40); /* the first thread 10 */
    idle_leaves(30);
    leaves(0, 20); /* the second one, at 200 */
    batch_end(0, 300);
}

TEST(who_had_an_id_then_is_asked_not_who_has_it_now)
{
    begin(1);
    two_processes();
    reuse();
    etwc_snapshot *s = look(300);
    CHECK_EQ_U64(RUN(s, A), 40);
    CHECK_EQ_U64(RUN(s, B), 20);
    CHECK_EQ_U64(row_of(s, B, 0)->gauges.thread_count, 2);
    finish(s);
}

TEST(who_had_an_id_then_is_known_after_a_first_pass)
{
    first_pass(1);
    two_processes();
    reuse();
    open_aggregate();
    two_processes();
    reuse();
    etwc_snapshot *s = look(300);
    CHECK_EQ_U64(RUN(s, A), 40);
    CHECK_EQ_U64(RUN(s, B), 20);
    CHECK_EQ_U64(row_of(s, B, 0)->gauges.thread_count, 2);
    finish(s);
}

TEST(packed_switches_from_before_a_gap_are_not_applied_to_the_time_after)
{
    static const etwc_gap gap = {150, 250, 0};
    scene_gaps = &gap;
    scene_gap_count = 1;
    begin(1);
    scene_gaps = NULL;
    scene_gap_count = 0;
    two_processes();
    batch_begin(100, 10, 20);
    idle_leaves(10);
    leaves(0, 40);
    batch_end(0, 300); /* told when the gap is over */
    batch_begin(300, 10, 20);
    leaves(1, 20); /* at 320: where it began may be lost */
    leaves(0, 30);
    batch_end(0, 400);
    etwc_snapshot *s = look(400);
    CHECK_EQ_U64(RUN(s, A), 30);
    CHECK_EQ_U64(RUN(s, B), 0);
    finish(s);
}

TEST(packed_and_single_switches_may_follow_each_other)
{
    begin(1);
    two_processes();
    switch_to(0, 50, 0, 10);
    switch_to(0, 80, 10, 20);
    batch_begin(100, 10, 20);
    leaves(1, 10); /* 20 at 110: nobody knows whether it ran all the time */
    leaves(0, 40);
    batch_end(0, 200);
    switch_to(0, 300, 0, 20); /* who ran since 150: unknown */
    switch_to(0, 320, 20, 0);
    etwc_snapshot *s = look(320);
    CHECK_EQ_U64(RUN(s, A), 30 + 40);
    CHECK_EQ_U64(RUN(s, B), 20);
    finish(s);
}

TEST(a_batch_with_times_that_cannot_be_changes_nothing)
{
    begin(1);
    two_processes();
    batch_begin(1000, 10, 20); /* after the record itself */
    leaves(0, 10);
    leaves(1, 10);
    batch_end(0, 500);
    batch_begin(INT64_MAX - 5, 10, 20); /* wraps */
    leaves(0, 10);
    leaves(1, 10);
    batch_end(0, 600);
    batch_begin(0, 10, 20);
    put_u8(&batch, 3); /* a full packet, cut */
    batch_end(0, 700);
    etwc_snapshot *s = look(800);
    CHECK_EQ_U64(RUN(s, A) + RUN(s, B), 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 800);
    finish(s);
}

HARNESS_MAIN
