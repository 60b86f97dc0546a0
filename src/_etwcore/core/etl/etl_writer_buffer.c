/* The buffers that processors fill, and their way to the file. */
#include "etl_writer.h"

#include "etl_compress.h"
#include "etwc_alloc.h"

enum { MAX_PROCESSOR = 0xFFFF, LEGACY_MAX_PROCESSOR = 0xFF };

/* ---- One buffer to the file ---------------------------------------------------- */

static void
put_buffer_header(const etwc_etl_writer *writer, const etl_writer_stream *stream,
                  uint16_t flags, uint8_t *dst)
{
    uint32_t processor = (uint32_t)(stream - writer->streams);
    int64_t now = writer->last_raw_time;
    memset(dst, 0, ETL_BUFFER_HEADER_BYTES);
    etwc_store_u32(dst + ETL_BUFFER_BUFFER_SIZE, writer->options.buffer_size);
    etwc_store_u32(dst + ETL_BUFFER_SAVED_OFFSET, stream->used);
    etwc_store_u32(dst + ETL_BUFFER_CURRENT_OFFSET, stream->used);
    etwc_store_u64(dst + ETL_BUFFER_SEQUENCE, (uint64_t)stream->sequence);
    etwc_store_u16(dst + ETL_BUFFER_PROCESSOR, (uint16_t)processor);
    etwc_store_u32(dst + ETL_BUFFER_STATE, ETL_BUFFER_STATE_FLUSH);
    etwc_store_u32(dst + ETL_BUFFER_OFFSET, stream->used);
    if (writer->is_relog)
        now = etwc_clock_filetime(&writer->clock, now);
    else
        etwc_store_u16(dst + ETL_BUFFER_LOGGER_ID, writer->options.logger_id);
    etwc_store_u64(dst + ETL_BUFFER_TIMESTAMP, (uint64_t)now);
    if (writer->is_legacy)
        dst[ETL_BUFFER_ALIGNMENT] = ETL_RECORD_ALIGNMENT;
    else
        flags |= ETL_FLAG_PROC_INDEX;
    etwc_store_u16(dst + ETL_BUFFER_FLAGS, (uint16_t)(flags | stream->flags));
    etwc_store_u16(dst + ETL_BUFFER_TYPE, ETL_BUFFER_TYPE_GENERIC);
}

static void
advance(etwc_etl_writer *writer, size_t bytes)
{
    writer->next_offset += bytes;
    if (writer->next_offset > writer->file_bytes) {
        writer->file_bytes = writer->next_offset;
        writer->buffers_in_file++;
    }
    writer->buffers++;
    /* The oldest data buffer is overwritten; the header buffer stays. */
    if (writer->wrap_at != 0 && writer->next_offset >= writer->wrap_at)
        writer->next_offset = writer->header_stride;
}

etwc_status
etl_writer_prepare_packing(etwc_etl_writer *writer, etwc_error *err)
{
    if (writer->options.compression == ETWC_COMPRESSION_NONE)
        return ETWC_OK;
    /* Incompressible bytes grow, by an eighth at most (XPRESS: a bit for each),
     * and XPRESS-HUFF has a table for each 64 KB. */
    size_t size = writer->options.buffer_size;
    writer->packed_capacity = size + size / 4 + 1024;
    writer->packed = etwc_malloc(writer->packed_capacity);
    writer->packing = etwc_malloc(sizeof *writer->packing);
    if (writer->packed == NULL || writer->packing == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, ETL_WRITER_WHERE);
    return ETWC_OK;
}

/* Packs the stream's records behind a copy of its buffer header. */
static etwc_status
pack_stream(etwc_etl_writer *writer, const etl_writer_stream *stream, size_t *out_size,
            etwc_error *err)
{
    etwc_span in = {stream->bytes + ETL_BUFFER_HEADER_BYTES,
                    stream->used - ETL_BUFFER_HEADER_BYTES};
    uint8_t *dst = writer->packed + ETL_BUFFER_HEADER_BYTES;
    size_t room = writer->packed_capacity - ETL_BUFFER_HEADER_BYTES;
    size_t size = 0;
    etwc_status st;
    switch (writer->options.compression) {
    case ETWC_COMPRESSION_LZNT1:
        st = etl_compress_lznt1(in, dst, room, writer->packing, &size);
        break;
    case ETWC_COMPRESSION_XPRESS:
        st = etl_compress_xpress(in, dst, room, writer->packing, &size);
        break;
    default:
        st = etl_compress_xpress_huff(in, dst, room, writer->packing, &size);
        break;
    }
    if (st != ETWC_OK)
        return etwc_fail(err, st, ETL_WRITER_WHERE);
    *out_size = ETL_BUFFER_HEADER_BYTES + size;
    memcpy(writer->packed, stream->bytes, ETL_BUFFER_HEADER_BYTES);
    etwc_store_u32(writer->packed + ETL_BUFFER_BUFFER_SIZE, (uint32_t)*out_size);
    return ETWC_OK;
}

