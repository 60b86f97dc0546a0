/*
 * Decoded values, free of where their description came from: the kernel's
 * layout tables today, every other kind of schema later.
 *
 * A list of values is flat and in the order of the payload. An ARRAY or a STRUCT
 * is followed by the values that belong to it, `extent` of them in all, nested
 * ones included; a PACKED array of numbers keeps its bytes as they are.
 */
#ifndef ETWC_VALUE_H
#define ETWC_VALUE_H

#include "etwc_span.h"

typedef enum etwc_value_type {
    ETWC_VALUE_UINT,
    ETWC_VALUE_INT,
    ETWC_VALUE_FLOAT,
    ETWC_VALUE_BOOL,
    ETWC_VALUE_TEXT16, /* UTF-16LE, not validated */
    ETWC_VALUE_TEXT8,  /* 8-bit in an unknown code page */
    ETWC_VALUE_UTF8,
    ETWC_VALUE_GUID,     /* 16 bytes */
    ETWC_VALUE_SID,      /* binary SID; empty: there is none */
    ETWC_VALUE_IPV4,     /* 4 bytes, network order */
    ETWC_VALUE_IPV6,     /* 16 bytes, network order */
    ETWC_VALUE_FILETIME, /* 100 ns since 1601 UTC, in `i` */
    ETWC_VALUE_CLOCK,    /* session clock, in `i` */
    ETWC_VALUE_BYTES,
    ETWC_VALUE_PACKED, /* `count` numbers of `element_size` bytes in `bytes` */
    ETWC_VALUE_ARRAY,  /* `count` values follow */
    ETWC_VALUE_STRUCT  /* `count` named values follow */
} etwc_value_type;

/* How a number is best shown. */
typedef enum etwc_value_format {
    ETWC_FORMAT_DECIMAL,
    ETWC_FORMAT_HEX,
    ETWC_FORMAT_CHARACTERS, /* a tag of four 8-bit characters */
    ETWC_FORMAT_NTSTATUS
} etwc_value_format;

typedef struct etwc_symbol {
    uint32_t value;
    const char *name;
} etwc_symbol;

/* Names of the values of an enumeration, or of the bits of a set of flags. */
typedef struct etwc_symbols {
    const char *name;
    const etwc_symbol *items;
    size_t count;
    bool is_flags;
} etwc_symbols;

typedef struct etwc_value {
    const char *name;            /* borrowed, UTF-8; NULL: element of an array */
    const etwc_symbols *symbols; /* borrowed; NULL when numbers have no names */
    union {
        uint64_t u;
        int64_t i; /* INT, FILETIME, CLOCK */
        double f;
        bool b;
        etwc_span bytes; /* borrowed like the event; text without terminator */
    } v;
    uint32_t count;
    uint32_t extent;
    uint8_t type;         /* etwc_value_type */
    uint8_t format;       /* etwc_value_format; PACKED: of the elements */
    uint8_t element_type; /* PACKED: UINT, INT, FLOAT, FILETIME or CLOCK */
    uint8_t element_size; /* PACKED: 1, 2, 4 or 8 */
} etwc_value;

/* The element of a PACKED array; index must be below count. */
etwc_value etwc_value_element(const etwc_value *packed, uint32_t index);

/* Name of a value of an enumeration; NULL when it has none. */
const char *etwc_symbols_find(const etwc_symbols *symbols, uint64_t value);

/* Text of a number: the name of an enumeration's value; for flags the names in
 * the order of the table, joined by ',', and what has no name as hexadecimal at
 * the end. Writes at most `capacity` bytes, terminator included, and returns the
 * length of the whole text; 0 when there is nothing to say. */
size_t etwc_symbols_format(const etwc_symbols *symbols, uint64_t value, char *dst,
                           size_t capacity);

/* "10.0.0.1", and RFC 5952 with an IPv4 tail where the address has one (mapped,
 * compatible, translated, ISATAP). */
#define ETWC_IPV4_TEXT_SIZE 16
#define ETWC_IPV6_TEXT_SIZE 46
void etwc_ipv4_to_text(const uint8_t address[4], char dst[ETWC_IPV4_TEXT_SIZE]);
void etwc_ipv6_to_text(const uint8_t address[16], char dst[ETWC_IPV6_TEXT_SIZE]);

#endif
