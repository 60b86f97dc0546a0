/*
 * The trace writer where Python does not reach: failing allocations, the bound
 * of its memory, broken item lists, calls without an error. What its files look
 * like is checked from Python, against the rules of the format.
 */
#include "harness.h"

#include "etwc_etl_writer.h"
#include "etwc_provider.h"

static char path[512];
static const uint8_t zeros[64];

static etwc_etl_writer *
open_writer(const etwc_etl_writer_options *options)
{
    etwc_etl_writer *writer = NULL;
    harness_temp_path("writer.etl", path, sizeof path);
    CHECK_OK(etwc_etl_writer_open(path, options, &writer, NULL));
    return writer;
}

/* 16 bytes of header and 24 of payload. */
static etwc_event
perfinfo(uint32_t processor, int64_t time)
{
    return (etwc_event){
        .raw_time = time,
        .payload = zeros,
        .extended = zeros,
        .payload_size = 24,
        .process_id = ETWC_NO_ID,
        .thread_id = ETWC_NO_ID,
        .processor = processor,
        .opcode = 36,
        .kind = ETWC_KIND_PERFINFO,
        .pointer_size = 8,
        .kernel_group = ETWC_CLASS_THREAD,
    };
}

static uint64_t
buffers_of(const etwc_etl_writer *writer)
{
    etwc_etl_writer_progress progress;
    etwc_etl_writer_get_progress(writer, &progress);
    return progress.buffers;
}

static etwc_status
write_some(etwc_etl_writer *writer)
{
    for (uint32_t i = 0; i < 200; i++) {
        etwc_event event = perfinfo(i % 40, 36000000000 + i);
        etwc_status st = etwc_etl_writer_write(writer, &event, NULL);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

static void
run_with_faults(uint32_t compression)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    options.buffer_size = 1024;
    options.compression = compression;
    harness_temp_path("faults.etl", path, sizeof path);
    FOR_EACH_ALLOC_FAULT () {
        etwc_etl_writer *writer = NULL;
        etwc_status st = etwc_etl_writer_open(path, &options, &writer, NULL);
        if (st == ETWC_OK)
            st = write_some(writer);
        if (st == ETWC_OK) {
            CHECK_OK(
                etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
            CHECK(!ALLOC_FAULT_HIT());
        } else {
            CHECK_STATUS(st, ETWC_E_NOMEM);
            etwc_etl_writer_abandon(writer);
        }
    }
}

TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    run_with_faults(ETWC_COMPRESSION_NONE);
    run_with_faults(ETWC_COMPRESSION_XPRESS);
}

TEST(a_write_works_again_after_memory_came_back)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    etwc_etl_writer *writer = open_writer(&options);
    etwc_event event = perfinfo(3, 36000000001);
    etwc_alloc_fail_after(1, true);
    CHECK_STATUS(etwc_etl_writer_write(writer, &event, NULL), ETWC_E_NOMEM);
    etwc_alloc_fail_after(0, false);
    CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
    etwc_etl_writer_progress progress;
    etwc_etl_writer_get_progress(writer, &progress);
    CHECK_EQ_U64(progress.events, 1);
    CHECK_EQ_I64(progress.next_sequence, 2);
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
}

TEST(would_block_tells_when_a_buffer_goes_to_the_file)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    options.buffer_size = 1024;
    etwc_etl_writer *writer = open_writer(&options);
    unsigned written = 0;
    for (uint32_t i = 0; i < 500; i++) {
        etwc_event event = perfinfo(i % 3, 36000000000 + i);
        event.payload_size = i % 64;
        bool is_expected = etwc_etl_writer_would_block(writer, &event);
        uint64_t before = buffers_of(writer);
        CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
        CHECK_EQ_U64(buffers_of(writer) != before, is_expected);
        written += is_expected;
    }
    CHECK(written > 10);
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
}

/* 16 MiB buffers: sixteen are the limit of 256 MiB. */
TEST(memory_is_bounded_whatever_the_number_of_processors)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    options.buffer_size = 16u << 20;
    options.processors = 40;
    options.compression = ETWC_COMPRESSION_XPRESS; /* keeps the file small */
    etwc_etl_writer *writer = open_writer(&options);
    for (uint32_t cpu = 0; cpu < 16; cpu++) {
        etwc_event event = perfinfo(cpu, 36000000000);
        CHECK(!etwc_etl_writer_would_block(writer, &event));
        CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
    }
    int64_t alive = etwc_alloc_alive();
    CHECK_EQ_U64(buffers_of(writer), 1);
    for (uint32_t cpu = 16; cpu < 40; cpu++) {
        etwc_event event = perfinfo(cpu, 36000000000);
        CHECK(etwc_etl_writer_would_block(writer, &event));
        CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
        CHECK_EQ_I64(etwc_alloc_alive(), alive);
    }
    CHECK_EQ_U64(buffers_of(writer), 25);
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
}

static etwc_status
write_with_items(etwc_etl_writer *writer, const uint8_t *items, size_t size)
{
    etwc_event event = perfinfo(0, 36000000000);
    event.kind = ETWC_KIND_EVENT;
    event.extended = items;
    event.extended_size = (uint32_t)size;
    event.extended_form = ETWC_EXTENDED_ITEMS;
    return etwc_etl_writer_write(writer, &event, NULL);
}

