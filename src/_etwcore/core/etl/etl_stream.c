#include "etl_stream.h"

#include "etwc_alloc.h"

/* How far records may be out of order around a buffer's edge before a time range
 * misses one: 1 / SLACK_DIVISOR of a second. */
enum { SLACK_DIVISOR = 10 };

/* Buffers without a record that one refill passes over at most, by number and by
 * size: a few bytes may unpack to a large buffer. */
enum { REFILL_EMPTY_MAX = 16, REFILL_BYTES_MAX = 16 << 20 };

/* A buffer ends, in time, where the next one of its stream begins. */
static void
trim(etl_stream *s, int64_t slack, int64_t start_raw, int64_t end_raw)
{
    const etl_entry *entries = s->index->entries;
    if (!s->index->is_time_ordered)
        return;
    if (start_raw > INT64_MIN + slack)
        while (s->next_entry + 1 < s->end_entry &&
               entries[s->next_entry + 1].first_raw_time < start_raw - slack)
            s->next_entry++;
    if (end_raw < INT64_MAX - slack)
        while (s->end_entry > s->next_entry &&
               entries[s->end_entry - 1].first_raw_time >= end_raw + slack)
            s->end_entry--;
}

void
etl_stream_init(etl_stream *stream, const etwc_etl *etl, const etl_index_stream *index,
                int64_t start_raw, int64_t end_raw)
{
    *stream = (etl_stream){
        .index = index,
        .end_entry = index->count,
        .records.last_raw_time = INT64_MIN,
        .running_thread = ETWC_NO_ID,
    };
    trim(stream, etl->clock.frequency_hz / SLACK_DIVISOR, start_raw, end_raw);
}

void
etl_stream_reset(etl_stream *stream)
{
    etwc_block_release(stream->buffer.block);
    etwc_free(stream->refs);
    *stream = (etl_stream){0};
}

static etwc_status
retire_block(etl_stream_set *set, etl_stream *s, etwc_error *err)
{
    if (s->buffer.block == NULL)
        return ETWC_OK;
    if (!s->is_buffer_seen) {
        etwc_block_release(s->buffer.block);
        s->buffer.block = NULL;
        return ETWC_OK;
    }
    void *retired = set->retired;
    bool has_room = etwc_grow(&retired, &set->retired_capacity, set->retired_count + 1,
                              sizeof(etwc_block *));
    set->retired = retired;
    if (!has_room)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.stream");
    set->retired[set->retired_count++] = s->buffer.block;
    set->retired_bytes += etwc_block_size(s->buffer.block);
    s->buffer.block = NULL;
    return ETWC_OK;
}

static etwc_status
reserve_window(etl_stream_set *set, etl_stream *s, etwc_error *err)
{
    /* One more than it holds: the merge looks one record ahead. */
    uint64_t bytes = (ETL_WINDOW_RECORDS + 1) * sizeof(etl_ref);
    if (s->refs != NULL)
        return ETWC_OK;
    etwc_status st = etwc_pool_charge(set->etl->pool, bytes, err);
    if (st != ETWC_OK)
        return st;
    s->refs = etwc_calloc(1, (size_t)bytes);
    if (s->refs == NULL) {
        etwc_pool_discharge(set->etl->pool, bytes);
        return etwc_fail(err, ETWC_E_NOMEM, "etl.stream");
    }
    set->charged_bytes += bytes;
    return ETWC_OK;
}

/* Records of the loaded buffer are missing from `begin` on. What finds no room in the
 * list is of unknown place; there are as many gaps as buffers at most. */
static void
note_gap(etl_stream_set *set, const etl_stream *s, int64_t begin)
{
    etl_gap_list *gaps = &set->gaps;
    size_t had = gaps->capacity;
    etwc_gap gap = {begin, etl_time_from(s->index, s->next_entry), s->index->processor};
    bool is_header = s->index == &set->etl->index.streams[0];
    if (gaps->is_partial || is_header || !etl_gap_add(gaps, gap)) {
        gaps->is_partial = true;
        return;
    }
    uint64_t bytes = (uint64_t)(gaps->capacity - had) * sizeof gap;
    if (bytes == 0)
        return;
    if (etwc_pool_charge(set->etl->pool, bytes, NULL) == ETWC_OK)
        set->charged_bytes += bytes;
    else
        gaps->is_partial = true;
}

static uint64_t
records_damaged(const etl_stream_set *set)
{
    return set->damage.bad_records + set->damage.truncated_records;
}

static void
scan_records(etl_stream_set *set, etl_stream *s)
{
    uint64_t before = records_damaged(set);
    s->count = etl_records_scan(&s->records, s->refs, ETL_WINDOW_RECORDS, &set->damage);
    if (ETWC_UNLIKELY(records_damaged(set) != before))
        note_gap(set, s, s->records.last_raw_time);
}

static etwc_status
load_next_buffer(etl_stream_set *set, etl_stream *s, etwc_error *err)
{
    const etl_entry *entry = &s->index->entries[s->next_entry];
    etwc_status st = reserve_window(set, s, err);
    if (st == ETWC_OK)
        st = etl_buffer_load(set->etl, entry, &set->scratch, &s->buffer, &s->records,
                             &set->damage, err);
    if (st != ETWC_OK)
        return st;
    set->position += entry->read_bytes;
    set->loaded_bytes +=
        s->buffer.block != NULL ? etwc_block_size(s->buffer.block) : entry->read_bytes;
    s->is_buffer_seen = false;
    s->next_entry++;
    if (s->buffer.block == NULL) /* it could not be decompressed */
        note_gap(set, s, etl_time_before(s->index, s->next_entry - 1));
    return ETWC_OK;
}

etwc_status
etl_stream_refill(etl_stream_set *set, etl_stream *s, etwc_error *err)
{
    uint64_t bytes_end = set->loaded_bytes + REFILL_BYTES_MAX;
    s->count = 0;
    for (int loaded = 0;; loaded++) {
        if (s->buffer.block != NULL)
            scan_records(set, s);
        if (s->count != 0) {
            s->is_buffer_seen = true;
            return ETWC_OK;
        }
        etwc_status st = retire_block(set, s, err);
        if (st != ETWC_OK || s->next_entry == s->end_entry ||
            loaded == REFILL_EMPTY_MAX || set->loaded_bytes > bytes_end)
            return st;
        st = load_next_buffer(set, s, err);
        if (st != ETWC_OK)
            return st;
    }
}

bool
etl_stream_due(const etl_stream *s, int64_t *out_raw_time)
{
    /* More of the same buffer: due no earlier than what came before it. */
    if (s->buffer.block != NULL && s->records.position < s->records.end)
        *out_raw_time = s->records.last_raw_time;
    else if (s->next_entry < s->end_entry)
        *out_raw_time = s->index->entries[s->next_entry].first_raw_time;
    else
        return false;
    return true;
}

void
etl_stream_set_release_retired(etl_stream_set *set)
{
    for (size_t i = 0; i < set->retired_count; i++)
        etwc_block_release(set->retired[i]);
    set->retired_count = 0;
    set->retired_bytes = 0;
}

void
etl_stream_set_reset(etl_stream_set *set)
{
    etl_stream_set_release_retired(set);
    etwc_free(set->retired);
    etl_scratch_reset(set->etl, &set->scratch);
    etl_gap_list_reset(&set->gaps);
    etwc_pool_discharge(set->etl->pool, set->charged_bytes);
    *set = (etl_stream_set){0};
}
