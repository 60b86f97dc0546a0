#include "etwc_text.h"

#include <stdio.h>

static bool
is_high_surrogate(uint32_t unit)
{
    return unit >= 0xD800 && unit < 0xDC00;
}

static bool
is_low_surrogate(uint32_t unit)
{
    return unit >= 0xDC00 && unit < 0xE000;
}

static size_t
put_utf8(uint32_t c, char *dst)
{
    uint8_t *d = (uint8_t *)dst;
    if (c < 0x80) {
        d[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        d[0] = (uint8_t)(0xC0 | (c >> 6));
        d[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        d[0] = (uint8_t)(0xE0 | (c >> 12));
        d[1] = (uint8_t)(0x80 | ((c >> 6) & 0x3F));
        d[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    d[0] = (uint8_t)(0xF0 | (c >> 18));
    d[1] = (uint8_t)(0x80 | ((c >> 12) & 0x3F));
    d[2] = (uint8_t)(0x80 | ((c >> 6) & 0x3F));
    d[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

/* Converts up to the first four units that are not all ASCII; how many. */
static size_t
ascii_from_utf16(etwc_span text, char *dst)
{
    size_t units = 0;
    for (; units * 2 + 8 <= text.len; units += 4) {
        uint64_t four = etwc_load_u64(text.ptr + units * 2);
        if (four & UINT64_C(0xFF80FF80FF80FF80))
            break;
        for (size_t i = 0; i < 4; i++)
            dst[units + i] = (char)(four >> (16 * i));
    }
    return units;
}

size_t
etwc_text_from_utf16(etwc_span text, char *dst)
{
    size_t written = ascii_from_utf16(text, dst);
    for (size_t i = written * 2; i + 2 <= text.len; i += 2) {
        uint32_t c = etwc_load_u16(text.ptr + i);
        if (is_high_surrogate(c) && i + 4 <= text.len) {
            uint32_t low = etwc_load_u16(text.ptr + i + 2);
            if (is_low_surrogate(low)) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                i += 2;
            }
        }
        written += put_utf8(c, dst + written);
    }
    return written;
}

/* Takes one character, lone surrogates included; false when it is malformed or
 * longer than it need be. */
static bool
take_utf8(etwc_span *rest, uint32_t *out)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first;
    if (!etwc_span_u8(rest, &first))
        return false;
    if (first < 0x80) {
        *out = first;
        return true;
    }
    size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC0 || first >= 0xF8 || rest->len < size - 1)
        return false;
    uint32_t c = first & (0x7Fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((rest->ptr[i - 1] & 0xC0) != 0x80)
            return false;
        c = c << 6 | (rest->ptr[i - 1] & 0x3Fu);
    }
    *out = c;
    return c >= least[size] && c <= 0x10FFFF && etwc_span_skip(rest, size - 1);
}

bool
etwc_text_to_utf16(const char *text, size_t len, uint16_t *dst, size_t *out_units)
{
    etwc_span rest = {(const uint8_t *)text, len};
    size_t units = 0;
    while (rest.len != 0) {
        uint32_t c;
        if (!take_utf8(&rest, &c))
            return false;
        if (is_low_surrogate(c) && units != 0 && is_high_surrogate(dst[units - 1]))
            return false; /* a pair is one character of four bytes */
        if (c >= 0x10000) {
            dst[units++] = (uint16_t)(0xD800 + ((c - 0x10000) >> 10));
            c = 0xDC00 + (c & 0x3FF);
        }
        dst[units++] = (uint16_t)c;
    }
    *out_units = units;
    return true;
}

/* Where the bytes of the text form lie in memory. */
static const uint8_t guid_order[16] = {3, 2, 1,  0,  5,  4,  7,  6,
                                       8, 9, 10, 11, 12, 13, 14, 15};

static bool
has_dash_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void
etwc_guid_to_text(const etwc_guid *guid, char dst[ETWC_GUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < 16; i++) {
        uint8_t b = guid->bytes[guid_order[i]];
        if (has_dash_before(i))
            *dst++ = '-';
        *dst++ = digits[b >> 4];
        *dst++ = digits[b & 15];
    }
    *dst = '\0';
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool
etwc_guid_from_text(const char *text, size_t len, etwc_guid *out)
{
    if (len == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        len = 36;
    }
    if (len != 36)
        return false;
    etwc_guid guid;
    for (size_t i = 0; i < 16; i++) {
        if (has_dash_before(i) && *text++ != '-')
            return false;
        int high = hex_digit(text[0]);
        int low = hex_digit(text[1]);
        if (high < 0 || low < 0)
            return false;
        guid.bytes[guid_order[i]] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    *out = guid;
    return true;
}

enum { SID_HEADER_BYTES = 8, SID_MAX_SUB_AUTHORITIES = 15 };

size_t
etwc_sid_length(etwc_span sid)
{
    if (sid.len < SID_HEADER_BYTES || sid.ptr[0] != 1 ||
        sid.ptr[1] > SID_MAX_SUB_AUTHORITIES)
        return 0;
    size_t length = SID_HEADER_BYTES + 4u * sid.ptr[1];
    return length <= sid.len ? length : 0;
}

bool
etwc_sid_to_text(etwc_span sid, char dst[ETWC_SID_TEXT_SIZE])
{
    dst[0] = '\0';
    size_t length = etwc_sid_length(sid);
    if (length == 0)
        return false;
    uint64_t authority = 0;
    for (size_t i = 2; i < SID_HEADER_BYTES; i++)
        authority = authority << 8 | sid.ptr[i];
    const char *form = authority > UINT32_MAX ? "S-1-0x%llX" : "S-1-%llu";
    int n = snprintf(dst, ETWC_SID_TEXT_SIZE, form, (unsigned long long)authority);
    for (size_t i = SID_HEADER_BYTES; i < length; i += 4)
        n += snprintf(dst + n, ETWC_SID_TEXT_SIZE - (size_t)n, "-%lu",
                      (unsigned long)etwc_load_u32(sid.ptr + i));
    return true;
}
