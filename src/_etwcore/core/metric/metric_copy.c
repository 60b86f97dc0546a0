/* Copies of rows: made when something has changed, shared until it does again. */
#include "metric_copy.h"

#include "metric_claim.h"
#include "metric_io.h"

/* ---- Making one ------------------------------------------------------------------- */

static void
fill_end(const etwc_aggregate *a, const etwc_process_life *life,
         const etwc_process_facts *facts, metric_copy *to)
{
    etwc_plain_row *row = &to->row;
    to->end_raw_time = life->end_raw_time;
    /* Of a process that only a defunct record tells of, the record's own time is
     * just when it was found. */
    if (life->seen == ETWC_SEEN_DEFUNCT && facts->exit_filetime != 0) {
        to->end_raw_time = INT64_MIN;
        row->end_filetime = facts->exit_filetime;
    } else if (life->end_raw_time != INT64_MAX) {
        bool is_told = (life->seen & ETWC_SEEN_MANIFEST_END) &&
                       !(life->seen & ETWC_SEEN_END) && facts->exit_filetime != 0;
        row->end_filetime = is_told
                                ? facts->exit_filetime
                                : etwc_clock_filetime(&a->clock, life->end_raw_time);
    }
    if (row->end_filetime == 0)
        return;
    row->known |= ETWC_ROW_END;
    if (facts->fields & ETWC_HAS_EXIT_STATUS) {
        row->exit_status = facts->exit_status;
        row->known |= ETWC_ROW_EXIT_STATUS;
    }
}

static void
fill_identity(const etwc_aggregate *a, const etwc_process_life *life, metric_copy *to)
{
    etwc_plain_row *row = &to->row;
    const etwc_process_facts *facts =
        etwc_lifetimes_facts_at(a->lifetimes, life->index);
    row->start_key = life->key != 0 ? life->key : facts->sequence_number;
    row->parent_id = facts->parent_id;
    row->logon_session_id = facts->logon_session_id;
    row->flags = facts->flags;
    if (row->start_key != 0)
        row->known |= ETWC_ROW_KEY;
    if (facts->fields & ETWC_HAS_PROCESS_ID)
        row->known |= ETWC_ROW_PARENT;
    if (facts->fields & ETWC_HAS_SESSION)
        row->known |= ETWC_ROW_SESSION;
    if (facts->fields & ETWC_HAS_FLAGS)
        row->known |= ETWC_ROW_FLAGS;
    if (life->seen != 0)
        row->known |= ETWC_ROW_RECORD;
    if (facts->create_filetime != 0 && !(life->seen & ETWC_SEEN_START))
        row->begin_filetime = facts->create_filetime;
    else if (life->begin_raw_time != INT64_MIN)
        row->begin_filetime = etwc_clock_filetime(&a->clock, life->begin_raw_time);
    if (row->begin_filetime != 0)
        row->known |= ETWC_ROW_BEGIN;
    fill_end(a, life, facts, to);
    to->texts = (etwc_row_texts){facts->name,           facts->command_line,
                                 facts->user_sid,       facts->package_full_name,
                                 facts->application_id, facts->image_path};
}

/* A process without a record is named by the image at its lowest address. */
static const etwc_text_entry *
name_of_image(etwc_aggregate *a, const etwc_text_entry *path)
{
    if (path == NULL)
        return NULL;
    const char *base = path->bytes;
    for (const char *p = path->bytes; *p != '\0'; p++)
        if (*p == '\\' || *p == '/')
            base = p + 1;
    return etwc_strings_add(a->strings, base, strlen(base));
}

static metric_copy *
copy_take(etwc_aggregate *a, const metric_process *from)
{
    size_t size = sizeof(metric_copy) + from->wait_count * sizeof(metric_wait) +
                  from->live_count * sizeof(etwc_live_thread);
    metric_copy *to = (metric_copy *)(void *)metric_store_take(a->store, size);
    if (to == NULL)
        return NULL;
    to->wait_count = from->wait_count;
    to->live_count = from->live_count;
    if (from->wait_count != 0)
        memcpy(to->waits, from->waits, from->wait_count * sizeof *to->waits);
    if (from->live_count != 0)
        memcpy(metric_copy_live(to), from->live, from->live_count * sizeof *from->live);
    return to;
}

/* Most changes are of no block: what the copy before it has is still told. */
static bool
details_update(etwc_aggregate *a, metric_process *from, const metric_copy *had,
               etwc_row_details *out)
{
    if (had != NULL && !from->has_side_changed) {
        *out = had->details;
        return true;
    }
    if (!metric_side_tell(a, &from->side))
        return false;
    *out = metric_side_told(&from->side);
    return true;
}

