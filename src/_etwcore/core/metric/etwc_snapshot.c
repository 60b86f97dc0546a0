/* Copies of rows: what readers see. */
#include "etwc_snapshot.h"

#include "etwc_aggregate.h"
#include "etwc_alloc.h"
#include "etwc_shared.h"
#include "metric_copy.h"
#include "metric_rows.h"

/* Python reads rows as a buffer, and every row of a snapshot is copied. */
_Static_assert(sizeof(etwc_process_row) % 8 == 0, "columns are aligned");
_Static_assert(sizeof(etwc_process_row) <= 1024, "a row stays small");
_Static_assert(offsetof(etwc_process_row, counters) == 56, "identity is 56 bytes");

struct etwc_snapshot {
    etwc_machine_row machine;
    etwc_clock clock; /* what the times of a row are made with when it is read */
    uint32_t timer_resolution_100ns;
    uint32_t first_interval; /* of samples that came before any was told, in 100 ns */
    uint32_t wait_epoch;     /* waits that began in another one are not under way */
    metric_copy **copies;    /* a reference to each */
    size_t row_count;
    etwc_process_row *rows; /* all of them, once somebody asked; else NULL */
    etwc_live_thread *live;
    size_t live_count;
    etwc_thread_row *threads;
    size_t thread_count;
    etwc_image_row *images;
    size_t image_count;
    etwc_row_details machine_details;
    const etwc_object_type *object_types; /* a block of etwc_shared.h, or NULL */
    size_t object_type_count;
    etwc_strings *strings, *identity_strings; /* hold the texts */
};

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
    etwc_free(snapshot->images);
    metric_details_release(&snapshot->machine_details);
    etwc_shared_release(snapshot->object_types);
    etwc_strings_release(snapshot->strings);
    etwc_strings_release(snapshot->identity_strings);
    etwc_free(snapshot);
}

/* ---- Taking ----------------------------------------------------------------------- */

static uint64_t
ticks_ns(const etwc_snapshot *from, uint64_t ticks)
{
    if (ticks == 0)
        return 0;
    int64_t span = ticks > INT64_MAX ? INT64_MAX : (int64_t)ticks;
    return (uint64_t)etwc_clock_span_ns(&from->clock, span);
}

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
    row->times.run_ns = ticks_ns(from, c->run_ticks);
    row->times.sample_kernel_ns = c->sample_kernel_100ns * 100;
    row->times.sample_user_ns = c->sample_user_100ns * 100;
    row->times.tick_kernel_ns = clock_ticks_ns(from, c->kernel_ticks);
    row->times.tick_user_ns = clock_ticks_ns(from, c->user_ticks);
    row->times.life_tick_kernel_ns = clock_ticks_ns(from, c->life_kernel_ticks);
    row->times.life_tick_user_ns = clock_ticks_ns(from, c->life_user_ticks);
    row->times.disk_read_ns = ticks_ns(from, c->disk_read_ticks);
    row->times.disk_write_ns = ticks_ns(from, c->disk_write_ticks);
    row->times.disk_flush_ns = ticks_ns(from, c->disk_flush_ticks);
    row->times.ready_ns = ticks_ns(from, c->ready_ticks);
    row->times.wait_ns = ticks_ns(from, c->wait_ticks);
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
    *out = copy->row;
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
    etwc_machine_row *machine = &to->machine;
    for (size_t i = 0; i < a->processor_count; i++) {
        const metric_processor *p = &a->processors[i];
        uint64_t ticks = metric_run_so_far(p, now);
        machine->unknown_ticks += p->unknown_ticks;
        machine->dpc_ticks += p->dpc_ticks;
        machine->isr_ticks += p->isr_ticks;
        if (p->thread == METRIC_NONE) {
            machine->unknown_ticks += ticks;
            continue;
        }
        const metric_thread *thread = &a->threads[p->thread];
        uint32_t number = a->processes[thread->process].number;
        if (number == METRIC_NONE) {
            machine->unowned_ticks += ticks;
        } else if (ticks != 0) {
            metric_copy *copy = own_copy(to, number);
            if (copy == NULL)
                return false;
            copy->row.counters.run_ticks += ticks;
        }
        if (to->threads != NULL)
            to->threads[p->thread].run_ns += ticks;
    }
    return true;
}

