/*
 * Atomics with the memory order in the name: C11, or Interlocked on a MSVC
 * without <stdatomic.h>. Only what the core uses.
 */
#ifndef ETWC_ATOMIC_H
#define ETWC_ATOMIC_H

#include "etwc_base.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>

typedef struct etwc_atomic_size {
    volatile int64_t value;
} etwc_atomic_size;

static inline void
etwc_atomic_init(etwc_atomic_size *a, size_t value)
{
    a->value = (int64_t)value;
}

static inline size_t
etwc_atomic_load_acquire(etwc_atomic_size *a)
{
    return (size_t)_InterlockedOr64(&a->value, 0);
}

/* Both return the value before the change. */
static inline size_t
etwc_atomic_add_relaxed(etwc_atomic_size *a, size_t n)
{
    return (size_t)_InterlockedExchangeAdd64(&a->value, (int64_t)n);
}

static inline size_t
etwc_atomic_sub_acq_rel(etwc_atomic_size *a, size_t n)
{
    return (size_t)_InterlockedExchangeAdd64(&a->value, -(int64_t)n);
}

#else
#include <stdatomic.h>

typedef struct etwc_atomic_size {
    _Atomic size_t value;
} etwc_atomic_size;

static inline void
etwc_atomic_init(etwc_atomic_size *a, size_t value)
{
    atomic_init(&a->value, value);
}

static inline size_t
etwc_atomic_load_acquire(etwc_atomic_size *a)
{
    return atomic_load_explicit(&a->value, memory_order_acquire);
}

/* Both return the value before the change. */
static inline size_t
etwc_atomic_add_relaxed(etwc_atomic_size *a, size_t n)
{
    return atomic_fetch_add_explicit(&a->value, n, memory_order_relaxed);
}

static inline size_t
etwc_atomic_sub_acq_rel(etwc_atomic_size *a, size_t n)
{
    return atomic_fetch_sub_explicit(&a->value, n, memory_order_acq_rel);
}
#endif

#endif
