/*
 * The match finder that the encoders share: positions with the same hash of
 * three bytes form a chain, newest first. For the encoders alone.
 */
#ifndef ETL_COMPRESS_CHAIN_H
#define ETL_COMPRESS_CHAIN_H

#include "etl_compress.h"

enum {
    CHAIN_MIN_MATCH = 3, /* of all three formats */
    CHAIN_MAX_STEPS = 32,
};

typedef struct chain_match {
    size_t length; /* 0: none */
    size_t distance;
} chain_match;

static inline void
chain_reset(etl_compress_work *work)
{
    memset(work->newest, 0, sizeof work->newest);
}

static inline uint32_t *
chain_slot(etl_compress_work *work, const uint8_t *p)
{
    uint32_t three = (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16);
    return &work->newest[(three * 2654435761U) >> 18];
}

/* Enters position `at`; positions come in order and none is left out, except at
 * the end, where no three bytes are left to hash. */
static inline void
chain_insert(etl_compress_work *work, etwc_span in, size_t at)
{
    if (in.len - at < CHAIN_MIN_MATCH)
        return;
    uint32_t *slot = chain_slot(work, in.ptr + at);
    work->older[at % ETL_COMPRESS_WINDOW] = *slot;
    *slot = (uint32_t)at + 1;
}

static inline size_t
chain_common(const uint8_t *a, const uint8_t *b, size_t limit)
{
    size_t n = 0;
    while (n < limit && a[n] == b[n])
        n++;
    return n;
}

/* The longest earlier string that equals in[at..], of at most max_length bytes and
 * at most max_distance < ETL_COMPRESS_WINDOW back. `at` is not entered yet. */
static inline chain_match
chain_find(etl_compress_work *work, etwc_span in, size_t at, size_t max_length,
           size_t max_distance)
{
    chain_match best = {0, 0};
    if (max_length < CHAIN_MIN_MATCH)
        return best;
    const uint8_t *here = in.ptr + at;
    uint32_t next = *chain_slot(work, here);
    for (unsigned step = 0; next != 0 && step < CHAIN_MAX_STEPS; step++) {
        size_t distance = at - (next - 1);
        if (distance > max_distance)
            break;
        const uint8_t *there = here - distance;
        if (there[best.length] == here[best.length]) {
            size_t length = chain_common(here, there, max_length);
            if (length > best.length && length >= CHAIN_MIN_MATCH)
                best = (chain_match){length, distance};
            if (best.length == max_length)
                break;
        }
        next = work->older[(next - 1) % ETL_COMPRESS_WINDOW];
    }
    return best;
}

#endif
