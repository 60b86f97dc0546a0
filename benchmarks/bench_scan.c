/*
 * What reading a trace costs over the least that reading it can cost, per record.
 *
 *   bench_scan FILE [rounds [rundown]]
 *
 * Each round takes these in turn on the same file, so that a machine whose speed
 * drifts does not change the ratios; times are of the processor:
 *
 *   bytes      read all buffers, look at nothing
 *   floor      read a buffer, step by Size, nothing else
 *   scan       etwc_cursor_count: every record checked, merged in time order
 *   views      etwc_cursor_next: the same, and an event view of each
 *   aggregate  views, kernel payloads decoded, metrics kept per process
 *
 * The first `rundown` records are applied before the aggregate's time begins, so
 * that a long list of what was there already is no part of it.
 *
 * Prints one line of JSON: the records, the bytes, what the rows take, and for each
 * of them the nanoseconds per record of every round. The file should be in the page cache;
 * compressed files have no floor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "etl_format.h"
#include "etwc_aggregate.h"
#include "etwc_etl.h"
#include "etwc_os.h"
#include "metric_rows.h"

/* A buffer that begins a few bytes behind a page, as those of malloc do, is filled three
 * times slower on some processors: that would flatter whatever is compared to it. */
enum { MAX_ROUNDS = 64, CHUNK = 64, BUFFER_MAX = 16 << 20, PAGE_BYTES = 4096 };

#define MEMORY_LIMIT (UINT64_C(512) << 20)

typedef struct subject {
    const char *path;
    etwc_os_file *file;
    uint64_t bytes;
    etwc_pool *pool;
    etwc_etl *etl;
    uint8_t *buffer;
    uint64_t rundown;    /* records before the time begins */
    double start;        /* of the measurement, ns */
    uint64_t heap_bytes; /* of the aggregate, at its end */
} subject;

typedef uint64_t measure_function(subject *s);

static _Noreturn void
stop(const char *what, const etwc_error *err)
{
    fprintf(stderr, "bench_scan: %s: %s %s\n", what,
            err != NULL ? etwc_status_text(err->status) : "",
            err != NULL ? err->detail : "");
    exit(1);
}

/* Processor time: what else the machine does should not count. */
static double
now_ns(void)
{
    clock_t ticks = clock();
    if (ticks == (clock_t)-1)
        stop("no clock", NULL);
    return (double)ticks * (1e9 / (double)CLOCKS_PER_SEC);
}

