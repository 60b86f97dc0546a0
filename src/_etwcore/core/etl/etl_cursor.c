/*
 * Cursors: selected events of one or several files, as views
 * (etl-format.md chapters 6 and 10).
 */
#include "etl_view.h"
#include "etwc_alloc.h"
#include "etwc_provider.h"

enum { ITEM_CAPACITY = 512, DEFAULT_BUDGET = 1000000, COUNT_CHUNK = 64 };

/* One file of a cursor. */
typedef struct cursor_file {
    etwc_etl *etl; /* owned reference */
    etl_merge *merge;
    int64_t first_raw, last_raw; /* the selection's range in this file's clock */
    etl_item *items;             /* owned */
    size_t item, item_count;     /* items[item] is the next record */
    uint32_t index;              /* of the file in the cursor */
    int64_t next_filetime;       /* of that record; set when several files are merged */
    bool is_done;
} cursor_file;

struct etwc_cursor {
    cursor_file *files; /* owned */
    size_t file_count;
    const cursor_file *rival; /* next after the picked file; NULL: none */
    etwc_matcher *matcher;
    uint64_t budget;
    uint64_t loaded_bytes; /* since the call began */
    bool is_failed;        /* a failure was reported: END from now on */
};

/* ---- Life --------------------------------------------------------------------- */

/* The range of a selection as raw stamps of one file. */
static void
set_range(cursor_file *file, const etwc_selection *selection)
{
    const etwc_clock *clock = &file->etl->clock;
    file->first_raw = INT64_MIN;
    file->last_raw = INT64_MAX;
    if (selection == NULL || clock->is_broken)
        return;
    if (selection->has_start)
        file->first_raw = etwc_clock_raw(clock, selection->start_filetime);
    /* One more than is wanted, where that is not exact: the matcher asks again. */
    if (selection->has_end)
        file->last_raw = etwc_clock_raw(clock, selection->end_filetime);
}

