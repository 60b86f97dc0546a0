/* Rows that leave, so that others find a place: see metric_bounds.h. */
#include "metric_bounds.h"

#include "etwc_alloc.h"
#include "metric_rows.h"

/* Below that, texts are not worth the sweep. */
#define SWEEP_FROM_BYTES ((size_t)256 * 1024)

void
metric_bounds_init(etwc_aggregate *a, const uint32_t limits[3])
{
    metric_bounds *b = &a->bounds;
    b->max_processes = limits[0] != 0 ? limits[0] : UINT32_MAX;
    b->max_threads = limits[1] != 0 ? limits[1] : UINT32_MAX;
    b->max_images = limits[2] != 0 ? limits[2] : UINT32_MAX;
    b->dead_processes = b->dead_threads = b->unloaded_images = METRIC_LIST_EMPTY;
    b->free_threads = b->free_images = METRIC_NONE;
    b->process = b->thread = METRIC_NONE;
    b->released_raw_time = INT64_MIN;
}

void
metric_bounds_forgot(void *aggregate, bool is_thread, uint32_t life)
{
    etwc_aggregate *a = aggregate;
    if (is_thread && life < a->thread_lives)
        a->thread_of_life[life] = METRIC_NONE;
    if (!is_thread && life < a->process_lives)
        a->process_of_life[life] = METRIC_NONE;
}

void
etwc_aggregate_release(etwc_aggregate *a, int64_t raw_time)
{
    a->bounds.released_raw_time = raw_time;
}

/* ---- The dead ---------------------------------------------------------------------- */

void
metric_bounds_process_died(etwc_aggregate *a, uint32_t row)
{
    metric_process *process = &a->processes[row];
    if (process->is_dead || process->number == METRIC_NONE ||
        process->row.process_id == 0)
        return;
    process->is_dead = true;
    process->died_at = a->last_raw_time;
    metric_list_append(&a->bounds.dead_processes, METRIC_LINKS(a->processes, dead),
                       row);
}

void
metric_bounds_thread_died(etwc_aggregate *a, uint32_t row)
{
    metric_thread_facts *thread = &a->thread_facts[row];
    if (thread->is_dead || thread->is_adopted || row == a->idle_thread ||
        row == a->bounds.thread)
        return;
    thread->is_dead = true;
    metric_list_append(&a->bounds.dead_threads, METRIC_LINKS(a->thread_facts, dead),
                       row);
}

void
metric_bounds_image_unloaded(etwc_aggregate *a, uint32_t row)
{
    metric_image *image = &a->images[row];
    if (image->is_unloaded)
        return;
    image->is_unloaded = true;
    metric_list_append(&a->bounds.unloaded_images, METRIC_LINKS(a->images, unloaded),
                       row);
}

/* ---- Leaving ----------------------------------------------------------------------- */

/* A thread logs its end while it still runs: its last run is to be counted. */
static bool
is_running(const etwc_aggregate *a, uint32_t thread)
{
    for (size_t i = 0; i < a->processor_count; i++)
        if (a->processors[i].thread == thread)
            return true;
    return false;
}

void
metric_bounds_free_thread(etwc_aggregate *a, uint32_t row)
{
    metric_thread *thread = &a->threads[row];
    metric_thread_facts *facts = &a->thread_facts[row];
    metric_process *process = &a->processes[thread->process];
    metric_list_remove(&process->threads, METRIC_LINKS(a->thread_facts, sibling), row);
    if (facts->is_dead)
        metric_list_remove(&a->bounds.dead_threads, METRIC_LINKS(a->thread_facts, dead),
                           row);
    *thread =
        (metric_thread){.is_changed = thread->is_changed, /* it is listed as such */
                        .wait = METRIC_NOT_WAITING};
    *facts = (metric_thread_facts){
        .live_at = METRIC_NONE, .life = METRIC_NONE, .is_adopted = true};
    facts->sibling.next = a->bounds.free_threads;
    a->bounds.free_threads = row;
    a->bounds.threads_in_use--;
}

/* The id of a row that leaves. Who had it is no longer known when the lifetimes forget
 * it, too: a record that still names it is of somebody who has left. */
