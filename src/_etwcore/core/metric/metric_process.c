/* Process records: who they are lies in the lifetimes; here is what they count. */
#include "metric_rows.h"

void
metric_apply_process(etwc_aggregate *a, const etwc_event *event,
                     const etwc_kernel_record *record)
{
    if (record->type == ETWC_KERNEL_PROCESS_DEFUNCT && a->own != NULL)
        return; /* its row was made when the table learnt of it */
    uint32_t row = metric_process_row(a, record->u.process.process_id, event->raw_time);
    if (row == METRIC_NONE || record->type != ETWC_KERNEL_PROCESS_END)
        return;
    /* Threads whose end records were lost are gone with their process. */
    const metric_process *process = &a->processes[row];
    while (process->live_count != 0)
        metric_live_remove(a, process->live[process->live_count - 1].thread);
    metric_bounds_process_died(a, row);
}

void
metric_apply_counters(etwc_aggregate *a, const etwc_event *event,
                      const etwc_kernel_record *record)
{
    const etwc_kernel_counters *said = &record->u.counters;
    uint32_t row = metric_process_row(a, said->process_id, event->raw_time);
    if (row == METRIC_NONE)
        return;
    etwc_plain_row *to = &metric_process_change(a, row)->row;
    to->gauges.peak_virtual_size = said->peak_virtual_size;
    to->gauges.peak_working_set_size = said->peak_working_set_size;
    to->gauges.peak_pagefile_usage = said->peak_pagefile_usage;
    to->gauges.peak_paged_pool = said->quota_peak_paged_pool_usage;
    to->gauges.peak_non_paged_pool = said->quota_peak_non_paged_pool_usage;
    to->known |= ETWC_ROW_PEAKS;
    if (record->type == ETWC_KERNEL_PROCESS_COUNTERS_EXIT)
        return; /* the address space is gone: all current values are 0 */
    to->gauges.page_fault_count = said->page_fault_count;
    to->gauges.handle_count = said->handle_count;
    to->gauges.virtual_size = said->virtual_size;
    to->gauges.working_set_size = said->working_set_size;
    to->gauges.pagefile_usage = said->pagefile_usage;
    to->gauges.paged_pool = said->quota_paged_pool_usage;
    to->gauges.non_paged_pool = said->quota_non_paged_pool_usage;
    to->gauges.private_bytes = said->private_page_count;
    if (to->gauges.handle_count > to->gauges.peak_handle_count)
        to->gauges.peak_handle_count = to->gauges.handle_count;
    to->known |= ETWC_ROW_COUNTERS | ETWC_ROW_MEMORY;
}

#define BYTES_PER_KIB UINT64_C(1024)

void
metric_apply_exit(etwc_aggregate *a, const etwc_event *event,
                  const etwc_kernel_record *record)
{
    const etwc_kernel_exit *said = &record->u.process.at_exit;
    uint32_t row = metric_process_row(a, record->u.process.process_id, event->raw_time);
    if (row == METRIC_NONE || (a->processes[row].row.known & ETWC_ROW_EXIT))
        return; /* the same once more counts nothing */
    etwc_plain_row *to = &metric_process_change(a, row)->row;
    if (!(to->known & ETWC_ROW_HANDLES)) /* else its own records have counted them */
        to->gauges.handle_count = said->handle_count;
    to->gauges.private_bytes = said->commit_charge;
    to->gauges.peak_pagefile_usage = said->commit_peak;
    to->known |= ETWC_ROW_EXIT;
    if (!(record->fields & ETWC_HAS_CYCLES))
        return;
    to->counters.exit_cycles = said->cpu_cycles;
    to->counters.exit_read_ops = said->read_operations;
    to->counters.exit_write_ops = said->write_operations;
    to->counters.exit_read_bytes = said->read_kib * BYTES_PER_KIB;
    to->counters.exit_write_bytes = said->write_kib * BYTES_PER_KIB;
    to->counters.exit_hard_faults = said->hard_faults;
    to->known |= ETWC_ROW_EXIT_COUNTS;
}
