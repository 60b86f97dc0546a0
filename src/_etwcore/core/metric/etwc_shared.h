/*
 * Blocks of memory that an aggregate shares with its snapshots: a snapshot takes a
 * reference instead of a copy, and the aggregate copies a block only when it goes
 * on writing while somebody else holds it.
 *
 * One thread writes and retains; releasing is safe from any thread. A block is
 * zeroed, aligned for 64-bit numbers, and known by the address of its content.
 */
#ifndef ETWC_SHARED_H
#define ETWC_SHARED_H

#include "etwc_atomic.h"

/* Lies right before the content. */
typedef struct etwc_shared_head {
    etwc_atomic_size references;
    size_t size; /* of the content */
} etwc_shared_head;

/* References of a block that is read alone are counted all the same. */
static inline etwc_shared_head *
etwc_shared_head_of(const void *block)
{
    return (etwc_shared_head *)(uintptr_t)block - 1;
}

/* 0 for NULL. */
static inline size_t
etwc_shared_size(const void *block)
{
    return block == NULL ? 0 : etwc_shared_head_of(block)->size;
}

void etwc_shared_retain(const void *block); /* both accept NULL */
void etwc_shared_release(const void *block);

/* Use etwc_shared_own. */
ETWC_NODISCARD bool etwc_shared_replace(void **block, size_t size);

/* Makes *block (which may be NULL) a block of at least `size` bytes that nobody else
 * holds, with the content it had. False when memory is out; *block is unchanged. */
ETWC_NODISCARD static inline bool
etwc_shared_own(void **block, size_t size)
{
    /* Acquires what a reader that released the block did with it. */
    if (ETWC_LIKELY(
            *block != NULL && etwc_shared_size(*block) >= size &&
            etwc_atomic_load_acquire(&etwc_shared_head_of(*block)->references) == 1))
        return true;
    return etwc_shared_replace(block, size);
}

#endif
