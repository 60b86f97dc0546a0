/*
 * The index: one pass over the buffer headers of a file (etl-format.md chapters
 * 2, 10 and 11). What cannot be used is stepped over and counted.
 */
#include <stdlib.h>

#include "etl_decompress.h"
#include "etl_file.h"
#include "etl_format.h"
#include "etwc_alloc.h"

enum {
    /* Enough of the first record to hold its stamp, and of a compressed stream
     * to yield as much. */
    PEEK_BYTES = 128,
    READ_BYTES = ETL_BUFFER_HEADER_BYTES + PEEK_BYTES,
    PEEK_OUTPUT_BYTES = 40,
    PROCESSOR_COUNT = 1 << 16,
    /* The scan for a buffer reads little at first: the next one may be near. */
    SCAN_CHUNK_MIN_BYTES = 1 << 9,
    SCAN_CHUNK_MAX_BYTES = 1 << 16,
    /* Some 100 us on a disk, some seconds on a network that is very slow. */
    READS_PER_PAUSE = 256
};

/* The fields of a buffer header that the reader obeys. */
typedef struct buffer_header {
    uint32_t size, saved_offset, current_offset, offset;
    uint32_t state, reference_count;
    int64_t timestamp, sequence;
    uint16_t flags, type, processor;
} buffer_header;

typedef struct index_builder {
    etwc_etl *etl;
    const etwc_pause *pause; /* may be NULL */
    uint32_t reads;          /* since the last pause */
    uint64_t position;
    size_t available; /* bytes in `bytes`, from position on */
    uint8_t bytes[READ_BYTES];
    /* Stream of each processor + 1, 0 where there is none yet. */
    uint32_t *stream_of; /* owned */
    uint64_t entries;    /* so far; and when the last hole was added */
    uint64_t entries_at_hole;
} index_builder;

static void
parse_buffer_header(const uint8_t *p, buffer_header *h)
{
    h->size = etwc_load_u32(p + ETL_BUFFER_BUFFER_SIZE);
    h->saved_offset = etwc_load_u32(p + ETL_BUFFER_SAVED_OFFSET);
    h->current_offset = etwc_load_u32(p + ETL_BUFFER_CURRENT_OFFSET);
    h->reference_count = etwc_load_u32(p + ETL_BUFFER_REFERENCE_COUNT);
    h->timestamp = etwc_load_i64(p + ETL_BUFFER_TIMESTAMP);
    h->sequence = etwc_load_i64(p + ETL_BUFFER_SEQUENCE);
    h->state = etwc_load_u32(p + ETL_BUFFER_STATE);
    h->offset = etwc_load_u32(p + ETL_BUFFER_OFFSET);
    h->flags = etwc_load_u16(p + ETL_BUFFER_FLAGS);
    h->type = etwc_load_u16(p + ETL_BUFFER_TYPE);
    h->processor = etl_buffer_processor(p);
}

