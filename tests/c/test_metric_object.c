/* Handles: how many are open, and what was done to them by type of the object. */
#include "scene.h"

enum { CREATE = 32, CLOSE = 33, TYPE = 36, LISTED = 38, LISTED_AT_END = 39 };
enum { FILE_TYPE = 37, EVENT_TYPE = 16 };
#define KERNEL_HANDLE UINT32_C(0x80000004)

/* By the thread that runs. */
static void
handle(unsigned opcode, int64_t now, uint32_t tid, uint32_t number, unsigned type)
{
    put p = {0};
    put_u64(&p, 0x0B1);
    put_u32(&p, number);
    put_u16(&p, type);
    etwc_event event = event_of(ETWC_CLASS_OBJECT, opcode, 2, 0, now, p);
    event.running_thread_id = tid;
    feed(&event);
}

static void
duplicate(int64_t now, uint32_t source, uint32_t source_handle, uint32_t target,
          uint32_t target_handle, unsigned type)
{
    put p = {0};
    put_u64(&p, 0x0B1);
    put_u32(&p, source_handle);
    put_u32(&p, target_handle);
    put_u32(&p, target);
    put_u16(&p, type);
    put_u32(&p, source);
    etwc_event event = event_of(ETWC_CLASS_OBJECT, 34, 2, 0, now, p);
    feed(&event);
}

static void
listed(unsigned opcode, int64_t now, uint32_t pid, uint32_t number)
{
    put p = {0};
    put_u64(&p, 0x0B1);
    put_u32(&p, pid);
    put_u32(&p, number);
    put_u16(&p, EVENT_TYPE);
    etwc_event event = event_of(ETWC_CLASS_OBJECT, opcode, 2, 0, now, p);
    feed(&event);
}

static void
type_name(int64_t now, unsigned type, const char *name)
{
    put p = {0};
    put_u16(&p, type);
    put_u16(&p, 0);
    for (; *name; name++)
        put_u16(&p, (unsigned)*name);
    put_u16(&p, 0);
    etwc_event event = event_of(ETWC_CLASS_OBJECT, TYPE, 2, 0, now, p);
    feed(&event);
}

static const etwc_row_details *
details_of(etwc_snapshot *s, uint32_t pid)
{
    size_t count;
    return etwc_snapshot_details(
        s, (size_t)(row_of(s, pid, 0) - etwc_snapshot_rows(s, &count)));
}

/* Counts of a type; zero when there are none. */
static etwc_object_counts
counts_of(etwc_snapshot *s, uint32_t pid, unsigned type)
{
    const etwc_row_details *details = details_of(s, pid);
    size_t count;
    const etwc_object_type *types = etwc_snapshot_object_types(s, &count);
    for (size_t i = 0; i < details->object_slots; i++)
        if (types[i].number == type)
            return details->objects[i];
    return (etwc_object_counts){0};
}

static void
check_open(etwc_snapshot *s, uint32_t pid, uint64_t count, uint64_t peak)
{
    const etwc_process_row *row = row_of(s, pid, 0);
    CHECK(row->known & ETWC_ROW_HANDLES);
    CHECK_EQ_U64(row->gauges.handle_count, count);
    CHECK_EQ_U64(row->gauges.peak_handle_count, peak);
}

TEST(handles_are_counted_by_type)
{
    begin(1);
    two_processes();
    type_name(10, FILE_TYPE, "File");
    handle(CREATE, 100, 10, 4, FILE_TYPE);
    handle(CREATE, 110, 10, 8, FILE_TYPE);
    handle(CREATE, 120, 10, 12, EVENT_TYPE);
    handle(CLOSE, 130, 10, 4, FILE_TYPE);
    handle(CLOSE, 140, 20, 4, EVENT_TYPE);
    etwc_snapshot *s = look(140);
    CHECK_EQ_U64(counts_of(s, A, FILE_TYPE).opened, 2);
    CHECK_EQ_U64(counts_of(s, A, FILE_TYPE).closed, 1);
    CHECK_EQ_U64(counts_of(s, A, EVENT_TYPE).opened, 1);
    CHECK_EQ_U64(counts_of(s, B, EVENT_TYPE).closed, 1);
    CHECK_EQ_U64(counts_of(s, B, FILE_TYPE).opened, 0);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.handles_opened, 3);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.handles_closed, 1);
    size_t count;
    const etwc_object_type *types = etwc_snapshot_object_types(s, &count);
    CHECK_EQ_U64(count, 2);
    CHECK_EQ_STR(types[0].name->bytes, "File");
    CHECK(types[1].name == NULL);
    /* What they had open before the trace nobody told. */
    CHECK(!(row_of(s, A, 0)->known & ETWC_ROW_HANDLES));
    finish(s);
}

