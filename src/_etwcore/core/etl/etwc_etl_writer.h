/*
 * Writing .etl files, on any system: for relogging, for the demo, for tests and
 * benchmarks with traces of any size.
 *
 * Events of one processor must be given in time order; processors are free. A
 * writer belongs to one thread at a time.
 */
#ifndef ETWC_ETL_WRITER_H
#define ETWC_ETL_WRITER_H

#include "etwc_etl.h"

typedef struct etwc_etl_writer_options {
    uint32_t buffer_size;    /* bytes, 1 KiB .. 16 MiB, multiple of 1024 */
    uint32_t processors;     /* NumberOfProcessors; events may name higher ones */
    uint32_t log_file_mode;  /* the writer sets COMPRESSED itself */
    uint32_t compression;    /* etwc_compression */
    uint32_t maximum_file_size; /* MB; circular: where it wraps */
    uint32_t clock_type;     /* etwc_clock_type */
    int64_t perf_frequency;
    int64_t start_filetime;
    int64_t start_raw_time;  /* session clock of the header event */
    int64_t boot_filetime;
    uint32_t pointer_size;   /* 4 or 8: of the header event */
    uint32_t timer_resolution;
    uint32_t cpu_mhz;
    uint8_t os_major, os_minor;
    uint32_t os_build;
    int32_t bias_minutes;
    etwc_span session_name;  /* UTF-16LE; borrowed during the call */
    etwc_span log_file_name;
    uint32_t events_lost;    /* what the closed header will say; see set_loss */
    uint32_t buffers_lost;
} etwc_etl_writer_options;

/* The values of a Windows 10 machine with one processor and a QPC of 10 MHz. */
void etwc_etl_writer_defaults(etwc_etl_writer_options *options);

typedef struct etwc_etl_writer etwc_etl_writer;

ETWC_NODISCARD etwc_status etwc_etl_writer_open(const char *path,
                                                const etwc_etl_writer_options *options,
                                                etwc_etl_writer **out, etwc_error *err);
/* Writes one record of the kind that event->kind names, from the event's fields
 * (raw_time, ids, flags' pointer size, extended bytes, payload). Kernel records
 * take group = event->kernel_class and type = event->opcode (image load becomes
 * hook 030A). E_INVALID when the record cannot be expressed or does not fit into
 * a buffer; nothing is written then and the writer stays usable. */
ETWC_NODISCARD etwc_status etwc_etl_writer_write(etwc_etl_writer *writer,
                                                 const etwc_event *event,
                                                 etwc_error *err);
/* Ends the current buffer of every processor, as a flush timer would. */
ETWC_NODISCARD etwc_status etwc_etl_writer_flush(etwc_etl_writer *writer,
                                                 etwc_error *err);
/* Loss that the closed header will report, and the flags of the next buffer. */
void etwc_etl_writer_set_loss(etwc_etl_writer *writer, uint32_t events_lost,
                              uint32_t buffers_lost);
/* Writes what is pending and the final header (EndTime, BuffersWritten, loss).
 * The writer is gone afterwards, also on failure. With end_filetime 0 the header
 * stays as a crashed session leaves it. */
ETWC_NODISCARD etwc_status etwc_etl_writer_close(etwc_etl_writer *writer,
                                                 int64_t end_filetime, etwc_error *err);
/* Drops the writer without finishing the file; accepts NULL. */
void etwc_etl_writer_abandon(etwc_etl_writer *writer);

#endif
