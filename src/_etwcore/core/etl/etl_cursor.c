/*
 * Cursors: selected events of one or several files, as views
 * (etl-format.md chapters 6 and 10).
 */
#include <stdlib.h>

#include "etl_merge.h"
#include "etwc_alloc.h"

enum { RUN_CAPACITY = 256, DEFAULT_BUDGET = 1000000 };

/* One file of a cursor. */
typedef struct cursor_file {
    etwc_etl *etl; /* owned reference */
    etl_merge *merge;
    int64_t first_raw, last_raw; /* the selection's range in this file's clock */
    etl_run *runs;               /* owned */
    size_t run, run_count;       /* runs[run].refs[ref] is the next record */
    size_t ref;
    int64_t next_filetime; /* of that record; set when several files are merged */
    bool is_done;
} cursor_file;

struct etwc_cursor {
    cursor_file *files; /* owned */
    size_t file_count;
    etwc_matcher *matcher;
    uint64_t budget;
    bool is_failed; /* a failure was reported: END from now on */
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
    file->runs = etwc_calloc(RUN_CAPACITY, sizeof *file->runs);
    if (file->runs == NULL)
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
        etwc_free(cursor->files[i].runs);
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
file_prepare(cursor_file *file, bool has_views, etwc_error *err)
{
    if (file->is_done || file->run < file->run_count)
        return ETWC_OK;
    if (!has_views)
        etl_merge_release_retired(file->merge);
    file->run = 0;
    file->ref = 0;
    file->run_count = 0;
    etwc_status st =
        etl_merge_next(file->merge, file->runs, RUN_CAPACITY, &file->run_count, err);
    file->is_done = st == ETWC_END;
    return st == ETWC_END ? ETWC_OK : st;
}

static bool
file_is_idle(const cursor_file *file)
{
    return !file->is_done && file->run == file->run_count;
}

static void
file_advance(cursor_file *file)
{
    if (++file->ref == file->runs[file->run].count) {
        file->ref = 0;
        file->run++;
    }
}

/* Conditions that need no view. */
static bool
is_candidate(const etwc_cursor *cursor, const cursor_file *file, const etl_run *run,
             const etl_ref *ref)
{
    return ref->raw_time >= file->first_raw && ref->raw_time <= file->last_raw &&
           etwc_matcher_allows_provider(
               cursor->matcher,
               etl_record_provider(&file->etl->record_context, run->image, ref));
}

/* Builds the view of the file's next record. False when it is not selected. */
static bool
take_record(const etwc_cursor *cursor, cursor_file *file, size_t file_index,
            etwc_event *event)
{
    const etl_run *run = &file->runs[file->run];
    const etl_ref *ref = &run->refs[file->ref];
    bool is_everything = etwc_matcher_is_empty(cursor->matcher);
    bool is_selected = is_everything || is_candidate(cursor, file, run, ref);
    if (is_selected) {
        etl_record_view(&file->etl->record_context, run->image, ref, event);
        event->block = run->block;
        event->processor = run->processor;
        event->logger_id = run->logger_id;
        event->file_index = (uint32_t)file_index;
        event->running_thread_id = run->stream->running_thread;
        is_selected = is_everything || etwc_matcher_matches(cursor->matcher, event);
    }
    if (etl_record_is_cswitch(run->image, ref))
        run->stream->running_thread = etl_record_new_thread(run->image, ref);
    return is_selected;
}

/* The file whose next record is the oldest by wall clock, or one that is idle;
 * NULL when all are done. Files are few, so this is a plain search. */
static etwc_status
pick_file(etwc_cursor *cursor, bool has_views, cursor_file **out, etwc_error *err)
{
    cursor_file *best = NULL;
    for (size_t i = 0; i < cursor->file_count; i++) {
        cursor_file *file = &cursor->files[i];
        etwc_status st = file_prepare(file, has_views, err);
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
        file->next_filetime = etwc_clock_filetime(
            &file->etl->clock, file->runs[file->run].refs[file->ref].raw_time);
        if (best == NULL || file->next_filetime < best->next_filetime)
            best = file;
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
    etwc_status st = file_prepare(file, has_views, err);
    *out = file->is_done ? NULL : file;
    return st;
}

/* ---- Public ------------------------------------------------------------------- */

/* A failure is told once, and only after all that came before it. */
static etwc_status
fail_once(etwc_cursor *cursor, etwc_status st, size_t count)
{
    if (count != 0)
        return ETWC_OK; /* the same call fails again */
    cursor->is_failed = true;
    return st;
}

etwc_status
etwc_cursor_next(etwc_cursor *cursor, etwc_event *events, size_t capacity,
                 size_t *out_count, etwc_error *err)
{
    size_t count = 0;
    *out_count = 0;
    if (cursor->is_failed)
        return ETWC_END;
    for (size_t i = 0; i < cursor->file_count; i++)
        etl_merge_release_retired(cursor->files[i].merge);
    for (uint64_t left = cursor->budget; left != 0 && count < capacity; left--) {
        cursor_file *file = NULL;
        etwc_status st = next_file(cursor, count != 0, &file, err);
        if (st != ETWC_OK) {
            *out_count = count;
            return fail_once(cursor, st, count);
        }
        if (file == NULL) {
            *out_count = count;
            return count != 0 ? ETWC_OK : ETWC_END;
        }
        if (file_is_idle(file))
            break;
        count +=
            take_record(cursor, file, (size_t)(file - cursor->files), &events[count]);
        file_advance(file);
        if (file_is_idle(file) && count != 0 && etl_merge_is_holding_much(file->merge))
            break;
    }
    *out_count = count;
    return ETWC_OK;
}

/* Everything of one file: the merge alone knows how many records there are. */
static etwc_status
count_all(etwc_cursor *cursor, uint64_t *out_count, etwc_error *err)
{
    cursor_file *file = &cursor->files[0];
    for (; file->run < file->run_count; file->run++, file->ref = 0)
        *out_count += file->runs[file->run].count - file->ref;
    return etl_merge_count(file->merge, cursor->budget, out_count, err);
}

etwc_status
etwc_cursor_count(etwc_cursor *cursor, uint64_t *out_count, etwc_error *err)
{
    etwc_event scratch;
    if (cursor->is_failed)
        return ETWC_END;
    etwc_status st = ETWC_OK;
    if (cursor->file_count == 1 && etwc_matcher_is_empty(cursor->matcher)) {
        st = count_all(cursor, out_count, err);
        cursor->is_failed = st != ETWC_OK && st != ETWC_END;
        return st;
    }
    for (size_t i = 0; i < cursor->file_count; i++)
        etl_merge_release_retired(cursor->files[i].merge);
    for (uint64_t left = cursor->budget; left != 0; left--) {
        cursor_file *file = NULL;
        st = next_file(cursor, false, &file, err);
        if (st != ETWC_OK || file == NULL)
            break;
        if (file_is_idle(file))
            return ETWC_OK;
        *out_count +=
            take_record(cursor, file, (size_t)(file - cursor->files), &scratch);
        file_advance(file);
        if (left == 1)
            return ETWC_OK;
    }
    if (st != ETWC_OK)
        return fail_once(cursor, st, 0);
    return ETWC_END;
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

uint64_t
etwc_cursor_get_position(const etwc_cursor *cursor)
{
    uint64_t position = 0;
    for (size_t i = 0; i < cursor->file_count; i++)
        position += etl_merge_position(cursor->files[i].merge);
    return position;
}
