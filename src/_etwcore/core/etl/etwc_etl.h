/*
 * Reading recorded traces.
 *
 * An etwc_etl is one opened file: validated, indexed, and immutable afterwards,
 * so that any number of cursors on any threads can share it. A cursor is a
 * position in one or several files; it delivers events merged in time order and
 * belongs to one thread at a time.
 *
 * Calls that block on the disk: open, and every cursor call.
 */
#ifndef ETWC_ETL_H
#define ETWC_ETL_H

#include "etwc_block.h"
#include "etwc_clock.h"
#include "etwc_event.h"
#include "etwc_selection.h"
#include "etwc_source.h"

/* ---- What was not as it should be; names as in the format document ---------- */

/* X(name): counters of an undamaged file are all 0. */
#define ETWC_DAMAGE_LIST(X) \
    X(trailing_bytes)       \
    X(zero_buffers)         \
    X(bad_buffers)          \
    X(bytes_skipped)        \
    X(truncated_buffers)    \
    X(truncated_records)    \
    X(bad_offsets)          \
    X(decompress_errors)    \
    X(unknown_buffer_flags) \
    X(skipped_buffers)      \
    X(bad_records)          \
    X(zero_records)         \
    X(filler_records)       \
    X(unknown_records)      \
    X(bad_ext)              \
    X(header_dirty)         \
    X(bad_clock)            \
    X(missing_buffers)      \
    X(out_of_order)

typedef struct etwc_damage {
#define ETWC_DAMAGE_FIELD(name) uint64_t name;
    ETWC_DAMAGE_LIST(ETWC_DAMAGE_FIELD)
#undef ETWC_DAMAGE_FIELD
} etwc_damage;

void etwc_damage_add(etwc_damage *total, const etwc_damage *part);

/* ---- Facts of the header event --------------------------------------------- */

typedef enum etwc_clock_type {
    ETWC_CLOCK_UNKNOWN = 0,
    ETWC_CLOCK_QPC = 1,
    ETWC_CLOCK_SYSTEM_TIME = 2,
    ETWC_CLOCK_CPU_CYCLE = 3
} etwc_clock_type;

/* Bits of log_file_mode that the reader obeys. */
enum {
    ETWC_MODE_CIRCULAR = 0x2,
    ETWC_MODE_NEWFILE = 0x8,
    ETWC_MODE_BUFFERING = 0x400,
    ETWC_MODE_PRIVATE_LOGGER = 0x800,
    ETWC_MODE_RELOG = 0x10000,
    ETWC_MODE_COMPRESSED = 0x04000000
};

typedef enum etwc_compression {
    ETWC_COMPRESSION_NONE = 0,
    ETWC_COMPRESSION_LZNT1 = 2,
    ETWC_COMPRESSION_XPRESS = 3,
    ETWC_COMPRESSION_XPRESS_HUFF = 4
} etwc_compression;

typedef struct etwc_etl_header {
    uint64_t file_bytes;
    uint32_t buffer_size; /* uncompressed capacity, bytes */
    uint8_t os_major, os_minor;
    uint8_t layout_major, layout_minor;
    uint32_t os_build; /* ProviderVersion */
    uint32_t processors;
    uint32_t timer_resolution; /* 100 ns; unit of kernel_ticks and user_ticks */
    uint32_t maximum_file_size;
    uint32_t log_file_mode;
    uint32_t buffers_written;
    uint32_t start_buffers;
    uint32_t pointer_size;
    uint32_t events_lost; /* not final when the header was never closed */
    uint32_t buffers_lost;
    uint32_t cpu_mhz;
    uint32_t clock_type;  /* etwc_clock_type, the value on disk */
    uint32_t compression; /* etwc_compression; the value on disk for others */
    int32_t bias_minutes; /* UTC = local time + bias */
    bool is_header_64bit;
    bool is_closed; /* false: session was running or crashed; loss is unknown */
    int64_t start_filetime;
    int64_t end_filetime; /* 0 when not closed */
    int64_t boot_filetime;
    int64_t perf_frequency;
    int64_t header_raw_time;
    uint32_t header_process_id, header_thread_id;
    etwc_span session_name;  /* UTF-16LE; borrowed from the etwc_etl */
    etwc_span log_file_name; /* likewise */
    etwc_span time_zone_standard;
    etwc_span time_zone_daylight;
} etwc_etl_header;

