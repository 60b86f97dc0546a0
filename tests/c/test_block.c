/* Pooled blocks: limits, reference counts, threads. */
#include "harness.h"

#include "etwc_block.h"

#if !defined(_WIN32)
#include <pthread.h>
#endif

static etwc_pool *
pool_of(uint64_t limit)
{
    etwc_pool *pool = etwc_pool_new(limit);
    CHECK(pool != NULL);
    return pool;
}

static etwc_block *
take(etwc_pool *pool, size_t size)
{
    etwc_block *block = NULL;
    CHECK_OK(etwc_pool_take(pool, size, &block, NULL));
    CHECK(etwc_block_size(block) >= size);
    if (size > 0)
        memset(etwc_block_bytes(block), 0xA5, size);
    return block;
}

TEST(blocks_count_against_the_limit_until_the_last_release)
{
    etwc_pool *pool = pool_of(1000);
    etwc_block *a = take(pool, 600);
    etwc_block *b = NULL;
    etwc_error err;
    CHECK_EQ_U64(etwc_pool_in_use(pool), 600);
    CHECK_STATUS(etwc_pool_take(pool, 401, &b, &err), ETWC_E_LIMIT);
    CHECK(b == NULL && err.status == ETWC_E_LIMIT && err.detail[0] != '\0');
    b = take(pool, 400);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 1000);
    etwc_block_retain(a);
    etwc_block_release(a);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 1000);
    etwc_block_release(a);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 400);
    etwc_block_release(b);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(other_memory_of_the_owner_is_charged)
{
    etwc_pool *pool = pool_of(100);
    CHECK_OK(etwc_pool_charge(pool, 60, NULL));
    CHECK_STATUS(etwc_pool_charge(pool, 41, NULL), ETWC_E_LIMIT);
    CHECK_STATUS(etwc_pool_charge(pool, UINT64_MAX, NULL), ETWC_E_LIMIT);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 60);
    etwc_pool_discharge(pool, 60);
    CHECK_OK(etwc_pool_charge(pool, 100, NULL));
    etwc_pool_discharge(pool, 100);
    etwc_pool_release(pool);
}

TEST(sizes_that_no_machine_has_are_refused)
{
    etwc_pool *pool = pool_of(UINT64_MAX);
    etwc_block *block = NULL;
    CHECK_STATUS(etwc_pool_take(pool, SIZE_MAX, &block, NULL), ETWC_E_NOMEM);
    CHECK_STATUS(etwc_pool_take(pool, SIZE_MAX - 8, &block, NULL), ETWC_E_NOMEM);
    CHECK(block == NULL);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(blocks_live_longer_than_everybody_elses_interest)
{
    etwc_pool *pool = pool_of(1000);
    etwc_block *a = take(pool, 10);
    etwc_block *b = take(pool, 20);
    etwc_pool_release(pool);
    CHECK_EQ_U64(etwc_block_bytes(a)[9], 0xA5);
    etwc_block_release(a);
    CHECK_EQ_U64(etwc_block_bytes(b)[19], 0xA5);
    etwc_block_release(b);
    etwc_pool_release(NULL);
    etwc_block_release(NULL);
}

TEST(a_released_block_is_used_again)
{
    etwc_pool *pool = pool_of(1 << 20);
    etwc_block_release(take(pool, 4096));
    uint64_t count = etwc_alloc_count();
    for (int i = 0; i < 100; i++)
        etwc_block_release(take(pool, 4096 - (size_t)i));
    CHECK_EQ_U64(etwc_alloc_count(), count);
    etwc_pool_release(pool);
}

TEST(free_blocks_make_room_for_what_is_needed)
{
    etwc_pool *pool = pool_of(1000);
    int64_t empty = etwc_alloc_alive();
    etwc_block_release(take(pool, 600));
    etwc_block *b = take(pool, 100); /* 600 free bytes are still inside the limit */
    CHECK_EQ_I64(etwc_alloc_alive(), empty + 2);
    CHECK_OK(etwc_pool_charge(pool, 301, NULL));
    CHECK_EQ_I64(etwc_alloc_alive(), empty + 1);
    etwc_pool_discharge(pool, 301);
    etwc_block *c = take(pool, 900);
    CHECK_EQ_I64(etwc_alloc_alive(), empty + 2);
    etwc_block_release(b);
    etwc_block_release(c);
    etwc_pool_release(pool);
}

TEST(a_block_counts_as_what_it_takes)
{
    etwc_pool *pool = pool_of(1000);
    etwc_block_release(take(pool, 600));
    etwc_block *a = take(pool, 400); /* the one of 600 */
    CHECK_EQ_U64(etwc_pool_in_use(pool), 600);
    etwc_block *b = NULL;
    CHECK_STATUS(etwc_pool_take(pool, 401, &b, NULL), ETWC_E_LIMIT);
    etwc_block_release(a);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(blocks_that_are_held_never_share_bytes)
{
    enum { COUNT = 40 };
    etwc_pool *pool = pool_of(1 << 20);
    etwc_block *blocks[COUNT];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            blocks[i] = take(pool, 64);
            memset(etwc_block_bytes(blocks[i]), i, 64);
        }
        for (int i = 0; i < COUNT; i++) {
            CHECK_EQ_U64(etwc_block_bytes(blocks[i])[0], (unsigned)i);
            CHECK_EQ_U64(etwc_block_bytes(blocks[i])[63], (unsigned)i);
            etwc_block_release(blocks[i]);
        }
    }
    CHECK_EQ_U64(etwc_pool_in_use(pool), 0);
    etwc_pool_release(pool);
}

TEST(every_allocation_may_fail)
{
    FOR_EACH_ALLOC_FAULT () {
        etwc_pool *pool = etwc_pool_new(1000);
        CHECK(pool != NULL || ALLOC_FAULT_HIT());
        if (pool == NULL)
            continue;
        etwc_block *block = NULL;
        etwc_status st = etwc_pool_take(pool, 100, &block, NULL);
        CHECK_STATUS(st, ALLOC_FAULT_HIT() ? ETWC_E_NOMEM : ETWC_OK);
        CHECK_EQ_U64(etwc_pool_in_use(pool), st == ETWC_OK ? 100 : 0);
        etwc_block_release(block);
        etwc_pool_release(pool);
    }
}

#if !defined(_WIN32)
enum { THREADS = 4, ROUNDS = 2000 };

typedef struct job {
    etwc_pool *pool;
    etwc_block *shared;
    bool is_good;
} job;

static void *
trade_blocks(void *context)
{
    job *j = context;
    for (size_t i = 0; i < ROUNDS; i++) {
        etwc_block *block = NULL;
        etwc_block_retain(j->shared);
        if (etwc_pool_take(j->pool, 1 + i % 300, &block, NULL) != ETWC_OK)
            return NULL;
        etwc_block_bytes(block)[0] = (uint8_t)i;
        if (etwc_block_bytes(j->shared)[0] != 0xA5)
            return NULL;
        etwc_block_release(block);
        etwc_block_release(j->shared);
    }
    j->is_good = true;
    return NULL;
}

TEST(threads_trade_blocks_of_one_pool)
{
    etwc_pool *pool = pool_of(1 << 20);
    etwc_block *shared = take(pool, 50);
    pthread_t threads[THREADS];
    job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){pool, shared, false};
        CHECK(pthread_create(&threads[i], NULL, trade_blocks, &jobs[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(jobs[i].is_good);
    CHECK_EQ_U64(etwc_pool_in_use(pool), 50);
    etwc_pool_release(pool);
    etwc_block_release(shared);
}
#endif

HARNESS_MAIN
