/*
 * One opened trace file inside the reader: header facts, and the index of its
 * buffers by stream.
 */
#ifndef ETL_FILE_H
#define ETL_FILE_H

#include "etl_gaps.h"
#include "etl_record.h"
#include "etwc_atomic.h"
#include "etwc_etl.h"

enum {
    ETL_ENTRY_COMPRESSED = 1,
    ETL_ENTRY_TRUNCATED = 2,     /* the file ends before the data does */
    ETL_ENTRY_END_UNTRUSTED = 4, /* no offset said where the data ends */
    ETL_ENTRY_HAS_TIME = 8,      /* first_raw_time is known */
    ETL_ENTRY_EVENTS_LOST = 16,  /* the loss flags of the buffer header */
    ETL_ENTRY_BUFFER_LOST = 32
};

/* One buffer. Kept small: the index is all that grows with the file. */
typedef struct etl_entry {
    uint64_t offset;        /* of the buffer header in the file */
    int64_t first_raw_time; /* of the first record, INT64_MIN when not known */
    uint32_t read_bytes;    /* what to read: buffer header and data */
    uint32_t flags;         /* ETL_ENTRY_* */
} etl_entry;

/* The buffers of one processor, or the header buffers, in delivery order. */
typedef struct etl_index_stream {
    uint32_t processor;
    bool is_time_ordered; /* every first_raw_time is known and none goes back */
    etl_entry *entries;   /* owned */
    size_t count, capacity;
    int64_t *sequences; /* owned; only where buffers are ordered by them */
    size_t sequence_capacity;
} etl_index_stream;

/* One or more buffers that were stepped over, with none between them. */
typedef struct etl_hole {
    uint64_t offset; /* of the first, in the file */
    uint32_t buffers;
    bool is_empty;       /* zeros: as a rule nothing was ever there */
    uint64_t bad_before; /* holes before it that are not */
} etl_hole;

typedef struct etl_index {
    etl_index_stream *streams; /* owned; the header's first, then by processor */
    size_t count, capacity;
    etl_hole *holes; /* owned; in the order of the file */
    size_t hole_count, hole_capacity;
    uint64_t charged_bytes;
} etl_index;

struct etwc_etl {
    etwc_atomic_size references;
    etwc_source source;
    etwc_pool *pool;
    etwc_etl_header header;
    etwc_etl_buffers buffers;
    etwc_clock clock;
    etwc_damage index_damage;
    etl_index index;
    etl_record_context record_context;
    uint32_t step_bytes;   /* how far to go past a buffer without a size */
    uint8_t *header_bytes; /* owned; header buffer up to the end of its event */
    size_t header_byte_count;
};

/* Reads and checks the header buffer (etl_open.c). */
ETWC_NODISCARD etwc_status etl_file_read_header(etwc_etl *etl, etwc_error *err);
/* Finds every buffer (etl_index.c). `pause` may be NULL. */
ETWC_NODISCARD etwc_status etl_index_build(etwc_etl *etl, const etwc_pause *pause,
                                           etwc_error *err);
void etl_index_reset(etwc_etl *etl);
/* Adds what the index and the header tell (etl_gaps.c). */
ETWC_NODISCARD etwc_status etl_file_find_gaps(const etwc_etl *etl, etl_gap_list *list,
                                              etwc_error *err);

/* A buffer in memory: the image that records are walked in. */
typedef struct etl_buffer {
    etwc_block *block; /* owned; NULL when the buffer had to be dropped */
    uint16_t processor, logger_id;
} etl_buffer;

/* Memory for compressed input, one per cursor and file. */
typedef struct etl_scratch {
    uint8_t *bytes; /* owned */
    size_t capacity;
} etl_scratch;

/* Processor number of a buffer, from its 72-byte header. */
uint16_t etl_buffer_processor(const uint8_t *header);

/* Loads a buffer and sets *records to its first record (etl_buffer.c); the
 * stream's state in *records (last_raw_time) is kept. A buffer that cannot be
 * decompressed is counted, and *out has no block. */
ETWC_NODISCARD etwc_status etl_buffer_load(const etwc_etl *etl, const etl_entry *entry,
                                           etl_scratch *scratch, etl_buffer *out,
                                           etl_records *records, etwc_damage *damage,
                                           etwc_error *err);
void etl_scratch_reset(const etwc_etl *etl, etl_scratch *scratch);

/* Decompresses with the format of the file; see etl_decompress.h. */
ETWC_NODISCARD etwc_status etl_buffer_decompress(const etwc_etl *etl, etwc_span in,
                                                 uint8_t *dst, size_t capacity,
                                                 size_t *out_size);

#endif
