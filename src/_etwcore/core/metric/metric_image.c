/*
 * Images by process and base address. A rundown and a load record of the same
 * image are one image; an address that is used again is another.
 */
#include "etwc_alloc.h"
#include "metric_rows.h"

#define IMAGE_FIRST_BUCKETS ((size_t)256)

static size_t
image_bucket(const etwc_aggregate *a, uint32_t process, uint64_t base)
{
    uint64_t h = (base >> 12) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ process) * UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(h >> 32) & (a->image_bucket_count - 1);
}

/* The image that lies at that address now; a chain has the latest first. */
static uint32_t
image_find(const etwc_aggregate *a, uint32_t process, uint64_t base)
{
    if (a->image_bucket_count == 0)
        return METRIC_NONE;
    uint32_t i = a->image_buckets[image_bucket(a, process, base)];
    while (i != METRIC_NONE &&
           (a->images[i].row.base != base || a->images[i].row.row != process))
        i = a->images[i].next;
    return i;
}

void
metric_image_forget(etwc_aggregate *a, uint32_t number)
{
    const etwc_image_row *row = &a->images[number].row;
    uint32_t *place = &a->image_buckets[image_bucket(a, row->row, row->base)];
    while (*place != number)
        place = &a->images[*place].next;
    *place = a->images[number].next;
}

static bool
image_rehash(etwc_aggregate *a)
{
    size_t count =
        a->image_bucket_count ? a->image_bucket_count * 2 : IMAGE_FIRST_BUCKETS;
    uint32_t *buckets = etwc_malloc(count * sizeof *buckets);
    if (buckets == NULL)
        return false;
    memset(buckets, 0xFF, count * sizeof *buckets);
    etwc_free(a->image_buckets);
    a->image_buckets = buckets;
    a->image_bucket_count = count;
    for (size_t i = 0; i < a->image_count; i++) {
        metric_image *image = &a->images[i];
        if (image->row.row == METRIC_NONE)
            continue; /* a free place */
        uint32_t *head = &buckets[image_bucket(a, image->row.row, image->row.base)];
        image->next = *head;
        *head = (uint32_t)i;
    }
    return true;
}

static uint32_t
image_take(etwc_aggregate *a)
{
    uint32_t number = a->bounds.free_images;
    if (number != METRIC_NONE) {
        a->bounds.free_images = a->images[number].next;
        return number;
    }
    void *items = a->images;
    if (a->image_count >= METRIC_NONE ||
        (a->image_count >= a->image_bucket_count && !image_rehash(a)) ||
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
    uint32_t number = image_take(a);
    if (number == METRIC_NONE) {
        metric_out_of_memory(a);
        return METRIC_NONE;
    }
    uint32_t *head = &a->image_buckets[image_bucket(a, process, base)];
    a->images[number] =
        (metric_image){.row = {.base = base, .row = process}, .next = *head};
    *head = number;
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
