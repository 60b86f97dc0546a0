/*
 * The decoders and encoders of compressed trace buffers. The streams are the
 * published examples and ones that are put together here by hand; all spans are
 * blocks of exactly their size, so that a sanitizer sees each byte too far.
 */
#include "harness.h"

#include "etl_compress.h"
#include "etl_decompress.h"
#include "etwc_alloc.h"

typedef etwc_status decode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    size_t *out_size);
typedef etwc_status encode_function(etwc_span in, uint8_t *dst, size_t capacity,
                                    etl_compress_work *work, size_t *out_size);

typedef struct format {
    decode_function *decode;
    encode_function *encode;
} format;

static const format FORMATS[] = {
    {etl_decompress_xpress, etl_compress_xpress},
    {etl_decompress_lznt1, etl_compress_lznt1},
    {etl_decompress_xpress_huff, etl_compress_xpress_huff},
};

static uint8_t *
block(size_t n)
{
    uint8_t *p = etwc_malloc(n);
    if (p == NULL)
        harness_fail(__FILE__, __LINE__, "no memory for %zu bytes", n);
    return p;
}

/* Decodes a copy of in[0..n) into a new block of `capacity` bytes. */
static uint8_t *
decode(decode_function *function, const uint8_t *in, size_t n, size_t capacity,
       etwc_status *out_status, size_t *out_size)
{
    uint8_t *copy = block(n);
    uint8_t *dst = block(capacity);
    if (n > 0)
        memcpy(copy, in, n);
    memset(dst, 0xEE, capacity);
    *out_size = SIZE_MAX;
    *out_status = function((etwc_span){copy, n}, dst, capacity, out_size);
    etwc_free(copy);
    return dst;
}

static void
check_decodes(decode_function *function, const uint8_t *in, size_t n,
              const uint8_t *wanted, size_t size)
{
    etwc_status st;
    size_t got;
    uint8_t *dst = decode(function, in, n, size, &st, &got);
    CHECK_OK(st);
    CHECK_EQ_U64(got, size);
    CHECK_EQ_MEM(dst, wanted, size);
    etwc_free(dst);
}

/* What is decoded of a stream that ends with `status`. */
static void
check_stops(decode_function *function, const char *hex, size_t capacity,
            etwc_status status, const char *wanted)
{
    uint8_t in[1024];
    etwc_status st;
    size_t got;
    size_t n = harness_hex(hex, in, sizeof in);
    uint8_t *dst = decode(function, in, n, capacity, &st, &got);
    CHECK_STATUS(st, status);
    CHECK_EQ_U64(got, strlen(wanted));
    CHECK_EQ_MEM(dst, wanted, strlen(wanted));
    etwc_free(dst);
}

static void
check_vector(decode_function *function, const char *hex, const char *unit, size_t times)
{
    uint8_t in[1024];
    size_t n = harness_hex(hex, in, sizeof in);
    size_t unit_size = strlen(unit);
    uint8_t *wanted = block(unit_size * times);
    for (size_t i = 0; i < times; i++)
        memcpy(wanted + i * unit_size, unit, unit_size);
    check_decodes(function, in, n, wanted, unit_size * times);
    etwc_free(wanted);
}

/* ---- XPRESS ------------------------------------------------------------------- */

TEST(xpress_decodes_the_published_examples)
{
    decode_function *f = etl_decompress_xpress;
    check_vector(f, "3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a",
                 "abcdefghijklmnopqrstuvwxyz", 1);
    check_vector(f, "ffffff1f 616263 1700 0f ff 2601", "abc", 100);
    check_vector(f, "ffffff5f 61 0700 21 62 0700", "aaaaaaaaaaaabbbbbbbbbbbbb", 1);
    check_vector(f, "ffffff7f 61 0700 0f 05", "a", 31);
    check_vector(f, "ffffff7f 61 0700 0f ff e803", "a", 1004);
    check_vector(f, "ffffff7f 71 0700 0f ff 0000 00000100", "q", 65540);
    check_vector(f, "", "", 1);
    check_vector(f, "ffffffff", "", 1);
}

