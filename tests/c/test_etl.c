/* The reader against failing memory, failing sources and callers that stop. What it
 * reads right is the business of the Python tests. */
#include "harness.h"

#include "etl_format.h"
#include "etwc_etl.h"

enum {
    BUFFER_BYTES = 1024,
    RECORD_BYTES = 88,
    RECORDS_PER_BUFFER = 10,
    DATA_BUFFERS = 12,
    PROCESSORS = 3,
    EVENTS = 1 + DATA_BUFFERS * RECORDS_PER_BUFFER,
    FILE_BYTES = (1 + DATA_BUFFERS) * BUFFER_BYTES,
    POOL_BYTES = 1 << 20
};

/* ---- A trace, byte by byte ------------------------------------------------------ */

static void
put_buffer_header(uint8_t *p, unsigned processor, unsigned sequence, unsigned end,
                  unsigned type)
{
    etwc_store_u32(p + ETL_BUFFER_BUFFER_SIZE, BUFFER_BYTES);
    etwc_store_u32(p + ETL_BUFFER_SAVED_OFFSET, end);
    etwc_store_u64(p + ETL_BUFFER_SEQUENCE, sequence);
    etwc_store_u16(p + ETL_BUFFER_PROCESSOR, (uint16_t)processor);
    etwc_store_u32(p + ETL_BUFFER_STATE, ETL_BUFFER_STATE_FLUSH);
    etwc_store_u32(p + ETL_BUFFER_OFFSET, end);
    etwc_store_u16(p + ETL_BUFFER_FLAGS, ETL_FLAG_PROC_INDEX);
    etwc_store_u16(p + ETL_BUFFER_TYPE, (uint16_t)type);
}

/* FILETIME stamps, so that a stamp is its own time. */
static void
put_header_event(uint8_t *p)
{
    unsigned size = ETL_SYSTEM_BYTES + ETL_HEADER64_STRINGS + 4;
    etwc_store_u32(p, 2 | (uint32_t)ETL_TYPE_SYSTEM64 << 16 | 0xC0000000);
    etwc_store_u16(p + ETL_KERNEL_SIZE, (uint16_t)size);
    etwc_store_u64(p + ETL_SYSTEM_TIMESTAMP, 1000);
    p += ETL_SYSTEM_BYTES;
    etwc_store_u32(p + ETL_HEADER_BUFFER_SIZE, BUFFER_BYTES);
    p[ETL_HEADER_LAYOUT_MAJOR] = 1;
    p[ETL_HEADER_LAYOUT_MINOR] = 5;
    etwc_store_u32(p + ETL_HEADER_PROCESSORS, PROCESSORS);
    etwc_store_u64(p + ETL_HEADER_END_TIME, 99999);
    etwc_store_u32(p + ETL_HEADER_BUFFERS_WRITTEN, 1 + DATA_BUFFERS);
    etwc_store_u32(p + ETL_HEADER_POINTER_SIZE, 8);
    etwc_store_u64(p + ETL_HEADER64_PERF_FREQ, 10000000);
    etwc_store_u64(p + ETL_HEADER64_START_TIME, 1000);
    etwc_store_u32(p + ETL_HEADER64_RESERVED_FLAGS, ETWC_CLOCK_SYSTEM_TIME);
}

static void
put_event(uint8_t *p, unsigned number)
{
    etwc_store_u32(p, RECORD_BYTES | (uint32_t)ETL_TYPE_EVENT64 << 16 | 0xC0000000);
    etwc_store_u64(p + ETL_EVENT_TIMESTAMP, 1000 + number);
    etwc_store_u16(p + ETL_EVENT_ID, (uint16_t)number);
    etwc_store_u64(p + ETL_EVENT_BYTES, number * UINT64_C(0x0101010101010101));
}

/* Events 1, 2, 3, ... dealt to the processors one by one. */
static void
make_trace(uint8_t *file)
{
    memset(file, 0xFF, FILE_BYTES);
    memset(file, 0, BUFFER_BYTES);
    put_buffer_header(file, 0, 0, ETL_BUFFER_HEADER_BYTES + 320,
                      ETL_BUFFER_TYPE_HEADER);
    put_header_event(file + ETL_BUFFER_HEADER_BYTES);
    for (unsigned b = 0; b < DATA_BUFFERS; b++) {
        uint8_t *buffer = file + (1 + b) * BUFFER_BYTES;
        unsigned end = ETL_BUFFER_HEADER_BYTES + RECORDS_PER_BUFFER * RECORD_BYTES;
        memset(buffer, 0, end);
        put_buffer_header(buffer, b % PROCESSORS, b + 1, end, ETL_BUFFER_TYPE_GENERIC);
        for (unsigned i = 0; i < RECORDS_PER_BUFFER; i++)
            put_event(buffer + ETL_BUFFER_HEADER_BYTES + i * RECORD_BYTES,
                      1 + (b / PROCESSORS * RECORDS_PER_BUFFER + i) * PROCESSORS +
                          b % PROCESSORS);
    }
}

