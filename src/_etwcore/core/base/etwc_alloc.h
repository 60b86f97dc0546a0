/*
 * The allocator of the core. Test builds define ETWC_ALLOC_FAULTS and link a
 * version that can fail the N-th allocation; release builds forward to the C
 * library and carry no hook.
 */
#ifndef ETWC_ALLOC_H
#define ETWC_ALLOC_H

#include "etwc_base.h"

/* Owned by the caller; free with etwc_free. NULL when memory is out, also when
 * count * size would wrap. A size of 0 gives a pointer that can be freed. */
ETWC_NODISCARD void *etwc_malloc(size_t size);
ETWC_NODISCARD void *etwc_calloc(size_t count, size_t size);
ETWC_NODISCARD void *etwc_realloc(void *p, size_t size);
void etwc_free(void *p);

/* Grows *items (of item_size bytes each) so that it holds at least `needed`
 * items: by half, at least 16. False when memory is out; *items stays valid. */
ETWC_NODISCARD bool etwc_grow(void **items, size_t *capacity, size_t needed,
                              size_t item_size);

#ifdef ETWC_ALLOC_FAULTS
/* Tests only: the n-th allocation from now on fails (1 = the next one), once
 * or, when `sticky`, it and all later ones. 0 switches the fault off. */
void etwc_alloc_fail_after(uint64_t n, bool sticky);
/* Allocations made and blocks alive since the process started. */
uint64_t etwc_alloc_count(void);
int64_t etwc_alloc_alive(void);
#endif

#endif
