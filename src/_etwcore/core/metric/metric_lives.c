/* Instances that come and go: a table that is filled for months has a bound. */
#include "metric_lives.h"

#include "etwc_alloc.h"

/* ---- Places ---------------------------------------------------------------------- */

lifetime_process *
metric_lives_new_process(etwc_lifetimes *l)
{
    if (l->free_processes != ETWC_TABLE_NONE) {
        lifetime_process *place = &l->processes[l->free_processes];
        *place = (lifetime_process){.life.index = l->free_processes,
                                    .next_free = place->next_free};
        return place;
    }
    void *items = l->processes;
    if (l->process_count >= ETWC_TABLE_NONE ||
        !etwc_grow(&items, &l->process_capacity, l->process_count + 1,
                   sizeof *l->processes))
        return NULL;
    l->processes = items;
    l->processes[l->process_count] =
        (lifetime_process){.life.index = (uint32_t)l->process_count};
    return &l->processes[l->process_count];
}

void
metric_lives_take_process(etwc_lifetimes *l, const lifetime_process *process)
{
    l->newest_process = process->life.index;
    if (process->life.index == l->free_processes)
        l->free_processes = process->next_free;
    else
        l->process_count++;
}

lifetime_thread *
metric_lives_new_thread(etwc_lifetimes *l)
{
    if (l->free_threads != ETWC_TABLE_NONE) {
        lifetime_thread *place = &l->threads[l->free_threads];
        *place = (lifetime_thread){.life.index = l->free_threads,
                                   .next_free = place->next_free};
        return place;
    }
    void *items = l->threads;
    if (l->thread_count >= ETWC_TABLE_NONE ||
        !etwc_grow(&items, &l->thread_capacity, l->thread_count + 1,
                   sizeof *l->threads))
        return NULL;
    l->threads = items;
    l->threads[l->thread_count] =
        (lifetime_thread){.life.index = (uint32_t)l->thread_count};
    return &l->threads[l->thread_count];
}

void
metric_lives_take_thread(etwc_lifetimes *l, const lifetime_thread *thread)
{
    if (thread->life.index == l->free_threads)
        l->free_threads = thread->next_free;
    else
        l->thread_count++;
}

/* ---- Leaving --------------------------------------------------------------------- */

static void
forget_process(etwc_lifetimes *l, uint32_t index)
{
    lifetime_process *process = &l->processes[index];
    metric_ids_take_back(&l->process_ids, process->life.process_id, index);
    *process = (lifetime_process){.life = {.begin_raw_time = INT64_MAX,
                                           .end_raw_time = INT64_MAX,
                                           .process_id = ETWC_NO_ID,
                                           .index = index},
                                  .next_free = l->free_processes};
    l->free_processes = index;
    if (l->forgot != NULL)
        l->forgot(l->forgot_context, false, index);
}

static void
forget_thread(etwc_lifetimes *l, uint32_t index)
{
    lifetime_thread *thread = &l->threads[index];
    metric_ids_take_back(&l->thread_ids, thread->life.thread_id, index);
    *thread = (lifetime_thread){.life = {.begin_raw_time = INT64_MAX,
                                         .end_raw_time = INT64_MAX,
                                         .thread_id = ETWC_NO_ID,
                                         .process_id = ETWC_NO_ID,
                                         .index = index},
                                .next_free = l->free_threads};
    l->free_threads = index;
    if (l->forgot != NULL)
        l->forgot(l->forgot_context, true, index);
}

void
metric_lives_leave(etwc_lifetimes *l)
{
    if (l->leaving_process != ETWC_TABLE_NONE)
        forget_process(l, l->leaving_process);
    if (l->leaving_thread != ETWC_TABLE_NONE)
        forget_thread(l, l->leaving_thread);
    l->leaving_process = l->leaving_thread = ETWC_TABLE_NONE;
}

void
etwc_lifetimes_on_forget(etwc_lifetimes *l, etwc_forgot_fn forgot, void *context)
{
    l->forgot = forgot;
    l->forgot_context = context;
}

void
etwc_lifetimes_let_go_process(etwc_lifetimes *l, uint32_t index)
{
    if (l->processes[index].life.end_raw_time != INT64_MAX)
        forget_process(l, index);
    else
        l->processes[index].is_unwanted = true;
}

void
etwc_lifetimes_let_go_thread(etwc_lifetimes *l, uint32_t index)
{
    if (l->threads[index].life.end_raw_time != INT64_MAX)
        forget_thread(l, index);
    else
        l->threads[index].is_unwanted = true;
}

/* ---- Texts ----------------------------------------------------------------------- */

static bool
move_text(etwc_strings *to, const etwc_text_entry **text, bool is_to_change)
{
    if (*text == NULL)
        return true;
    const etwc_text_entry *kept = etwc_strings_add(to, (*text)->bytes, (*text)->length);
    if (is_to_change)
        *text = kept;
    return kept != NULL;
}

static bool
move_texts(etwc_lifetimes *l, etwc_strings *to, bool is_to_change)
{
    bool is_ok = true;
    for (size_t i = 0; is_ok && i < l->process_count; i++) {
        etwc_process_facts *facts = &l->processes[i].facts;
        is_ok = move_text(to, &facts->name, is_to_change) &&
                move_text(to, &facts->command_line, is_to_change) &&
                move_text(to, &facts->user_sid, is_to_change) &&
                move_text(to, &facts->package_full_name, is_to_change) &&
                move_text(to, &facts->application_id, is_to_change) &&
                move_text(to, &facts->image_path, is_to_change);
    }
    for (size_t i = 0; is_ok && i < l->thread_count; i++)
        is_ok = move_text(to, &l->threads[i].life.name, is_to_change);
    return is_ok;
}

bool
etwc_lifetimes_sweep(etwc_lifetimes *l, size_t from_bytes)
{
    size_t bytes = etwc_strings_size(l->strings);
    if (bytes < from_bytes || bytes / 2 < l->strings_after_sweep)
        return false;
    etwc_strings *kept = etwc_strings_new();
    if (kept == NULL || !move_texts(l, kept, false)) {
        etwc_strings_release(kept); /* they stay until the next time */
        l->strings_after_sweep = bytes;
        return false;
    }
    (void)move_texts(l, kept, true); /* all are there: it cannot fail */
    etwc_strings_release(l->strings);
    l->strings = kept;
    l->strings_after_sweep = etwc_strings_size(kept);
    return true;
}
