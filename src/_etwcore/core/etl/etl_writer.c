/*
 * The writer's life: open, write, flush, close. Records are made in
 * etl_writer_record.c, buffers reach the file in etl_writer_buffer.c, and
 * etl_writer_header.c knows the header buffer.
 */
#include "etl_writer.h"

#include "etwc_alloc.h"

/* With more processors than this many bytes of buffers, buffers are shared. */
#define STREAM_MEMORY_BYTES ((size_t)256 << 20)

static void
init_clock(etwc_etl_writer *writer, const etwc_etl_writer_options *o)
{
    int64_t frequency = o->clock_type == ETWC_CLOCK_CPU_CYCLE
                            ? (int64_t)o->cpu_mhz * 1000000
                            : o->perf_frequency;
    etwc_clock_init(&writer->clock, o->start_raw_time, o->start_filetime, frequency,
                    o->clock_type == ETWC_CLOCK_SYSTEM_TIME);
}

etwc_status
etwc_etl_writer_open(const char *path, const etwc_etl_writer_options *options,
                     etwc_etl_writer **out, etwc_error *err)
{
    etwc_status st = etl_writer_check_options(options, err);
    if (st != ETWC_OK)
        return st;
    etwc_etl_writer *writer = etwc_calloc(1, sizeof *writer);
    if (writer == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, ETL_WRITER_WHERE);
    writer->options = *options;
    writer->is_legacy = etl_writer_is_legacy(options);
    writer->is_relog = (options->log_file_mode & ETL_MODE_RELOG) != 0;
    writer->live_limit = STREAM_MEMORY_BYTES / options->buffer_size;
    writer->next_sequence = options->first_sequence;
    writer->last_raw_time = options->start_raw_time;
    init_clock(writer, options);
    st = etl_writer_make_header(writer, options, err);
    if (st != ETWC_OK)
        goto fail;
    st = etl_writer_prepare_packing(writer, err);
    if (st != ETWC_OK)
        goto fail;
    st = etwc_os_file_create(path, &writer->file, err);
    if (st != ETWC_OK)
        goto fail;
    st = etl_writer_put_header(writer, err);
    if (st != ETWC_OK)
        goto fail;
    writer->next_offset = writer->header_stride;
    writer->file_bytes = writer->header_stride;
    writer->buffers = writer->buffers_in_file = 1;
    /* The names are in the header; the caller's memory is not ours to keep. */
    const etwc_span none = {NULL, 0};
    writer->options.session_name = writer->options.log_file_name = none;
    writer->options.time_zone_standard = writer->options.time_zone_daylight = none;
    *out = writer;
    return ETWC_OK;
fail:
    etwc_etl_writer_abandon(writer);
    return st;
}

void
etwc_etl_writer_abandon(etwc_etl_writer *writer)
{
    if (writer == NULL)
        return;
    for (size_t i = 0; i < writer->stream_capacity; i++)
        etwc_free(writer->streams[i].bytes);
    etwc_free(writer->streams);
    etwc_free(writer->header);
    etwc_free(writer->packed);
    etwc_free(writer->packing);
    etwc_os_file_close(writer->file);
    etwc_free(writer);
}

static etwc_status
check_fits(const etwc_etl_writer *writer, size_t size, etwc_error *err)
{
    size_t room = writer->options.buffer_size - ETL_BUFFER_HEADER_BYTES;
    if (size <= room)
        return ETWC_OK;
    return etwc_fail_at(err, ETWC_E_INVALID, ETL_WRITER_WHERE, -1,
                        "a record of %lu bytes does not fit into a buffer, which has "
                        "room for %lu",
                        (unsigned long)size, (unsigned long)room);
}

etwc_status
etwc_etl_writer_write(etwc_etl_writer *writer, const etwc_event *event, etwc_error *err)
{
    size_t size;
    etl_writer_stream *stream;
    uint8_t *dst;
    etwc_status st = etl_record_measure(event, &size, err);
    if (st != ETWC_OK)
        return st;
    st = check_fits(writer, size, err);
    if (st != ETWC_OK)
        return st;
    st = etl_writer_reserve(writer, event->processor, size, &stream, &dst, err);
    if (st != ETWC_OK)
        return st;
    etl_record_put(event, size, dst);
    stream->used += (uint32_t)etwc_align8(size);
    writer->events++;
    if (event->raw_time > writer->last_raw_time)
        writer->last_raw_time = event->raw_time;
    return ETWC_OK;
}

bool
etwc_etl_writer_would_block(const etwc_etl_writer *writer, const etwc_event *event)
{
    size_t size;
    bool is_single = (writer->options.log_file_mode & ETL_MODE_NO_PER_PROCESSOR) != 0;
    uint32_t processor = is_single ? 0 : event->processor;
    if (etl_record_measure(event, &size, NULL) != ETWC_OK)
        return false;
    if (processor >= writer->stream_capacity ||
        writer->streams[processor].bytes == NULL)
        return writer->live_streams >= writer->live_limit;
    uint32_t used = writer->streams[processor].used;
    return used != 0 && size > writer->options.buffer_size - used;
}

etwc_status
etwc_etl_writer_flush(etwc_etl_writer *writer, etwc_error *err)
{
    return etl_writer_flush_all(writer, err);
}

etwc_status
etwc_etl_writer_set_loss(etwc_etl_writer *writer, uint32_t processor,
                         uint32_t events_lost, uint32_t buffers_lost, etwc_error *err)
{
    uint16_t *flags = &writer->next_flags;
    if (processor != ETWC_WRITER_ANY_PROCESSOR) {
        etl_writer_stream *stream;
        etwc_status st = etl_writer_stream_of(writer, processor, &stream, err);
        if (st != ETWC_OK)
            return st;
        flags = &stream->flags;
    }
    if (events_lost > writer->options.events_lost)
        *flags |= ETL_FLAG_EVENTS_LOST;
    if (buffers_lost > writer->options.buffers_lost)
        *flags |= ETL_FLAG_BUFFER_LOST;
    writer->options.events_lost = events_lost;
    writer->options.buffers_lost = buffers_lost;
    return ETWC_OK;
}

void
etwc_etl_writer_get_progress(const etwc_etl_writer *writer,
                             etwc_etl_writer_progress *out)
{
    *out = (etwc_etl_writer_progress){
        .events = writer->events,
        .buffers = writer->buffers,
        .file_bytes = writer->file_bytes,
        .next_sequence = writer->next_sequence,
        .last_raw_time = writer->last_raw_time,
    };
}

etwc_status
etwc_etl_writer_close(etwc_etl_writer *writer, int64_t end_filetime, etwc_error *err)
{
    etwc_status st = etl_writer_flush_all(writer, err);
    if (end_filetime == ETWC_WRITER_END_AT_LAST_EVENT)
        end_filetime = etwc_clock_filetime(&writer->clock, writer->last_raw_time);
    if (st == ETWC_OK && end_filetime != 0) {
        etl_writer_finish_header(writer, end_filetime);
        st = etl_writer_put_header(writer, err);
    }
    etwc_etl_writer_abandon(writer);
    return st;
}
