/* Copies of rows: what readers see. */
#include "etwc_snapshot.h"

#include "etwc_aggregate.h"
#include "etwc_alloc.h"
#include "etwc_shared.h"
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
    for (size_t i = 0; i < snapshot->row_count; i++)
        metric_copy_release(snapshot->copies[i]);
    etwc_free(snapshot->copies);
    etwc_free(snapshot->rows);
    etwc_free(snapshot->live);
    etwc_free(snapshot->threads);
    etwc_free(snapshot->processors);
    etwc_free(snapshot->images);
    metric_details_release(&snapshot->machine_details);
    etwc_shared_release(snapshot->object_types);
    etwc_shared_release(snapshot->ended);
    etwc_strings_release(snapshot->object_names);
    etwc_strings_release(snapshot->strings);
    etwc_strings_release(snapshot->identity_strings);
    etwc_free(snapshot);
}

/* ---- Taking ----------------------------------------------------------------------- */

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
    resolve_waits(snapshot, copy, out);
    resolve_times(snapshot, copy, out);
}

/* The copy of a row that this snapshot alone has; NULL when memory is out. */
static metric_copy *
own_copy(etwc_snapshot *to, size_t index)
{
    if (!metric_copy_is_private(to->copies[index])) {
        metric_copy *copy = metric_copy_duplicate(to->copies[index]);
        if (copy == NULL)
            return NULL;
        metric_copy_release(to->copies[index]);
        to->copies[index] = copy;
    }
    return to->copies[index];
}

/* Runs that are under way count up to now, in the copy only. */
static bool
fill_running(const etwc_aggregate *a, int64_t now, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->processor_count; i++) {
        const metric_processor *p = &a->processors[i];
        uint64_t ticks = metric_run_so_far(p, now);
        metric_tables_fill_processor(a, i, ticks, to);
        if (p->thread == METRIC_NONE)
            continue;
        const metric_thread *thread = &a->threads[p->thread];
        uint32_t live_at = metric_facts_of(a, thread)->live_at;
        if (ticks != 0 && live_at != METRIC_NONE)
            to->live[live_at].active_raw_time = now - 1;
        uint32_t number = a->processes[thread->process].number;
        if (number == METRIC_NONE) {
            to->machine.unowned_ticks += ticks;
        } else if (ticks != 0) {
            metric_copy *copy = own_copy(to, number);
            if (copy == NULL)
                return false;
            copy->row.counters.run_ticks += ticks;
            if (copy->row.process_id == 0)
                to->machine.idle_ticks += ticks;
            else
                to->machine.process_ticks += ticks;
        }
        if (to->threads != NULL)
            to->threads[p->thread].run_ticks += ticks;
    }
    return true;
}

static void
fill_live(etwc_aggregate *a, etwc_snapshot *to)
{
    metric_live_update(a);
    to->live_count = a->live_count;
    for (size_t i = 0; i < a->live_count; i++) {
        to->live[i] = a->live[i];
        to->live[i].row = a->processes[a->live[i].row].number;
    }
}

static void
fill_images(const etwc_aggregate *a, etwc_snapshot *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->image_count; i++) {
        if (a->images[i].row.row == METRIC_NONE)
            continue; /* a free place */
        to->images[kept] = a->images[i].row;
        to->images[kept++].row = a->processes[a->images[i].row.row].number;
    }
    to->image_count = kept;
}

/* Bits of the group masks that switch the events of a source on. */
typedef struct source_mask {
    uint8_t source, index;
    uint32_t bits;
} source_mask;

