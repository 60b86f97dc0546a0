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
    LITERALS = 256,    /* symbols below are bytes, the others matches */
    MIDDLE_INPUT = 48, /* more than a round of the fast loop reads */
    LONG_CODE = SYMBOLS << 4,
    MATCH_ENTRY = LITERALS << 4, /* entries below are literals */
};

/* Codes of up to DIRECT_BITS are looked up at once: an entry is symbol << 4 | code
 * length, or LONG_CODE for the beginning of a longer code. Those are rare; they are
 * found by comparing, with codes and bounds moved up to CODE_BITS. */
typedef struct huff_table {
    uint16_t entries[1U << DIRECT_BITS];
    uint16_t symbols[SYMBOLS];     /* by length, 0 (unused) included, then by code */
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

/* Writes `n` times `entry`, for an `n` that is a power of two. */
static inline uint16_t *
fill_entries(uint16_t *to, size_t n, unsigned entry)
{
    uint64_t four = entry * 0x0001000100010001U;
    if (n < 4) {
        for (size_t i = 0; i < n; i++)
            to[i] = (uint16_t)entry;
        return to + n;
    }
    for (uint16_t *end = to + n; to < end; to += 4)
        memcpy(to, &four, sizeof four);
    return to;
}

/* Canonical codes: shorter ones first, equally long ones by symbol. False unless
 * they fill the code space exactly. */
ETWC_NODISCARD static bool
build_table(const uint8_t *packed, huff_table *table)
{
    uint32_t even[CODE_BITS + 1] = {0}; /* two counts, for they wait for themselves */
    uint32_t odd[CODE_BITS + 1] = {0};
    uint32_t next[CODE_BITS + 1];
    for (unsigned i = 0; i < TABLE_BYTES; i++) {
        even[packed[i] & 15]++;
        odd[packed[i] >> 4]++;
    }
    next[0] = 0;
    table->first[1] = 0;
    table->index[1] = even[0] + odd[0];
    for (unsigned length = 1; length <= CODE_BITS; length++) {
        uint32_t count = even[length] + odd[length];
        next[length] = table->index[length];
        table->first[length + 1] =
            table->first[length] + (count << (CODE_BITS - length));
        table->index[length + 1] = table->index[length] + count;
    }
    if (table->first[CODE_BITS + 1] != 1U << CODE_BITS)
        return false;
    for (unsigned i = 0; i < TABLE_BYTES; i++) {
        table->symbols[next[packed[i] & 15]++] = (uint16_t)(2 * i);
        table->symbols[next[packed[i] >> 4]++] = (uint16_t)(2 * i + 1);
    }
    uint16_t *to = table->entries;
    for (unsigned length = 1; length <= DIRECT_BITS; length++) {
        size_t n = (size_t)1 << (DIRECT_BITS - length);
        for (uint32_t i = table->index[length]; i < table->index[length + 1]; i++)
            to = fill_entries(to, n, (unsigned)table->symbols[i] << 4 | length);
    }
    while (to < table->entries + ETWC_ARRAY_SIZE(table->entries))
        *to++ = LONG_CODE;
    return true;
}

/* The entry of a code that is longer than DIRECT_BITS; `code` are CODE_BITS. */
static unsigned
find_long_entry(const huff_table *table, uint32_t code)
{
    unsigned length = DIRECT_BITS + 1;
    while (code >= table->first[length + 1]) /* ends: the last bound is above all */
        length++;
    uint32_t place = (code - table->first[length]) >> (CODE_BITS - length);
    return (unsigned)table->symbols[table->index[length] + place] << 4 | length;
}

/* The entry of the code that `bits` begins with. */
static inline unsigned
find_entry(const huff_table *table, uint32_t bits)
{
    unsigned entry = table->entries[bits >> (32 - DIRECT_BITS)];
    if (ETWC_LIKELY(entry != LONG_CODE))
        return entry;
    return find_long_entry(table, bits >> (32 - CODE_BITS));
}

/* Reads the length, less 3, of a match whose length code is full. */
static etwc_status
read_long_length(etwc_span *in, uint32_t *out_length)
{
    uint8_t byte;
    if (!etwc_span_u8(in, &byte))
        return ETWC_E_NEED_MORE;
    *out_length = (uint32_t)byte + 15;
    if (byte < 255)
        return ETWC_OK;
    uint16_t word;
    if (!etwc_span_u16(in, &word))
        return ETWC_E_NEED_MORE;
    *out_length = word;
    if (word == 0 && !etwc_span_u32(in, out_length))
        return ETWC_E_NEED_MORE;
    return *out_length < 15 ? ETWC_E_CORRUPT : ETWC_OK;
}

/* Copies a match of `length` and 3 bytes to dst[*at..capacity). */
static inline etwc_status
copy_match(uint8_t *dst, size_t *at, size_t capacity, size_t distance, uint32_t length)
{
    size_t room = capacity - *at;
    size_t size = (size_t)length + 3;
    if (ETWC_UNLIKELY(distance > *at || room < 3 || length > room - 3))
        return ETWC_E_CORRUPT;
    if (ETWC_LIKELY(room - size >= COPY_STEP)) {
        copy_in_steps(dst + *at, distance, size);
        *at += size;
        return ETWC_OK;
    }
    for (size_t end = *at + size; *at < end; ++*at)
        dst[*at] = dst[*at - distance];
    return ETWC_OK;
}

/* Decodes one match into dst[*at..capacity). */
static etwc_status
decode_match(bit_reader *r, unsigned code, uint8_t *dst, size_t *at, size_t capacity)
{
    uint32_t length = code & 15;
    unsigned distance_bits = code >> 4;
    if (length == 15) {
        etwc_status st = read_long_length(&r->in, &length);
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
    return copy_match(dst, at, capacity, distance, length);
}

/* A register of 64 bits for the middle of the input. Bits below the unused ones may
 * be set: they are those of the words to come. */
typedef struct wide_reader {
    const uint8_t *next;
    uint64_t bits;
    unsigned count;
} wide_reader;

/* Fetches words until 48 or more bits are unused; reads 8 bytes of input. */
static inline void
wide_fill(wide_reader *w)
{
    uint64_t words = etwc_load_u64(w->next);
    words = words << 32 | words >> 32;
    words = (words & 0x0000FFFF0000FFFFU) << 16 | (words >> 16 & 0x0000FFFF0000FFFFU);
    w->bits |= words >> w->count;
    w->next += (63 - w->count) >> 4 << 1;
    w->count |= 48;
}

static inline void
wide_drop(wide_reader *w, unsigned n)
{
    w->bits <<= n;
    w->count -= n;
}

/* The entry of the next code; LONG_CODE when that is a long one. */
static inline unsigned
wide_entry(const huff_table *table, const wide_reader *w)
{
    return table->entries[w->bits >> (64 - DIRECT_BITS)];
}

static inline uint8_t
wide_literal(wide_reader *w, unsigned entry)
{
    wide_drop(w, entry & 15);
    return (uint8_t)(entry >> 4);
}

/* Keeps the words that the register of the format would hold now, and gives back
 * those after them. */
static inline void
wide_narrow(wide_reader *w)
{
    wide_fill(w);
    w->next -= (w->count - 16) >> 4 << 1;
    w->count = 16 + w->count % 16;
    w->bits &= ~(UINT64_MAX >> w->count);
}

/* Decodes one match, given the entry of its code. */
static inline etwc_status
decode_match_wide(wide_reader *w, const uint8_t *end, unsigned entry, uint8_t *dst,
                  size_t *at, size_t capacity)
{
    uint32_t length = entry >> 4 & 15;
    unsigned distance_bits = entry >> 8 & 15;
    wide_drop(w, entry & 15);
    if (length == 15) {
        wide_narrow(w);
        etwc_span in = {w->next, (size_t)(end - w->next)};
        etwc_status st = read_long_length(&in, &length);
        if (st != ETWC_OK)
            return st;
        w->next = in.ptr;
        wide_fill(w);
    }
    size_t distance =
        ((size_t)1 << distance_bits) + (size_t)(w->bits >> 1 >> (63 - distance_bits));
    wide_drop(w, distance_bits);
    return copy_match(dst, at, capacity, distance, length);
}

/* Decodes as much of a block as lies away from the ends of the input and of the
 * block. A round may drop a short code, another one and the 15 bits of a distance;
 * of the 48 bits there are, that leaves DIRECT_BITS. So the next entry can be looked
 * up before more bits are fetched, and need not wait for them. */
static etwc_status
decode_middle(bit_reader *r, const huff_table *table, uint8_t *dst, size_t *out_at,
              size_t block_end, size_t capacity)
{
    const uint8_t *end = r->in.ptr + r->in.len;
    wide_reader w = {r->in.ptr, (uint64_t)r->bits << 32, (unsigned)r->count};
    size_t at = *out_at;
    etwc_status st = ETWC_OK;
    size_t limit = block_end - 1; /* a round may write 2 literals */
    while (st == ETWC_OK && end - w.next >= MIDDLE_INPUT && at < limit) {
        unsigned entry = wide_entry(table, &w);
        wide_fill(&w);
        if (entry < MATCH_ENTRY) {
            dst[at++] = wide_literal(&w, entry);
            entry = wide_entry(table, &w);
        }
        if (ETWC_UNLIKELY(entry == LONG_CODE)) {
            wide_fill(&w);
            entry = find_long_entry(table, (uint32_t)(w.bits >> (64 - CODE_BITS)));
        }
        if (entry < MATCH_ENTRY)
            dst[at++] = wide_literal(&w, entry);
        else
            st = decode_match_wide(&w, end, entry, dst, &at, capacity);
    }
    wide_narrow(&w);
    r->in = (etwc_span){w.next, (size_t)(end - w.next)};
    r->bits = (uint32_t)(w.bits >> 32);
    r->count = (int32_t)w.count;
    *out_at = at;
    return st;
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
    etwc_status st = ETWC_OK;
    if (r.in.len >= MIDDLE_INPUT)
        st = decode_middle(&r, &table, dst, at, block_end, capacity);
    while (st == ETWC_OK && *at < block_end) {
        unsigned entry = find_entry(&table, r.bits);
        unsigned symbol = entry >> 4;
        bits_drop(&r, entry & 15);
        if (r.made_up > r.count)
            return ETWC_E_NEED_MORE;
        if (symbol < LITERALS) {
            dst[(*at)++] = (uint8_t)symbol;
            continue;
        }
        st = decode_match(&r, symbol - LITERALS, dst, at, capacity);
    }
    *in = r.in;
    return st;
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
