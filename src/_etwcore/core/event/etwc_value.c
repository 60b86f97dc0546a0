/* Values and their texts, whatever they were decoded from. */
#include "etwc_value.h"

#include <stdio.h>

enum { IPV6_WORDS = 8, IPV4_TAIL_WORDS = 6 };

/* ---- Numbers of arrays, names of numbers ----------------------------------- */

etwc_value
etwc_value_element(const etwc_value *packed, uint32_t index)
{
    size_t size = packed->element_size;
    const uint8_t *at = packed->v.bytes.ptr + index * size;
    etwc_value value = {
        .symbols = packed->symbols,
        .type = packed->element_type,
        .format = packed->format,
    };
    for (size_t i = 0; i < size; i++)
        value.v.u |= (uint64_t)at[i] << (8 * i);
    if (value.type == ETWC_VALUE_INT) {
        uint64_t sign = (uint64_t)1 << (size * 8 - 1);
        value.v.u = (value.v.u ^ sign) - sign;
    }
    return value;
}

const char *
etwc_symbols_find(const etwc_symbols *symbols, uint64_t value)
{
    uint64_t high = value >> 32; /* a negative number is known by its 32 bits */
    if (high != 0 && high != UINT32_MAX)
        return NULL;
    for (size_t i = 0; i < symbols->count; i++) {
        if (symbols->items[i].value == (uint32_t)value)
            return symbols->items[i].name;
    }
    return NULL;
}

/* A bounded text that goes on counting when it is full. */
typedef struct bounded_text {
    char *dst;
    size_t capacity, length;
} bounded_text;

static void
append(bounded_text *text, const char *part)
{
    for (; *part != '\0'; part++) {
        if (text->length + 1 < text->capacity)
            text->dst[text->length] = *part;
        text->length++;
    }
}

static void
append_flags(bounded_text *text, const etwc_symbols *symbols, uint64_t value)
{
    uint64_t rest = value;
    for (size_t i = 0; i < symbols->count; i++) {
        uint32_t bits = symbols->items[i].value;
        if (bits == 0 || (value & bits) != bits)
            continue;
        if (text->length != 0)
            append(text, ",");
        append(text, symbols->items[i].name);
        rest &= ~(uint64_t)bits;
    }
    if (rest != 0) {
        char hex[24];
        (void)snprintf(hex, sizeof hex, "%s0x%llX", text->length != 0 ? "," : "",
                       (unsigned long long)rest);
        append(text, hex);
    }
}

size_t
etwc_symbols_format(const etwc_symbols *symbols, uint64_t value, char *dst,
                    size_t capacity)
{
    bounded_text text = {dst, capacity, 0};
    const char *whole = etwc_symbols_find(symbols, value);
    if (whole != NULL)
        append(&text, whole);
    else if (symbols->is_flags)
        append_flags(&text, symbols, value);
    if (capacity != 0)
        dst[text.length < capacity ? text.length : capacity - 1] = '\0';
    return text.length;
}

/* ---- Addresses ------------------------------------------------------------- */

void
etwc_ipv4_to_text(const uint8_t address[4], char dst[ETWC_IPV4_TEXT_SIZE])
{
    (void)snprintf(dst, ETWC_IPV4_TEXT_SIZE, "%u.%u.%u.%u", address[0], address[1],
                   address[2], address[3]);
}

/* Whether the last four bytes are an IPv4 address: mapped, compatible and
 * translated addresses, and those of ISATAP. */
static bool
has_ipv4_tail(const uint16_t words[IPV6_WORDS])
{
    bool is_prefix_zero = (words[0] | words[1] | words[2] | words[3]) == 0;
    if (is_prefix_zero && words[6] != 0 &&
        ((words[4] == 0 && (words[5] == 0 || words[5] == 0xFFFF)) ||
         (words[4] == 0xFFFF && words[5] == 0)))
        return true;
    return (words[4] & 0xFDFF) == 0 && words[5] == 0x5EFE;
}

/* The longest run of at least two zero words among the first `count`. */
static void
find_zeros(const uint16_t *words, int count, int *begin, int *length)
{
    *begin = -1;
    *length = 1;
    for (int i = 0; i < count;) {
        int end = i;
        while (end < count && words[end] == 0)
            end++;
        if (end - i > *length) {
            *begin = i;
            *length = end - i;
        }
        i = end + 1;
    }
}

void
etwc_ipv6_to_text(const uint8_t address[16], char dst[ETWC_IPV6_TEXT_SIZE])
{
    uint16_t words[IPV6_WORDS];
    for (int i = 0; i < IPV6_WORDS; i++)
        words[i] = (uint16_t)(address[2 * i] << 8 | address[2 * i + 1]);
    bool has_tail = has_ipv4_tail(words);
    int count = has_tail ? IPV4_TAIL_WORDS : IPV6_WORDS;
    int zeros, zero_count;
    find_zeros(words, count, &zeros, &zero_count);

    bounded_text text = {dst, ETWC_IPV6_TEXT_SIZE, 0};
    for (int i = 0; i < count;) {
        if (i == zeros) {
            append(&text, "::");
            i += zero_count;
            continue;
        }
        char word[8];
        bool follows_zeros = zeros >= 0 && i == zeros + zero_count;
        const char *colon = i == 0 || follows_zeros ? "" : ":";
        (void)snprintf(word, sizeof word, "%s%x", colon, words[i]);
        append(&text, word);
        i++;
    }
    if (has_tail) {
        char tail[ETWC_IPV4_TEXT_SIZE];
        etwc_ipv4_to_text(address + 12, tail);
        if (zeros < 0 || zeros + zero_count != count)
            append(&text, ":");
        append(&text, tail);
    }
    dst[text.length] = '\0';
}
