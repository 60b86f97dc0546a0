/*
 * File calls, cached ones included, and the bytes that they moved.
 *
 * How many bytes a read or write has moved is known when it ends. When the session
 * records the ends of operations (its group masks say so, or one was seen), a read or
 * write counts its bytes then, and one that never ends none; else it counts what it
 * asked for when it begins. So each operation counts once, also in a trace whose
 * masks are unknown and whose first end comes late.
 */
#include "metric_io.h"

/* Opcodes, which the records keep in `which`. */
enum {
    FILE_CREATE = 64,
    FILE_SET_INFO = 69,
    FILE_FS_CONTROL = 75,
    FILE_DIRECTORY_NOTIFICATION = 77,
    /* Bit of the first group mask. */
    FILE_ENDS_BIT = 0x2000000
};

/* Calls that the system counts; cleanup and close are its own, and the records that
 * add a path to a call are not calls. */
bool
metric_is_other_operation(const etwc_kernel_record *record)
{
    uint8_t which = record->u.file.which;
    return which == FILE_CREATE ||
           (which >= FILE_SET_INFO && which <= FILE_FS_CONTROL) ||
           which == FILE_DIRECTORY_NOTIFICATION;
}

static bool
has_ends(const etwc_aggregate *a)
{
    return a->seen[ETWC_SOURCE_file_ends] ||
           (etwc_lifetimes_session(a->lifetimes)->group_masks[0] & FILE_ENDS_BIT);
}

static void
count_bytes(etwc_aggregate *a, uint32_t process, bool is_write, uint64_t bytes)
{
    etwc_row_counters *c = &metric_process_change(a, process)->row.counters;
    *(is_write ? &c->file_write_bytes : &c->file_read_bytes) += bytes;
}

void
metric_count_file(etwc_aggregate *a, uint32_t process, uint32_t thread,
                  const etwc_kernel_record *record)
{
    const etwc_kernel_file *file = &record->u.file;
    etwc_row_counters *c = &metric_process_change(a, process)->row.counters;
    if (record->type == ETWC_KERNEL_FILE_OTHER) {
        metric_pending_entry old;
        if (a->pending.count != 0 && metric_pending_take(&a->pending, file->irp, &old))
            a->pending.dropped++; /* the IRP is used again, its end was lost */
        c->file_other_ops += metric_is_other_operation(record);
        return;
    }
    bool is_write = record->type == ETWC_KERNEL_FILE_WRITE;
    *(is_write ? &c->file_write_ops : &c->file_read_ops) += 1;
    if (!has_ends(a))
        count_bytes(a, process, is_write, file->io_size);
    else if (!metric_pending_put(&a->pending, file->irp, process, thread, is_write))
        metric_out_of_memory(a);
}

void
metric_apply_file_end(etwc_aggregate *a, const etwc_kernel_record *record)
{
    const etwc_kernel_file *file = &record->u.file;
    metric_pending_entry begun;
    if (!metric_pending_take(&a->pending, file->irp, &begun))
        return; /* of a call that moves no bytes, or that began before the trace */
    /* A thread whose process was learnt meanwhile has taken its numbers there. */
    uint32_t process =
        begun.thread == METRIC_NONE ? begun.process : a->threads[begun.thread].process;
    count_bytes(a, process, begun.is_write, file->extra_info);
}
