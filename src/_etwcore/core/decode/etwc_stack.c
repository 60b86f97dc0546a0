/* Stacks: event-decoding, chapter 4. */
#include "etwc_stack.h"

#include <stdlib.h>

#include "etwc_alloc.h"
#include "etwc_kernel.h"
#include "etwc_provider.h"

enum {
    OPCODE_KEY_CREATE = 34,
    FIRST_CAPACITY = 256,
    MAX_PIECES = 16 /* parts of one stack; there are two, rarely three */
};

/* Return addresses at or above these are the kernel's. */
#define KERNEL_BASE_64 UINT64_C(0xFFFF800000000000)
#define KERNEL_BASE_32 UINT64_C(0x80000000)

typedef enum part_form {
    PART_FRAMES,
    PART_KEY,
    PART_KERNEL_KEY,
    PART_USER_KEY
} part_form;

/* Frames in the arena. */
typedef struct frame_run {
    size_t first;
    uint32_t count;
} frame_run;

typedef struct stack_definition {
    uint64_t key;
    int64_t raw_time;
    frame_run run;
    uint32_t order; /* of feeding: breaks ties */
    bool is_create; /* written when the key began, not when it was dropped */
} stack_definition;

/* A part of a stack: of the event with that time stamp, or of the events with
 * that match id. */
typedef struct stack_part {
    uint64_t owner;   /* raw time or match id */
    uint64_t key;     /* not PART_FRAMES */
    int64_t raw_time; /* of the record: which definition of the key is meant */
    frame_run run;    /* PART_FRAMES */
    uint32_t thread_id;
    uint32_t processor;
    uint32_t order;
    uint8_t form; /* part_form */
    uint8_t pointer_size;
} stack_part;

typedef struct part_list {
    stack_part *items;
    size_t count, capacity;
} part_list;

struct etwc_stacks {
    etwc_pool *pool;
    uint64_t charged;
    uint64_t *frames;
    size_t frame_count, frame_capacity;
    stack_definition *definitions;
    size_t definition_count, definition_capacity;
    part_list records; /* by time stamp of their event */
    part_list matches; /* by match id */
    uint64_t unresolved, references;
    uint32_t order;
    bool is_finished;
};

/* ---- Memory ---------------------------------------------------------------- */

etwc_status
etwc_stacks_new(etwc_pool *pool, etwc_stacks **out, etwc_error *err)
{
    etwc_stacks *stacks = etwc_calloc(1, sizeof *stacks);
    if (stacks == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "stack.new");
    etwc_pool_retain(pool);
    stacks->pool = pool;
    *out = stacks;
    return ETWC_OK;
}

void
etwc_stacks_free(etwc_stacks *stacks)
{
    if (stacks == NULL)
        return;
    etwc_free(stacks->frames);
    etwc_free(stacks->definitions);
    etwc_free(stacks->records.items);
    etwc_free(stacks->matches.items);
    etwc_pool_discharge(stacks->pool, stacks->charged);
    etwc_pool_release(stacks->pool);
    etwc_free(stacks);
}

/* Makes room for `more` items behind `count`, charged to the pool. */
static etwc_status
reserve(etwc_stacks *stacks, void **items, size_t *capacity, size_t count, size_t more,
        size_t item_size, etwc_error *err)
{
    size_t needed, bytes;
    if (more <= *capacity - count)
        return ETWC_OK;
    if (!etwc_add_size(count, more, &needed))
        return etwc_fail(err, ETWC_E_NOMEM, "stack.feed");
    size_t wanted = *capacity + *capacity / 2;
    wanted = wanted < FIRST_CAPACITY ? FIRST_CAPACITY : wanted;
    wanted = wanted < needed ? needed : wanted;
    if (!etwc_mul_size(wanted, item_size, &bytes))
        return etwc_fail(err, ETWC_E_NOMEM, "stack.feed");
    uint64_t added = bytes - *capacity * item_size;
    etwc_status st = etwc_pool_charge(stacks->pool, added, err);
    if (st != ETWC_OK)
        return st;
    void *grown = etwc_realloc(*items, bytes);
    if (grown == NULL) {
        etwc_pool_discharge(stacks->pool, added);
        return etwc_fail(err, ETWC_E_NOMEM, "stack.feed");
    }
    stacks->charged += added;
    *items = grown;
    *capacity = wanted;
    return ETWC_OK;
}

