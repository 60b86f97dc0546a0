/*
 * Handles: how many a process has open, and how many it opened, closed and got as
 * duplicates, by type of the object.
 *
 * A process that starts in the trace begins with none; of another one the list of
 * handles at the beginning of the session tells how many it has, or the one at its
 * end how many it had. Without either only changes are known.
 */
#include "metric_claim.h"
#include "metric_io.h"

/* Opcodes, which the records keep in `which`. */
enum {
    HANDLE_CREATE = 32,
    HANDLE_CLOSE = 33,
    HANDLE_DUPLICATE = 34,
    HANDLE_RUNDOWN_START = 38,
    HANDLE_RUNDOWN_END = 39
};

enum { SYSTEM_PROCESS = 4 };
/* A handle of the kernel lies in the table of System, whoever opened it. */
#define HANDLE_OF_KERNEL UINT32_C(0x80000000)

/* ---- Types ---------------------------------------------------------------------------- */

/* The slot of a type; types beyond what is kept share the last one. METRIC_NONE
 * when memory is out. */
static uint32_t
slot_of(etwc_aggregate *a, uint16_t type)
{
    etwc_object_type *types = metric_block_content(&a->object_types);
    size_t count = a->object_type_count;
    if (ETWC_LIKELY(a->object_slot_last < count &&
                    types[a->object_slot_last].number == type))
        return a->object_slot_last;
    for (size_t i = 0; i < count; i++)
        if (types[i].number == type)
            return a->object_slot_last = (uint32_t)i;
    if (count == ETWC_OBJECT_SLOTS - 1)
        type = ETWC_OBJECT_OTHER;
    if (count == ETWC_OBJECT_SLOTS)
        return ETWC_OBJECT_SLOTS - 1;
    if (!metric_block_write(a, &a->object_types, (count + 1) * sizeof *types))
        return METRIC_NONE;
    types = metric_block_content(&a->object_types);
    types[count] = (etwc_object_type){.number = type};
    return a->object_slot_last = (uint32_t)a->object_type_count++;
}

void
metric_apply_object_type(etwc_aggregate *a, const etwc_kernel_object_type *record)
{
    uint32_t slot = slot_of(a, record->type);
    if (slot == METRIC_NONE || record->name.len == 0)
        return;
    const etwc_object_type *type =
        (const etwc_object_type *)metric_block_content(&a->object_types) + slot;
    if (type->name != NULL || type->number != record->type)
        return; /* the list comes at both ends of a session */
    if (a->object_names == NULL)
        a->object_names = etwc_strings_new();
    const etwc_text_entry *name =
        a->object_names == NULL ? NULL
                                : etwc_strings_add_utf16(a->object_names, record->name);
    if (name == NULL ||
        !metric_block_write(a, &a->object_types, metric_block_size(&a->object_types))) {
        metric_out_of_memory(a);
        return;
    }
    ((etwc_object_type *)metric_block_content(&a->object_types))[slot].name = name;
}

/* The counts of a process for a type; NULL when memory is out. */
static etwc_object_counts *
counts_of(etwc_aggregate *a, uint32_t process, uint16_t type)
{
    uint32_t slot = slot_of(a, type);
    metric_process *owner = metric_process_change(a, process);
    metric_block *objects = &owner->side.objects;
    owner->has_side_changed = true;
    if (slot == METRIC_NONE ||
        !metric_block_write(a, objects,
                            ((size_t)slot + 1) * sizeof(etwc_object_counts)))
        return NULL;
    return (etwc_object_counts *)metric_block_content(objects) + slot;
}

/* ---- Handles -------------------------------------------------------------------------- */

static uint32_t
holder_of(etwc_aggregate *a, uint32_t process, uint32_t handle, int64_t now)
{
    return handle & HANDLE_OF_KERNEL ? metric_process_row(a, SYSTEM_PROCESS, now)
                                     : process;
}

static void
change_open(metric_process *process, int change)
{
    process->open_handles += change;
    if (process->open_handles > process->most_handles)
        process->most_handles = process->open_handles;
}

