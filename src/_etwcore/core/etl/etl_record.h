/*
 * Records: telling the kinds of trace headers apart, and walking the records of one
 * buffer image.
 */
#ifndef ETL_RECORD_H
#define ETL_RECORD_H

#include "etwc_etl.h"

/* One record of a buffer image, found by etl_records_scan and so known to be
 * whole. Kept small: merging moves nothing else. */
typedef struct etl_ref {
    int64_t raw_time;
    uint32_t offset; /* from the image start */
    uint16_t size;   /* without the trailing pad */
    uint8_t shape;   /* index into etl_shapes */
    bool is_cswitch; /* a switch under a classic header; others say it themselves */
} etl_ref;

/* The walk over the records of one image. */
typedef struct etl_records {
    const uint8_t *image;       /* borrowed: buffer header and records */
    size_t position;            /* of the next record */
    size_t end;                 /* of the data */
    int64_t last_raw_time;      /* of the stream so far; INT64_MIN: none yet */
    int64_t first_message_time; /* for messages before any stamp */
    bool is_end_trusted;        /* the header said where the data ends */
    bool is_truncated;          /* the file ends inside this buffer */
    bool has_old_instance;      /* INSTANCE headers of 56 bytes (layout < 1.1) */
} etl_records;

/* Finds up to `capacity` further records; 0 at the end of the image. What is
 * not as it should be is counted in *damage. */
size_t etl_records_scan(etl_records *records, etl_ref *refs, size_t capacity,
                        etwc_damage *damage);

/* The stamp of the record that `bytes` starts with, of which 40 are enough; false
 * when it has none or is no record. */
ETWC_NODISCARD bool etl_record_peek_time(etwc_span bytes, int64_t *out);

/* What a view needs beyond the record. */
typedef struct etl_record_context {
    uint32_t pointer_size; /* of the file: for messages that do not say */
    bool is_private;       /* private logger session */
    bool has_old_instance;
} etl_record_context;

#endif