static const source_mask source_masks[] = {
    {ETWC_SOURCE_process, 0, 0x1},
    {ETWC_SOURCE_thread, 0, 0x2},
    {ETWC_SOURCE_image, 0, 0x4},
    {ETWC_SOURCE_switches, 1, 0x4},
    {ETWC_SOURCE_samples, 1, 0x2},
    {ETWC_SOURCE_page_faults, 0, 0x1000},
    {ETWC_SOURCE_hard_faults, 0, 0x2000},
    {ETWC_SOURCE_disk, 0, 0x100},
    {ETWC_SOURCE_file, 0, 0x4000000},
    {ETWC_SOURCE_file_reads, 0, 0x4000000},
    {ETWC_SOURCE_file_writes, 0, 0x4000000},
    {ETWC_SOURCE_network, 0, 0x10000},
    {ETWC_SOURCE_counters, 0, 0x8},
    {ETWC_SOURCE_interrupts, 1, 0x4080},
    {ETWC_SOURCE_file_ends, 0, 0x2000000},
    {ETWC_SOURCE_working_sets, 1, 0x800000},
    {ETWC_SOURCE_objects, 4, 0x40},
    {ETWC_SOURCE_ready, 1, 0x200},
};

static void
fill_presence(const etwc_aggregate *a, etwc_machine_row *machine)
{
    const etwc_session_facts *session = etwc_lifetimes_session(a->lifetimes);
    for (size_t i = 0; i < ETWC_SOURCE_COUNT; i++)
        machine->presence[i] = a->seen[i] ? ETWC_PRESENT : ETWC_ABSENT;
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(source_masks); i++) {
        const source_mask *mask = &source_masks[i];
        if ((session->group_masks[mask->index] & mask->bits) &&
            machine->presence[mask->source] == ETWC_ABSENT)
            machine->presence[mask->source] = ETWC_ENABLED;
    }
    if (!a->has_packed_switches)
        machine->presence[ETWC_SOURCE_single_switches] =
            machine->presence[ETWC_SOURCE_switches];
}

/* Stamps of a damaged file can be anything: the difference saturates. */
static int64_t
wall_ticks(const etwc_aggregate *a, int64_t now)
{
    if (now <= a->begin_raw_time)
        return 0;
    uint64_t ticks = (uint64_t)now - (uint64_t)a->begin_raw_time;
    return ticks > INT64_MAX ? INT64_MAX : (int64_t)ticks;
}

static void
fill_machine(const etwc_aggregate *a, int64_t now, etwc_machine_row *machine)
{
    *machine = (etwc_machine_row){
        .raw_time = now,
        .filetime = etwc_clock_filetime(&a->clock, now),
        .wall_ticks = wall_ticks(a, now),
        .events = a->events,
        .unowned_samples = a->unowned_samples,
        .unowned_records = a->unowned_records,
        .undecoded = a->undecoded,
        .partial = a->partial,
        .lost_records = a->lost_records,
        .switch_mismatches = a->switch_mismatches,
        .waits_dropped = a->waits_dropped,
        .expired_processes = a->bounds.expired_processes,
        .expired_threads = a->bounds.expired_threads,
        .expired_images = a->bounds.expired_images,
        .expired_early = a->bounds.expired_early,
        .refused_processes = a->bounds.refused_processes,
        .refused_threads = a->bounds.refused_threads,
        .refused_images = a->bounds.refused_images,
        .gaps = a->gaps,
        .negative_intervals = a->negative_intervals,
        .tcp_fails = a->tcp_fails,
        .udp_fails = a->udp_fails,
        .file_ends_missing = a->pending.dropped,
        .processors = (uint32_t)a->processor_count,
        .gaps_open = metric_gaps_open(a),
        .sample_interval_100ns = a->sample_interval_100ns,
    };
    if (machine->sample_interval_100ns == 0)
        machine->sample_interval_100ns =
            etwc_lifetimes_session(a->lifetimes)->first_sample_interval_100ns;
    machine->wall_ns = etwc_clock_span_ns(&a->clock, machine->wall_ticks);
    memcpy(machine->undecoded_by, a->undecoded_by, sizeof machine->undecoded_by);
    memcpy(machine->partial_by, a->partial_by, sizeof machine->partial_by);
    fill_presence(a, machine);
}

