/*
 * Opening a trace: the recognition test and the facts of the header event
 * (etl-format.md chapters 1 and 4).
 */
#include "etl_file.h"
#include "etl_format.h"
#include "etwc_alloc.h"

enum {
    RECORD = ETL_BUFFER_HEADER_BYTES, /* where the header event starts */
    PAYLOAD = RECORD + ETL_SYSTEM_BYTES,
    RECOGNITION_BYTES = 104,
    HEADER_BUFFER_MIN_BYTES = PAYLOAD + ETL_HEADER32_STRINGS,
    MHZ = 1000000
};

/* A stamp this close to StartTime is a FILETIME itself. */
#define ONE_DAY_100NS (INT64_C(86400) * ETWC_100NS_PER_SECOND)

/* ---- Recognition -------------------------------------------------------------- */

static etwc_status
refuse(etwc_error *err, const char *why)
{
    return etwc_fail_at(err, ETWC_E_NOT_TRACE, "etl.open", 0, "%s", why);
}

static etwc_status
recognise(const uint8_t *bytes, size_t size, etwc_error *err)
{
    if (size == 0)
        return refuse(err, "it is empty");
    if (size < RECOGNITION_BYTES)
        return refuse(err, "it is too short for the header of a trace");
    const uint8_t *record = bytes + RECORD;
    uint32_t marker = etwc_load_u32(record) >> 16;
    if (etwc_load_u16(bytes + ETL_BUFFER_TYPE) != ETL_BUFFER_TYPE_HEADER ||
        (marker != 0xC000 + ETL_TYPE_SYSTEM32 &&
         marker != 0xC000 + ETL_TYPE_SYSTEM64) ||
        etwc_load_u16(record + ETL_KERNEL_OPCODE) != ETL_HOOK_HEADER)
        return refuse(err, "it does not start with the header event of a trace "
                           "(traces of Windows XP and older are not supported)");
    if (etwc_load_u32(bytes + ETL_BUFFER_BUFFER_SIZE) < HEADER_BUFFER_MIN_BYTES)
        return refuse(err, "its first buffer is too small for the header event");
    size_t strings = marker == 0xC000 + ETL_TYPE_SYSTEM32 ? ETL_HEADER32_STRINGS
                                                          : ETL_HEADER64_STRINGS;
    if (size < PAYLOAD + strings)
        return refuse(err, "it ends inside the header event");
    return ETWC_OK;
}

/* ---- Fields ------------------------------------------------------------------- */

static void
read_common_fields(const uint8_t *payload, etwc_etl_header *h)
{
    h->buffer_size = etwc_load_u32(payload + ETL_HEADER_BUFFER_SIZE);
    h->os_major = payload[ETL_HEADER_OS_MAJOR];
    h->os_minor = payload[ETL_HEADER_OS_MINOR];
    h->layout_major = payload[ETL_HEADER_LAYOUT_MAJOR];
    h->layout_minor = payload[ETL_HEADER_LAYOUT_MINOR];
    h->os_build = etwc_load_u32(payload + ETL_HEADER_OS_BUILD);
    h->processors = etwc_load_u32(payload + ETL_HEADER_PROCESSORS);
    h->end_filetime = etwc_load_i64(payload + ETL_HEADER_END_TIME);
    h->timer_resolution = etwc_load_u32(payload + ETL_HEADER_TIMER_RESOLUTION);
    h->maximum_file_size = etwc_load_u32(payload + ETL_HEADER_MAXIMUM_FILE_SIZE);
    h->log_file_mode = etwc_load_u32(payload + ETL_HEADER_LOG_FILE_MODE);
    h->buffers_written = etwc_load_u32(payload + ETL_HEADER_BUFFERS_WRITTEN);
    h->start_buffers = etwc_load_u32(payload + ETL_HEADER_START_BUFFERS);
    h->pointer_size = etwc_load_u32(payload + ETL_HEADER_POINTER_SIZE);
    h->events_lost = etwc_load_u32(payload + ETL_HEADER_EVENTS_LOST);
    h->cpu_mhz = etwc_load_u32(payload + ETL_HEADER_CPU_MHZ);
    h->is_closed = h->end_filetime != 0 && h->buffers_written != 0;
}

