#include "metric_ids.h"

#include "etwc_alloc.h"

bool
metric_ids_init(metric_ids *ids)
{
    ids->free = ETWC_TABLE_NONE;
    return etwc_table_init(&ids->table);
}

void
metric_ids_reset(metric_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        etwc_free(ids->chains[i].spans);
    etwc_free(ids->chains);
    etwc_table_reset(&ids->table);
}

const metric_span *
metric_chain_spans(const metric_chain *chain)
{
    return chain->spans != NULL ? chain->spans : &chain->first;
}

const metric_chain *
metric_ids_chain(const metric_ids *ids, uint32_t id)
{
    uint32_t at = etwc_table_find(&ids->table, id);
    return at == ETWC_TABLE_NONE ? NULL : &ids->chains[at];
}

/* How many spans of the chain begin at or before the time. */
static uint32_t
chain_rank(const metric_chain *chain, int64_t raw_time)
{
    const metric_span *spans = metric_chain_spans(chain);
    uint32_t low = 0, high = chain->count;
    /* Most questions are about the last one. */
    if (spans[high - 1].from_raw_time <= raw_time)
        return high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (spans[middle].from_raw_time <= raw_time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t
metric_ids_find(const metric_ids *ids, uint32_t id, int64_t raw_time)
{
    const metric_chain *chain = metric_ids_chain(ids, id);
    if (chain == NULL)
        return ETWC_TABLE_NONE;
    uint32_t rank = chain_rank(chain, raw_time);
    return rank == 0 ? ETWC_TABLE_NONE : metric_chain_spans(chain)[rank - 1].index;
}

uint32_t
metric_ids_last(const metric_ids *ids, uint32_t id)
{
    const metric_chain *chain = metric_ids_chain(ids, id);
    return chain == NULL ? ETWC_TABLE_NONE
                         : metric_chain_spans(chain)[chain->count - 1].index;
}

int64_t
metric_ids_until(const metric_ids *ids, uint32_t id, int64_t raw_time)
{
    const metric_chain *chain = metric_ids_chain(ids, id);
    if (chain == NULL)
        return INT64_MAX;
    uint32_t rank = chain_rank(chain, raw_time);
    return rank == chain->count ? INT64_MAX
                                : metric_chain_spans(chain)[rank].from_raw_time;
}

static bool
chain_append(metric_chain *chain, metric_span span)
{
    if (chain->spans == NULL) {
        void *spans = NULL;
        size_t capacity = 0;
        if (!etwc_grow(&spans, &capacity, 2, sizeof span))
            return false;
        chain->spans = spans;
        chain->capacity = capacity;
        chain->spans[0] = chain->first;
    } else {
        void *spans = chain->spans;
        if (!etwc_grow(&spans, &chain->capacity, (size_t)chain->count + 1, sizeof span))
            return false;
        chain->spans = spans;
    }
    /* A clock that steps back must not break the order of a chain. */
    if (span.from_raw_time < chain->spans[chain->count - 1].from_raw_time)
        span.from_raw_time = chain->spans[chain->count - 1].from_raw_time;
    chain->spans[chain->count++] = span;
    return true;
}

bool
metric_ids_give(metric_ids *ids, uint32_t id, metric_span span)
{
    uint32_t at = etwc_table_find(&ids->table, id);
    if (at != ETWC_TABLE_NONE)
        return chain_append(&ids->chains[at], span);
    uint32_t free = ids->free;
    if (free != ETWC_TABLE_NONE) {
        uint32_t next = ids->chains[free].first.index;
        if (!etwc_table_put(&ids->table, id, free))
            return false;
        ids->chains[free] = (metric_chain){.first = span, .count = 1};
        ids->free = next;
        return true;
    }
    void *chains = ids->chains;
    if (!etwc_grow(&chains, &ids->capacity, ids->count + 1, sizeof *ids->chains))
        return false;
    ids->chains = chains;
    if (!etwc_table_put(&ids->table, id, (uint32_t)ids->count))
        return false;
    ids->chains[ids->count++] = (metric_chain){.first = span, .count = 1};
    return true;
}

void
metric_ids_take_back(metric_ids *ids, uint32_t id, uint32_t index)
{
    uint32_t at = etwc_table_find(&ids->table, id);
    if (at == ETWC_TABLE_NONE)
        return;
    metric_chain *chain = &ids->chains[at];
    metric_span *spans = chain->spans != NULL ? chain->spans : &chain->first;
    uint32_t i = 0;
    while (i < chain->count && spans[i].index != index)
        i++;
    if (i == chain->count)
        return;
    memmove(&spans[i], &spans[i + 1], (chain->count - i - 1) * sizeof *spans);
    if (--chain->count != 0)
        return;
    etwc_table_remove(&ids->table, id);
    etwc_free(chain->spans);
    *chain = (metric_chain){.first.index = ids->free};
    ids->free = at;
}