/* The processes' part was summed from their own rows, so that the sum checks them. */
static void
fill_sums(const etwc_aggregate *a, etwc_snapshot *to)
{
    etwc_machine_row *machine = &to->machine;
    for (size_t i = 0; i < to->processor_count; i++) {
        const etwc_processor_row *row = &to->processors[i];
        machine->dpc_ticks += row->dpc_ticks;
        machine->isr_ticks += row->isr_ticks;
        machine->unknown_ticks += row->unknown_ticks;
        machine->context_switches += row->context_switches;
        machine->dpcs += row->dpcs;
        machine->isrs += row->isrs;
        machine->samples += row->samples;
    }
    machine->process_ticks += a->summed_process_ticks + a->bounds.expired.run_ticks;
    machine->idle_ticks += a->summed_idle_ticks;
    bool has_hidden = a->process_count != a->visible_count;
    for (size_t i = 0; has_hidden && i < a->process_count; i++) {
        const metric_process *process = &a->processes[i];
        if (process->number != METRIC_NONE)
            continue;
        machine->unowned_ticks += process->row.counters.run_ticks;
        machine->unowned_samples += process->row.counters.samples;
    }
    machine->process_ns = metric_snapshot_ns(to, machine->process_ticks);
    machine->unowned_ns = metric_snapshot_ns(to, machine->unowned_ticks);
    machine->idle_ns = metric_snapshot_ns(to, machine->idle_ticks);
    machine->dpc_ns = metric_snapshot_ns(to, machine->dpc_ticks);
    machine->isr_ns = metric_snapshot_ns(to, machine->isr_ticks);
    machine->unknown_ns = metric_snapshot_ns(to, machine->unknown_ticks);
    machine->self_check_ticks =
        (int64_t)(machine->process_ticks + machine->unowned_ticks +
                  machine->idle_ticks + machine->dpc_ticks + machine->isr_ticks +
                  machine->unknown_ticks -
                  machine->processors * (uint64_t)machine->wall_ticks);
}

/* Of what has not changed since the latest snapshot, this one has the same copy. */
static bool
fill_copies(etwc_aggregate *a, unsigned what, etwc_snapshot *to)
{
    if (!metric_copies_update(a, (what & ETWC_SNAPSHOT_FRESH) != 0))
        return false;
    for (size_t i = 0; i < a->visible_count; i++) {
        to->copies[i] = a->copies[i];
        metric_copy_retain(a->copies[i]);
    }
    to->row_count = a->visible_count;
    return true;
}

static bool
snapshot_allocate(const etwc_aggregate *a, unsigned what, etwc_snapshot *to)
{
    to->copies = etwc_malloc(a->visible_count * sizeof(metric_copy *));
    to->live = etwc_malloc(a->live_count * sizeof *to->live);
    if (to->copies == NULL || to->live == NULL)
        return false;
    if (!metric_tables_allocate(a, what, to))
        return false;
    if (!(what & ETWC_SNAPSHOT_ALL))
        return true;
    to->image_count = a->image_count;
    to->images = etwc_calloc(to->image_count, sizeof *to->images);
    return to->images != NULL;
}

