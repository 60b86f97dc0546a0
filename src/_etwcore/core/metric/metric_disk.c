/* Disk reads, writes and flushes: counts, times, and with which priority. */
#include "metric_io.h"

/* Where IrpFlags have the priority. */
enum { PRIORITY_SHIFT = 17, PRIORITY_MASK = 7 };
/* Opcode of changes of a thread's priority, which the records keep in `which`. */
enum { PRIORITY_IO = 52 };
_Static_assert(ETWC_DISK_PRIORITIES == PRIORITY_MASK + 1, "one count for each value");

static void
count(etwc_row_counters *c, const etwc_kernel_record *record)
{
    const etwc_kernel_disk *disk = &record->u.disk;
    switch (record->type) {
    case ETWC_KERNEL_DISK_READ:
        c->disk_read_ops++;
        c->disk_read_bytes += disk->transfer_size;
        c->disk_read_ticks += disk->response_ticks;
        break;
    case ETWC_KERNEL_DISK_WRITE:
        c->disk_write_ops++;
        c->disk_write_bytes += disk->transfer_size;
        c->disk_write_ticks += disk->response_ticks;
        break;
    default:
        c->disk_flushes++;
        c->disk_flush_ticks += disk->response_ticks;
        break;
    }
}

static etwc_latency
latency_of(const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_DISK_READ:
        return ETWC_LATENCY_READ;
    case ETWC_KERNEL_DISK_WRITE:
        return ETWC_LATENCY_WRITE;
    default:
        return ETWC_LATENCY_FLUSH;
    }
}

static void
count_side(etwc_aggregate *a, metric_side *side, const etwc_kernel_record *record,
           uint64_t ns)
{
    const etwc_kernel_disk *disk = &record->u.disk;
    metric_block *latency = &side->latencies[latency_of(record)];
    /* The oldest layouts have no time at all. */
    if ((record->fields & ETWC_HAS_RESPONSE_TIME) &&
        metric_block_write(a, latency,
                           etwc_histogram_size_with(metric_block_content(latency), ns)))
        etwc_histogram_add(metric_block_content(latency), ns);
    if (record->type != ETWC_KERNEL_DISK_FLUSH &&
        metric_block_write(a, &side->disk_priorities,
                           ETWC_DISK_PRIORITIES * sizeof(uint64_t))) {
        uint64_t *priorities = metric_block_content(&side->disk_priorities);
        priorities[(disk->irp_flags >> PRIORITY_SHIFT) & PRIORITY_MASK]++;
    }
}

void
metric_count_disk(etwc_aggregate *a, uint32_t process, const etwc_kernel_record *record)
{
    uint64_t ticks = record->u.disk.response_ticks;
    int64_t span = ticks > INT64_MAX ? INT64_MAX : (int64_t)ticks;
    uint64_t ns = (uint64_t)etwc_clock_span_ns(&a->clock, span);
    count(&a->disk, record);
    count_side(a, &a->machine_side, record, ns);
    a->seen[ETWC_SOURCE_disk_totals] = 1;
    if (process == METRIC_NONE)
        return;
    metric_process *owner = metric_process_change(a, process);
    owner->has_side_changed = true;
    count(&owner->row.counters, record);
    count_side(a, &owner->side, record, ns);
}

/* The priority of a process is that of its first thread, which it started with and
 * which a change of the whole process reaches; others may differ on their own. When
 * that thread has ended, the next one that is told of takes its place. */
void
metric_io_priority_told(etwc_aggregate *a, uint32_t thread, uint8_t priority)
{
    uint32_t row = a->threads[thread].process;
    metric_process *process = &a->processes[row];
    uint32_t first = process->priority_thread;
    /* Rows of threads are used again. */
    bool has_first = (process->row.known & ETWC_ROW_IO_PRIORITY) &&
                     a->thread_facts[first].live_at != METRIC_NONE &&
                     a->threads[first].process == row;
    if (has_first && first != thread)
        return;
    (void)metric_process_change(a, row);
    process->priority_thread = thread;
    process->row.gauges.io_priority = priority;
    process->row.known |= ETWC_ROW_IO_PRIORITY;
}

void
metric_apply_priority(etwc_aggregate *a, const etwc_event *event,
                      const etwc_kernel_priority *record)
{
    if (record->which != PRIORITY_IO)
        return;
    uint32_t thread = metric_thread_row(a, record->thread_id, event->raw_time);
    if (thread != METRIC_NONE)
        metric_io_priority_told(a, thread, record->new_priority);
}