TEST(xpress_cut_input_gives_the_prefix)
{
    decode_function *f = etl_decompress_xpress;
    check_stops(f, "ffffff", 300, ETWC_E_NEED_MORE, "");
    check_stops(f, "ffffff1f 6162", 300, ETWC_E_NEED_MORE, "ab");
    check_stops(f, "ffffff1f 616263 17", 300, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "ffffff1f 616263 1700", 300, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "ffffff1f 616263 1700 0f", 300, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "ffffff1f 616263 1700 0f ff", 300, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "ffffff1f 616263 1700 0f ff 26", 300, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "ffffff7f 71 0700 0f ff 0000 000001", 300, ETWC_E_NEED_MORE, "q");
    /* A 0 among the flags that are left: something is missing after the match. */
    check_stops(f, "ffffff4f 61 0000", 300, ETWC_E_NEED_MORE, "aaaa");
}

TEST(xpress_refuses_what_the_format_does_not_allow)
{
    decode_function *f = etl_decompress_xpress;
    check_stops(f, "ffffff3f 6162 1000", 300, ETWC_E_CORRUPT,
                "ab"); /* distance 3 of 2 */
    check_stops(f, "ffffffff 0000", 300, ETWC_E_CORRUPT, "");
    check_stops(f, "ffffff7f 61 0700 0f 05", 30, ETWC_E_CORRUPT, "a"); /* 31 bytes */
    check_stops(f, "ffffff7f 61 0700 0f ff 1500", 300, ETWC_E_CORRUPT,
                "a"); /* 21 < 22 */
    check_stops(f, "ffffff7f 61 0700 0f ff 0000 ffffffff", 300, ETWC_E_CORRUPT, "a");
    check_stops(f, "ffffff1f 616263", 2, ETWC_E_CORRUPT, "ab");
    check_stops(f, "ffffff7f 61", 0, ETWC_E_CORRUPT, "");
}

TEST(xpress_reads_the_shortest_form_that_a_16_bit_length_may_have)
{
    check_vector(etl_decompress_xpress, "ffffff7f 61 0700 0f ff 1600", "a", 26);
}

/* A stream that is written item by item, and the bytes that it stands for. */
typedef struct xpress_stream {
    uint8_t in[2048];
    uint8_t out[2048];
    size_t in_size;
    size_t out_size;
    size_t flags_at;
    size_t half_at; /* 0: no nibble is free */
    unsigned flag_count;
} xpress_stream;

static void
stream_flag(xpress_stream *s, uint32_t flag)
{
    if (s->flag_count % 32 == 0) {
        s->flags_at = s->in_size;
        etwc_store_u32(s->in + s->in_size, UINT32_MAX);
        s->in_size += 4;
    }
    uint32_t bit = 1U << (31 - s->flag_count++ % 32);
    uint32_t flags = etwc_load_u32(s->in + s->flags_at);
    etwc_store_u32(s->in + s->flags_at, flag ? flags | bit : flags & ~bit);
}

static void
stream_literals(xpress_stream *s, size_t n)
{
    for (; n > 0; n--) {
        stream_flag(s, 0);
        uint8_t byte = (uint8_t)(s->out_size * 37 + 11);
        s->in[s->in_size++] = byte;
        s->out[s->out_size++] = byte;
    }
}

