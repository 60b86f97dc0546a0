#include "etwc_alloc.h"

#include <stdlib.h>

#ifdef ETWC_ALLOC_FAULTS
#include <stdatomic.h>

static _Atomic uint64_t alloc_count;
static _Atomic int64_t alloc_alive;
static _Atomic uint64_t alloc_fail_at;
static _Atomic bool alloc_fail_sticky;

void
etwc_alloc_fail_after(uint64_t n, bool sticky)
{
    alloc_fail_at = n == 0 ? 0 : alloc_count + n;
    alloc_fail_sticky = sticky;
}

uint64_t
etwc_alloc_count(void)
{
    return alloc_count;
}

int64_t
etwc_alloc_alive(void)
{
    return alloc_alive;
}

static bool
alloc_should_fail(void)
{
    uint64_t n = ++alloc_count;
    uint64_t at = alloc_fail_at;
    return at != 0 && (n == at || (alloc_fail_sticky && n > at));
}

#define ALLOC_ENTER()            \
    do {                         \
        if (alloc_should_fail()) \
            return NULL;         \
    } while (0)
#define ALLOC_LEAVE(p) (alloc_alive += (p) != NULL)
#define ALLOC_FREE(p) (alloc_alive -= (p) != NULL)
#else
#define ALLOC_ENTER() ((void)0)
#define ALLOC_LEAVE(p) ((void)0)
#define ALLOC_FREE(p) ((void)0)
#endif

void *
etwc_malloc(size_t size)
{
    ALLOC_ENTER();
    void *p = malloc(size ? size : 1);
    ALLOC_LEAVE(p);
    return p;
}

void *
etwc_calloc(size_t count, size_t size)
{
    size_t total;
    if (!etwc_mul_size(count, size, &total))
        return NULL;
    ALLOC_ENTER();
    void *p = calloc(1, total ? total : 1);
    ALLOC_LEAVE(p);
    return p;
}

void *
etwc_realloc(void *p, size_t size)
{
    ALLOC_ENTER();
    void *grown = realloc(p, size ? size : 1);
    if (p == NULL)
        ALLOC_LEAVE(grown);
    return grown;
}

void
etwc_free(void *p)
{
    ALLOC_FREE(p);
    free(p);
}

bool
etwc_grow(void **items, size_t *capacity, size_t needed, size_t item_size)
{
    if (needed <= *capacity)
        return true;
    size_t wanted = *capacity + *capacity / 2;
    if (wanted < needed)
        wanted = needed;
    if (wanted < 16)
        wanted = 16;
    size_t bytes;
    if (!etwc_mul_size(wanted, item_size, &bytes))
        return false;
    void *grown = etwc_realloc(*items, bytes);
    if (grown == NULL)
        return false;
    *items = grown;
    *capacity = wanted;
    return true;
}