static void
opened(etwc_aggregate *a, uint32_t process, uint16_t type)
{
    etwc_object_counts *counts = counts_of(a, process, type);
    if (counts == NULL)
        return;
    counts->opened++;
    a->processes[process].row.counters.handles_opened++;
    change_open(&a->processes[process], 1);
}

static void
closed(etwc_aggregate *a, uint32_t process, uint16_t type)
{
    etwc_object_counts *counts = counts_of(a, process, type);
    if (counts == NULL)
        return;
    counts->closed++;
    a->processes[process].row.counters.handles_closed++;
    change_open(&a->processes[process], -1);
}

static void
duplicated(etwc_aggregate *a, const etwc_kernel_handle *record, int64_t now)
{
    uint32_t target = holder_of(a, metric_process_row(a, record->process_id, now),
                                record->handle, now);
    uint32_t source =
        holder_of(a, metric_process_row(a, record->source_process_id, now),
                  record->source_handle, now);
    if (source != METRIC_NONE)
        metric_process_change(a, source)->row.counters.duplicates_given++;
    if (target == METRIC_NONE)
        return;
    etwc_object_counts *counts = counts_of(a, target, record->object_type);
    if (counts == NULL)
        return;
    counts->duplicated++;
    a->processes[target].row.counters.handles_duplicated++;
    change_open(&a->processes[target], 1);
}

/* A list is made while the table of its process is locked: it has every handle that
 * was opened before, also in the trace. The same first handle begins it anew. */
static void
listed_at_start(etwc_aggregate *a, uint32_t row, uint32_t handle)
{
    metric_process *process = metric_process_change(a, row);
    if (!a->has_handle_list) {
        a->has_handle_list = true;
        a->unclaimed_listed = a->unclaimed_by[ETWC_SOURCE_handles];
    }
    if (!process->has_handle_list || process->first_listed_handle == handle) {
        process->has_handle_list = true;
        process->first_listed_handle = handle;
        process->open_handles = process->most_handles = 0;
    }
    change_open(process, 1);
}

void
metric_apply_handle(etwc_aggregate *a, uint32_t process, const etwc_event *event,
                    const etwc_kernel_record *record)
{
    const etwc_kernel_handle *said = &record->u.handle;
    if (said->which == HANDLE_DUPLICATE) {
        duplicated(a, said, event->raw_time);
        return;
    }
    if (said->which == HANDLE_CREATE || said->which == HANDLE_CLOSE) {
        process = holder_of(a, process, said->handle, event->raw_time);
        if (process == METRIC_NONE || a->processes[process].number == METRIC_NONE)
            metric_leave_unclaimed(a, record, process);
    }
    if (process == METRIC_NONE)
        return;
    switch (said->which) {
    case HANDLE_CREATE:
        opened(a, process, said->object_type);
        break;
    case HANDLE_CLOSE:
        closed(a, process, said->object_type);
        break;
    case HANDLE_RUNDOWN_START:
        listed_at_start(a, process, said->handle);
        break;
    default:
        metric_process_change(a, process)->listed_at_end++;
        break;
    }
}

void
metric_fill_handles(const etwc_aggregate *a, const metric_process *process,
                    etwc_plain_row *row)
{
    if (!a->seen[ETWC_SOURCE_objects] || metric_is_unclaimed(a, ETWC_SOURCE_handles))
        return;
    int64_t before = 0; /* handles that were open before the first record */
    bool began_here =
        process->life != METRIC_NONE &&
        etwc_lifetimes_process_at(a->lifetimes, process->life)->begin_raw_time !=
            INT64_MIN;
    if (!process->has_handle_list && !began_here) {
        if (process->listed_at_end == 0)
            return;
        before = (int64_t)process->listed_at_end - process->open_handles;
    }
    int64_t open = before + process->open_handles;
    int64_t most = before + process->most_handles;
    uint64_t count = open > 0 ? (uint64_t)open : 0;
    uint64_t peak = most > 0 ? (uint64_t)most : 0;
    /* What the counters at the end of the session say is the system's own count. */
    if (!(row->known & ETWC_ROW_COUNTERS))
        row->gauges.handle_count = count;
    if (peak > row->gauges.peak_handle_count)
        row->gauges.peak_handle_count = peak;
    row->known |= ETWC_ROW_HANDLES;
}