static void
id_leave(const etwc_aggregate *a, etwc_table *ids, uint32_t id, uint32_t row,
         uint32_t stand_in)
{
    if (etwc_table_find(ids, id) != row)
        return;
    if (a->own == NULL || !etwc_table_put(ids, id, stand_in))
        etwc_table_remove(ids, id);
}

static void
expire_thread(etwc_aggregate *a, uint32_t row)
{
    const metric_thread_facts *facts = &a->thread_facts[row];
    metric_live_remove(a, row);
    metric_wait_forget(a, row);
    id_leave(a, &a->thread_ids, facts->thread_id, row, a->bounds.thread);
    if (facts->life != METRIC_NONE) {
        a->thread_of_life[facts->life] = a->bounds.thread;
        if (a->own != NULL)
            etwc_lifetimes_let_go_thread(a->own, facts->life);
    }
    uint32_t process = a->threads[row].process;
    metric_process *owner = &a->processes[process];
    if (owner->priority_thread == row)
        owner->priority_thread = a->bounds.thread;
    if (owner->base_priority_thread == row)
        owner->base_priority_thread = a->bounds.thread;
    metric_pending_pass(&a->pending, METRIC_NONE, row, process, METRIC_NONE);
    metric_bounds_free_thread(a, row);
    a->bounds.expired_threads++;
    /* One that nobody knew had a hidden process of its own. */
    if (a->processes[process].number == METRIC_NONE && process != a->bounds.process) {
        metric_counted_move(a, &a->processes[a->bounds.process],
                            &a->processes[process]);
        metric_process_free(a, process);
    }
}

static void
expire_image(etwc_aggregate *a, uint32_t row)
{
    metric_image *image = &a->images[row];
    metric_image_forget(a, row);
    metric_list_remove(&a->processes[image->row.row].images,
                       METRIC_LINKS(a->images, sibling), row);
    if (image->is_unloaded)
        metric_list_remove(&a->bounds.unloaded_images,
                           METRIC_LINKS(a->images, unloaded), row);
    *image =
        (metric_image){.row.row = METRIC_NONE, .sibling.next = a->bounds.free_images};
    a->bounds.free_images = row;
    a->bounds.images_in_use--;
    a->bounds.expired_images++;
}

static bool
has_running_thread(const etwc_aggregate *a, uint32_t process)
{
    for (uint32_t i = a->processes[process].threads.first; i != METRIC_NONE;
         i = a->thread_facts[i].sibling.next)
        if (is_running(a, i))
            return true;
    return false;
}

static void
expire_process(etwc_aggregate *a, uint32_t row)
{
    metric_process *process = &a->processes[row];
    metric_bounds *b = &a->bounds;
    while (process->threads.first != METRIC_NONE)
        expire_thread(a, process->threads.first);
    while (process->images.first != METRIC_NONE)
        expire_image(a, process->images.first);
#define COUNTER_ADD(name) b->expired.name += process->row.counters.name;
    ETWC_ROW_COUNTER_LIST(COUNTER_ADD)
#undef COUNTER_ADD
    b->expired_early += process->died_at > b->released_raw_time;
    b->expired_processes++;
    id_leave(a, &a->process_ids, process->row.process_id, row, b->process);
    if (process->life != METRIC_NONE) {
        a->process_of_life[process->life] = b->process;
        if (a->own != NULL)
            etwc_lifetimes_let_go_process(a->own, process->life);
    }
    metric_list_remove(&b->dead_processes, METRIC_LINKS(a->processes, dead), row);
    metric_pending_pass(&a->pending, row, METRIC_NONE, b->process, METRIC_NONE);
    metric_process_free(a, row);
}

/* ---- Finding a place --------------------------------------------------------------- */

/* Of the dead, the first that is not in use; each that is goes to the end. */
static uint32_t
longest_dead(etwc_aggregate *a, metric_list *list, metric_links links,
             bool (*is_in_use)(const etwc_aggregate *a, uint32_t row))
{
    for (size_t tries = a->processor_count + 1; tries != 0; tries--) {
        uint32_t row = list->first;
        if (row == METRIC_NONE || !is_in_use(a, row))
            return row;
        metric_list_remove(list, links, row);
        metric_list_append(list, links, row);
    }
    return METRIC_NONE;
}

