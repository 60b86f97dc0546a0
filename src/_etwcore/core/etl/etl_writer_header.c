/* The header buffer: options to the header event and its companion. */
#include "etl_writer.h"

#include "etwc_alloc.h"

/* What Windows gives its own sessions. */
enum {
    HEADER_RECORD_VERSION = 2,
    OS_WINDOWS_8 = 0x0602, /* major << 8 | minor */
    OS_VISTA = 0x0600,
    LAYOUT1_MAX_PROCESSORS = 256,
    MAX_PROCESSORS = 65536
};

static etwc_status
refuse(etwc_error *err, const char *what)
{
    return etwc_fail_at(err, ETWC_E_INVALID, ETL_WRITER_WHERE, -1, "%s", what);
}

void
etwc_etl_writer_defaults(etwc_etl_writer_options *options)
{
    const int64_t qpc_hz = 10000000;
    const int64_t uptime_100ns = 3600 * ETWC_100NS_PER_SECOND;
    const int64_t start = INT64_C(133485408000000000); /* 2024-01-01 00:00 UTC */
    *options = (etwc_etl_writer_options){
        .buffer_size = 64 * 1024,
        .processors = 1,
        .compression = ETWC_COMPRESSION_NONE,
        .clock_type = ETWC_CLOCK_QPC,
        .perf_frequency = qpc_hz,
        .start_filetime = start,
        .start_raw_time = uptime_100ns,
        .boot_filetime = start - uptime_100ns,
        .first_sequence = 1,
        .pointer_size = 8,
        .timer_resolution = 156250,
        .cpu_mhz = 3000,
        .os_major = 10,
        .os_minor = 0,
        .os_build = 19045,
        .header_process_id = 4,
        .header_thread_id = 8,
    };
}

/* ---- Checks -------------------------------------------------------------------- */

static unsigned
os_version(const etwc_etl_writer_options *o)
{
    return (unsigned)o->os_major << 8 | o->os_minor;
}

bool
etl_writer_is_legacy(const etwc_etl_writer_options *o)
{
    return os_version(o) < OS_WINDOWS_8;
}

static bool
is_compressed(const etwc_etl_writer_options *o)
{
    return o->compression != ETWC_COMPRESSION_NONE;
}

static uint64_t
maximum_bytes(const etwc_etl_writer_options *o)
{
    unsigned shift = o->log_file_mode & ETL_MODE_USE_KBYTES ? 10 : 20;
    return (uint64_t)o->maximum_file_size << shift;
}

static etwc_status
check_sizes(const etwc_etl_writer_options *o, etwc_error *err)
{
    if (o->buffer_size < ETL_BUFFER_MIN_BYTES ||
        o->buffer_size > ETL_BUFFER_MAX_BYTES || o->buffer_size % 1024 != 0)
        return refuse(err, "the buffer size must be 1 KiB to 16 MiB, in whole KiB");
    if (o->processors < 1 || o->processors > MAX_PROCESSORS)
        return refuse(err, "the number of processors must be 1 to 65536");
    if (o->pointer_size != 4 && o->pointer_size != 8)
        return refuse(err, "the pointer size must be 4 or 8");
    if (o->compression != ETWC_COMPRESSION_NONE &&
        o->compression != ETWC_COMPRESSION_LZNT1 &&
        o->compression != ETWC_COMPRESSION_XPRESS &&
        o->compression != ETWC_COMPRESSION_XPRESS_HUFF)
        return refuse(err, "not a compression format");
    if (o->first_sequence < 1)
        return refuse(err, "sequence numbers start at 1");
    /* A session that appends goes on with the clock, the sequence numbers and the
     * buffer size of a file that is there; this writer always makes a new one. */
    if (o->log_file_mode & ETL_MODE_APPEND)
        return refuse(err, "appending (mode 0x4) is not supported: a new file is "
                           "written");
    if (o->log_file_mode & ETL_MODE_COMPRESSED && !is_compressed(o))
        return refuse(err, "the mode of compressed files needs a compression");
    if (o->log_file_mode & ETL_MODE_CIRCULAR && is_compressed(o))
        return refuse(err, "a circular file cannot be compressed");
    if (o->log_file_mode & ETL_MODE_CIRCULAR &&
        maximum_bytes(o) < 2 * (uint64_t)o->buffer_size)
        return refuse(err, "a circular file needs a maximum size of two buffers or "
                           "more");
    if (o->log_file_mode & ETL_MODE_NO_PER_PROCESSOR && o->processors != 1)
        return refuse(err, "without per-processor buffers the number of processors is "
                           "1");
    return ETWC_OK;
}

