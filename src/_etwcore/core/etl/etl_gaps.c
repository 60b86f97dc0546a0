/* Gaps that the index and the header of a file tell of; see etl_gaps.h. */
#include "etl_gaps.h"

#include "etl_file.h"
#include "etwc_alloc.h"

bool
etl_gap_add(etl_gap_list *list, etwc_gap gap)
{
    etwc_gap *last = list->count != 0 ? &list->gaps[list->count - 1] : NULL;
    if (gap.begin_raw_time >= gap.end_raw_time) /* both edges have the same stamp */
        gap.end_raw_time = gap.begin_raw_time + (gap.begin_raw_time != INT64_MAX);
    if (last != NULL && last->processor == gap.processor &&
        gap.begin_raw_time <= last->end_raw_time &&
        gap.begin_raw_time >= last->begin_raw_time) {
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

void
etl_gap_list_reset(etl_gap_list *list)
{
    etwc_free(list->gaps);
    *list = (etl_gap_list){0};
}

int64_t
etl_time_before(const etl_index_stream *stream, size_t entry)
{
    for (size_t i = entry; i > 0; i--)
        if (stream->entries[i - 1].flags & ETL_ENTRY_HAS_TIME)
            return stream->entries[i - 1].first_raw_time;
    return INT64_MIN;
}

int64_t
etl_time_from(const etl_index_stream *stream, size_t entry)
{
    for (size_t i = entry; i < stream->count; i++)
        if (stream->entries[i].flags & ETL_ENTRY_HAS_TIME)
            return stream->entries[i].first_raw_time;
    return INT64_MAX;
}

/* ---- Holes: places in the file where a buffer of any processor may have been ------ */

/* How many lie before an offset of the file. */
static uint64_t
holes_before(const etl_index *index, uint64_t offset, bool with_empty)
{
    size_t low = 0, high = index->hole_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->holes[middle].offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (with_empty || low == 0)
        return low;
    return index->holes[low - 1].bad_before + !index->holes[low - 1].is_empty;
}

/* What a file is known to lack. */
typedef struct lack {
    bool has_holes;      /* that buffers may have been in */
    bool counts_empty;   /* those that are all zero, too */
    bool is_end_missing; /* more buffers than there are holes */
} lack;

static lack
find_lack(const etwc_etl *etl)
{
    const etl_index *index = &etl->index;
    uint64_t missing = etl->index_damage.missing_buffers;
    uint64_t stepped_over = 0;
    lack found = {.counts_empty = missing != 0};
    for (size_t i = 0; i < index->hole_count; i++) {
        if (index->holes[i].is_empty && !found.counts_empty)
            continue;
        found.has_holes = true;
        stepped_over += index->holes[i].buffers;
    }
    found.is_end_missing = missing > stepped_over;
    return found;
}

/* ---- One stream --------------------------------------------------------------------- */

static bool
add_gap(const etl_index_stream *stream, int64_t begin, int64_t end, etl_gap_list *list)
{
    return etl_gap_add(list, (etwc_gap){begin, end, stream->processor});
}

/* Between the buffers of a stream, in the order of the file. */
static bool
find_holes(const etl_index *index, const etl_index_stream *stream, const lack *of,
           etl_gap_list *list)
{
    uint64_t passed = 0;
    for (size_t i = 0; i <= stream->count; i++) {
        bool is_last = i == stream->count;
        uint64_t end = is_last ? UINT64_MAX : stream->entries[i].offset;
        uint64_t before = holes_before(index, end, of->counts_empty);
        bool is_hole = before != passed || (is_last && of->is_end_missing);
        passed = before;
        if (is_hole && !add_gap(stream, etl_time_before(stream, i),
                                etl_time_from(stream, i), list))
            return false;
    }
    return true;
}

static bool
find_flags(const etl_index_stream *stream, etl_gap_list *list)
{
    enum {
        LOSING = ETL_ENTRY_EVENTS_LOST | ETL_ENTRY_BUFFER_LOST | ETL_ENTRY_TRUNCATED
    };
    for (size_t i = 0; i < stream->count; i++) {
        uint32_t flags = stream->entries[i].flags;
        if (!(flags & LOSING))
            continue;
        size_t end = flags & ETL_ENTRY_EVENTS_LOST ? i + 1 : i;
        if (flags & (ETL_ENTRY_EVENTS_LOST | ETL_ENTRY_BUFFER_LOST) &&
            !add_gap(stream, etl_time_before(stream, i), etl_time_from(stream, end),
                     list))
            return false;
        if (flags & ETL_ENTRY_TRUNCATED &&
            !add_gap(stream, etl_time_before(stream, i + 1),
                     etl_time_from(stream, i + 1), list))
            return false;
    }
    return true;
}

/* ---- The whole file ------------------------------------------------------------------ */

/* Whether the header counts more than the flags of buffers tell the place of: a
 * buffer says that events were lost, but not how many, and that one or more before it
 * were. */
static bool
has_unplaced_loss(const etwc_etl *etl)
{
    const etwc_etl_header *h = &etl->header;
    const etl_index_stream *header = &etl->index.streams[0];
    for (size_t i = 0; i < header->count; i++)
        if (header->entries[i].flags & (ETL_ENTRY_EVENTS_LOST | ETL_ENTRY_BUFFER_LOST))
            return true;
    if (!h->is_closed)
        return false; /* then the counts are not known, and no more is */
    return (h->events_lost != 0 && etl->buffers.events_lost_flag == 0) ||
           h->buffers_lost > etl->buffers.buffer_lost_flag;
}

static bool
is_rotated(const etwc_etl *etl)
{
    return (etl->header.log_file_mode & (ETWC_MODE_CIRCULAR | ETWC_MODE_BUFFERING)) !=
           0;
}

etwc_status
etl_file_find_gaps(const etwc_etl *etl, etl_gap_list *list, etwc_error *err)
{
    const etl_index *index = &etl->index;
    lack of = find_lack(etl);
    bool lacks_buffers = of.has_holes || of.is_end_missing;
    /* What a processor without any buffer may have had there can be of any time, and
     * so can what was in a file that begins somewhere in the middle. */
    bool is_anywhere =
        lacks_buffers && (is_rotated(etl) || index->count <= etl->header.processors);
    list->is_partial |= is_anywhere || has_unplaced_loss(etl);
    /* The first stream is that of the header buffers, which record nothing. */
    for (size_t i = 1; i < index->count; i++) {
        const etl_index_stream *stream = &index->streams[i];
        if (!find_flags(stream, list) || (lacks_buffers && !is_rotated(etl) &&
                                          !find_holes(index, stream, &of, list)))
            return etwc_fail(err, ETWC_E_NOMEM, "etl.gaps");
    }
    return ETWC_OK;
}
