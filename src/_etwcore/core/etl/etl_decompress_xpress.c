/*
 * XPRESS, the plain LZ77 of MS-XCA 2.3 and 2.4: literals and matches, told
 * apart by words of 32 flag bits that lie between them.
 *
 * Two loops share one state. The fast one runs while both ends are far away: it
 * copies in steps of a fixed size, past the end of an item if need be, and stops
 * in front of any item that is not plainly good. The careful one takes over
 * there, checks each byte, and is the only one that finds errors.
 */
#include "etl_decompress.h"
#include "etl_decompress_copy.h"

enum {
    SHORT_FULL = 7,   /* a length field that says: a nibble follows */
    NIBBLE_FULL = 15, /* a nibble that says: a byte follows */
    BYTE_FULL = 255,  /* a byte that says: 16 bits follow, or 0 and 32 bits */
    MIN_MATCH = 3,
    MAX_LITERALS = 32, /* in a row, under one word of flags */
    /* What one round of the fast loop may read: a run of literals and a match with
     * the longest form of its length, or a word of flags. */
    IN_MARGIN = MAX_LITERALS + 2 + 1 + 1 + 2 + 4,
    /* What it may write without looking: a run of literals, a match of one step at
     * most and what its copy writes past it. */
    OUT_MARGIN = MAX_LITERALS + 2 * COPY_STEP,
};

/* The flags that are not used yet, from the top down, and a 1 below them. */
#define NO_FLAGS ((uint64_t)1 << 63)

typedef struct xpress_state {
    const uint8_t *in;
    const uint8_t *in_end;
    uint8_t *out;
    uint8_t *out_start;
    uint8_t *out_end;
    uint64_t flags;
    uint32_t half; /* the high nibble that is left of a byte of lengths */
    uint32_t has_half;
} xpress_state;

static inline uint64_t
flags_from(uint32_t word)
{
    return (uint64_t)word << 32 | (uint64_t)1 << 31;
}

static inline unsigned
leading_zeros(uint64_t v)
{
#if defined(__GNUC__) || defined(__clang__)
    return (unsigned)__builtin_clzll(v);
#else
    unsigned n = 0;
    for (; (v >> 63) == 0; v <<= 1)
        n++;
    return n;
#endif
}

/* On its own it gets all registers. */
static ETWC_NOINLINE void
decode_fast(xpress_state *state)
{
    if (state->in_end - state->in < IN_MARGIN ||
        state->out_end - state->out < OUT_MARGIN)
        return;
    const uint8_t *in = state->in;
    const uint8_t *const in_stop = state->in_end - IN_MARGIN;
    uint8_t *out = state->out;
    uint8_t *const out_start = state->out_start;
    uint8_t *const out_end = state->out_end;
    uint8_t *const out_stop = out_end - OUT_MARGIN;
    uint64_t flags = state->flags;
    uint32_t half = state->half;
    uint32_t has_half = state->has_half;
    while (in <= in_stop && out <= out_stop) {
        unsigned literals = leading_zeros(flags);
        memcpy(out, in, 8);
        if (ETWC_UNLIKELY(literals > 8)) {
            memcpy(out + 8, in + 8, 8);
            memcpy(out + 16, in + 16, 16);
        }
        in += literals;
        out += literals;
        flags <<= literals;
        if (flags == NO_FLAGS) {
            flags = flags_from(etwc_load_u32(in));
            in += 4;
            continue;
        }
        uint32_t word = etwc_load_u16(in);
        const uint8_t *next = in + 2;
        size_t distance = (size_t)(word >> 3) + 1;
        uint32_t length = word & 7;
        /* Which of the three cases it is looks random to the processor, so the
         * nibble is found without a branch. */
        uint32_t is_long = length == SHORT_FULL;
        uint32_t byte = *next;
        uint32_t nibble = has_half ? half : byte & 15;
        uint32_t fresh = is_long & (has_half ^ 1);
        next += fresh;
        uint32_t next_half = fresh ? byte >> 4 : half;
        uint32_t next_has_half = has_half ^ is_long;
        length += nibble & (0U - is_long);
        if (length == SHORT_FULL + NIBBLE_FULL) {
            length += *next;
            if (ETWC_UNLIKELY(*next++ == BYTE_FULL)) {
                length = etwc_load_u16(next);
                next += 2;
                if (length == 0) {
                    length = etwc_load_u32(next);
                    next += 4;
                }
                if (length < SHORT_FULL + NIBBLE_FULL || length > INT32_MAX)
                    break;
            }
        }
        if (ETWC_UNLIKELY(distance > (size_t)(out - out_start)))
            break;
        size_t size = (size_t)length + MIN_MATCH;
        if (ETWC_UNLIKELY(size > COPY_STEP &&
                          size > (size_t)(out_end - out) - COPY_STEP))
            break;
        copy_in_steps(out, distance, size);
        out += size;
        in = next;
        half = next_half;
        has_half = next_has_half;
        flags <<= 1;
    }
    state->in = in;
    state->out = out;
    state->flags = flags;
    state->half = half;
    state->has_half = has_half;
}

