/* Cursors: how much one call does at most, and many of them on one file. */
#include "harness.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include "etl_format.h"
#include "etwc_etl.h"
#include "etwc_etl_writer.h"

/* A compressed trace whose buffers are small in the file and unpack to 16 MiB. */
static void
write_bombs(const char *path, uint32_t count)
{
    static uint8_t payload[60000];
    etwc_etl_writer_options options;
    etwc_etl_writer *writer = NULL;
    etwc_etl_writer_defaults(&options);
    options.buffer_size = 16 << 20;
    options.compression = ETWC_COMPRESSION_XPRESS;
    CHECK_OK(etwc_etl_writer_open(path, &options, &writer, NULL));
    for (uint32_t i = 0; i < count; i++) {
        etwc_event event = {.raw_time = options.start_raw_time + i,
                            .payload = payload,
                            .extended = payload,
                            .kind = ETWC_KIND_PERFINFO,
                            .pointer_size = 8};
        for (int k = 0; k < 270; k++) {
            event.payload_size = sizeof payload;
            CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
        }
        CHECK_OK(etwc_etl_writer_flush(writer, NULL));
    }
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
}

static etwc_etl *
open_path(const char *path, etwc_pool *pool)
{
    etwc_source source;
    etwc_etl *etl = NULL;
    CHECK_OK(etwc_source_open_file(path, &source, NULL));
    CHECK_OK(etwc_etl_open(&source, pool, NULL, &etl, NULL));
    return etl;
}

/* Events, and the calls that it took to count them. */
static uint64_t
count_calls(etwc_etl *etl, const etwc_selection *selection, uint64_t *out_calls)
{
    etwc_cursor *cursor = NULL;
    uint64_t count = 0;
    CHECK_OK(etwc_cursor_open(&etl, 1, selection, &cursor, NULL));
    *out_calls = 1;
    while (etwc_cursor_count(cursor, &count, NULL) == ETWC_OK)
        ++*out_calls;
    etwc_cursor_close(cursor);
    return count;
}

TEST(a_call_ends_after_so_many_bytes_of_buffers)
{
    enum { BUFFERS = 40, RECORDS = BUFFERS * 270 };
    const uint8_t opcode = 0;
    etwc_selection selection = {.opcodes = &opcode, .opcode_count = 1};
    char path[512];
    uint64_t calls;
    harness_temp_path("bombs.etl", path, sizeof path);
    write_bombs(path, BUFFERS);
    etwc_pool *pool = etwc_pool_new((uint64_t)512 << 20);
    etwc_etl *etl = open_path(path, pool);
    /* 40 buffers of 16 MiB: the record budget alone would let one call read all. */
    CHECK_EQ_U64(count_calls(etl, NULL, &calls), RECORDS + 1);
    CHECK(calls > 2);
    CHECK_EQ_U64(count_calls(etl, &selection, &calls), RECORDS + 1);
    CHECK(calls > 2);
    etwc_etl_release(etl);
    etwc_pool_release(pool);
}

#if !defined(_WIN32)
enum { THREADS = 8, ROUNDS = 5, EVENTS = 3000 };

typedef struct reader_job {
    etwc_etl *etl;
    uint64_t sum;
} reader_job;

/* Reads all and keeps one block across calls, as Python's events do. */
static void *
read_all(void *context)
{
    reader_job *job = context;
    etwc_event events[64];
    for (int round = 0; round < ROUNDS; round++) {
        etwc_cursor *cursor = NULL;
        etwc_block *held = NULL;
        size_t count;
        if (etwc_cursor_open(&job->etl, 1, NULL, &cursor, NULL) != ETWC_OK)
            return NULL;
        while (etwc_cursor_next(cursor, events, 64, &count, NULL) == ETWC_OK) {
            for (size_t i = 0; i < count; i++)
                job->sum += events[i].payload[0];
            if (count == 0)
                continue;
            etwc_block_release(held);
            held = events[count - 1].block;
            etwc_block_retain(held);
        }
        etwc_cursor_close(cursor);
        etwc_block_release(held);
    }
    etwc_etl_release(job->etl);
    return NULL;
}

TEST(threads_read_one_file_from_one_pool)
{
    static const uint8_t byte = 3;
    char path[512];
    etwc_etl_writer_options options;
    etwc_etl_writer *writer = NULL;
    harness_temp_path("shared.etl", path, sizeof path);
    etwc_etl_writer_defaults(&options);
    options.buffer_size = 4096;
    options.compression = ETWC_COMPRESSION_LZNT1;
    CHECK_OK(etwc_etl_writer_open(path, &options, &writer, NULL));
    for (uint32_t i = 0; i < EVENTS; i++) {
        etwc_event event = {.raw_time = options.start_raw_time + i,
                            .payload = &byte,
                            .extended = &byte,
                            .payload_size = 1,
                            .processor = i % 3,
                            .kind = ETWC_KIND_SYSTEM,
                            .pointer_size = 8};
        CHECK_OK(etwc_etl_writer_write(writer, &event, NULL));
    }
    CHECK_OK(etwc_etl_writer_close(writer, ETWC_WRITER_END_AT_LAST_EVENT, NULL));
    etwc_pool *pool = etwc_pool_new(1 << 20);
    etwc_etl *etl = open_path(path, pool);
    pthread_t threads[THREADS];
    reader_job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (reader_job){etl, 0};
        etwc_etl_retain(etl);
        CHECK(pthread_create(&threads[i], NULL, read_all, &jobs[i]) == 0);
    }
    etwc_etl_release(etl);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    /* The first payload byte of the header event is that of its buffer size: 0. */
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ_U64(jobs[i].sum, (uint64_t)ROUNDS * EVENTS * byte);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}
#endif

HARNESS_MAIN