static metric_copy *
copy_new(etwc_aggregate *a, metric_process *from, const metric_copy *had)
{
    etwc_row_details details;
    metric_wait_renew(a, from);
    if (!details_update(a, from, had, &details))
        return NULL;
    metric_copy *to = copy_take(a, from);
    if (to == NULL)
        return NULL;
    to->row = from->row;
    to->row.row_id = from->row_id;
    to->texts = (etwc_row_texts){0};
    to->details = details;
    metric_fill_handles(a, from, &to->row);
    to->end_raw_time = INT64_MAX;
    to->samples_kernel_unweighted = from->samples_kernel_unweighted;
    to->samples_user_unweighted = from->samples_user_unweighted;
    to->wait_epoch = from->wait_epoch;
    if (from->life != METRIC_NONE)
        fill_identity(a, etwc_lifetimes_process_at(a->lifetimes, from->life), to);
    if (to->texts.name == NULL && to->row.process_id != 0)
        to->texts.name = name_of_image(a, from->lowest_image);
    return to;
}

/* ---- Heads ------------------------------------------------------------------------ */

static metric_head
head_of(const metric_copy *copy)
{
    bool has_end = (copy->row.known & ETWC_ROW_END) != 0;
    return (metric_head){
        .row_id = copy->row.row_id,
        .end_raw_time = has_end ? copy->end_raw_time : INT64_MAX,
        .end_filetime = copy->row.end_filetime,
        .process_id = copy->row.process_id,
        .has_name = copy->texts.name != NULL,
    };
}

static metric_head *
heads_of(etwc_aggregate *a)
{
    return (metric_head *)(void *)a->heads->content;
}

/* Makes them a block with a place for each copy that no snapshot holds. */
static bool
heads_own(etwc_aggregate *a)
{
    const metric_told *had = a->heads;
    size_t size = a->copy_capacity * sizeof(metric_head);
    if (had != NULL && had->size == size && metric_store_is_new(a->store, &had->stored))
        return true;
    metric_told *heads = metric_told_take(a->store, size);
    if (heads == NULL)
        return false;
    size_t known = had == NULL ? 0 : had->size;
    if (known != 0)
        memcpy(heads->content, had->content, known);
    memset((char *)heads->content + known, 0, size - known);
    metric_told_replace(a->store, a->heads);
    a->heads = heads;
    return true;
}

/* Most heads stay as they are, so that snapshots share them. */
static bool
head_put(etwc_aggregate *a, uint32_t number, const metric_copy *copy)
{
    metric_head head = head_of(copy);
    bool has_place = a->heads != NULL && (number + 1) * sizeof head <= a->heads->size;
    const metric_head *had = has_place ? heads_of(a) + number : NULL;
    if (had != NULL && had->row_id == head.row_id &&
        had->end_raw_time == head.end_raw_time &&
        had->end_filetime == head.end_filetime && had->process_id == head.process_id &&
        had->has_name == head.has_name)
        return true;
    if (!heads_own(a))
        return false;
    heads_of(a)[number] = head;
    return true;
}

static bool
heads_update(etwc_aggregate *a)
{
    for (uint32_t i = 0; a->have_heads_moved && i < a->visible_count; i++)
        if (a->copies[i] != NULL && !head_put(a, i, a->copies[i]))
            return false;
    a->have_heads_moved = false;
    return true;
}

/* ---- All of them ------------------------------------------------------------------ */

static bool
copy_update(etwc_aggregate *a, uint32_t row)
{
    metric_process *process = &a->processes[row];
    metric_copy *had = a->copies[process->number];
    metric_copy *copy = copy_new(a, process, had);
    if (copy == NULL)
        return false;
    uint64_t *sum =
        copy->row.process_id == 0 ? &a->summed_idle_ticks : &a->summed_process_ticks;
    *sum +=
        copy->row.counters.run_ticks - (had != NULL ? had->row.counters.run_ticks : 0);
    if (had != NULL)
        metric_store_replace(a->store, &had->stored);
    a->copies[process->number] = copy;
    process->is_changed = process->is_listed = process->has_side_changed = false;
    return head_put(a, process->number, copy);
}

bool
metric_copies_update(etwc_aggregate *a, bool is_all)
{
    metric_claims_look(a);
    if (is_all || a->have_all_changed) {
        for (size_t i = 0; i < a->process_count; i++)
            (void)metric_process_change(a, (uint32_t)i);
        a->have_all_changed = false;
    }
    metric_live_update(a);
    if (!heads_update(a))
        return false;
    while (a->changed_count != 0) {
        uint32_t row = a->changed[a->changed_count - 1];
        if (a->processes[row].number == METRIC_NONE) /* it has left */
            a->processes[row].is_listed = false;
        else if (!copy_update(a, row))
            return false;
        a->changed_count--;
    }
    return true;
}