/* ---- A source that fails -------------------------------------------------------- */

typedef struct flaky {
    uint8_t bytes[FILE_BYTES];
    unsigned reads, closes;
    unsigned fail_at;   /* this read fails; 0: none */
    bool is_sticky;     /* and all later ones */
    etwc_status status; /* how; E_TRUNCATED: it is short */
} flaky;

static etwc_status
flaky_read_at(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
              etwc_error *err)
{
    flaky *f = context;
    f->reads++;
    CHECK(offset <= FILE_BYTES && n <= FILE_BYTES - offset);
    bool fails = f->fail_at != 0 &&
                 (f->is_sticky ? f->reads >= f->fail_at : f->reads == f->fail_at);
    if (fails && f->status != ETWC_E_TRUNCATED)
        return etwc_fail(err, f->status, "flaky");
    *out_read = fails ? n / 2 : n;
    memcpy(dst, f->bytes + offset, *out_read);
    return ETWC_OK;
}

static void
flaky_close(void *context)
{
    ((flaky *)context)->closes++;
}

static etwc_source
flaky_source(flaky *f)
{
    return (etwc_source){FILE_BYTES, flaky_read_at, flaky_close, f};
}

/* ---- Reading ---------------------------------------------------------------------- */

static etwc_pool *
pool_of(uint64_t limit)
{
    etwc_pool *pool = etwc_pool_new(limit);
    CHECK(pool != NULL);
    return pool;
}

static etwc_etl *
open_trace(flaky *f, etwc_pool *pool)
{
    etwc_etl *etl = NULL;
    etwc_source source = flaky_source(f);
    CHECK_OK(etwc_etl_open(&source, pool, NULL, &etl, NULL));
    return etl;
}

static etwc_cursor *
open_cursor(etwc_etl *etl, const etwc_selection *selection)
{
    etwc_cursor *cursor = NULL;
    CHECK_OK(etwc_cursor_open(&etl, 1, selection, &cursor, NULL));
    return cursor;
}

/* Reads until something other than OK; all events must come in order. */
static etwc_status
read_on(etwc_cursor *cursor, size_t chunk, unsigned *count, etwc_error *err)
{
    enum { MAX_CHUNK = 64 };
    etwc_event events[MAX_CHUNK];
    size_t n = 0;
    CHECK(chunk <= MAX_CHUNK);
    for (;;) {
        etwc_status st = etwc_cursor_next(cursor, events, chunk, &n, err);
        if (st != ETWC_OK)
            return st;
        for (size_t i = 0; i < n; i++, ++*count) {
            CHECK_EQ_U64(events[i].id, *count);
            CHECK_EQ_I64(events[i].filetime, 1000 + (int64_t)*count);
            if (*count != 0)
                CHECK_EQ_U64(etwc_load_u64(events[i].payload),
                             *count * UINT64_C(0x0101010101010101));
        }
    }
}

