/*
 * Numbers per process, from events made by hand. One tick is 100 ns. What is
 * expected is worked out beside each test from chapter 14 of event-decoding.md.
 */
#include "scene.h"

/* ---- Runs ------------------------------------------------------------------------------ */

TEST(runs_lie_between_switches_and_the_rest_is_unknown)
{
    begin(2);
    two_processes();
    switch_to(0, 100, 99, 10); /* who 99 was, and since when, nobody knows */
    switch_to(0, 150, 10, 20);
    switch_to(0, 170, 20, 0);
    switch_to(1, 130, 0, 20);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(RUN(s, A), 50);
    CHECK_EQ_U64(RUN(s, B), 20 + 70); /* the one under way counts up to now */
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->idle_ticks, 30);
    CHECK_EQ_U64(m->unknown_ticks, 100 + 130);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.context_switches, 2);
    CHECK_EQ_U64(row_of(s, A, 0)->times.run_ns, 5000);
    finish(s);
}

TEST(a_snapshot_changes_nothing)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    etwc_snapshot *early = look(120);
    CHECK_EQ_U64(RUN(early, A), 20);
    etwc_snapshot_free(early);
    switch_to(0, 150, 10, 20);
    etwc_snapshot *s = look(150);
    CHECK_EQ_U64(RUN(s, A), 50);
    finish(s);
}

TEST(interrupts_are_taken_out_of_the_run_they_lie_in)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    interrupt(DPC, 0, 110, 115);
    interrupt(ISR, 0, 120, 121);
    switch_to(0, 150, 10, 0);
    interrupt(DPC, 0, 160, 163);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(RUN(s, A), 50 - 6);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->idle_ticks, 50 - 3);
    CHECK_EQ_U64(m->dpc_ticks, 8);
    CHECK_EQ_U64(m->isr_ticks, 1);
    finish(s);
}

TEST(an_interrupt_inside_another_counts_once)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    interrupt(ISR, 0, 112, 114);
    interrupt(ISR, 0, 115, 116);
    interrupt(DPC, 0, 110, 120); /* encloses both and is logged last */
    interrupt(ISR, 0, 130, 131);
    switch_to(0, 150, 10, 0);
    etwc_snapshot *s = look(150);
    CHECK_EQ_U64(RUN(s, A), 50 - 10 - 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->dpc_ticks, 10 - 3);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->isr_ticks, 3 + 1);
    finish(s);
}

TEST(an_interrupt_before_the_first_switch_is_no_longer_unknown)
{
    begin(1);
    interrupt(DPC, 0, 20, 50);
    switch_to(0, 100, 0, 0);
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->dpc_ticks, 30);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 70);
    finish(s);
}

TEST(a_threaded_dpc_that_was_switched_away_counts_from_the_switch)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    switch_to(0, 150, 10, 20);
    interrupt(66, 0, 140, 160);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(RUN(s, A), 50);
    CHECK_EQ_U64(RUN(s, B), 40);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->dpc_ticks, 10);
    finish(s);
}

TEST(more_interrupts_than_are_remembered_still_add_up)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    for (int64_t i = 0; i < 20000; i++)
        interrupt(ISR, 0, 200 + i * 10, 201 + i * 10);
    etwc_snapshot *s = look(1000000);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->isr_ticks, 20000);
    CHECK_EQ_U64(RUN(s, A), 1000000 - 100 - 20000);
    finish(s);
}

TEST(a_switch_that_was_lost_makes_the_time_unknown)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    switch_to(0, 150, 20, 10); /* 20 was never switched to */
    switch_to(0, 160, 10, 0);
    etwc_snapshot *s = look(160);
    CHECK_EQ_U64(RUN(s, A), 10);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->switch_mismatches, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 150);
    finish(s);
}

TEST(a_clock_that_steps_back_takes_nothing_away)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    switch_to(0, 90, 10, 20);
    switch_to(0, 120, 20, 0);
    etwc_snapshot *s = look(120);
    CHECK_EQ_U64(RUN(s, A), 0);
    CHECK_EQ_U64(RUN(s, B), 20);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->negative_intervals, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unknown_ticks, 100);
    finish(s);
}