/* Reads what follows a match word whose length field is full. *out_length is the
 * length less 3. */
static etwc_status
read_long_length(xpress_state *state, etwc_span *rest, uint32_t *out_length)
{
    uint8_t byte;
    uint32_t nibble = state->half;
    if (!state->has_half) {
        if (!etwc_span_u8(rest, &byte))
            return ETWC_E_NEED_MORE;
        nibble = byte & 15;
        state->half = byte >> 4;
    }
    state->has_half ^= 1;
    *out_length = SHORT_FULL + nibble;
    if (nibble < NIBBLE_FULL)
        return ETWC_OK;
    if (!etwc_span_u8(rest, &byte))
        return ETWC_E_NEED_MORE;
    *out_length += byte;
    if (byte < BYTE_FULL)
        return ETWC_OK;
    uint16_t word;
    if (!etwc_span_u16(rest, &word))
        return ETWC_E_NEED_MORE;
    *out_length = word;
    if (word == 0 && !etwc_span_u32(rest, out_length))
        return ETWC_E_NEED_MORE;
    return *out_length < SHORT_FULL + NIBBLE_FULL ? ETWC_E_CORRUPT : ETWC_OK;
}

static etwc_status
decode_match(xpress_state *state)
{
    etwc_span rest = {state->in, (size_t)(state->in_end - state->in)};
    uint16_t word;
    if (!etwc_span_u16(&rest, &word))
        return ETWC_E_NEED_MORE;
    size_t distance = (size_t)(word >> 3) + 1;
    uint32_t length = word & 7;
    if (length == SHORT_FULL) {
        etwc_status st = read_long_length(state, &rest, &length);
        if (st != ETWC_OK)
            return st;
    }
    size_t room = (size_t)(state->out_end - state->out);
    if (distance > (size_t)(state->out - state->out_start) || room < MIN_MATCH ||
        length > room - MIN_MATCH)
        return ETWC_E_CORRUPT;
    /* An overlapping copy doubles the pattern each time. */
    size_t left = (size_t)length + MIN_MATCH;
    const uint8_t *from = state->out - distance;
    while (left > 0) {
        size_t n = (size_t)(state->out - from);
        n = n < left ? n : left;
        memcpy(state->out, from, n);
        state->out += n;
        left -= n;
    }
    state->in = rest.ptr;
    return ETWC_OK;
}

/* Decodes one literal, match or word of flags. END when the input is used up. */
static etwc_status
decode_item(xpress_state *state)
{
    size_t in_left = (size_t)(state->in_end - state->in);
    if (state->flags == NO_FLAGS) {
        if (in_left < 4)
            return in_left == 0 ? ETWC_END : ETWC_E_NEED_MORE;
        state->flags = flags_from(etwc_load_u32(state->in));
        state->in += 4;
        return ETWC_OK;
    }
    bool is_match = (state->flags & NO_FLAGS) != 0;
    if (in_left == 0) {
        /* Flags without an item are 1, down to the 1 that is always below. */
        uint64_t lowest = state->flags & (~state->flags + 1);
        bool all_ones = state->flags + lowest == 0;
        return all_ones || state->out == state->out_end ? ETWC_END : ETWC_E_NEED_MORE;
    }
    if (is_match) {
        etwc_status st = decode_match(state);
        if (st != ETWC_OK)
            return st;
    } else {
        if (state->out == state->out_end)
            return ETWC_E_CORRUPT;
        *state->out++ = *state->in++;
    }
    state->flags <<= 1;
    return ETWC_OK;
}

etwc_status
etl_decompress_xpress(etwc_span in, uint8_t *dst, size_t capacity, size_t *out_size)
{
    *out_size = 0;
    if (in.len == 0) /* also keeps null pointers out of the arithmetic */
        return ETWC_OK;
    xpress_state state = {.in = in.ptr,
                          .in_end = in.ptr + in.len,
                          .out = dst,
                          .out_start = dst,
                          .out_end = capacity > 0 ? dst + capacity : dst,
                          .flags = NO_FLAGS};
    etwc_status st;
    decode_fast(&state);
    do
        st = decode_item(&state);
    while (st == ETWC_OK);
    if (capacity > 0)
        *out_size = (size_t)(state.out - dst);
    return st == ETWC_END ? ETWC_OK : st;
}
