/* Records that no system writes: the aggregate keeps its sums and its bounds. */
#include "scene.h"

static uint64_t state;

static uint32_t
dice(uint32_t sides)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 33) % sides;
}

/* Mostly small numbers, so that ids, types and IRPs meet; else any bytes. */
static void
fill(size_t size)
{
    bool is_wild = dice(4) == 0;
    for (size_t i = 0; i < size; i++)
        payload[i] = (uint8_t)(is_wild ? dice(256) : dice(3) == 0 ? dice(5) : 0);
}

static etwc_event
any_event(int64_t now)
{
    static const uint8_t classes[] = {
        ETWC_CLASS_DISK_IO, ETWC_CLASS_PAGE_FAULT, ETWC_CLASS_PROCESS,
        ETWC_CLASS_FILE_IO, ETWC_CLASS_THREAD,     ETWC_CLASS_TCP_IP,
        ETWC_CLASS_UDP_IP,  ETWC_CLASS_OBJECT,     ETWC_CLASS_SYSTEM_CONFIG,
        ETWC_CLASS_OBJECT,  ETWC_CLASS_FILE_IO,    ETWC_CLASS_EVENT_TRACE,
    };
    put p = {dice(128)};
    fill(p.size);
    uint8_t kernel_class = classes[dice(ETWC_ARRAY_SIZE(classes))];
    etwc_event event = event_of(kernel_class, dice(130), dice(6), dice(2), now, p);
    event.pointer_size = dice(4) == 0 ? 4 : 8;
    event.running_thread_id = dice(3) == 0 ? ETWC_NO_ID : dice(20);
    return event;
}

TEST(any_records_keep_the_sums_and_what_snapshots_have)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        state = seed * UINT64_C(0x9E3779B97F4A7C15);
        begin(2);
        etwc_snapshot *held = NULL;
        for (int64_t now = 1; now <= 3000; now++) {
            etwc_event event = any_event(now);
            feed(&event);
            if (dice(100) != 0)
                continue;
            etwc_snapshot *s = look(now); /* compares it with one that shares nothing */
            etwc_snapshot_free(held);
            held = s;
        }
        etwc_snapshot_free(held);
        finish(look(3001));
    }
}

TEST(rows_that_records_invent_are_bounded_by_the_limit)
{
    state = 77;
    lives = NULL;
    etwc_aggregate_options options = {.processors = 1, .limit_bytes = 1 << 20};
    etwc_clock_init(&options.clock, 0, 1000, 10000000, false);
    aggregate = etwc_aggregate_new(&options);
    CHECK(aggregate != NULL);
    etwc_status status = ETWC_OK;
    for (uint32_t i = 0; i < 100000 && status == ETWC_OK; i++) {
        put p = {0}; /* a disk read of a thread, and so of a process, of its own */
        put_u32(&p, 0);
        put_u32(&p, 0);
        put_u64(&p, 20);
        put_u64(&p, 0);
        put_u32(&p, i + 1);
        etwc_event event = event_of(ETWC_CLASS_DISK_IO, 14, 3, 0, i, p);
        status = etwc_aggregate_apply(aggregate, &event, NULL);
    }
    CHECK_STATUS(status, ETWC_E_LIMIT);
    finish(look(100000));
}

HARNESS_MAIN
