/* XPRESS, the encoder; see etl_decompress_xpress.c for the format. */
#include "etl_compress_chain.h"

#define MAX_DISTANCE 8192U

enum {
    FLAG_BITS = 32,
    SHORT_FULL = 7,   /* a length field that says: a nibble follows */
    NIBBLE_FULL = 15, /* a nibble that says: a byte follows */
    BYTE_FULL = 255,  /* a byte that says: 16 bits follow, or 0 and 32 bits */
};

typedef struct xpress_writer {
    uint8_t *dst;
    size_t capacity;
    size_t at;
    size_t flags_at;
    uint32_t flags;
    unsigned flag_count;
    uint8_t *half; /* byte whose high nibble is free, or NULL */
} xpress_writer;

/* n more bytes, or NULL when they do not fit. */
static uint8_t *
reserve(xpress_writer *w, size_t n)
{
    if (n > w->capacity - w->at)
        return NULL;
    uint8_t *p = w->dst + w->at;
    w->at += n;
    return p;
}

static bool
put_flag(xpress_writer *w, uint32_t flag)
{
    w->flags = (w->flags << 1) | flag;
    if (++w->flag_count < FLAG_BITS)
        return true;
    etwc_store_u32(w->dst + w->flags_at, w->flags);
    w->flags_at = w->at;
    w->flag_count = 0;
    return reserve(w, 4) != NULL;
}

/* Writes the part of a length (less 3) that its match word does not hold. */
static bool
put_long_length(xpress_writer *w, size_t length)
{
    size_t rest = length - SHORT_FULL;
    uint8_t nibble = (uint8_t)(rest < NIBBLE_FULL ? rest : NIBBLE_FULL);
    if (w->half != NULL) {
        *w->half = (uint8_t)(*w->half | nibble << 4);
        w->half = NULL;
    } else {
        w->half = reserve(w, 1);
        if (w->half == NULL)
            return false;
        *w->half = nibble;
    }
    if (nibble < NIBBLE_FULL)
        return true;
    rest -= NIBBLE_FULL;
    uint8_t *p = reserve(w, rest < BYTE_FULL ? 1 : length <= UINT16_MAX ? 3 : 7);
    if (p == NULL)
        return false;
    p[0] = (uint8_t)(rest < BYTE_FULL ? rest : BYTE_FULL);
    if (rest < BYTE_FULL)
        return true;
    if (length <= UINT16_MAX) {
        etwc_store_u16(p + 1, (uint16_t)length);
    } else {
        etwc_store_u16(p + 1, 0);
        etwc_store_u32(p + 3, (uint32_t)length);
    }
    return true;
}

static bool
put_literal(xpress_writer *w, uint8_t byte)
{
    uint8_t *p = reserve(w, 1);
    if (p == NULL)
        return false;
    *p = byte;
    return put_flag(w, 0);
}

static bool
put_match(xpress_writer *w, chain_match match)
{
    size_t length = match.length - CHAIN_MIN_MATCH;
    size_t field = length < SHORT_FULL ? length : SHORT_FULL;
    uint8_t *p = reserve(w, 2);
    if (p == NULL)
        return false;
    etwc_store_u16(p, (uint16_t)((match.distance - 1) << 3 | field));
    if (field == SHORT_FULL && !put_long_length(w, length))
        return false;
    return put_flag(w, 1);
}

etwc_status
etl_compress_xpress(etwc_span in, uint8_t *dst, size_t capacity,
                    etl_compress_work *work, size_t *out_size)
{
    if (in.len > ETL_COMPRESS_MAX_INPUT)
        return ETWC_E_INVALID;
    xpress_writer w = {dst, capacity, 0, 0, 0, 0, NULL};
    if (reserve(&w, 4) == NULL)
        return ETWC_E_NEED_MORE;
    chain_reset(work);
    for (size_t at = 0; at < in.len;) {
        chain_match match = chain_find(work, in, at, in.len - at, MAX_DISTANCE);
        bool fits =
            match.length > 0 ? put_match(&w, match) : put_literal(&w, in.ptr[at]);
        if (!fits)
            return ETWC_E_NEED_MORE;
        size_t end = at + (match.length > 0 ? match.length : 1);
        for (; at < end; at++)
            chain_insert(work, in, at);
    }
    /* The unused flags are 1: a match without input is how decoders see the end. */
    unsigned unused = FLAG_BITS - w.flag_count;
    uint32_t ones = UINT32_MAX >> w.flag_count;
    uint32_t flags = unused < FLAG_BITS ? w.flags << unused : 0;
    etwc_store_u32(dst + w.flags_at, flags | ones);
    *out_size = w.at;
    return ETWC_OK;
}
