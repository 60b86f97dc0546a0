/*
 * From ids to rows. An id is looked up in the lifetimes once; after that a hash
 * table answers until the id passes to another instance.
 */
#include "metric_rows.h"

#include "etwc_alloc.h"

void
metric_out_of_memory(etwc_aggregate *a)
{
    a->is_out_of_memory = true;
    a->needs_look = true;
}

void
metric_has_grown(etwc_aggregate *a)
{
    a->has_grown = true;
    a->needs_look = true;
}

static uint32_t
out_of_memory(etwc_aggregate *a)
{
    metric_out_of_memory(a);
    return METRIC_NONE;
}

uint64_t
metric_rows_bytes(const etwc_aggregate *a)
{
    uint64_t bytes = a->process_capacity * sizeof *a->processes;
    bytes += a->changed_capacity * sizeof *a->changed;
    bytes += a->copy_capacity * (sizeof *a->copies + sizeof *a->row_of_number);
    bytes += a->processes_in_use * sizeof(metric_copy);
    bytes += a->thread_capacity * sizeof *a->threads;
    bytes += a->thread_facts_capacity * sizeof *a->thread_facts;
    bytes += a->changed_thread_capacity * sizeof *a->changed_threads;
    bytes += a->image_capacity * sizeof *a->images;
    bytes += a->image_slot_count * sizeof *a->image_slots;
    bytes += a->live_bytes + a->copy_capacity * sizeof(metric_head);
    bytes += (a->process_lives + a->thread_lives) * sizeof(uint32_t);
    bytes += a->processor_capacity * sizeof *a->processors;
    bytes += a->wait_bytes;
    bytes += a->side_bytes + metric_pending_bytes(&a->pending);
    return bytes;
}

/* ---- New rows -------------------------------------------------------------------- */

static bool
numbers_reach(etwc_aggregate *a, size_t count)
{
    void *rows = a->row_of_number;
    void *copies = a->copies;
    size_t had = a->copy_capacity;
    size_t capacity = had; /* both are as long */
    if (!etwc_grow(&rows, &capacity, count, sizeof *a->row_of_number))
        return false;
    a->row_of_number = rows;
    capacity = had;
    if (!etwc_grow(&copies, &capacity, count, sizeof *a->copies))
        return false;
    a->copies = copies;
    a->copy_capacity = capacity;
    for (size_t i = had; i < capacity; i++)
        a->copies[i] = NULL;
    return true;
}

/* What is known of each row besides: room for all rows, so that marking one as
 * changed never allocates. */
static bool
copies_reach(etwc_aggregate *a, size_t count)
{
    void *changed = a->changed;
    if (!etwc_grow(&changed, &a->changed_capacity, count, sizeof *a->changed))
        return false;
    a->changed = changed;
    return numbers_reach(a, count);
}

/* Many numbers may have no row, but not most of them. */
static bool
has_next_number(etwc_aggregate *a)
{
    if (a->visible_count < a->copy_capacity)
        return true;
    if (a->processes_in_use <= a->visible_count / 2) {
        metric_numbers_compact(a);
        return true;
    }
    return numbers_reach(a, (size_t)a->visible_count + 1);
}

void
metric_numbers_compact(etwc_aggregate *a)
{
    if (a->processes_in_use == a->visible_count)
        return;
    uint32_t next = 0;
    for (uint32_t i = 0; i < a->visible_count; i++) {
        uint32_t row = a->row_of_number[i];
        if (row == METRIC_NONE)
            continue;
        a->processes[row].number = next;
        a->row_of_number[next] = row;
        metric_copy *copy = a->copies[i];
        a->copies[i] = NULL;
        a->copies[next++] = copy;
    }
    a->visible_count = next;
    a->have_heads_moved = true;
}

static uint32_t
process_take(etwc_aggregate *a)
{
    if (a->first_process_free != METRIC_NONE) {
        uint32_t row = a->first_process_free;
        a->first_process_free = a->processes[row].life;
        return row;
    }
    void *items = a->processes;
    if (a->process_count >= METRIC_NONE ||
        !etwc_grow(&items, &a->process_capacity, a->process_count + 1,
                   sizeof *a->processes))
        return out_of_memory(a);
    a->processes = items;
    if (!copies_reach(a, a->process_count + 1))
        return out_of_memory(a);
    metric_has_grown(a);
    a->processes[a->process_count].is_listed = false;
    return (uint32_t)a->process_count++;
}