static etwc_status
check_version(const etwc_etl_writer_options *o, etwc_error *err)
{
    if (os_version(o) < OS_VISTA)
        return refuse(err, "the file format begins with Windows 6.0 (Vista)");
    if (!etl_writer_is_legacy(o))
        return ETWC_OK;
    if (is_compressed(o) || o->buffer_size > ETL_BUFFER_LAYOUT1_MAX_BYTES ||
        o->processors > LAYOUT1_MAX_PROCESSORS)
        return refuse(err, "compression, buffers above 1 MiB and more than 256 "
                           "processors need Windows 6.2 or later");
    return ETWC_OK;
}

static etwc_status
check_clock(const etwc_etl_writer_options *o, etwc_error *err)
{
    switch (o->clock_type) {
    case ETWC_CLOCK_QPC:
        if (o->perf_frequency <= 0)
            return refuse(err, "the QPC clock needs a frequency");
        return ETWC_OK;
    case ETWC_CLOCK_SYSTEM_TIME:
        if (o->start_raw_time != o->start_filetime)
            return refuse(err, "with the system clock the raw start is the start time");
        return ETWC_OK;
    case ETWC_CLOCK_CPU_CYCLE:
        if (o->cpu_mhz == 0)
            return refuse(err, "the CPU clock needs the speed of the processor");
        return ETWC_OK;
    default:
        return refuse(err, "the clock is one of QPC, system time and CPU cycles");
    }
}

/* Strings are found again by their terminator. */
static bool
is_text(etwc_span text)
{
    for (size_t i = 0; i + 2 <= text.len; i += 2)
        if (etwc_load_u16(text.ptr + i) == 0)
            return false;
    return text.len % 2 == 0;
}

static etwc_status
check_text(const etwc_etl_writer_options *o, etwc_error *err)
{
    if (!is_text(o->session_name) || !is_text(o->log_file_name) ||
        !is_text(o->time_zone_standard) || !is_text(o->time_zone_daylight))
        return refuse(err, "names are UTF-16 without a zero inside");
    if (o->time_zone_standard.len > ETL_TIME_ZONE_NAME_BYTES ||
        o->time_zone_daylight.len > ETL_TIME_ZONE_NAME_BYTES)
        return refuse(err, "the name of a time zone has at most 32 characters");
    return ETWC_OK;
}

etwc_status
etl_writer_check_options(const etwc_etl_writer_options *o, etwc_error *err)
{
    etwc_status st = check_sizes(o, err);
    if (st == ETWC_OK)
        st = check_version(o, err);
    if (st == ETWC_OK)
        st = check_clock(o, err);
    if (st == ETWC_OK)
        st = check_text(o, err);
    return st;
}

/* ---- Bytes ---------------------------------------------------------------------- */

static void
put_text(uint8_t *dst, etwc_span text)
{
    if (text.len != 0)
        memcpy(dst, text.ptr, text.len);
}

