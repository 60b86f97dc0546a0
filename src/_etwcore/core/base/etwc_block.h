/*
 * Pooled, reference-counted buffers: the memory that payloads point into.
 *
 * A pool bounds what it hands out together with the few free blocks that it keeps
 * for the next taker. Blocks may outlive everybody else's interest in the pool: the pool
 * lives until its last block is released. All functions may be called from any
 * thread.
 */
#ifndef ETWC_BLOCK_H
#define ETWC_BLOCK_H

#include "etwc_status.h"

typedef struct etwc_pool etwc_pool;
typedef struct etwc_block etwc_block;

/* Owned; give it back with etwc_pool_release. NULL when memory is out. */
ETWC_NODISCARD etwc_pool *etwc_pool_new(uint64_t limit_bytes);
void etwc_pool_retain(etwc_pool *pool);
void etwc_pool_release(etwc_pool *pool); /* accepts NULL */

/* A block of at least `size` bytes, holding one reference. E_LIMIT when more
 * than the pool's limit would be in use. */
ETWC_NODISCARD etwc_status etwc_pool_take(etwc_pool *pool, size_t size,
                                          etwc_block **out, etwc_error *err);
/* Counts other memory of the same owner (an index) against the limit. Give it
 * back with the same size. */
ETWC_NODISCARD etwc_status etwc_pool_charge(etwc_pool *pool, uint64_t bytes,
                                            etwc_error *err);
void etwc_pool_discharge(etwc_pool *pool, uint64_t bytes);
/* Bytes in blocks that somebody holds, plus what is charged. */
uint64_t etwc_pool_in_use(etwc_pool *pool);
uint64_t etwc_pool_limit(const etwc_pool *pool);

void etwc_block_retain(etwc_block *block);
void etwc_block_release(etwc_block *block); /* accepts NULL */
uint8_t *etwc_block_bytes(etwc_block *block);
size_t etwc_block_size(const etwc_block *block);

#endif
