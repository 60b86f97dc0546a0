/* Copies of rows: what readers see. */
#include "etwc_snapshot.h"

#include "etwc_alloc.h"
#include "metric_snapshot.h"

/* Python reads rows as a buffer, and every row of a snapshot is copied. */
_Static_assert(sizeof(etwc_process_row) % 8 == 0, "columns are aligned");
_Static_assert(sizeof(metric_process) <= 1024, "a row stays small");
_Static_assert(sizeof(metric_copy) <= 1024, "and so does a copy");
_Static_assert(
    offsetof(etwc_process_row, times) == sizeof(etwc_plain_row) &&
        offsetof(etwc_process_row, known) == offsetof(etwc_plain_row, known) &&
        offsetof(etwc_process_row, counters) == offsetof(etwc_plain_row, counters) &&
        offsetof(etwc_process_row, gauges) == offsetof(etwc_plain_row, gauges),
    "a row begins like a plain one");
_Static_assert(offsetof(etwc_process_row, counters) == 56, "identity is 56 bytes");

void
etwc_snapshot_free(etwc_snapshot *snapshot)
{
    if (snapshot == NULL)
        return;
    if (snapshot->store != NULL)
        metric_store_leave(snapshot->store, &snapshot->holder);
    etwc_free(snapshot->copies);
    etwc_free(snapshot->running);
    etwc_free(snapshot->rows);
    etwc_free(snapshot->threads);
    etwc_free(snapshot->processors);
    etwc_free(snapshot->images);
    etwc_strings_release(snapshot->object_names);
    etwc_strings_release(snapshot->strings);
    etwc_strings_release(snapshot->identity_strings);
    etwc_free(snapshot);
}

/* ---- A row as of the moment ------------------------------------------------------- */

static uint64_t
clock_ticks_ns(const etwc_snapshot *from, uint64_t ticks)
{
    return ticks * from->timer_resolution_100ns * 100;
}

static void
resolve_times(const etwc_snapshot *from, const metric_copy *copy, etwc_process_row *row)
{
    etwc_row_counters *c = &row->counters;
    c->sample_kernel_100ns += copy->samples_kernel_unweighted * from->first_interval;
    c->sample_user_100ns += copy->samples_user_unweighted * from->first_interval;
    row->times.run_ns = metric_snapshot_ns(from, c->run_ticks);
    row->times.sample_kernel_ns = c->sample_kernel_100ns * 100;
    row->times.sample_user_ns = c->sample_user_100ns * 100;
    row->times.tick_kernel_ns = clock_ticks_ns(from, c->kernel_ticks);
    row->times.tick_user_ns = clock_ticks_ns(from, c->user_ticks);
    row->times.life_tick_kernel_ns = clock_ticks_ns(from, c->life_kernel_ticks);
    row->times.life_tick_user_ns = clock_ticks_ns(from, c->life_user_ticks);
    row->times.disk_read_ns = metric_snapshot_ns(from, c->disk_read_ticks);
    row->times.disk_write_ns = metric_snapshot_ns(from, c->disk_write_ticks);
    row->times.disk_flush_ns = metric_snapshot_ns(from, c->disk_flush_ticks);
    row->times.ready_ns = metric_snapshot_ns(from, c->ready_ticks);
    row->times.wait_ns = metric_snapshot_ns(from, c->wait_ticks);
}

static uint64_t
wait_ticks(const etwc_snapshot *from, const metric_copy *copy, size_t place)
{
    return metric_wait_so_far(&copy->waits[place], copy->wait_epoch == from->wait_epoch,
                              from->machine.raw_time);
}

/* Waits that are under way count up to the moment of the snapshot. */
static void
resolve_waits(const etwc_snapshot *from, const metric_copy *copy, etwc_process_row *row)
{
    if (copy->wait_count != 0)
        row->counters.ready_ticks = wait_ticks(from, copy, METRIC_READY);
    for (size_t i = METRIC_READY + 1; i < copy->wait_count; i++)
        row->counters.wait_ticks += wait_ticks(from, copy, i);
}

