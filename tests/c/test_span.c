/* The cursor over untrusted bytes. */
#include "harness.h"

#include "etwc_span.h"

static const uint8_t bytes[] = {0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88, 0x09};

static etwc_span
first(size_t n)
{
    return (etwc_span){bytes, n};
}

TEST(take_gives_a_part_and_moves_on)
{
    etwc_span s = first(9);
    etwc_span part;
    CHECK(etwc_span_take(&s, 4, &part));
    CHECK(part.ptr == bytes);
    CHECK_EQ_U64(part.len, 4);
    CHECK(s.ptr == bytes + 4);
    CHECK_EQ_U64(s.len, 5);
}

TEST(take_of_too_much_changes_nothing)
{
    static const size_t sizes[] = {5, 6, SIZE_MAX - 3, SIZE_MAX};
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(sizes); i++) {
        etwc_span s = first(4);
        etwc_span part = first(1);
        CHECK(!etwc_span_take(&s, sizes[i], &part));
        CHECK(!etwc_span_skip(&s, sizes[i]));
        CHECK(s.ptr == bytes && s.len == 4 && part.len == 1);
    }
}

TEST(integers_are_little_endian_and_unaligned)
{
    etwc_span s = {bytes + 1, 8};
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    CHECK(etwc_span_u8(&s, &u8) && etwc_span_u16(&s, &u16) && etwc_span_u32(&s, &u32));
    CHECK_EQ_U64(u8, 0x82);
    CHECK_EQ_U64(u16, 0x8403);
    CHECK_EQ_U64(u32, 0x88078605);
    CHECK_EQ_U64(s.len, 1);
    uint64_t u64;
    s = first(9);
    CHECK(etwc_span_u64(&s, &u64));
    CHECK_EQ_U64(u64, UINT64_C(0x8807860584038201));
}

TEST(integers_that_are_cut_change_nothing)
{
    for (size_t n = 0; n < 8; n++) {
        etwc_span s = first(n);
        uint8_t u8 = 1;
        uint16_t u16 = 2;
        uint32_t u32 = 3;
        uint64_t u64 = 4;
        CHECK(n >= 1 || !etwc_span_u8(&s, &u8));
        CHECK(n >= 2 || !etwc_span_u16(&s, &u16));
        CHECK(n >= 4 || !etwc_span_u32(&s, &u32));
        CHECK(n >= 4 || !etwc_span_pointer(&s, 4, &u64));
        CHECK(!etwc_span_pointer(&s, 8, &u64));
        CHECK(!etwc_span_u64(&s, &u64));
        CHECK(s.ptr == bytes && s.len == n);
        CHECK(u8 == 1 && u16 == 2 && u32 == 3 && u64 == 4);
    }
}

TEST(pointers_follow_their_size)
{
    etwc_span s = first(9);
    uint64_t value;
    CHECK(etwc_span_pointer(&s, 4, &value));
    CHECK_EQ_U64(value, 0x84038201);
    CHECK_EQ_U64(s.len, 5);
    s = first(9);
    CHECK(etwc_span_pointer(&s, 8, &value));
    CHECK_EQ_U64(value, UINT64_C(0x8807860584038201));
    CHECK_EQ_U64(s.len, 1);
}

/* in: the bytes; text and rest: the sizes that must come out. */
static void
check_string8(const char *in, size_t n, size_t text, size_t rest)
{
    etwc_span s = {(const uint8_t *)in, n};
    etwc_span out;
    etwc_span_string8(&s, &out);
    CHECK(out.ptr == (const uint8_t *)in);
    CHECK_EQ_U64(out.len, text);
    CHECK_EQ_U64(s.len, rest);
    CHECK(s.ptr + s.len == (const uint8_t *)in + n);
}

static void
check_string16(const char *in, size_t n, size_t text, size_t rest)
{
    etwc_span s = {(const uint8_t *)in, n};
    etwc_span out;
    etwc_span_string16(&s, &out);
    CHECK(out.ptr == (const uint8_t *)in);
    CHECK_EQ_U64(out.len, text);
    CHECK_EQ_U64(s.len, rest);
    CHECK(s.ptr + s.len == (const uint8_t *)in + n);
}

TEST(strings_end_at_their_terminator)
{
    check_string8("ab\0cd", 5, 2, 2);
    check_string8("\0cd", 3, 0, 2);
    check_string16("a\0b\0\0\0c\0", 8, 4, 2);
    check_string16("\0\0c\0", 4, 0, 2);
}

TEST(strings_without_terminator_run_to_the_end)
{
    check_string8("abc", 3, 3, 0);
    check_string8("", 0, 0, 0);
    check_string16("a\0b\0", 4, 4, 0);
    check_string16("", 0, 0, 0);
}

TEST(utf16_looks_at_whole_units)
{
    /* U+6100 ends in a zero byte and is followed by one: no terminator. */
    check_string16("\0\x61\0\x62\0\0", 6, 4, 0);
    /* an odd last byte stays */
    check_string16("a\0b", 3, 2, 1);
    check_string16("a\0\0", 3, 2, 1);
    check_string16("a", 1, 0, 1);
    check_string16("a\0\0\0b", 5, 2, 1);
}

TEST(checked_arithmetic_refuses_what_wraps)
{
    size_t out = 7;
    CHECK(!etwc_add_size(SIZE_MAX, 1, &out));
    CHECK(!etwc_mul_size(SIZE_MAX / 2 + 1, 2, &out));
    CHECK_EQ_U64(out, 7);
    CHECK(etwc_add_size(SIZE_MAX - 1, 1, &out));
    CHECK_EQ_U64(out, SIZE_MAX);
    CHECK(etwc_mul_size(SIZE_MAX / 2, 2, &out));
    CHECK_EQ_U64(out, SIZE_MAX - 1);
    CHECK(etwc_mul_size(0, SIZE_MAX, &out));
    CHECK_EQ_U64(out, 0);
}

TEST(stores_and_loads_are_inverse)
{
    uint8_t raw[8];
    etwc_store_u64(raw, UINT64_C(0x8807860584038201));
    CHECK_EQ_MEM(raw, bytes, 1);
    CHECK_EQ_U64(raw[7], 0x88);
    CHECK_EQ_U64(etwc_load_u64(raw), UINT64_C(0x8807860584038201));
    CHECK_EQ_I64(etwc_load_i64(raw), INT64_C(-0x77F879FA7BFC7DFF));
    CHECK_EQ_U64(etwc_align8(0), 0);
    CHECK_EQ_U64(etwc_align8(1), 8);
    CHECK_EQ_U64(etwc_align8(8), 8);
}

HARNESS_MAIN
