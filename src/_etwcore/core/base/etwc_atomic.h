/*
 * Atomics with the memory order in the name: C11, or Interlocked on a MSVC
 * without <stdatomic.h>. Only what the core uses.
 */
#ifndef ETWC_ATOMIC_H
#define ETWC_ATOMIC_H

#include "etwc_base.h"

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>

/* 32-bit targets have no intrinsic for 64 bits. */
#if defined(_WIN64)
typedef __int64 etwc_atomic_word;
#define ETWC_INTERLOCKED_OR _InterlockedOr64
#define ETWC_INTERLOCKED_ADD _InterlockedExchangeAdd64
#else
typedef long etwc_atomic_word;
#define ETWC_INTERLOCKED_OR _InterlockedOr
#define ETWC_INTERLOCKED_ADD _InterlockedExchangeAdd
#endif

typedef struct etwc_atomic_size {
    volatile etwc_atomic_word value;
} etwc_atomic_size;

static inline void
etwc_atomic_init(etwc_atomic_size *a, size_t value)
{
    a->value = (etwc_atomic_word)value;
}

static inline size_t
etwc_atomic_load_acquire(etwc_atomic_size *a)
{
    return (size_t)ETWC_INTERLOCKED_OR(&a->value, 0);
}

/* Both return the value before the change. */
static inline size_t
etwc_atomic_add_relaxed(etwc_atomic_size *a, size_t n)
{
    return (size_t)ETWC_INTERLOCKED_ADD(&a->value, (etwc_atomic_word)n);
}

static inline size_t
etwc_atomic_sub_acq_rel(etwc_atomic_size *a, size_t n)
{
    return (size_t)ETWC_INTERLOCKED_ADD(&a->value, -(etwc_atomic_word)n);
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