static uint32_t
process_add(etwc_aggregate *a, uint32_t process_id, uint32_t life, bool is_hidden)
{
    if (!is_hidden && !metric_bounds_admit_process(a))
        return a->bounds.process;
    if (!is_hidden && !has_next_number(a))
        return out_of_memory(a);
    uint32_t row = process_take(a);
    if (row == METRIC_NONE)
        return METRIC_NONE;
    metric_process *process = &a->processes[row];
    *process = (metric_process){
        .row.process_id = process_id,
        .valid_until = INT64_MAX,
        .life = life,
        .number = METRIC_NONE,
        .is_changed = is_hidden || process->is_listed,
        .is_listed = process->is_listed,
        .threads = METRIC_LIST_EMPTY,
        .images = METRIC_LIST_EMPTY,
    };
    if (is_hidden) {
        metric_list_append(&a->hidden, METRIC_LINKS(a->processes, dead), row);
        return row;
    }
    process->row_id = a->bounds.next_process_id++;
    process->number = a->visible_count++;
    a->row_of_number[process->number] = row;
    a->processes_in_use++;
    (void)metric_process_change(a, row);
    return row;
}

void
metric_process_free(etwc_aggregate *a, uint32_t row)
{
    metric_process *process = &a->processes[row];
    metric_wait_free(a, process);
    metric_live_free(a, process);
    a->side_bytes -= metric_side_bytes(&process->side);
    metric_side_reset(a, &process->side);
    if (process->number != METRIC_NONE) {
        metric_copy *copy = a->copies[process->number];
        if (copy != NULL)
            *(process->row.process_id == 0 ? &a->summed_idle_ticks
                                           : &a->summed_process_ticks) -=
                copy->row.counters.run_ticks;
        if (copy != NULL)
            metric_store_replace(a->store, &copy->stored);
        a->copies[process->number] = NULL;
        a->row_of_number[process->number] = METRIC_NONE;
        a->processes_in_use--;
    } else {
        metric_list_remove(&a->hidden, METRIC_LINKS(a->processes, dead), row);
    }
    *process = (metric_process){
        .life = a->first_process_free,
        .number = METRIC_NONE,
        .is_changed = true,
        .is_listed = process->is_listed,
        .threads = METRIC_LIST_EMPTY,
        .images = METRIC_LIST_EMPTY,
    };
    a->first_process_free = row;
}

/* Room for so many threads, each beginning with a line of the cache. */
static bool
threads_reach(etwc_aggregate *a, size_t needed)
{
    void *facts = a->thread_facts;
    if (!etwc_grow(&facts, &a->thread_facts_capacity, needed, sizeof *a->thread_facts))
        return false;
    a->thread_facts = facts;
    if (needed <= a->thread_capacity)
        return true;
    size_t bytes;
    if (!etwc_mul_size(a->thread_facts_capacity, sizeof *a->threads, &bytes) ||
        bytes > SIZE_MAX - METRIC_LINE_BYTES)
        return false;
    void *block = etwc_malloc(bytes + METRIC_LINE_BYTES);
    if (block == NULL)
        return false;
    uintptr_t past = (uintptr_t)block % METRIC_LINE_BYTES;
    void *lines = (char *)block + (METRIC_LINE_BYTES - past);
    if (a->thread_count != 0)
        memcpy(lines, a->threads, a->thread_count * sizeof *a->threads);
    etwc_free(a->thread_block);
    a->thread_block = block;
    a->threads = lines;
    a->thread_capacity = a->thread_facts_capacity;
    return true;
}

static uint32_t
thread_take(etwc_aggregate *a)
{
    uint32_t row = a->bounds.free_threads;
    if (row != METRIC_NONE) {
        a->bounds.free_threads = a->thread_facts[row].sibling.next;
        return row;
    }
    if (a->thread_count >= METRIC_NONE || !threads_reach(a, a->thread_count + 1))
        return out_of_memory(a);
    void *changed = a->changed_threads;
    if (!etwc_grow(&changed, &a->changed_thread_capacity, a->thread_count + 1,
                   sizeof *a->changed_threads))
        return out_of_memory(a);
    a->changed_threads = changed;
    metric_has_grown(a);
    a->threads[a->thread_count].is_changed = 0;
    return (uint32_t)a->thread_count++;
}

