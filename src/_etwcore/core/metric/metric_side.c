#include "metric_side.h"

#include "etwc_alloc.h"
#include "metric_rows.h"

_Static_assert(sizeof(metric_block_head) % 8 == 0, "content is aligned");

/* ---- One block -------------------------------------------------------------------- */

bool
metric_block_write(etwc_aggregate *a, metric_block *block, size_t size)
{
    size_t had = metric_block_size(block);
    if (ETWC_UNLIKELY(block->head == NULL || had < size)) {
        metric_block_head *head = NULL;
        if (size <= SIZE_MAX - sizeof *head)
            head = etwc_realloc(block->head, sizeof *head + size);
        if (head == NULL) {
            metric_out_of_memory(a);
            return false;
        }
        if (block->head == NULL)
            *head = (metric_block_head){0};
        head->size = size;
        block->head = head;
        memset((char *)metric_block_content(block) + had, 0, size - had);
        a->side_bytes += size - had;
        metric_has_grown(a);
    }
    block->head->is_changed = 1;
    return true;
}

bool
metric_block_tell(etwc_aggregate *a, metric_block *block)
{
    metric_block_head *head = block->head;
    if (head == NULL || !head->is_changed)
        return true;
    metric_told *told = metric_told_take(a->store, head->size);
    if (told == NULL)
        return false;
    memcpy(told->content, metric_block_content(block), head->size);
    a->side_bytes += head->size - metric_block_told_size(block);
    metric_told_replace(a->store, head->told);
    head->told = told;
    head->is_changed = 0;
    return true;
}

void
metric_block_reset(etwc_aggregate *a, metric_block *block)
{
    if (block->head != NULL)
        metric_told_replace(a->store, block->head->told);
    etwc_free(block->head);
    block->head = NULL;
}

size_t
metric_block_bytes(const metric_block *block)
{
    return metric_block_size(block) + metric_block_told_size(block);
}

/* ---- All of a row ----------------------------------------------------------------- */

void
metric_side_reset(etwc_aggregate *a, metric_side *side)
{
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        metric_block_reset(a, &side->latencies[i]);
    metric_block_reset(a, &side->disk_priorities);
    metric_block_reset(a, &side->objects);
}

size_t
metric_side_bytes(const metric_side *side)
{
    size_t bytes =
        metric_block_bytes(&side->disk_priorities) + metric_block_bytes(&side->objects);
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        bytes += metric_block_bytes(&side->latencies[i]);
    return bytes;
}

/* Where the other has none yet, the whole block is handed on; else true, and it has
 * that size. */
static bool
must_add(etwc_aggregate *a, metric_block *to, metric_block *from, size_t size)
{
    if (from->head == NULL)
        return false;
    if (to->head == NULL) {
        *to = *from;
        *from = (metric_block){0};
        return false;
    }
    return metric_block_write(a, to, size);
}

static void
latency_move(etwc_aggregate *a, metric_block *to, metric_block *from)
{
    size_t size = etwc_histogram_size_merged(metric_block_content(to),
                                             metric_block_content(from));
    if (must_add(a, to, from, size))
        etwc_histogram_merge(metric_block_content(to), metric_block_content(from));
}

static void
numbers_move(etwc_aggregate *a, metric_block *to, metric_block *from)
{
    if (!must_add(a, to, from, metric_block_size(from)))
        return;
    uint64_t *sums = metric_block_content(to);
    const uint64_t *more = metric_block_content(from);
    for (size_t i = 0; i < metric_block_size(from) / sizeof *sums; i++)
        sums[i] += more[i];
}

void
metric_side_move(etwc_aggregate *a, metric_side *to, metric_side *from)
{
    _Static_assert(sizeof(etwc_object_counts) % sizeof(uint64_t) == 0, "numbers only");
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        latency_move(a, &to->latencies[i], &from->latencies[i]);
    numbers_move(a, &to->disk_priorities, &from->disk_priorities);
    numbers_move(a, &to->objects, &from->objects);
    a->side_bytes -= metric_side_bytes(from);
    metric_side_reset(a, from);
}

bool
metric_side_tell(etwc_aggregate *a, metric_side *side)
{
    bool is_ok = metric_block_tell(a, &side->disk_priorities) &&
                 metric_block_tell(a, &side->objects);
    for (size_t i = 0; is_ok && i < ETWC_LATENCY_COUNT; i++)
        is_ok = metric_block_tell(a, &side->latencies[i]);
    return is_ok;
}

etwc_row_details
metric_side_told(const metric_side *side)
{
    etwc_row_details details = {
        .disk_priorities = metric_block_told(&side->disk_priorities),
        .objects = metric_block_told(&side->objects),
        .object_slots =
            metric_block_told_size(&side->objects) / sizeof(etwc_object_counts),
    };
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        details.latencies[i] = metric_block_told(&side->latencies[i]);
    return details;
}
