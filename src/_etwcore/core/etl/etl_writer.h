/* What the files of the writer share. */
#ifndef ETL_WRITER_H
#define ETL_WRITER_H

#include "etl_format.h"
#include "etwc_etl_writer.h"
#include "etwc_os.h"

#define ETL_WRITER_WHERE "etl.writer"

/* The buffer that one processor fills. */
typedef struct etl_writer_stream {
    uint8_t *bytes;   /* buffer_size bytes; NULL until the first event */
    uint32_t used;    /* end of the records, header included; 0: nothing pending */
    uint16_t flags;   /* loss flags for its current or next buffer */
    int64_t sequence; /* of the pending buffer */
} etl_writer_stream;

struct etwc_etl_writer {
    etwc_os_file *file;
    etwc_etl_writer_options options; /* its spans are not kept */
    etwc_clock clock;
    bool is_legacy; /* buffers as before Windows 8 */
    bool is_relog;

    uint8_t *header; /* the header buffer up to the end of its records */
    uint32_t header_used;
    uint32_t header_stride; /* its BufferSize */

    etl_writer_stream *streams; /* by processor */
    size_t stream_capacity;
    size_t live_streams; /* those that have memory */
    size_t live_limit;
    size_t steal_hand;   /* where the search for a stream to share goes on */
    uint16_t next_flags; /* loss flags for whichever buffer is written next */

    uint8_t *packed; /* compression: a buffer header and the packed bytes */
    size_t packed_capacity;
    struct etl_compress_work *packing;

    uint64_t next_offset; /* in the file; wraps in a circular one */
    uint64_t file_bytes;
    uint64_t wrap_at; /* circular: first offset that is not used, else 0 */
    uint64_t buffers_in_file;
    uint64_t buffers;
    uint64_t events;
    int64_t next_sequence;
    int64_t last_raw_time;
};

/* ---- etl_writer_header.c ------------------------------------------------------ */

ETWC_NODISCARD etwc_status etl_writer_check_options(const etwc_etl_writer_options *o,
                                                    etwc_error *err);
bool etl_writer_is_legacy(const etwc_etl_writer_options *o);
/* Builds writer->header from the options: the state of a running session. */
ETWC_NODISCARD etwc_status etl_writer_make_header(etwc_etl_writer *writer,
                                                  const etwc_etl_writer_options *o,
                                                  etwc_error *err);
/* Fills in what is known at the end. */
void etl_writer_finish_header(etwc_etl_writer *writer, int64_t end_filetime);
/* Puts the header buffer, its filler included, at the start of the file. */
ETWC_NODISCARD etwc_status etl_writer_put_header(etwc_etl_writer *writer,
                                                 etwc_error *err);

/* ---- etl_writer_buffer.c ------------------------------------------------------- */

/* Where a record of `size` bytes may be put: the next free bytes of the
 * processor's buffer. Writes the buffer out first when it is too full. The
 * record counts once etl_writer_commit was called. */
ETWC_NODISCARD etwc_status etl_writer_reserve(etwc_etl_writer *writer,
                                              uint32_t processor, size_t size,
                                              etl_writer_stream **out_stream,
                                              uint8_t **out, etwc_error *err);
/* The stream of a processor that the file can name, made when it is new. */
ETWC_NODISCARD etwc_status etl_writer_stream_of(etwc_etl_writer *writer,
                                                uint32_t processor,
                                                etl_writer_stream **out,
                                                etwc_error *err);
/* Writes the pending buffer of every processor; the last one ends a flush. */
ETWC_NODISCARD etwc_status etl_writer_flush_all(etwc_etl_writer *writer,
                                                etwc_error *err);

/* Takes the memory that compression needs. */
ETWC_NODISCARD etwc_status etl_writer_prepare_packing(etwc_etl_writer *writer,
                                                      etwc_error *err);

/* ---- etl_writer_record.c ------------------------------------------------------- */

/* Size of the record that the event makes, without padding. E_INVALID when it
 * cannot be expressed. */
ETWC_NODISCARD etwc_status etl_record_measure(const etwc_event *event, size_t *out_size,
                                              etwc_error *err);
/* Writes a measured record and its padding. */
void etl_record_put(const etwc_event *event, size_t size, uint8_t *dst);

#endif