/* A match of at most 279 bytes. */
static void
stream_match(xpress_stream *s, size_t distance, size_t length)
{
    stream_flag(s, 1);
    size_t rest = length - 3;
    etwc_store_u16(s->in + s->in_size,
                   (uint16_t)((distance - 1) << 3 | (rest < 7 ? rest : 7)));
    s->in_size += 2;
    if (rest >= 7) {
        uint8_t nibble = (uint8_t)(rest - 7 < 15 ? rest - 7 : 15);
        if (s->half_at != 0) {
            s->in[s->half_at] = (uint8_t)(s->in[s->half_at] | nibble << 4);
            s->half_at = 0;
        } else {
            s->half_at = s->in_size++;
            s->in[s->half_at] = nibble;
        }
        if (nibble == 15)
            s->in[s->in_size++] = (uint8_t)(rest - 22);
    }
    for (; length > 0; length--, s->out_size++)
        s->out[s->out_size] = s->out[s->out_size - distance];
}

static void
check_match_near_end(size_t before, size_t distance, size_t length, size_t after)
{
    static xpress_stream s;
    s = (xpress_stream){.in_size = 0};
    stream_literals(&s, before);
    stream_match(&s, distance, length);
    stream_literals(&s, after);
    check_decodes(etl_decompress_xpress, s.in, s.in_size, s.out, s.out_size);
}

/* Matches of every shape, at every distance from the ends that matters. */
TEST(xpress_copies_matches_of_all_shapes_near_the_end)
{
    for (size_t distance = 1; distance <= 40; distance++)
        for (size_t length = 3; length <= 80; length++)
            for (size_t after = 0; after <= 140; after += 1 + length % 3)
                check_match_near_end(45, distance, length, after);
}

/* 31 literals and a match are the most that one word of flags can ask for before
 * anybody looks at the ends again. */
TEST(xpress_copies_a_match_after_many_literals_near_the_end)
{
    for (size_t distance = 1; distance <= 40; distance++)
        for (size_t length = 3; length <= 80; length++)
            for (size_t after = 0; after <= 40; after++)
                check_match_near_end(63, distance, length, after);
}

TEST(xpress_shares_nibbles_across_the_end_of_the_fast_loop)
{
    static xpress_stream s;
    for (size_t count = 1; count <= 60; count++) {
        s = (xpress_stream){.in_size = 0};
        stream_literals(&s, 33);
        for (size_t i = 0; i < count; i++) {
            stream_match(&s, 1 + (i * 7) % 33, 3 + (i * 5) % 29);
            stream_literals(&s, i % 3);
        }
        check_decodes(etl_decompress_xpress, s.in, s.in_size, s.out, s.out_size);
        for (size_t cut = 0; cut < s.in_size; cut++) {
            etwc_status st;
            size_t got;
            uint8_t *dst =
                decode(etl_decompress_xpress, s.in, cut, s.out_size, &st, &got);
            CHECK(st == ETWC_OK || st == ETWC_E_NEED_MORE);
            CHECK(got <= s.out_size);
            CHECK_EQ_MEM(dst, s.out, got);
            etwc_free(dst);
        }
    }
}

TEST(xpress_does_not_write_past_a_short_output)
{
    static xpress_stream s = {.in_size = 0};
    stream_literals(&s, 40);
    stream_match(&s, 17, 60);
    stream_literals(&s, 50);
    stream_match(&s, 3, 200);
    stream_literals(&s, 70);
    for (size_t capacity = 0; capacity < s.out_size; capacity++) {
        etwc_status st;
        size_t got;
        uint8_t *dst =
            decode(etl_decompress_xpress, s.in, s.in_size, capacity, &st, &got);
        CHECK_STATUS(st, ETWC_E_CORRUPT);
        CHECK(got <= capacity);
        CHECK_EQ_MEM(dst, s.out, got);
        etwc_free(dst);
    }
}

/* ---- LZNT1 -------------------------------------------------------------------- */

TEST(lznt1_decodes_the_published_examples)
{
    decode_function *f = etl_decompress_lznt1;
    check_vector(f, "05b0 08 616263 0620 0000", "abc", 4);
    check_vector(f,
                 "18b0 00 6162636465666768 00 696a6b6c6d6e6f70 10 71727374 1198 0000",
                 "abcdefghijklmnopqrst", 2);
    check_vector(f, "0230 78797a 0000", "xyz", 1);
    check_vector(f, "0230 78797a", "xyz", 1); /* no end mark */
    check_vector(f, "0230 78797a 0230 78797a 0000", "xyz", 2);
}