static void
fill_threads(const etwc_aggregate *a, int64_t now, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->thread_count; i++) {
        const metric_thread *thread = &a->threads[i];
        etwc_thread_row *row = &to->threads[i];
        *row = (etwc_thread_row){
            .run_ns = thread->run_ticks, /* made ns when all runs are added */
            .context_switches = thread->context_switches,
            .samples = thread->samples,
            .has_ticks = thread->has_ticks,
            .kernel_ticks = thread->kernel_ticks,
            .user_ticks = thread->user_ticks,
            .thread_id = thread->thread_id,
            .row = a->processes[thread->process].number,
        };
        if (thread->life == METRIC_NONE)
            continue;
        const etwc_thread_life *life =
            etwc_lifetimes_thread_at(a->lifetimes, thread->life);
        row->name = life->name;
        if (life->begin_raw_time != INT64_MIN)
            row->begin_filetime = etwc_clock_filetime(&a->clock, life->begin_raw_time);
        if (life->end_raw_time <= now)
            row->end_filetime = etwc_clock_filetime(&a->clock, life->end_raw_time);
    }
}

/* Ticks to ns; rows whose numbers went to another row are left out. */
static void
finish_threads(const etwc_aggregate *a, etwc_snapshot *to)
{
    size_t kept = 0;
    for (size_t i = 0; i < to->thread_count; i++) {
        if (a->threads[i].is_adopted)
            continue;
        to->threads[kept] = to->threads[i];
        to->threads[kept].run_ns = ticks_ns(to, to->threads[kept].run_ns);
        kept++;
    }
    to->thread_count = kept;
}

static void
fill_live(const etwc_aggregate *a, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->live_count; i++) {
        uint32_t number = a->processes[a->live[i].row].number;
        if (number != METRIC_NONE)
            to->live[to->live_count++] =
                (etwc_live_thread){number, a->live[i].thread_id};
    }
}

static void
fill_images(const etwc_aggregate *a, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->image_count; i++) {
        to->images[i] = a->images[i].row;
        to->images[i].row = a->processes[a->images[i].row.row].number;
    }
}

/* Bits of the group masks that switch the events of a source on. */
typedef struct source_mask {
    uint8_t source, index;
    uint32_t bits;
} source_mask;