static bool
is_zero(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

static bool
is_buffer(const buffer_header *h)
{
    return h->size >= ETL_BUFFER_HEADER_BYTES && h->size <= ETL_STRIDE_MAX_BYTES &&
           h->type <= ETL_BUFFER_TYPE_MAX;
}

static bool
is_compressed_file(const etwc_etl *etl)
{
    return (etl->header.log_file_mode & ETL_MODE_COMPRESSED) != 0;
}

/* Order in a stream is file order, except where the file was overwritten. */
static bool
is_ordered_by_sequence(const etwc_etl *etl)
{
    return (etl->header.log_file_mode & (ETL_MODE_CIRCULAR | ETL_MODE_BUFFERING)) != 0;
}

/* Before each read: a file can be as long as a disk says it is. */
static etwc_status
pause_now_and_then(index_builder *b, etwc_error *err)
{
    if (b->pause == NULL || ++b->reads < READS_PER_PAUSE)
        return ETWC_OK;
    b->reads = 0;
    return b->pause->look(b->pause->context, err);
}

/* ---- Growing ------------------------------------------------------------------ */

/* etwc_grow with the new bytes charged to the pool. */
static etwc_status
grow_charged(etwc_etl *etl, void **items, size_t *capacity, size_t needed,
             size_t item_size, etwc_error *err)
{
    size_t before = *capacity;
    if (needed <= before)
        return ETWC_OK;
    if (!etwc_grow(items, capacity, needed, item_size))
        return etwc_fail(err, ETWC_E_NOMEM, "etl.index");
    uint64_t bytes = (uint64_t)(*capacity - before) * item_size;
    etwc_status st = etwc_pool_charge(etl->pool, bytes, err);
    if (st == ETWC_OK)
        etl->index.charged_bytes += bytes;
    return st;
}

static etwc_status
find_stream(index_builder *b, const buffer_header *h, etl_index_stream **out,
            etwc_error *err)
{
    etl_index *index = &b->etl->index;
    bool is_header = h->type == ETL_BUFFER_TYPE_HEADER;
    size_t found = is_header ? index->count != 0 : b->stream_of[h->processor];
    if (found == 0) {
        void *streams = index->streams;
        etwc_status st = grow_charged(b->etl, &streams, &index->capacity,
                                      index->count + 1, sizeof *index->streams, err);
        index->streams = streams;
        if (st != ETWC_OK)
            return st;
        index->streams[index->count] = (etl_index_stream){.processor = h->processor};
        found = ++index->count;
        if (!is_header)
            b->stream_of[h->processor] = (uint32_t)found;
    }
    *out = &index->streams[found - 1];
    return ETWC_OK;
}

static etwc_status
add_entry(index_builder *b, const buffer_header *h, const etl_entry *entry,
          etwc_error *err)
{
    etl_index_stream *stream;
    etwc_status st = find_stream(b, h, &stream, err);
    if (st != ETWC_OK)
        return st;
    void *entries = stream->entries;
    st = grow_charged(b->etl, &entries, &stream->capacity, stream->count + 1,
                      sizeof *entry, err);
    stream->entries = entries;
    if (st != ETWC_OK)
        return st;
    if (is_ordered_by_sequence(b->etl)) {
        void *sequences = stream->sequences;
        st = grow_charged(b->etl, &sequences, &stream->sequence_capacity,
                          stream->count + 1, sizeof *stream->sequences, err);
        stream->sequences = sequences;
        if (st != ETWC_OK)
            return st;
        stream->sequences[stream->count] = h->sequence;
    }
    stream->entries[stream->count++] = *entry;
    b->entries++;
    return ETWC_OK;
}

/* Notes that there is no buffer to read at `b->position`. */
static etwc_status
add_hole(index_builder *b, bool is_empty, etwc_error *err)
{
    etl_index *index = &b->etl->index;
    etl_hole *last = index->hole_count ? &index->holes[index->hole_count - 1] : NULL;
    if (last != NULL && b->entries == b->entries_at_hole &&
        last->is_empty == is_empty && last->buffers != UINT32_MAX) {
        last->buffers++;
        return ETWC_OK;
    }
    uint64_t bad_before = last != NULL ? last->bad_before + !last->is_empty : 0;
    void *holes = index->holes;
    etwc_status st = grow_charged(b->etl, &holes, &index->hole_capacity,
                                  index->hole_count + 1, sizeof *index->holes, err);
    index->holes = holes;
    if (st != ETWC_OK)
        return st;
    index->holes[index->hole_count++] =
        (etl_hole){b->position, 1, is_empty, bad_before};
    b->entries_at_hole = b->entries;
    return ETWC_OK;
}

/* ---- One buffer --------------------------------------------------------------- */

static void
count_buffer(etwc_etl *etl, const buffer_header *h)
{
    etwc_etl_buffers *n = &etl->buffers;
    uint16_t flags = h->flags;
    n->count++;
    n->compressed += (flags & ETL_FLAG_COMPRESSED) != 0;
    n->proc_index_flag += (flags & ETL_FLAG_PROC_INDEX) != 0;
    n->flush_marker += (flags & ETL_FLAG_FLUSH_MARKER) != 0;
    n->events_lost_flag += (flags & ETL_FLAG_EVENTS_LOST) != 0;
    n->buffer_lost_flag += (flags & ETL_FLAG_BUFFER_LOST) != 0;
    if ((flags & (ETL_FLAG_EVENTS_LOST | ETL_FLAG_BUFFER_LOST)) != 0 &&
        n->first_lost_raw_time == 0)
        n->first_lost_raw_time = h->timestamp;
    if ((flags & ~ETL_FLAG_KNOWN) != 0)
        etl->index_damage.unknown_buffer_flags++;
    if (h->type == ETL_BUFFER_TYPE_HEADER)
        return;
    if (n->first_sequence < 0 || h->sequence < n->first_sequence)
        n->first_sequence = h->sequence;
    if (h->sequence > n->last_sequence)
        n->last_sequence = h->sequence;
}

/* Where the data of an uncompressed buffer ends, by the best offset there is. */
static uint32_t
data_end(etwc_etl *etl, const buffer_header *h, uint32_t *flags)
{
    if (h->offset >= ETL_BUFFER_HEADER_BYTES && h->offset <= h->size)
        return h->offset;
    etl->index_damage.bad_offsets++;
    if (h->saved_offset >= ETL_BUFFER_HEADER_BYTES && h->saved_offset <= h->size)
        return h->saved_offset;
    *flags |= ETL_ENTRY_END_UNTRUSTED;
    if (h->current_offset >= ETL_BUFFER_HEADER_BYTES && h->current_offset <= h->size)
        return h->current_offset;
    return h->size;
}

static void
peek_first_time(const index_builder *b, etl_entry *entry)
{
    uint8_t head[PEEK_OUTPUT_BYTES];
    size_t limit = b->available < entry->read_bytes ? b->available : entry->read_bytes;
    etwc_span bytes = {b->bytes + ETL_BUFFER_HEADER_BYTES,
                       limit - ETL_BUFFER_HEADER_BYTES};
    if (entry->flags & ETL_ENTRY_COMPRESSED) {
        size_t produced = 0;
        /* Cut on both ends on purpose: only the prefix counts. */
        if (etl_buffer_decompress(b->etl, bytes, head, sizeof head, &produced) !=
            ETWC_OK)
            (void)produced;
        bytes = (etwc_span){head, produced};
    }
    if (etl_record_peek_time(bytes, &entry->first_raw_time))
        entry->flags |= ETL_ENTRY_HAS_TIME;
    else
        entry->first_raw_time = INT64_MIN;
}

/* Fills *entry; false when the buffer has no records to read. */
static bool
make_entry(index_builder *b, const buffer_header *h, etl_entry *entry)
{
    etwc_etl *etl = b->etl;
    etwc_damage *damage = &etl->index_damage;
    uint64_t rest = etl->source.size - b->position;
    uint32_t present = h->size < rest ? h->size : (uint32_t)rest;
    if (present < h->size)
        damage->truncated_buffers++;
    if (h->type == ETL_BUFFER_TYPE_CTX_SWAP || h->type == ETL_BUFFER_TYPE_DBG_INFO) {
        damage->skipped_buffers++;
        damage->bytes_skipped += present;
        return false;
    }
    if (h->type == ETL_BUFFER_TYPE_REFTIME || h->type == ETL_BUFFER_TYPE_EMPTY_MARKER)
        return false;
    *entry = (etl_entry){.offset = b->position};
    if (h->flags & ETL_FLAG_COMPRESSED) {
        entry->flags = ETL_ENTRY_COMPRESSED;
        entry->read_bytes = present;
        if (present < h->size)
            entry->flags |= ETL_ENTRY_TRUNCATED;
    } else {
        uint32_t end = data_end(etl, h, &entry->flags);
        entry->read_bytes = end < present ? end : present;
        if (end > present)
            entry->flags |= ETL_ENTRY_TRUNCATED;
    }
    if (h->flags & ETL_FLAG_EVENTS_LOST)
        entry->flags |= ETL_ENTRY_EVENTS_LOST;
    if (h->flags & ETL_FLAG_BUFFER_LOST)
        entry->flags |= ETL_ENTRY_BUFFER_LOST;
    peek_first_time(b, entry);
    return true;
}

/* A compressed buffer must not unpack to more than a buffer of the session. */
static bool
has_bad_compressed_offset(const etwc_etl *etl, const buffer_header *h)
{
    return (h->flags & ETL_FLAG_COMPRESSED) != 0 &&
           (h->offset < ETL_BUFFER_HEADER_BYTES || h->offset > etl->step_bytes);
}

/* ---- Stepping over ------------------------------------------------------------ */

static bool
is_plausible(const etwc_etl *etl, const buffer_header *h, uint64_t rest)
{
    uint32_t cap = h->size > etl->step_bytes ? h->size : etl->step_bytes;
    return h->size >= ETL_BUFFER_HEADER_BYTES && h->size <= rest &&
           h->type <= ETL_BUFFER_TYPE_MAX && h->reference_count == 0 &&
           h->state <= ETL_BUFFER_STATE_MAX && (h->flags & ~ETL_FLAG_KNOWN) == 0 &&
           h->offset == h->saved_offset && h->offset >= ETL_BUFFER_HEADER_BYTES &&
           h->offset <= cap;
}

/* Another plausible header, or the end of the file, at `position`. */
static etwc_status
is_plausible_at(const etwc_etl *etl, uint64_t position, bool *out, etwc_error *err)
{
    uint8_t bytes[ETL_BUFFER_HEADER_BYTES];
    uint64_t rest = etl->source.size - position;
    *out = rest == 0;
    if (rest < sizeof bytes)
        return ETWC_OK;
    etwc_status st = etwc_source_read(&etl->source, position, bytes, sizeof bytes, err);
    if (st != ETWC_OK)
        return st;
    buffer_header h;
    parse_buffer_header(bytes, &h);
    *out = is_plausible(etl, &h, rest);
    return ETWC_OK;
}

/* Buffers of a compressed file begin anywhere: looks for the next one byte by
 * byte, from the byte after `b->position` on. */
static etwc_status
scan_for_buffer(index_builder *b, uint64_t *out, etwc_error *err)
{
    const etwc_etl *etl = b->etl;
    uint64_t end = etl->source.size;
    uint8_t *chunk = etwc_malloc(SCAN_CHUNK_MAX_BYTES);
    size_t chunk_bytes = SCAN_CHUNK_MIN_BYTES;
    if (chunk == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.index");
    etwc_status st = ETWC_OK;
    uint64_t at = b->position + 1;
    bool is_found = false;
    while (!is_found && st == ETWC_OK && end - at >= ETL_BUFFER_HEADER_BYTES) {
        size_t n = end - at < chunk_bytes ? (size_t)(end - at) : chunk_bytes;
        st = pause_now_and_then(b, err);
        if (st == ETWC_OK)
            st = etwc_source_read(&etl->source, at, chunk, n, err);
        if (chunk_bytes < SCAN_CHUNK_MAX_BYTES)
            chunk_bytes *= 2;
        size_t tries = n - ETL_BUFFER_HEADER_BYTES + 1;
        for (size_t i = 0; i < tries && st == ETWC_OK; i++, at++) {
            buffer_header h;
            parse_buffer_header(chunk + i, &h);
            if (!is_plausible(etl, &h, end - at))
                continue;
            st = is_plausible_at(etl, at + h.size, &is_found, err);
            if (is_found)
                break;
        }
    }
    etwc_free(chunk);
    *out = is_found ? at : end;
    return st;
}

static etwc_status
step_over(index_builder *b, etwc_error *err)
{
    etwc_etl *etl = b->etl;
    uint64_t next = b->position;
    if (is_compressed_file(etl)) {
        etwc_status st = scan_for_buffer(b, &next, err);
        if (st != ETWC_OK)
            return st;
    } else {
        uint64_t rest = etl->source.size - b->position;
        next += etl->step_bytes < rest ? etl->step_bytes : rest;
    }
    etl->index_damage.bytes_skipped += next - b->position;
    b->position = next;
    return ETWC_OK;
}

/* ---- The pass ----------------------------------------------------------------- */

static etwc_status
index_one(index_builder *b, etwc_error *err)
{
    etwc_etl *etl = b->etl;
    buffer_header h;
    etl_entry entry;
    parse_buffer_header(b->bytes, &h);
    if (is_zero(b->bytes, ETL_BUFFER_HEADER_BYTES)) {
        etl->index_damage.zero_buffers++;
        etwc_status st = add_hole(b, true, err);
        return st != ETWC_OK ? st : step_over(b, err);
    }
    if (!is_buffer(&h)) {
        etl->index_damage.bad_buffers++;
        etwc_status st = add_hole(b, false, err);
        return st != ETWC_OK ? st : step_over(b, err);
    }
    uint64_t rest = etl->source.size - b->position;
    if (has_bad_compressed_offset(etl, &h)) {
        etl->index_damage.bad_buffers++;
        etl->index_damage.bytes_skipped += h.size < rest ? h.size : rest;
        etwc_status st = add_hole(b, false, err);
        if (st != ETWC_OK)
            return st;
    } else {
        uint64_t skipped = etl->index_damage.skipped_buffers;
        count_buffer(etl, &h);
        etwc_status st = ETWC_OK;
        if (make_entry(b, &h, &entry))
            st = add_entry(b, &h, &entry, err);
        else if (skipped != etl->index_damage.skipped_buffers)
            st = add_hole(b, false, err);
        if (st != ETWC_OK)
            return st;
    }
    b->position += h.size < rest ? h.size : rest;
    return ETWC_OK;
}

/* The header's stream is the first one, also when its buffer cannot be used. */
static etwc_status
add_header_stream(index_builder *b, etwc_error *err)
{
    buffer_header h;
    etl_index_stream *stream;
    parse_buffer_header(b->etl->header_bytes, &h);
    return find_stream(b, &h, &stream, err);
}

static etwc_status
index_all(index_builder *b, etwc_error *err)
{
    const etwc_source *source = &b->etl->source;
    while (source->size - b->position >= ETL_BUFFER_HEADER_BYTES) {
        uint64_t rest = source->size - b->position;
        b->available = rest < READ_BYTES ? (size_t)rest : READ_BYTES;
        etwc_status st = pause_now_and_then(b, err);
        if (st == ETWC_OK)
            st = etwc_source_read(source, b->position, b->bytes, b->available, err);
        if (st == ETWC_OK)
            st = index_one(b, err);
        if (st != ETWC_OK)
            return st;
    }
    b->etl->index_damage.trailing_bytes += source->size - b->position;
    return ETWC_OK;
}

/* ---- Order -------------------------------------------------------------------- */

/* An entry on its way to its place. */
typedef struct sort_item {
    int64_t sequence;
    etl_entry entry;
} sort_item;

static bool
is_in_sequence(const etl_index_stream *stream)
{
    for (size_t i = 1; i < stream->count; i++)
        if (stream->sequences[i] < stream->sequences[i - 1])
            return false;
    return true;
}

/* Merges neighbouring runs of `width` items each. */
static void
merge_runs(const sort_item *from, sort_item *to, size_t count, size_t width)
{
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t middle = count - start > width ? start + width : count;
        size_t end = count - start > 2 * width ? start + 2 * width : count;
        size_t left = start;
        size_t right = middle;
        for (size_t i = start; i < end; i++) {
            bool is_left = left < middle && (right == end || from[left].sequence <=
                                                                 from[right].sequence);
            to[i] = from[is_left ? left++ : right++];
        }
    }
}

/* Sorts items[0..count); items[count..2 * count) is room to work in. */
static sort_item *
sort_items(sort_item *items, size_t count)
{
    sort_item *from = items;
    sort_item *to = items + count;
    for (size_t width = 1; width < count; width *= 2) {
        sort_item *merged = to;
        merge_runs(from, to, count, width);
        to = from;
        from = merged;
    }
    return from;
}

/* Stable sort of one stream by sequence number. Not by qsort: it is not stable, and
 * in some C libraries takes quadratic time for input that is made for it. */
static etwc_status
sort_stream(const etwc_etl *etl, etl_index_stream *stream, etwc_error *err)
{
    size_t bytes;
    if (is_in_sequence(stream))
        return ETWC_OK;
    if (!etwc_mul_size(stream->count, 2 * sizeof(sort_item), &bytes))
        return etwc_fail(err, ETWC_E_NOMEM, "etl.index");
    etwc_status st = etwc_pool_charge(etl->pool, bytes, err);
    if (st != ETWC_OK)
        return st;
    sort_item *items = etwc_malloc(bytes);
    if (items == NULL) {
        st = etwc_fail(err, ETWC_E_NOMEM, "etl.index");
    } else {
        for (size_t i = 0; i < stream->count; i++)
            items[i] = (sort_item){stream->sequences[i], stream->entries[i]};
        const sort_item *sorted = sort_items(items, stream->count);
        for (size_t i = 0; i < stream->count; i++)
            stream->entries[i] = sorted[i].entry;
    }
    etwc_free(items);
    etwc_pool_discharge(etl->pool, bytes);
    return st;
}

static int
compare_processor(const void *a, const void *b)
{
    const etl_index_stream *x = a;
    const etl_index_stream *y = b;
    return (x->processor > y->processor) - (x->processor < y->processor);
}

static bool
is_time_ordered(const etl_index_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        const etl_entry *entry = &stream->entries[i];
        if (!(entry->flags & ETL_ENTRY_HAS_TIME) ||
            (i > 0 && entry->first_raw_time < entry[-1].first_raw_time))
            return false;
    }
    return true;
}

