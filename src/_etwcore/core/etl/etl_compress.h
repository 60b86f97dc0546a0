/*
 * Encoders of the three compression formats of trace buffers, for the writer.
 * They look for matches greedily over hash chains: simple, and close to what
 * Windows itself reaches on trace data.
 */
#ifndef ETL_COMPRESS_H
#define ETL_COMPRESS_H

#include "etwc_span.h"
#include "etwc_status.h"

#define ETL_COMPRESS_MAX_INPUT ((size_t)16 << 20)
#define ETL_COMPRESS_WINDOW 65536U /* positions that the chains remember */
#define ETL_COMPRESS_HASHES 16384U

/* Work memory of an encoder, 576 KB. The caller allocates it once and may use it
 * for any number of calls, one at a time; it needs no initialisation. */
typedef struct etl_compress_work {
    uint32_t newest[ETL_COMPRESS_HASHES]; /* last position of a hash, plus 1 */
    uint32_t older[ETL_COMPRESS_WINDOW];  /* by position: the one before, plus 1 */
    uint32_t items[ETL_COMPRESS_WINDOW];  /* XPRESS-HUFF: the items of a block */
} etl_compress_work;

/* Encode `in` into dst[0..capacity). Deterministic.
 *   OK           *out_size bytes were written
 *   E_NEED_MORE  they do not fit; dst is undefined
 *   E_INVALID    `in` is longer than ETL_COMPRESS_MAX_INPUT
 * An encoding is longer than its input when there is nothing to gain. */
ETWC_NODISCARD etwc_status etl_compress_xpress(etwc_span in, uint8_t *dst,
                                               size_t capacity, etl_compress_work *work,
                                               size_t *out_size);
ETWC_NODISCARD etwc_status etl_compress_lznt1(etwc_span in, uint8_t *dst,
                                              size_t capacity, etl_compress_work *work,
                                              size_t *out_size);
ETWC_NODISCARD etwc_status etl_compress_xpress_huff(etwc_span in, uint8_t *dst,
                                                    size_t capacity,
                                                    etl_compress_work *work,
                                                    size_t *out_size);

#endif
