/*
 * Interned text: every distinct string is kept once, at an address that stays
 * until the last holder releases the heap. One thread adds; texts that were
 * handed out may be read from any thread.
 */
#ifndef ETWC_STRINGS_H
#define ETWC_STRINGS_H

#include "etwc_span.h"

typedef struct etwc_text_entry {
    uint32_t length; /* in bytes, without the terminator */
    uint32_t hash;
    char bytes[]; /* UTF-8 (WTF-8, see etwc_text.h), terminated */
} etwc_text_entry;

typedef struct etwc_strings etwc_strings;

/* Owned, with one reference; NULL when memory is out. */
ETWC_NODISCARD etwc_strings *etwc_strings_new(void);
void etwc_strings_retain(etwc_strings *strings);
void etwc_strings_release(etwc_strings *strings); /* accepts NULL */

/* The entry for this text, added when it is new; NULL when memory is out. */
ETWC_NODISCARD const etwc_text_entry *
etwc_strings_add(etwc_strings *strings, const char *bytes, size_t length);
/* The same from UTF-16LE, and from 8-bit text in the trace's code page, which
 * nobody knows: bytes above 127 are taken as Latin-1. */
ETWC_NODISCARD const etwc_text_entry *etwc_strings_add_utf16(etwc_strings *strings,
                                                             etwc_span text);
ETWC_NODISCARD const etwc_text_entry *etwc_strings_add_latin1(etwc_strings *strings,
                                                              etwc_span text);
/* Bytes of memory in use. */
size_t etwc_strings_size(const etwc_strings *strings);

#endif
