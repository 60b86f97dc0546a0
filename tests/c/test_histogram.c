/* Histograms of times. */
#include "harness.h"

#include "etwc_alloc.h"
#include "etwc_histogram.h"

/* A histogram with the memory that a block of an aggregate has: no more than it asks
 * for, so that a sanitizer sees what is written behind it. */
static etwc_histogram *now, *before;
static etwc_histogram_summary part;

static void
empty(etwc_histogram **histogram)
{
    etwc_free(*histogram);
    *histogram = etwc_calloc(1, sizeof **histogram);
}

static void
reach(etwc_histogram **histogram, size_t size)
{
    *histogram = etwc_realloc(*histogram, size);
    CHECK(*histogram != NULL);
}

static void
add(etwc_histogram **histogram, uint64_t ns)
{
    reach(histogram, etwc_histogram_size_with(*histogram, ns));
    etwc_histogram_add(*histogram, ns);
}

static void
keep_as_before(void)
{
    size_t size = etwc_histogram_size_merged(now, NULL);
    reach(&before, size);
    memcpy(before, now, size);
}

static void
summarize(const etwc_histogram *base)
{
    etwc_histogram_summarize(now, base, &part);
}

static void
finish(void)
{
    etwc_free(now);
    etwc_free(before);
    now = before = NULL;
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
    empty(&now);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 0);
    CHECK_EQ_U64(part.max_ns, 0);
    for (uint64_t i = 1; i <= 200; i++) /* 1 .. 200 us */
        add(&now, i * 1000);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 200);
    CHECK_EQ_U64(part.total_ns, 200 * 201 / 2 * 1000);
    /* The 100th is 100 000, in 98 304 .. 106 495; the 198th is 198 000, in 196 608 ..
     * 212 991, whose middle is above the longest of all. */
    CHECK_EQ_U64(part.p50_ns, 98304 + 4096);
    CHECK_EQ_U64(part.p99_ns, 200000);
    CHECK_EQ_U64(part.max_ns, 200000);
    finish();
}

TEST(a_single_time_is_all_of_them)
{
    empty(&now);
    add(&now, 5);
    summarize(NULL);
    CHECK_EQ_U64(part.p50_ns, 5);
    CHECK_EQ_U64(part.p99_ns, 5);
    CHECK_EQ_U64(part.max_ns, 5);
    finish();
}

TEST(a_difference_is_a_histogram)
{
    empty(&now);
    add(&now, 1000000);
    add(&now, 7);
    keep_as_before();
    summarize(before);
    CHECK_EQ_U64(part.count, 0);
    add(&now, 1000);
    add(&now, 2000);
    add(&now, 2000);
    summarize(before);
    CHECK_EQ_U64(part.count, 3);
    CHECK_EQ_U64(part.total_ns, 5000);
    CHECK_EQ_U64(part.p50_ns, 1920 + 64); /* 1 920 .. 2 047 */
    /* The longest of all came before: of this one the step is known. */
    CHECK_EQ_U64(part.max_ns, 2047);
    add(&now, 3000001);
    summarize(before);
    CHECK_EQ_U64(part.max_ns, 3000001); /* the longest of all is in this part */
    finish();
}

TEST(merging_adds_all_steps)
{
    empty(&now);
    empty(&before);
    add(&now, 10);
    add(&before, 10);
    add(&before, UINT64_MAX);
    reach(&now, etwc_histogram_size_merged(now, before));
    etwc_histogram_merge(now, before);
    summarize(NULL);
    CHECK_EQ_U64(part.count, 3);
    CHECK_EQ_U64(part.max_ns, UINT64_MAX);
    finish();
}

TEST(steps_are_those_between_the_shortest_and_the_longest_time)
{
    CHECK_EQ_U64(etwc_histogram_size_with(NULL, 1000), sizeof *now + 8 * 8);
    empty(&now);
    CHECK_EQ_U64(etwc_histogram_count(now, 0), 0);
    const uint64_t times[] = {70000, 1000, 1, 1 << 30, 1000, 0, UINT64_MAX};
    /* In the middle, below, at the bottom, above, where some are, and at both ends. */
    const size_t octaves[] = {1, 8, 15, 29, 29, 29, 40};
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(times); i++) {
        add(&now, times[i]);
        CHECK_EQ_U64(etwc_histogram_size_merged(now, NULL),
                     sizeof *now + octaves[i] * 8 * 8);
        for (size_t j = 0; j < ETWC_ARRAY_SIZE(times); j++) {
            uint64_t count = 0;
            for (size_t k = 0; k <= i; k++)
                count += etwc_histogram_step(times[k]) == etwc_histogram_step(times[j]);
            CHECK_EQ_U64(etwc_histogram_count(now, etwc_histogram_step(times[j])),
                         count);
        }
    }
    summarize(NULL);
    CHECK_EQ_U64(part.count, 7);
    finish();
}

HARNESS_MAIN