etwc_status
etwc_aggregate_snapshot(etwc_aggregate *a, int64_t raw_time, unsigned what,
                        etwc_snapshot **out, etwc_error *err)
{
    metric_numbers_compact(a);
    etwc_snapshot *to = etwc_calloc(1, sizeof *to);
    if (to == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    if (!snapshot_allocate(a, what, to)) {
        etwc_snapshot_free(to);
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    }
    int64_t now = raw_time > a->last_raw_time ? raw_time : a->last_raw_time;
    if (now >= a->next_edge_raw_time)
        metric_gaps_pass(a, now);
    to->clock = a->clock;
    to->timer_resolution_100ns = a->timer_resolution_100ns;
    to->wait_epoch = a->epoch;
    to->is_in_gap = a->open_gap_count != 0;
    to->first_interval =
        etwc_lifetimes_session(a->lifetimes)->first_sample_interval_100ns;
    to->strings = a->strings;
    etwc_strings_retain(to->strings);
    to->identity_strings = etwc_lifetimes_strings(a->lifetimes);
    etwc_strings_retain(to->identity_strings);
    fill_machine(a, now, &to->machine);
    to->machine_details = metric_side_share(&a->machine_side);
    to->object_types = a->object_types;
    to->object_type_count = a->object_type_count;
    etwc_shared_retain(to->object_types);
    to->ended = a->ended;
    to->ended_kept = a->ended_kept;
    to->ended_total = a->ended_total;
    etwc_shared_retain(to->ended);
    to->object_names = a->object_names;
    if (to->object_names != NULL)
        etwc_strings_retain(to->object_names);
    if (what & ETWC_SNAPSHOT_ALL) {
        metric_tables_fill_threads(a, to);
        fill_images(a, to);
    }
    fill_live(a, to);
    if (!fill_copies(a, what, to) || !fill_running(a, now, to)) {
        etwc_snapshot_free(to);
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    }
    metric_tables_finish(a, to);
    fill_sums(a, to);
    *out = to;
    return ETWC_OK;
}

/* ---- Reading ---------------------------------------------------------------------- */

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
    size_t low = 0, high = snapshot->row_count;
    if (hint < high && snapshot->copies[hint]->row.row_id == row_id)
        return hint;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->copies[middle]->row.row_id < row_id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < snapshot->row_count && snapshot->copies[low]->row.row_id == row_id
               ? low
               : ETWC_NO_ROW;
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
    return snapshot->copies[index]->row.process_id;
}

uint64_t
etwc_snapshot_row_id(const etwc_snapshot *snapshot, size_t index)
{
    return snapshot->copies[index]->row.row_id;
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
etwc_snapshot_is_active(const etwc_snapshot *snapshot, size_t index, int64_t since,
                        const etwc_snapshot *base)
{
    const metric_copy *copy = snapshot->copies[index];
    bool has_ended = (copy->row.known & ETWC_ROW_END) &&
                     copy->end_raw_time <= snapshot->machine.raw_time &&
                     copy->row.end_filetime <= since;
    if (!has_ended)
        return true;
    size_t before =
        base != NULL ? etwc_snapshot_find(base, copy->row.row_id, index) : ETWC_NO_ROW;
    if (before != ETWC_NO_ROW && base->copies[before] == copy)
        return false;
    static const etwc_row_counters nothing;
    etwc_process_row part;
    etwc_snapshot_difference(snapshot, index, base, &part);
    return memcmp(&part.counters, &nothing, sizeof nothing) != 0;
}

const etwc_live_thread *
etwc_snapshot_live(const etwc_snapshot *snapshot, size_t *out_count)
{
    *out_count = snapshot->live_count;
    return snapshot->live;
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
}

void
etwc_machine_difference(const etwc_machine_row *machine, const etwc_machine_row *base,
                        etwc_machine_row *out)
{
    *out = *machine;
    if (base == NULL)
        return;
    out->wall_ticks -= base->wall_ticks;
    out->wall_ns -= base->wall_ns;
    out->self_check_ticks -= base->self_check_ticks;
#define COUNTER_LESS(name) out->name -= base->name;
    ETWC_MACHINE_COUNTER_LIST(COUNTER_LESS)
#undef COUNTER_LESS
}

etwc_metric_source
etwc_machine_mode_source(const etwc_machine_row *machine)
{
    if (machine->presence[ETWC_SOURCE_samples] == ETWC_PRESENT &&
        machine->sample_interval_100ns != 0)
        return ETWC_SOURCE_samples;
    if (machine->presence[ETWC_SOURCE_ticks] == ETWC_PRESENT)
        return ETWC_SOURCE_ticks;
    return ETWC_SOURCE_COUNT;
}

etwc_metric_source
etwc_machine_cpu_source(const etwc_machine_row *machine)
{
    if (machine->presence[ETWC_SOURCE_switches] == ETWC_PRESENT)
        return ETWC_SOURCE_switches;
    return etwc_machine_mode_source(machine);
}