void
etwc_snapshot_row(const etwc_snapshot *snapshot, size_t index, etwc_process_row *out)
{
    const metric_copy *copy = snapshot->copies[index];
    memcpy(out, &copy->row, sizeof copy->row);
    memset(&out->times, 0, sizeof out->times);
    if (copy->end_raw_time > snapshot->machine.raw_time) {
        out->end_filetime = 0;
        out->exit_status = 0;
        out->known &= ~(uint32_t)(ETWC_ROW_END | ETWC_ROW_EXIT_STATUS);
    }
    /* The idle process has one thread per processor, all with id 0. */
    if (out->process_id == 0 && (out->known & ETWC_ROW_THREADS))
        out->gauges.thread_count = snapshot->machine.processors;
    out->counters.run_ticks += metric_running_of(snapshot, index);
    resolve_waits(snapshot, copy, out);
    resolve_times(snapshot, copy, out);
}

/* ---- Rows ------------------------------------------------------------------------- */

const etwc_machine_row *
etwc_snapshot_machine(const etwc_snapshot *snapshot)
{
    return &snapshot->machine;
}

size_t
etwc_snapshot_row_count(const etwc_snapshot *snapshot)
{
    return snapshot->row_count;
}

const etwc_process_row *
etwc_snapshot_rows(etwc_snapshot *snapshot, size_t *out_count)
{
    if (snapshot->rows == NULL) {
        size_t size = snapshot->row_count * sizeof *snapshot->rows;
        snapshot->rows = etwc_malloc(size ? size : 1);
        for (size_t i = 0; snapshot->rows != NULL && i < snapshot->row_count; i++)
            etwc_snapshot_row(snapshot, i, &snapshot->rows[i]);
    }
    *out_count = snapshot->rows == NULL ? 0 : snapshot->row_count;
    return snapshot->rows;
}

