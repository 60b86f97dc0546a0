/* Sizes that lists of working sets and counter records tell, and faults by kind. */
#include "scene.h"

static unsigned pointer_size = 8;

static void
put_pointer(put *p, uint64_t v)
{
    if (pointer_size == 8)
        put_u64(p, v);
    else
        put_u32(p, v);
}

/* Pages of A and, when it is not 0, of B; version 2 has four members more. */
static etwc_event
working_sets_event(unsigned version, int64_t now, uint64_t a_pages, uint64_t b_pages)
{
    put p = {0};
    put_u32(&p, b_pages != 0 ? 2 : 1);
    for (int i = 0; i < (b_pages != 0 ? 2 : 1); i++) {
        uint64_t pages = i == 0 ? a_pages : b_pages;
        put_u32(&p, i == 0 ? A : B);
        put_pointer(&p, pages);
        put_pointer(&p, pages + 1); /* commit */
        put_pointer(&p, pages + 2); /* virtual size */
        put_pointer(&p, pages / 2); /* private working set */
        if (version >= 2) {
            put_pointer(&p, 91); /* store */
            put_pointer(&p, 92);
            put_pointer(&p, 3); /* commit debt */
            put_pointer(&p, 4); /* shared commit */
        }
    }
    etwc_event event = event_of(ETWC_CLASS_PAGE_FAULT, 125, version, 0, now, p);
    event.pointer_size = (uint8_t)pointer_size;
    return event;
}

static void
working_sets(unsigned version, int64_t now, uint64_t a_pages, uint64_t b_pages)
{
    etwc_event event = working_sets_event(version, now, a_pages, b_pages);
    feed(&event);
}

static void
page_size(int64_t now, uint32_t bytes)
{
    put p = {0};
    put_u32(&p, 3000);
    put_u32(&p, 2);
    put_u32(&p, 32768);
    put_u32(&p, bytes);
    put_u32(&p, 65536);
    for (int i = 0; i < 30; i++) /* names: cut short */
        put_u32(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_SYSTEM_CONFIG, 10, 2, 0, now, p);
    feed(&event);
}

static void
counters(unsigned opcode, int64_t now, uint32_t pid, uint64_t working_set,
         uint64_t peak)
{
    put p = {0};
    put_u32(&p, pid);
    put_u32(&p, 55); /* page faults */
    put_u32(&p, 66); /* handles */
    put_u32(&p, 0);
    put_u64(&p, 1000);
    put_u64(&p, peak);
    for (int i = 0; i < 3; i++)
        put_u64(&p, 0);
    put_u64(&p, 2000); /* virtual size */
    put_u64(&p, working_set);
    for (int i = 0; i < 3; i++)
        put_u64(&p, 0);
    put_u64(&p, 3000); /* private */
    etwc_event event = event_of(ETWC_CLASS_PROCESS, opcode, 2, 0, now, p);
    feed(&event);
}

static void
fault(unsigned opcode, unsigned cpu, int64_t now)
{
    put p = {0};
    put_u64(&p, 0x1000);
    put_u64(&p, 0x2000);
    etwc_event event = event_of(ETWC_CLASS_PAGE_FAULT, opcode, 2, cpu, now, p);
    event.running_thread_id = cpu == 0 ? 10 : ETWC_NO_ID;
    feed(&event);
}

TEST(lists_tell_sizes_in_pages)
{
    begin(1);
    two_processes();
    working_sets(0, 100, 1000, 2000);
    etwc_snapshot *s = look(100);
    const etwc_process_row *row = row_of(s, B, 0);
    CHECK_EQ_U64(row->gauges.working_set_size, 2000 * 4096);
    CHECK_EQ_U64(row->gauges.private_bytes, 2001 * 4096);
    CHECK_EQ_U64(row->gauges.virtual_size, 2002 * 4096);
    CHECK_EQ_U64(row->gauges.private_working_set_size, 1000 * 4096);
    CHECK(row->known & ETWC_ROW_MEMORY);
    CHECK(row->known & ETWC_ROW_WORKING_SET);
    CHECK(!(row->known & ETWC_ROW_SHARED_COMMIT));
    CHECK(!(row->known & ETWC_ROW_PEAKS));
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.working_set_size, 1000 * 4096);
    CHECK(!(row_of(s, 0, 0)->known & ETWC_ROW_MEMORY)); /* the lists left it out */
    CHECK_EQ_U64(etwc_snapshot_machine(s)->presence[ETWC_SOURCE_working_sets],
                 ETWC_PRESENT);
    finish(s);
}

TEST(newer_lists_tell_shared_commitment_and_32_bits_the_same)
{
    for (pointer_size = 4; pointer_size <= 8; pointer_size += 4) {
        begin(1);
        two_processes();
        working_sets(2, 100, 1000, 500);
        etwc_snapshot *s = look(100);
        const etwc_process_row *row = row_of(s, B, 0);
        CHECK_EQ_U64(row->gauges.working_set_size, 500 * 4096);
        CHECK_EQ_U64(row->gauges.commit_debt, 3 * 4096);
        CHECK_EQ_U64(row->gauges.shared_commit, 4 * 4096);
        CHECK(row->known & ETWC_ROW_SHARED_COMMIT);
        finish(s);
    }
    pointer_size = 8;
}

TEST(the_page_size_is_that_of_the_machine_although_it_is_told_late)
{
    for (int pass = 0; pass < 2; pass++) { /* with a first pass, and without */
        if (pass == 0)
            first_pass(1);
        else
            begin(1);
        for (int told = pass; told < 2; told++) {
            if (told == 1 && pass == 0)
                open_aggregate();
            two_processes();
            if (pass == 1) /* as a live session begins */
                page_size(50, 16384);
            working_sets(0, 100, 1000, 0);
            if (pass == 0)
                page_size(200, 16384);
        }
        etwc_snapshot *s = look(200);
        CHECK_EQ_U64(row_of(s, A, 0)->gauges.working_set_size, 1000 * 16384);
        finish(s);
    }
}

