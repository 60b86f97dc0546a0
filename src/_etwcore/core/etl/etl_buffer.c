/*
 * From an index entry to a buffer image in a pooled block: read, and decompress
 * if need be (etl-format.md chapter 8).
 */
#include "etl_decompress.h"
#include "etl_file.h"
#include "etl_format.h"
#include "etwc_alloc.h"

etwc_status
etl_buffer_decompress(const etwc_etl *etl, etwc_span in, uint8_t *dst, size_t capacity,
                      size_t *out_size)
{
    switch (etl->header.compression) {
    case ETWC_COMPRESSION_LZNT1:
        return etl_decompress_lznt1(in, dst, capacity, out_size);
    case ETWC_COMPRESSION_XPRESS:
        return etl_decompress_xpress(in, dst, capacity, out_size);
    case ETWC_COMPRESSION_XPRESS_HUFF:
        return etl_decompress_xpress_huff(in, dst, capacity, out_size);
    default:
        *out_size = 0;
        return ETWC_E_NOT_SUPPORTED;
    }
}

uint16_t
etl_buffer_processor(const uint8_t *header)
{
    /* Before Windows 8 the number has one byte; the next one is an alignment. */
    return etwc_load_u16(header + ETL_BUFFER_FLAGS) & ETL_FLAG_PROC_INDEX
               ? etwc_load_u16(header + ETL_BUFFER_PROCESSOR)
               : header[ETL_BUFFER_PROCESSOR];
}

static etwc_status
scratch_reserve(const etwc_etl *etl, etl_scratch *scratch, size_t size, etwc_error *err)
{
    if (size <= scratch->capacity)
        return ETWC_OK;
    etl_scratch_reset(etl, scratch);
    etwc_status st = etwc_pool_charge(etl->pool, size, err);
    if (st != ETWC_OK)
        return st;
    scratch->bytes = etwc_malloc(size);
    if (scratch->bytes == NULL) {
        etwc_pool_discharge(etl->pool, size);
        return etwc_fail(err, ETWC_E_NOMEM, "etl.buffer");
    }
    scratch->capacity = size;
    return ETWC_OK;
}

void
etl_scratch_reset(const etwc_etl *etl, etl_scratch *scratch)
{
    if (scratch->bytes != NULL)
        etwc_pool_discharge(etl->pool, scratch->capacity);
    etwc_free(scratch->bytes);
    *scratch = (etl_scratch){NULL, 0};
}

static etwc_status
load_plain(const etwc_etl *etl, const etl_entry *entry, etl_buffer *out, size_t *end,
           etwc_error *err)
{
    etwc_status st = etwc_pool_take(etl->pool, entry->read_bytes, &out->block, err);
    if (st != ETWC_OK)
        return st;
    *end = entry->read_bytes;
    st = etwc_source_read(&etl->source, entry->offset, etwc_block_bytes(out->block),
                          entry->read_bytes, err);
    if (st != ETWC_OK) {
        etwc_block_release(out->block);
        out->block = NULL;
    }
    return st;
}

/* The image is trusted when it came out whole, or when the file ends inside the
 * buffer: then the prefix is all there is. */
static etwc_status
load_compressed(const etwc_etl *etl, const etl_entry *entry, etl_scratch *scratch,
                etl_buffer *out, size_t *end, etwc_damage *damage, etwc_error *err)
{
    etwc_status st = scratch_reserve(etl, scratch, entry->read_bytes, err);
    if (st == ETWC_OK)
        st = etwc_source_read(&etl->source, entry->offset, scratch->bytes,
                              entry->read_bytes, err);
    if (st != ETWC_OK)
        return st;
    size_t image_size = etwc_load_u32(scratch->bytes + ETL_BUFFER_OFFSET);
    /* Checked by the index already, but the file may have changed since. */
    if (image_size < ETL_BUFFER_HEADER_BYTES || image_size > etl->step_bytes) {
        damage->decompress_errors++;
        damage->bytes_skipped += entry->read_bytes;
        return ETWC_OK;
    }
    st = etwc_pool_take(etl->pool, image_size, &out->block, err);
    if (st != ETWC_OK)
        return st;
    uint8_t *image = etwc_block_bytes(out->block);
    memcpy(image, scratch->bytes, ETL_BUFFER_HEADER_BYTES);
    etwc_span in = {scratch->bytes + ETL_BUFFER_HEADER_BYTES,
                    entry->read_bytes - ETL_BUFFER_HEADER_BYTES};
    size_t wanted = image_size - ETL_BUFFER_HEADER_BYTES;
    size_t produced = 0;
    etwc_status result = etl_buffer_decompress(etl, in, image + ETL_BUFFER_HEADER_BYTES,
                                               wanted, &produced);
    *end = ETL_BUFFER_HEADER_BYTES + produced;
    bool is_whole = result == ETWC_OK && produced == wanted;
    bool is_prefix = (entry->flags & ETL_ENTRY_TRUNCATED) != 0 &&
                     (result == ETWC_OK || result == ETWC_E_NEED_MORE);
    if (!is_whole && !is_prefix) {
        damage->decompress_errors++;
        damage->bytes_skipped += entry->read_bytes;
        etwc_block_release(out->block);
        out->block = NULL;
    }
    return ETWC_OK;
}

etwc_status
etl_buffer_load(const etwc_etl *etl, const etl_entry *entry, etl_scratch *scratch,
                etl_buffer *out, etl_records *records, etwc_damage *damage,
                etwc_error *err)
{
    size_t end = 0;
    etwc_status st;
    *out = (etl_buffer){NULL, 0, 0};
    if (entry->flags & ETL_ENTRY_COMPRESSED)
        st = load_compressed(etl, entry, scratch, out, &end, damage, err);
    else
        st = load_plain(etl, entry, out, &end, err);
    if (st != ETWC_OK || out->block == NULL)
        return st;
    const uint8_t *image = etwc_block_bytes(out->block);
    out->processor = etl_buffer_processor(image);
    out->logger_id = etwc_load_u16(image + ETL_BUFFER_LOGGER_ID);
    records->image = image;
    records->position = ETL_BUFFER_HEADER_BYTES;
    records->end = end;
    records->is_end_trusted = (entry->flags & ETL_ENTRY_END_UNTRUSTED) == 0;
    records->is_truncated = (entry->flags & ETL_ENTRY_TRUNCATED) != 0;
    records->has_old_instance = etl->record_context.has_old_instance;
    records->first_message_time = etl->header.header_raw_time;
    return ETWC_OK;
}
