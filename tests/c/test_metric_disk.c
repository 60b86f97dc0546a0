/* Disk operations: how long they took, with which priority, and whose they are. */
#include "scene.h"

#include "etwc_alloc.h"

enum { READ = 10, WRITE = 11, FLUSH = 14 };

/* One tick is 100 ns. Version 2 does not tell the thread, version 0 no time either. */
static void
disk_in_version(unsigned version, unsigned opcode, int64_t now, uint32_t tid,
                uint32_t size, uint64_t ticks, unsigned priority)
{
    put p = {0};
    put_u32(&p, 0);
    put_u32(&p, priority << 17 | 0x43);
    if (opcode == FLUSH) {
        put_u64(&p, ticks);
        put_u64(&p, 0x1297);
    } else {
        put_u32(&p, size);
        put_u32(&p, 0);
        put_u64(&p, 0);
        put_u64(&p, 0);
        if (version >= 2) {
            put_u64(&p, 0x1297);
            put_u64(&p, ticks);
        }
    }
    if (version >= 3)
        put_u32(&p, tid);
    etwc_event event = event_of(ETWC_CLASS_DISK_IO, opcode, version, 0, now, p);
    feed(&event);
}

static void
disk(unsigned opcode, int64_t now, uint32_t tid, uint64_t ticks, unsigned priority)
{
    disk_in_version(3, opcode, now, tid, 4096, ticks, priority);
}

static void
io_priority(unsigned opcode, int64_t now, uint32_t tid, unsigned priority)
{
    put p = {0};
    put_u32(&p, tid);
    put_u8(&p, 2);
    put_u8(&p, priority);
    put_u16(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_THREAD, opcode, 3, 0, now, p);
    feed(&event);
}

static void
thread_of_priority(unsigned opcode, int64_t now, uint32_t pid, uint32_t tid,
                   unsigned priority)
{
    etwc_event event = thread_event(opcode, now, pid, tid);
    payload[event.payload_size - 2] = (uint8_t)priority;
    feed(&event);
}

static const etwc_row_details *
details_of(etwc_snapshot *s, uint32_t pid)
{
    return etwc_snapshot_details(s, (size_t)(row_of(s, pid, 0) - row_of(s, 0, 0)));
}

static etwc_histogram_summary
latency(etwc_snapshot *s, uint32_t pid, etwc_latency which)
{
    etwc_histogram_summary summary;
    etwc_histogram_summarize(details_of(s, pid)->latencies[which], NULL, &summary);
    return summary;
}

TEST(each_kind_of_operation_has_a_histogram)
{
    begin(1);
    two_processes();
    for (unsigned i = 1; i <= 99; i++)
        disk(READ, 100, 10, 10, 0); /* 1 us */
    disk(READ, 100, 10, 50000, 0);  /* 5 ms */
    disk(WRITE, 110, 10, 70, 0);
    disk(FLUSH, 120, 20, 80, 0);
    etwc_snapshot *s = look(120);
    etwc_histogram_summary reads = latency(s, A, ETWC_LATENCY_READ);
    CHECK_EQ_U64(reads.count, 100);
    CHECK_EQ_U64(reads.p50_ns, 960 + 32); /* 1 000 lies in 960 .. 1 023 */
    CHECK_EQ_U64(reads.p99_ns, 960 + 32); /* the 99th is still one of these */
    CHECK_EQ_U64(reads.max_ns, 5000000);
    CHECK_EQ_U64(latency(s, A, ETWC_LATENCY_WRITE).max_ns, 7000);
    CHECK_EQ_U64(latency(s, B, ETWC_LATENCY_FLUSH).max_ns, 8000);
    CHECK(details_of(s, A)->latencies[ETWC_LATENCY_FLUSH] == NULL);
    CHECK(details_of(s, B)->latencies[ETWC_LATENCY_READ] == NULL);
    CHECK_EQ_U64(row_of(s, A, 0)->times.disk_read_ns, (99 * 10 + 50000) * 100);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.disk_flushes, 1);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.disk_flush_ticks, 80);
    CHECK_EQ_U64(row_of(s, B, 0)->times.disk_flush_ns, 8000);
    finish(s);
}

