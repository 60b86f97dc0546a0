/*
 * Rows of threads, processors and the machine, and their intervals, from events made by
 * hand. What is expected is worked out beside each test.
 */
#include "scene.h"

enum { IS_READY = 1, IS_WAITING = 5 };

static const etwc_thread_row *
thread_of(const etwc_snapshot *s, uint32_t tid)
{
    size_t count;
    const etwc_thread_row *rows = etwc_snapshot_threads(s, &count);
    for (size_t i = 0; i < count; i++)
        if (rows[i].thread_id == tid)
            return &rows[i];
    harness_fail(__FILE__, __LINE__, "no row of thread %u", tid);
}

static const etwc_processor_row *
processor_of(const etwc_snapshot *s, size_t number)
{
    size_t count;
    const etwc_processor_row *rows = etwc_snapshot_processors(s, &count);
    CHECK(number < count);
    CHECK_EQ_U64(rows[number].number, number);
    return &rows[number];
}

TEST(a_thread_row_has_what_the_thread_did)
{
    begin(2);
    two_processes();
    switch_to(0, 100, 0, 10);
    sample(110, 10, 0x1000, 0);
    switch_from(0, 120, 10, IS_WAITING, 6, 0);
    ready(0, 150, 10);
    switch_to(1, 157, 0, 10);
    switch_from(1, 160, 10, IS_READY, 32, 20);
    etwc_snapshot *s = look(170);
    const etwc_thread_row *row = thread_of(s, 10);
    CHECK_EQ_U64(row->run_ticks, 23);
    CHECK_EQ_U64(row->run_ns, 2300);
    CHECK_EQ_U64(row->wait_ticks, 30);
    CHECK_EQ_U64(row->ready_ticks, 7 + 10); /* under way counts up to now */
    CHECK_EQ_U64(row->ready_ns, 1700);
    CHECK_EQ_U64(row->context_switches, 2);
    CHECK_EQ_U64(row->voluntary_switches, 1);
    CHECK_EQ_U64(row->involuntary_switches, 1);
    CHECK_EQ_U64(row->migrations, 1);
    CHECK_EQ_U64(row->samples, 1);
    CHECK_EQ_U64(row->state, ETWC_THREAD_READY);
    CHECK_EQ_U64(row->processor, 1);
    CHECK_EQ_U64(row->process_id, A);
    row = thread_of(s, 20);
    CHECK_EQ_U64(row->run_ticks, 10); /* also of a run under way */
    CHECK_EQ_U64(row->state, ETWC_THREAD_RUNNING);
    CHECK_EQ_U64(row->process_id, B);
    finish(s);
}

TEST(states_follow_the_records)
{
    begin(1);
    two_processes();
    etwc_snapshot *s = look(5);
    CHECK_EQ_U64(thread_of(s, 10)->state, ETWC_THREAD_UNKNOWN);
    etwc_snapshot_free(s);
    thread(START, 10, A, 11);
    s = look(11);
    CHECK_EQ_U64(thread_of(s, 11)->state, ETWC_THREAD_INITIALIZED);
    etwc_snapshot_free(s);
    ready(0, 12, 11);
    s = look(13);
    CHECK_EQ_U64(thread_of(s, 11)->state, ETWC_THREAD_READY);
    etwc_snapshot_free(s);
    switch_to(0, 20, 0, 11);
    switch_from(0, 30, 11, IS_WAITING, 15, 10);
    s = look(31);
    CHECK_EQ_U64(thread_of(s, 11)->state, ETWC_THREAD_WAITING);
    CHECK_EQ_U64(thread_of(s, 11)->wait_reason, 15);
    CHECK_EQ_U64(thread_of(s, 10)->state, ETWC_THREAD_RUNNING);
    etwc_snapshot_free(s);
    thread(END, 40, A, 10);
    s = look(41);
    CHECK_EQ_U64(thread_of(s, 10)->state, ETWC_THREAD_TERMINATED);
    finish(s);
}

