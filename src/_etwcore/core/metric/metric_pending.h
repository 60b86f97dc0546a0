/*
 * File operations that have begun and not ended, by their IRP. Of bounded size: when
 * it is full the oldest operation is given up. Private to core/metric.
 */
#ifndef METRIC_PENDING_H
#define METRIC_PENDING_H

#include "etwc_base.h"

/* Far more than a machine has under way; those whose end was lost pile up. */
#define METRIC_PENDING_MOST ((uint32_t)1 << 16)

typedef struct metric_pending_entry {
    uint64_t irp;
    uint32_t process,
        thread; /* rows of the issuing ones; the thread's may be unknown */
    bool is_write;
    uint32_t older, newer; /* in the order of their begin, a ring through entry 0 */
    uint32_t next;         /* of the same bucket; 0: none. Also chains free entries */
} metric_pending_entry;

/* All zero is empty. */
typedef struct metric_pending {
    metric_pending_entry *entries; /* owned; entry 0 is the end of all chains */
    uint32_t *buckets;             /* owned; as many as entries, a power of two */
    uint32_t capacity, count, used, first_free;
    uint64_t seed;
    uint64_t dropped; /* operations given up */
} metric_pending;

void metric_pending_reset(metric_pending *pending);
/* Adds an operation; one that has the same IRP and never ended is forgotten first.
 * False when memory is out. */
ETWC_NODISCARD bool metric_pending_put(metric_pending *pending, uint64_t irp,
                                       uint32_t process, uint32_t thread,
                                       bool is_write);
/* Takes the operation out; false when there is none of that IRP. */
bool metric_pending_take(metric_pending *pending, uint64_t irp,
                         metric_pending_entry *out);
/* Gives the operations of a process, or of a thread (METRIC_NONE: of none), to others,
 * before their rows are free for somebody else. */
void metric_pending_pass(metric_pending *pending, uint32_t process, uint32_t thread,
                         uint32_t to_process, uint32_t to_thread);
size_t metric_pending_bytes(const metric_pending *pending);

#endif
