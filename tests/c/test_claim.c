/* Records that are nobody's: they are counted, and a source of theirs alone is absent. */
#include "scene.h"

enum { DEMAND_ZERO = 11, ACCESS_VIOLATION = 15, CREATE = 32, CLOSE = 33, LISTED = 38 };
enum { FILE_OPEN = 64, FILE_CLOSE = 66 };
#define NOBODY ETWC_NO_ID
#define KERNEL_HANDLE UINT32_C(0x80000004)

static void
of_running(etwc_event event, uint32_t tid)
{
    event.running_thread_id = tid;
    feed(&event);
}

static void
fault(unsigned opcode, int64_t now, uint32_t tid)
{
    put p = {0};
    put_u64(&p, 0x1000);
    put_u64(&p, 0x2000);
    of_running(event_of(ETWC_CLASS_PAGE_FAULT, opcode, 2, 0, now, p), tid);
}

static void
handle(unsigned opcode, int64_t now, uint32_t tid, uint32_t number)
{
    put p = {0};
    put_u64(&p, 0x0B1);
    put_u32(&p, number);
    put_u16(&p, 37);
    of_running(event_of(ETWC_CLASS_OBJECT, opcode, 2, 0, now, p), tid);
}

static void
listed(int64_t now, uint32_t pid, uint32_t number)
{
    put p = {0};
    put_u64(&p, 0x0B1);
    put_u32(&p, pid);
    put_u32(&p, number);
    put_u16(&p, 37);
    of_running(event_of(ETWC_CLASS_OBJECT, LISTED, 2, 0, now, p), NOBODY);
}

static void
old_disk_read(int64_t now) /* of version 2: it does not tell the thread */
{
    put p = {0};
    put_u64(&p, 0);
    put_u64(&p, 512);
    for (int i = 0; i < 4; i++)
        put_u64(&p, 0);
    of_running(event_of(ETWC_CLASS_DISK_IO, 10, 2, 0, now, p), NOBODY);
}

static void
file_call(unsigned opcode, int64_t now, uint32_t tid)
{
    put p = {0};
    for (int i = 0; i < 2; i++)
        put_u64(&p, 0x100);
    if (opcode == FILE_OPEN)
        put_u32(&p, tid);
    else
        put_u64(&p, 0x100);
    for (int i = 0; i < 4; i++)
        put_u32(&p, opcode == FILE_OPEN || i != 0 ? 0 : tid);
    of_running(event_of(ETWC_CLASS_FILE_IO, opcode, 3, 0, now, p), NOBODY);
}