TEST(lznt1_stops_at_the_end_mark_or_when_the_output_is_full)
{
    check_stops(etl_decompress_lznt1, "0000 0230 78797a", 9, ETWC_OK, "");
    check_stops(etl_decompress_lznt1, "0230 78797a 0230 78797a", 3, ETWC_OK, "xyz");
}

TEST(lznt1_cut_input_gives_the_prefix)
{
    decode_function *f = etl_decompress_lznt1;
    check_stops(f, "05", 12, ETWC_E_NEED_MORE, "");
    check_stops(f, "05b0", 12, ETWC_E_NEED_MORE, "");
    check_stops(f, "05b0 08 6162", 12, ETWC_E_NEED_MORE, "ab");
    check_stops(f, "05b0 08 616263 06", 12, ETWC_E_NEED_MORE, "abc");
    check_stops(f, "0230 7879", 12, ETWC_E_NEED_MORE, "xy");
}

TEST(lznt1_refuses_what_the_format_does_not_allow)
{
    decode_function *f = etl_decompress_lznt1;
    check_stops(f, "05c0 08 616263 0620 0000", 12, ETWC_E_CORRUPT, "");  /* signature */
    check_stops(f, "04b0 08 616263 06 0000", 12, ETWC_E_CORRUPT, "abc"); /* cut token */
    check_stops(f, "05b0 08 616263 0630 0000", 12, ETWC_E_CORRUPT, "abc");
    check_stops(f, "03b0 01 0000 00 0000", 12, ETWC_E_CORRUPT, "");
    check_stops(f, "05b0 08 616263 0620 0000", 11, ETWC_E_CORRUPT, "abc");
    check_stops(f, "0230 78797a", 2, ETWC_E_CORRUPT, "xy");
    /* A distance may not reach into the chunk before. */
    check_stops(f, "0230 78797a 05b0 08 616263 0630", 99, ETWC_E_CORRUPT, "xyzabc");
    /* 1 + 4098 bytes are more than a chunk holds. */
    check_stops(f, "03b0 02 61 ff0f", 9999, ETWC_E_CORRUPT, "a");
}

/* ---- XPRESS-HUFF -------------------------------------------------------------- */

/* The published example: a table for a, b, c, the end mark and one match symbol. */
static size_t
huff_example(uint8_t *in)
{
    memset(in, 0, 256);
    in[0x30] = 0x30;
    in[0x31] = 0x23;
    in[0x80] = 0x02;
    in[0x8F] = 0x20;
    return 256 + harness_hex("a8dc 0000 ff 2601", in + 256, 16);
}

TEST(huff_decodes_the_published_example)
{
    uint8_t in[512];
    uint8_t wanted[300];
    size_t n = huff_example(in);
    for (size_t i = 0; i < sizeof wanted; i++)
        wanted[i] = (uint8_t)('a' + i % 3);
    check_decodes(etl_decompress_xpress_huff, in, n, wanted, sizeof wanted);
    check_decodes(etl_decompress_xpress_huff, in, n, wanted, 0);
}

TEST(huff_cut_input_gives_the_prefix)
{
    uint8_t in[512];
    size_t n = huff_example(in);
    for (size_t cut = 0; cut < n; cut++) {
        etwc_status st;
        size_t got;
        uint8_t *dst = decode(etl_decompress_xpress_huff, in, cut, 300, &st, &got);
        CHECK_STATUS(st, ETWC_E_NEED_MORE);
        CHECK_EQ_MEM(dst, "abc", got);
        CHECK_EQ_U64(got,
                     cut < 258 ? 0 : 3); /* all three codes are in the first word */
        etwc_free(dst);
    }
}