/* The header event's payload; dst is zeroed. */
static void
put_payload(const etwc_etl_writer_options *o, uint8_t *dst)
{
    bool is_wide = o->pointer_size == 8;
    bool is_layout2 = is_compressed(o) ||
                      o->buffer_size > ETL_BUFFER_LAYOUT1_MAX_BYTES ||
                      o->processors > LAYOUT1_MAX_PROCESSORS;
    uint8_t layout1_minor = os_version(o) == OS_VISTA ? 4 : 5;
    uint32_t mode = o->log_file_mode & ~ETL_MODE_COMPRESSED;
    if (is_compressed(o))
        mode |= ETL_MODE_COMPRESSED;

    etwc_store_u32(dst + ETL_HEADER_BUFFER_SIZE, o->buffer_size);
    dst[ETL_HEADER_OS_MAJOR] = o->os_major;
    dst[ETL_HEADER_OS_MINOR] = o->os_minor;
    dst[ETL_HEADER_LAYOUT_MAJOR] = is_layout2 ? 2 : 1;
    dst[ETL_HEADER_LAYOUT_MINOR] = is_layout2 ? 0 : layout1_minor;
    etwc_store_u32(dst + ETL_HEADER_OS_BUILD, o->os_build);
    etwc_store_u32(dst + ETL_HEADER_PROCESSORS, o->processors);
    etwc_store_u32(dst + ETL_HEADER_TIMER_RESOLUTION, o->timer_resolution);
    etwc_store_u32(dst + ETL_HEADER_MAXIMUM_FILE_SIZE, o->maximum_file_size);
    etwc_store_u32(dst + ETL_HEADER_LOG_FILE_MODE, mode);
    etwc_store_u32(dst + ETL_HEADER_START_BUFFERS, 1);
    etwc_store_u32(dst + ETL_HEADER_POINTER_SIZE, o->pointer_size);
    etwc_store_u32(dst + ETL_HEADER_CPU_MHZ, o->cpu_mhz);

    uint8_t *zone = dst + (is_wide ? ETL_HEADER64_TIME_ZONE : ETL_HEADER32_TIME_ZONE);
    etwc_store_u32(zone + ETL_TIME_ZONE_BIAS, (uint32_t)o->bias_minutes);
    put_text(zone + ETL_TIME_ZONE_STANDARD_NAME, o->time_zone_standard);
    put_text(zone + ETL_TIME_ZONE_DAYLIGHT_NAME, o->time_zone_daylight);

    /* From BootTime on both forms are alike. */
    uint8_t *tail = dst + (is_wide ? ETL_HEADER64_BOOT_TIME : ETL_HEADER32_BOOT_TIME);
    etwc_store_u64(tail, (uint64_t)o->boot_filetime);
    etwc_store_u64(tail + (ETL_HEADER64_PERF_FREQ - ETL_HEADER64_BOOT_TIME),
                   (uint64_t)o->perf_frequency);
    etwc_store_u64(tail + (ETL_HEADER64_START_TIME - ETL_HEADER64_BOOT_TIME),
                   (uint64_t)o->start_filetime);
    etwc_store_u32(tail + (ETL_HEADER64_RESERVED_FLAGS - ETL_HEADER64_BOOT_TIME),
                   o->clock_type);
    uint8_t *text = tail + (ETL_HEADER64_STRINGS - ETL_HEADER64_BOOT_TIME);
    put_text(text, o->session_name);
    put_text(text + o->session_name.len + 2, o->log_file_name);
}

/* A SYSTEM record of group 0 with the time and ids of the header event. */
static uint8_t *
put_record(const etwc_etl_writer_options *o, unsigned hook, size_t size, uint8_t *dst)
{
    etwc_store_u16(dst + ETL_KERNEL_VERSION, HEADER_RECORD_VERSION);
    dst[ETL_RECORD_TYPE] = o->pointer_size == 8 ? ETL_TYPE_SYSTEM64 : ETL_TYPE_SYSTEM32;
    dst[ETL_RECORD_MARKER] = ETL_MARKER_TRACE;
    etwc_store_u16(dst + ETL_KERNEL_SIZE, (uint16_t)size);
    dst[ETL_KERNEL_OPCODE] = (uint8_t)hook;
    dst[ETL_KERNEL_GROUP] = (uint8_t)(hook >> 8);
    etwc_store_u32(dst + ETL_SYSTEM_THREAD_ID, o->header_thread_id);
    etwc_store_u32(dst + ETL_SYSTEM_PROCESS_ID, o->header_process_id);
    etwc_store_u64(dst + ETL_SYSTEM_TIMESTAMP, (uint64_t)o->start_raw_time);
    return dst + ETL_SYSTEM_BYTES;
}

static void
put_extension(const etwc_etl_writer_options *o, uint8_t *dst)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(o->group_mask); i++)
        etwc_store_u32(dst + 4 * i, o->group_mask[i]);
    etwc_store_u32(dst + 4 * ETWC_ARRAY_SIZE(o->group_mask), o->kernel_event_version);
}

static void
put_buffer_header(const etwc_etl_writer *writer, const etwc_etl_writer_options *o,
                  uint8_t *dst)
{
    unsigned flags = ETL_FLAG_FLUSH_MARKER;
    uint32_t state = is_compressed(o) ? o->compression : ETL_BUFFER_STATE_FLUSH;
    if (writer->is_relog && !is_compressed(o))
        state = 0;
    etwc_store_u32(dst + ETL_BUFFER_BUFFER_SIZE, writer->header_stride);
    etwc_store_u32(dst + ETL_BUFFER_CURRENT_OFFSET, writer->header_used);
    etwc_store_u32(dst + ETL_BUFFER_STATE, state);
    etwc_store_u32(dst + ETL_BUFFER_OFFSET, writer->header_used);
    etwc_store_u16(dst + ETL_BUFFER_TYPE, ETL_BUFFER_TYPE_HEADER);
    if (!writer->is_relog)
        etwc_store_u16(dst + ETL_BUFFER_LOGGER_ID, o->logger_id);
    if (writer->is_legacy) {
        dst[ETL_BUFFER_ALIGNMENT] = ETL_RECORD_ALIGNMENT;
    } else {
        etwc_store_u32(dst + ETL_BUFFER_SAVED_OFFSET, writer->header_used);
        if (!writer->is_relog)
            flags |= ETL_FLAG_PROC_INDEX;
    }
    if (os_version(o) == OS_VISTA)
        etwc_store_u64(dst + ETL_BUFFER_TIMESTAMP, (uint64_t)o->start_raw_time);
    etwc_store_u16(dst + ETL_BUFFER_FLAGS, (uint16_t)flags);
}

