/*
 * Stacks of events: an index over the stack records of one file.
 *
 * The frames of an event come in records of their own, later than the event and
 * often from another processor, or as keys of definitions that are written when
 * the kernel drops them. So the index is fed with all events first, in time
 * order, and asked afterwards. Several files have several clocks: one index each.
 *
 * Feeding belongs to one thread. After etwc_stacks_finish the index does not
 * change any more, and any number of threads may ask it.
 */
#ifndef ETWC_STACK_H
#define ETWC_STACK_H

#include "etwc_block.h"
#include "etwc_event.h"

typedef struct etwc_stacks etwc_stacks;

/* Owned; free with etwc_stacks_free. Memory is charged to the pool, which is
 * retained. */
ETWC_NODISCARD etwc_status etwc_stacks_new(etwc_pool *pool, etwc_stacks **out,
                                           etwc_error *err);
void etwc_stacks_free(etwc_stacks *stacks); /* accepts NULL */

/* Takes what the event tells about stacks; most events tell nothing. Events must
 * come in time order. E_LIMIT when the pool is exhausted, E_STATE when finished. */
ETWC_NODISCARD etwc_status etwc_stacks_feed(etwc_stacks *stacks,
                                            const etwc_event *event, etwc_error *err);
/* Makes the index ready to be asked. */
void etwc_stacks_finish(etwc_stacks *stacks);

typedef struct etwc_stacks_counts {
    uint64_t records;     /* stack records: frames or a key for an event */
    uint64_t references;  /* those of them with a key */
    uint64_t unresolved;  /* references whose key has no definition */
    uint64_t definitions; /* frames under a key */
} etwc_stacks_counts;

void etwc_stacks_get_counts(const etwc_stacks *stacks, etwc_stacks_counts *out);

/* The frames of an event, innermost first, kernel frames before user frames.
 * Writes at most `capacity` and returns how many there are; 0: no stack.
 * *out_is_complete is false when a part of it is known to be missing. */
size_t etwc_stacks_resolve(const etwc_stacks *stacks, const etwc_event *event,
                           uint64_t *frames, size_t capacity, bool *out_is_complete);

#endif