TEST(a_processor_that_the_header_does_not_count_is_counted)
{
    begin(1);
    two_processes();
    switch_to(299, 100, 0, 10);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->processors, 300);
    CHECK_EQ_U64(RUN(s, A), 100);
    finish(s);
}

TEST(what_a_dead_thread_still_does_is_its_own)
{
    begin(1);
    two_processes();
    thread(START, 50, A, 11);
    switch_to(0, 100, 99, 11);
    thread(END, 110, A, 11);
    process(END, 115, A, 0xA, 3);
    disk_read(117, 11, 512);
    sample(118, 11, 0x1000, 0); /* but samples are nobody's any more */
    switch_to(0, 120, 11, 0);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(RUN(s, A), 20);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.disk_read_ops, 1);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.samples, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_samples, 1);
    CHECK_EQ_U64(row_of(s, A, 0)->exit_status, 3);
    CHECK_EQ_I64(row_of(s, A, 0)->end_filetime, 1000 + 115);
    finish(s);
}

/* ---- Ids that are used again ------------------------------------------------------------ */

static void
reuse_of_ids(void)
{
    process(START, 10, A, 0xA, 259);
    thread(START, 11, A, 10);
    switch_to(0, 20, 99, 10);
    disk_read(25, 10, 512);
    thread(END, 30, A, 10);
    process(END, 31, A, 0xA, 1);
    switch_to(0, 40, 10, 0);
    process(START, 50, A, 0xC, 259);
    thread(START, 51, A, 10);
    switch_to(0, 60, 0, 10);
    disk_read(65, 10, 1024);
    switch_to(0, 90, 10, 0);
}

static void
check_reuse_of_ids(void)
{
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(count_of(s, A), 2);
    const etwc_process_row *first = row_of(s, A, 0);
    const etwc_process_row *second = row_of(s, A, 1);
    CHECK_EQ_U64(first->counters.run_ticks, 20);
    CHECK_EQ_U64(first->counters.disk_read_bytes, 512);
    CHECK_EQ_U64(first->start_key, 0xA);
    CHECK(first->known & ETWC_ROW_END);
    CHECK_EQ_U64(first->gauges.thread_count, 0);
    CHECK_EQ_U64(second->counters.run_ticks, 30);
    CHECK_EQ_U64(second->counters.disk_read_bytes, 1024);
    CHECK_EQ_U64(second->counters.threads_started, 1);
    CHECK_EQ_U64(second->gauges.thread_count, 1);
    CHECK(!(second->known & ETWC_ROW_END));
    CHECK_EQ_I64(second->begin_filetime, 1050);
    finish(s);
}

TEST(a_reused_pid_and_tid_make_new_rows)
{
    begin(1);
    reuse_of_ids();
    check_reuse_of_ids();
}

TEST(rows_are_found_by_their_id_wherever_they_lie)
{
    begin(1);
    reuse_of_ids();
    etwc_snapshot *s = look(100);
    size_t count;
    const etwc_process_row *rows = etwc_snapshot_rows(s, &count);
    CHECK(count >= 2);
    for (size_t i = 0; i < count; i++)
        for (size_t hint = 0; hint <= count; hint++)
            CHECK_EQ_U64(etwc_snapshot_find(s, rows[i].row_id, hint), i);
    CHECK_EQ_U64(etwc_snapshot_find(s, rows[count - 1].row_id + 1, 0), ETWC_NO_ROW);
    finish(s);
}

TEST(a_reused_pid_and_tid_make_new_rows_after_a_first_pass)
{
    first_pass(1);
    reuse_of_ids();
    open_aggregate();
    reuse_of_ids();
    check_reuse_of_ids();
}

/* ---- Before the records that explain it ---------------------------------------------------- */

static void
late_rundown(void)
{
    switch_to(0, 10, 0, 10);
    sample(15, 10, 0x1000, 0);
    disk_read(16, 10, 512);
    image(10, 17, A, 0x400000, "\\Device\\x\\app.exe");
    switch_to(0, 30, 10, 10);
    process(RUNDOWN, 50, A, 0xA, 259);
    thread(RUNDOWN, 50, A, 10);
    switch_to(0, 60, 10, 0);
    interval(70, 0, 10000, 0);
}