/* The id of a thread names it up to then. */
static void
thread_name_until(etwc_aggregate *a, uint32_t row, int64_t raw_time)
{
    a->thread_facts[row].valid_until = raw_time;
    a->threads[row].is_passing = raw_time != INT64_MAX;
}

/* Whatever the limit is: for what there is one of. */
static uint32_t
thread_new(etwc_aggregate *a, uint32_t thread_id, uint32_t process, uint32_t life)
{
    uint32_t row = thread_take(a);
    if (row == METRIC_NONE)
        return METRIC_NONE;
    a->threads[row] = (metric_thread){
        .is_changed = a->threads[row].is_changed, /* it is listed as such */
        .process = process,
        .processor = METRIC_NO_PROCESSOR,
        .active = INT64_MIN,
        .epoch = a->epoch,
        .state = METRIC_STATE_UNKNOWN,
        .wait = METRIC_NOT_WAITING,
    };
    a->thread_facts[row] = (metric_thread_facts){
        .row_id = a->bounds.next_thread_id++,
        .valid_until = INT64_MAX,
        .thread_id = thread_id,
        .life = life,
        .live_at = METRIC_NONE,
        .is_old =
            life == METRIC_NONE ||
            etwc_lifetimes_thread_at(a->lifetimes, life)->begin_raw_time == INT64_MIN,
    };
    metric_list_append(&a->processes[process].threads,
                       METRIC_LINKS(a->thread_facts, sibling), row);
    a->bounds.threads_in_use++;
    return row;
}

static uint32_t
thread_add(etwc_aggregate *a, uint32_t thread_id, uint32_t process, uint32_t life)
{
    if (!metric_bounds_admit_thread(a))
        return a->bounds.thread == METRIC_NONE ? out_of_memory(a) : a->bounds.thread;
    return thread_new(a, thread_id, process, life);
}

/* A thread whose process nobody knows has a hidden one of its own. */
static uint32_t
thread_add_orphan(etwc_aggregate *a, uint32_t thread_id, uint32_t process_id,
                  uint32_t life)
{
    uint32_t hidden = process_add(a, process_id, METRIC_NONE, true);
    if (hidden == METRIC_NONE)
        return METRIC_NONE;
    uint32_t row = thread_add(a, thread_id, hidden, life);
    if (row == METRIC_NONE || row == a->bounds.thread)
        metric_process_free(a, hidden);
    return row;
}

bool
metric_rows_add_stand_in(etwc_aggregate *a)
{
    metric_bounds *b = &a->bounds;
    if (b->process == METRIC_NONE)
        b->process = process_add(a, ETWC_NO_ID, METRIC_NONE, true);
    if (b->process == METRIC_NONE)
        return false;
    b->thread = thread_new(a, ETWC_NO_ID, b->process, METRIC_NONE);
    if (b->thread == METRIC_NONE)
        return false;
    /* An id that names it is looked at again with every event. */
    a->processes[b->process].valid_until = INT64_MIN;
    thread_name_until(a, b->thread, INT64_MIN);
    return true;
}

static bool
map_reach(uint32_t **map, size_t *count, size_t needed)
{
    if (needed <= *count)
        return true;
    void *items = *map;
    size_t capacity = *count;
    if (!etwc_grow(&items, &capacity, needed, sizeof **map))
        return false;
    *map = items;
    for (size_t i = *count; i < capacity; i++)
        (*map)[i] = METRIC_NONE;
    *count = capacity;
    return true;
}

/* The row of a process instance, made when it has none yet. */
static uint32_t
process_of_life(etwc_aggregate *a, const etwc_process_life *life)
{
    if (!map_reach(&a->process_of_life, &a->process_lives, (size_t)life->index + 1))
        return out_of_memory(a);
    uint32_t row = a->process_of_life[life->index];
    if (row == METRIC_NONE) {
        row = process_add(a, life->process_id, life->index, false);
        a->process_of_life[life->index] = row;
        if (ETWC_UNLIKELY(row == a->bounds.process && row != METRIC_NONE) &&
            a->own != NULL)
            etwc_lifetimes_let_go_process(a->own, life->index);
    }
    return row;
}

