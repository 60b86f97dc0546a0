/* XPRESS-HUFF, the encoder; see etl_decompress_xpress_huff.c for the format. */
#include "etl_compress_chain.h"

#define BLOCK_SIZE 65536U
#define MAX_DISTANCE 65535U

enum {
    SYMBOLS = 512,
    TABLE_BYTES = 256,
    CODE_BITS = 15,
    LITERALS = 256,
    END_SYMBOL = 256,
    LENGTH_FULL = 15, /* a length code that says: a byte follows */
    BYTE_FULL = 255,  /* a byte that says: 16 bits follow, or 0 and 32 bits */
};

/* An item of a block: a literal byte, or distance << 16 | (length - 3). A block has
 * no longer matches, so all of them fit. */
typedef uint32_t huff_item;

typedef struct huff_codes {
    uint8_t lengths[SYMBOLS];
    uint16_t codes[SYMBOLS];
} huff_codes;

/* Bits leave through two words that are reserved ahead, which is how the decoder's
 * register reads them; bytes go between. */
typedef struct bit_writer {
    uint8_t *dst;
    size_t capacity;
    size_t at;
    size_t word_at[2]; /* where the next two words go */
    uint32_t word;
    unsigned free_bits; /* in `word`, 16 at most */
} bit_writer;

static bool
reserve(bit_writer *w, size_t n, size_t *out_at)
{
    if (n > w->capacity - w->at)
        return false;
    *out_at = w->at;
    w->at += n;
    return true;
}

static bool
bits_begin(bit_writer *w)
{
    w->word = 0;
    w->free_bits = 16;
    return reserve(w, 2, &w->word_at[0]) && reserve(w, 2, &w->word_at[1]);
}

/* Appends the low n <= 15 bits of `bits`. */
static bool
put_bits(bit_writer *w, uint32_t bits, unsigned n)
{
    if (n <= w->free_bits) {
        w->free_bits -= n;
        w->word = w->word << n | bits;
        return true;
    }
    unsigned later = n - w->free_bits;
    uint32_t word = w->word << w->free_bits | bits >> later;
    etwc_store_u16(w->dst + w->word_at[0], (uint16_t)word);
    w->word_at[0] = w->word_at[1];
    w->word = bits & ((1U << later) - 1);
    w->free_bits = 16 - later;
    return reserve(w, 2, &w->word_at[1]);
}

static void
bits_end(bit_writer *w)
{
    etwc_store_u16(w->dst + w->word_at[0], (uint16_t)(w->word << w->free_bits));
    etwc_store_u16(w->dst + w->word_at[1], 0);
}

static unsigned
log2_floor(uint32_t v)
{
    unsigned n = 0;
    while (v >>= 1)
        n++;
    return n;
}

static unsigned
symbol_of(huff_item item)
{
    uint32_t distance = item >> 16;
    if (distance == 0)
        return item;
    uint32_t length = item & 0xFFFF;
    uint32_t code = length < LENGTH_FULL ? length : LENGTH_FULL;
    return LITERALS + (log2_floor(distance) << 4 | code);
}

/* Splits in[start..end) into items and counts their symbols. */
static size_t
find_items(etl_compress_work *work, etwc_span in, size_t start, size_t end,
           uint32_t *counts)
{
    size_t n = 0;
    for (size_t at = start; at < end; n++) {
        size_t room = end - at < UINT16_MAX ? end - at : UINT16_MAX;
        chain_match match = chain_find(work, in, at, room, MAX_DISTANCE);
        huff_item item = in.ptr[at];
        if (match.length > 0)
            item = (uint32_t)(match.distance << 16 | (match.length - CHAIN_MIN_MATCH));
        work->items[n] = item;
        counts[symbol_of(item)]++;
        size_t next = at + (match.length > 0 ? match.length : 1);
        for (; at < next; at++)
            chain_insert(work, in, at);
    }
    return n;
}

/* Lists the symbols in use, rarest first, as count << 9 | symbol. */
static unsigned
sort_symbols(const uint32_t *counts, uint32_t *sorted)
{
    unsigned n = 0;
    for (uint32_t symbol = 0; symbol < SYMBOLS; symbol++) {
        if (counts[symbol] == 0)
            continue;
        uint32_t key = counts[symbol] << 9 | symbol;
        unsigned i = n++;
        for (; i > 0 && sorted[i - 1] > key; i--)
            sorted[i] = sorted[i - 1];
        sorted[i] = key;
    }
    return n;
}

/* Builds the Huffman tree over the sorted counts of n >= 2 symbols and counts how
 * many codes get each length; longer ones than CODE_BITS count as that long. */