static etwc_span
time_zone_name(const uint8_t *name)
{
    etwc_span rest = {name, ETL_TIME_ZONE_NAME_BYTES};
    etwc_span text;
    etwc_span_string16(&rest, &text);
    return text;
}

static void
read_wide_fields(const uint8_t *payload, etwc_etl_header *h)
{
    /* The two pointers before the time zone make all that follows 8 bytes later
     * in the 64-bit form. */
    const uint8_t *p = payload + (h->is_header_64bit ? 8 : 0);
    const uint8_t *zone = p + ETL_HEADER32_TIME_ZONE;
    h->bias_minutes = (int32_t)etwc_load_u32(zone + ETL_TIME_ZONE_BIAS);
    h->time_zone_standard = time_zone_name(zone + ETL_TIME_ZONE_STANDARD_NAME);
    h->time_zone_daylight = time_zone_name(zone + ETL_TIME_ZONE_DAYLIGHT_NAME);
    h->boot_filetime = etwc_load_i64(p + ETL_HEADER32_BOOT_TIME);
    h->perf_frequency = etwc_load_i64(p + ETL_HEADER32_PERF_FREQ);
    h->start_filetime = etwc_load_i64(p + ETL_HEADER32_START_TIME);
    h->clock_type = etwc_load_u32(p + ETL_HEADER32_RESERVED_FLAGS);
    h->buffers_lost = etwc_load_u32(p + ETL_HEADER32_BUFFERS_LOST);
}

/* Session and file name follow the fixed part, as far as the record goes. */
static void
read_names(etwc_etl *etl, etwc_etl_header *h)
{
    size_t at =
        PAYLOAD + (h->is_header_64bit ? ETL_HEADER64_STRINGS : ETL_HEADER32_STRINGS);
    size_t end = RECORD + etwc_load_u16(etl->header_bytes + RECORD + ETL_KERNEL_SIZE);
    if (end > etl->header_byte_count)
        end = etl->header_byte_count;
    etwc_span rest = {etl->header_bytes + at, end > at ? end - at : 0};
    etwc_span_string16(&rest, &h->session_name);
    etwc_span_string16(&rest, &h->log_file_name);
}

static void
init_clock(etwc_etl *etl)
{
    const etwc_etl_header *h = &etl->header;
    int64_t frequency = h->perf_frequency;
    bool is_filetime = h->clock_type == ETWC_CLOCK_SYSTEM_TIME;
    if (h->clock_type == ETWC_CLOCK_CPU_CYCLE)
        frequency = (int64_t)h->cpu_mhz * MHZ;
    if (h->clock_type == ETWC_CLOCK_UNKNOWN) {
        uint64_t distance =
            h->header_raw_time > h->start_filetime
                ? (uint64_t)h->header_raw_time - (uint64_t)h->start_filetime
                : (uint64_t)h->start_filetime - (uint64_t)h->header_raw_time;
        is_filetime = distance < (uint64_t)ONE_DAY_100NS;
    }
    etwc_clock_init(&etl->clock, h->header_raw_time, h->start_filetime, frequency,
                    is_filetime);
    etl->index_damage.bad_clock = etl->clock.is_broken;
}