TEST(the_peak_is_the_largest_seen_until_counters_tell_it)
{
    begin(1);
    two_processes();
    working_sets(0, 100, 1000, 0);
    working_sets(0, 200, 3000, 0);
    working_sets(0, 300, 2000, 0);
    etwc_snapshot *s = look(300);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.working_set_size, 2000 * 4096);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.peak_working_set_size, 3000 * 4096);
    etwc_snapshot_free(s);
    counters(32, 400, A, 0, 99999999);
    s = look(400);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->gauges.peak_working_set_size, 99999999);
    CHECK(row->known & ETWC_ROW_PEAKS);
    /* At exit the counters have no current sizes: the latest list's stay. */
    CHECK_EQ_U64(row->gauges.working_set_size, 2000 * 4096);
    etwc_snapshot_free(s);
    working_sets(0, 500, 999999, 0); /* a list that is late changes no peak */
    s = look(500);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.peak_working_set_size, 99999999);
    finish(s);
}

TEST(the_latest_of_lists_and_counters_counts)
{
    begin(1);
    two_processes();
    working_sets(0, 100, 1000, 0);
    counters(33, 200, A, 777, 888);
    etwc_snapshot *s = look(200);
    const etwc_process_row *row = row_of(s, A, 0);
    CHECK_EQ_U64(row->gauges.working_set_size, 777);
    CHECK_EQ_U64(row->gauges.virtual_size, 2000);
    CHECK_EQ_U64(row->gauges.private_bytes, 3000);
    CHECK_EQ_U64(row->gauges.handle_count, 66);
    CHECK_EQ_U64(row->gauges.peak_handle_count, 66);
    CHECK(row->known & ETWC_ROW_COUNTERS);
    finish(s);
}

TEST(an_entry_belongs_to_who_has_the_id_then)
{
    first_pass(1);
    for (int told = 0; told < 2; told++) {
        if (told == 1)
            open_aggregate();
        process(START, 100, A, 0xA1, 259);
        working_sets(0, 150, 10, 0);
        process(END, 200, A, 0xA1, 0);
        process(START, 300, A, 0xA2, 259);
        working_sets(0, 350, 20, 0);
    }
    etwc_snapshot *s = look(400);
    CHECK_EQ_U64(row_of(s, A, 0)->gauges.working_set_size, 10 * 4096);
    CHECK_EQ_U64(row_of(s, A, 1)->gauges.working_set_size, 20 * 4096);
    finish(s);
}

TEST(a_list_that_contradicts_its_count_is_undecoded)
{
    begin(1);
    two_processes();
    etwc_event event = working_sets_event(0, 100, 1000, 2000);
    etwc_store_u32(payload, 7); /* more entries than there are */
    feed(&event);
    event = working_sets_event(0, 100, 1000, 2000);
    event.payload_size = 2;
    feed(&event);
    etwc_snapshot *s = look(100);
    const etwc_machine_row *m = etwc_snapshot_machine(s);
    CHECK(!(row_of(s, A, 0)->known & ETWC_ROW_MEMORY));
    CHECK_EQ_U64(m->undecoded, 2);
    CHECK_EQ_U64(m->undecoded_by[ETWC_SOURCE_working_sets], 2);
    CHECK_EQ_U64(m->undecoded_by[ETWC_SOURCE_disk], 0);
    finish(s);
}

TEST(faults_are_counted_by_kind_and_belong_to_who_runs)
{
    begin(2);
    two_processes();
    switch_to(0, 50, 0, 10);
    static const uint8_t times[] = {3, 1, 4, 1, 5, 9}; /* opcodes 10 .. 15 */
    for (unsigned i = 0; i < ETWC_ARRAY_SIZE(times); i++)
        for (unsigned n = 0; n < times[i]; n++)
            fault(10 + i, 0, 100);
    fault(10, 1, 100); /* nobody knows who runs there */
    etwc_snapshot *s = look(100);
    const etwc_row_counters *c = &row_of(s, A, 0)->counters;
    CHECK_EQ_U64(c->faults_transition, 3);
    CHECK_EQ_U64(c->faults_demand_zero, 1);
    CHECK_EQ_U64(c->faults_copy_on_write, 4);
    CHECK_EQ_U64(c->faults_guard_page, 1);
    CHECK_EQ_U64(c->faults_hard, 5);
    CHECK_EQ_U64(c->hard_faults, 0);
    CHECK_EQ_U64(etwc_snapshot_machine(s)->unowned_records, 1);
    finish(s);
}

TEST(a_hard_fault_belongs_to_the_thread_that_had_to_wait)
{
    begin(1);
    two_processes();
    switch_to(0, 50, 0, 10); /* the read ends while another one runs */
    put p = {0};
    put_u64(&p, 60);
    put_u64(&p, 0);
    put_u64(&p, 0x1000);
    put_u64(&p, 0xF0);
    put_u32(&p, 20);
    put_u32(&p, 32768);
    etwc_event event = event_of(ETWC_CLASS_PAGE_FAULT, 32, 2, 0, 100, p);
    event.running_thread_id = 10;
    feed(&event);
    etwc_snapshot *s = look(100);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.hard_faults, 1);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.hard_fault_bytes, 32768);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.faults_hard, 0); /* no second count */
    CHECK_EQ_U64(row_of(s, A, 0)->counters.hard_faults, 0);
    finish(s);
}

HARNESS_MAIN