/* Counts from the 72-byte buffer headers. */
typedef struct etwc_etl_buffers {
    uint64_t count; /* header buffer included */
    uint64_t compressed;
    uint64_t proc_index_flag;
    uint64_t flush_marker;
    uint64_t events_lost_flag; /* buffers during which events were lost */
    uint64_t buffer_lost_flag;
    int64_t first_sequence; /* over data buffers; -1 when there are none */
    int64_t last_sequence;
    int64_t first_lost_raw_time; /* stamp of the first flagged buffer, or 0 */
    uint32_t streams;            /* header stream included */
} etwc_etl_buffers;

/* ---- One file ---------------------------------------------------------------- */

typedef struct etwc_etl etwc_etl;

/* Asked now and then while a large file is indexed: anything but OK ends that with
 * the same status. Runs on the thread of the caller, who may look at signals. */
typedef struct etwc_pause {
    etwc_status (*look)(void *context, etwc_error *err);
    void *context; /* borrowed */
} etwc_pause;

/* Opens, validates and indexes a trace. *source is moved in every case; `pause` may
 * be NULL.
 * What grows with the file or with its buffers is taken from the pool, which is
 * retained; some 100 KB are not. E_NOT_TRACE
 * when the content is not a trace, with what is wrong in the detail. */
ETWC_NODISCARD etwc_status etwc_etl_open(etwc_source *source, etwc_pool *pool,
                                         const etwc_pause *pause, etwc_etl **out,
                                         etwc_error *err);
void etwc_etl_retain(etwc_etl *etl);
void etwc_etl_release(etwc_etl *etl); /* accepts NULL; closes with the last */

const etwc_etl_header *etwc_etl_get_header(const etwc_etl *etl);
const etwc_etl_buffers *etwc_etl_get_buffers(const etwc_etl *etl);
const etwc_clock *etwc_etl_get_clock(const etwc_etl *etl);
/* Damage that the index alone shows; cursors add what they meet inside. */
const etwc_damage *etwc_etl_get_index_damage(const etwc_etl *etl);

/* ---- A position --------------------------------------------------------------- */

typedef struct etwc_cursor etwc_cursor;

/* A cursor before the first event of `count` files (all retained). Several
 * files are merged by wall-clock time; ties go to the earlier file. `selection`
 * may be NULL and is copied. */
ETWC_NODISCARD etwc_status etwc_cursor_open(etwc_etl *const *files, size_t count,
                                            const etwc_selection *selection,
                                            etwc_cursor **out, etwc_error *err);
void etwc_cursor_close(etwc_cursor *cursor); /* accepts NULL */

/* Fills up to `capacity` views with the next selected events. END when there is
 * none left. A failure (E_TRUNCATED, E_LIMIT, E_IO, ...) is reported once,
 * after everything before it was delivered; END follows. The views borrow from
 * their blocks until the next call; retain event->block to keep one longer.
 * Work between two returns is bounded (see `etwc_cursor_set_budget`): *out_count
 * may be 0 with OK, then call again. */
ETWC_NODISCARD etwc_status etwc_cursor_next(etwc_cursor *cursor, etwc_event *events,
                                            size_t capacity, size_t *out_count,
                                            etwc_error *err);
/* Counts on to the end of the selection without building views for the caller.
 * Same results, same budget: *out_count is added to; OK means call again. */
ETWC_NODISCARD etwc_status etwc_cursor_count(etwc_cursor *cursor, uint64_t *out_count,
                                             etwc_error *err);
/* How many records may be passed over in one call before it returns with OK so
 * that the caller can look for signals. Default: one million. A call also returns
 * after some 256 MiB of buffers, which a few records may take. */
void etwc_cursor_set_budget(etwc_cursor *cursor, uint64_t records);

/* Damage met by this cursor so far, the index's included. Complete once END was
 * returned and the selection leaves out no time and no processor, for their buffers
 * need not be read. */
void etwc_cursor_get_damage(const etwc_cursor *cursor, etwc_damage *out);
/* The times in which events of the cursor's files may be missing. Complete when the
 * damage is.
 *
 * By the loss flags of buffers: events that were lost while a buffer was current may
 * belong between any two of its records, and to both of its edges, so a gap reaches
 * from the first record of the buffer before to that of the buffer after. By buffers
 * that cannot be read: between their neighbours, for every processor where nothing
 * says whose they were. By records that end a buffer early: up to the next buffer.
 *
 * Not *out_is_located: more is missing than that, and nobody knows where. *out is
 * owned (etwc_free), and NULL when there are none. */
ETWC_NODISCARD etwc_status etwc_cursor_find_gaps(const etwc_cursor *cursor,
                                                 etwc_gap **out, size_t *out_count,
                                                 bool *out_is_located, etwc_error *err);
/* Bytes of the files that the cursor has passed, for progress. */
uint64_t etwc_cursor_get_position(const etwc_cursor *cursor);

#endif