etwc_status
etl_file_read_header(etwc_etl *etl, etwc_error *err)
{
    /* The record's size has 16 bits, so this holds all of the header event. */
    size_t size = RECORD + ETL_RECORD_MAX_BYTES;
    if (size > etl->source.size)
        size = (size_t)etl->source.size;
    etl->header_bytes = etwc_malloc(size);
    if (etl->header_bytes == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.open");
    etl->header_byte_count = size;
    etwc_status st = etwc_source_read(&etl->source, 0, etl->header_bytes, size, err);
    if (st == ETWC_OK)
        st = recognise(etl->header_bytes, size, err);
    if (st != ETWC_OK)
        return st;

    etwc_etl_header *h = &etl->header;
    const uint8_t *bytes = etl->header_bytes;
    h->file_bytes = etl->source.size;
    h->is_header_64bit = bytes[RECORD + ETL_RECORD_TYPE] == ETL_TYPE_SYSTEM64;
    h->header_raw_time = etwc_load_i64(bytes + RECORD + ETL_SYSTEM_TIMESTAMP);
    h->header_thread_id = etwc_load_u32(bytes + RECORD + ETL_SYSTEM_THREAD_ID);
    h->header_process_id = etwc_load_u32(bytes + RECORD + ETL_SYSTEM_PROCESS_ID);
    read_common_fields(bytes + PAYLOAD, h);
    read_wide_fields(bytes + PAYLOAD, h);
    read_names(etl, h);
    if (h->log_file_mode & ETL_MODE_COMPRESSED)
        h->compression = etwc_load_u16(bytes + ETL_BUFFER_STATE);
    init_clock(etl);

    uint32_t first_size = etwc_load_u32(bytes + ETL_BUFFER_BUFFER_SIZE);
    bool is_usable = h->buffer_size >= ETL_BUFFER_HEADER_BYTES &&
                     h->buffer_size <= ETL_STRIDE_MAX_BYTES;
    etl->step_bytes = is_usable ? h->buffer_size : first_size;
    /* No buffer is larger; it also bounds what a compressed one may unpack to. */
    if (etl->step_bytes > ETL_STRIDE_MAX_BYTES)
        etl->step_bytes = ETL_STRIDE_MAX_BYTES;
    etl->record_context = (etl_record_context){
        .pointer_size = h->pointer_size,
        .is_private = (h->log_file_mode & ETL_MODE_PRIVATE_LOGGER) != 0,
        .has_old_instance =
            h->layout_major < 1 || (h->layout_major == 1 && h->layout_minor < 1),
    };
    return ETWC_OK;
}

/* ---- Life --------------------------------------------------------------------- */

static void
etl_free(etwc_etl *etl)
{
    etl_index_reset(etl);
    etwc_source_close(&etl->source);
    etwc_free(etl->header_bytes);
    etwc_pool_release(etl->pool);
    etwc_free(etl);
}

etwc_status
etwc_etl_open(etwc_source *source, etwc_pool *pool, const etwc_pause *pause,
              etwc_etl **out, etwc_error *err)
{
    etwc_etl *etl = etwc_calloc(1, sizeof *etl);
    if (etl == NULL) {
        etwc_source_close(source);
        return etwc_fail(err, ETWC_E_NOMEM, "etl.open");
    }
    etwc_atomic_init(&etl->references, 1);
    etl->source = *source;
    *source = (etwc_source){0, NULL, NULL, NULL};
    etl->pool = pool;
    etwc_pool_retain(pool);
    etwc_status st = etl_file_read_header(etl, err);
    if (st == ETWC_OK)
        st = etl_index_build(etl, pause, err);
    if (st != ETWC_OK) {
        etl_free(etl);
        return st;
    }
    *out = etl;
    return ETWC_OK;
}

void
etwc_etl_retain(etwc_etl *etl)
{
    (void)etwc_atomic_add_relaxed(&etl->references, 1);
}

void
etwc_etl_release(etwc_etl *etl)
{
    if (etl != NULL && etwc_atomic_sub_acq_rel(&etl->references, 1) == 1)
        etl_free(etl);
}

const etwc_etl_header *
etwc_etl_get_header(const etwc_etl *etl)
{
    return &etl->header;
}

const etwc_etl_buffers *
etwc_etl_get_buffers(const etwc_etl *etl)
{
    return &etl->buffers;
}

const etwc_clock *
etwc_etl_get_clock(const etwc_etl *etl)
{
    return &etl->clock;
}

const etwc_damage *
etwc_etl_get_index_damage(const etwc_etl *etl)
{
    return &etl->index_damage;
}

void
etwc_damage_add(etwc_damage *total, const etwc_damage *part)
{
#define DAMAGE_ADD(name) total->name += part->name;
    ETWC_DAMAGE_LIST(DAMAGE_ADD)
#undef DAMAGE_ADD
}
