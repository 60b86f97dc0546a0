/*
 * Merging the streams of one file by time (etl-format.md chapter 10).
 *
 * Every stream has one buffer in memory and a window of its records found by
 * one tight walk; a tree of losers picks the stream whose next record is the
 * oldest. A buffer is loaded when its first record is due, not before.
 */
#ifndef ETL_MERGE_H
#define ETL_MERGE_H

#include "etl_stream.h"

typedef struct etl_merge etl_merge;

/* One record in time order. Borrowed until the next call; its image lives until
 * etl_merge_release_retired. */
typedef struct etl_item {
    const etl_ref *ref;
    /* Tells the image, block and processor, which stay the same as long as items
     * are out; its running_thread is the caller's to keep up to date. */
    etl_stream *stream;
} etl_item;

/* Only buffers that can hold records of [start, end) are read; `matcher` leaves
 * out whole processors. The file is borrowed. */
ETWC_NODISCARD etwc_status etl_merge_new(etwc_etl *etl, const etwc_matcher *matcher,
                                         int64_t start_raw, int64_t end_raw,
                                         etl_merge **out, etwc_error *err);
void etl_merge_free(etl_merge *merge); /* accepts NULL */

/* The next records in time order. None with OK after many buffers, or much of
 * them, without a record: call again. END when all is delivered. */
ETWC_NODISCARD etwc_status etl_merge_next(etl_merge *merge, etl_item *items,
                                          size_t capacity, size_t *out_count,
                                          etwc_error *err);
/* Passes over up to about `limit` records and adds their number to *out_count. */
ETWC_NODISCARD etwc_status etl_merge_count(etl_merge *merge, uint64_t limit,
                                           uint64_t *out_count, etwc_error *err);

/* Lets go of the blocks of buffers that are used up. */
void etl_merge_release_retired(etl_merge *merge);
/* True when those hold so much of the pool that letting go of them cannot wait. */
bool etl_merge_is_holding_much(const etl_merge *merge);

/* Damage met in buffers, and bytes of the file that were read. */
const etwc_damage *etl_merge_damage(const etl_merge *merge);
/* Where records of buffers are missing, of those that were read. */
const etl_gap_list *etl_merge_gaps(const etl_merge *merge);
uint64_t etl_merge_position(const etl_merge *merge);

/* Bytes of buffers that were loaded. Few records may take many of them, so that
 * a call that passes over records ends after so many bytes too. */
#define ETL_CALL_BYTES_MAX ((uint64_t)256 << 20)
uint64_t etl_merge_loaded(const etl_merge *merge);

#endif
