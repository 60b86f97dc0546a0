/* Where events may be missing: the loss flags of buffers, as times. */
#include "etl_file.h"
#include "etwc_alloc.h"

typedef struct gap_list {
    etwc_gap *gaps; /* owned */
    size_t count, capacity;
} gap_list;

static bool
gap_add(gap_list *list, etwc_gap gap)
{
    etwc_gap *last = list->count != 0 ? &list->gaps[list->count - 1] : NULL;
    if (last != NULL && last->processor == gap.processor &&
        gap.begin_raw_time <= last->end_raw_time) {
        if (gap.end_raw_time > last->end_raw_time)
            last->end_raw_time = gap.end_raw_time;
        return true;
    }
    void *gaps = list->gaps;
    if (!etwc_grow(&gaps, &list->capacity, list->count + 1, sizeof *list->gaps))
        return false;
    list->gaps = gaps;
    list->gaps[list->count++] = gap;
    return true;
}

/* First record of the buffer at or before `i`, of those whose time is known. */
static int64_t
time_before(const etl_index_stream *stream, size_t i)
{
    for (; i > 0; i--)
        if (stream->entries[i - 1].flags & ETL_ENTRY_HAS_TIME)
            return stream->entries[i - 1].first_raw_time;
    return INT64_MIN;
}

static int64_t
time_from(const etl_index_stream *stream, size_t i)
{
    for (; i < stream->count; i++)
        if (stream->entries[i].flags & ETL_ENTRY_HAS_TIME)
            return stream->entries[i].first_raw_time;
    return INT64_MAX;
}

static bool
find_in_stream(const etl_index_stream *stream, gap_list *list)
{
    for (size_t i = 0; i < stream->count; i++) {
        uint32_t flags = stream->entries[i].flags;
        if (!(flags & (ETL_ENTRY_EVENTS_LOST | ETL_ENTRY_BUFFER_LOST)))
            continue;
        size_t end = flags & ETL_ENTRY_EVENTS_LOST ? i + 1 : i;
        etwc_gap gap = {time_before(stream, i), time_from(stream, end),
                        stream->processor};
        if (gap.begin_raw_time < gap.end_raw_time && !gap_add(list, gap))
            return false;
    }
    return true;
}

etwc_status
etwc_etl_find_gaps(const etwc_etl *etl, etwc_gap **out, size_t *out_count,
                   etwc_error *err)
{
    gap_list list = {0};
    /* The first stream is that of the header buffers, which record nothing. */
    for (size_t i = 1; i < etl->index.count; i++)
        if (!find_in_stream(&etl->index.streams[i], &list)) {
            etwc_free(list.gaps);
            return etwc_fail(err, ETWC_E_NOMEM, "etl.gaps");
        }
    *out = list.gaps;
    *out_count = list.count;
    return ETWC_OK;
}