static uint32_t
thread_of_life(etwc_aggregate *a, const etwc_thread_life *life)
{
    if (!map_reach(&a->thread_of_life, &a->thread_lives, (size_t)life->index + 1))
        return out_of_memory(a);
    uint32_t row = a->thread_of_life[life->index];
    if (row != METRIC_NONE)
        return row;
    const etwc_process_life *owner = etwc_lifetimes_process_of(a->lifetimes, life);
    uint32_t process = METRIC_NONE;
    if (owner != NULL && (process = process_of_life(a, owner)) == METRIC_NONE)
        return METRIC_NONE;
    row = owner != NULL
              ? thread_add(a, life->thread_id, process, life->index)
              : thread_add_orphan(a, life->thread_id, life->process_id, life->index);
    a->thread_of_life[life->index] = row;
    if (ETWC_UNLIKELY(row == a->bounds.thread && row != METRIC_NONE) && a->own != NULL)
        etwc_lifetimes_let_go_thread(a->own, life->index);
    return row;
}

/* ---- Binding --------------------------------------------------------------------- */

/* In a table that is still being filled the next record may change everything,
 * so there the record itself binds anew (metric_rows_relearn). */
static int64_t
valid_until(const etwc_aggregate *a, int64_t known)
{
    return a->own != NULL ? INT64_MAX : known;
}

/* From now on the id names that row; the one that had it is gone. */
static bool
process_give_id(etwc_aggregate *a, uint32_t process_id, uint32_t row)
{
    uint32_t had = etwc_table_find(&a->process_ids, process_id);
    if (!etwc_table_put(&a->process_ids, process_id, row))
        return false;
    if (had != METRIC_NONE && had != row)
        metric_bounds_process_died(a, had);
    return true;
}

static bool
thread_give_id(etwc_aggregate *a, uint32_t thread_id, uint32_t row)
{
    uint32_t had = etwc_table_find(&a->thread_ids, thread_id);
    if (!etwc_table_put(&a->thread_ids, thread_id, row))
        return false;
    if (had != METRIC_NONE && had != row) {
        metric_live_remove(a, had); /* its end record was lost */
        metric_bounds_thread_died(a, had);
    }
    return true;
}

uint32_t
metric_process_bind(etwc_aggregate *a, uint32_t process_id, int64_t now)
{
    const etwc_process_life *life =
        etwc_lifetimes_process(a->lifetimes, process_id, now);
    bool was_refused =
        a->bounds.process != METRIC_NONE &&
        etwc_table_find(&a->process_ids, process_id) == a->bounds.process;
    uint32_t row;
    if (life != NULL)
        row = process_of_life(a, life);
    else if (was_refused)
        row = a->bounds.process;
    else
        row = process_add(a, process_id, METRIC_NONE, false);
    if (row == METRIC_NONE || !process_give_id(a, process_id, row))
        return out_of_memory(a);
    if (row != a->bounds.process)
        a->processes[row].valid_until =
            valid_until(a, etwc_lifetimes_process_until(a->lifetimes, process_id, now));
    return row;
}

static uint32_t
idle_bind(etwc_aggregate *a, int64_t now)
{
    uint32_t process = metric_process_row(a, 0, now);
    if (process == METRIC_NONE)
        return METRIC_NONE;
    if (a->idle_thread == METRIC_NONE)
        a->idle_thread = thread_new(a, 0, process, METRIC_NONE);
    if (a->idle_thread == METRIC_NONE ||
        !etwc_table_put(&a->thread_ids, 0, a->idle_thread))
        return out_of_memory(a);
    a->threads[a->idle_thread].process = process;
    thread_name_until(a, a->idle_thread, a->processes[process].valid_until);
    return a->idle_thread;
}

