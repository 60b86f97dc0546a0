/* Records that are nobody's: see metric_claim.h. */
#include "metric_claim.h"

#include "metric_io.h"

_Static_assert(ETWC_SOURCE_COUNT <= 32, "sources fit their bits");

static etwc_metric_source
source_of(const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_PAGE_FAULT:
        return metric_is_fault(record) ? ETWC_SOURCE_page_faults : ETWC_SOURCE_COUNT;
    case ETWC_KERNEL_HARD_FAULT:
        return ETWC_SOURCE_hard_faults;
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
        return ETWC_SOURCE_disk;
    case ETWC_KERNEL_FILE_READ:
        return ETWC_SOURCE_file_reads;
    case ETWC_KERNEL_FILE_WRITE:
        return ETWC_SOURCE_file_writes;
    case ETWC_KERNEL_FILE_OTHER:
        return metric_is_other_operation(record) ? ETWC_SOURCE_file : ETWC_SOURCE_COUNT;
    case ETWC_KERNEL_HANDLE_CREATE:
    case ETWC_KERNEL_HANDLE_CLOSE:
        return ETWC_SOURCE_handles;
    default: /* counts for no process */
        return ETWC_SOURCE_COUNT;
    }
}

void
metric_leave_unclaimed(etwc_aggregate *a, const etwc_kernel_record *record,
                       uint32_t process)
{
    etwc_metric_source source = source_of(record);
    /* What found no place among the rows is counted as refused, or has left. */
    bool is_refused = process != METRIC_NONE && process == a->bounds.process;
    if (source == ETWC_SOURCE_COUNT || is_refused)
        return;
    a->unclaimed_by[source]++;
    if (a->unclaimed_sources >> source & 1)
        return;
    a->unclaimed_sources |= UINT32_C(1) << source;
    metric_processes_change(a);
}

/* Bits of the sources that have counted something. */
static uint32_t
claimed_by(const etwc_row_counters *c)
{
    uint64_t faults = c->faults_transition | c->faults_demand_zero |
                      c->faults_copy_on_write | c->faults_guard_page | c->faults_hard;
    uint64_t disk = c->disk_read_ops | c->disk_write_ops | c->disk_flushes;
    return (faults != 0 ? METRIC_SOURCE_BIT(page_faults) : 0) |
           (c->hard_faults != 0 ? METRIC_SOURCE_BIT(hard_faults) : 0) |
           (disk != 0 ? METRIC_SOURCE_BIT(disk) : 0) |
           (c->file_read_ops != 0 ? METRIC_SOURCE_BIT(file_reads) : 0) |
           (c->file_write_ops != 0 ? METRIC_SOURCE_BIT(file_writes) : 0) |
           (c->file_other_ops != 0 ? METRIC_SOURCE_BIT(file) : 0) |
           ((c->handles_opened | c->handles_closed) != 0 ? METRIC_SOURCE_BIT(handles)
                                                         : 0);
}

/* The same of what threads do: that of thread 0 is known without any record of it. */
static uint32_t
run_by(const etwc_row_counters *c)
{
    return (c->context_switches != 0 ? METRIC_SOURCE_BIT(switches) : 0) |
           (c->samples != 0 ? METRIC_SOURCE_BIT(samples) : 0);
}

static uint32_t
claimed_by_row(const etwc_aggregate *a, size_t row)
{
    const metric_process *process = &a->processes[row];
    const etwc_row_counters *counters = &process->row.counters;
    if (process->number == METRIC_NONE)
        return 0;
    return claimed_by(counters) | (process->row.process_id != 0 ? run_by(counters) : 0);
}

/* What hidden rows have run; a record that tells whose they are can still come. */
static void
look_at_hidden(etwc_aggregate *a)
{
    uint64_t switches = 0, samples = 0;
    for (uint32_t i = a->hidden.first; i != METRIC_NONE;
         i = a->processes[i].dead.next) {
        const etwc_row_counters *c = &a->processes[i].row.counters;
        bool is_refused = i == a->bounds.process;
        switches += is_refused ? 0 : c->context_switches;
        samples += is_refused ? 0 : c->samples;
    }
    uint32_t had = a->unclaimed_sources;
    uint32_t run = (switches != 0 ? METRIC_SOURCE_BIT(switches) : 0) |
                   (samples != 0 ? METRIC_SOURCE_BIT(samples) : 0);
    a->unclaimed_by[ETWC_SOURCE_switches] = switches;
    a->unclaimed_by[ETWC_SOURCE_samples] = samples;
    a->unclaimed_sources =
        (had & ~(METRIC_SOURCE_BIT(switches) | METRIC_SOURCE_BIT(samples))) | run;
    if (had != a->unclaimed_sources)
        metric_processes_change(a);
}

/* Since all rows are looked at when a source has left a record unclaimed for the first
 * time, those that have changed are enough after that. */
void
metric_claims_look(etwc_aggregate *a)
{
    look_at_hidden(a);
    uint32_t wanted = a->unclaimed_sources & ~a->claimed_sources;
    if (ETWC_LIKELY(wanted == 0))
        return;
    uint32_t claimed = claimed_by(&a->bounds.expired) | run_by(&a->bounds.expired);
    if (a->have_all_changed)
        for (size_t i = 0; i < a->process_count; i++)
            claimed |= claimed_by_row(a, i);
    for (size_t i = 0; i < a->changed_count; i++)
        claimed |= claimed_by_row(a, a->changed[i]);
    a->claimed_sources |= claimed & wanted;
    if (claimed & wanted & METRIC_SOURCE_BIT(handles))
        metric_processes_change(a); /* how many are open is known now */
}