TEST(a_snapshot_keeps_the_histogram_of_its_moment)
{
    begin(1);
    two_processes();
    disk(READ, 100, 10, 10, 0);
    etwc_snapshot *first = look(100);
    etwc_snapshot *same = look(105);
    const etwc_histogram *shared = details_of(first, A)->latencies[ETWC_LATENCY_READ];
    CHECK(details_of(same, A)->latencies[ETWC_LATENCY_READ] == shared);
    disk(READ, 110, 10, 1000, 0);
    disk(READ, 120, 10, 2000, 0);
    etwc_snapshot *second = look(120);
    CHECK_EQ_U64(latency(first, A, ETWC_LATENCY_READ).count, 1);
    CHECK_EQ_U64(latency(same, A, ETWC_LATENCY_READ).count, 1);
    etwc_histogram_summary part;
    etwc_histogram_summarize(details_of(second, A)->latencies[ETWC_LATENCY_READ],
                             shared, &part);
    CHECK_EQ_U64(part.count, 2);
    CHECK_EQ_U64(part.max_ns, 200000);
    etwc_snapshot_free(first);
    etwc_snapshot_free(same);
    finish(second);
}

/* What could not be told is told by the next snapshot, and the ones before stay. */
TEST(a_snapshot_that_fails_takes_no_histogram_from_others)
{
    uint32_t hits = 0;
    for (uint32_t n = 1; n <= 32; n++) {
        begin(1);
        two_processes();
        disk(READ, 100, 10, 10, 0);
        etwc_snapshot *first = look(100);
        disk(READ, 110, 10, 1000000, 0); /* in another octave */
        disk(WRITE, 110, 20, 50, 0);
        sample(110, 20, 0x1000, 0);
        etwc_snapshot *failed = NULL;
        etwc_alloc_fail_after(n, false);
        etwc_status st =
            etwc_aggregate_snapshot(aggregate, 115, ETWC_SNAPSHOT_ROWS, &failed, NULL);
        etwc_alloc_fail_after(0, false);
        CHECK(st == ETWC_OK || (st == ETWC_E_NOMEM && failed == NULL));
        hits += st != ETWC_OK;
        etwc_snapshot_free(failed);
        etwc_snapshot *second = look(120);
        CHECK_EQ_U64(latency(first, A, ETWC_LATENCY_READ).count, 1);
        CHECK_EQ_U64(latency(first, A, ETWC_LATENCY_READ).max_ns, 1000);
        CHECK_EQ_U64(latency(second, A, ETWC_LATENCY_READ).count, 2);
        CHECK_EQ_U64(latency(second, A, ETWC_LATENCY_READ).max_ns, 100000000);
        CHECK_EQ_U64(latency(second, B, ETWC_LATENCY_WRITE).count, 1);
        etwc_snapshot_free(first);
        CHECK_EQ_U64(latency(second, A, ETWC_LATENCY_READ).count, 2);
        finish(second);
    }
    CHECK(hits > 4 && hits < 32);
}

TEST(the_machine_has_also_what_nobody_owns)
{
    begin(1);
    two_processes();
    disk(READ, 100, 10, 10, 3);
    disk_in_version(2, READ, 110, 0, 4096, 20, 4);
    etwc_snapshot *s = look(110);
    const etwc_row_details *machine = etwc_snapshot_machine_details(s);
    etwc_histogram_summary all;
    etwc_histogram_summarize(machine->latencies[ETWC_LATENCY_READ], NULL, &all);
    CHECK_EQ_U64(all.count, 2);
    CHECK_EQ_U64(all.max_ns, 2000);
    CHECK_EQ_U64(machine->disk_priorities[3], 1);
    CHECK_EQ_U64(machine->disk_priorities[4], 1);
    CHECK_EQ_U64(latency(s, A, ETWC_LATENCY_READ).count, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_records, 1);
    finish(s);
}

