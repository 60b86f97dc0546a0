/* Ages of snapshots, and memory that is used again: see metric_store.h. */
#include "metric_store.h"

#include "etwc_alloc.h"
#include "etwc_os.h"

enum {
    CLASS_BYTES = 128,
    CLASSES = 64 /* larger copies come from the allocator, and go back to it */
};

struct metric_store {
    etwc_os_mutex *lock;
    /* Of the feeding thread alone. */
    metric_stored *replaced; /* since the last snapshot, latest first */
    metric_stored *free[CLASSES];
    size_t free_bytes; /* at most as many as the current copies take */
    size_t current_bytes;
    uint64_t age; /* of the next snapshot */
    /* Under the lock. */
    metric_holder *youngest;
    metric_stored *given_back; /* by snapshots */
    size_t given_bytes, room;  /* of these, and how many may be */
    size_t holders;
    bool is_closed;
};

metric_store *
metric_store_new(void)
{
    metric_store *store = etwc_calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->lock = etwc_os_mutex_new();
    if (store->lock == NULL) {
        etwc_free(store);
        return NULL;
    }
    return store;
}

static size_t
bytes_of(const metric_stored *copy)
{
    return (size_t)copy->size_class * CLASS_BYTES;
}

static void
free_chain(metric_stored *copy)
{
    while (copy != NULL) {
        metric_stored *next = copy->next;
        etwc_free(copy);
        copy = next;
    }
}

static void
store_free(metric_store *store)
{
    free_chain(store->replaced);
    free_chain(store->given_back);
    for (size_t i = 0; i < CLASSES; i++)
        free_chain(store->free[i]);
    etwc_os_mutex_free(store->lock);
    etwc_free(store);
}

/* Returns the last copy of a chain, and their bytes. */
static metric_stored *
chain_end(metric_stored *copy, size_t *out_bytes)
{
    metric_stored *last = NULL;
    *out_bytes = 0;
    for (; copy != NULL; copy = copy->next) {
        *out_bytes += bytes_of(copy);
        last = copy;
    }
    return last;
}

/* By the feeding thread: to be used again, or no longer. */
static void
keep(metric_store *store, metric_stored *copy)
{
    size_t bytes = bytes_of(copy);
    if (copy->size_class >= CLASSES ||
        store->free_bytes + bytes > store->current_bytes) {
        etwc_free(copy);
        return;
    }
    copy->next = store->free[copy->size_class];
    store->free[copy->size_class] = copy;
    store->free_bytes += bytes;
}

static void
keep_all(metric_store *store, metric_stored *copy)
{
    while (copy != NULL) {
        metric_stored *next = copy->next;
        keep(store, copy);
        copy = next;
    }
}

metric_stored *
metric_store_take(metric_store *store, size_t size)
{
    size_t size_class = (size + CLASS_BYTES - 1) / CLASS_BYTES;
    metric_stored *copy = size_class < CLASSES ? store->free[size_class] : NULL;
    if (copy != NULL) {
        store->free[size_class] = copy->next;
        store->free_bytes -= bytes_of(copy);
    } else {
        copy = size_class > UINT32_MAX ? NULL : etwc_malloc(size_class * CLASS_BYTES);
        if (copy == NULL)
            return NULL;
        copy->size_class = (uint32_t)size_class;
    }
    copy->since = store->age;
    store->current_bytes += bytes_of(copy);
    return copy;
}

void
metric_store_replace(metric_store *store, metric_stored *copy)
{
    store->current_bytes -= bytes_of(copy);
    copy->next = store->replaced;
    store->replaced = copy;
}

metric_told *
metric_told_take(metric_store *store, size_t size)
{
    if (size > SIZE_MAX - sizeof(metric_told) - CLASS_BYTES)
        return NULL;
    metric_told *told =
        (metric_told *)(void *)metric_store_take(store, sizeof *told + size);
    if (told != NULL)
        told->size = size;
    return told;
}

void
metric_told_replace(metric_store *store, metric_told *told)
{
    if (told != NULL)
        metric_store_replace(store, &told->stored);
}

bool
metric_store_is_new(const metric_store *store, const metric_stored *copy)
{
    return copy->since == store->age;
}

/* Those that `older` holds wait with it; the others are chained before `unheld`. */
static metric_stored *
pass_on(metric_holder *older, metric_stored *copy, metric_stored *unheld)
{
    while (copy != NULL) {
        metric_stored *next = copy->next;
        bool is_held = older != NULL && older->age >= copy->since;
        metric_stored **chain = is_held ? &older->replaced : &unheld;
        copy->next = *chain;
        *chain = copy;
        copy = next;
    }
    return unheld;
}

void
metric_store_gather(metric_store *store)
{
    etwc_os_mutex_lock(store->lock);
    metric_stored *unheld = pass_on(store->youngest, store->replaced, NULL);
    metric_stored *given_back = store->given_back;
    store->given_back = NULL;
    store->given_bytes = 0;
    etwc_os_mutex_unlock(store->lock);
    store->replaced = NULL;
    keep_all(store, unheld);
    keep_all(store, given_back);
}

void
metric_store_enter(metric_store *store, metric_holder *snapshot)
{
    etwc_os_mutex_lock(store->lock);
    metric_holder *youngest = store->youngest;
    metric_stored *unheld = pass_on(youngest, store->replaced, NULL);
    *snapshot = (metric_holder){.older = youngest, .age = store->age};
    if (youngest != NULL)
        youngest->younger = snapshot;
    store->youngest = snapshot;
    store->holders++;
    store->room = store->current_bytes;
    etwc_os_mutex_unlock(store->lock);
    store->replaced = NULL;
    store->age++;
    keep_all(store, unheld);
}

/* Takes the snapshot out; returns the copies that nobody else holds. */
static metric_stored *
unlink_holder(metric_store *store, metric_holder *snapshot)
{
    metric_holder *older = snapshot->older;
    metric_holder *younger = snapshot->younger;
    if (older != NULL)
        older->younger = younger;
    if (younger != NULL)
        younger->older = older;
    else
        store->youngest = older;
    return pass_on(older, snapshot->replaced, NULL);
}

void
metric_store_leave(metric_store *store, metric_holder *snapshot)
{
    size_t bytes;
    etwc_os_mutex_lock(store->lock);
    metric_stored *unheld = unlink_holder(store, snapshot);
    metric_stored *last = chain_end(unheld, &bytes);
    if (last != NULL && store->given_bytes + bytes <= store->room) {
        last->next = store->given_back;
        store->given_back = unheld;
        store->given_bytes += bytes;
        unheld = NULL;
    }
    bool is_over = --store->holders == 0 && store->is_closed;
    etwc_os_mutex_unlock(store->lock);
    free_chain(unheld);
    if (is_over)
        store_free(store);
}

void
metric_store_close(metric_store *store)
{
    if (store == NULL)
        return;
    etwc_os_mutex_lock(store->lock);
    metric_stored *unheld = pass_on(store->youngest, store->replaced, NULL);
    store->replaced = NULL;
    store->is_closed = true;
    store->room = 0;
    bool is_over = store->holders == 0;
    etwc_os_mutex_unlock(store->lock);
    free_chain(unheld);
    if (is_over)
        store_free(store);
}