uint32_t
metric_thread_bind(etwc_aggregate *a, uint32_t thread_id, int64_t now)
{
    if (thread_id == 0)
        return idle_bind(a, now);
    const etwc_thread_life *life = etwc_lifetimes_thread(a->lifetimes, thread_id, now);
    bool was_refused = a->bounds.thread != METRIC_NONE &&
                       etwc_table_find(&a->thread_ids, thread_id) == a->bounds.thread;
    uint32_t row;
    if (life != NULL)
        row = thread_of_life(a, life);
    else if (was_refused)
        row = a->bounds.thread;
    else
        row = thread_add_orphan(a, thread_id, ETWC_NO_ID, METRIC_NONE);
    if (row == METRIC_NONE)
        return METRIC_NONE;
    if (!thread_give_id(a, thread_id, row))
        return out_of_memory(a);
    if (row != a->bounds.thread)
        thread_name_until(
            a, row,
            valid_until(a, etwc_lifetimes_thread_until(a->lifetimes, thread_id, now)));
    return row;
}

uint32_t
metric_thread_row_at(etwc_aggregate *a, uint32_t thread_id, int64_t raw_time)
{
    const etwc_thread_life *life =
        thread_id == 0 ? NULL
                       : etwc_lifetimes_thread(a->lifetimes, thread_id, raw_time);
    return life != NULL ? thread_of_life(a, life)
                        : metric_thread_row(a, thread_id, raw_time);
}

/* ---- What a record of the own table changes --------------------------------------- */

void
metric_counted_move(etwc_aggregate *a, metric_process *to, metric_process *from)
{
#define COUNTER_ADD(name) to->row.counters.name += from->row.counters.name;
    ETWC_ROW_COUNTER_LIST(COUNTER_ADD)
#undef COUNTER_ADD
    to->samples_kernel_unweighted += from->samples_kernel_unweighted;
    to->samples_user_unweighted += from->samples_user_unweighted;
    to->open_handles += from->open_handles;
    if (to->open_handles > to->most_handles)
        to->most_handles = to->open_handles;
    metric_side_move(a, &to->side, &from->side);
    to->has_side_changed = true;
}

static void
relearn_process(etwc_aggregate *a, uint32_t process_id, int64_t now)
{
    const etwc_process_life *life =
        etwc_lifetimes_process(a->lifetimes, process_id, now);
    if (life == NULL)
        return;
    if (!map_reach(&a->process_of_life, &a->process_lives, (size_t)life->index + 1)) {
        (void)out_of_memory(a);
        return;
    }
    uint32_t row = a->process_of_life[life->index];
    uint32_t had = etwc_table_find(&a->process_ids, process_id);
    /* Events that came before the record of a process that is older: its own. */
    if (row == METRIC_NONE && had != METRIC_NONE && had != a->bounds.process &&
        a->processes[had].life == METRIC_NONE && life->begin_raw_time == INT64_MIN) {
        metric_process_change(a, had)->life = life->index;
        a->process_of_life[life->index] = had;
        return;
    }
    row = process_of_life(a, life);
    if (row != METRIC_NONE)
        (void)metric_process_change(a, row);
    if (row == METRIC_NONE || !process_give_id(a, process_id, row))
        (void)out_of_memory(a);
    else if (process_id == 0)
        (void)idle_bind(a, now);
}

/* A dead process that a defunct record alone tells of has no id to be found by. */
static void
relearn_defunct(etwc_aggregate *a)
{
    uint32_t newest = etwc_lifetimes_newest_process(a->lifetimes);
    if (newest == ETWC_NO_ID)
        return;
    const etwc_process_life *life = etwc_lifetimes_process_at(a->lifetimes, newest);
    if (life->process_id == ETWC_NO_ID)
        return; /* forgotten */
    uint32_t row = process_of_life(a, life);
    if (row != METRIC_NONE && life->seen == ETWC_SEEN_DEFUNCT)
        metric_bounds_process_died(a, row);
}

/* Who the row is stays, what was counted and told comes along. */
static void
facts_adopt(metric_thread_facts *to, const metric_thread_facts *from)
{
    metric_thread_facts self = *to;
    *to = *from;
    to->valid_until = self.valid_until;
    to->life = self.life;
    to->live_at = self.live_at;
    to->is_old = self.is_old;
    to->row_id = self.row_id;
    to->is_dead = self.is_dead;
    to->dead = self.dead;
    to->sibling = self.sibling;
}

