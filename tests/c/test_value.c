/* Texts of values, and what the layout tables promise about themselves. */
#include "harness.h"

#include "etwc_decode.h"
#include "payload.h"

static const etwc_symbol color_items[] = {
    {0, "none"}, {1, "red"}, {2, "green"}, {4, "blue"}};
static const etwc_symbols colors = {"colors", color_items, 4, true};
static const etwc_symbols color = {"color", color_items, 4, false};

TEST(names_of_numbers)
{
    char text[64];
    CHECK_EQ_STR(etwc_symbols_find(&color, 2), "green");
    CHECK(etwc_symbols_find(&color, 3) == NULL);
    CHECK_EQ_U64(etwc_symbols_format(&color, 3, text, sizeof text), 0);
    CHECK_EQ_STR(text, "");
    CHECK_EQ_U64(etwc_symbols_format(&colors, 3, text, sizeof text), 9);
    CHECK_EQ_STR(text, "red,green");
    (void)etwc_symbols_format(&colors, 0x14, text, sizeof text);
    CHECK_EQ_STR(text, "blue,0x10");
    (void)etwc_symbols_format(&colors, 0x10, text, sizeof text);
    CHECK_EQ_STR(text, "0x10");
    (void)etwc_symbols_format(&colors, 0, text, sizeof text);
    CHECK_EQ_STR(text, "none");
    CHECK_EQ_U64(etwc_symbols_format(&colors, 7, text, 6), 14);
    CHECK_EQ_STR(text, "red,g");
    CHECK_EQ_U64(etwc_symbols_format(&colors, 7, NULL, 0), 14);
}

TEST(negative_numbers_are_known_by_their_32_bits)
{
    static const etwc_symbol items[] = {{0xC0000005, "ACCESS_VIOLATION"}};
    static const etwc_symbols statuses = {"status", items, 1, false};
    CHECK_EQ_STR(etwc_symbols_find(&statuses, (uint64_t)(int64_t)-1073741819),
                 "ACCESS_VIOLATION");
    CHECK(etwc_symbols_find(&statuses, UINT64_C(0x1C0000005)) == NULL);
}

/* Texts of RFC 5952 and of RtlIpv6AddressToString. */
TEST(ipv6_addresses)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"00000000000000000000000000000000", "::"},
        {"00000000000000000000000000000001", "::1"},
        {"20010db8000000000000000000000001", "2001:db8::1"},
        {"20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1"},
        {"20010000000000010000000000000001", "2001:0:0:1::1"},
        {"20010db8000000000001000000000001", "2001:db8::1:0:0:1"},
        {"fe800000000000000950d6defa844cc0", "fe80::950:d6de:fa84:4cc0"},
        {"ff02000000000000000000000000000c", "ff02::c"},
        {"20010db8000100000000000000000000", "2001:db8:1::"},
        {"00000000000000000000ffff0a000001", "::ffff:10.0.0.1"},
        {"0000000000000000ffff00000a000001", "::ffff:0:10.0.0.1"},
        {"0000000000000000000000000a000001", "::10.0.0.1"},
        {"fe8000000000000000005efe0a000001", "fe80::5efe:10.0.0.1"},
        {"20010db80001000202005efec0a80001", "2001:db8:1:2:200:5efe:192.168.0.1"},
        {"ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(cases); i++) {
        uint8_t address[16];
        char text[ETWC_IPV6_TEXT_SIZE];
        CHECK_EQ_U64(harness_hex(cases[i].bytes, address, sizeof address), 16);
        etwc_ipv6_to_text(address, text);
        CHECK_EQ_STR(text, cases[i].text);
    }
}

TEST(ipv4_addresses)
{
    static const uint8_t address[] = {255, 0, 10, 255};
    char text[ETWC_IPV4_TEXT_SIZE];
    etwc_ipv4_to_text(address, text);
    CHECK_EQ_STR(text, "255.0.10.255");
}

TEST(elements_of_arrays_keep_their_sign)
{
    static const uint8_t bytes[] = {0xFE, 0xFF, 0x01, 0x00};
    etwc_value packed = {
        .v.bytes = {bytes, sizeof bytes},
        .count = 2,
        .type = ETWC_VALUE_PACKED,
        .element_type = ETWC_VALUE_INT,
        .element_size = 2,
    };
    CHECK_EQ_I64(etwc_value_element(&packed, 0).v.i, -2);
    CHECK_EQ_I64(etwc_value_element(&packed, 1).v.i, 1);
    packed.element_type = ETWC_VALUE_UINT;
    CHECK_EQ_U64(etwc_value_element(&packed, 0).v.u, 0xFFFE);
}

