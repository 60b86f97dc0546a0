/* Counting events by provider, kind, id, opcode and version. */
#include "harness.h"

#include "etwc_block.h"
#include "etwc_summary.h"

static const uint8_t no_bytes[1];

static etwc_event
event_of(uint8_t provider, uint16_t id, int64_t filetime, uint32_t size)
{
    etwc_event event;
    memset(&event, 0, sizeof event);
    event.provider_id.bytes[0] = provider;
    event.id = id;
    event.filetime = filetime;
    event.payload = no_bytes;
    event.payload_size = size;
    event.kind = ETWC_KIND_EVENT;
    return event;
}

static const etwc_summary_row *
row_at(const etwc_summary *summary, size_t index)
{
    size_t count;
    const etwc_summary_row *rows = etwc_summary_rows(summary, &count);
    CHECK(index < count);
    return &rows[index];
}

TEST(events_of_one_key_share_a_row)
{
    etwc_pool *pool = etwc_pool_new(1 << 20);
    etwc_summary *summary = etwc_summary_new(pool);
    const etwc_event events[] = {
        event_of(1, 7, 500, 10), event_of(2, 7, 600, 1), event_of(1, 7, 400, 20),
        event_of(1, 8, 700, 0),  event_of(1, 7, 900, 3),
    };
    CHECK_STATUS(etwc_summary_feed(summary, events, 5, NULL), ETWC_OK);
    size_t count;
    (void)etwc_summary_rows(summary, &count);
    CHECK_EQ_U64(count, 3);
    CHECK_EQ_U64(row_at(summary, 0)->count, 3);
    CHECK_EQ_U64(row_at(summary, 0)->payload_bytes, 33);
    CHECK_EQ_I64(row_at(summary, 0)->first_filetime, 400);
    CHECK_EQ_I64(row_at(summary, 0)->last_filetime, 900);
    CHECK_EQ_U64(row_at(summary, 1)->event.provider_id.bytes[0], 2);
    CHECK_EQ_U64(row_at(summary, 2)->event.id, 8);
    etwc_summary_free(summary);
    etwc_pool_release(pool);
}

TEST(every_part_of_the_key_tells_events_apart)
{
    etwc_pool *pool = etwc_pool_new(1 << 20);
    etwc_summary *summary = etwc_summary_new(pool);
    etwc_event events[6];
    for (size_t i = 0; i < 6; i++)
        events[i] = event_of(1, 1, 0, 0);
    events[1].provider_id.bytes[15] = 1;
    events[2].id = 2;
    events[3].opcode = 1;
    events[4].version = 1;
    events[5].kind = ETWC_KIND_FULL;
    CHECK_STATUS(etwc_summary_feed(summary, events, 6, NULL), ETWC_OK);
    CHECK_STATUS(etwc_summary_feed(summary, events, 6, NULL), ETWC_OK);
    size_t count;
    (void)etwc_summary_rows(summary, &count);
    CHECK_EQ_U64(count, 6);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ_U64(row_at(summary, i)->count, 2);
    etwc_summary_free(summary);
    etwc_pool_release(pool);
}

TEST(many_keys_are_kept_apart_while_the_table_grows)
{
    enum { KEYS = 20000 };
    etwc_pool *pool = etwc_pool_new(64 << 20);
    etwc_summary *summary = etwc_summary_new(pool);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < KEYS; i++) {
            etwc_event event = event_of((uint8_t)(i >> 12), (uint16_t)i, i, 1);
            CHECK_STATUS(etwc_summary_feed(summary, &event, 1, NULL), ETWC_OK);
        }
    }
    size_t count;
    const etwc_summary_row *rows = etwc_summary_rows(summary, &count);
    CHECK_EQ_U64(count, KEYS);
    for (size_t i = 0; i < count; i++) {
        CHECK_EQ_U64(rows[i].count, 2);
        CHECK_EQ_U64(rows[i].event.id, (uint16_t)i);
    }
    etwc_summary_free(summary);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(hostile_numbers_of_keys_meet_the_limit_of_the_pool)
{
    etwc_pool *pool = etwc_pool_new(100000);
    etwc_summary *summary = etwc_summary_new(pool);
    etwc_status st = ETWC_OK;
    int fed = 0;
    for (; st == ETWC_OK && fed < UINT16_MAX; fed++) {
        etwc_event event = event_of(0, (uint16_t)fed, 0, 0);
        st = etwc_summary_feed(summary, &event, 1, NULL);
    }
    CHECK_STATUS(st, ETWC_E_LIMIT);
    CHECK(fed > 100);
    CHECK(etwc_pool_in_use(pool) <= 100000);
    etwc_summary_free(summary);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1; n < 20; n++) {
        etwc_pool *pool = etwc_pool_new(1 << 20);
        etwc_alloc_fail_after(n, false);
        etwc_summary *summary = etwc_summary_new(pool);
        for (int i = 0; summary != NULL && i < 1000; i++) {
            etwc_event event = event_of(0, (uint16_t)i, 0, 0);
            etwc_status st = etwc_summary_feed(summary, &event, 1, NULL);
            CHECK(st == ETWC_OK || st == ETWC_E_NOMEM);
        }
        etwc_alloc_fail_after(0, false);
        etwc_summary_free(summary);
        CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
        etwc_pool_release(pool);
    }
}

HARNESS_MAIN
