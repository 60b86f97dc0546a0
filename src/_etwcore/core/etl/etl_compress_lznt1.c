/* LZNT1, the encoder; see etl_decompress_lznt1.c for the format. */
#include "etl_compress_chain.h"

#define CHUNK_SIZE 4096U

enum {
    HEADER_SIGNATURE = 0x3000,
    HEADER_COMPRESSED = 0x8000,
    ITEMS_PER_FLAGS = 8,
};

/* Number of length bits of a token that starts `produced` > 0 bytes into a chunk. */
static unsigned
length_bits(size_t produced)
{
    unsigned bits = 12;
    for (size_t x = produced - 1; x >= 16; x >>= 1)
        bits--;
    return bits;
}

/* Enters the positions of one item, so that later ones can refer to them. */
static size_t
enter_item(etl_compress_work *work, etwc_span in, size_t at, size_t size)
{
    for (size_t end = at + size; at < end; at++)
        chain_insert(work, in, at);
    return at;
}

/* Encodes in[start..end) to dst[0..capacity). The result is its size, or 0 when it
 * does not fit. All positions are entered in the chains in both cases. */
static size_t
encode_chunk(etl_compress_work *work, etwc_span in, size_t start, size_t end,
             uint8_t *dst, size_t capacity)
{
    size_t size = 0;
    uint8_t *flags = NULL;
    unsigned item = ITEMS_PER_FLAGS;
    for (size_t at = start; at < end; item++) {
        if (capacity - size < 3) {
            (void)enter_item(work, in, at, end - at);
            return 0;
        }
        if (item == ITEMS_PER_FLAGS) {
            flags = dst + size++;
            *flags = 0;
            item = 0;
        }
        chain_match match = {0, 0};
        unsigned bits = 0;
        if (at > start) {
            bits = length_bits(at - start);
            size_t max_length = ((size_t)1 << bits) - 1 + CHAIN_MIN_MATCH;
            match =
                chain_find(work, in, at, max_length < end - at ? max_length : end - at,
                           at - start);
        }
        if (match.length > 0) {
            size_t token =
                (match.distance - 1) << bits | (match.length - CHAIN_MIN_MATCH);
            etwc_store_u16(dst + size, (uint16_t)token);
            size += 2;
            *flags = (uint8_t)(*flags | 1U << item);
        } else {
            dst[size++] = in.ptr[at];
        }
        at = enter_item(work, in, at, match.length > 0 ? match.length : 1);
    }
    return size;
}

etwc_status
etl_compress_lznt1(etwc_span in, uint8_t *dst, size_t capacity, etl_compress_work *work,
                   size_t *out_size)
{
    if (in.len > ETL_COMPRESS_MAX_INPUT)
        return ETWC_E_INVALID;
    chain_reset(work);
    size_t at = 0;
    for (size_t start = 0; start < in.len;) {
        size_t raw = in.len - start < CHUNK_SIZE ? in.len - start : CHUNK_SIZE;
        if (capacity - at < 2)
            return ETWC_E_NEED_MORE;
        uint8_t *header = dst + at;
        at += 2;
        /* A chunk that does not shrink is stored as it is. */
        size_t room = capacity - at < raw ? capacity - at : raw;
        size_t size = encode_chunk(work, in, start, start + raw, dst + at, room);
        unsigned kind = HEADER_SIGNATURE | HEADER_COMPRESSED;
        if (size == 0) {
            if (room < raw)
                return ETWC_E_NEED_MORE;
            memcpy(dst + at, in.ptr + start, raw);
            kind = HEADER_SIGNATURE;
            size = raw;
        }
        etwc_store_u16(header, (uint16_t)(kind | (size - 1)));
        at += size;
        start += raw;
    }
    if (capacity - at < 2)
        return ETWC_E_NEED_MORE;
    etwc_store_u16(dst + at, 0);
    *out_size = at + 2;
    return ETWC_OK;
}