static etwc_status
keep_frames(etwc_stacks *stacks, etwc_span bytes, size_t pointer_size, frame_run *out,
            etwc_error *err)
{
    size_t count = bytes.len / pointer_size;
    void *items = stacks->frames;
    etwc_status st = reserve(stacks, &items, &stacks->frame_capacity,
                             stacks->frame_count, count, sizeof *stacks->frames, err);
    stacks->frames = items;
    if (st != ETWC_OK)
        return st;
    *out = (frame_run){stacks->frame_count, (uint32_t)count};
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = bytes.ptr + i * pointer_size;
        stacks->frames[stacks->frame_count++] =
            pointer_size == 4 ? etwc_load_u32(at) : etwc_load_u64(at);
    }
    return ETWC_OK;
}

static etwc_status
keep_part(etwc_stacks *stacks, part_list *list, const stack_part *part, etwc_error *err)
{
    void *items = list->items;
    etwc_status st = reserve(stacks, &items, &list->capacity, list->count, 1,
                             sizeof *list->items, err);
    list->items = items;
    if (st != ETWC_OK)
        return st;
    list->items[list->count] = *part;
    list->items[list->count++].order = stacks->order++;
    return ETWC_OK;
}

/* ---- Feeding --------------------------------------------------------------- */

static size_t
pointer_size_of(const etwc_event *event)
{
    return event->pointer_size == 4 ? 4 : 8;
}

static etwc_status
feed_definition(etwc_stacks *stacks, const etwc_event *event,
                const etwc_kernel_stack *stack, etwc_error *err)
{
    stack_definition definition = {
        .key = stack->key,
        .raw_time = event->raw_time,
        .order = stacks->order++,
        .is_create = event->opcode == OPCODE_KEY_CREATE,
    };
    etwc_status st = keep_frames(stacks, stack->frames, pointer_size_of(event),
                                 &definition.run, err);
    if (st != ETWC_OK)
        return st;
    void *items = stacks->definitions;
    st = reserve(stacks, &items, &stacks->definition_capacity, stacks->definition_count,
                 1, sizeof definition, err);
    stacks->definitions = items;
    if (st == ETWC_OK)
        stacks->definitions[stacks->definition_count++] = definition;
    return st;
}

static etwc_status
feed_record(etwc_stacks *stacks, const etwc_event *event,
            const etwc_kernel_record *record, etwc_error *err)
{
    const etwc_kernel_stack *stack = &record->u.stack;
    stack_part part = {
        .owner = (uint64_t)stack->event_raw_time,
        .key = stack->key,
        .raw_time = event->raw_time,
        .thread_id = stack->thread_id,
        .processor = event->processor,
        .form = PART_FRAMES,
        .pointer_size = (uint8_t)pointer_size_of(event),
    };
    if (record->type == ETWC_KERNEL_STACK_KEY) {
        part.form = stack->is_user_half ? PART_USER_KEY : PART_KERNEL_KEY;
    } else {
        etwc_status st =
            keep_frames(stacks, stack->frames, part.pointer_size, &part.run, err);
        if (st != ETWC_OK)
            return st;
    }
    return keep_part(stacks, &stacks->records, &part, err);
}

