/* Histograms of times, and blocks that snapshots share. */
#include "harness.h"

#include "etwc_histogram.h"
#include "etwc_shared.h"

static etwc_histogram now, before;
static etwc_histogram_summary part;

static void
summarize(const etwc_histogram *base)
{
    etwc_histogram_summarize(&now, base, &part);
}

TEST(steps_lie_side_by_side_and_are_an_eighth_wide)
{
    for (size_t i = 0; i < ETWC_HISTOGRAM_STEPS; i++) {
        uint64_t begin = etwc_histogram_step_begin(i);
        uint64_t end = etwc_histogram_step_begin(i + 1);
        CHECK_EQ_U64(etwc_histogram_step(begin), i);
        CHECK_EQ_U64(etwc_histogram_step(end - 1), i);
        CHECK(begin < 8 ? end == begin + 1 : (end - begin) * 8 <= begin);
    }
    CHECK_EQ_U64(etwc_histogram_step_begin(ETWC_HISTOGRAM_STEPS), UINT64_C(1) << 42);
    CHECK_EQ_U64(etwc_histogram_step(UINT64_C(1) << 42), ETWC_HISTOGRAM_STEPS - 1);
    CHECK_EQ_U64(etwc_histogram_step(UINT64_MAX), ETWC_HISTOGRAM_STEPS - 1);
}

TEST(ranks_are_those_of_the_sorted_times)
{
    memset(&now, 0, sizeof now);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 0);
    CHECK_EQ_U64(part.max_ns, 0);
    for (uint64_t i = 1; i <= 200; i++) /* 1 .. 200 us */
        etwc_histogram_add(&now, i * 1000);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 200);
    CHECK_EQ_U64(part.total_ns, 200 * 201 / 2 * 1000);
    /* The 100th is 100 000, in 98 304 .. 106 495; the 198th is 198 000, in 196 608 ..
     * 212 991, whose middle is above the longest of all. */
    CHECK_EQ_U64(part.p50_ns, 98304 + 4096);
    CHECK_EQ_U64(part.p99_ns, 200000);
    CHECK_EQ_U64(part.max_ns, 200000);
}

TEST(a_single_time_is_all_of_them)
{
    memset(&now, 0, sizeof now);
    etwc_histogram_add(&now, 5);
    summarize(NULL);
    CHECK_EQ_U64(part.p50_ns, 5);
    CHECK_EQ_U64(part.p99_ns, 5);
    CHECK_EQ_U64(part.max_ns, 5);
}

TEST(a_difference_is_a_histogram)
{
    memset(&now, 0, sizeof now);
    etwc_histogram_add(&now, 1000000);
    etwc_histogram_add(&now, 7);
    before = now;
    summarize(&before);
    CHECK_EQ_U64(part.count, 0);
    etwc_histogram_add(&now, 1000);
    etwc_histogram_add(&now, 2000);
    etwc_histogram_add(&now, 2000);
    summarize(&before);
    CHECK_EQ_U64(part.count, 3);
    CHECK_EQ_U64(part.total_ns, 5000);
    CHECK_EQ_U64(part.p50_ns, 1920 + 64); /* 1 920 .. 2 047 */
    /* The longest of all came before: of this one the step is known. */
    CHECK_EQ_U64(part.max_ns, 2047);
    etwc_histogram_add(&now, 3000001);
    summarize(&before);
    CHECK_EQ_U64(part.max_ns, 3000001); /* the longest of all is in this part */
}

TEST(merging_adds_all_steps)
{
    etwc_histogram other = {0};
    memset(&now, 0, sizeof now);
    etwc_histogram_add(&now, 10);
    etwc_histogram_add(&other, 10);
    etwc_histogram_add(&other, UINT64_MAX);
    etwc_histogram_merge(&now, &other);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 3);
    CHECK_EQ_U64(part.max_ns, UINT64_MAX);
}

/* ---- Shared blocks --------------------------------------------------------------------- */

TEST(a_block_is_copied_only_while_somebody_else_holds_it)
{
    void *mine = NULL;
    CHECK_EQ_U64(etwc_shared_size(mine), 0);
    CHECK(etwc_shared_own(&mine, 16));
    CHECK_EQ_U64(etwc_shared_size(mine), 16);
    uint64_t *numbers = mine;
    CHECK_EQ_U64(numbers[0] + numbers[1], 0);
    numbers[0] = 7;
    void *same = mine;
    CHECK(etwc_shared_own(&mine, 16));
    CHECK(mine == same);
    etwc_shared_retain(mine); /* a snapshot */
    CHECK(etwc_shared_own(&mine, 8));
    CHECK(mine != same);
    CHECK_EQ_U64(etwc_shared_size(mine), 16);
    ((uint64_t *)mine)[0]++;
    CHECK_EQ_U64(((uint64_t *)same)[0], 7);
    CHECK_EQ_U64(((uint64_t *)mine)[0], 8);
    etwc_shared_release(same);
    CHECK(etwc_shared_own(&mine, 24)); /* it grows with what it has */
    CHECK_EQ_U64(((uint64_t *)mine)[0], 8);
    CHECK_EQ_U64(((uint64_t *)mine)[2], 0);
    etwc_shared_release(mine);
    etwc_shared_release(NULL);
}

TEST(a_block_that_cannot_be_copied_stays)
{
    void *mine = NULL;
    CHECK(etwc_shared_own(&mine, 8));
    void *same = mine;
    etwc_shared_retain(mine);
    etwc_alloc_fail_after(1, false);
    CHECK(!etwc_shared_own(&mine, 8));
    CHECK(mine == same);
    etwc_shared_release(same);
    CHECK(etwc_shared_own(&mine, 8));
    CHECK(mine == same);
    CHECK(!etwc_shared_own(&mine, SIZE_MAX));
    etwc_shared_release(mine);
}

HARNESS_MAIN
