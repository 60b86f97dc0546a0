/* The row of the machine as a whole. */
#include "metric_claim.h"
#include "metric_snapshot.h"

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
    {ETWC_SOURCE_disk_totals, 0, 0x100},
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

/* What the processors have done is known, whoever it was. */
static bool
is_run(unsigned source)
{
    return source == ETWC_SOURCE_switches || source == ETWC_SOURCE_samples;
}

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
    machine->presence[ETWC_SOURCE_handles] = machine->presence[ETWC_SOURCE_objects];
    for (unsigned i = 0; i < ETWC_SOURCE_COUNT; i++)
        if (metric_is_unclaimed(a, i) && !is_run(i))
            machine->presence[i] = ETWC_ABSENT;
    if (metric_is_unclaimed(a, ETWC_SOURCE_switches))
        machine->unclaimed_runs |= METRIC_SOURCE_BIT(switches) |
                                   METRIC_SOURCE_BIT(single_switches) |
                                   METRIC_SOURCE_BIT(ready);
    if (metric_is_unclaimed(a, ETWC_SOURCE_samples))
        machine->unclaimed_runs |= METRIC_SOURCE_BIT(samples);
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

void
metric_machine_fill(const etwc_aggregate *a, int64_t now, etwc_machine_row *machine)
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
        .late_records = a->late_records,
        .switch_mismatches = a->switch_mismatches,
        .waits_dropped = a->waits_dropped,
        .expired_processes = a->bounds.expired_processes,
        .expired_threads = a->bounds.expired_threads,
        .expired_images = a->bounds.expired_images,
        .expired_early = a->bounds.expired_early,
        .refused_processes = a->bounds.refused_processes,
        .refused_threads = a->bounds.refused_threads,
        .refused_images = a->bounds.refused_images,
        .unclaimed_listed = a->unclaimed_listed,
        .gaps = a->gaps,
        .negative_intervals = a->negative_intervals,
        .tcp_fails = a->tcp_fails,
        .udp_fails = a->udp_fails,
        .file_ends_missing = a->pending.dropped,
        .disk_read_ops = a->disk.disk_read_ops,
        .disk_read_bytes = a->disk.disk_read_bytes,
        .disk_write_ops = a->disk.disk_write_ops,
        .disk_write_bytes = a->disk.disk_write_bytes,
        .disk_flushes = a->disk.disk_flushes,
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
    memcpy(machine->unclaimed_by, a->unclaimed_by, sizeof machine->unclaimed_by);
    fill_presence(a, machine);
}

/* The processes' part was summed from their own rows, so that the sum checks them. */
void
metric_machine_fill_sums(const etwc_aggregate *a, etwc_snapshot *to)
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
    for (uint32_t i = a->hidden.first; i != METRIC_NONE;
         i = a->processes[i].dead.next) {
        machine->unowned_ticks += a->processes[i].row.counters.run_ticks;
        machine->unowned_samples += a->processes[i].row.counters.samples;
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

/* ---- Reading ---------------------------------------------------------------------- */

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

bool
etwc_row_has(const etwc_machine_row *machine, const etwc_process_row *row,
             etwc_metric_source source)
{
    bool is_nobodys = row->process_id != 0 && (machine->unclaimed_runs >> source & 1);
    return machine->presence[source] != ETWC_ABSENT && !is_nobodys;
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