/* Bytes that were allocated and not freed; 0 where the library does not tell. */
static uint64_t
heap_bytes(void)
{
#ifdef __GLIBC__
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* ---- What is measured ---------------------------------------------------------- */

/* One buffer by its own stride; 0 at the end of the file. */
static size_t
read_buffer(subject *s, uint64_t offset, size_t guess)
{
    size_t got = 0;
    if (etwc_os_file_read_at(s->file, offset, s->buffer, guess, &got, NULL) != ETWC_OK)
        stop("reading failed", NULL);
    return got < ETL_BUFFER_HEADER_BYTES ? 0 : got;
}

static uint64_t
measure_bytes(subject *s)
{
    size_t size = etwc_etl_get_header(s->etl)->buffer_size;
    uint64_t sum = 0;
    for (uint64_t at = 0; read_buffer(s, at, size) != 0; at += size)
        sum += s->buffer[0];
    return sum;
}

static uint64_t
measure_floor(subject *s)
{
    size_t size = etwc_etl_get_header(s->etl)->buffer_size;
    uint64_t records = 0;
    for (uint64_t at = 0; read_buffer(s, at, size) != 0; at += size) {
        const uint8_t *p = s->buffer + ETL_BUFFER_HEADER_BYTES;
        const uint8_t *end = s->buffer + etwc_load_u32(s->buffer + ETL_BUFFER_OFFSET);
        while (p < end) {
            unsigned type = p[ETL_RECORD_TYPE];
            bool is_kernel = type <= ETL_TYPE_COMPACT64 ||
                             type == ETL_TYPE_PERFINFO32 || type == ETL_TYPE_PERFINFO64;
            p += etwc_align8(etwc_load_u16(p + (is_kernel ? ETL_KERNEL_SIZE : 0)));
            records++;
        }
    }
    return records;
}

static etwc_cursor *
open_cursor(subject *s)
{
    etwc_cursor *cursor;
    etwc_error err;
    if (etwc_cursor_open(&s->etl, 1, NULL, &cursor, &err) != ETWC_OK)
        stop(s->path, &err);
    return cursor;
}

static uint64_t
measure_scan(subject *s)
{
    etwc_cursor *cursor = open_cursor(s);
    uint64_t count = 0;
    while (etwc_cursor_count(cursor, &count, NULL) == ETWC_OK)
        ;
    etwc_cursor_close(cursor);
    return count;
}

static uint64_t
measure_views(subject *s)
{
    static etwc_event events[CHUNK];
    etwc_cursor *cursor = open_cursor(s);
    uint64_t count = 0;
    size_t n;
    while (etwc_cursor_next(cursor, events, CHUNK, &n, NULL) == ETWC_OK)
        count += n;
    etwc_cursor_close(cursor);
    return count;
}

static uint64_t
measure_aggregate(subject *s)
{
    static etwc_event events[CHUNK];
    const etwc_etl_header *header = etwc_etl_get_header(s->etl);
    etwc_aggregate_options options = {
        .clock = *etwc_etl_get_clock(s->etl),
        .begin_raw_time = header->header_raw_time,
        .processors = header->processors,
        .timer_resolution_100ns = header->timer_resolution,
    };
    etwc_cursor *cursor = open_cursor(s);
    uint64_t heap = heap_bytes();
    etwc_aggregate *aggregate = etwc_aggregate_new(&options);
    etwc_error err;
    uint64_t count = 0;
    size_t n;
    if (aggregate == NULL)
        stop("out of memory", NULL);
    while (etwc_cursor_next(cursor, events, CHUNK, &n, &err) == ETWC_OK) {
        size_t applied;
        if (etwc_aggregate_apply_all(aggregate, events, n, &applied, &err) != ETWC_OK)
            stop("aggregate", &err);
        count += n;
        if (count <= s->rundown)
            s->start = now_ns();
    }
    etwc_cursor_close(cursor);
    s->heap_bytes = heap_bytes() - heap;
    etwc_aggregate_free(aggregate);
    return count;
}

/* ---- The rounds ------------------------------------------------------------------ */

static const struct {
    const char *name;
    measure_function *run;
    bool needs_plain;
} MEASURES[] = {
    {"bytes", measure_bytes, true},          {"floor", measure_floor, true},
    {"scan", measure_scan, false},           {"views", measure_views, false},
    {"aggregate", measure_aggregate, false},
};

enum { MEASURE_COUNT = sizeof MEASURES / sizeof MEASURES[0] };

static void
open_subject(subject *s, const char *path)
{
    etwc_source source;
    etwc_error err;
    s->path = path;
    s->pool = etwc_pool_new(MEMORY_LIMIT);
    s->buffer = aligned_alloc(PAGE_BYTES, BUFFER_MAX);
    if (s->pool == NULL || s->buffer == NULL)
        stop("out of memory", NULL);
    if (etwc_source_open_file(path, &source, &err) != ETWC_OK ||
        etwc_os_file_open(path, &s->file, &err) != ETWC_OK)
        stop(path, &err);
    s->bytes = source.size;
    if (etwc_etl_open(&source, s->pool, NULL, &s->etl, &err) != ETWC_OK)
        stop(path, &err);
    if (etwc_etl_get_header(s->etl)->buffer_size > BUFFER_MAX)
        stop("buffers are too large", NULL);
}

static void
print_rounds(const char *name, const double *ns, int rounds, const char *end)
{
    printf("\"%s\": [", name);
    for (int i = 0; i < rounds; i++)
        printf("%s%.4f", i ? ", " : "", ns[i]);
    printf("]%s", end);
}

int
main(int argc, char **argv)
{
    static double ns[MEASURE_COUNT][MAX_ROUNDS];
    subject s = {0};
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    if (argc < 2 || rounds < 1 || rounds > MAX_ROUNDS)
        stop("usage: bench_scan FILE [rounds [rundown]]", NULL);
    open_subject(&s, argv[1]);
    s.rundown = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    bool is_plain = etwc_etl_get_buffers(s.etl)->compressed == 0;
    uint64_t records = measure_scan(&s);
    if (s.rundown >= records)
        stop("no more records than those of the rundown", NULL);
    if (is_plain && measure_floor(&s) != records)
        stop("the floor sees another number of records", NULL);
    for (int round = 0; round < rounds; round++) {
        for (int m = 0; m < MEASURE_COUNT; m++) {
            if (MEASURES[m].needs_plain && !is_plain)
                continue;
            bool is_aggregate = MEASURES[m].run == measure_aggregate;
            uint64_t timed = records - (is_aggregate ? s.rundown : 0);
            s.start = now_ns();
            (void)MEASURES[m].run(&s);
            ns[m][round] = (now_ns() - s.start) / (double)timed;
        }
    }
    printf("{\"records\": %llu, \"bytes\": %llu, ", (unsigned long long)records,
           (unsigned long long)s.bytes);
    printf("\"process_bytes\": %zu, \"thread_bytes\": %zu, \"heap_bytes\": %llu, ",
           sizeof(metric_process), sizeof(metric_thread) + sizeof(metric_thread_facts),
           (unsigned long long)s.heap_bytes);
    for (int m = 0; m < MEASURE_COUNT; m++)
        if (!MEASURES[m].needs_plain || is_plain)
            print_rounds(MEASURES[m].name, ns[m], rounds,
                         m + 1 < MEASURE_COUNT ? ", " : "}\n");
    etwc_etl_release(s.etl);
    etwc_pool_release(s.pool);
    etwc_os_file_close(s.file);
    free(s.buffer);
    return 0;
}
