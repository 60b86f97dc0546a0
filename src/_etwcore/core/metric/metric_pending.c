#include "metric_pending.h"

#include "etwc_alloc.h"
#include "etwc_table.h"

enum { PENDING_FIRST = 64 };

void
metric_pending_reset(metric_pending *p)
{
    etwc_free(p->entries);
    etwc_free(p->buckets);
    *p = (metric_pending){0};
}

size_t
metric_pending_bytes(const metric_pending *p)
{
    return (size_t)p->capacity * (sizeof *p->entries + sizeof *p->buckets);
}

/* IRPs are addresses, or what a file says they are: the seed keeps it from choosing
 * them so that they collide. */
static uint32_t *
bucket_of(const metric_pending *p, uint64_t irp)
{
    uint64_t h = (irp ^ p->seed) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ (h >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return &p->buckets[(h >> 32) & (p->capacity - 1)];
}

static void
enlist(metric_pending *p, uint32_t i)
{
    uint32_t *bucket = bucket_of(p, p->entries[i].irp);
    p->entries[i].next = *bucket;
    *bucket = i;
}

static bool
grow(metric_pending *p)
{
    uint32_t capacity = p->capacity == 0 ? PENDING_FIRST : p->capacity * 2;
    metric_pending_entry *entries =
        etwc_realloc(p->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    p->entries = entries;
    uint32_t *buckets = etwc_calloc(capacity, sizeof *buckets);
    if (buckets == NULL)
        return false;
    if (p->capacity == 0) {
        p->entries[0] = (metric_pending_entry){0};
        p->used = 1;
        p->seed = (uint64_t)(uintptr_t)buckets >> 4;
    }
    etwc_free(p->buckets);
    p->buckets = buckets;
    p->capacity = capacity;
    for (uint32_t i = p->entries[0].newer; i != 0; i = p->entries[i].newer)
        enlist(p, i);
    return true;
}

static void
unlink_entry(metric_pending *p, uint32_t i)
{
    metric_pending_entry *entry = &p->entries[i];
    uint32_t *link = bucket_of(p, entry->irp);
    while (*link != i)
        link = &p->entries[*link].next;
    *link = entry->next;
    p->entries[entry->older].newer = entry->newer;
    p->entries[entry->newer].older = entry->older;
    entry->next = p->first_free;
    p->first_free = i;
    p->count--;
}

static uint32_t
find(const metric_pending *p, uint64_t irp)
{
    if (p->count == 0)
        return 0;
    uint32_t i = *bucket_of(p, irp);
    while (i != 0 && p->entries[i].irp != irp)
        i = p->entries[i].next;
    return i;
}

bool
metric_pending_take(metric_pending *p, uint64_t irp, metric_pending_entry *out)
{
    uint32_t i = find(p, irp);
    if (i == 0)
        return false;
    *out = p->entries[i];
    unlink_entry(p, i);
    return true;
}

bool
metric_pending_put(metric_pending *p, uint64_t irp, uint32_t process, uint32_t thread,
                   bool is_write)
{
    uint32_t i = find(p, irp);
    if (i != 0) {
        unlink_entry(p, i);
        p->dropped++;
    }
    if (p->first_free == 0 && p->used == p->capacity) {
        if (p->capacity == METRIC_PENDING_MOST) {
            unlink_entry(p, p->entries[0].newer); /* the oldest */
            p->dropped++;
        } else if (!grow(p)) {
            return false;
        }
    }
    if (p->first_free != 0) {
        i = p->first_free;
        p->first_free = p->entries[i].next;
    } else {
        i = p->used++;
    }
    metric_pending_entry *end = &p->entries[0];
    p->entries[i] = (metric_pending_entry){.irp = irp,
                                           .process = process,
                                           .thread = thread,
                                           .is_write = is_write,
                                           .older = end->older};
    p->entries[end->older].newer = i;
    end->older = i;
    enlist(p, i);
    p->count++;
    return true;
}

void
metric_pending_pass(metric_pending *p, uint32_t process, uint32_t thread,
                    uint32_t to_process, uint32_t to_thread)
{
    if (p->count == 0)
        return;
    for (uint32_t i = p->entries[0].newer; i != 0; i = p->entries[i].newer) {
        metric_pending_entry *entry = &p->entries[i];
        if ((thread != ETWC_TABLE_NONE && entry->thread == thread) ||
            (process != ETWC_TABLE_NONE && entry->process == process)) {
            entry->process = to_process;
            entry->thread = to_thread;
        }
    }
}