size_t
etwc_snapshot_find(const etwc_snapshot *snapshot, uint64_t row_id, size_t hint)
{
    const metric_head *heads = snapshot->heads;
    size_t low = 0, high = snapshot->row_count;
    if (hint < high && heads[hint].row_id == row_id)
        return hint;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (heads[middle].row_id < row_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->row_count && heads[low].row_id == row_id ? low : ETWC_NO_ROW;
}

static const metric_wait *
wait_of(const metric_copy *copy, uint32_t reason, size_t *place)
{
    for (*place = METRIC_READY + 1; *place < copy->wait_count; (*place)++)
        if (copy->waits[*place].reason == reason)
            return &copy->waits[*place];
    return NULL;
}

size_t
etwc_snapshot_waits(const etwc_snapshot *snapshot, size_t index,
                    const etwc_snapshot *base, etwc_wait_row out[ETWC_WAIT_REASONS])
{
    const metric_copy *copy = snapshot->copies[index];
    size_t before = ETWC_NO_ROW, place, count = 0;
    if (base != NULL)
        before = etwc_snapshot_find(base, copy->row.row_id, index);
    for (size_t i = METRIC_READY + 1; i < copy->wait_count; i++) {
        etwc_wait_row *wait = &out[count++];
        wait->reason = copy->waits[i].reason;
        wait->ticks = wait_ticks(snapshot, copy, i);
        wait->ns = metric_snapshot_ns(snapshot, wait->ticks);
        if (before == ETWC_NO_ROW ||
            wait_of(base->copies[before], wait->reason, &place) == NULL)
            continue;
        uint64_t earlier = wait_ticks(base, base->copies[before], place);
        wait->ticks -= earlier;
        wait->ns -= metric_snapshot_ns(base, earlier);
    }
    return count;
}

void
etwc_snapshot_difference(const etwc_snapshot *snapshot, size_t index,
                         const etwc_snapshot *base, etwc_process_row *out)
{
    size_t before = ETWC_NO_ROW;
    etwc_process_row now, earlier;
    etwc_snapshot_row(snapshot, index, &now);
    if (base != NULL)
        before = etwc_snapshot_find(base, now.row_id, index);
    if (before != ETWC_NO_ROW)
        etwc_snapshot_row(base, before, &earlier);
    etwc_row_difference(&now, before != ETWC_NO_ROW ? &earlier : NULL, out);
}

uint32_t
etwc_snapshot_process_id(const etwc_snapshot *snapshot, size_t index)
{
    return snapshot->heads[index].process_id;
}

uint64_t
etwc_snapshot_row_id(const etwc_snapshot *snapshot, size_t index)
{
    return snapshot->heads[index].row_id;
}

/* Ends may be told that lie ahead of the snapshot: they are as good here. */
static bool
may_have_started(const etwc_plain_row *parent, const etwc_plain_row *child)
{
    if (parent->process_id != child->parent_id || parent == child)
        return false;
    if (!(child->known & ETWC_ROW_BEGIN))
        return !(parent->known & ETWC_ROW_BEGIN);
    return (!(parent->known & ETWC_ROW_BEGIN) ||
            parent->begin_filetime <= child->begin_filetime) &&
           (!(parent->known & ETWC_ROW_END) ||
            parent->end_filetime >= child->begin_filetime);
}

size_t
etwc_snapshot_parent(const etwc_snapshot *snapshot, size_t index)
{
    const etwc_plain_row *child = &snapshot->copies[index]->row;
    size_t found = ETWC_NO_ROW;
    if (!(child->known & ETWC_ROW_PARENT))
        return ETWC_NO_ROW;
    for (size_t i = 0; i < snapshot->row_count; i++) {
        const etwc_plain_row *row = &snapshot->copies[i]->row;
        if (may_have_started(row, child) &&
            (found == ETWC_NO_ROW ||
             row->begin_filetime >= snapshot->copies[found]->row.begin_filetime))
            found = i;
    }
    return found;
}

const etwc_row_texts *
etwc_snapshot_texts(const etwc_snapshot *snapshot, size_t index)
{
    return &snapshot->copies[index]->texts;
}

const etwc_row_details *
etwc_snapshot_details(const etwc_snapshot *snapshot, size_t index)
{
    return &snapshot->copies[index]->details;
}

const etwc_row_details *
etwc_snapshot_machine_details(const etwc_snapshot *snapshot)
{
    return &snapshot->machine_details;
}

const etwc_object_type *
etwc_snapshot_object_types(const etwc_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->object_type_count;
    return snapshot->object_types;
}

bool
etwc_snapshot_has_name(const etwc_snapshot *snapshot, size_t index)
{
    return snapshot->heads[index].has_name;
}

/* Whether a row that has ended has counted something since. Most have the same copy,
 * at the same position: that is seen without looking into it. */
static bool
has_counted(const etwc_snapshot *snapshot, size_t index, const etwc_snapshot *base)
{
    bool may_run = snapshot->do_dead_run || (base != NULL && base->do_dead_run);
    if (base != NULL && !may_run && index < base->row_count &&
        base->copies[index] == snapshot->copies[index])
        return false;
    etwc_process_row now, earlier = {0};
    etwc_snapshot_row(snapshot, index, &now);
    size_t before =
        base == NULL ? ETWC_NO_ROW : etwc_snapshot_find(base, now.row_id, index);
    if (before != ETWC_NO_ROW)
        etwc_snapshot_row(base, before, &earlier);
    return memcmp(&now.counters, &earlier.counters, sizeof now.counters) != 0;
}

bool
etwc_snapshot_is_active(const etwc_snapshot *snapshot, size_t index, int64_t since,
                        const etwc_snapshot *base)
{
    const metric_head *head = &snapshot->heads[index];
    bool has_ended =
        head->end_raw_time <= snapshot->machine.raw_time && head->end_filetime <= since;
    return !has_ended || has_counted(snapshot, index, base);
}

const etwc_live_thread *
etwc_snapshot_live(const etwc_snapshot *snapshot, size_t index, size_t *out_count)
{
    metric_copy *copy = snapshot->copies[index];
    *out_count = copy->live_count;
    return metric_copy_live(copy);
}

const etwc_thread_row *
etwc_snapshot_threads(const etwc_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->thread_count;
    return snapshot->threads;
}

const etwc_processor_row *
etwc_snapshot_processors(const etwc_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->processor_count;
    return snapshot->processors;
}

const etwc_image_row *
etwc_snapshot_images(const etwc_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->image_count;
    return snapshot->images;
}

void
etwc_row_difference(const etwc_process_row *row, const etwc_process_row *base,
                    etwc_process_row *out)
{
    *out = *row;
    if (base == NULL)
        return;
#define COUNTER_LESS(name) out->counters.name -= base->counters.name;
    ETWC_ROW_COUNTER_LIST(COUNTER_LESS)
#undef COUNTER_LESS
#define TIME_LESS(name) out->times.name -= base->times.name;
    ETWC_ROW_TIME_LIST(TIME_LESS)
#undef TIME_LESS
#define OF_THE_LIFE(name) out->name = row->name;
    ETWC_ROW_LIFE_LIST(OF_THE_LIFE)
#undef OF_THE_LIFE
}
