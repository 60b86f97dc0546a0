/* The allocator and growing arrays. */
#include "harness.h"

TEST(sizes_that_wrap_are_refused)
{
    CHECK(etwc_calloc(SIZE_MAX / 2 + 1, 2) == NULL);
    CHECK(etwc_calloc(SIZE_MAX, SIZE_MAX) == NULL);
}

TEST(a_size_of_zero_gives_a_pointer)
{
    void *a = etwc_malloc(0);
    void *b = etwc_calloc(0, 8);
    void *c = etwc_realloc(NULL, 0);
    CHECK(a != NULL && b != NULL && c != NULL);
    etwc_free(a);
    etwc_free(b);
    etwc_free(c);
    etwc_free(NULL);
}

TEST(calloc_gives_zeroes)
{
    static const uint8_t zeroes[64];
    void *p = etwc_calloc(8, 8);
    CHECK(p != NULL);
    CHECK_EQ_MEM(p, zeroes, sizeof zeroes);
    etwc_free(p);
}

TEST(grow_keeps_items_and_grows_by_half)
{
    uint32_t *items = NULL;
    size_t capacity = 0;
    CHECK(etwc_grow((void **)&items, &capacity, 1, sizeof *items));
    CHECK_EQ_U64(capacity, 16);
    for (uint32_t i = 0; i < 16; i++)
        items[i] = i * 3;
    CHECK(etwc_grow((void **)&items, &capacity, 16, sizeof *items));
    CHECK_EQ_U64(capacity, 16);
    CHECK(etwc_grow((void **)&items, &capacity, 17, sizeof *items));
    CHECK_EQ_U64(capacity, 24);
    CHECK(etwc_grow((void **)&items, &capacity, 1000, sizeof *items));
    CHECK_EQ_U64(capacity, 1000);
    for (uint32_t i = 0; i < 16; i++)
        CHECK_EQ_U64(items[i], i * 3);
    etwc_free(items);
}

TEST(grow_that_cannot_leaves_everything)
{
    uint64_t *items = NULL;
    size_t capacity = 0;
    CHECK(etwc_grow((void **)&items, &capacity, 16, sizeof *items));
    items[15] = 42;
    uint64_t *before = items;
    CHECK(!etwc_grow((void **)&items, &capacity, SIZE_MAX / 8 + 1, sizeof *items));
    etwc_alloc_fail_after(1, true);
    CHECK(!etwc_grow((void **)&items, &capacity, 17, sizeof *items));
    etwc_alloc_fail_after(0, false);
    CHECK(items == before && capacity == 16 && items[15] == 42);
    etwc_free(items);
}

TEST(the_fault_switch_fails_the_allocation_it_names)
{
    etwc_alloc_fail_after(2, false);
    void *a = etwc_malloc(1);
    void *b = etwc_malloc(1);
    void *c = etwc_malloc(1);
    CHECK(a != NULL && b == NULL && c != NULL);
    etwc_free(a);
    etwc_free(c);
    etwc_alloc_fail_after(1, true);
    CHECK(etwc_malloc(1) == NULL && etwc_calloc(1, 1) == NULL);
    CHECK(etwc_realloc(NULL, 1) == NULL);
    etwc_alloc_fail_after(0, false);
}

TEST(every_fault_is_met_once_and_once_for_good)
{
    unsigned rounds = 0;
    unsigned hits = 0;
    FOR_EACH_ALLOC_FAULT () {
        void *a = etwc_malloc(1);
        void *b = etwc_malloc(1);
        rounds++;
        CHECK(ALLOC_FAULT_HIT() == (a == NULL || b == NULL));
        hits += ALLOC_FAULT_HIT();
        etwc_free(a);
        etwc_free(b);
    }
    /* none, first, second, not reached; the last three again with all later ones */
    CHECK_EQ_U64(rounds, 7);
    CHECK_EQ_U64(hits, 4);
}

HARNESS_MAIN
