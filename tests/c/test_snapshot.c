/* What snapshots share, and when it goes: freed in any order, by any thread. */
#include "scene.h"

#include "etwc_alloc.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

enum { LOOKS = 5 };

static size_t
position_of(const etwc_snapshot *s, uint32_t pid)
{
    size_t count = etwc_snapshot_row_count(s);
    for (size_t i = 0; i < count; i++)
        if (etwc_snapshot_process_id(s, i) == pid)
            return i;
    harness_fail(__FILE__, __LINE__, "no row of process %u", pid);
}

static uint64_t
samples_of(const etwc_snapshot *s, uint32_t pid)
{
    etwc_process_row row;
    etwc_snapshot_row(s, position_of(s, pid), &row);
    return row.counters.samples;
}

static etwc_snapshot *
rows_at(int64_t now)
{
    etwc_snapshot *s;
    CHECK_OK(etwc_aggregate_snapshot(aggregate, now, ETWC_SNAPSHOT_ROWS, &s, NULL));
    return s;
}

/* Snapshot n has n samples of A, and of B one from the fourth on. */
static void
take_looks(etwc_snapshot **looks)
{
    for (int i = 0; i < LOOKS; i++) {
        if (i != 0)
            sample(100 + 10 * i, 10, 0x1000, 0);
        if (i == 3)
            sample(100 + 10 * i, 20, 0x1000, 0);
        looks[i] = rows_at(105 + 10 * i);
    }
}

static void
check_looks(etwc_snapshot *const *looks)
{
    for (int i = 0; i < LOOKS; i++) {
        if (looks[i] == NULL)
            continue;
        CHECK_EQ_U64(samples_of(looks[i], A), (uint64_t)i);
        CHECK_EQ_U64(samples_of(looks[i], B), i >= 3);
    }
}

/* Frees them in the order of that number, and the aggregate after `until` of them. */
static void
free_in_order(unsigned order, int until)
{
    etwc_snapshot *looks[LOOKS];
    int64_t alive = etwc_alloc_alive();
    begin(1);
    two_processes();
    take_looks(looks);
    for (int freed = 0; freed < LOOKS; freed++) {
        if (freed == until)
            finish(NULL);
        unsigned left = (unsigned)(LOOKS - freed);
        unsigned chosen = order % left;
        order /= left;
        for (int i = 0; i < LOOKS; i++) {
            if (looks[i] == NULL || chosen-- != 0)
                continue;
            etwc_snapshot_free(looks[i]);
            looks[i] = NULL;
            break;
        }
        check_looks(looks);
    }
    if (until == LOOKS) {
        etwc_snapshot *last = rows_at(1000);
        CHECK_EQ_U64(samples_of(last, A), LOOKS - 1);
        finish(last);
    }
    CHECK_EQ_I64(etwc_alloc_alive(), alive);
}

TEST(snapshots_are_freed_in_any_order)
{
    for (unsigned order = 0; order < 120; order++)
        for (int until = 0; until <= LOOKS; until++)
            free_in_order(order, until);
}

/* Blocks that are alive after so many looks, with one snapshot before kept. */
static int64_t
alive_after(int looks, bool keeps_first)
{
    begin(1);
    two_processes();
    etwc_snapshot *first = rows_at(90);
    etwc_snapshot *base = rows_at(95);
    if (!keeps_first)
        etwc_snapshot_free(first);
    for (int i = 0; i < looks; i++) {
        sample(100 + 10 * i, 10, 0x1000, 0);
        etwc_snapshot *s = rows_at(105 + 10 * i);
        CHECK_EQ_U64(samples_of(s, A) - samples_of(base, A), 1);
        etwc_snapshot_free(base);
        base = s;
    }
    int64_t alive = etwc_alloc_alive();
    if (keeps_first) {
        CHECK_EQ_U64(samples_of(first, A), 0);
        etwc_snapshot_free(first);
    }
    finish(base);
    return alive;
}

TEST(what_nobody_holds_is_used_again)
{
    CHECK_EQ_I64(alive_after(1000, false), alive_after(10, false));
    CHECK_EQ_I64(alive_after(1000, true), alive_after(10, true));
}