static etwc_status
open_file(etwc_cursor *cursor, cursor_file *file, etwc_etl *etl,
          const etwc_selection *selection, etwc_error *err)
{
    file->etl = etl;
    etwc_etl_retain(etl);
    set_range(file, selection);
    file->index = (uint32_t)(file - cursor->files);
    file->items = etwc_calloc(ITEM_CAPACITY, sizeof *file->items);
    if (file->items == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.cursor");
    return etl_merge_new(etl, cursor->matcher, file->first_raw, file->last_raw,
                         &file->merge, err);
}

etwc_status
etwc_cursor_open(etwc_etl *const *files, size_t count, const etwc_selection *selection,
                 etwc_cursor **out, etwc_error *err)
{
    etwc_cursor *cursor = etwc_calloc(1, sizeof *cursor);
    if (cursor == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "etl.cursor");
    cursor->budget = DEFAULT_BUDGET;
    cursor->matcher = etwc_matcher_new(selection);
    cursor->files = etwc_calloc(count, sizeof *cursor->files);
    etwc_status st = ETWC_OK;
    if (cursor->matcher == NULL || cursor->files == NULL)
        st = etwc_fail(err, ETWC_E_NOMEM, "etl.cursor");
    for (; st == ETWC_OK && cursor->file_count < count; cursor->file_count++)
        st = open_file(cursor, &cursor->files[cursor->file_count],
                       files[cursor->file_count], selection, err);
    if (st != ETWC_OK) {
        etwc_cursor_close(cursor);
        return st;
    }
    *out = cursor;
    return ETWC_OK;
}

void
etwc_cursor_close(etwc_cursor *cursor)
{
    if (cursor == NULL)
        return;
    for (size_t i = 0; i < cursor->file_count; i++) {
        etl_merge_free(cursor->files[i].merge);
        etwc_free(cursor->files[i].items);
        etwc_etl_release(cursor->files[i].etl);
    }
    etwc_free(cursor->files);
    etwc_matcher_free(cursor->matcher);
    etwc_free(cursor);
}

void
etwc_cursor_set_budget(etwc_cursor *cursor, uint64_t records)
{
    cursor->budget = records != 0 ? records : 1;
}

/* ---- Records ------------------------------------------------------------------ */

/* Makes sure that the file's next record is at hand, or that it is done. Neither
 * when it took too long (file_is_idle). Buffers that are used up are let go of
 * unless views of them may be out. */
static etwc_status
file_prepare(etwc_cursor *cursor, cursor_file *file, bool has_views, etwc_error *err)
{
    if (file->is_done || file->item < file->item_count)
        return ETWC_OK;
    if (!has_views)
        etl_merge_release_retired(file->merge);
    file->item = 0;
    file->item_count = 0;
    uint64_t loaded_before = etl_merge_loaded(file->merge);
    etwc_status st =
        etl_merge_next(file->merge, file->items, ITEM_CAPACITY, &file->item_count, err);
    cursor->loaded_bytes += etl_merge_loaded(file->merge) - loaded_before;
    file->is_done = st == ETWC_END;
    return st == ETWC_END ? ETWC_OK : st;
}

static bool
file_is_idle(const cursor_file *file)
{
    return !file->is_done && file->item == file->item_count;
}

/* Conditions that need no view. */
static bool
is_candidate(const etwc_cursor *cursor, const cursor_file *file, const etl_item *item)
{
    return item->ref->raw_time >= file->first_raw &&
           item->ref->raw_time <= file->last_raw &&
           etwc_matcher_allows_provider(cursor->matcher,
                                        etl_view_provider(file->etl, item));
}

/* Takes up to `limit` records, all of them at hand, while there is room for one
 * more view; returns the number of selected ones. *taken is that of all. */
static size_t
take_items(const etwc_cursor *cursor, cursor_file *file, uint64_t limit,
           etwc_event *events, size_t capacity, uint64_t *taken)
{
    const etl_item *first = &file->items[file->item];
    size_t at_hand = file->item_count - file->item;
    const etl_item *end = first + (at_hand < limit ? at_hand : (size_t)limit);
    const etl_item *item = first;
    size_t count = 0;
    if (etwc_matcher_is_empty(cursor->matcher)) {
        count = (size_t)(end - first) < capacity ? (size_t)(end - first) : capacity;
        item = first + count;
        etl_view_items(file->etl, file->index, first, count, events);
    }
    for (; item != end && count < capacity; item++) {
        if (!is_candidate(cursor, file, item)) {
            etl_view_pass(item);
            continue;
        }
        etl_view_items(file->etl, file->index, item, 1, &events[count]);
        count += etwc_matcher_matches(cursor->matcher, &events[count]);
    }
    file->item += (size_t)(item - first);
    *taken = (uint64_t)(item - first);
    return count;
}

static int64_t
next_filetime(const cursor_file *file)
{
    return etwc_clock_filetime(&file->etl->clock,
                               file->items[file->item].ref->raw_time);
}

/* By wall clock; the earlier file of the list wins a tie. */
static bool
is_before(int64_t filetime, const cursor_file *file, const cursor_file *rival)
{
    return rival == NULL || filetime < rival->next_filetime ||
           (filetime == rival->next_filetime && file < rival);
}

/* The file whose next record is the oldest, or one that is idle; NULL when all are
 * done. The second-best is remembered as the rival. */
static etwc_status
pick_file(etwc_cursor *cursor, bool has_views, cursor_file **out, etwc_error *err)
{
    cursor_file *best = NULL;
    cursor->rival = NULL;
    for (size_t i = 0; i < cursor->file_count; i++) {
        cursor_file *file = &cursor->files[i];
        etwc_status st = file_prepare(cursor, file, has_views, err);
        if (st != ETWC_OK) {
            if (err != NULL)
                err->file_index = (uint32_t)i;
            return st;
        }
        if (file->is_done)
            continue;
        if (file_is_idle(file)) {
            *out = file;
            return ETWC_OK;
        }
        file->next_filetime = next_filetime(file);
        if (is_before(file->next_filetime, file, best)) {
            cursor->rival = best;
            best = file;
        } else if (is_before(file->next_filetime, file, cursor->rival)) {
            cursor->rival = file;
        }
    }
    *out = best;
    return ETWC_OK;
}

static etwc_status
next_file(etwc_cursor *cursor, bool has_views, cursor_file **out, etwc_error *err)
{
    if (cursor->file_count != 1)
        return pick_file(cursor, has_views, out, err);
    cursor_file *file = &cursor->files[0];
    etwc_status st = file_prepare(cursor, file, has_views, err);
    *out = file->is_done ? NULL : file;
    return st;
}

/* ---- Public ------------------------------------------------------------------- */

/* How many records of the picked file come before its rival's next one. The rival
 * does not move meanwhile, so that the many files of a NEWFILE session are compared
 * once a stretch and not once a record. */
static uint64_t
stretch(const etwc_cursor *cursor, const cursor_file *file, uint64_t left)
{
    uint64_t length = 1;
    if (cursor->file_count == 1 || cursor->rival == NULL)
        return left;
    for (const etl_item *item = &file->items[file->item + 1];
         length < left && item != &file->items[file->item_count]; item++, length++) {
        int64_t filetime = etwc_clock_filetime(&file->etl->clock, item->ref->raw_time);
        if (!is_before(filetime, file, cursor->rival))
            break;
    }
    return length;
}

/* One call's worth of records: fills `events`, from the start again with every
 * round when only their number is wanted. */
static etwc_status
take(etwc_cursor *cursor, etwc_event *events, size_t capacity, bool is_count,
     uint64_t *out_count, etwc_error *err)
{
    uint64_t taken;
    *out_count = 0;
    cursor->loaded_bytes = 0;
    for (uint64_t left = cursor->budget; left != 0; left -= taken) {
        size_t kept = is_count ? 0 : (size_t)*out_count;
        cursor_file *file = NULL;
        if (kept == capacity)
            break;
        etwc_status st = next_file(cursor, kept != 0, &file, err);
        if (st != ETWC_OK)
            return st;
        if (file == NULL)
            return ETWC_END;
        if (file_is_idle(file) || cursor->loaded_bytes > ETL_CALL_BYTES_MAX)
            break;
        *out_count += take_items(cursor, file, stretch(cursor, file, left),
                                 events + kept, capacity - kept, &taken);
        if (file_is_idle(file) && !is_count && *out_count != 0 &&
            etl_merge_is_holding_much(file->merge))
            break;
    }
    return ETWC_OK;
}

static void
release_retired(etwc_cursor *cursor)
{
    for (size_t i = 0; i < cursor->file_count; i++)
        etl_merge_release_retired(cursor->files[i].merge);
}

etwc_status
etwc_cursor_next(etwc_cursor *cursor, etwc_event *events, size_t capacity,
                 size_t *out_count, etwc_error *err)
{
    uint64_t count;
    *out_count = 0;
    if (cursor->is_failed)
        return ETWC_END;
    release_retired(cursor);
    etwc_status st = take(cursor, events, capacity, false, &count, err);
    *out_count = (size_t)count;
    if (count != 0)
        return ETWC_OK; /* the end, or the same failure, comes again */
    cursor->is_failed = st != ETWC_OK && st != ETWC_END;
    return st;
}

/* Everything of one file: the merge alone knows how many records there are. */
static etwc_status
count_all(etwc_cursor *cursor, uint64_t *out_count, etwc_error *err)
{
    cursor_file *file = &cursor->files[0];
    *out_count = file->item_count - file->item;
    file->item = file->item_count;
    return etl_merge_count(file->merge, cursor->budget, out_count, err);
}

etwc_status
etwc_cursor_count(etwc_cursor *cursor, uint64_t *out_count, etwc_error *err)
{
    etwc_event scratch[COUNT_CHUNK];
    uint64_t count;
    etwc_status st;
    if (cursor->is_failed)
        return ETWC_END;
    release_retired(cursor);
    if (cursor->file_count == 1 && etwc_matcher_is_empty(cursor->matcher))
        st = count_all(cursor, &count, err);
    else
        st = take(cursor, scratch, COUNT_CHUNK, true, &count, err);
    *out_count += count;
    cursor->is_failed = st != ETWC_OK && st != ETWC_END;
    return st;
}

void
etwc_cursor_get_damage(const etwc_cursor *cursor, etwc_damage *out)
{
    *out = (etwc_damage){0};
    for (size_t i = 0; i < cursor->file_count; i++) {
        const etwc_etl *etl = cursor->files[i].etl;
        const etwc_damage *inside = etl_merge_damage(cursor->files[i].merge);
        etwc_damage_add(out, &etl->index_damage);
        etwc_damage_add(out, inside);
        /* A buffer that cannot be decompressed is as good as not there. */
        uint64_t usable = etl->buffers.count - inside->decompress_errors;
        bool is_complete =
            etl->header.is_closed &&
            !(etl->header.log_file_mode & (ETWC_MODE_CIRCULAR | ETWC_MODE_BUFFERING));
        if (is_complete && etl->header.buffers_written > usable)
            out->missing_buffers += etl->header.buffers_written - usable -
                                    etl->index_damage.missing_buffers;
    }
}

etwc_status
etwc_cursor_find_gaps(const etwc_cursor *cursor, etwc_gap **out, size_t *out_count,
                      bool *out_is_located, etwc_error *err)
{
    etl_gap_list all = {0};
    etwc_status st = ETWC_OK;
    for (size_t i = 0; i < cursor->file_count && st == ETWC_OK; i++) {
        const etl_gap_list *met = etl_merge_gaps(cursor->files[i].merge);
        st = etl_file_find_gaps(cursor->files[i].etl, &all, err);
        all.is_partial |= met->is_partial;
        for (size_t j = 0; j < met->count && st == ETWC_OK; j++)
            if (!etl_gap_add(&all, met->gaps[j]))
                st = etwc_fail(err, ETWC_E_NOMEM, "etl.gaps");
    }
    if (st != ETWC_OK) {
        etl_gap_list_reset(&all);
        return st;
    }
    *out = all.gaps;
    *out_count = all.count;
    *out_is_located = !all.is_partial;
    return ETWC_OK;
}

uint64_t
etwc_cursor_get_position(const etwc_cursor *cursor)
{
    uint64_t position = 0;
    for (size_t i = 0; i < cursor->file_count; i++)
        position += etl_merge_position(cursor->files[i].merge);
    return position;
}
