/* Faults, and the sizes that lists of working sets tell. */
#include "metric_io.h"

/* Opcodes, which the records keep in `which`. */
enum {
    FAULT_TRANSITION = 10,
    FAULT_DEMAND_ZERO = 11,
    FAULT_COPY_ON_WRITE = 12,
    FAULT_GUARD_PAGE = 13,
    FAULT_HARD = 14
};

bool
metric_is_fault(const etwc_kernel_record *record)
{
    return record->u.page_fault.which >= FAULT_TRANSITION &&
           record->u.page_fault.which <= FAULT_HARD;
}

void
metric_count_fault(etwc_row_counters *c, const etwc_kernel_record *record)
{
    if (record->type == ETWC_KERNEL_HARD_FAULT) {
        c->hard_faults++;
        c->hard_fault_bytes += record->u.hard_fault.byte_count;
        return;
    }
    switch (record->u.page_fault.which) {
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

/* ---- Working sets ------------------------------------------------------------------- */

/* An entry is a process id and then numbers of pages, each as wide as a pointer. */
enum {
    PAGES_WORKING_SET,
    PAGES_COMMIT,
    PAGES_VIRTUAL,
    PAGES_PRIVATE_WORKING_SET,
    PAGES_OLD_ENTRY, /* how many an entry of version 0 or 1 has */
    PAGES_COMMIT_DEBT = 6,
    PAGES_SHARED_COMMIT,
    PAGES_NEW_ENTRY
};
enum { ENTRY_ID_BYTES = 4 };

/* Of a trace that does not say: right but for some ARM64 systems. */
#define USUAL_PAGE_SIZE 4096u

static uint64_t
bytes_at(const etwc_aggregate *a, const uint8_t *entry, unsigned pointer_size,
         unsigned which)
{
    const uint8_t *at = entry + ENTRY_ID_BYTES + (size_t)which * pointer_size;
    uint64_t pages = pointer_size == 4 ? etwc_load_u32(at) : etwc_load_u64(at);
    uint32_t page_size = etwc_lifetimes_session(a->lifetimes)->page_size;
    return pages * (page_size != 0 ? page_size : USUAL_PAGE_SIZE);
}

static void
apply_entry(etwc_aggregate *a, const uint8_t *entry,
            const etwc_kernel_working_sets *sets, int64_t now)
{
    uint32_t process = metric_process_row(a, etwc_load_u32(entry), now);
    if (process == METRIC_NONE)
        return;
    unsigned p = sets->pointer_size;
    etwc_plain_row *row = &metric_process_change(a, process)->row;
    row->gauges.working_set_size = bytes_at(a, entry, p, PAGES_WORKING_SET);
    row->gauges.private_bytes = bytes_at(a, entry, p, PAGES_COMMIT);
    row->gauges.virtual_size = bytes_at(a, entry, p, PAGES_VIRTUAL);
    row->gauges.private_working_set_size =
        bytes_at(a, entry, p, PAGES_PRIVATE_WORKING_SET);
    /* The counter records know the peak itself; until then the largest seen. */
    if (!(row->known & ETWC_ROW_PEAKS) &&
        row->gauges.working_set_size > row->gauges.peak_working_set_size)
        row->gauges.peak_working_set_size = row->gauges.working_set_size;
    row->known |= ETWC_ROW_MEMORY | ETWC_ROW_WORKING_SET;
    if (sets->entry_size >= ENTRY_ID_BYTES + (uint32_t)PAGES_NEW_ENTRY * p) {
        row->gauges.commit_debt = bytes_at(a, entry, p, PAGES_COMMIT_DEBT);
        row->gauges.shared_commit = bytes_at(a, entry, p, PAGES_SHARED_COMMIT);
        row->known |= ETWC_ROW_SHARED_COMMIT;
    }
}

void
metric_apply_working_sets(etwc_aggregate *a, const etwc_event *event,
                          const etwc_kernel_record *record)
{
    const etwc_kernel_working_sets *sets = &record->u.working_sets;
    if (sets->count == 0)
        return;
    if (sets->entry_size <
        ENTRY_ID_BYTES + (uint32_t)PAGES_OLD_ENTRY * sets->pointer_size) {
        metric_undecoded(a, ETWC_SOURCE_working_sets); /* the count contradicts it */
        return;
    }
    for (uint32_t i = 0; i < sets->count; i++)
        apply_entry(a, sets->entries.ptr + (size_t)i * sets->entry_size, sets,
                    event->raw_time);
}