/* What stands for all that is refused or has left. It is made with the first that
 * needs a place: false when memory is out. */
static bool
has_stand_in(etwc_aggregate *a)
{
    return a->bounds.thread != METRIC_NONE || metric_rows_add_stand_in(a);
}

bool
metric_bounds_admit_process(etwc_aggregate *a)
{
    metric_bounds *b = &a->bounds;
    if (ETWC_LIKELY(a->processes_in_use < b->max_processes))
        return true;
    if (!has_stand_in(a))
        return false;
    uint32_t row = longest_dead(a, &b->dead_processes, METRIC_LINKS(a->processes, dead),
                                has_running_thread);
    if (row == METRIC_NONE) {
        b->refused_processes++;
        return false;
    }
    expire_process(a, row);
    metric_bounds_sweep_strings(a);
    return true;
}

bool
metric_bounds_admit_thread(etwc_aggregate *a)
{
    metric_bounds *b = &a->bounds;
    if (ETWC_LIKELY(b->threads_in_use < b->max_threads))
        return true;
    if (!has_stand_in(a))
        return false;
    uint32_t row = longest_dead(a, &b->dead_threads,
                                METRIC_LINKS(a->thread_facts, dead), is_running);
    if (row == METRIC_NONE) {
        b->refused_threads++;
        return false;
    }
    expire_thread(a, row);
    metric_bounds_sweep_strings(a);
    return true;
}

bool
metric_bounds_admit_image(etwc_aggregate *a)
{
    metric_bounds *b = &a->bounds;
    if (ETWC_LIKELY(b->images_in_use < b->max_images))
        return true;
    if (b->unloaded_images.first == METRIC_NONE) {
        b->refused_images++;
        return false;
    }
    expire_image(a, b->unloaded_images.first);
    metric_bounds_sweep_strings(a);
    return true;
}

/* ---- Texts ------------------------------------------------------------------------- */

static const etwc_text_entry *
keep_text(etwc_strings *strings, const etwc_text_entry *text)
{
    return text == NULL ? NULL : etwc_strings_add(strings, text->bytes, text->length);
}

void
metric_bounds_sweep_strings(etwc_aggregate *a)
{
    metric_bounds *b = &a->bounds;
    if (a->own != NULL && etwc_lifetimes_sweep(a->own, SWEEP_FROM_BYTES))
        metric_processes_change(a);
    size_t bytes = etwc_strings_size(a->strings);
    if (bytes < SWEEP_FROM_BYTES || bytes / 2 < b->strings_after_sweep)
        return;
    etwc_strings *kept = etwc_strings_new();
    bool is_ok = kept != NULL;
    for (size_t i = 0; is_ok && i < a->image_count; i++)
        is_ok = a->images[i].row.file_name == NULL ||
                keep_text(kept, a->images[i].row.file_name) != NULL;
    for (size_t i = 0; is_ok && i < a->process_count; i++)
        is_ok = a->processes[i].lowest_image == NULL ||
                keep_text(kept, a->processes[i].lowest_image) != NULL;
    if (!is_ok) { /* out of memory: they stay until the next time */
        etwc_strings_release(kept);
        b->strings_after_sweep = bytes;
        return;
    }
    /* All are there, so nothing below can fail. Copies name texts of the old heap,
     * which snapshots hold: they are made anew. */
    for (size_t i = 0; i < a->image_count; i++)
        a->images[i].row.file_name = keep_text(kept, a->images[i].row.file_name);
    for (size_t i = 0; i < a->process_count; i++)
        a->processes[i].lowest_image = keep_text(kept, a->processes[i].lowest_image);
    metric_processes_change(a);
    etwc_strings_release(a->strings);
    a->strings = kept;
    b->strings_after_sweep = etwc_strings_size(kept);
}

uint64_t
etwc_aggregate_bytes(const etwc_aggregate *a)
{
    uint64_t bytes = sizeof *a + metric_rows_bytes(a) + etwc_strings_size(a->strings);
    bytes += etwc_table_bytes(&a->process_ids) + etwc_table_bytes(&a->thread_ids);
    return bytes + (a->own != NULL ? etwc_lifetimes_bytes(a->own) : 0);
}