/* The part that an extended item holds, its frames left in *out_frames. */
static bool
part_of_item(const etwc_event *event, const etwc_extended_item *item, stack_part *out,
             etwc_span *out_frames)
{
    etwc_span data = item->data;
    uint32_t narrow_key;
    *out = (stack_part){.raw_time = event->raw_time, .pointer_size = 8};
    if (!etwc_span_u64(&data, &out->owner))
        return false;
    *out_frames = data;
    switch (item->type) {
    case ETWC_EXT_STACK_TRACE32:
        out->pointer_size = 4;
        return true;
    case ETWC_EXT_STACK_TRACE64:
        return true;
    case ETWC_EXT_STACK_KEY32: /* a u32 and padding */
        out->form = PART_KEY;
        out->pointer_size = 4;
        if (!etwc_span_u32(&data, &narrow_key))
            return false;
        out->key = narrow_key;
        return true;
    case ETWC_EXT_STACK_KEY64:
        out->form = PART_KEY;
        return etwc_span_u64(&data, &out->key);
    default:
        return false;
    }
}

/* Halves with a match id wait here for the event that has the other one. */
static etwc_status
feed_items(etwc_stacks *stacks, const etwc_event *event, etwc_error *err)
{
    etwc_extended_iter iter;
    etwc_extended_item item;
    etwc_extended_begin(event, &iter);
    while (etwc_extended_next(&iter, &item)) {
        stack_part part;
        etwc_span frames;
        if (!part_of_item(event, &item, &part, &frames) || part.owner == 0)
            continue;
        etwc_status st = ETWC_OK;
        if (part.form == PART_FRAMES)
            st = keep_frames(stacks, frames, part.pointer_size, &part.run, err);
        if (st == ETWC_OK)
            st = keep_part(stacks, &stacks->matches, &part, err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

etwc_status
etwc_stacks_feed(etwc_stacks *stacks, const etwc_event *event, etwc_error *err)
{
    if (stacks->is_finished)
        return etwc_fail(err, ETWC_E_STATE, "stack.feed");
    if (event->extended_form == ETWC_EXTENDED_ITEMS)
        return feed_items(stacks, event, err);
    if (event->kernel_class != ETWC_CLASS_STACK_WALK)
        return ETWC_OK;
    etwc_kernel_record record;
    (void)etwc_kernel_decode(event, &record); /* a cut one gives what it has */
    switch (record.type) {
    case ETWC_KERNEL_STACK_DEFINITION:
        return feed_definition(stacks, event, &record.u.stack, err);
    case ETWC_KERNEL_STACK:
    case ETWC_KERNEL_STACK_KEY:
        return feed_record(stacks, event, &record, err);
    default:
        return ETWC_OK;
    }
}

/* ---- Keys ------------------------------------------------------------------ */

static int
compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int
compare_definitions(const void *left, const void *right)
{
    const stack_definition *a = left, *b = right;
    int by_key = compare_u64(a->key, b->key);
    if (by_key != 0)
        return by_key;
    int by_time = (a->raw_time > b->raw_time) - (a->raw_time < b->raw_time);
    return by_time != 0 ? by_time : compare_u64(a->order, b->order);
}

static int
compare_parts(const void *left, const void *right)
{
    const stack_part *a = left, *b = right;
    int by_owner = compare_u64(a->owner, b->owner);
    return by_owner != 0 ? by_owner : compare_u64(a->order, b->order);
}

/* A key is used again once its definition was written, so a reference means the
 * first definition at or after it. Only a trace that has no later one is served
 * by the definition that was written when the key began. */
static const stack_definition *
find_definition(const etwc_stacks *stacks, uint64_t key, int64_t raw_time)
{
    size_t low = 0, high = stacks->definition_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const stack_definition *at = &stacks->definitions[middle];
        if (at->key < key || (at->key == key && at->raw_time < raw_time))
            low = middle + 1;
        else
            high = middle;
    }
    const stack_definition *before = low > 0 ? &stacks->definitions[low - 1] : NULL;
    if (before != NULL && (before->key != key || !before->is_create))
        before = NULL;
    if (low < stacks->definition_count && stacks->definitions[low].key == key) {
        const stack_definition *after = &stacks->definitions[low];
        return after->is_create && before != NULL ? before : after;
    }
    return before;
}

void
etwc_stacks_finish(etwc_stacks *stacks)
{
    if (stacks->definition_count != 0)
        qsort(stacks->definitions, stacks->definition_count,
              sizeof *stacks->definitions, compare_definitions);
    if (stacks->records.count != 0)
        qsort(stacks->records.items, stacks->records.count,
              sizeof *stacks->records.items, compare_parts);
    if (stacks->matches.count != 0)
        qsort(stacks->matches.items, stacks->matches.count,
              sizeof *stacks->matches.items, compare_parts);
    stacks->references = stacks->unresolved = 0;
    for (size_t i = 0; i < stacks->records.count; i++) {
        const stack_part *part = &stacks->records.items[i];
        if (part->form == PART_FRAMES)
            continue;
        stacks->references++;
        stacks->unresolved +=
            find_definition(stacks, part->key, part->raw_time) == NULL;
    }
    stacks->is_finished = true;
}

void
etwc_stacks_get_counts(const etwc_stacks *stacks, etwc_stacks_counts *out)
{
    *out = (etwc_stacks_counts){
        .records = stacks->records.count,
        .references = stacks->references,
        .unresolved = stacks->unresolved,
        .definitions = stacks->definition_count,
    };
}

/* ---- Asking ---------------------------------------------------------------- */

/* Frames of one part: in the arena, or still in the event's own item. */
typedef struct stack_piece {
    const uint64_t *kept;
    etwc_span bytes; /* when kept is NULL */
    size_t count;
    uint8_t pointer_size;
    bool is_user;
} stack_piece;

typedef struct piece_list {
    stack_piece items[MAX_PIECES];
    size_t count;
    bool is_complete;
} piece_list;

static uint64_t
frame_at(const stack_piece *piece, size_t index)
{
    if (piece->kept != NULL)
        return piece->kept[index];
    const uint8_t *at = piece->bytes.ptr + index * piece->pointer_size;
    return piece->pointer_size == 4 ? etwc_load_u32(at) : etwc_load_u64(at);
}

static void
add_piece(piece_list *list, stack_piece piece, part_form form)
{
    if (piece.count == 0)
        return;
    if (list->count == MAX_PIECES) {
        list->is_complete = false;
        return;
    }
    uint64_t kernel_base = piece.pointer_size == 4 ? KERNEL_BASE_32 : KERNEL_BASE_64;
    piece.is_user = form == PART_USER_KEY ||
                    (form != PART_KERNEL_KEY && frame_at(&piece, 0) < kernel_base);
    list->items[list->count++] = piece;
}

static void
add_part(const etwc_stacks *stacks, piece_list *list, const stack_part *part)
{
    frame_run run = part->run;
    if (part->form != PART_FRAMES) {
        const stack_definition *definition =
            find_definition(stacks, part->key, part->raw_time);
        if (definition == NULL) {
            list->is_complete = false;
            return;
        }
        run = definition->run;
    }
    if (run.count == 0)
        return;
    stack_piece piece = {
        .kept = &stacks->frames[run.first],
        .count = run.count,
        .pointer_size = part->pointer_size,
    };
    add_piece(list, piece, (part_form)part->form);
}

/* The parts of one owner: a range of a sorted list. */
static const stack_part *
find_parts(const part_list *list, uint64_t owner, size_t *out_count)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle].owner < owner)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < list->count && list->items[high].owner == owner;)
        high++;
    *out_count = high - low;
    return high != low ? &list->items[low] : NULL;
}

