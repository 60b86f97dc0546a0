/*
 * XPRESS, the plain LZ77 of MS-XCA 2.3 and 2.4: literals and matches, told
 * apart by words of 32 flag bits that lie between them.
 */
#include "etl_decompress.h"

/* The state that the items of one stream share. */
typedef struct xpress_reader {
    etwc_span in;
    const uint8_t *half; /* byte whose high nibble is not used yet, or NULL */
} xpress_reader;

/* Reads what follows a match word whose length field is full. The result is the
 * length less 3; false when the input ends first. */
static bool
read_long_length(xpress_reader *r, uint32_t *out_length, bool *out_valid)
{
    uint32_t nibble;
    if (r->half != NULL) {
        nibble = *r->half >> 4;
        r->half = NULL;
    } else {
        if (r->in.len == 0)
            return false;
        r->half = r->in.ptr;
        nibble = r->in.ptr[0] & 15;
        if (!etwc_span_skip(&r->in, 1))
            return false;
    }
    *out_valid = true;
    *out_length = 7 + nibble;
    if (nibble < 15)
        return true;
    uint8_t byte;
    if (!etwc_span_u8(&r->in, &byte))
        return false;
    *out_length = 7 + 15 + (uint32_t)byte;
    if (byte < 255)
        return true;
    uint16_t word;
    if (!etwc_span_u16(&r->in, &word))
        return false;
    *out_length = word;
    if (word == 0 && !etwc_span_u32(&r->in, out_length))
        return false;
    *out_valid = *out_length >= 7 + 15;
    return true;
}

/* Copies a match to dst[at..]; the spans may overlap, which repeats a pattern. */
static void
copy_match(uint8_t *dst, size_t at, size_t distance, size_t length)
{
    if (distance >= length) {
        memcpy(dst + at, dst + at - distance, length);
        return;
    }
    for (size_t end = at + length; at < end; at++)
        dst[at] = dst[at - distance];
}

etwc_status
etl_decompress_xpress(etwc_span in, uint8_t *dst, size_t capacity, size_t *out_size)
{
    xpress_reader r = {in, NULL};
    uint32_t flags = 0;
    unsigned flags_left = 0;
    size_t at = 0;
    etwc_status st = ETWC_OK;
    for (;;) {
        if (flags_left == 0) {
            if (r.in.len == 0)
                break;
            if (!etwc_span_u32(&r.in, &flags)) {
                st = ETWC_E_NEED_MORE;
                break;
            }
            flags_left = 32;
        }
        if (r.in.len == 0) {
            /* The flags that nothing follows are 1. */
            if (at < capacity && (flags >> (32 - flags_left)) != UINT32_MAX >> (32 - flags_left))
                st = ETWC_E_NEED_MORE;
            break;
        }
        bool is_match = (flags & 0x80000000U) != 0;
        flags <<= 1;
        flags_left--;
        if (!is_match) {
            if (at == capacity) {
                st = ETWC_E_CORRUPT;
                break;
            }
            dst[at++] = r.in.ptr[0];
            r.in.ptr++;
            r.in.len--;
            continue;
        }
        uint16_t word;
        if (!etwc_span_u16(&r.in, &word)) {
            st = ETWC_E_NEED_MORE;
            break;
        }
        size_t distance = (size_t)(word >> 3) + 1;
        uint32_t length = word & 7;
        bool valid = true;
        if (length == 7 && !read_long_length(&r, &length, &valid)) {
            st = ETWC_E_NEED_MORE;
            break;
        }
        if (!valid || distance > at || capacity - at < 3 || length > capacity - at - 3) {
            st = ETWC_E_CORRUPT;
            break;
        }
        copy_match(dst, at, distance, (size_t)length + 3);
        at += (size_t)length + 3;
    }
    *out_size = at;
    return st;
}