static etwc_status
finish(etwc_etl *etl, etwc_error *err)
{
    etl_index *index = &etl->index;
    const etwc_etl_header *h = &etl->header;
    etwc_status st = ETWC_OK;
    for (size_t i = 0; i < index->count && st == ETWC_OK; i++) {
        if (is_ordered_by_sequence(etl))
            st = sort_stream(etl, &index->streams[i], err);
        index->streams[i].is_time_ordered = is_time_ordered(&index->streams[i]);
    }
    if (index->count > 2)
        qsort(index->streams + 1, index->count - 1, sizeof *index->streams,
              compare_processor);
    etl->buffers.streams = (uint32_t)index->count;
    etl->index_damage.header_dirty = !h->is_closed;
    if (h->is_closed && !is_ordered_by_sequence(etl) &&
        h->buffers_written > etl->buffers.count)
        etl->index_damage.missing_buffers = h->buffers_written - etl->buffers.count;
    return st;
}

etwc_status
etl_index_build(etwc_etl *etl, const etwc_pause *pause, etwc_error *err)
{
    index_builder *b = etwc_calloc(1, sizeof *b);
    etl->buffers.first_sequence = -1;
    etl->buffers.last_sequence = -1;
    etwc_status st = ETWC_OK;
    if (b != NULL)
        b->stream_of = etwc_calloc(PROCESSOR_COUNT, sizeof *b->stream_of);
    if (b == NULL || b->stream_of == NULL) {
        st = etwc_fail(err, ETWC_E_NOMEM, "etl.index");
    } else {
        b->etl = etl;
        b->pause = pause;
        st = add_header_stream(b, err);
        if (st == ETWC_OK)
            st = index_all(b, err);
        if (st == ETWC_OK)
            st = finish(etl, err);
        etwc_free(b->stream_of);
    }
    etwc_free(b);
    return st;
}

void
etl_index_reset(etwc_etl *etl)
{
    for (size_t i = 0; i < etl->index.count; i++) {
        etwc_free(etl->index.streams[i].entries);
        etwc_free(etl->index.streams[i].sequences);
    }
    etwc_free(etl->index.streams);
    etwc_free(etl->index.holes);
    if (etl->pool != NULL)
        etwc_pool_discharge(etl->pool, etl->index.charged_bytes);
    etl->index = (etl_index){0};
}