TEST(huff_refuses_tables_that_are_not_full_or_too_full)
{
    static const struct {
        uint8_t at, value;
    } changes[] = {
        {0x30, 0x00}, {0x30, 0x20}, {0x31, 0x22}, {0x00, 0x0F}, {0x40, 0x01}};
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(changes); i++) {
        uint8_t in[512];
        size_t n = huff_example(in);
        in[changes[i].at] = changes[i].value;
        etwc_status st;
        size_t got;
        uint8_t *dst = decode(etl_decompress_xpress_huff, in, n, 300, &st, &got);
        CHECK_STATUS(st, ETWC_E_CORRUPT);
        CHECK_EQ_U64(got, 0);
        etwc_free(dst);
    }
}

TEST(huff_refuses_a_distance_before_the_output)
{
    /* a, b, then the match symbol (10) with a distance bit of 0 or 1: 2 or 3. */
    uint8_t in[512];
    etwc_status st;
    size_t got;
    size_t n = huff_example(in);
    etwc_store_u16(in + 256, 0xDE80);
    etwc_free(decode(etl_decompress_xpress_huff, in, n, 300, &st, &got));
    CHECK_STATUS(st, ETWC_E_CORRUPT);
    CHECK_EQ_U64(got, 2);
    etwc_store_u16(in + 256, 0xDE00);
    uint8_t *dst = decode(etl_decompress_xpress_huff, in, n, 299, &st, &got);
    CHECK_OK(st);
    CHECK_EQ_U64(got, 299);
    for (size_t i = 0; i < got; i++)
        CHECK_EQ_U64(dst[i], i % 2 == 0 ? 'a' : 'b');
    etwc_free(dst);
}

TEST(huff_refuses_a_match_that_does_not_fit)
{
    uint8_t in[512];
    size_t n = huff_example(in);
    etwc_status st;
    size_t got;
    uint8_t *dst = decode(etl_decompress_xpress_huff, in, n, 299, &st, &got);
    CHECK_STATUS(st, ETWC_E_CORRUPT);
    CHECK_EQ_U64(got, 3);
    etwc_free(dst);
    etwc_store_u16(in + n - 2, 14); /* a 16-bit length below what a byte could say */
    dst = decode(etl_decompress_xpress_huff, in, n, 300, &st, &got);
    CHECK_STATUS(st, ETWC_E_CORRUPT);
    etwc_free(dst);
}

/* ---- Encoders ----------------------------------------------------------------- */

static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

enum { FILL_KINDS = 6 };

static void
fill(uint8_t *p, size_t n, unsigned kind, uint64_t *random)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next_random(random);
        switch (kind) {
        case 0: /* noise */
            p[i] = (uint8_t)r;
            break;
        case 1: /* one byte */
            p[i] = 0;
            break;
        case 2: /* short matches */
            p[i] = (uint8_t)(r % 3);
            break;
        case 3: /* far and near matches */
            p[i] = i > 9000 && r % 16 != 0 ? p[i - 1 - r % 9000] : (uint8_t)(r >> 32);
            break;
        case 4: /* records of 24 bytes with a counter */
            p[i] = i % 24 == 0 ? (uint8_t)(i / 24) : (uint8_t)(i % 24);
            break;
        default: /* counts of very unequal size, so that codes must be shortened */
            for (p[i] = 0; (r & 1) == 0 && p[i] < 40; r >>= 1)
                p[i]++;
            break;
        }
    }
}

