/* Faults, disk, file calls and network: records that are counted as they come. */
#include "metric_owner.h"
#include "metric_rows.h"

/* Opcodes, which the records keep in `which`. */
enum {
    FAULT_TRANSITION = 10,
    FAULT_DEMAND_ZERO = 11,
    FAULT_COPY_ON_WRITE = 12,
    FAULT_GUARD_PAGE = 13,
    FAULT_HARD = 14,
    NETWORK_SEND = 10,
    NETWORK_RECEIVE = 11
};

static void
count_fault(etwc_row_counters *c, const etwc_kernel_page_fault *record)
{
    switch (record->which) {
    case FAULT_TRANSITION:
        c->faults_transition++;
        break;
    case FAULT_DEMAND_ZERO:
        c->faults_demand_zero++;
        break;
    case FAULT_COPY_ON_WRITE:
        c->faults_copy_on_write++;
        break;
    case FAULT_GUARD_PAGE:
        c->faults_guard_page++;
        break;
    case FAULT_HARD:
        c->faults_hard++;
        break;
    default: /* 15 is an exception, not a fault that was resolved */
        break;
    }
}

static void
count_network(etwc_row_counters *c, const etwc_kernel_network *record)
{
    bool is_send = record->which == NETWORK_SEND;
    if (!is_send && record->which != NETWORK_RECEIVE)
        return; /* connections, and retransmissions of what was counted */
    if (record->is_udp) {
        *(is_send ? &c->udp_send_ops : &c->udp_recv_ops) += 1;
        *(is_send ? &c->udp_send_bytes : &c->udp_recv_bytes) += record->size;
    } else {
        *(is_send ? &c->tcp_send_ops : &c->tcp_recv_ops) += 1;
        *(is_send ? &c->tcp_send_bytes : &c->tcp_recv_bytes) += record->size;
    }
}

static void
count_record(etwc_row_counters *c, const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_PAGE_FAULT:
        count_fault(c, &record->u.page_fault);
        break;
    case ETWC_KERNEL_HARD_FAULT:
        c->hard_faults++;
        c->hard_fault_bytes += record->u.hard_fault.byte_count;
        break;
    case ETWC_KERNEL_DISK_READ:
        c->disk_read_ops++;
        c->disk_read_bytes += record->u.disk.transfer_size;
        c->disk_read_ticks += record->u.disk.response_ticks;
        break;
    case ETWC_KERNEL_DISK_WRITE:
        c->disk_write_ops++;
        c->disk_write_bytes += record->u.disk.transfer_size;
        c->disk_write_ticks += record->u.disk.response_ticks;
        break;
    case ETWC_KERNEL_DISK_FLUSH:
        c->disk_flushes++;
        break;
    case ETWC_KERNEL_FILE_READ:
        c->file_read_ops++;
        break;
    case ETWC_KERNEL_FILE_WRITE:
        c->file_write_ops++;
        break;
    case ETWC_KERNEL_FILE_OTHER:
        c->file_other_ops++;
        break;
    default:
        count_network(c, &record->u.network);
        break;
    }
}

void
metric_apply_io(etwc_aggregate *a, const etwc_event *event,
                const etwc_kernel_record *record)
{
    metric_subject subject = metric_subject_of(event, record);
    uint32_t process = METRIC_NONE;
    if (subject.by == METRIC_BY_PROCESS) {
        process = metric_process_row(a, subject.id, event->raw_time);
    } else if (subject.by == METRIC_BY_THREAD) {
        uint32_t thread = metric_thread_row(a, subject.id, event->raw_time);
        process = thread == METRIC_NONE ? METRIC_NONE : a->threads[thread].process;
    } else {
        a->unowned_records++;
    }
    if (process != METRIC_NONE)
        count_record(&metric_process_change(a, process)->row.counters, record);
}