/* ---- The threads of a process together ------------------------------------------------- */

static etwc_row_threads
threads_of(etwc_snapshot *s, uint32_t pid, const etwc_snapshot *base)
{
    size_t count;
    const etwc_process_row *rows = etwc_snapshot_rows(s, &count);
    etwc_row_threads threads;
    etwc_snapshot_threads_of(s, (size_t)(row_of(s, pid, 0) - rows), base, &threads);
    return threads;
}

TEST(the_living_threads_are_counted_by_state)
{
    begin(2);
    two_processes();
    thread(RUNDOWN, 0, A, 11); /* nothing is told of what it does */
    thread(START, 1, A, 12);
    thread(START, 1, A, 13);
    thread(START, 1, A, 14);
    switch_to(0, 10, 0, 13);
    switch_from(0, 20, 13, IS_WAITING, 12, 14); /* WrSuspended */
    switch_to(1, 20, 0, 10);
    etwc_snapshot *s = look(30);
    etwc_row_threads threads = threads_of(s, A, NULL);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_RUNNING], 2);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_WAITING], 1);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_INITIALIZED], 1);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_STATES], 1);
    CHECK_EQ_U64(threads.suspended, 1);
    etwc_snapshot_free(s);
    ready(1, 31, 13);
    thread(END, 32, A, 14);
    s = look(33);
    threads = threads_of(s, A, NULL);
    CHECK_EQ_U64(threads.suspended, 0);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_READY], 1);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_RUNNING], 1);
    CHECK_EQ_U64(threads.states[ETWC_THREAD_TERMINATED], 0);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.thread_count, 4);
    finish(s);
}

TEST(active_threads_ran_or_were_sampled_or_ended_in_the_interval)
{
    begin(1);
    two_processes();
    for (uint32_t tid = 11; tid <= 15; tid++)
        thread(START, 5, A, tid);
    switch_to(0, 10, 0, 10);
    switch_from(0, 20, 10, IS_WAITING, 6, 11);
    etwc_snapshot *first = look(30);
    CHECK_EQ_U64(threads_of(first, A, NULL).active, 2); /* 11 runs */
    switch_from(0, 40, 11, IS_WAITING, 6, 12);
    thread(END, 45, A, 12);
    switch_from(0, 50, 12, 4, 22, 0);
    sample(60, 13, 0x1000, 0);
    thread(END, 65, A, 14); /* it has never run, so far as anybody can tell */
    etwc_snapshot *second = look(70);
    CHECK_EQ_U64(threads_of(second, A, first).active, 3); /* 11, 12, 13 */
    CHECK_EQ_U64(threads_of(second, A, NULL).active, 4);  /* and 10 */
    CHECK_EQ_U64(threads_of(second, B, first).active, 0);
    switch_to(0, 80, 0, 15);
    etwc_snapshot *third = look(80);
    CHECK_EQ_U64(threads_of(third, A, second).active, 0); /* not for a tick yet */
    etwc_snapshot *fourth = look(81);
    CHECK_EQ_U64(threads_of(fourth, A, third).active, 1);
    etwc_snapshot_free(first);
    etwc_snapshot_free(second);
    etwc_snapshot_free(third);
    finish(fourth);
}

