/* File operations under way, by IRP. */
#include "harness.h"

#include "metric_pending.h"

static metric_pending_entry got;

static void
put_one(metric_pending *p, uint64_t irp, uint32_t thread)
{
    CHECK(metric_pending_put(p, irp, thread / 10, thread, (thread & 1) != 0));
}

TEST(an_operation_is_taken_once)
{
    metric_pending p = {0};
    CHECK(!metric_pending_take(&p, 1, &got));
    put_one(&p, 0xFFFF8001, 31);
    put_one(&p, 0, 40);
    CHECK(metric_pending_take(&p, 0xFFFF8001, &got));
    CHECK_EQ_U64(got.thread, 31);
    CHECK_EQ_U64(got.process, 3);
    CHECK(got.is_write);
    CHECK(!metric_pending_take(&p, 0xFFFF8001, &got));
    CHECK(metric_pending_take(&p, 0, &got));
    CHECK(!got.is_write);
    CHECK_EQ_U64(p.count, 0);
    CHECK_EQ_U64(p.dropped, 0);
    metric_pending_reset(&p);
}

TEST(an_irp_that_is_used_again_stands_for_the_later_operation)
{
    metric_pending p = {0};
    put_one(&p, 5, 1);
    put_one(&p, 5, 2);
    CHECK_EQ_U64(p.count, 1);
    CHECK_EQ_U64(p.dropped, 1);
    CHECK(metric_pending_take(&p, 5, &got));
    CHECK_EQ_U64(got.thread, 2);
    CHECK(!metric_pending_take(&p, 5, &got));
    metric_pending_reset(&p);
}

TEST(the_oldest_goes_when_there_are_too_many)
{
    metric_pending p = {0};
    enum { EXTRA = 100 };
    const uint32_t fits = METRIC_PENDING_MOST - 1;
    for (uint32_t i = 0; i < fits + EXTRA; i++) {
        put_one(&p, (uint64_t)i << 12, i);
        if (i == 10) /* one from the middle has ended */
            CHECK(metric_pending_take(&p, 3 << 12, &got));
    }
    CHECK_EQ_U64(p.count, fits);
    CHECK_EQ_U64(p.dropped, EXTRA - 1);
    CHECK_EQ_U64(metric_pending_bytes(&p),
                 METRIC_PENDING_MOST * (sizeof(metric_pending_entry) + 4));
    for (uint32_t i = 0; i < fits + EXTRA; i++)
        CHECK(metric_pending_take(&p, (uint64_t)i << 12, &got) == (i >= EXTRA));
    CHECK_EQ_U64(p.count, 0);
    put_one(&p, 1, 1); /* and it goes on */
    CHECK(metric_pending_take(&p, 1, &got));
    metric_pending_reset(&p);
}

TEST(what_cannot_be_added_leaves_the_rest)
{
    metric_pending p = {0};
    for (uint64_t fail = 1; fail <= 2; fail++) {
        etwc_alloc_fail_after(fail, false);
        CHECK(!metric_pending_put(&p, 1, 0, 0, false));
        etwc_alloc_fail_after(0, false);
    }
    for (uint32_t i = 1; i < 64; i++)
        put_one(&p, i, i);
    for (uint64_t fail = 1; fail <= 2; fail++) {
        etwc_alloc_fail_after(fail, false);
        CHECK(!metric_pending_put(&p, 64, 0, 0, false));
        etwc_alloc_fail_after(0, false);
    }
    for (uint32_t i = 1; i < 64; i++) {
        CHECK(metric_pending_take(&p, i, &got));
        CHECK_EQ_U64(got.thread, i);
    }
    metric_pending_reset(&p);
}

HARNESS_MAIN
