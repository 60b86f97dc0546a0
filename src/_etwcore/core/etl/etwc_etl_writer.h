/*
 * Writing .etl files, on any system: for relogging, for the demo, for tests and
 * benchmarks with traces of any size.
 *
 * The file is what a Windows session would have left: every processor fills
 * buffers of its own, a buffer takes its sequence number when its first event
 * arrives and goes to the file when the next one does not fit. Until it is
 * closed, the file is a valid trace of a session that never ended.
 *
 * Events of one processor should come in time order and processors are free; a
 * record that is older than its predecessor is written where it stands. A
 * writer belongs to one thread at a time. Calls that block on the disk: open,
 * flush, close, and a write that finds its buffer full.
 */
#ifndef ETWC_ETL_WRITER_H
#define ETWC_ETL_WRITER_H

#include "etwc_etl.h"

/* Size is a 16-bit number: header, extended items and payload together. */
#define ETWC_RECORD_MAX_BYTES 65535u

#define ETWC_WRITER_ANY_PROCESSOR UINT32_C(0xFFFFFFFF)
/* For etwc_etl_writer_close: the session ended with its last event. */
#define ETWC_WRITER_END_AT_LAST_EVENT INT64_C(-1)

typedef struct etwc_etl_writer_options {
    uint32_t buffer_size;   /* bytes, 1 KiB .. 16 MiB, multiple of 1024 */
    uint32_t processors;    /* NumberOfProcessors; events may name higher ones */
    uint32_t log_file_mode; /* the writer sets COMPRESSED itself */
    uint32_t compression;   /* etwc_compression */
    /* MB, or KB with mode bit 0x2000. Where a circular file wraps; in other modes
     * it is only noted in the header. */
    uint32_t maximum_file_size;
    uint32_t clock_type; /* etwc_clock_type, not UNKNOWN */
    int64_t perf_frequency;
    int64_t start_filetime;
    int64_t start_raw_time; /* session clock of the header event */
    int64_t boot_filetime;
    int64_t first_sequence; /* of the first data buffer: 1, or more to continue
                                the numbers of a NEWFILE set */
    uint32_t pointer_size;  /* 4 or 8: of the header event */
    uint32_t timer_resolution;
    uint32_t cpu_mhz;
    /* 6.0 (Vista) or later. Before 6.2 the buffers have the older form: 8-bit
     * processor numbers, no compression, at most 1 MiB. */
    uint8_t os_major, os_minor;
    uint16_t logger_id; /* written as 0 in RELOG mode, as reloggers do */
    uint32_t os_build;
    int32_t bias_minutes;
    uint32_t header_process_id, header_thread_id; /* of the header event */
    etwc_span session_name; /* UTF-16LE; borrowed during the call */
    etwc_span log_file_name;
    etwc_span time_zone_standard; /* at most 32 characters */
    etwc_span time_zone_daylight;
    uint32_t events_lost; /* what the closed header will say; see set_loss */
    uint32_t buffers_lost;
    bool has_header_extension; /* as kernel sessions have it: the masks below */
    uint32_t group_mask[8];
    uint32_t kernel_event_version;
} etwc_etl_writer_options;

typedef struct etwc_etl_writer_progress {
    uint64_t events;       /* records accepted, the header event not counted */
    uint64_t buffers;      /* written to the file so far, overwritten ones and
                               the header buffer included */
    uint64_t file_bytes;   /* size of the file so far */
    int64_t next_sequence; /* first_sequence for the next file of a set */
    int64_t last_raw_time; /* the latest stamp; start_raw_time before any event */
} etwc_etl_writer_progress;

/* The values of a Windows 10 machine with one processor and a QPC of 10 MHz
 * that was booted an hour before the trace. */
void etwc_etl_writer_defaults(etwc_etl_writer_options *options);

typedef struct etwc_etl_writer etwc_etl_writer;

/* Creates or truncates the file. E_INVALID, before the file is touched, when the
 * options contradict each other. Memory: one buffer per processor that has
 * events, and at most 256 MiB (then the processors share). */
ETWC_NODISCARD etwc_status etwc_etl_writer_open(const char *path,
                                                const etwc_etl_writer_options *options,
                                                etwc_etl_writer **out, etwc_error *err);
/* Writes one record of the kind that event->kind names. What the kind has a
 * field for is taken from the event (raw_time, ids, pointer_size, extended bytes,
 * payload, ...), everything else in it is ignored. Kernel records take
 * event->kernel_group, known or not, and type = event->opcode. An EVENT keeps the flags STRING_ONLY and DECODE_GUID. A
 * MESSAGE gets a timestamp, its GUID unless that is zero, and thread and process
 * id unless both are ETWC_NO_ID. In NO_PER_PROCESSOR_BUFFERING mode the
 * processor is not kept.
 * E_INVALID when the record cannot be expressed or does not fit into a buffer,
 * E_IO when a full buffer could not be written: nothing of the record is written
 * then, and the writer stays usable. */
ETWC_NODISCARD etwc_status etwc_etl_writer_write(etwc_etl_writer *writer,
                                                 const etwc_event *event,
                                                 etwc_error *err);
/* True when writing this event would write a buffer to the disk first. */
bool etwc_etl_writer_would_block(const etwc_etl_writer *writer,
                                 const etwc_event *event);
/* Ends the current buffer of every processor, as a flush timer would. */
ETWC_NODISCARD etwc_status etwc_etl_writer_flush(etwc_etl_writer *writer,
                                                 etwc_error *err);
/* The totals that the closed header will report. A total that rises also marks
 * the processor's current buffer, or its next one: "events were lost while it
 * was filled" and "a buffer before it was lost". ETWC_WRITER_ANY_PROCESSOR marks
 * the next buffer that goes to the file. E_INVALID for a processor that the
 * file cannot name. */
ETWC_NODISCARD etwc_status etwc_etl_writer_set_loss(etwc_etl_writer *writer,
                                                    uint32_t processor,
                                                    uint32_t events_lost,
                                                    uint32_t buffers_lost,
                                                    etwc_error *err);
void etwc_etl_writer_get_progress(const etwc_etl_writer *writer,
                                  etwc_etl_writer_progress *out);
/* Writes what is pending and the final header (EndTime, BuffersWritten, loss).
 * The writer is gone afterwards, also on failure. With end_filetime 0 the header
 * stays as a crashed session leaves it. */
ETWC_NODISCARD etwc_status etwc_etl_writer_close(etwc_etl_writer *writer,
                                                 int64_t end_filetime, etwc_error *err);
/* Drops the writer without finishing the file; accepts NULL. */
void etwc_etl_writer_abandon(etwc_etl_writer *writer);

/* ---- Building the extended items of an event ------------------------------------ */

/* Appends one item to a list of `size` bytes in dst and links it to the one
 * before, whose start is *last (SIZE_MAX for the first item; updated). Returns
 * the new size, or 0 when the item does not fit into the capacity or is longer
 * than an item can be. */
ETWC_NODISCARD size_t etwc_extended_append(uint8_t *dst, size_t capacity, size_t size,
                                           size_t *last, uint16_t type, etwc_span data);

#endif