static const source_mask source_masks[] = {
    {ETWC_SOURCE_process, 0, 0x1},         {ETWC_SOURCE_thread, 0, 0x2},
    {ETWC_SOURCE_image, 0, 0x4},           {ETWC_SOURCE_switches, 1, 0x4},
    {ETWC_SOURCE_samples, 1, 0x2},         {ETWC_SOURCE_page_faults, 0, 0x1000},
    {ETWC_SOURCE_hard_faults, 0, 0x2000},  {ETWC_SOURCE_disk, 0, 0x100},
    {ETWC_SOURCE_file, 0, 0x4000000},      {ETWC_SOURCE_network, 0, 0x10000},
    {ETWC_SOURCE_counters, 0, 0x8},        {ETWC_SOURCE_interrupts, 1, 0x4080},
    {ETWC_SOURCE_file_ends, 0, 0x2000000}, {ETWC_SOURCE_working_sets, 1, 0x800000},
    {ETWC_SOURCE_objects, 4, 0x40},        {ETWC_SOURCE_ready, 1, 0x200},
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
    /* Switched on, but what came of it is not read: unknown, not none. */
    if (a->has_switch_batches &&
        machine->presence[ETWC_SOURCE_switches] == ETWC_ENABLED)
        machine->presence[ETWC_SOURCE_switches] = ETWC_ABSENT;
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
        .negative_intervals = a->negative_intervals,
        .tcp_fails = a->tcp_fails,
        .udp_fails = a->udp_fails,
        .file_ends_missing = a->pending.dropped,
        .processors = (uint32_t)a->processor_count,
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

static void
fill_sums(const etwc_aggregate *a, etwc_snapshot *to)
{
    for (size_t i = 0; i < a->process_count; i++) {
        const metric_process *process = &a->processes[i];
        if (process->number != METRIC_NONE)
            continue;
        to->machine.unowned_ticks += process->row.counters.run_ticks;
        to->machine.unowned_samples += process->row.counters.samples;
    }
    for (size_t i = 0; i < to->row_count; i++) {
        const etwc_process_row *row = &to->copies[i]->row;
        if (row->process_id == 0)
            to->machine.idle_ticks += row->counters.run_ticks;
        else
            to->machine.process_ticks += row->counters.run_ticks;
    }
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
    to->live = etwc_calloc(a->live_count, sizeof *to->live);
    if (to->copies == NULL || to->live == NULL)
        return false;
    if (!(what & ETWC_SNAPSHOT_ALL))
        return true;
    to->thread_count = a->thread_count;
    to->threads = etwc_calloc(to->thread_count, sizeof *to->threads);
    to->image_count = a->image_count;
    to->images = etwc_calloc(to->image_count, sizeof *to->images);
    return to->threads != NULL && to->images != NULL;
}

etwc_status
etwc_aggregate_snapshot(etwc_aggregate *a, int64_t raw_time, unsigned what,
                        etwc_snapshot **out, etwc_error *err)
{
    etwc_snapshot *to = etwc_calloc(1, sizeof *to);
    if (to == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    if (!snapshot_allocate(a, what, to)) {
        etwc_snapshot_free(to);
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    }
    int64_t now = raw_time > a->last_raw_time ? raw_time : a->last_raw_time;
    to->clock = a->clock;
    to->timer_resolution_100ns = a->timer_resolution_100ns;
    to->wait_epoch = a->epoch;
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
    if (what & ETWC_SNAPSHOT_ALL) {
        fill_threads(a, now, to);
        fill_images(a, to);
    }
    fill_live(a, to);
    if (!fill_copies(a, what, to) || !fill_running(a, now, to)) {
        etwc_snapshot_free(to);
        return etwc_fail(err, ETWC_E_NOMEM, "metric.snapshot");
    }
    if (what & ETWC_SNAPSHOT_ALL)
        finish_threads(a, to);
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
        wait->ns = ticks_ns(snapshot, wait->ticks);
        if (before == ETWC_NO_ROW ||
            wait_of(base->copies[before], wait->reason, &place) == NULL)
            continue;
        uint64_t earlier = wait_ticks(base, base->copies[before], place);
        wait->ticks -= earlier;
        wait->ns -= ticks_ns(base, earlier);
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

/* ---- Columns ---------------------------------------------------------------------- */

#define IDENTITY_COLUMN(name, format) {#name, offsetof(etwc_process_row, name), format},
#define IS_AT(group, name, other) \
    (offsetof(etwc_process_row, group.name) == offsetof(etwc_process_row, group.other))
#define COUNTER_COLUMN(name)                                                   \
    {#name, offsetof(etwc_process_row, counters.name),                         \
     IS_AT(counters, name, run_ticks) || IS_AT(counters, name, ready_ticks) || \
             IS_AT(counters, name, wait_ticks)                                 \
         ? 'q'                                                                 \
         : 'Q'},
#define TIME_COLUMN(name)                                          \
    {#name, offsetof(etwc_process_row, times.name),                \
     IS_AT(times, name, run_ns) || IS_AT(times, name, ready_ns) || \
             IS_AT(times, name, wait_ns)                           \
         ? 'q'                                                     \
         : 'Q'},
#define GAUGE_COLUMN(name) {#name, offsetof(etwc_process_row, gauges.name), 'Q'},

/* Runs, readiness and waits come out signed: see etwc_row_difference. */
static const etwc_column row_columns[] = {
    IDENTITY_COLUMN(process_id, 'I') IDENTITY_COLUMN(parent_id, 'I') IDENTITY_COLUMN(
        logon_session_id, 'I') IDENTITY_COLUMN(exit_status, 'I')
        IDENTITY_COLUMN(flags, 'I') IDENTITY_COLUMN(known,
                                                    'I') IDENTITY_COLUMN(start_key, 'Q')
            IDENTITY_COLUMN(row_id, 'Q') IDENTITY_COLUMN(begin_filetime, 'q')
                IDENTITY_COLUMN(end_filetime, 'q') ETWC_ROW_COUNTER_LIST(COUNTER_COLUMN)
                    ETWC_ROW_TIME_LIST(TIME_COLUMN) ETWC_ROW_GAUGE_LIST(GAUGE_COLUMN)};

const etwc_column *
etwc_row_column(size_t index)
{
    return index < ETWC_ARRAY_SIZE(row_columns) ? &row_columns[index] : NULL;
}

const etwc_column *
etwc_row_column_named(const char *name)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(row_columns); i++)
        if (strcmp(row_columns[i].name, name) == 0)
            return &row_columns[i];
    return NULL;
}
