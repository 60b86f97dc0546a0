#include "metric_side.h"

#include "etwc_shared.h"
#include "metric_rows.h"

bool
metric_side_own(etwc_aggregate *a, void **block, size_t size)
{
    size_t had = etwc_shared_size(*block);
    if (ETWC_UNLIKELY(!etwc_shared_own(block, size))) {
        metric_out_of_memory(a);
        return false;
    }
    if (ETWC_UNLIKELY(size > had)) {
        a->side_bytes += size - had;
        metric_has_grown(a);
    }
    return true;
}

void
metric_side_reset(metric_side *side)
{
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        etwc_shared_release(side->latencies[i]);
    etwc_shared_release(side->disk_priorities);
    etwc_shared_release(side->objects);
    *side = (metric_side){0};
}

size_t
metric_side_bytes(const metric_side *side)
{
    size_t bytes =
        etwc_shared_size(side->disk_priorities) + etwc_shared_size(side->objects);
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        bytes += etwc_shared_size(side->latencies[i]);
    return bytes;
}

/* Where the other has none yet, the whole block is handed on; else true. */
static bool
must_add(etwc_aggregate *a, void **to, void **from)
{
    if (*from == NULL)
        return false;
    if (*to == NULL) {
        *to = *from;
        *from = NULL;
        return false;
    }
    return metric_side_own(a, to, etwc_shared_size(*from));
}

static void
numbers_add(uint64_t *to, const uint64_t *from, size_t bytes)
{
    for (size_t i = 0; i < bytes / sizeof *to; i++)
        to[i] += from[i];
}

void
metric_side_move(etwc_aggregate *a, metric_side *to, metric_side *from)
{
    _Static_assert(sizeof(etwc_object_counts) % sizeof(uint64_t) == 0, "numbers only");
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        if (must_add(a, &to->latencies[i], &from->latencies[i]))
            etwc_histogram_merge(to->latencies[i], from->latencies[i]);
    if (must_add(a, &to->disk_priorities, &from->disk_priorities))
        numbers_add(to->disk_priorities, from->disk_priorities,
                    etwc_shared_size(from->disk_priorities));
    if (must_add(a, &to->objects, &from->objects))
        numbers_add(to->objects, from->objects, etwc_shared_size(from->objects));
    metric_side_reset(from);
}

etwc_row_details
metric_side_share(const metric_side *side)
{
    etwc_row_details details = {
        .disk_priorities = side->disk_priorities,
        .objects = side->objects,
        .object_slots = etwc_shared_size(side->objects) / sizeof(etwc_object_counts),
    };
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        details.latencies[i] = side->latencies[i];
    metric_details_retain(&details);
    return details;
}

void
metric_details_retain(const etwc_row_details *details)
{
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        etwc_shared_retain(details->latencies[i]);
    etwc_shared_retain(details->disk_priorities);
    etwc_shared_retain(details->objects);
}

void
metric_details_release(const etwc_row_details *details)
{
    for (size_t i = 0; i < ETWC_LATENCY_COUNT; i++)
        etwc_shared_release(details->latencies[i]);
    etwc_shared_release(details->disk_priorities);
    etwc_shared_release(details->objects);
}
