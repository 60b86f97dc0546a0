/*
 * XPRESS-HUFF (LZ77 with Huffman codes, MS-XCA 2.1 and 2.2): blocks of 64 KB of
 * output, each with its own table of 512 code lengths.
 */
#include "etl_decompress.h"
#include "etl_decompress_copy.h"

#define BLOCK_SIZE 65536U

enum {
    SYMBOLS = 512,
    TABLE_BYTES = 256,
    CODE_BITS = 15, /* the longest code */
    DIRECT_BITS = 11,
    LITERALS = 256, /* symbols below are bytes, the others matches */
};

/* Codes of up to DIRECT_BITS are looked up at once: an entry is symbol << 4 | code
 * length, or 0 for the beginning of a longer code. Those are rare; they are found by
 * comparing, with codes and bounds moved up to CODE_BITS. */
typedef struct huff_table {
    uint16_t entries[1U << DIRECT_BITS];
    uint16_t symbols[SYMBOLS];     /* in the order of their codes */
    uint32_t first[CODE_BITS + 2]; /* by length: the first code; also the end */
    uint32_t index[CODE_BITS + 2]; /* by length: its place in `symbols` */
} huff_table;

/* The 32-bit register of the format. Where the lengths of long matches lie
 * depends on when 16 more bits are fetched, so that is part of the format too:
 * as soon as fewer than 16 unused bits remain. */
typedef struct bit_reader {
    etwc_span in;
    uint32_t bits;   /* unused bits from the top down */
    int32_t count;   /* unused bits in `bits`, the made-up ones included */
    int32_t made_up; /* zero bits that stand for input past the end */
} bit_reader;

static void
bits_fetch(bit_reader *r)
{
    uint16_t word = 0;
    if (!etwc_span_u16(&r->in, &word)) {
        r->in.len = 0; /* half a word is no bits */
        r->made_up += 16;
    }
    r->bits |= (uint32_t)word << (16 - r->count);
    r->count += 16;
}

static void
bits_drop(bit_reader *r, unsigned n)
{
    r->bits <<= n;
    r->count -= (int32_t)n;
    if (r->count < 16)
        bits_fetch(r);
}

/* Canonical codes: shorter ones first, equally long ones by symbol. False unless
 * they fill the code space exactly. */
ETWC_NODISCARD static bool
build_table(const uint8_t *packed, huff_table *table)
{
    uint8_t lengths[SYMBOLS];
    uint32_t counts[CODE_BITS + 1] = {0};
    uint32_t next[CODE_BITS + 1];
    for (unsigned i = 0; i < TABLE_BYTES; i++) {
        lengths[2 * i] = packed[i] & 15;
        lengths[2 * i + 1] = packed[i] >> 4;
        counts[lengths[2 * i]]++;
        counts[lengths[2 * i + 1]]++;
    }
    table->first[1] = 0;
    table->index[1] = 0;
    for (unsigned length = 1; length <= CODE_BITS; length++) {
        uint32_t space = counts[length] << (CODE_BITS - length);
        next[length] = table->index[length];
        table->first[length + 1] = table->first[length] + space;
        table->index[length + 1] = table->index[length] + counts[length];
    }
    if (table->first[CODE_BITS + 1] != 1U << CODE_BITS)
        return false;
    for (unsigned symbol = 0; symbol < SYMBOLS; symbol++)
        if (lengths[symbol] != 0)
            table->symbols[next[lengths[symbol]]++] = (uint16_t)symbol;
    size_t at = 0;
    for (unsigned length = 1; length <= DIRECT_BITS; length++) {
        size_t span = (size_t)1 << (DIRECT_BITS - length);
        for (uint32_t i = table->index[length]; i < table->index[length + 1]; i++)
            for (size_t end = at + span; at < end; at++)
                table->entries[at] =
                    (uint16_t)((unsigned)table->symbols[i] << 4 | length);
    }
    memset(table->entries + at, 0,
           sizeof table->entries - at * sizeof table->entries[0]);
    return true;
}