TEST(the_base_priority_of_a_process_is_that_of_its_first_thread)
{
    begin(1);
    base_priority_told = 8;
    two_processes();
    base_priority_told = 10;
    thread(START, 5, A, 11);
    etwc_snapshot *s = look(6);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.base_priority, 8);
    CHECK(row_of(s, A, 0)->known & ETWC_ROW_PRIORITY);
    CHECK(!(row_of(s, 0, 0)->known & ETWC_ROW_PRIORITY));
    CHECK_EQ_U64(thread_of(s, 11)->base_priority, 10);
    etwc_snapshot_free(s);
    priority(49, 10, 11, 10, 13);
    priority(48, 11, 10, 8, 15); /* the dynamic one is another thing */
    priority(49, 12, 10, 8, 6);
    s = look(13);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.base_priority, 6);
    CHECK_EQ_U64(thread_of(s, 11)->base_priority, 13);
    etwc_snapshot_free(s);
    thread(END, 20, A, 10);
    s = look(21);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.base_priority, 6);
    etwc_snapshot_free(s);
    priority(49, 22, 11, 13, 4); /* the next one that is told of */
    s = look(23);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.base_priority, 4);
    base_priority_told = 8;
    finish(s);
}

TEST(affinities_of_living_threads_are_united)
{
    begin(1);
    two_processes();
    affinity_told = 0x3;
    thread(START, 5, A, 11);
    affinity_told = 0xC;
    thread(START, 5, A, 12);
    affinity_told = 0;
    etwc_snapshot *s = look(6);
    CHECK_EQ_U64(threads_of(s, A, NULL).affinity_mask, 0xF);
    CHECK_EQ_U64(threads_of(s, B, NULL).affinity_mask, 0);
    CHECK_EQ_U64(thread_of(s, 12)->affinity_mask, 0xC);
    etwc_snapshot_free(s);
    affinity(10, 12, 0x10, 0);
    thread(END, 11, A, 11);
    s = look(12);
    CHECK_EQ_U64(threads_of(s, A, NULL).affinity_mask, 0x10);
    etwc_snapshot_free(s);
    affinity(20, 12, 0x1, 1); /* another group: masks have no union */
    s = look(21);
    CHECK_EQ_U64(threads_of(s, A, NULL).affinity_mask, 0);
    finish(s);
}

/* ---- Processors and intervals ------------------------------------------------------------ */

TEST(a_processor_row_has_how_its_time_was_spent)
{
    begin(3);
    two_processes();
    switch_to(1, 100, 0, 10);
    interrupt(ISR, 1, 110, 112);
    interrupt(DPC, 1, 112, 117);
    interrupt(DPC, 1, 120, 121);
    switch_from(1, 140, 10, IS_WAITING, 6, 0);
    switch_to(2, 150, 0, 77); /* a thread that nobody knows */
    etwc_snapshot *s = look(200);
    const etwc_processor_row *row = processor_of(s, 1);
    CHECK_EQ_U64(row->wall_ticks, 200);
    CHECK_EQ_U64(row->unknown_ticks, 100);
    CHECK_EQ_U64(row->process_ticks, 40 - 8);
    CHECK_EQ_U64(row->isr_ticks, 2);
    CHECK_EQ_U64(row->dpc_ticks, 6);
    CHECK_EQ_U64(row->idle_ticks, 60);
    CHECK_EQ_U64(row->idle_ns, 6000);
    CHECK_EQ_U64(row->context_switches, 2);
    CHECK_EQ_U64(row->isrs, 1);
    CHECK_EQ_U64(row->dpcs, 2);
    CHECK_EQ_U64(row->thread_id, 0);
    CHECK_EQ_U64(processor_of(s, 0)->unknown_ticks, 200);
    CHECK_EQ_U64(processor_of(s, 0)->thread_id, ETWC_NO_ID);
    CHECK_EQ_U64(processor_of(s, 2)->process_ticks, 50);
    CHECK_EQ_U64(processor_of(s, 2)->thread_id, 77);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK_EQ_U64(m->process_ticks, 32);
    CHECK_EQ_U64(m->unowned_ticks, 50);
    CHECK_EQ_U64(m->context_switches, 3);
    CHECK_EQ_U64(m->dpcs, 2);
    CHECK_EQ_U64(m->isrs, 1);
    CHECK_EQ_U64(m->process_ns, 3200);
    finish(s);
}

