/*
 * The three compression formats of trace buffers. Each decoder is bounded by
 * its two spans, needs no memory but its stack, and can be given any input.
 */
#ifndef ETL_DECOMPRESS_H
#define ETL_DECOMPRESS_H

#include "etwc_span.h"
#include "etwc_status.h"

/* Decode `in` into dst[0..capacity). *out_size is the number of bytes that were
 * produced, and is set in every case.
 *   OK           the input was used up and the output is whole
 *   E_NEED_MORE  the input ended early; dst holds the prefix that it gives
 *   E_CORRUPT    the input breaks the format, or wants more than capacity
 * Whether *out_size is the wanted size is for the caller to check. LZNT1 and
 * XPRESS-HUFF may stop before the end of the input (end mark, output full).
 * XPRESS-HUFF ends by its output alone, for its end mark is a match as well: give
 * it the exact size as capacity. */
ETWC_NODISCARD etwc_status etl_decompress_xpress(etwc_span in, uint8_t *dst,
                                                 size_t capacity, size_t *out_size);
ETWC_NODISCARD etwc_status etl_decompress_lznt1(etwc_span in, uint8_t *dst,
                                                size_t capacity, size_t *out_size);
ETWC_NODISCARD etwc_status etl_decompress_xpress_huff(etwc_span in, uint8_t *dst,
                                                      size_t capacity,
                                                      size_t *out_size);

#endif
