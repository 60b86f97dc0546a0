/* Ranges of addresses by owner, sorted for a binary search. */
#include "etwc_images.h"

#include <stdlib.h>

#include "etwc_alloc.h"
#include "etwc_table.h"

#define SYSTEM_PROCESS 4u
/* Owners are instances of processes; the kernel comes after all of them. */
#define OWNER_KERNEL UINT32_MAX

typedef struct image_range {
    uint64_t base, size;
    uint64_t reach; /* highest end of this owner's ranges up to here, once sorted */
    int64_t from_raw_time, until_raw_time;
    const etwc_text_entry *path;
    uint32_t owner;
    uint32_t next; /* of the same bucket, latest first; ETWC_TABLE_NONE: none */
} image_range;

struct etwc_images {
    const etwc_lifetimes *lifetimes;
    etwc_strings *strings;
    image_range *ranges;
    size_t count, capacity;
    uint32_t *buckets; /* by owner and base, while it is filled */
    size_t bucket_count;
    uint64_t limit_bytes;
    uint64_t kernel_from, kernel_until; /* addresses of the kernel */
};

etwc_images *
etwc_images_new(const etwc_lifetimes *lifetimes, uint32_t pointer_size,
                uint64_t limit_bytes)
{
    etwc_images *images = etwc_calloc(1, sizeof *images);
    if (images == NULL)
        return NULL;
    images->lifetimes = lifetimes;
    images->limit_bytes = limit_bytes;
    images->kernel_from =
        pointer_size == 4 ? UINT64_C(0x80000000) : UINT64_C(0xFFFF800000000000);
    images->kernel_until = pointer_size == 4 ? UINT32_MAX : UINT64_MAX;
    images->strings = etwc_strings_new();
    if (images->strings == NULL) {
        etwc_images_free(images);
        return NULL;
    }
    return images;
}

void
etwc_images_free(etwc_images *images)
{
    if (images == NULL)
        return;
    etwc_strings_release(images->strings);
    etwc_free(images->ranges);
    etwc_free(images->buckets);
    etwc_free(images);
}

/* ---- Filling ------------------------------------------------------------------------ */

static bool
is_kernel_address(const etwc_images *images, uint64_t address)
{
    return address >= images->kernel_from && address <= images->kernel_until;
}

static size_t
bucket_of(const etwc_images *images, uint32_t owner, uint64_t base)
{
    uint64_t h = (base >> 12) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ owner) * UINT64_C(0xD6E8FEB86659FD93);
    return (size_t)(h >> 32) & (images->bucket_count - 1);
}

static bool
rehash(etwc_images *images)
{
    size_t count = images->bucket_count != 0 ? images->bucket_count * 2 : 256;
    uint32_t *buckets = etwc_malloc(count * sizeof *buckets);
    if (buckets == NULL)
        return false;
    memset(buckets, 0xFF, count * sizeof *buckets);
    etwc_free(images->buckets);
    images->buckets = buckets;
    images->bucket_count = count;
    for (size_t i = 0; i < images->count; i++) {
        image_range *range = &images->ranges[i];
        uint32_t *head = &buckets[bucket_of(images, range->owner, range->base)];
        range->next = *head;
        *head = (uint32_t)i;
    }
    return true;
}

/* The latest image that was told of at that address. */
static image_range *
find_latest(const etwc_images *images, uint32_t owner, uint64_t base)
{
    if (images->bucket_count == 0)
        return NULL;
    uint32_t i = images->buckets[bucket_of(images, owner, base)];
    while (i != ETWC_TABLE_NONE &&
           (images->ranges[i].owner != owner || images->ranges[i].base != base))
        i = images->ranges[i].next;
    return i == ETWC_TABLE_NONE ? NULL : &images->ranges[i];
}

static image_range *
add(etwc_images *images, uint32_t owner, uint64_t base)
{
    void *items = images->ranges;
    if (images->count >= ETWC_TABLE_NONE ||
        (images->count >= images->bucket_count && !rehash(images)) ||
        !etwc_grow(&items, &images->capacity, images->count + 1,
                   sizeof *images->ranges))
        return NULL;
    images->ranges = items;
    uint32_t *head = &images->buckets[bucket_of(images, owner, base)];
    image_range *range = &images->ranges[images->count];
    *range = (image_range){.base = base,
                           .owner = owner,
                           .from_raw_time = INT64_MIN,
                           .until_raw_time = INT64_MAX,
                           .next = *head};
    *head = (uint32_t)images->count++;
    return range;
}

/* False when nobody knows whose image it is. */
static bool
find_owner(const etwc_images *images, uint32_t process_id, uint64_t address,
           int64_t now, uint32_t *out)
{
    if ((process_id == 0 || process_id == SYSTEM_PROCESS) &&
        is_kernel_address(images, address)) {
        *out = OWNER_KERNEL;
        return true;
    }
    const etwc_process_life *life =
        etwc_lifetimes_process(images->lifetimes, process_id, now);
    if (life != NULL)
        *out = life->index;
    return life != NULL;
}