/* The threads that an event can have been logged on behalf of. */
typedef struct thread_set {
    uint32_t ids[2];
    size_t count;
} thread_set;

static thread_set
threads_of(const etwc_event *event)
{
    etwc_kernel_record record;
    if (event->thread_id != ETWC_NO_ID)
        return (thread_set){{event->thread_id, 0}, 1};
    (void)etwc_kernel_decode(event, &record);
    switch (record.type) {
    case ETWC_KERNEL_SAMPLE:
        return (thread_set){{record.u.sample.thread_id, 0}, 1};
    case ETWC_KERNEL_CSWITCH:
        return (thread_set){
            {record.u.cswitch.new_thread_id, record.u.cswitch.old_thread_id}, 2};
    default:
        return (thread_set){{0, 0}, 0};
    }
}

static bool
has_thread(const thread_set *threads, uint32_t thread_id)
{
    for (size_t i = 0; i < threads->count; i++) {
        if (threads->ids[i] == thread_id)
            return true;
    }
    return false;
}

/* The thread whose parts are the event's. An event that names its thread takes
 * no other; one that does not takes the only thread there is, else the one that
 * ran on its processor, else the one whose record came from its processor. */
static bool
choose_thread(const etwc_event *event, const stack_part *parts, size_t count,
              uint32_t *out)
{
    thread_set threads = threads_of(event);
    const stack_part *best = NULL;
    int best_rank = 0;
    bool is_single = true;
    for (size_t i = 0; i < count; i++) {
        is_single = is_single && parts[i].thread_id == parts[0].thread_id;
        int rank = 0;
        if (threads.count != 0)
            rank = has_thread(&threads, parts[i].thread_id) ? 3 : 0;
        else if (parts[i].thread_id == event->running_thread_id)
            rank = 2;
        else if (parts[i].processor == event->processor)
            rank = 1;
        if (rank > best_rank) {
            best = &parts[i];
            best_rank = rank;
        }
    }
    if (best == NULL && threads.count == 0 && count != 0 && is_single)
        best = parts;
    if (best != NULL)
        *out = best->thread_id;
    return best != NULL;
}