/* Nothing of the stream changes when this fails, so that it can be repeated. */
static etwc_status
write_stream(etwc_etl_writer *writer, etl_writer_stream *stream, uint16_t flags,
             etwc_error *err)
{
    size_t size = writer->options.buffer_size;
    const uint8_t *bytes = stream->bytes;
    bool is_packed = writer->packed != NULL;
    if (is_packed)
        flags |= ETL_FLAG_COMPRESSED;
    put_buffer_header(writer, stream, flags | writer->next_flags, stream->bytes);
    etwc_status st = ETWC_OK;
    if (is_packed) {
        st = pack_stream(writer, stream, &size, err);
        bytes = writer->packed;
    } else {
        memset(stream->bytes + stream->used, ETL_FILLER_BYTE, size - stream->used);
    }
    if (st == ETWC_OK)
        st = etwc_os_file_write_at(writer->file, writer->next_offset, bytes, size, err);
    if (st != ETWC_OK)
        return st;
    advance(writer, size);
    writer->next_flags = 0;
    stream->flags = 0;
    stream->used = 0;
    return ETWC_OK;
}

/* ---- Streams ------------------------------------------------------------------- */

etwc_status
etl_writer_stream_of(etwc_etl_writer *writer, uint32_t processor,
                     etl_writer_stream **out, etwc_error *err)
{
    if (writer->options.log_file_mode & ETL_MODE_NO_PER_PROCESSOR)
        processor = 0;
    uint32_t max = writer->is_legacy ? LEGACY_MAX_PROCESSOR : MAX_PROCESSOR;
    if (processor > max)
        return etwc_fail_at(err, ETWC_E_INVALID, ETL_WRITER_WHERE, -1,
                            "a buffer of this file can name processors up to %lu, "
                            "not %lu",
                            (unsigned long)max, (unsigned long)processor);
    size_t old = writer->stream_capacity;
    if (processor >= old) {
        void *streams = writer->streams;
        bool has_room = etwc_grow(&streams, &writer->stream_capacity,
                                  (size_t)processor + 1, sizeof *writer->streams);
        writer->streams = streams;
        if (!has_room)
            return etwc_fail(err, ETWC_E_NOMEM, ETL_WRITER_WHERE);
        memset(writer->streams + old, 0,
               (writer->stream_capacity - old) * sizeof *writer->streams);
    }
    *out = &writer->streams[processor];
    return ETWC_OK;
}

/* Ends another processor's buffer early and takes its memory. Whose, goes
 * around, so that no processor is always the one. */
static etwc_status
steal_bytes(etwc_etl_writer *writer, uint8_t **out, etwc_error *err)
{
    size_t hand = writer->steal_hand % writer->stream_capacity;
    while (writer->streams[hand].bytes == NULL)
        hand = (hand + 1) % writer->stream_capacity;
    etl_writer_stream *victim = &writer->streams[hand];
    if (victim->used != 0) {
        etwc_status st = write_stream(writer, victim, 0, err);
        if (st != ETWC_OK)
            return st;
    }
    *out = victim->bytes;
    victim->bytes = NULL;
    writer->steal_hand = hand + 1;
    return ETWC_OK;
}

static etwc_status
give_bytes(etwc_etl_writer *writer, etl_writer_stream *stream, etwc_error *err)
{
    if (writer->live_streams >= writer->live_limit)
        return steal_bytes(writer, &stream->bytes, err);
    stream->bytes = etwc_malloc(writer->options.buffer_size);
    if (stream->bytes == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, ETL_WRITER_WHERE);
    writer->live_streams++;
    return ETWC_OK;
}

etwc_status
etl_writer_reserve(etwc_etl_writer *writer, uint32_t processor, size_t size,
                   etl_writer_stream **out_stream, uint8_t **out, etwc_error *err)
{
    etl_writer_stream *stream;
    etwc_status st = etl_writer_stream_of(writer, processor, &stream, err);
    if (st != ETWC_OK)
        return st;
    if (stream->used != 0 && size > writer->options.buffer_size - stream->used) {
        st = write_stream(writer, stream, 0, err);
        if (st != ETWC_OK)
            return st;
    }
    if (stream->bytes == NULL) {
        st = give_bytes(writer, stream, err);
        if (st != ETWC_OK)
            return st;
    }
    if (stream->used == 0) {
        stream->used = ETL_BUFFER_HEADER_BYTES;
        stream->sequence = writer->next_sequence++;
    }
    *out_stream = stream;
    *out = stream->bytes + stream->used;
    return ETWC_OK;
}

etwc_status
etl_writer_flush_all(etwc_etl_writer *writer, etwc_error *err)
{
    etl_writer_stream *last = NULL;
    for (size_t i = 0; i < writer->stream_capacity; i++)
        if (writer->streams[i].used != 0)
            last = &writer->streams[i];
    for (size_t i = 0; i < writer->stream_capacity; i++) {
        etl_writer_stream *stream = &writer->streams[i];
        if (stream->used == 0)
            continue;
        uint16_t marker = stream == last ? ETL_FLAG_FLUSH_MARKER : 0;
        etwc_status st = write_stream(writer, stream, marker, err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}
