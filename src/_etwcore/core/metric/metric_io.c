/* Whose record it is; what becomes of it is in the file of its concept. */
#include "metric_io.h"

#include "metric_claim.h"
#include "metric_owner.h"

/* Whose handle it is, its number can tell: see metric_object.c. */
static void
leave_unclaimed(etwc_aggregate *a, const etwc_kernel_record *record, uint32_t process)
{
    if (record->type != ETWC_KERNEL_HANDLE_CREATE &&
        record->type != ETWC_KERNEL_HANDLE_CLOSE)
        metric_leave_unclaimed(a, record, process);
}

/* A record header that carries the thread tells its process, too: sessions of manifest
 * providers have no list of the threads that were there before them. */
static uint32_t
owner_by_thread(etwc_aggregate *a, const etwc_event *event,
                const etwc_kernel_record *record, uint32_t thread_id,
                uint32_t *out_thread)
{
    *out_thread = metric_thread_row(a, thread_id, event->raw_time);
    if (*out_thread == METRIC_NONE)
        return METRIC_NONE;
    uint32_t process = a->threads[*out_thread].process;
    if (a->processes[process].number != METRIC_NONE)
        return process;
    if (!metric_header_is_of(event, thread_id)) {
        leave_unclaimed(a, record, process);
        return process;
    }
    *out_thread = METRIC_NONE;
    return metric_process_row(a, event->process_id, event->raw_time);
}

/* The row of the process that a record belongs to and, when a thread led there, the
 * row of the thread. METRIC_NONE: nobody can be found, or memory is out. */
static uint32_t
owner_of(etwc_aggregate *a, const etwc_event *event, const etwc_kernel_record *record,
         uint32_t *out_thread)
{
    metric_subject subject = metric_subject_of(event, record);
    *out_thread = METRIC_NONE;
    switch (subject.by) {
    case METRIC_BY_PROCESS:
        return metric_process_row(a, subject.id, event->raw_time);
    case METRIC_BY_NOBODY:
        a->unowned_records++;
        leave_unclaimed(a, record, METRIC_NONE);
        return METRIC_NONE;
    default:
        return owner_by_thread(a, event, record, subject.id, out_thread);
    }
}

static void
apply_owned(etwc_aggregate *a, const etwc_event *event,
            const etwc_kernel_record *record)
{
    uint32_t thread;
    uint32_t process = owner_of(a, event, record, &thread);
    switch (record->type) {
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
        metric_count_disk(a, process, record);
        return;
    case ETWC_KERNEL_HANDLE_CREATE:
    case ETWC_KERNEL_HANDLE_CLOSE:
    case ETWC_KERNEL_HANDLE_RUNDOWN:
        metric_apply_handle(a, process, event, record);
        return;
    default:
        break;
    }
    if (process == METRIC_NONE)
        return;
    etwc_row_counters *counters = &metric_process_change(a, process)->row.counters;
    switch (record->type) {
    case ETWC_KERNEL_PAGE_FAULT:
    case ETWC_KERNEL_HARD_FAULT:
        metric_count_fault(counters, record);
        break;
    case ETWC_KERNEL_FILE_READ:
    case ETWC_KERNEL_FILE_WRITE:
    case ETWC_KERNEL_FILE_OTHER:
        metric_count_file(a, process, thread, record);
        break;
    default:
        metric_count_network(counters, &record->u.network);
        break;
    }
}

void
metric_apply_io(etwc_aggregate *a, const etwc_event *event,
                const etwc_kernel_record *record)
{
    switch (record->type) {
    case ETWC_KERNEL_MEMORY_WORKING_SETS:
        metric_apply_working_sets(a, event, record);
        break;
    case ETWC_KERNEL_FILE_END:
        metric_apply_file_end(a, record);
        break;
    case ETWC_KERNEL_NETWORK_FAIL: /* its payload names no process */
        *(record->u.network.is_udp ? &a->udp_fails : &a->tcp_fails) += 1;
        break;
    case ETWC_KERNEL_OBJECT_TYPE:
        metric_apply_object_type(a, &record->u.object_type);
        break;
    case ETWC_KERNEL_HANDLE_DUPLICATE: /* two processes, both in the payload */
        metric_apply_handle(a, METRIC_NONE, event, record);
        break;
    default:
        apply_owned(a, event, record);
        break;
    }
}