/* ---- Fields ---------------------------------------------------------------- */

TEST(too_few_places_for_values_say_how_many_there_are)
{
    payload p = {.pointer_size = 8};
    etwc_value values[12];
    etwc_decoded decoded;
    put(&p, 5, 4);
    put(&p, 2, 4);
    for (unsigned i = 0; i < 2; i++) {
        put(&p, 10 + i, 4);
        put(&p, 20 + i, 8);
    }
    etwc_event event = event_of(&p, ETWC_CLASS_PERF_INFO, 49, 2);
    memset(values, 0, sizeof values);
    etwc_decode_fields(&event, values, 4, &decoded);
    CHECK_EQ_U64(decoded.count, 9); /* two numbers, an array, two structs of two */
    CHECK(values[4].name == NULL && values[4].v.u == 0);
    etwc_decode_fields(&event, values, 12, &decoded);
    CHECK_EQ_STR(decoded.name, "PerfInfo/PmcCorruption");
    CHECK_EQ_U64(values[2].type, ETWC_VALUE_ARRAY);
    CHECK_EQ_U64(values[2].count, 2);
    CHECK_EQ_U64(values[2].extent, 6);
    CHECK_EQ_U64(values[6].type, ETWC_VALUE_STRUCT);
    CHECK_EQ_U64(values[6].extent, 2);
    CHECK_EQ_STR(values[7].name, "ProfileSource");
    CHECK_EQ_U64(values[7].v.u, 11);
    CHECK_EQ_U64(values[8].v.u, 21);
    etwc_decode_field(&event, "CounterStatus", values, 12, &decoded);
    CHECK_EQ_U64(decoded.count, 7);
    CHECK_EQ_U64(values[5].v.u, 11);
    etwc_decode_field(&event, "Counter", values, 12, &decoded);
    CHECK_EQ_U64(decoded.count, 0);
}

TEST(reasons_of_partial_events)
{
    payload p = {.pointer_size = 8};
    etwc_decoded decoded;
    put(&p, 11, 4);
    put(&p, 22, 4);
    put(&p, 'a', 2);
    etwc_event event = event_of(&p, ETWC_CLASS_THREAD, 72, 2);
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_U64(decoded.completeness,
                 ETWC_DECODED_FULL); /* no terminator: tolerated */
    event.payload_size -= 1;
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "short");
    event.payload_size = 4;
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "short");
    CHECK_EQ_U64(decoded.count, 1);
    put(&p, 0, 2);
    put(&p, 99, 1);
    event.payload_size = (uint32_t)p.size;
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "trailing");
    CHECK_EQ_U64(decoded.rest.len, 1);
    CHECK(decoded.rest.ptr == p.bytes + 12);
    event.version = 3;
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "newer");

    payload counted = {.pointer_size = 8};
    put(&counted, 7, 4);
    put(&counted, 3, 4);
    put(&counted, 1, 8);
    event = event_of(&counted, ETWC_CLASS_THREAD, 63, 2);
    etwc_decode_fields(&event, NULL, 0, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "invalid");
    CHECK_EQ_U64(decoded.count, 3); /* with the entry that is there */
}

static const char *const packet_names[] = {"Type",
                                           "TimeStamp",
                                           "OldThreadId",
                                           "OldThreadPriority",
                                           "OldThreadStateReason",
                                           "NewThreadWaitTime"};

