/*
 * Text of a trace: UTF-16LE and 8-bit strings to UTF-8, GUIDs and SIDs.
 *
 * Windows validates none of its strings. A lone surrogate becomes the three
 * bytes that UTF-8 would give it (WTF-8; Python decodes it with
 * "surrogatepass"), so that nothing is lost.
 */
#ifndef ETWC_TEXT_H
#define ETWC_TEXT_H

#include "etwc_span.h"

/* The most bytes that etwc_text_from_utf16 writes for n bytes of input. */
#define ETWC_TEXT_UTF8_MAX(utf16_bytes) (((utf16_bytes) / 2) * 3)

/* Writes UTF-8, not terminated, and returns the number of bytes. dst must have
 * ETWC_TEXT_UTF8_MAX(text.len) bytes; an odd last byte is ignored. */
size_t etwc_text_from_utf16(etwc_span text, char *dst);

/* The way back, host order, not terminated: writes at most len units to dst. False
 * when the bytes are not what etwc_text_from_utf16 writes for any text. */
ETWC_NODISCARD bool etwc_text_to_utf16(const char *text, size_t len, uint16_t *dst,
                                       size_t *out_units);

/* "3d6fa8d1-fe05-11d0-9dda-00c04fd7ba7c": 36 characters and a terminator. */
#define ETWC_GUID_TEXT_SIZE 37
void etwc_guid_to_text(const etwc_guid *guid, char dst[ETWC_GUID_TEXT_SIZE]);
/* Accepts that form, with or without braces, in either case. */
ETWC_NODISCARD bool etwc_guid_from_text(const char *text, size_t len, etwc_guid *out);

/* "S-1-5-21-...": the longest SID has 15 sub-authorities. */
#define ETWC_SID_TEXT_SIZE 192
#define ETWC_SID_MAX_BYTES 68
/* Length in bytes of the SID that sid starts with, 0 when there is none. */
size_t etwc_sid_length(etwc_span sid);
/* False, and dst empty, when sid holds no whole SID. */
bool etwc_sid_to_text(etwc_span sid, char dst[ETWC_SID_TEXT_SIZE]);

#endif
