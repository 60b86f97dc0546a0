/*
 * The only cursor over untrusted bytes. Every take compares the wanted size
 * with what remains before it moves, so a sum can never wrap.
 */
#ifndef ETWC_SPAN_H
#define ETWC_SPAN_H

#include "etwc_base.h"

typedef struct etwc_span {
    const uint8_t *ptr; /* borrowed */
    size_t len;
} etwc_span;

ETWC_NODISCARD static inline bool
etwc_span_take(etwc_span *s, size_t n, etwc_span *out)
{
    if (n > s->len)
        return false;
    *out = (etwc_span){s->ptr, n};
    s->ptr += n;
    s->len -= n;
    return true;
}

ETWC_NODISCARD static inline bool
etwc_span_skip(etwc_span *s, size_t n)
{
    if (n > s->len)
        return false;
    s->ptr += n;
    s->len -= n;
    return true;
}

ETWC_NODISCARD static inline bool
etwc_span_u8(etwc_span *s, uint8_t *out)
{
    if (s->len < 1)
        return false;
    *out = s->ptr[0];
    return etwc_span_skip(s, 1);
}

ETWC_NODISCARD static inline bool
etwc_span_u16(etwc_span *s, uint16_t *out)
{
    if (s->len < 2)
        return false;
    *out = etwc_load_u16(s->ptr);
    return etwc_span_skip(s, 2);
}

ETWC_NODISCARD static inline bool
etwc_span_u32(etwc_span *s, uint32_t *out)
{
    if (s->len < 4)
        return false;
    *out = etwc_load_u32(s->ptr);
    return etwc_span_skip(s, 4);
}

ETWC_NODISCARD static inline bool
etwc_span_u64(etwc_span *s, uint64_t *out)
{
    if (s->len < 8)
        return false;
    *out = etwc_load_u64(s->ptr);
    return etwc_span_skip(s, 8);
}

/* Reads a pointer-sized unsigned integer: pointer_size is 4 or 8. */
ETWC_NODISCARD static inline bool
etwc_span_pointer(etwc_span *s, unsigned pointer_size, uint64_t *out)
{
    if (pointer_size == 8)
        return etwc_span_u64(s, out);
    uint32_t narrow;
    if (!etwc_span_u32(s, &narrow))
        return false;
    *out = narrow;
    return true;
}

/* True when one of the four 16-bit units is zero. */
static inline bool
etwc_has_zero_u16(uint64_t units)
{
    const uint64_t ones = UINT64_C(0x0001000100010001);
    return ((units - ones) & ~units & (ones << 15)) != 0;
}

/* Takes a zero-terminated string; the terminator is consumed but not part of
 * *out. Without a terminator it runs to the end, as ETW allows for the last
 * field of a payload. For UTF-16 an odd last byte is left in the span. */
static inline void
etwc_span_string8(etwc_span *s, etwc_span *out)
{
    const uint8_t *end = s->len ? memchr(s->ptr, 0, s->len) : NULL;
    size_t n = end ? (size_t)(end - s->ptr) : s->len;
    *out = (etwc_span){s->ptr, n};
    n += end != NULL;
    s->ptr += n;
    s->len -= n;
}

static inline void
etwc_span_string16(etwc_span *s, etwc_span *out)
{
    size_t n = 0;
    while (s->len - n >= 8 && !etwc_has_zero_u16(etwc_load_u64(s->ptr + n)))
        n += 8;
    while (s->len - n >= 2 && (s->ptr[n] | s->ptr[n + 1]) != 0)
        n += 2;
    *out = (etwc_span){s->ptr, n};
    if (s->len - n >= 2)
        n += 2;
    s->ptr += n;
    s->len -= n;
}

#endif