static void
check_round_trip(const format *f, const uint8_t *in, size_t n, etl_compress_work *work)
{
    size_t capacity = n + n / 8 + 1024;
    uint8_t *packed = block(capacity);
    size_t size = 0;
    CHECK_OK(f->encode((etwc_span){in, n}, packed, capacity, work, &size));
    check_decodes(f->decode, packed, size, in, n);
    if (size > 0) {
        uint8_t *small = block(size - 1);
        size_t unused = 4711;
        CHECK_STATUS(f->encode((etwc_span){in, n}, small, size - 1, work, &unused),
                     ETWC_E_NEED_MORE);
        CHECK_EQ_U64(unused, 4711);
        etwc_free(small);
    }
    etwc_free(packed);
}

TEST(what_is_encoded_decodes_to_the_same)
{
    static const size_t sizes[] = {0,    1,     2,     3,     31,    4095,
                                   4097, 65464, 65536, 65537, 200000};
    uint64_t random = 88172645463325252U;
    etl_compress_work *work = (etl_compress_work *)block(sizeof *work);
    memset(work, 0xA5, sizeof *work);
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(sizes); i++) {
        for (unsigned kind = 0; kind < FILL_KINDS; kind++) {
            uint8_t *in = block(sizes[i]);
            fill(in, sizes[i], kind, &random);
            for (size_t k = 0; k < ETWC_ARRAY_SIZE(FORMATS); k++)
                check_round_trip(&FORMATS[k], in, sizes[i], work);
            etwc_free(in);
        }
    }
    etwc_free(work);
}

TEST(long_runs_shrink_to_almost_nothing)
{
    enum { SIZE = 1 << 20 };
    static const size_t at_most[] = {32, SIZE / 4096 * 8, SIZE / 65536 * 300};
    etl_compress_work *work = (etl_compress_work *)block(sizeof *work);
    uint8_t *in = block(SIZE);
    uint8_t *packed = block(SIZE);
    memset(in, 'z', SIZE);
    for (size_t k = 0; k < ETWC_ARRAY_SIZE(FORMATS); k++) {
        size_t size = 0;
        CHECK_OK(FORMATS[k].encode((etwc_span){in, SIZE}, packed, SIZE, work, &size));
        CHECK(size <= at_most[k]);
    }
    etwc_free(packed);
    etwc_free(in);
    etwc_free(work);
}

TEST(an_input_over_the_limit_is_refused)
{
    etl_compress_work *work = (etl_compress_work *)block(sizeof *work);
    uint8_t byte = 0;
    size_t size = 4711;
    etwc_span in = {&byte, ETL_COMPRESS_MAX_INPUT + 1}; /* nothing of it is read */
    for (size_t k = 0; k < ETWC_ARRAY_SIZE(FORMATS); k++)
        CHECK_STATUS(FORMATS[k].encode(in, &byte, 1, work, &size), ETWC_E_INVALID);
    CHECK_EQ_U64(size, 4711);
    etwc_free(work);
}

TEST(changed_streams_stay_inside_their_spans)
{
    enum { SIZE = 6000 };
    uint64_t random = 1234567891011U;
    etl_compress_work *work = (etl_compress_work *)block(sizeof *work);
    uint8_t *in = block(SIZE);
    uint8_t *packed = block(2 * SIZE);
    for (unsigned round = 0; round < 600; round++) {
        const format *f = &FORMATS[round % ETWC_ARRAY_SIZE(FORMATS)];
        size_t size = 0;
        fill(in, SIZE, round / 3 % FILL_KINDS, &random);
        CHECK_OK(
            f->encode((etwc_span){in, SIZE}, packed, (size_t)2 * SIZE, work, &size));
        for (unsigned change = 0; change < 8; change++) {
            packed[next_random(&random) % size] ^= (uint8_t)(1U << change);
            etwc_status st;
            size_t got;
            etwc_free(decode(f->decode, packed, size, SIZE, &st, &got));
            CHECK(st == ETWC_OK || st == ETWC_E_NEED_MORE || st == ETWC_E_CORRUPT);
            CHECK(got <= SIZE);
        }
    }
    etwc_free(packed);
    etwc_free(in);
    etwc_free(work);
}

HARNESS_MAIN