static void
collect_records(const etwc_stacks *stacks, const etwc_event *event, piece_list *list)
{
    size_t count;
    uint32_t thread_id;
    const stack_part *parts =
        find_parts(&stacks->records, (uint64_t)event->raw_time, &count);
    if (count == 0 || !choose_thread(event, parts, count, &thread_id))
        return;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].thread_id == thread_id)
            add_part(stacks, list, &parts[i]);
    }
}

static void
collect_items(const etwc_stacks *stacks, const etwc_event *event, piece_list *list)
{
    etwc_extended_iter iter;
    etwc_extended_item item;
    etwc_extended_begin(event, &iter);
    while (etwc_extended_next(&iter, &item)) {
        stack_part part;
        etwc_span frames;
        size_t count;
        if (!part_of_item(event, &item, &part, &frames))
            continue;
        if (part.owner != 0) { /* the other half; the own one is there as well */
            const stack_part *parts = find_parts(&stacks->matches, part.owner, &count);
            for (size_t i = 0; i < count; i++)
                add_part(stacks, list, &parts[i]);
            list->is_complete = list->is_complete && count > 1;
            return;
        }
        if (part.form != PART_FRAMES) {
            add_part(stacks, list, &part);
            continue;
        }
        stack_piece piece = {
            .bytes = frames,
            .count = frames.len / part.pointer_size,
            .pointer_size = part.pointer_size,
        };
        add_piece(list, piece, PART_FRAMES);
    }
}

static size_t
write_half(const piece_list *list, bool is_user, uint64_t *frames, size_t capacity,
           size_t written)
{
    for (size_t i = 0; i < list->count; i++) {
        const stack_piece *piece = &list->items[i];
        if (piece->is_user != is_user)
            continue;
        for (size_t k = 0; k < piece->count; k++, written++) {
            if (written < capacity)
                frames[written] = frame_at(piece, k);
        }
    }
    return written;
}

size_t
etwc_stacks_resolve(const etwc_stacks *stacks, const etwc_event *event,
                    uint64_t *frames, size_t capacity, bool *out_is_complete)
{
    piece_list list;
    list.count = 0;
    list.is_complete = true;
    if (event->extended_form == ETWC_EXTENDED_ITEMS)
        collect_items(stacks, event, &list);
    if (event->kernel_class != ETWC_CLASS_STACK_WALK)
        collect_records(stacks, event, &list);
    size_t written = write_half(&list, false, frames, capacity, 0);
    *out_is_complete = list.is_complete;
    return write_half(&list, true, frames, capacity, written);
}