#define CHECK_SOURCE(s, source, presence_of, count)                  \
    do {                                                             \
        const etwc_machine_row *m_ = etwc_snapshot_machine(s);       \
        CHECK_EQ_U64(m_->presence[ETWC_SOURCE_##source],             \
                     (unsigned)ETWC_##presence_of);                  \
        CHECK_EQ_U64(m_->unclaimed_by[ETWC_SOURCE_##source], count); \
    } while (0)

TEST(faults_of_nobody_are_absent_until_one_is_somebodys)
{
    begin(1);
    two_processes();
    etwc_snapshot *s = look(5);
    CHECK_SOURCE(s, page_faults, ABSENT, 0);
    etwc_snapshot_free(s);
    fault(DEMAND_ZERO, 10, NOBODY);
    fault(ACCESS_VIOLATION, 11, NOBODY); /* no fault at all */
    s = look(20);
    CHECK_SOURCE(s, page_faults, ABSENT, 1);
    fault(DEMAND_ZERO, 30, 10);
    fault(DEMAND_ZERO, 31, NOBODY);
    etwc_snapshot *later = look(40);
    CHECK_SOURCE(s, page_faults, ABSENT, 1);
    CHECK_SOURCE(later, page_faults, PRESENT, 2);
    CHECK_EQ_U64(row_of(later, A, 0)->counters.faults_demand_zero, 1);
    etwc_snapshot_free(s);
    finish(later);
}

TEST(faults_that_somebody_had_before_are_looked_for)
{
    begin(1);
    two_processes();
    fault(DEMAND_ZERO, 10, 10);
    etwc_snapshot *s = look(20); /* its row is copied: nothing changes any more */
    CHECK_SOURCE(s, page_faults, PRESENT, 0);
    etwc_snapshot_free(s);
    fault(DEMAND_ZERO, 30, NOBODY);
    s = look(40);
    CHECK_SOURCE(s, page_faults, PRESENT, 1);
    finish(s);
}

TEST(faults_of_who_has_left_were_somebodys)
{
    scene_limits[0] = 1;
    begin(1);
    scene_limits[0] = 0;
    process(START, 1, A, 0xA, 259);
    thread(START, 2, A, 10);
    fault(DEMAND_ZERO, 10, 10);
    process(END, 20, A, 0xA, 0);
    process(START, 30, B, 0xB, 259);
    fault(DEMAND_ZERO, 40, NOBODY);
    etwc_snapshot *s = look(50);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->expired_processes, 1);
    CHECK_SOURCE(s, page_faults, PRESENT, 1);
    finish(s);
}

TEST(a_thread_of_an_unknown_process_is_nobody)
{
    begin(1);
    two_processes();
    fault(DEMAND_ZERO, 10, 99);
    disk_read(20, 99, 512);
    file_call(FILE_OPEN, 30, 99);
    file_call(FILE_CLOSE, 40, 99); /* counts for nobody, whoever does it */
    etwc_snapshot *s = look(50);
    CHECK_SOURCE(s, page_faults, ABSENT, 1);
    CHECK_SOURCE(s, disk, ABSENT, 1);
    CHECK_SOURCE(s, disk_totals, PRESENT, 0);
    CHECK_SOURCE(s, file, ABSENT, 1);
    etwc_snapshot_free(s);
    disk_read(60, 10, 512);
    file_call(FILE_OPEN, 70, 20);
    s = look(80);
    CHECK_SOURCE(s, disk, PRESENT, 1);
    CHECK_SOURCE(s, file, PRESENT, 1);
    CHECK_SOURCE(s, page_faults, ABSENT, 1);
    finish(s);
}

TEST(what_threads_of_nobody_run_is_unknown_until_one_is_somebodys)
{
    begin(1);
    process(START, 1, A, 0xA, 259);
    switch_to(0, 10, 0, 99);
    sample(15, 99, 0x1000, 0);
    switch_to(0, 20, 99, 0);
    etwc_snapshot *s = look(30);
    const etwc_machine_row *machine = etwc_snapshot_machine(s);
    const etwc_process_row *idle = row_of(s, 0, 0), *other = row_of(s, A, 0);
    CHECK_SOURCE(s, switches, PRESENT, 1); /* of the processors it is known */
    CHECK_SOURCE(s, samples, PRESENT, 1);
    CHECK(etwc_row_has(machine, idle, ETWC_SOURCE_switches));
    CHECK(!etwc_row_has(machine, other, ETWC_SOURCE_switches));
    CHECK(!etwc_row_has(machine, other, ETWC_SOURCE_single_switches));
    CHECK(!etwc_row_has(machine, other, ETWC_SOURCE_samples));
    CHECK(!etwc_row_has(machine, idle, ETWC_SOURCE_disk));
    etwc_snapshot_free(s);
    thread(START, 40, A, 10);
    switch_to(0, 50, 0, 10);
    s = look(60);
    machine = etwc_snapshot_machine(s);
    CHECK(etwc_row_has(machine, row_of(s, A, 0), ETWC_SOURCE_switches));
    CHECK(!etwc_row_has(machine, row_of(s, A, 0), ETWC_SOURCE_samples));
    CHECK_SOURCE(s, switches, PRESENT, 1);
    etwc_snapshot_free(s);
    thread(RUNDOWN, 70, A, 99); /* now it is told whose that one is */
    s = look(80);
    CHECK(etwc_row_has(etwc_snapshot_machine(s), row_of(s, A, 0), ETWC_SOURCE_samples));
    finish(s);
}

TEST(what_found_no_place_is_refused_and_not_nobodys)
{
    scene_limits[0] = 3;
    begin(1);
    scene_limits[0] = 0;
    two_processes();
    process(START, 10, 300, 0xC, 259);
    thread(START, 11, 300, 30);
    fault(DEMAND_ZERO, 20, 30);
    etwc_snapshot *s = look(30);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->refused_processes, 1);
    CHECK_SOURCE(s, page_faults, PRESENT, 0);
    finish(s);
}

TEST(old_disk_records_tell_nobody)
{
    begin(1);
    two_processes();
    old_disk_read(10);
    etwc_snapshot *s = look(20);
    CHECK_SOURCE(s, disk, ABSENT, 1);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->disk_read_ops, 1);
    finish(s);
}

TEST(handles_are_unknown_until_one_is_somebodys)
{
    begin(1);
    two_processes();
    process(RUNDOWN, 0, SYSTEM_PID, 0x4, 259);
    process(START, 5, 300, 0xC, 259);
    handle(CREATE, 10, NOBODY, 4);
    etwc_snapshot *s = look(20);
    CHECK_SOURCE(s, handles, ABSENT, 1);
    CHECK_SOURCE(s, objects, PRESENT, 0); /* duplicates say whose they are */
    CHECK(!(row_of(s, 300, 0)->known & ETWC_ROW_HANDLES));
    etwc_snapshot_free(s);
    handle(CLOSE, 30, NOBODY, KERNEL_HANDLE); /* in the table of System */
    s = look(40);
    CHECK_SOURCE(s, handles, PRESENT, 1);
    CHECK(row_of(s, 300, 0)->known & ETWC_ROW_HANDLES);
    CHECK_EQ_U64(row_of(s, SYSTEM_PID, 0)->counters.handles_closed, 1);
    finish(s);
}

TEST(a_list_has_the_handles_that_were_nobodys_before)
{
    begin(1);
    two_processes();
    handle(CREATE, 10, NOBODY, 4);
    handle(CREATE, 11, NOBODY, 8);
    etwc_snapshot *s = look(20);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unclaimed_listed, 0);
    etwc_snapshot_free(s);
    listed(30, A, 4);
    handle(CREATE, 31, NOBODY, 12);
    listed(32, B, 8); /* which of the two lists has that one, nobody knows */
    s = look(40);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unclaimed_listed, 2);
    CHECK_SOURCE(s, handles, ABSENT, 3);
    finish(s);
}

HARNESS_MAIN
