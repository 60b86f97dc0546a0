/* Text of a trace: UTF-16 to UTF-8, GUIDs and SIDs. */
#include "harness.h"

#include "etwc_text.h"

static void
check_utf8(const char *utf16_hex, const char *utf8_hex)
{
    uint8_t in[64];
    uint8_t wanted[96];
    char out[96];
    etwc_span text = {in, harness_hex(utf16_hex, in, sizeof in)};
    size_t size = harness_hex(utf8_hex, wanted, sizeof wanted);
    memset(out, 0x55, sizeof out);
    CHECK_EQ_U64(etwc_text_from_utf16(text, out), size);
    CHECK_EQ_MEM(out, wanted, size);
    CHECK(out[size] == 0x55);
    CHECK(size <= ETWC_TEXT_UTF8_MAX(text.len));
}

static bool
to_utf16(const char *utf8_hex, uint8_t *out, size_t *out_bytes)
{
    uint8_t in[64];
    uint16_t units[64];
    size_t count = 0;
    size_t size = harness_hex(utf8_hex, in, sizeof in);
    if (!etwc_text_to_utf16((const char *)in, size, units, &count))
        return false;
    CHECK(count <= size);
    for (size_t i = 0; i < count; i++)
        etwc_store_u16(out + 2 * i, units[i]);
    *out_bytes = 2 * count;
    return true;
}

TEST(utf8_becomes_the_utf16_that_it_came_from)
{
    static const char *const pairs[][2] = {
        {"", ""},
        {"417a", "4100 7a00"},
        {"7f c280 dfbf e0a080", "7f00 8000 ff07 0008"},
        {"e282ac efbfbf", "ac20 ffff"},
        {"f0908080 f48fbfbf", "00d8 00dc ffdb ffdf"},
        {"eda0bd 42", "3dd8 4200"},     /* lone surrogates */
        {"edb98a eda0bd", "4ade 3dd8"}, /* the wrong way round */
        {"f09f998a edb98a", "3dd8 4ade 4ade"},
    };
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(pairs); i++) {
        uint8_t got[128];
        uint8_t wanted[128];
        size_t size = 0;
        CHECK(to_utf16(pairs[i][0], got, &size));
        CHECK_EQ_U64(size, harness_hex(pairs[i][1], wanted, sizeof wanted));
        CHECK_EQ_MEM(got, wanted, size);
    }
}

TEST(malformed_utf8_is_refused)
{
    static const char *const bad[] = {
        "80",       "bf",   "c2",   "c241",   "e282",     "e28241",
        "f09f99",   "c080", "c1bf", "e09fbf", "f08fbfbf", "f4908080",
        "f8888080", "ff",   "41ff", "c3c3a9", "f7bfbfbf", "eda0bd edb98a",
    };
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(bad); i++) {
        uint8_t got[128];
        size_t size = 0;
        CHECK(!to_utf16(bad[i], got, &size));
    }
}

/* Right sides: text.encode("utf-8", "surrogatepass") of Python. */
TEST(utf16_becomes_utf8_at_every_length_of_a_character)
{
    check_utf8("", "");
    check_utf8("4100 7a00", "417a");
    check_utf8("7f00 8000", "7f c280");
    check_utf8("ff07 0008", "dfbf e0a080");
    check_utf8("ac20 ffff", "e282ac efbfbf");
    check_utf8("00d8 00dc", "f0908080"); /* U+10000 */
    check_utf8("ffdb ffdf", "f48fbfbf"); /* U+10FFFF */
    check_utf8("3dd8 4ade 2100", "f09f998a 21");
}

TEST(zero_units_are_text_like_any_other)
{
    check_utf8("4100 0000 4200", "410042");
}

TEST(lone_surrogates_keep_their_three_bytes)
{
    check_utf8("00d8", "eda080");
    check_utf8("00dc", "edb080");
    check_utf8("4100 3dd8 4200", "41 eda0bd 42");
    check_utf8("4ade 3dd8", "edb98a eda0bd");        /* the wrong way round */
    check_utf8("3dd8 3dd8 4ade", "eda0bd f09f998a"); /* only the second pairs */
    check_utf8("3dd8 4ade 4ade", "f09f998a edb98a");
    check_utf8("ffdf ffdb", "edbfbf edafbf");
}

TEST(an_odd_last_byte_is_ignored)
{
    check_utf8("4100 42", "41");
    check_utf8("41", "");
    check_utf8("3dd8 4a", "eda0bd");
}

static const char guid_hex[] = "d1a86f3d 05fe d011 9dda 00c04fd7ba7c";
static const char guid_text[] = "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c";

TEST(guid_text_swaps_the_first_three_parts)
{
    etwc_guid guid;
    char text[ETWC_GUID_TEXT_SIZE];
    CHECK_EQ_U64(harness_hex(guid_hex, guid.bytes, sizeof guid.bytes), 16);
    etwc_guid_to_text(&guid, text);
    CHECK_EQ_STR(text, guid_text);
}