TEST(a_record_without_a_time_is_in_no_histogram)
{
    begin(1);
    two_processes();
    disk_in_version(0, READ, 100, 0, 4096, 0, 0);
    etwc_snapshot *s = look(100);
    CHECK(etwc_snapshot_machine_details(s)->latencies[ETWC_LATENCY_READ] == NULL);
    CHECK(etwc_snapshot_machine_details(s)->disk_priorities != NULL);
    finish(s);
}

TEST(reads_and_writes_are_counted_by_priority)
{
    begin(1);
    two_processes();
    disk(READ, 100, 10, 1, 0);
    disk(READ, 100, 10, 1, 3);
    disk(WRITE, 100, 10, 1, 3);
    disk(WRITE, 100, 10, 1, 7);
    disk(FLUSH, 100, 10, 1, 5);
    etwc_snapshot *s = look(100);
    static const uint64_t expected[] = {1, 0, 0, 2, 0, 0, 0, 1};
    CHECK_EQ_MEM(details_of(s, A)->disk_priorities, expected, sizeof expected);
    CHECK(details_of(s, B)->disk_priorities == NULL);
    finish(s);
}

TEST(the_priority_of_a_process_is_that_of_its_first_thread)
{
    begin(1);
    process(RUNDOWN, 0, A, 0xA, 259);
    process(RUNDOWN, 0, B, 0xB, 259);
    thread_of_priority(RUNDOWN, 0, A, 10, 2);
    thread_of_priority(START, 10, A, 11, 0);
    io_priority(52, 20, 11, 1); /* of the second one */
    io_priority(48, 20, 10, 9); /* not the priority of I/O */
    etwc_snapshot *s = look(20);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.io_priority, 2);
    CHECK(row_of(s, A, 0)->known & ETWC_ROW_IO_PRIORITY);
    CHECK(!(row_of(s, B, 0)->known & ETWC_ROW_IO_PRIORITY));
    etwc_snapshot_free(s);
    io_priority(52, 30, 10, 4);
    s = look(30);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.io_priority, 4);
    etwc_snapshot_free(s);
    thread_of_priority(END, 40, A, 10, 4);
    io_priority(52, 50, 11, 0); /* takes the place of the one that ended */
    s = look(50);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.io_priority, 0);
    finish(s);
}

TEST(what_an_unknown_thread_did_goes_to_its_process)
{
    begin(1);
    process(RUNDOWN, 0, 0, 0x1D, 259);
    disk(READ, 100, 30, 10, 1);
    process(RUNDOWN, 150, B, 0xB, 259);
    thread(RUNDOWN, 150, B, 40);
    disk(READ, 160, 40, 20, 1);
    disk(WRITE, 170, 30, 30, 1);
    thread(RUNDOWN, 180, B, 30); /* now it is known whose 30 is */
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(latency(s, B, ETWC_LATENCY_READ).count, 2);
    CHECK_EQ_U64(latency(s, B, ETWC_LATENCY_WRITE).count, 1);
    CHECK_EQ_U64(details_of(s, B)->disk_priorities[1], 3);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.disk_read_ops, 2);
    finish(s);
}

TEST(memory_that_is_out_loses_no_earlier_numbers)
{
    for (uint64_t fail = 1; fail <= 6; fail++) {
        begin(1);
        two_processes();
        disk(READ, 100, 10, 10, 0);
        etwc_snapshot *before = look(100);
        put p = {0};
        put_u32(&p, 0);
        put_u32(&p, 0);
        put_u64(&p, 20);
        put_u64(&p, 0);
        put_u32(&p, 10);
        etwc_event event = event_of(ETWC_CLASS_DISK_IO, FLUSH, 3, 0, 110, p);
        etwc_alloc_fail_after(fail, false);
        etwc_status status = etwc_aggregate_apply(aggregate, &event, NULL);
        etwc_alloc_fail_after(0, false);
        CHECK_STATUS(status, fail <= 2 ? ETWC_E_NOMEM : ETWC_OK);
        etwc_snapshot *s = look(110);
        CHECK_EQ_U64(latency(s, A, ETWC_LATENCY_READ).count, 1);
        etwc_snapshot_free(before);
        finish(s);
    }
}

HARNESS_MAIN