/* One packet of each type, put together bit by bit from the document's table. */
TEST(packets_of_batched_context_switches)
{
    static const uint64_t expected[4][6] = {
        {0, 1000 + 5, 0, 0, 0, 0},
        {1, 1005 + 70000, 0, 0, 0, 0},
        {2, 71005 + 300, 203, 8 + 2, 15, 0},
        {3, 71305 + 900000, 215, 13, 38, 99999},
    };
    payload p = {.pointer_size = 8};
    etwc_value values[64];
    etwc_decoded decoded;
    put(&p, 1000, 8);
    for (unsigned i = 0; i < 16; i++)
        put(&p, 200 + i, 4);
    for (unsigned i = 0; i < 16; i++)
        put(&p, 8, 1);
    put(&p, 0 | 5 << 2, 2);
    put(&p, 1 | 70000 << 2, 4);
    put(&p, 2 | 3 << 2 | 2 << 6 | 15 << 9 | 300 << 15, 4);
    put(&p,
        UINT64_C(3) | UINT64_C(900000) << 2 | UINT64_C(15) << 32 | UINT64_C(38) << 36 |
            UINT64_C(13) << 42 | UINT64_C(99999) << 47,
        8);
    etwc_event event = event_of(&p, ETWC_CLASS_THREAD, 37, 2);
    etwc_decode_fields(&event, values, 64, &decoded);
    CHECK_EQ_U64(decoded.completeness, ETWC_DECODED_FULL);
    CHECK_EQ_U64(decoded.count, 4 + 4 * 7);
    CHECK_EQ_U64(values[3].count, 4);
    CHECK_EQ_U64(values[3].extent, 28);
    for (size_t i = 0; i < 4; i++) {
        const etwc_value *packet = &values[4 + 7 * i];
        CHECK_EQ_U64(packet->type, ETWC_VALUE_STRUCT);
        for (size_t k = 0; k < 6; k++) {
            CHECK_EQ_STR(packet[1 + k].name, packet_names[k]);
            CHECK_EQ_U64(packet[1 + k].v.u, expected[i][k]);
        }
    }
    event.payload_size -= 1;
    etwc_decode_fields(&event, values, 64, &decoded);
    CHECK_EQ_STR(etwc_partial_reason_name(decoded.reason), "short");
    CHECK_EQ_U64(values[3].count, 3);
    CHECK_EQ_U64(decoded.rest.len, 7);
}

/* Page faults of version 2 are two pointers. */
TEST(layout_is_told_when_all_fields_are_there)
{
    static payload p;
    etwc_decoded whole, longer, shorter, unknown;
    memset(&p, 0, sizeof p);
    p.pointer_size = 8;
    p.size = 16;
    etwc_event event = event_of(&p, ETWC_CLASS_PAGE_FAULT, 10, 2);
    etwc_decode_fields(&event, NULL, 0, &whole);
    CHECK(whole.layout != NULL);
    event.payload_size = 17;
    etwc_decode_fields(&event, NULL, 0, &longer);
    CHECK(longer.layout == whole.layout);
    event.payload_size = 15;
    etwc_decode_fields(&event, NULL, 0, &shorter);
    CHECK(shorter.layout == NULL);
    event.opcode = 255;
    etwc_decode_fields(&event, NULL, 0, &unknown);
    CHECK(unknown.layout == NULL);
}

/* ---- Tables ---------------------------------------------------------------- */

TEST(known_layouts_are_in_order_and_name_their_fields_once)
{
    etwc_decode_entry entry, before = {0};
    size_t count = 0;
    for (; etwc_decode_entry_at(count, &entry); count++) {
        CHECK(strchr(entry.name, '/') != NULL);
        CHECK(entry.low <= entry.high);
        if (count != 0 && etwc_guid_equal(&entry.provider, &before.provider)) {
            CHECK(entry.opcode >= before.opcode);
            if (entry.opcode == before.opcode)
                CHECK(entry.low > before.high);
        }
        for (size_t i = 0; i < entry.field_count; i++) {
            etwc_decode_field_info field, other;
            etwc_decode_entry_field(&entry, i, &field);
            for (size_t k = 0; k < i; k++) {
                etwc_decode_entry_field(&entry, k, &other);
                CHECK(strcmp(field.name, other.name) != 0);
            }
        }
        before = entry;
    }
    CHECK(count > 300);
}

/* Both views come from the same rows: they agree on every payload of zeros. */
TEST(both_views_agree_on_how_much_is_explained)
{
    etwc_decode_entry entry;
    static payload p;
    memset(&p, 0, sizeof p);
    p.pointer_size = 8;
    for (size_t i = 0; etwc_decode_entry_at(i, &entry); i++) {
        for (p.size = 0; p.size < 200; p.size += 2) {
            uint8_t class = etwc_kernel_class_of(&entry.provider);
            if (class == ETWC_CLASS_NONE)
                class = etwc_manifest_class_of(&entry.provider);
            etwc_event event = event_of(&p, class, entry.opcode, entry.low);
            event.provider_id = entry.provider;
            etwc_kernel_record record;
            etwc_decoded decoded;
            etwc_completeness found = etwc_kernel_decode(&event, &record);
            etwc_decode_fields(&event, NULL, 0, &decoded);
            CHECK_EQ_STR(decoded.name, entry.name);
            if (record.type != ETWC_KERNEL_NONE)
                CHECK_EQ_U64(found, decoded.completeness);
        }
    }
}

HARNESS_MAIN