TEST(a_process_that_starts_in_the_trace_begins_with_none)
{
    begin(1);
    process(START, 50, A, 0xA, 259);
    thread(START, 51, A, 10);
    etwc_snapshot *s = look(60);
    CHECK(!(row_of(s, A, 0)->known & ETWC_ROW_HANDLES)); /* no sign of handles yet */
    etwc_snapshot_free(s);
    process(START, 70, B, 0xB, 259);
    handle(CREATE, 100, 10, 4, FILE_TYPE);
    handle(CREATE, 110, 10, 8, FILE_TYPE);
    handle(CLOSE, 120, 10, 4, FILE_TYPE);
    s = look(120);
    check_open(s, A, 1, 2);
    check_open(s, B, 0, 0);
    finish(s);
}

TEST(a_list_at_the_beginning_tells_how_many_there_are)
{
    begin(1);
    two_processes();
    handle(CREATE, 10, 10, 4, FILE_TYPE); /* the list has it, too */
    listed(LISTED, 50, A, 4);
    listed(LISTED, 50, A, 8);
    listed(LISTED, 50, A, 12);
    handle(CLOSE, 60, 10, 8, FILE_TYPE);
    handle(CREATE, 70, 10, 8, FILE_TYPE);
    handle(CREATE, 80, 10, 16, FILE_TYPE);
    handle(CLOSE, 90, 10, 16, FILE_TYPE);
    etwc_snapshot *s = look(90);
    check_open(s, A, 3, 4);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.handles_opened, 3);
    CHECK(!(row_of(s, B, 0)->known & ETWC_ROW_HANDLES));
    etwc_snapshot_free(s);
    for (uint32_t i = 1; i <= 3; i++) /* the same list once more */
        listed(LISTED, 100, A, 4 * i);
    s = look(100);
    check_open(s, A, 3, 3);
    finish(s);
}

TEST(a_list_at_the_end_tells_how_many_there_were)
{
    begin(1);
    two_processes();
    handle(CREATE, 10, 10, 4, FILE_TYPE);
    handle(CREATE, 20, 10, 8, FILE_TYPE);
    handle(CLOSE, 30, 10, 4, FILE_TYPE);
    for (uint32_t i = 0; i < 5; i++)
        listed(LISTED_AT_END, 50, A, 8 + 4 * i);
    etwc_snapshot *s = look(90);
    check_open(s, A, 5, 6); /* it had 4 to begin with */
    finish(s);
}

TEST(a_duplicate_is_the_targets_and_given_by_the_source)
{
    begin(1);
    process(START, 10, A, 0xA, 259);
    process(START, 10, B, 0xB, 259);
    duplicate(100, A, 4, B, 8, FILE_TYPE);
    duplicate(110, A, 4, A, 12, FILE_TYPE);
    etwc_snapshot *s = look(110);
    check_open(s, A, 1, 1);
    check_open(s, B, 1, 1);
    CHECK_EQ_U64(counts_of(s, A, FILE_TYPE).duplicated, 1);
    CHECK_EQ_U64(counts_of(s, B, FILE_TYPE).duplicated, 1);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.duplicates_given, 2);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.duplicates_given, 0);
    CHECK_EQ_U64(row_of(s, B, 0)->counters.handles_duplicated, 1);
    finish(s);
}

TEST(handles_of_the_kernel_are_those_of_system)
{
    begin(1);
    process(RUNDOWN, 0, SYSTEM_PID, 0x4, 259);
    process(START, 10, A, 0xA, 259);
    thread(START, 11, A, 10);
    listed(LISTED, 20, SYSTEM_PID, 0x80000000);
    handle(CREATE, 100, 10, KERNEL_HANDLE, FILE_TYPE);
    duplicate(110, A, 4, A, KERNEL_HANDLE + 4, EVENT_TYPE);
    handle(CLOSE, 120, ETWC_NO_ID, KERNEL_HANDLE, FILE_TYPE); /* whoever runs */
    etwc_snapshot *s = look(120);
    check_open(s, SYSTEM_PID, 2, 3);
    check_open(s, A, 0, 0);
    CHECK_EQ_U64(counts_of(s, SYSTEM_PID, FILE_TYPE).opened, 1);
    CHECK_EQ_U64(counts_of(s, SYSTEM_PID, EVENT_TYPE).duplicated, 1);
    CHECK_EQ_U64(row_of(s, A, 0)->counters.duplicates_given, 1);
    finish(s);
}