/* The entry of the code that `bits` begins with. */
static inline unsigned
find_entry(const huff_table *table, uint32_t bits)
{
    unsigned entry = table->entries[bits >> (32 - DIRECT_BITS)];
    if (ETWC_LIKELY(entry != 0))
        return entry;
    uint32_t code = bits >> (32 - CODE_BITS);
    unsigned length = DIRECT_BITS + 1;
    while (code >= table->first[length + 1]) /* ends: the last bound is above all */
        length++;
    uint32_t place = (code - table->first[length]) >> (CODE_BITS - length);
    return (unsigned)table->symbols[table->index[length] + place] << 4 | length;
}

/* Reads the length, less 3, of a match whose length code is full. */
static etwc_status
read_long_length(bit_reader *r, uint32_t *out_length)
{
    uint8_t byte;
    if (!etwc_span_u8(&r->in, &byte))
        return ETWC_E_NEED_MORE;
    *out_length = (uint32_t)byte + 15;
    if (byte < 255)
        return ETWC_OK;
    uint16_t word;
    if (!etwc_span_u16(&r->in, &word))
        return ETWC_E_NEED_MORE;
    *out_length = word;
    if (word == 0 && !etwc_span_u32(&r->in, out_length))
        return ETWC_E_NEED_MORE;
    return *out_length < 15 ? ETWC_E_CORRUPT : ETWC_OK;
}

/* Decodes one match into dst[*at..capacity). */
static etwc_status
decode_match(bit_reader *r, unsigned code, uint8_t *dst, size_t *at, size_t capacity)
{
    uint32_t length = code & 15;
    unsigned distance_bits = code >> 4;
    if (length == 15) {
        etwc_status st = read_long_length(r, &length);
        if (st != ETWC_OK)
            return st;
    }
    size_t distance = (size_t)1 << distance_bits;
    if (distance_bits > 0) {
        distance += r->bits >> (32 - distance_bits);
        bits_drop(r, distance_bits);
    }
    if (r->made_up > r->count)
        return ETWC_E_NEED_MORE;
    if (distance > *at || capacity - *at < 3 || length > capacity - *at - 3)
        return ETWC_E_CORRUPT;
    size_t size = (size_t)length + 3;
    if (capacity - *at - size >= COPY_STEP) {
        copy_in_steps(dst + *at, distance, size);
        *at += size;
        return ETWC_OK;
    }
    for (size_t end = *at + size; *at < end; ++*at)
        dst[*at] = dst[*at - distance];
    return ETWC_OK;
}

/* Decodes one block; on entry `in` starts at its table. */
static etwc_status
decode_block(etwc_span *in, uint8_t *dst, size_t *at, size_t capacity)
{
    etwc_span lengths;
    huff_table table;
    if (!etwc_span_take(in, TABLE_BYTES, &lengths))
        return ETWC_E_NEED_MORE;
    if (!build_table(lengths.ptr, &table))
        return ETWC_E_CORRUPT;
    bit_reader r = {*in, 0, 0, 0};
    bits_fetch(&r);
    bits_fetch(&r);
    size_t block_end = capacity - *at > BLOCK_SIZE ? *at + BLOCK_SIZE : capacity;
    while (*at < block_end) {
        unsigned entry = find_entry(&table, r.bits);
        unsigned symbol = entry >> 4;
        bits_drop(&r, entry & 15);
        if (r.made_up > r.count)
            return ETWC_E_NEED_MORE;
        if (symbol < LITERALS) {
            dst[(*at)++] = (uint8_t)symbol;
            continue;
        }
        etwc_status st = decode_match(&r, symbol - LITERALS, dst, at, capacity);
        if (st != ETWC_OK)
            return st;
    }
    *in = r.in;
    return ETWC_OK;
}

etwc_status
etl_decompress_xpress_huff(etwc_span in, uint8_t *dst, size_t capacity,
                           size_t *out_size)
{
    size_t at = 0;
    etwc_status st = ETWC_OK;
    while (st == ETWC_OK && at < capacity)
        st = decode_block(&in, dst, &at, capacity);
    *out_size = at;
    return st;
}
