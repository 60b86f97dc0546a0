/*
 * The pool's mutex guards its list and counters only; it is a leaf lock, taken
 * once per block and never around a system call but malloc.
 */
#include "etwc_block.h"

#include "etwc_alloc.h"
#include "etwc_atomic.h"
#include "etwc_os.h"

/* Free blocks that a pool keeps: enough for a reader that trades one block of
 * each stream for the next, without hoarding what a burst has left behind. */
enum { POOL_KEEP_MAX = 32 };

struct etwc_block {
    etwc_atomic_size references;
    etwc_pool *pool; /* owned reference while the block is in use */
    etwc_block *next_free;
    size_t capacity;
    size_t size;
    /* the bytes follow */
};

struct etwc_pool {
    etwc_atomic_size references; /* its owners' and one of each block in use */
    etwc_os_mutex *mutex;
    uint64_t limit_bytes;  /* constant */
    uint64_t in_use_bytes; /* under the mutex, like all below */
    uint64_t kept_bytes;   /* of the free blocks; with in_use_bytes inside the limit */
    etwc_block *free_blocks;
    unsigned free_count;
};

etwc_pool *
etwc_pool_new(uint64_t limit_bytes)
{
    etwc_pool *pool = etwc_calloc(1, sizeof *pool);
    if (pool == NULL)
        return NULL;
    pool->mutex = etwc_os_mutex_new();
    if (pool->mutex == NULL) {
        etwc_free(pool);
        return NULL;
    }
    etwc_atomic_init(&pool->references, 1);
    pool->limit_bytes = limit_bytes;
    return pool;
}

void
etwc_pool_retain(etwc_pool *pool)
{
    (void)etwc_atomic_add_relaxed(&pool->references, 1);
}

void
etwc_pool_release(etwc_pool *pool)
{
    if (pool == NULL || etwc_atomic_sub_acq_rel(&pool->references, 1) != 1)
        return;
    while (pool->free_blocks != NULL) {
        etwc_block *block = pool->free_blocks;
        pool->free_blocks = block->next_free;
        etwc_free(block);
    }
    etwc_os_mutex_free(pool->mutex);
    etwc_free(pool);
}

static void
remove_free_locked(etwc_pool *pool, etwc_block **link)
{
    pool->kept_bytes -= (*link)->capacity;
    pool->free_count--;
    *link = (*link)->next_free;
}

/* Free blocks make room for what is needed now. */
static etwc_status
charge_locked(etwc_pool *pool, uint64_t bytes, etwc_error *err)
{
    if (bytes > pool->limit_bytes || pool->in_use_bytes > pool->limit_bytes - bytes)
        return etwc_fail_at(
            err, ETWC_E_LIMIT, "pool", -1,
            "%llu bytes are in use, %llu more are needed, %llu are allowed",
            (unsigned long long)pool->in_use_bytes, (unsigned long long)bytes,
            (unsigned long long)pool->limit_bytes);
    pool->in_use_bytes += bytes;
    while (pool->kept_bytes > pool->limit_bytes - pool->in_use_bytes) {
        etwc_block *block = pool->free_blocks;
        remove_free_locked(pool, &pool->free_blocks);
        etwc_free(block);
    }
    return ETWC_OK;
}

etwc_status
etwc_pool_charge(etwc_pool *pool, uint64_t bytes, etwc_error *err)
{
    etwc_os_mutex_lock(pool->mutex);
    etwc_status st = charge_locked(pool, bytes, err);
    etwc_os_mutex_unlock(pool->mutex);
    return st;
}

void
etwc_pool_discharge(etwc_pool *pool, uint64_t bytes)
{
    etwc_os_mutex_lock(pool->mutex);
    pool->in_use_bytes -= bytes;
    etwc_os_mutex_unlock(pool->mutex);
}

uint64_t
etwc_pool_in_use(etwc_pool *pool)
{
    etwc_os_mutex_lock(pool->mutex);
    uint64_t bytes = pool->in_use_bytes;
    etwc_os_mutex_unlock(pool->mutex);
    return bytes;
}

uint64_t
etwc_pool_limit(const etwc_pool *pool)
{
    return pool->limit_bytes;
}

/* A kept block that fits without wasting more than it holds. It counts as what it
 * takes, not as what is asked for. */
static etwc_block *
take_free_locked(etwc_pool *pool, size_t size)
{
    etwc_block **link = &pool->free_blocks;
    while (*link != NULL) {
        etwc_block *block = *link;
        if (block->capacity >= size && block->capacity / 2 <= size) {
            remove_free_locked(pool, link);
            pool->in_use_bytes += block->capacity;
            return block;
        }
        link = &block->next_free;
    }
    return NULL;
}

etwc_status
etwc_pool_take(etwc_pool *pool, size_t size, etwc_block **out, etwc_error *err)
{
    etwc_os_mutex_lock(pool->mutex);
    etwc_block *block = take_free_locked(pool, size);
    etwc_status st = block != NULL ? ETWC_OK : charge_locked(pool, size, err);
    etwc_os_mutex_unlock(pool->mutex);
    if (st != ETWC_OK)
        return st;
    if (block == NULL) {
        size_t bytes;
        if (etwc_add_size(sizeof *block, size, &bytes))
            block = etwc_malloc(bytes);
        if (block == NULL) {
            etwc_pool_discharge(pool, size);
            return etwc_fail(err, ETWC_E_NOMEM, "pool");
        }
        block->capacity = size;
    }
    etwc_atomic_init(&block->references, 1);
    block->size = size;
    block->pool = pool;
    etwc_pool_retain(pool);
    *out = block;
    return ETWC_OK;
}

void
etwc_block_retain(etwc_block *block)
{
    (void)etwc_atomic_add_relaxed(&block->references, 1);
}

void
etwc_block_release(etwc_block *block)
{
    /* The release half orders the last reads of the bytes before their reuse;
     * the acquire half is paired with it in the thread that frees. */
    if (block == NULL || etwc_atomic_sub_acq_rel(&block->references, 1) != 1)
        return;
    etwc_pool *pool = block->pool;
    bool is_kept;
    etwc_os_mutex_lock(pool->mutex);
    pool->in_use_bytes -= block->capacity;
    is_kept = pool->free_count < POOL_KEEP_MAX;
    if (is_kept) {
        pool->kept_bytes += block->capacity;
        block->next_free = pool->free_blocks;
        pool->free_blocks = block;
        pool->free_count++;
    }
    etwc_os_mutex_unlock(pool->mutex);
    if (!is_kept)
        etwc_free(block);
    etwc_pool_release(pool);
}

uint8_t *
etwc_block_bytes(etwc_block *block)
{
    return (uint8_t *)(block + 1);
}

size_t
etwc_block_size(const etwc_block *block)
{
    return block->size;
}