static void
count_lengths(const uint32_t *sorted, unsigned n, unsigned *per_length)
{
    uint32_t weight[2 * SYMBOLS];
    uint16_t parent[2 * SYMBOLS];
    uint8_t depth[2 * SYMBOLS];
    for (unsigned i = 0; i < n; i++)
        weight[i] = sorted[i] >> 9;
    unsigned leaf = 0;
    unsigned inner = n; /* inner nodes are made in order of weight, as leaves are */
    for (unsigned made = n; made < 2 * n - 1; made++) {
        weight[made] = 0;
        for (unsigned child = 0; child < 2; child++) {
            bool take_leaf =
                leaf < n && (inner == made || weight[leaf] <= weight[inner]);
            unsigned node = take_leaf ? leaf++ : inner++;
            weight[made] += weight[node];
            parent[node] = (uint16_t)made;
        }
    }
    depth[2 * n - 2] = 0;
    for (unsigned i = 2 * n - 2; i-- > 0;) {
        depth[i] = (uint8_t)(depth[parent[i]] + 1);
        if (i < n)
            per_length[depth[i] < CODE_BITS ? depth[i] : CODE_BITS]++;
    }
}

/* Makes the codes fill the code space exactly again after some were cut: each step
 * gives one unit back by moving a shorter code one level down. */
static void
repair_lengths(unsigned *per_length)
{
    uint32_t used = 0;
    for (unsigned length = 1; length <= CODE_BITS; length++)
        used += per_length[length] << (CODE_BITS - length);
    for (; used > 1U << CODE_BITS; used--) {
        unsigned length = CODE_BITS - 1;
        while (per_length[length] == 0)
            length--;
        per_length[length]--;
        per_length[length + 1] += 2;
        per_length[CODE_BITS]--;
    }
}

static void
build_codes(uint32_t *counts, huff_codes *out)
{
    uint32_t sorted[SYMBOLS];
    unsigned per_length[CODE_BITS + 1] = {0};
    unsigned n = sort_symbols(counts, sorted);
    if (n < 2) { /* one code alone would leave half of the code space empty */
        counts[counts[0] == 0 ? 0 : 1] = 1;
        n = sort_symbols(counts, sorted);
    }
    count_lengths(sorted, n, per_length);
    repair_lengths(per_length);
    memset(out->lengths, 0, sizeof out->lengths);
    unsigned i = 0;
    for (unsigned length = CODE_BITS; length > 0; length--) {
        for (unsigned k = 0; k < per_length[length]; k++)
            out->lengths[sorted[i++] & (SYMBOLS - 1)] = (uint8_t)length;
    }
    unsigned code = 0;
    for (unsigned length = 1; length <= CODE_BITS; length++, code <<= 1) {
        for (unsigned symbol = 0; symbol < SYMBOLS; symbol++) {
            if (out->lengths[symbol] == length)
                out->codes[symbol] = (uint16_t)code++;
        }
    }
}

/* Writes what follows the symbol of a match. */
static bool
put_match_rest(bit_writer *w, huff_item item)
{
    uint32_t length = item & 0xFFFF;
    uint32_t distance = item >> 16;
    if (length >= LENGTH_FULL) {
        uint32_t rest = length - LENGTH_FULL;
        size_t at;
        if (!reserve(w, rest < BYTE_FULL ? 1 : 3, &at))
            return false;
        w->dst[at] = (uint8_t)(rest < BYTE_FULL ? rest : BYTE_FULL);
        if (rest >= BYTE_FULL)
            etwc_store_u16(w->dst + at + 1, (uint16_t)length);
    }
    unsigned bits = log2_floor(distance);
    return put_bits(w, distance & ((1U << bits) - 1), bits);
}

static bool
put_block(bit_writer *w, const huff_codes *codes, const huff_item *items, size_t n,
          bool is_last)
{
    size_t at;
    if (!reserve(w, TABLE_BYTES, &at))
        return false;
    for (unsigned i = 0; i < TABLE_BYTES; i++)
        w->dst[at + i] =
            (uint8_t)(codes->lengths[2 * i] | codes->lengths[2 * i + 1] << 4);
    if (!bits_begin(w))
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned symbol = symbol_of(items[i]);
        if (!put_bits(w, codes->codes[symbol], codes->lengths[symbol]))
            return false;
        if (symbol >= LITERALS && !put_match_rest(w, items[i]))
            return false;
    }
    if (is_last && !put_bits(w, codes->codes[END_SYMBOL], codes->lengths[END_SYMBOL]))
        return false;
    bits_end(w);
    return true;
}

etwc_status
etl_compress_xpress_huff(etwc_span in, uint8_t *dst, size_t capacity,
                         etl_compress_work *work, size_t *out_size)
{
    if (in.len > ETL_COMPRESS_MAX_INPUT)
        return ETWC_E_INVALID;
    bit_writer w = {dst, capacity, 0, {0, 0}, 0, 0};
    chain_reset(work);
    for (size_t start = 0; start < in.len;) {
        size_t size = in.len - start < BLOCK_SIZE ? in.len - start : BLOCK_SIZE;
        bool is_last = start + size == in.len;
        uint32_t counts[SYMBOLS] = {0};
        huff_codes codes;
        size_t n = find_items(work, in, start, start + size, counts);
        counts[END_SYMBOL] += is_last;
        build_codes(counts, &codes);
        if (!put_block(&w, &codes, work->items, n, is_last))
            return ETWC_E_NEED_MORE;
        start += size;
    }
    *out_size = w.at;
    return ETWC_OK;
}