static void
check_late_rundown(void)
{
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(count_of(s, A), 1);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->counters.run_ticks, 50);
    CHECK_EQ_U64(row->counters.context_switches, 2);
    CHECK_EQ_U64(row->counters.samples, 1);
    CHECK_EQ_U64(row->times.sample_user_ns, 1000000); /* by the first interval */
    CHECK_EQ_U64(row->counters.disk_read_ops, 1);
    CHECK_EQ_U64(row->counters.images_loaded, 1);
    CHECK_EQ_U64(row->gauges.thread_count, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_ticks, 0);
    finish(s);
}

TEST(what_happened_before_the_rundown_is_given_to_its_process)
{
    begin(1);
    late_rundown();
    check_late_rundown();
}

TEST(a_first_pass_knows_the_owner_from_the_beginning)
{
    first_pass(1);
    late_rundown();
    open_aggregate();
    switch_to(0, 10, 0, 10);
    etwc_snapshot *early = look(20);
    CHECK_EQ_U64(RUN(early, A), 10);
    CHECK_EQ_U64(row_of(early, A, 0)->gauges.thread_count, 1);
    etwc_snapshot_free(early);
    etwc_aggregate_free(aggregate);
    open_aggregate();
    late_rundown();
    check_late_rundown();
}

TEST(time_of_a_thread_that_nobody_names_is_unowned)
{
    begin(1);
    switch_to(0, 10, 0, 77);
    sample(15, 77, 0x1000, 0);
    switch_to(0, 30, 77, 0);
    etwc_snapshot *s = look(30);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_ticks, 20);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_samples, 1);
    finish(s);
}

TEST(a_start_of_a_thread_takes_nothing_from_who_had_the_id_before)
{
    begin(1);
    switch_to(0, 10, 0, 77);
    switch_to(0, 30, 77, 0);
    process(RUNDOWN, 40, A, 0xA, 259);
    thread(START, 50, A, 77);
    switch_to(0, 60, 0, 77);
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(RUN(s, A), 40);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_ticks, 20);
    finish(s);
}

TEST(an_end_before_any_other_record_still_counts)
{
    begin(1);
    thread(END, 50, A, 10);
    process(END, 60, A, 0xA, 7);
    etwc_snapshot *s = look(100);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->counters.threads_ended, 1);
    CHECK_EQ_U64(row->gauges.thread_count, 0);
    CHECK_EQ_U64(row->exit_status, 7);
    CHECK(!(row->known & ETWC_ROW_BEGIN));
    finish(s);
}

/* ---- Threads, samples, ticks, images -------------------------------------------------------- */

static size_t
live_in(const etwc_snapshot *snapshot)
{
    size_t all = 0;
    for (size_t i = 0; i < etwc_snapshot_row_count(snapshot); i++) {
        size_t count;
        (void)etwc_snapshot_live(snapshot, i, &count);
        all += count;
    }
    return all;
}

TEST(threads_are_counted_once_each)
{
    begin(2);
    two_processes();
    thread(RUNDOWN, 1, A, 10); /* logged twice */
    thread(START, 5, A, 11);
    thread(RUNDOWN, 6, A, 11); /* started while the rundown was under way */
    thread(START, 7, A, 12);
    thread(END, 8, A, 12);
    thread(ALIVE, 9, A, 12); /* does not bring it back */
    thread(ALIVE, 9, A, 13); /* only its end of the session tells of it */
    thread(RUNDOWN, 10, 0, 0);
    etwc_snapshot *s = look(20);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.thread_count, 3);
    CHECK_EQ_U64(row_of(s, 0, 0)->gauges.thread_count, 2); /* one per processor */
    size_t all;
    (void)etwc_snapshot_threads(s, &all);
    CHECK_EQ_U64(live_in(s), 4);
    CHECK_EQ_U64(all, 6); /* with the idle thread */
    finish(s);
}

TEST(threads_whose_end_was_lost_are_gone_with_their_process)
{
    begin(1);
    two_processes();
    thread(START, 5, A, 11);
    process(END, 10, A, 0xA, 0);
    etwc_snapshot *s = look(20);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.thread_count, 0);
    CHECK_EQ_U64(live_in(s), 1);
    finish(s);
}