TEST(an_interval_is_the_difference_by_type)
{
    begin(1);
    two_processes();
    handle(CREATE, 100, 10, 4, FILE_TYPE);
    etwc_snapshot *first = look(100);
    handle(CREATE, 110, 10, 8, EVENT_TYPE);
    handle(CREATE, 120, 10, 12, FILE_TYPE);
    etwc_snapshot *second = look(120);
    CHECK_EQ_U64(counts_of(first, A, FILE_TYPE).opened, 1);
    CHECK_EQ_U64(counts_of(first, A, EVENT_TYPE).opened, 0);
    CHECK_EQ_U64(counts_of(second, A, FILE_TYPE).opened, 2);
    CHECK_EQ_U64(counts_of(second, A, EVENT_TYPE).opened, 1);
    etwc_snapshot_free(first);
    finish(second);
}

TEST(more_types_than_are_kept_share_one)
{
    begin(1);
    two_processes();
    for (unsigned type = 0; type < 1000; type++)
        handle(CREATE, 100, 10, 4, type);
    type_name(110, 5, "Mutant");
    type_name(110, 999, "Nobody"); /* has no slot to name */
    etwc_snapshot *s = look(110);
    size_t count;
    const etwc_object_type *types = etwc_snapshot_object_types(s, &count);
    CHECK_EQ_U64(count, ETWC_OBJECT_SLOTS);
    CHECK_EQ_STR(types[5].name->bytes, "Mutant");
    CHECK_EQ_U64(types[count - 1].number, ETWC_OBJECT_OTHER);
    CHECK(types[count - 1].name == NULL);
    CHECK_EQ_U64(counts_of(s, A, 126).opened, 1);
    CHECK_EQ_U64(counts_of(s, A, ETWC_OBJECT_OTHER).opened, 1000 - 127);
    finish(s);
}

TEST(what_an_unknown_thread_opened_goes_to_its_process)
{
    begin(1);
    handle(CREATE, 100, 30, 4, FILE_TYPE);
    process(RUNDOWN, 150, B, 0xB, 259);
    thread(RUNDOWN, 150, B, 30);
    for (uint32_t i = 0; i < 3; i++)
        listed(LISTED_AT_END, 160, B, 4 + 4 * i);
    etwc_snapshot *s = look(160);
    CHECK_EQ_U64(counts_of(s, B, FILE_TYPE).opened, 1);
    check_open(s, B, 3, 3);
    finish(s);
}

/* Texts of images that have left are swept; a name that was told once stays. */
TEST(names_of_types_outlive_the_texts_of_images)
{
    scene_limits[2] = 4;
    begin(1);
    process(START, 1, A, 1, 259);
    thread(START, 1, A, 10);
    type_name(2, FILE_TYPE, "File");
    type_name(2, FILE_TYPE, "Another");
    handle(CREATE, 3, 10, 4, FILE_TYPE);
    for (uint32_t i = 0; i < 10000; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "\\d\\a folder of some length\\%u.dll", i);
        image(10, 10 + i, A, i * UINT64_C(0x10000), name);
        image(2, 10 + i, A, i * UINT64_C(0x10000), name);
    }
    type_name(20000, EVENT_TYPE, "Event");
    etwc_snapshot *s = look(20000);
    etwc_aggregate_free(aggregate);
    aggregate = NULL;
    size_t count;
    const etwc_object_type *types = etwc_snapshot_object_types(s, &count);
    CHECK_EQ_U64(count, 2);
    CHECK_EQ_STR(types[0].name->bytes, "File");
    CHECK_EQ_STR(types[1].name->bytes, "Event");
    finish(s);
    scene_limits[2] = 0;
}

/* The n-th allocation fails, for every n. */
TEST(any_failed_allocation_leaves_the_handles_usable)
{
    for (uint64_t n = 1; n < 60; n++) {
        begin(1);
        etwc_alloc_fail_after(n, false);
        bool was_out = false;
        for (unsigned type = 0; type < 20; type++) {
            put p = {0};
            put_u64(&p, 0x0B1);
            put_u32(&p, 8);
            put_u32(&p, 12);
            put_u32(&p, A + type % 3);
            put_u16(&p, type);
            put_u32(&p, B);
            etwc_event event = event_of(ETWC_CLASS_OBJECT, 34, 2, 0, 100, p);
            etwc_status status = etwc_aggregate_apply(aggregate, &event, NULL);
            CHECK(status == ETWC_OK || status == ETWC_E_NOMEM);
            was_out |= status == ETWC_E_NOMEM;
        }
        etwc_alloc_fail_after(0, false);
        etwc_snapshot *s = look(200);
        const etwc_process_row *given = row_of(s, B, 0);
        CHECK(given->counters.duplicates_given >= (was_out ? 18 : 20));
        finish(s);
    }
}

HARNESS_MAIN
