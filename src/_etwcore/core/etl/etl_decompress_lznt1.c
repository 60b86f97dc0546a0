/*
 * LZNT1 (MS-XCA 2.5): chunks of 4096 bytes of output, each packed on its own.
 * How a token splits into distance and length depends on how much of the chunk
 * is already there.
 */
#include "etl_decompress.h"
#include "etl_decompress_copy.h"

#define CHUNK_SIZE 4096U

enum {
    HEADER_SIZE_MASK = 0x0FFF,
    HEADER_SIGNATURE_MASK = 0x7000,
    HEADER_SIGNATURE = 0x3000,
    HEADER_COMPRESSED = 0x8000,
};

/* Decodes one compressed chunk of `in`, all of which belongs to it. */
static etwc_status
decode_chunk(etwc_span in, uint8_t *dst, size_t capacity, size_t *out_size)
{
    size_t limit = capacity < CHUNK_SIZE ? capacity : CHUNK_SIZE;
    size_t at = 0;
    unsigned bits = 12;  /* of a token, for the length */
    size_t bits_to = 16; /* until so many bytes are there */
    unsigned flags = 1;
    etwc_status st = ETWC_OK;
    while (in.len > 0) {
        if (flags == 1) {
            flags = in.ptr[0] | 0x100U; /* the ninth bit marks the end of the flags */
            in.ptr++;
            in.len--;
            continue;
        }
        bool is_match = (flags & 1) != 0;
        flags >>= 1;
        if (at == limit) {
            st = ETWC_E_CORRUPT;
            break;
        }
        if (!is_match) {
            dst[at++] = in.ptr[0];
            in.ptr++;
            in.len--;
            continue;
        }
        uint16_t token;
        if (!etwc_span_u16(&in, &token)) {
            st = ETWC_E_NEED_MORE;
            break;
        }
        if (at == 0) {
            st = ETWC_E_CORRUPT;
            break;
        }
        for (; at > bits_to; bits_to *= 2)
            bits--;
        size_t distance = (size_t)(token >> bits) + 1;
        size_t length = (token & ((1U << bits) - 1)) + 3;
        if (distance > at || length > limit - at) {
            st = ETWC_E_CORRUPT;
            break;
        }
        if (capacity - at - length >= COPY_STEP) {
            copy_in_steps(dst + at, distance, length);
            at += length;
            continue;
        }
        for (size_t end = at + length; at < end; at++)
            dst[at] = dst[at - distance];
    }
    *out_size = at;
    return st;
}

etwc_status
etl_decompress_lznt1(etwc_span in, uint8_t *dst, size_t capacity, size_t *out_size)
{
    *out_size = 0;
    while (in.len > 0 && *out_size < capacity) {
        uint16_t header;
        if (!etwc_span_u16(&in, &header))
            return ETWC_E_NEED_MORE;
        if (header == 0)
            return ETWC_OK;
        if ((header & HEADER_SIGNATURE_MASK) != HEADER_SIGNATURE)
            return ETWC_E_CORRUPT;
        size_t size = (size_t)(header & HEADER_SIZE_MASK) + 1;
        bool is_whole = size <= in.len;
        etwc_span chunk;
        if (!etwc_span_take(&in, is_whole ? size : in.len, &chunk))
            return ETWC_E_NEED_MORE;
        size_t room = capacity - *out_size;
        if ((header & HEADER_COMPRESSED) != 0) {
            size_t produced;
            etwc_status st = decode_chunk(chunk, dst + *out_size, room, &produced);
            *out_size += produced;
            /* A token cut by the end of its chunk is damage, by the end of the
             * input it is not. */
            if (st == ETWC_E_NEED_MORE && is_whole)
                return ETWC_E_CORRUPT;
            if (st != ETWC_OK)
                return st;
        } else {
            size_t n = chunk.len < room ? chunk.len : room;
            memcpy(dst + *out_size, chunk.ptr, n);
            *out_size += n;
            if (n < chunk.len)
                return ETWC_E_CORRUPT;
        }
        if (!is_whole)
            return ETWC_E_NEED_MORE;
    }
    return ETWC_OK;
}