TEST(an_interrupt_across_a_cut_belongs_to_the_later_interval)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 99, 10);
    etwc_snapshot *cut = look(115);
    CHECK_EQ_U64(RUN(cut, A), 15);
    interrupt(DPC, 0, 110, 120);
    switch_to(0, 121, 10, 20);
    etwc_snapshot *s = look(130);
    CHECK_EQ_U64(RUN(s, A), 11);
    etwc_process_row part;
    etwc_row_difference(row_of(s, A, 0), row_of(cut, A, 0), &part);
    CHECK_EQ_I64((int64_t)part.counters.run_ticks, -4);
    etwc_snapshot_free(cut);
    finish(s);
}

TEST(samples_weigh_the_interval_of_their_time)
{
    begin(1);
    two_processes();
    sample(5, 10, 0x1000, 0); /* the interval is told later */
    interval(10, 1, 777, 0);  /* not the timer */
    interval(10, 0, 10000, 20000);
    sample(20, 10, 0xFFFFF80000001000, 0);
    sample(21, 10, 0x1000, 1); /* in a DPC: system time */
    sample(22, 10, 0x1000, 2);
    interval(30, 0, 1250, 10000);
    sample(40, 10, 0x1000, 0);
    etwc_snapshot *s = look(50);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->counters.samples, 5);
    CHECK_EQ_U64(row->counters.samples_in_dpc, 1);
    CHECK_EQ_U64(row->counters.samples_in_isr, 1);
    CHECK_EQ_U64(row->times.sample_kernel_ns, 1000000);
    CHECK_EQ_U64(row->times.sample_user_ns, 2000000 + 125000);
    CHECK_EQ_U64(etwc_machine_cpu_source(etwc_snapshot_machine(s)),
                 ETWC_SOURCE_samples);
    finish(s);
}

static void
ticks(int64_t now, uint32_t tid, uint32_t kernel, uint32_t user)
{
    put p = {0};
    etwc_event event = event_of(ETWC_CLASS_SYSTEM_CONFIG, 16, 2, 0, now, p);
    event.kind = ETWC_KIND_SYSTEM;
    event.thread_id = tid;
    event.kernel_ticks = kernel;
    event.user_ticks = user;
    feed(&event);
}

TEST(ticks_are_those_of_the_last_header_of_each_thread)
{
    begin(1);
    process(RUNDOWN, 0, A, 0xA, 259);
    etwc_event event = thread_event(RUNDOWN, 1, A, 10);
    event.thread_id = 10; /* the header is the subject's */
    event.kernel_ticks = 100;
    event.user_ticks = 50;
    feed(&event);
    ticks(5, 10, 103, 50);
    thread(START, 6, A, 11);
    ticks(7, 11, 1, 2);
    event = thread_event(END, 8, A, 11);
    event.thread_id = 11;
    event.kernel_ticks = 1;
    event.user_ticks = 4;
    feed(&event);
    etwc_snapshot *cut = look(9);
    ticks(9, 11, 2, 4); /* one more after the end record */
    etwc_snapshot *s = look(10);
    etwc_process_row part;
    etwc_row_difference(row_of(s, A, 0), row_of(cut, A, 0), &part);
    CHECK_EQ_U64(part.counters.kernel_ticks, 1);
    CHECK_EQ_U64(part.counters.life_kernel_ticks,
                 103 + 2); /* of the life all the same */
    CHECK_EQ_U64(part.times.life_tick_kernel_ns,
                 row_of(s, A, 0)->times.life_tick_kernel_ns);
    etwc_snapshot_free(cut);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->counters.life_kernel_ticks, 103 + 2);
    CHECK_EQ_U64(row->counters.life_user_ticks, 50 + 4);
    CHECK_EQ_U64(row->counters.kernel_ticks, 3 + 2); /* since the trace began */
    CHECK_EQ_U64(row->counters.user_ticks, 4);
    CHECK_EQ_U64(row->counters.ended_kernel_ticks, 1);
    CHECK_EQ_U64(row->counters.ended_user_ticks, 4);
    CHECK_EQ_U64(row->times.tick_kernel_ns, 5 * UINT64_C(15625000));
    finish(s);
}

