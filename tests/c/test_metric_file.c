/* File calls by the thread that makes them, and the bytes that they move. */
#include "scene.h"

enum { CREATE = 64, CLOSE = 66, READ = 67, WRITE = 68, END_OF = 76 };

static void
transfer(unsigned opcode, int64_t now, uint32_t tid, uint64_t irp, uint32_t size)
{
    put p = {0};
    put_u64(&p, 0); /* offset */
    put_u64(&p, irp);
    put_u64(&p, 0xF0); /* file object, key */
    put_u64(&p, 0xF1);
    put_u32(&p, tid);
    put_u32(&p, size);
    put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_FILE_IO, opcode, 3, 0, now, p);
    feed(&event);
}

static void
other(unsigned opcode, int64_t now, uint32_t tid, uint64_t irp)
{
    put p = {0};
    put_u64(&p, irp);
    put_u64(&p, 0xF0);
    if (opcode == CREATE) {
        put_u32(&p, tid);
        for (int i = 0; i < 3; i++)
            put_u32(&p, 0);
        put_u16(&p, 0);
    } else if (opcode == 65 || opcode == CLOSE || opcode == 73) {
        put_u64(&p, 0xF1);
        put_u32(&p, tid);
    } else if (opcode == 72 || opcode == 77) {
        put_u64(&p, 0xF1);
        put_u32(&p, tid);
        for (int i = 0; i < 3; i++)
            put_u32(&p, 0);
        put_u16(&p, 0);
    } else {
        put_u64(&p, 0xF1);
        put_u64(&p, 0);
        put_u32(&p, tid);
        put_u32(&p, 0);
        if (opcode >= 79 && opcode <= 81)
            put_u16(&p, 0);
    }
    etwc_event event = event_of(ETWC_CLASS_FILE_IO, opcode, 3, 0, now, p);
    feed(&event);
}

static void
end_of(int64_t now, uint64_t irp, uint64_t bytes)
{
    put p = {0};
    put_u64(&p, irp);
    put_u64(&p, bytes);
    put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_FILE_IO, END_OF, 3, 0, now, p);
    feed(&event);
}

/* What the session recorded, by the first of its group masks. */
static void
masks(uint32_t first)
{
    put p = {0};
    put_u32(&p, first);
    for (int i = 0; i < 7; i++)
        put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_EVENT_TRACE, 5, 1, 0, 0, p);
    feed(&event);
}

#define FILE_IO_BIT 0x2000000
#define FILE_IO_INIT_BIT 0x4000000

static void
check_row(etwc_snapshot *s, uint32_t pid, uint64_t reads, uint64_t read_bytes,
          uint64_t writes, uint64_t write_bytes)
{
    const etwc_row_counters *c = &row_of(s, pid, 0)->counters;
    CHECK_EQ_U64(c->file_read_ops, reads);
    CHECK_EQ_U64(c->file_read_bytes, read_bytes);
    CHECK_EQ_U64(c->file_write_ops, writes);
    CHECK_EQ_U64(c->file_write_bytes, write_bytes);
}

TEST(bytes_count_when_the_call_ends)
{
    begin(1);
    two_processes();
    masks(FILE_IO_BIT | FILE_IO_INIT_BIT);
    transfer(READ, 100, 10, 0x1000, 8192);
    transfer(WRITE, 110, 20, 0x2000, 500);
    transfer(READ, 120, 10, 0x3000, 4096);
    etwc_snapshot *s = look(120);
    check_row(s, A, 2, 0, 0, 0); /* none has ended yet */
    etwc_snapshot_free(s);
    end_of(200, 0x3000, 4096);
    end_of(210, 0x1000, 100); /* the end of the file: less than was asked for */
    end_of(220, 0x1000, 100); /* of a call that moved no bytes */
    end_of(230, 0x2000, 500);
    s = look(230);
    check_row(s, A, 2, 4196, 0, 0);
    check_row(s, B, 0, 0, 1, 500);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->file_ends_missing, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->presence[ETWC_SOURCE_file_ends],
                 ETWC_PRESENT);
    finish(s);
}

TEST(without_ends_the_size_that_was_asked_for_counts)
{
    begin(1);
    two_processes();
    masks(FILE_IO_INIT_BIT);
    transfer(READ, 100, 10, 0x1000, 8192);
    transfer(WRITE, 110, 10, 0x1000, 500);
    etwc_snapshot *s = look(110);
    check_row(s, A, 1, 8192, 1, 500);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->presence[ETWC_SOURCE_file_ends],
                 ETWC_ABSENT);
    finish(s);
}