TEST(a_broken_list_of_items_is_refused)
{
    static const char *const broken[] = {
        "1000 0100 0000",                       /* shorter than a header */
        "1000 0100 0000 0800",                  /* its data is missing */
        "0800 0100 0000 0800",                  /* size below the data */
        "0000 0100 0000 0000",                  /* size 0 */
        "1000 0100 0100 0800 0000000000000000", /* linked to nothing */
        "1000 0100 0000 0800 0000000000000000 1000 0100 0000 0800 0000000000000000",
    };
    uint8_t bytes[64];
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    etwc_etl_writer *writer = open_writer(&options);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        size_t size = harness_hex(broken[i], bytes, sizeof bytes);
        CHECK_STATUS(write_with_items(writer, bytes, size), ETWC_E_INVALID);
    }
    size_t size = harness_hex("1000 0100 0100 0800 0000000000000000"
                              "0800 0b00 0000 0000",
                              bytes, sizeof bytes);
    CHECK_OK(write_with_items(writer, bytes, size));
    CHECK_OK(etwc_etl_writer_close(writer, 0, NULL));
}

TEST(items_are_linked_as_they_are_appended)
{
    uint8_t wanted[64], list[40];
    size_t last = SIZE_MAX;
    const uint8_t data[4] = {0xAA, 0xBB, 0xCC, 0xDD};
    memset(list, 0x55, sizeof list);
    size_t size =
        etwc_extended_append(list, sizeof list, 0, &last, 3, (etwc_span){data, 4});
    CHECK_EQ_U64(size, 16);
    size =
        etwc_extended_append(list, sizeof list, size, &last, 11, (etwc_span){NULL, 0});
    CHECK_EQ_U64(size, 24);
    CHECK_EQ_U64(harness_hex("1000 0300 0100 0400 aabbccdd00000000"
                             "0800 0b00 0000 0000",
                             wanted, sizeof wanted),
                 24);
    CHECK_EQ_MEM(list, wanted, 24);
    /* No room, or longer than an item can be: nothing is touched. */
    CHECK_EQ_U64(etwc_extended_append(list, 31, size, &last, 1, (etwc_span){data, 4}),
                 0);
    CHECK_EQ_U64(
        etwc_extended_append(list, 40, size, &last, 1, (etwc_span){data, SIZE_MAX - 7}),
        0);
    CHECK_EQ_U64(
        etwc_extended_append(list, 40, size, &last, 1, (etwc_span){data, 65528}), 0);
    CHECK_EQ_MEM(list, wanted, 24);
    CHECK_EQ_U64(last, 16);
}

TEST(events_of_other_kinds_cannot_carry_what_they_have_no_place_for)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    etwc_etl_writer *writer = open_writer(&options);
    static const struct {
        uint8_t kind, form;
        uint32_t size;
        etwc_status wanted;
    } cases[] = {
        {ETWC_KIND_PERFINFO, ETWC_EXTENDED_PMC, 56, ETWC_OK},
        {ETWC_KIND_PERFINFO, ETWC_EXTENDED_PMC, 64, ETWC_E_INVALID},
        {ETWC_KIND_PERFINFO, ETWC_EXTENDED_PEBS_PMC, 64, ETWC_OK},
        {ETWC_KIND_PERFINFO, ETWC_EXTENDED_PEBS_PMC, 0, ETWC_E_INVALID},
        {ETWC_KIND_PERFINFO, ETWC_EXTENDED_PMC, 12, ETWC_E_INVALID},
        {ETWC_KIND_SYSTEM, ETWC_EXTENDED_ITEMS, 16, ETWC_E_INVALID},
        {ETWC_KIND_INSTANCE, ETWC_EXTENDED_INSTANCE, 24, ETWC_OK},
        {ETWC_KIND_INSTANCE, ETWC_EXTENDED_INSTANCE, 16, ETWC_E_INVALID},
        {ETWC_KIND_INSTANCE, ETWC_EXTENDED_NONE, 0, ETWC_OK},
        {ETWC_KIND_FULL, ETWC_EXTENDED_PMC, 8, ETWC_E_INVALID},
        {ETWC_KIND_MESSAGE, ETWC_EXTENDED_ITEMS, 8, ETWC_E_INVALID},
        {ETWC_KIND_EVENT, ETWC_EXTENDED_PMC, 8, ETWC_E_INVALID},
        {ETWC_KIND_COUNT, ETWC_EXTENDED_NONE, 0, ETWC_E_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        etwc_event event = perfinfo(0, 36000000000);
        event.kind = cases[i].kind;
        event.extended_form = cases[i].form;
        event.extended_size = cases[i].size;
        CHECK_STATUS(etwc_etl_writer_write(writer, &event, NULL), cases[i].wanted);
    }
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
}

TEST(sizes_at_their_extremes_are_refused_not_wrapped)
{
    etwc_etl_writer_options options;
    etwc_etl_writer_defaults(&options);
    etwc_etl_writer *writer = open_writer(&options);
    etwc_event event = perfinfo(0, 36000000000);
    event.payload_size = UINT32_MAX;
    CHECK_STATUS(etwc_etl_writer_write(writer, &event, NULL), ETWC_E_INVALID);
    event.payload_size = 24;
    event.extended_size = UINT32_MAX - 7;
    event.extended_form = ETWC_EXTENDED_PMC;
    CHECK_STATUS(etwc_etl_writer_write(writer, &event, NULL), ETWC_E_INVALID);
    event = perfinfo(UINT32_MAX, 36000000000);
    CHECK_STATUS(etwc_etl_writer_write(writer, &event, NULL), ETWC_E_INVALID);
    CHECK_STATUS(etwc_etl_writer_set_loss(writer, 65536, 1, 0, NULL), ETWC_E_INVALID);
    CHECK(!etwc_etl_writer_would_block(writer, &event));
    etwc_etl_writer_abandon(writer);
    etwc_etl_writer_abandon(NULL);
}

HARNESS_MAIN
