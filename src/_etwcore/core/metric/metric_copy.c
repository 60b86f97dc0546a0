/* Copies of rows: made when something has changed, shared until it does again. */
#include "metric_copy.h"

#include "etwc_alloc.h"
#include "metric_io.h"

void
metric_copy_retain(metric_copy *copy)
{
    (void)etwc_atomic_add_relaxed(&copy->references, 1);
}

void
metric_copy_release(metric_copy *copy)
{
    if (copy == NULL || etwc_atomic_sub_acq_rel(&copy->references, 1) != 1)
        return;
    metric_details_release(&copy->details);
    etwc_free(copy);
}

bool
metric_copy_is_private(metric_copy *copy)
{
    return etwc_atomic_load_acquire(&copy->references) == 1;
}

static size_t
size_of_copy(size_t wait_count)
{
    return sizeof(metric_copy) + wait_count * sizeof(metric_wait);
}

metric_copy *
metric_copy_duplicate(const metric_copy *copy)
{
    size_t size = size_of_copy(copy->wait_count);
    metric_copy *twin = etwc_malloc(size);
    if (twin == NULL)
        return NULL;
    memcpy(twin, copy, size);
    metric_details_retain(&twin->details);
    etwc_atomic_init(&twin->references, 1);
    return twin;
}

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

metric_copy *
metric_copy_new(etwc_aggregate *a, uint32_t process)
{
    metric_process *from = &a->processes[process];
    metric_wait_renew(a, from);
    metric_copy *to = etwc_malloc(size_of_copy(from->wait_count));
    if (to == NULL)
        return NULL;
    etwc_atomic_init(&to->references, 1);
    to->row = from->row;
    to->row.row_id = from->row_id;
    to->texts = (etwc_row_texts){0};
    to->details = metric_side_share(&from->side);
    metric_fill_handles(a, from, &to->row);
    to->end_raw_time = INT64_MAX;
    to->samples_kernel_unweighted = from->samples_kernel_unweighted;
    to->samples_user_unweighted = from->samples_user_unweighted;
    to->wait_epoch = from->wait_epoch;
    to->wait_count = from->wait_count;
    if (from->wait_count != 0)
        memcpy(to->waits, from->waits, from->wait_count * sizeof *to->waits);
    if (from->life != METRIC_NONE)
        fill_identity(a, etwc_lifetimes_process_at(a->lifetimes, from->life), to);
    if (to->texts.name == NULL && to->row.process_id != 0)
        to->texts.name = name_of_image(a, from->lowest_image);
    return to;
}

bool
metric_copies_update(etwc_aggregate *a, bool is_all)
{
    if (is_all || a->have_all_changed) {
        for (size_t i = 0; i < a->process_count; i++)
            (void)metric_process_change(a, (uint32_t)i);
        a->have_all_changed = false;
    }
    while (a->changed_count != 0) {
        uint32_t row = a->changed[a->changed_count - 1];
        metric_process *process = &a->processes[row];
        if (process->number == METRIC_NONE) { /* it has left */
            process->is_listed = false;
            a->changed_count--;
            continue;
        }
        metric_copy *copy = metric_copy_new(a, row);
        if (copy == NULL)
            return false;
        uint64_t *sum = copy->row.process_id == 0 ? &a->summed_idle_ticks
                                                  : &a->summed_process_ticks;
        metric_copy *had = a->copies[process->number];
        *sum += copy->row.counters.run_ticks -
                (had != NULL ? had->row.counters.run_ticks : 0);
        metric_copy_release(had);
        a->copies[process->number] = copy;
        process->is_changed = process->is_listed = false;
        a->changed_count--;
    }
    return true;
}
