/*
 * Integer, attribute and byte-order helpers that every other file may use.
 * Depends on the C11 standard headers alone.
 */
#ifndef ETWC_BASE_H
#define ETWC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define ETWC_NODISCARD __attribute__((warn_unused_result))
#if defined(__MINGW32__)
/* Built with __USE_MINGW_ANSI_STDIO, so that formats are those of C11. */
#define ETWC_PRINTF(format_index, first_arg) \
    __attribute__((format(gnu_printf, format_index, first_arg)))
#else
#define ETWC_PRINTF(format_index, first_arg) \
    __attribute__((format(printf, format_index, first_arg)))
#endif
#define ETWC_LIKELY(x) __builtin_expect(!!(x), 1)
#define ETWC_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ETWC_NOINLINE __attribute__((noinline))
#define ETWC_PREFETCH(address) __builtin_prefetch(address)
#elif defined(_MSC_VER)
#define ETWC_NODISCARD _Check_return_
#define ETWC_PRINTF(format_index, first_arg)
#define ETWC_LIKELY(x) (x)
#define ETWC_UNLIKELY(x) (x)
#define ETWC_NOINLINE __declspec(noinline)
#define ETWC_PREFETCH(address) ((void)(address))
#else
#define ETWC_NODISCARD
#define ETWC_PRINTF(format_index, first_arg)
#define ETWC_LIKELY(x) (x)
#define ETWC_UNLIKELY(x) (x)
#define ETWC_NOINLINE
#define ETWC_PREFETCH(address) ((void)(address))
#endif

#define ETWC_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Little-endian loads by bytes: alignment and host order never matter, and
 * compilers turn them into one load. The caller has checked the bounds. */
static inline uint16_t
etwc_load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}

static inline uint32_t
etwc_load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) |
           ((uint32_t)p[3] << 24);
}

static inline uint64_t
etwc_load_u64(const uint8_t *p)
{
    return (uint64_t)etwc_load_u32(p) | ((uint64_t)etwc_load_u32(p + 4) << 32);
}

static inline int64_t
etwc_load_i64(const uint8_t *p)
{
    return (int64_t)etwc_load_u64(p);
}

static inline void
etwc_store_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void
etwc_store_u32(uint8_t *p, uint32_t v)
{
    etwc_store_u16(p, (uint16_t)v);
    etwc_store_u16(p + 2, (uint16_t)(v >> 16));
}

static inline void
etwc_store_u64(uint8_t *p, uint64_t v)
{
    etwc_store_u32(p, (uint32_t)v);
    etwc_store_u32(p + 4, (uint32_t)(v >> 32));
}

/* Rounds up to the 8 bytes that ETW pads records and extended items to. The
 * argument must be below SIZE_MAX - 7. */
static inline size_t
etwc_align8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

/* Checked arithmetic: false, and *out untouched, when the result wraps. */
ETWC_NODISCARD static inline bool
etwc_add_size(size_t a, size_t b, size_t *out)
{
    if (b > SIZE_MAX - a)
        return false;
    *out = a + b;
    return true;
}

ETWC_NODISCARD static inline bool
etwc_mul_size(size_t a, size_t b, size_t *out)
{
    if (a != 0 && b > SIZE_MAX / a)
        return false;
    *out = a * b;
    return true;
}

/* A GUID as it lies in a record: the first three parts little-endian. */
typedef struct etwc_guid {
    uint8_t bytes[16];
} etwc_guid;

static inline bool
etwc_guid_equal(const etwc_guid *a, const etwc_guid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

#endif