etwc_status
etl_writer_make_header(etwc_etl_writer *writer, const etwc_etl_writer_options *o,
                       etwc_error *err)
{
    size_t fixed = o->pointer_size == 8 ? ETL_HEADER64_STRINGS : ETL_HEADER32_STRINGS;
    size_t payload = fixed + o->session_name.len + 2 + o->log_file_name.len + 2;
    size_t size = ETL_SYSTEM_BYTES + payload;
    size_t extension = ETL_SYSTEM_BYTES + ETL_HEADER_EXTENSION_BYTES;
    size_t used = ETL_BUFFER_HEADER_BYTES + etwc_align8(size);
    if (o->has_header_extension)
        used += etwc_align8(extension);
    if (size > ETL_RECORD_MAX_BYTES || used > o->buffer_size)
        return refuse(err, "the session and file names do not fit into a buffer");

    writer->header_used = (uint32_t)used;
    writer->header_stride = o->buffer_size;
    if (is_compressed(o)) {
        uint32_t units =
            ((uint32_t)used + ETL_HEADER_BUFFER_UNIT - 1) / ETL_HEADER_BUFFER_UNIT;
        writer->header_stride = units * ETL_HEADER_BUFFER_UNIT;
    }
    writer->header = etwc_calloc(1, used);
    if (writer->header == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, ETL_WRITER_WHERE);
    put_buffer_header(writer, o, writer->header);
    uint8_t *record = writer->header + ETL_BUFFER_HEADER_BYTES;
    put_payload(o, put_record(o, ETL_HOOK_HEADER, size, record));
    if (o->has_header_extension) {
        record += etwc_align8(size);
        put_extension(o, put_record(o, ETL_HOOK_HEADER_EXTENSION, extension, record));
    }
    if (o->log_file_mode & ETL_MODE_CIRCULAR)
        writer->wrap_at = maximum_bytes(o) / o->buffer_size * o->buffer_size;
    return ETWC_OK;
}

void
etl_writer_finish_header(etwc_etl_writer *writer, int64_t end_filetime)
{
    uint8_t *payload = writer->header + ETL_BUFFER_HEADER_BYTES + ETL_SYSTEM_BYTES;
    uint32_t written = writer->buffers_in_file > UINT32_MAX
                           ? UINT32_MAX
                           : (uint32_t)writer->buffers_in_file;
    size_t lost = writer->options.pointer_size == 8 ? ETL_HEADER64_BUFFERS_LOST
                                                    : ETL_HEADER32_BUFFERS_LOST;
    etwc_store_u64(payload + ETL_HEADER_END_TIME, (uint64_t)end_filetime);
    etwc_store_u32(payload + ETL_HEADER_BUFFERS_WRITTEN, written);
    etwc_store_u32(payload + ETL_HEADER_EVENTS_LOST, writer->options.events_lost);
    etwc_store_u32(payload + lost, writer->options.buffers_lost);
}

etwc_status
etl_writer_put_header(etwc_etl_writer *writer, etwc_error *err)
{
    uint8_t filler[4096];
    uint64_t at = writer->header_used;
    memset(filler, ETL_FILLER_BYTE, sizeof filler);
    etwc_status st = etwc_os_file_write_at(writer->file, 0, writer->header,
                                           writer->header_used, err);
    /* The filler is there already when the header is written a second time. */
    if (writer->file_bytes != 0)
        return st;
    while (st == ETWC_OK && at < writer->header_stride) {
        uint64_t rest = writer->header_stride - at;
        size_t part = rest < sizeof filler ? (size_t)rest : sizeof filler;
        st = etwc_os_file_write_at(writer->file, at, filler, part, err);
        at += part;
    }
    return st;
}