TEST(an_image_is_one_however_often_it_is_told)
{
    begin(1);
    two_processes();
    image(3, 5, A, 0x400000, "\\d\\app.exe");
    image(10, 6, A, 0x500000, "\\d\\lib.dll");
    image(2, 7, A, 0x500000, "\\d\\lib.dll");
    image(10, 8, A, 0x500000, "\\d\\other.dll"); /* the address again */
    image(4, 9, A, 0x400000, "\\d\\app.exe");
    image(4, 9, B, 0x400000, "\\d\\app.exe");
    etwc_snapshot *s = look(10);
    size_t count;
    const etwc_image_row *images = etwc_snapshot_images(s, &count);
    CHECK_EQ_U64(count, 4);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.image_count, 2);
    CHECK_EQ_STR(images[1].file_name->bytes, "\\d\\lib.dll");
    CHECK_EQ_I64(images[1].load_filetime, 6);
    CHECK_EQ_I64(images[1].unload_filetime, 7);
    CHECK_EQ_I64(images[0].load_filetime, 0);
    finish(s);
}

TEST(a_process_without_a_name_is_named_by_its_lowest_image)
{
    begin(1);
    image(10, 5, 333, 0x7FF00000, "\\d\\ntdll.dll");
    image(10, 6, 333, 0x400000, "\\d\\tool.exe");
    etwc_snapshot *s = look(10);
    CHECK_EQ_STR(etwc_snapshot_texts(s, 0)->name->bytes, "tool.exe");
    finish(s);
}

TEST(rows_that_did_not_change_are_shared_by_snapshots)
{
    begin(1);
    two_processes();
    etwc_snapshot *before = look(0);
    switch_to(0, 10, 0, 10);
    etwc_snapshot *after = look(20);
    CHECK_EQ_U64(RUN(before, A), 0);
    CHECK_EQ_U64(RUN(after, A), 10);
    switch_to(0, 30, 10, 20);
    CHECK_EQ_U64(RUN(after, A), 10);
    etwc_snapshot_free(before);
    CHECK_EQ_U64(RUN(after, A), 10);
    etwc_snapshot_free(after);
    after = look(30);
    CHECK_EQ_U64(RUN(after, A), 20);
    finish(after);
}

/* Differences of all neighbouring snapshots, summed up per row. */
static etwc_snapshot *slice_base;
static uint64_t slice_sum[16];

static void
slice(int64_t now)
{
    etwc_snapshot *next = look(now);
    size_t count = etwc_snapshot_row_count(next);
    for (size_t i = 0; i < count && i < ETWC_ARRAY_SIZE(slice_sum); i++) {
        etwc_process_row part;
        etwc_snapshot_difference(next, i, slice_base, &part);
        slice_sum[i] += part.counters.run_ticks + (part.counters.disk_read_bytes << 32);
    }
    etwc_snapshot_free(slice_base);
    slice_base = next;
}

TEST(slices_add_up_to_the_whole)
{
    begin(1);
    memset(slice_sum, 0, sizeof slice_sum);
    slice_base = NULL;
    after_each_event = slice;
    reuse_of_ids();
    after_each_event = NULL;
    slice(95);
    slice(100);
    size_t count;
    const etwc_process_row *rows = etwc_snapshot_rows(slice_base, &count);
    CHECK(count >= 2);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ_U64(slice_sum[i], rows[i].counters.run_ticks +
                                       (rows[i].counters.disk_read_bytes << 32));
    finish(slice_base);
}

TEST(any_failed_allocation_leaves_a_usable_aggregate)
{
    for (uint64_t n = 1; n < 60; n++) {
        etwc_alloc_fail_after(n, false);
        etwc_aggregate_options options = {.processors = 1};
        etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
        aggregate = etwc_aggregate_new(&options);
        if (aggregate == NULL)
            continue;
        for (uint32_t i = 0; i < 300; i++) {
            etwc_event event = thread_event(START, i, 1000 + i % 90, 5000 + i);
            etwc_status st = etwc_aggregate_apply(aggregate, &event, NULL);
            CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        }
        etwc_snapshot *snapshot = NULL;
        etwc_status st =
            etwc_aggregate_snapshot(aggregate, 500, ETWC_SNAPSHOT_ALL, &snapshot, NULL);
        CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        etwc_alloc_fail_after(0, false);
        if (st == ETWC_OK)
            etwc_snapshot_free(snapshot);
        etwc_aggregate_free(aggregate);
    }
    etwc_alloc_fail_after(0, false);
}

HARNESS_MAIN