static void
check_gone(flaky *f, etwc_pool *pool)
{
    CHECK_EQ_U64(f->closes, 1);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(a_trace_is_read_in_chunks_of_any_size)
{
    static flaky f;
    for (size_t chunk = 1; chunk <= 64; chunk++) {
        f = (flaky){.reads = 0};
        make_trace(f.bytes);
        etwc_pool *pool = pool_of(POOL_BYTES);
        etwc_etl *etl = open_trace(&f, pool);
        etwc_cursor *cursor = open_cursor(etl, NULL);
        unsigned count = 0;
        CHECK_STATUS(read_on(cursor, chunk, &count, NULL), ETWC_END);
        CHECK_STATUS(read_on(cursor, chunk, &count, NULL), ETWC_END);
        CHECK_EQ_U64(count, EVENTS);
        etwc_cursor_close(cursor);
        etwc_etl_release(etl);
        check_gone(&f, pool);
    }
}

TEST(a_cursor_keeps_its_file_and_views_keep_their_blocks)
{
    static flaky f;
    etwc_event event;
    size_t n;
    f = (flaky){.reads = 0};
    make_trace(f.bytes);
    etwc_pool *pool = pool_of(POOL_BYTES);
    etwc_etl *etl = open_trace(&f, pool);
    etwc_cursor *cursor = open_cursor(etl, NULL);
    etwc_etl_release(etl);
    CHECK_OK(etwc_cursor_next(cursor, &event, 1, &n, NULL));
    CHECK_OK(etwc_cursor_next(cursor, &event, 1, &n, NULL));
    etwc_block_retain(event.block);
    unsigned count = 2;
    CHECK_STATUS(read_on(cursor, 64, &count, NULL), ETWC_END);
    etwc_cursor_close(cursor);
    CHECK_EQ_U64(f.closes, 1);
    CHECK(etwc_pool_in_use(pool) > 0);
    CHECK_EQ_U64(etwc_load_u64(event.payload), UINT64_C(0x0101010101010101));
    etwc_block_release(event.block);
    check_gone(&f, pool);
    etwc_cursor_close(NULL);
    etwc_etl_release(NULL);
}

/* ---- Failing reads ---------------------------------------------------------------- */

/* One reading with the fault; true when the fault was met. */
static bool
read_with_fault(flaky *f, bool counts)
{
    etwc_pool *pool = pool_of(POOL_BYTES);
    etwc_etl *etl = NULL;
    etwc_error err = {.status = ETWC_OK};
    etwc_source source = flaky_source(f);
    etwc_status st = etwc_etl_open(&source, pool, NULL, &etl, &err);
    CHECK(source.read_at == NULL); /* moved in every case */
    unsigned count = 0;
    if (st == ETWC_OK) {
        etwc_cursor *cursor = open_cursor(etl, NULL);
        uint64_t counted = 0;
        if (counts) {
            while ((st = etwc_cursor_count(cursor, &counted, &err)) == ETWC_OK)
                ;
            count = (unsigned)counted;
        } else {
            st = read_on(cursor, 7, &count, &err);
        }
        CHECK(count <= EVENTS);
        CHECK_EQ_U64(st == ETWC_END, count == EVENTS);
        if (st != ETWC_END) { /* told once */
            uint64_t more = 0;
            CHECK_STATUS(read_on(cursor, 7, &count, NULL), ETWC_END);
            CHECK_STATUS(etwc_cursor_count(cursor, &more, NULL), ETWC_END);
            CHECK_EQ_U64(more, 0);
        }
        etwc_cursor_close(cursor);
    }
    if (st != ETWC_END) {
        CHECK_STATUS(st, f->status);
        CHECK_STATUS(err.status, f->status);
        CHECK(err.offset >= 0 && err.offset <= FILE_BYTES);
    }
    etwc_etl_release(etl);
    bool is_met = f->reads >= f->fail_at;
    CHECK(st == ETWC_END || is_met);
    CHECK(!f->is_sticky || !is_met || st != ETWC_END);
    check_gone(f, pool);
    return is_met;
}

TEST(every_read_may_fail)
{
    static const etwc_status ways[] = {ETWC_E_IO, ETWC_E_CALLBACK, ETWC_E_TRUNCATED};
    static flaky f;
    for (size_t way = 0; way < 3; way++)
        for (int mode = 0; mode < 4; mode++)
            for (unsigned n = 1;; n++) {
                f = (flaky){.fail_at = n, .status = ways[way], .is_sticky = mode & 1};
                make_trace(f.bytes);
                if (!read_with_fault(&f, mode & 2))
                    break;
                CHECK(n < 1000);
            }
}

TEST(a_failure_comes_after_everything_before_it)
{
    static flaky f;
    f = (flaky){.status = ETWC_E_IO, .is_sticky = true};
    make_trace(f.bytes);
    etwc_pool *pool = pool_of(POOL_BYTES);
    etwc_etl *etl = open_trace(&f, pool);
    /* The header and the first buffers can be read, the next one cannot. */
    f.fail_at = f.reads + 1 + PROCESSORS + 1;
    etwc_cursor *cursor = open_cursor(etl, NULL);
    unsigned count = 0;
    CHECK_STATUS(read_on(cursor, 64, &count, NULL), ETWC_E_IO);
    CHECK_EQ_U64(count, 1 + PROCESSORS * RECORDS_PER_BUFFER);
    etwc_damage damage;
    etwc_cursor_get_damage(cursor, &damage);
    static const etwc_damage none;
    CHECK_EQ_MEM(&damage, &none, sizeof none);
    etwc_cursor_close(cursor);
    etwc_etl_release(etl);
    check_gone(&f, pool);
}

/* ---- Failing memory ----------------------------------------------------------------- */

TEST(every_allocation_may_fail)
{
    static flaky f;
    FOR_EACH_ALLOC_FAULT () {
        f = (flaky){.reads = 0};
        make_trace(f.bytes);
        etwc_pool *pool = etwc_pool_new(POOL_BYTES);
        if (pool == NULL) {
            CHECK(ALLOC_FAULT_HIT());
            continue;
        }
        etwc_etl *etl = NULL;
        etwc_cursor *cursor = NULL;
        etwc_error err = {.status = ETWC_OK};
        etwc_source source = flaky_source(&f);
        etwc_status st = etwc_etl_open(&source, pool, NULL, &etl, &err);
        etwc_etl *files[2] = {etl, etl};
        if (st == ETWC_OK)
            st = etwc_cursor_open(files, 2, NULL, &cursor, &err);
        if (st == ETWC_OK)
            etwc_cursor_close(cursor);
        if (st == ETWC_OK)
            st = etwc_cursor_open(files, 1, NULL, &cursor, &err);
        if (st == ETWC_OK) {
            unsigned count = 0;
            st = read_on(cursor, 20, &count, &err);
            CHECK_EQ_U64(st == ETWC_END, count == EVENTS);
            etwc_cursor_close(cursor);
        }
        if (st != ETWC_END) {
            CHECK_STATUS(st, ETWC_E_NOMEM);
            CHECK_STATUS(err.status, ETWC_E_NOMEM);
            CHECK(ALLOC_FAULT_HIT());
        }
        etwc_etl_release(etl);
        check_gone(&f, pool);
    }
}

TEST(every_memory_limit_gives_an_answer)
{
    static flaky f;
    bool has_ended = false;
    unsigned before = 0;
    for (uint64_t limit = 0; !has_ended; limit += 331) {
        f = (flaky){.reads = 0};
        make_trace(f.bytes);
        etwc_pool *pool = pool_of(limit);
        etwc_etl *etl = NULL;
        etwc_cursor *cursor = NULL;
        etwc_source source = flaky_source(&f);
        etwc_status st = etwc_etl_open(&source, pool, NULL, &etl, NULL);
        unsigned count = 0;
        if (st == ETWC_OK)
            st = etwc_cursor_open(&etl, 1, NULL, &cursor, NULL);
        if (st == ETWC_OK)
            st = read_on(cursor, 20, &count, NULL);
        CHECK(etwc_pool_in_use(pool) <= limit);
        CHECK(count >= before);
        before = count;
        has_ended = st == ETWC_END;
        if (!has_ended)
            CHECK_STATUS(st, ETWC_E_LIMIT);
        etwc_cursor_close(cursor);
        etwc_etl_release(etl);
        check_gone(&f, pool);
        CHECK(limit < POOL_BYTES);
    }
    CHECK_EQ_U64(before, EVENTS);
}

/* ---- Callers that stop and go on ------------------------------------------------------ */

TEST(the_budget_bounds_the_work_of_a_call)
{
    static flaky f;
    const uint16_t wanted[] = {3, EVENTS - 1};
    const etwc_selection few = {.ids = wanted, .id_count = 2};
    for (uint64_t budget = 0; budget < 130; budget += 13) {
        f = (flaky){.reads = 0};
        make_trace(f.bytes);
        etwc_pool *pool = pool_of(POOL_BYTES);
        etwc_etl *etl = open_trace(&f, pool);
        etwc_cursor *cursor = open_cursor(etl, &few);
        etwc_event events[8];
        size_t n;
        unsigned calls = 0, found = 0;
        uint64_t counted = 0;
        etwc_cursor_set_budget(cursor, budget);
        while (etwc_cursor_next(cursor, events, 8, &n, NULL) == ETWC_OK) {
            calls++;
            for (size_t i = 0; i < n; i++)
                CHECK_EQ_U64(events[i].id, wanted[found++]);
        }
        CHECK_EQ_U64(found, 2);
        CHECK(calls >= (budget ? EVENTS / budget : EVENTS));
        etwc_cursor_close(cursor);
        cursor = open_cursor(etl, &few);
        etwc_cursor_set_budget(cursor, budget);
        for (calls = 1; etwc_cursor_count(cursor, &counted, NULL) == ETWC_OK;)
            calls++;
        CHECK_EQ_U64(counted, 2);
        CHECK(calls >= (budget ? EVENTS / budget : EVENTS));
        etwc_cursor_close(cursor);
        etwc_etl_release(etl);
        check_gone(&f, pool);
    }
}

TEST(counting_goes_on_where_reading_stopped)
{
    static flaky f;
    f = (flaky){.reads = 0};
    make_trace(f.bytes);
    etwc_pool *pool = pool_of(POOL_BYTES);
    etwc_etl *etl = open_trace(&f, pool);
    for (size_t first = 1; first <= EVENTS; first++) {
        etwc_event events[EVENTS];
        size_t n = 0, total = 0;
        uint64_t rest = 0;
        etwc_cursor *cursor = open_cursor(etl, NULL);
        while (total < first) {
            CHECK_OK(etwc_cursor_next(cursor, events, first - total, &n, NULL));
            total += n;
        }
        while (etwc_cursor_count(cursor, &rest, NULL) == ETWC_OK)
            ;
        CHECK_EQ_U64(rest, EVENTS - first);
        etwc_cursor_close(cursor);
    }
    etwc_etl_release(etl);
    check_gone(&f, pool);
}

TEST(an_interrupted_cursor_tells_the_damage_so_far)
{
    static flaky f;
    etwc_event events[4];
    etwc_damage damage;
    size_t n;
    f = (flaky){.reads = 0};
    make_trace(f.bytes);
    /* Unwritten space in the first and in the last data buffer, a short file. */
    memset(f.bytes + BUFFER_BYTES + ETL_BUFFER_HEADER_BYTES + RECORD_BYTES, 0, 8);
    memset(f.bytes + FILE_BYTES - BUFFER_BYTES + ETL_BUFFER_HEADER_BYTES, 0, 8);
    etwc_store_u32(f.bytes + ETL_BUFFER_HEADER_BYTES + ETL_SYSTEM_BYTES +
                       ETL_HEADER_BUFFERS_WRITTEN,
                   1 + DATA_BUFFERS + 5);
    etwc_pool *pool = pool_of(POOL_BYTES);
    etwc_etl *etl = open_trace(&f, pool);
    CHECK_EQ_U64(etwc_etl_get_index_damage(etl)->missing_buffers, 5);
    CHECK_EQ_U64(etwc_etl_get_index_damage(etl)->zero_records, 0);
    etwc_cursor *cursor = open_cursor(etl, NULL);
    etwc_cursor_get_damage(cursor, &damage);
    CHECK_EQ_U64(damage.missing_buffers, 5);
    CHECK_EQ_U64(damage.zero_records, 0);
    CHECK_OK(etwc_cursor_next(cursor, events, 4, &n, NULL));
    etwc_cursor_get_damage(cursor, &damage);
    CHECK_EQ_U64(damage.zero_records, 1);
    CHECK_EQ_U64(damage.bytes_skipped, (RECORDS_PER_BUFFER - 1) * RECORD_BYTES);
    while (etwc_cursor_next(cursor, events, 4, &n, NULL) == ETWC_OK)
        ;
    etwc_cursor_get_damage(cursor, &damage);
    CHECK_EQ_U64(damage.zero_records, 2);
    CHECK_EQ_U64(damage.bytes_skipped, (2 * RECORDS_PER_BUFFER - 1) * RECORD_BYTES);
    CHECK_EQ_U64(damage.missing_buffers, 5);
    CHECK_EQ_U64(etwc_cursor_get_position(cursor),
                 ETL_BUFFER_HEADER_BYTES + 320 +
                     DATA_BUFFERS *
                         (ETL_BUFFER_HEADER_BYTES + RECORDS_PER_BUFFER * RECORD_BYTES));
    etwc_cursor_close(cursor);
    etwc_etl_release(etl);
    check_gone(&f, pool);
}

TEST(damage_adds_up_field_by_field)
{
    etwc_damage total = {0}, part = {0};
    uint64_t n = 1;
#define PUT(name) part.name = n++;
    ETWC_DAMAGE_LIST(PUT)
#undef PUT
    etwc_damage_add(&total, &part);
    etwc_damage_add(&total, &part);
    n = 1;
#define EXPECT(name) CHECK_EQ_U64(total.name, 2 * n++);
    ETWC_DAMAGE_LIST(EXPECT)
#undef EXPECT
}

HARNESS_MAIN
