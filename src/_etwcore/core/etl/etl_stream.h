/*
 * The records of one stream (one processor, or the header buffers) in delivery
 * order, a window at a time.
 */
#ifndef ETL_STREAM_H
#define ETL_STREAM_H

#include "etl_file.h"

/* Records per window: few enough that the windows of many processors stay in
 * the first-level cache, enough to pay for the change of loops. */
enum { ETL_WINDOW_RECORDS = 256 };

/* What the streams of one merge share. */
typedef struct etl_stream_set {
    etwc_etl *etl; /* borrowed */
    etl_scratch scratch;
    etwc_block **retired; /* owned references: buffers that are used up */
    size_t retired_count, retired_capacity;
    uint64_t retired_bytes;
    etwc_damage damage;
    etl_gap_list gaps;      /* of buffers whose records could not all be read */
    uint64_t position;      /* bytes of the file that were loaded */
    uint64_t loaded_bytes;  /* and of the images that these became */
    uint64_t charged_bytes; /* of windows */
} etl_stream_set;

typedef struct etl_stream {
    const etl_index_stream *index;
    size_t next_entry, end_entry; /* buffers that are still to be loaded */
    etl_ref *refs;                /* owned window; NULL before the first buffer */
    size_t count;                 /* records in the window */
    etl_records records;          /* walk through the loaded buffer */
    etl_buffer buffer;
    bool is_buffer_seen;     /* records of it were in the window */
    uint32_t running_thread; /* by the last switch that the caller has seen */
} etl_stream;

/* A stream before its first record; buffers that cannot hold a record of
 * [start, end) are left out. */
void etl_stream_init(etl_stream *stream, const etwc_etl *etl,
                     const etl_index_stream *index, int64_t start_raw, int64_t end_raw);
void etl_stream_reset(etl_stream *stream);

/* Fills the window with the next records: of the loaded buffer, or of the next
 * buffer that has any. The window is empty when the stream has ended, or after so
 * many buffers without a record that the caller may want to look around;
 * etl_stream_due tells which. On failure nothing has moved, so that the same call
 * fails again. */
ETWC_NODISCARD etwc_status etl_stream_refill(etl_stream_set *set, etl_stream *stream,
                                             etwc_error *err);
/* When the record after the window is due at the earliest; false when there is
 * certainly none. */
ETWC_NODISCARD bool etl_stream_due(const etl_stream *stream, int64_t *out_raw_time);

/* Lets go of the buffers that are used up. */
void etl_stream_set_release_retired(etl_stream_set *set);
void etl_stream_set_reset(etl_stream_set *set);

#endif