TEST(many_snapshots_that_go_give_their_memory_back)
{
    enum { MANY = 500 };
    static etwc_snapshot *looks[MANY];
    begin(1);
    two_processes();
    int64_t alive = etwc_alloc_alive();
    for (int i = 0; i < MANY; i++) {
        sample(100 + 10 * i, 10, 0x1000, 0);
        looks[i] = rows_at(105 + 10 * i);
    }
    for (int i = 0; i < MANY; i++)
        etwc_snapshot_free(looks[i]);
    CHECK(etwc_alloc_alive() - alive < 20);
    finish(rows_at(10000));
}

static bool
has_part(const etwc_snapshot *s, size_t index, const etwc_snapshot *base)
{
    return etwc_snapshot_is_active(s, index, etwc_snapshot_machine(base)->filetime,
                                   base);
}

TEST(a_process_that_ended_has_a_part_while_its_thread_runs)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    process(END, 110, A, 0xA, 0);
    etwc_snapshot *first = rows_at(120);
    etwc_snapshot *second = rows_at(130);
    size_t at = position_of(second, A);
    CHECK(has_part(second, at, first));
    switch_from(0, 130, 10, 4, 0, 0);
    etwc_snapshot *third = rows_at(140);
    etwc_snapshot *fourth = rows_at(150);
    CHECK(!has_part(third, at, second)); /* it was told of all of that run */
    CHECK(!has_part(fourth, at, third));
    etwc_snapshot_free(first);
    etwc_snapshot_free(second);
    etwc_snapshot_free(third);
    finish(fourth);
}

TEST(a_run_under_way_makes_its_thread_active)
{
    begin(1);
    two_processes();
    switch_to(0, 100, 0, 10);
    etwc_snapshot *first = rows_at(120);
    etwc_snapshot *second = rows_at(130);
    etwc_row_threads threads;
    etwc_snapshot_threads_of(second, position_of(second, A), first, &threads);
    CHECK_EQ_U64(threads.active, 1);
    etwc_snapshot_threads_of(second, position_of(second, B), first, &threads);
    CHECK_EQ_U64(threads.active, 0);
    etwc_snapshot_threads_of(second, position_of(second, A), second, &threads);
    CHECK_EQ_U64(threads.active, 0); /* no time has passed */
    etwc_snapshot_free(first);
    finish(second);
}

TEST(no_memory_for_a_snapshot_changes_nothing)
{
    bool has_failed = true;
    for (uint64_t n = 1; has_failed; n++) {
        begin(1);
        two_processes();
        etwc_snapshot *first = rows_at(95);
        sample(100, 10, 0x1000, 0);
        sample(101, 20, 0x1000, 0);
        uint64_t before = etwc_alloc_count();
        etwc_alloc_fail_after(n, false);
        etwc_snapshot *s = NULL;
        etwc_status st =
            etwc_aggregate_snapshot(aggregate, 105, ETWC_SNAPSHOT_ALL, &s, NULL);
        has_failed = etwc_alloc_count() - before >= n;
        etwc_alloc_fail_after(0, false);
        CHECK_STATUS(st, has_failed ? ETWC_E_NOMEM : ETWC_OK);
        etwc_snapshot_free(s);
        CHECK_EQ_U64(samples_of(first, A), 0);
        etwc_snapshot *again = rows_at(110);
        CHECK_EQ_U64(samples_of(again, A), 1);
        CHECK_EQ_U64(samples_of(again, B), 1);
        etwc_snapshot_free(first);
        finish(again);
    }
}

#if !defined(_WIN32)
enum { HANDED = 200 };

typedef struct handed {
    etwc_snapshot *snapshot;
    uint64_t samples;
    bool is_good;
} handed;

static void *
check_and_free(void *argument)
{
    handed *h = argument;
    h->is_good = samples_of(h->snapshot, A) == h->samples;
    etwc_snapshot_free(h->snapshot);
    return NULL;
}

TEST(threads_free_snapshots_while_others_are_taken)
{
    static handed all[HANDED];
    static pthread_t threads[HANDED];
    begin(1);
    two_processes();
    for (int i = 0; i < HANDED; i++) {
        sample(100 + 10 * i, 10, 0x1000, 0);
        all[i] = (handed){rows_at(105 + 10 * i), (uint64_t)i + 1, false};
        CHECK(pthread_create(&threads[i], NULL, check_and_free, &all[i]) == 0);
        if (i >= 3)
            CHECK(pthread_join(threads[i - 3], NULL) == 0);
    }
    for (int i = HANDED - 3; i < HANDED; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < HANDED; i++)
        CHECK(all[i].is_good);
    finish(rows_at(10000));
}
#endif

HARNESS_MAIN