/* The masks of a trace can be missing: then the first end decides, and no call counts
 * twice. */
TEST(the_first_end_that_is_seen_changes_the_rule_for_later_calls)
{
    begin(1);
    two_processes();
    transfer(READ, 100, 10, 0x1000, 8192);
    end_of(110, 0x1000, 100);
    transfer(READ, 120, 10, 0x1000, 8192);
    end_of(130, 0x1000, 100);
    etwc_snapshot *s = look(130);
    check_row(s, A, 2, 8192 + 100, 0, 0);
    finish(s);
}

/* A reader of files looks ahead whether there are ends at all. */
TEST(ends_that_are_known_to_come_count_from_the_first_call_on)
{
    scene_processors = 1;
    lives = NULL;
    etwc_aggregate_options options = {.processors = 1,
                                      .present = {[ETWC_SOURCE_file_ends] = true}};
    etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
    aggregate = etwc_aggregate_new(&options);
    CHECK(aggregate != NULL);
    two_processes();
    transfer(READ, 100, 10, 0x1000, 8192);
    end_of(110, 0x1000, 100);
    etwc_snapshot *s = look(110);
    check_row(s, A, 1, 100, 0, 0);
    finish(s);
}

TEST(an_irp_that_is_used_again_ends_what_had_it)
{
    begin(1);
    two_processes();
    masks(FILE_IO_BIT);
    transfer(READ, 100, 10, 0x1000, 8192);
    transfer(WRITE, 110, 20, 0x1000, 10);
    end_of(120, 0x1000, 10);
    transfer(READ, 130, 10, 0x2000, 8192);
    other(CREATE, 140, 20, 0x2000); /* its end says how it opened, not how much */
    end_of(150, 0x2000, 1);
    etwc_snapshot *s = look(150);
    check_row(s, A, 2, 0, 0, 0);
    check_row(s, B, 0, 0, 1, 10);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->file_ends_missing, 2);
    finish(s);
}

TEST(bytes_go_to_the_issuer_although_it_was_learnt_meanwhile)
{
    begin(1);
    masks(FILE_IO_BIT);
    transfer(READ, 100, 30, 0x1000, 8192); /* who 30 is nobody knows yet */
    process(RUNDOWN, 150, B, 0xB, 259);
    thread(RUNDOWN, 150, B, 30);
    end_of(200, 0x1000, 8192);
    etwc_snapshot *s = look(200);
    check_row(s, B, 1, 8192, 0, 0);
    finish(s);
}

TEST(a_call_ends_after_its_process)
{
    first_pass(1);
    for (int told = 0; told < 2; told++) {
        if (told == 1)
            open_aggregate();
        masks(FILE_IO_BIT);
        process(START, 50, A, 0xA1, 259);
        thread(START, 51, A, 10);
        transfer(WRITE, 100, 10, 0x1000, 7);
        thread(END, 110, A, 10);
        process(END, 111, A, 0xA1, 0);
        process(START, 120, A, 0xA2, 259);
        thread(START, 121, A, 10);
        end_of(200, 0x1000, 7);
    }
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.file_write_bytes, 7);
    CHECK_EQ_U64(row_of(s, A, 1)->counters.file_write_bytes, 0);
    finish(s);
}

TEST(other_calls_are_those_that_the_system_counts)
{
    begin(1);
    two_processes();
    uint64_t counted = 0;
    for (unsigned opcode = CREATE; opcode <= 82; opcode++) {
        if (opcode == READ || opcode == WRITE || opcode == END_OF || opcode == 78)
            continue;
        /* Cleanup and close are the system's own, paths only add to a call. */
        bool is_call =
            opcode == CREATE || (opcode >= 69 && opcode <= 75) || opcode == 77;
        other(opcode, 100, 10, 0);
        counted += is_call;
        etwc_snapshot *s = look(100);
        CHECK_EQ_U64(row_of(s, A, 0)->counters.file_other_ops, counted);
        etwc_snapshot_free(s);
    }
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->undecoded, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->partial, 0);
    finish(s);
}

TEST(operations_that_never_end_take_bounded_memory)
{
    begin(1);
    two_processes();
    masks(FILE_IO_BIT);
    for (uint64_t i = 0; i < 70000; i++)
        transfer(READ, 100, 10, i, 1);
    for (uint64_t i = 0; i < 70000; i++)
        end_of(200, i, 1);
    etwc_snapshot *s = look(200);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.file_read_ops, 70000);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.file_read_bytes, 65535);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->file_ends_missing, 70000 - 65535);
    finish(s);
}

HARNESS_MAIN