static bool
learn(etwc_images *images, const etwc_kernel_image *said, uint32_t owner, uint8_t type,
      int64_t now)
{
    image_range *range = find_latest(images, owner, said->base);
    bool is_load = type == ETWC_KERNEL_IMAGE_LOAD;
    bool is_unload = type == ETWC_KERNEL_IMAGE_UNLOAD;
    /* A rundown tells of what was told of before, as long as it is mapped. */
    if (range == NULL || is_load || range->until_raw_time != INT64_MAX) {
        if (range != NULL && is_unload)
            return true; /* told twice */
        if (range != NULL && range->until_raw_time == INT64_MAX)
            range->until_raw_time = now; /* its unload was lost */
        range = add(images, owner, said->base);
        if (range == NULL)
            return false;
        if (is_load)
            range->from_raw_time = now;
    }
    if (said->size > range->size)
        range->size = said->size;
    if (is_unload)
        range->until_raw_time = now;
    if (range->path == NULL && said->file_name.len != 0) {
        range->path = etwc_strings_add_utf16(images->strings, said->file_name);
        return range->path != NULL;
    }
    return true;
}

etwc_status
etwc_images_apply(etwc_images *images, const etwc_event *event,
                  const etwc_kernel_record *record, etwc_error *err)
{
    uint32_t owner;
    if (record->type != ETWC_KERNEL_IMAGE_LOAD &&
        record->type != ETWC_KERNEL_IMAGE_UNLOAD &&
        record->type != ETWC_KERNEL_IMAGE_RUNDOWN_START &&
        record->type != ETWC_KERNEL_IMAGE_RUNDOWN_END)
        return ETWC_OK;
    const etwc_kernel_image *said = &record->u.image;
    if (!find_owner(images, said->process_id, said->base, event->raw_time, &owner))
        return ETWC_OK;
    if (!learn(images, said, owner, record->type, event->raw_time))
        return etwc_fail(err, ETWC_E_NOMEM, "metric.images");
    uint64_t bytes = images->capacity * sizeof *images->ranges +
                     images->bucket_count * sizeof *images->buckets +
                     etwc_strings_size(images->strings);
    if (images->limit_bytes != 0 && bytes > images->limit_bytes)
        return etwc_fail_at(err, ETWC_E_LIMIT, "metric.images", -1,
                            "the trace tells of %zu images", images->count);
    return ETWC_OK;
}

/* ---- Asking ------------------------------------------------------------------------- */

static int
compare_ranges(const void *a, const void *b)
{
    const image_range *x = a;
    const image_range *y = b;
    if (x->owner != y->owner)
        return x->owner < y->owner ? -1 : 1;
    if (x->base != y->base)
        return x->base < y->base ? -1 : 1;
    return (x->from_raw_time > y->from_raw_time) -
           (x->from_raw_time < y->from_raw_time);
}

void
etwc_images_finish(etwc_images *images)
{
    etwc_free(images->buckets);
    images->buckets = NULL;
    images->bucket_count = 0;
    if (images->count > 1)
        qsort(images->ranges, images->count, sizeof *images->ranges, compare_ranges);
    for (size_t i = 0; i < images->count; i++) {
        image_range *range = &images->ranges[i];
        uint64_t end = range->size > UINT64_MAX - range->base
                           ? UINT64_MAX
                           : range->base + range->size;
        bool is_first = i == 0 || range[-1].owner != range->owner;
        range->reach = is_first || range[-1].reach < end ? end : range[-1].reach;
    }
}

static const image_range *
find_range(const etwc_images *images, uint32_t owner, uint64_t address, int64_t now)
{
    size_t low = 0, high = images->count;
    while (low < high) { /* the first that begins behind the address */
        size_t middle = low + (high - low) / 2;
        const image_range *range = &images->ranges[middle];
        if (range->owner < owner || (range->owner == owner && range->base <= address))
            low = middle + 1;
        else
            high = middle;
    }
    /* Earlier ones may have lain over it at another time. */
    for (size_t i = low; i > 0; i--) {
        const image_range *range = &images->ranges[i - 1];
        if (range->owner != owner || range->reach <= address)
            break;
        if (address - range->base < range->size && range->from_raw_time <= now &&
            now <= range->until_raw_time)
            return range;
    }
    return NULL;
}

const etwc_text_entry *
etwc_images_find(const etwc_images *images, uint64_t address, uint32_t process_id,
                 int64_t raw_time, uint64_t *out_offset)
{
    uint32_t owner = OWNER_KERNEL;
    if (!is_kernel_address(images, address) &&
        !find_owner(images, process_id, address, raw_time, &owner))
        return NULL;
    const image_range *range = find_range(images, owner, address, raw_time);
    /* A 32-bit process can have addresses where another kernel would lie. */
    if (range == NULL && owner == OWNER_KERNEL &&
        find_owner(images, process_id, 0, raw_time, &owner))
        range = find_range(images, owner, address, raw_time);
    if (range == NULL || range->path == NULL)
        return NULL;
    *out_offset = address - range->base;
    return range->path;
}
