/*
 * Images by process and base address. A rundown and a load record of the same
 * image are one image; an address that is used again is another.
 */
#include "etwc_alloc.h"
#include "metric_rows.h"

/* ---- Where they are found ---------------------------------------------------------- */

#define IMAGE_FIRST_SLOTS ((size_t)256)

static uint32_t
image_hash(uint32_t process, uint64_t base)
{
    uint64_t h = (base >> 12) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ process) * UINT64_C(0xD6E8FEB86659FD93);
    return (uint32_t)(h >> 32);
}

/* The slot of an image, or the free one where it belongs. Slots have the whole hash, so
 * that other images, of which most are dead and in no cache, are not looked at. */
static size_t
slot_find(const etwc_aggregate *a, uint32_t process, uint64_t base)
{
    uint32_t hash = image_hash(process, base);
    size_t mask = a->image_slot_count - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        metric_image_slot slot = a->image_slots[i];
        if (slot.number == METRIC_NONE)
            return i;
        if (slot.hash == hash && a->images[slot.number].row.base == base &&
            a->images[slot.number].row.row == process)
            return i;
    }
}

/* The image that lies at that address now, or did last. */
static uint32_t
image_find(const etwc_aggregate *a, uint32_t process, uint64_t base)
{
    if (a->image_slot_count == 0)
        return METRIC_NONE;
    return a->image_slots[slot_find(a, process, base)].number;
}

/* The latest at its address is found from now on; there is a free slot. */
static void
image_enter(etwc_aggregate *a, uint32_t number)
{
    const etwc_image_row *row = &a->images[number].row;
    size_t at = slot_find(a, row->row, row->base);
    a->image_slots_used += a->image_slots[at].number == METRIC_NONE;
    a->image_slots[at] = (metric_image_slot){image_hash(row->row, row->base), number};
}

void
metric_image_forget(etwc_aggregate *a, uint32_t number)
{
    const etwc_image_row *row = &a->images[number].row;
    size_t mask = a->image_slot_count - 1;
    size_t hole = slot_find(a, row->row, row->base);
    if (a->image_slots[hole].number != number)
        return; /* another has come to its address */
    a->image_slots_used--;
    /* What lies behind the hole and would not be found across it moves into it. */
    for (size_t i = (hole + 1) & mask; a->image_slots[i].number != METRIC_NONE;
         i = (i + 1) & mask) {
        size_t home = a->image_slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        a->image_slots[hole] = a->image_slots[i];
        hole = i;
    }
    a->image_slots[hole].number = METRIC_NONE;
}

/* A free slot for one more: at most half of them are used. */
static bool
slots_reach(etwc_aggregate *a)
{
    if (a->image_slots_used < a->image_slot_count / 2)
        return true;
    size_t count = a->image_slot_count ? a->image_slot_count * 2 : IMAGE_FIRST_SLOTS;
    metric_image_slot *slots = etwc_malloc(count * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots, 0xFF, count * sizeof *slots);
    for (size_t i = 0; i < a->image_slot_count; i++) {
        metric_image_slot slot = a->image_slots[i];
        if (slot.number == METRIC_NONE)
            continue;
        size_t at = slot.hash & (count - 1);
        while (slots[at].number != METRIC_NONE)
            at = (at + 1) & (count - 1);
        slots[at] = slot;
    }
    etwc_free(a->image_slots);
    a->image_slots = slots;
    a->image_slot_count = count;
    metric_has_grown(a);
    return true;
}

/* ---- What is told of them ----------------------------------------------------------- */

static uint32_t
image_take(etwc_aggregate *a)
{
    uint32_t number = a->bounds.free_images;
    if (number != METRIC_NONE) {
        a->bounds.free_images = a->images[number].sibling.next;
        return number;
    }
    void *items = a->images;
    if (a->image_count >= METRIC_NONE ||
        !etwc_grow(&items, &a->image_capacity, a->image_count + 1, sizeof *a->images))
        return METRIC_NONE;
    a->images = items;
    metric_has_grown(a);
    return (uint32_t)a->image_count++;
}

/* METRIC_NONE when it was refused or memory is out. */
static uint32_t
image_add(etwc_aggregate *a, uint32_t process, uint64_t base)
{
    if (!metric_bounds_admit_image(a))
        return METRIC_NONE;
    uint32_t number = slots_reach(a) ? image_take(a) : METRIC_NONE;
    if (number == METRIC_NONE) {
        metric_out_of_memory(a);
        return METRIC_NONE;
    }
    a->images[number] = (metric_image){.row = {.base = base, .row = process}};
    image_enter(a, number);
    metric_list_append(&a->processes[process].images, METRIC_LINKS(a->images, sibling),
                       number);
    a->bounds.images_in_use++;
    metric_process_change(a, process)->row.gauges.image_count++;
    return number;
}

static void
image_learn(etwc_aggregate *a, metric_image *image, const etwc_kernel_record *record)
{
    const etwc_kernel_image *said = &record->u.image;
    image->row.size = said->size;
    if (record->fields & ETWC_HAS_CHECKSUM) {
        image->row.checksum = said->checksum;
        image->row.has_checksum = true;
    }
    if (image->row.time_date_stamp == 0)
        image->row.time_date_stamp = said->time_date_stamp;
    if (image->row.file_name == NULL && said->file_name.len != 0) {
        image->row.file_name = etwc_strings_add_utf16(a->strings, said->file_name);
        if (image->row.file_name == NULL)
            metric_out_of_memory(a);
    }
    metric_process *process = metric_process_change(a, image->row.row);
    if (process->lowest_image == NULL || said->base < process->lowest_image_base) {
        process->lowest_image = image->row.file_name;
        process->lowest_image_base = said->base;
    }
}

static void
count_record(etwc_row_counters *counters, uint8_t type)
{
    counters->images_loaded += type == ETWC_KERNEL_IMAGE_LOAD;
    counters->images_unloaded += type == ETWC_KERNEL_IMAGE_UNLOAD;
    counters->images_rundown_start += type == ETWC_KERNEL_IMAGE_RUNDOWN_START;
    counters->images_rundown_end += type == ETWC_KERNEL_IMAGE_RUNDOWN_END;
}

void
metric_apply_image(etwc_aggregate *a, const etwc_event *event,
                   const etwc_kernel_record *record)
{
    const etwc_kernel_image *said = &record->u.image;
    int64_t now = event->raw_time;
    uint32_t process = metric_process_row(a, said->process_id, now);
    if (process == METRIC_NONE)
        return;
    count_record(&metric_process_change(a, process)->row.counters, record->type);
    uint32_t number = image_find(a, process, said->base);
    bool is_load = record->type == ETWC_KERNEL_IMAGE_LOAD;
    bool is_unload = record->type == ETWC_KERNEL_IMAGE_UNLOAD;
    bool was_unloaded = number != METRIC_NONE && a->images[number].row.unload_filetime;
    if (number == METRIC_NONE || (was_unloaded && !is_unload)) {
        number = image_add(a, process, said->base);
        if (number == METRIC_NONE)
            return;
        if (is_load)
            a->images[number].row.load_filetime = event->filetime;
    }
    metric_image *image = &a->images[number];
    image_learn(a, image, record);
    if (is_unload && image->row.unload_filetime == 0) {
        image->row.unload_filetime = event->filetime;
        metric_bounds_image_unloaded(a, number);
        metric_process_change(a, process)->row.gauges.image_count--;
    }
}