TEST(tables_of_an_interval_are_differences)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    etwc_snapshot *base = look(110);
    switch_from(0, 120, 10, IS_WAITING, 6, 20);
    thread(START, 125, B, 21);
    switch_from(0, 130, 20, IS_READY, 32, 21);
    etwc_snapshot *s = look(150);

    etwc_thread_row threads[4];
    CHECK_EQ_U64(etwc_snapshot_table_count(s, ETWC_TABLE_THREADS), 4); /* with idle's */
    etwc_snapshot_table(s, ETWC_TABLE_THREADS, base, threads);
    for (size_t i = 0; i < 4; i++) {
        uint32_t tid = threads[i].thread_id;
        CHECK_EQ_U64(threads[i].run_ticks, tid == 0 ? 0 : tid == 21 ? 20 : 10);
        CHECK_EQ_U64(threads[i].wait_ticks, tid == 10 ? 30 : 0);
        CHECK_EQ_U64(threads[i].ready_ticks, tid == 20 ? 20 : 0);
        CHECK_EQ_U64(threads[i].context_switches, tid == 20 || tid == 21);
    }
    etwc_processor_row processor;
    etwc_snapshot_table(s, ETWC_TABLE_PROCESSORS, base, &processor);
    CHECK_EQ_U64(processor.wall_ticks, 40);
    CHECK_EQ_U64(processor.process_ticks, 40);
    CHECK_EQ_U64(processor.unknown_ticks, 0);
    CHECK_EQ_U64(processor.context_switches, 2);
    CHECK_EQ_I64(processor.self_check_ticks, 0);

    etwc_process_row processes[3];
    CHECK_EQ_U64(etwc_snapshot_table_count(s, ETWC_TABLE_PROCESSES), 3);
    etwc_snapshot_table(s, ETWC_TABLE_PROCESSES, base, processes);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ_U64(processes[i].counters.run_ticks, processes[i].process_id == A ? 10
                                                      : processes[i].process_id == B
                                                          ? 30
                                                          : 0);
    etwc_machine_row machine;
    etwc_machine_difference(etwc_snapshot_machine(s), etwc_snapshot_machine(base),
                            &machine);
    CHECK_EQ_I64(machine.wall_ticks, 40);
    CHECK_EQ_U64(machine.process_ticks, 40);
    CHECK_EQ_I64(machine.self_check_ticks, 0);
    CHECK_EQ_U64(machine.processors, 1);
    etwc_snapshot_free(base);
    finish(s);
}

TEST(time_adds_up_when_the_clock_steps_back_over_interrupts)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    interrupt(DPC, 0, 110, 130);
    switch_from(0, 115, 10, IS_WAITING, 6, 20); /* 15 less: the DPC took them all */
    switch_from(0, 140, 20, IS_WAITING, 6, 0);
    etwc_snapshot *s = look(150); /* the self-check is part of each look */
    CHECK_EQ_U64(RUN(s, A), 0);
    CHECK_EQ_U64(RUN(s, B), 20); /* its run begins at 120, where all before has ended */
    CHECK_EQ_U64(etwc_snapshot_machine(s)->negative_intervals, 1);
    finish(s);
}

TEST(every_column_lies_in_its_row)
{
    for (int kind = 0; kind < ETWC_TABLE_COUNT; kind++) {
        size_t i = 0;
        const etwc_column *column;
        for (; (column = etwc_column_at((etwc_table_kind)kind, i)) != NULL; i++) {
            size_t size = column->format == 'I' ? 4 : 8;
            CHECK_EQ_U64(column->offset % size, 0);
            CHECK(column->offset + size <= etwc_table_row_size((etwc_table_kind)kind));
            CHECK(!column->is_counted || size == 8);
            CHECK(etwc_column_named((etwc_table_kind)kind, column->name) == column);
        }
        CHECK(i > 10);
        CHECK(etwc_column_named((etwc_table_kind)kind, "none") == NULL);
    }
}

HARNESS_MAIN