TEST(guid_is_read_from_every_accepted_form)
{
    static const char *const forms[] = {
        "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c",
        "3D6FA8D1-FE05-11D0-9DDA-00C04FD7BA7C",
        "{3d6fa8d1-fe05-11d0-9DDA-00c04fd7ba7c}",
    };
    etwc_guid wanted;
    (void)harness_hex(guid_hex, wanted.bytes, sizeof wanted.bytes);
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(forms); i++) {
        etwc_guid guid;
        CHECK(etwc_guid_from_text(forms[i], strlen(forms[i]), &guid));
        CHECK(etwc_guid_equal(&guid, &wanted));
    }
}

TEST(what_is_no_guid_is_refused_and_writes_nothing)
{
    static const char *const forms[] = {
        "",
        "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7",
        "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c0",
        "3d6fa8d1fe05-11d0-9dda--00c04fd7ba7c",
        "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7g",
        "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba-c",
        "{3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c",
        "{3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c)",
        "(3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c}",
        "3d6fa8d1-fe05-11d0-9dda 00c04fd7ba7c",
        "0x6fa8d1-fe05-11d0-9dda-00c04fd7ba7c",
    };
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(forms); i++) {
        etwc_guid guid;
        memset(&guid, 0x77, sizeof guid);
        CHECK(!etwc_guid_from_text(forms[i], strlen(forms[i]), &guid));
        CHECK(guid.bytes[0] == 0x77 && guid.bytes[15] == 0x77);
    }
}

static void
check_sid(const char *hex, const char *wanted)
{
    uint8_t bytes[ETWC_SID_MAX_BYTES + 8];
    char text[ETWC_SID_TEXT_SIZE];
    etwc_span sid = {bytes, harness_hex(hex, bytes, sizeof bytes)};
    CHECK(etwc_sid_to_text(sid, text));
    CHECK_EQ_STR(text, wanted);
}

/* Well-known SIDs of Windows: LocalSystem, Everyone, Administrators, Nobody. */
TEST(sids_are_written_as_windows_writes_them)
{
    check_sid("01 01 000000000005 12000000", "S-1-5-18");
    check_sid("01 01 000000000001 00000000", "S-1-1-0");
    check_sid("01 02 000000000005 20000000 20020000", "S-1-5-32-544");
    check_sid("01 00 000000000000", "S-1-0");
    check_sid("01 05 000000000005 15000000 ffffffff 01000000 00000080 e8030000",
              "S-1-5-21-4294967295-1-2147483648-1000");
    check_sid("01 01 0000ffffffff 00000000", "S-1-4294967295-0");
    /* authorities beyond 32 bits are hexadecimal */
    check_sid("01 01 000100000000 07000000", "S-1-0x100000000-7");
    check_sid("01 00 ffffffffffff", "S-1-0xFFFFFFFFFFFF");
}

TEST(the_longest_sid_fits)
{
    uint8_t bytes[ETWC_SID_MAX_BYTES];
    char text[ETWC_SID_TEXT_SIZE];
    char wanted[ETWC_SID_TEXT_SIZE];
    memset(bytes, 0xFF, sizeof bytes);
    bytes[0] = 1;
    bytes[1] = 15;
    size_t at = (size_t)snprintf(wanted, sizeof wanted, "S-1-0xFFFFFFFFFFFF");
    for (int i = 0; i < 15; i++)
        at += (size_t)snprintf(wanted + at, sizeof wanted - at, "-4294967295");
    CHECK_EQ_U64(etwc_sid_length((etwc_span){bytes, sizeof bytes}), 68);
    CHECK(etwc_sid_to_text((etwc_span){bytes, sizeof bytes}, text));
    CHECK_EQ_STR(text, wanted);
}

TEST(sids_that_are_cut_or_wrong_have_no_length)
{
    uint8_t bytes[32];
    char text[ETWC_SID_TEXT_SIZE];
    size_t whole =
        harness_hex("01 02 000000000005 20000000 20020000", bytes, sizeof bytes);
    for (size_t n = 0; n < whole; n++) {
        CHECK_EQ_U64(etwc_sid_length((etwc_span){bytes, n}), 0);
        memset(text, 'x', sizeof text);
        CHECK(!etwc_sid_to_text((etwc_span){bytes, n}, text));
        CHECK_EQ_STR(text, "");
    }
    CHECK_EQ_U64(etwc_sid_length((etwc_span){bytes, whole}), 16);
    CHECK_EQ_U64(etwc_sid_length((etwc_span){bytes, sizeof bytes}), 16);
    bytes[0] = 2;
    CHECK_EQ_U64(etwc_sid_length((etwc_span){bytes, whole}), 0);
    bytes[0] = 1;
    bytes[1] = 16; /* more sub-authorities than a SID may have */
    uint8_t many[80] = {1, 16};
    CHECK_EQ_U64(etwc_sid_length((etwc_span){many, sizeof many}), 0);
}

HARNESS_MAIN