/* What a thread did before anybody said whose it is goes to its process. */
static void
adopt_orphan(etwc_aggregate *a, uint32_t row, uint32_t orphan)
{
    metric_thread *to = &a->threads[row];
    uint32_t hidden_row = a->threads[orphan].process;
    metric_counted_move(a, metric_process_change(a, to->process),
                        &a->processes[hidden_row]);
    metric_thread self = *to;
    *to = a->threads[orphan];
    to->process = self.process;
    to->is_passing = self.is_passing;
    to->is_changed = self.is_changed;
    (void)metric_thread_change(a, row);
    facts_adopt(&a->thread_facts[row], &a->thread_facts[orphan]);
    metric_wait_adopt(a, to->process, hidden_row, row);
    for (size_t i = 0; i < a->processor_count; i++)
        if (a->processors[i].thread == orphan)
            a->processors[i].thread = row;
    metric_pending_pass(&a->pending, hidden_row, orphan, to->process, row);
    metric_bounds_free_thread(a, orphan);
    metric_process_free(a, hidden_row);
}

static void
relearn_thread(etwc_aggregate *a, uint32_t thread_id, uint32_t process_id, int64_t now)
{
    relearn_process(a, process_id, now);
    const etwc_thread_life *life =
        thread_id == 0 ? NULL : etwc_lifetimes_thread(a->lifetimes, thread_id, now);
    if (life == NULL || a->is_out_of_memory)
        return;
    uint32_t row = thread_of_life(a, life);
    uint32_t had = etwc_table_find(&a->thread_ids, thread_id);
    if (row == METRIC_NONE || !thread_give_id(a, thread_id, row)) {
        (void)out_of_memory(a);
        return;
    }
    if (had == METRIC_NONE || had == row)
        return;
    if (a->thread_facts[had].life == METRIC_NONE && had != a->bounds.thread &&
        row != a->bounds.thread && life->begin_raw_time == INT64_MIN)
        adopt_orphan(a, row, had);
}

void
metric_rows_relearn(etwc_aggregate *a, const etwc_event *event,
                    const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_PROCESS_START:
    case ETWC_KERNEL_PROCESS_END:
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
        metric_processes_change(a); /* it can end another, too */
        relearn_process(a, record->u.process.process_id, event->raw_time);
        break;
    case ETWC_KERNEL_PROCESS_DEFUNCT:
        metric_processes_change(a);
        relearn_process(a, record->u.process.process_id, event->raw_time);
        relearn_defunct(a);
        break;
    default:
        relearn_thread(a, record->u.thread.thread_id, record->u.thread.process_id,
                       event->raw_time);
        break;
    }
}

/* ---- The beginning ---------------------------------------------------------------- */

bool
metric_rows_prefill(etwc_aggregate *a)
{
    uint32_t processes = etwc_lifetimes_process_count(a->lifetimes);
    for (uint32_t i = 0; i < processes; i++) {
        const etwc_process_life *life = etwc_lifetimes_process_at(a->lifetimes, i);
        if (life->begin_raw_time == INT64_MIN &&
            process_of_life(a, life) == METRIC_NONE)
            return false;
    }
    uint32_t threads = etwc_lifetimes_thread_count(a->lifetimes);
    for (uint32_t i = 0; i < threads; i++) {
        const etwc_thread_life *life = etwc_lifetimes_thread_at(a->lifetimes, i);
        if (life->begin_raw_time != INT64_MIN)
            continue;
        uint32_t row = thread_of_life(a, life);
        if (row == METRIC_NONE)
            return false;
        metric_live_add(a, row);
    }
    return !a->is_out_of_memory;
}

bool
metric_processors_grow(etwc_aggregate *a, uint32_t processor)
{
    void *items = a->processors;
    if (processor >= UINT16_MAX + 1u ||
        !etwc_grow(&items, &a->processor_capacity, (size_t)processor + 1,
                   sizeof *a->processors))
        return false;
    a->processors = items;
    for (size_t i = a->processor_count; i <= processor; i++)
        a->processors[i] = (metric_processor){.run_begin = a->begin_raw_time,
                                              .thread = METRIC_NONE,
                                              .thread_id = ETWC_NO_ID};
    a->processor_count = (size_t)processor + 1;
    return true;
}
