#include "etwc_summary.h"

#include "etwc_alloc.h"

enum { FIRST_SLOTS = 256 };

#define NO_ROW UINT32_MAX
#define MAX_ROWS ((size_t)1 << 30)

struct etwc_summary {
    etwc_pool *pool; /* borrowed */
    etwc_summary_row *rows;
    size_t count;
    uint32_t *slots;   /* open addressing: row numbers, or NO_ROW */
    size_t slot_count; /* a power of two, more than 4/3 of count */
    uint64_t charged;
    uint32_t last; /* row of the previous event: they come in runs */
};

/* ---- Keys ------------------------------------------------------------------------- */

static bool
is_same_key(const etwc_event *a, const etwc_event *b)
{
    return a->id == b->id && a->opcode == b->opcode && a->version == b->version &&
           a->kind == b->kind && etwc_guid_equal(&a->provider_id, &b->provider_id);
}

/* The multipliers are odd constants of splitmix64; quality matters little, because
 * the load stays below 3/4. */
static uint64_t
key_hash(const etwc_event *event)
{
    uint64_t low = etwc_load_u64(event->provider_id.bytes);
    uint64_t high = etwc_load_u64(event->provider_id.bytes + 8);
    uint64_t rest = (uint64_t)event->id | (uint64_t)event->opcode << 16 |
                    (uint64_t)event->version << 24 | (uint64_t)event->kind << 32;
    uint64_t h = (low ^ rest) * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ (h >> 32) ^ high) * UINT64_C(0xBF58476D1CE4E5B9);
    return h ^ (h >> 29);
}

/* ---- Memory ------------------------------------------------------------------------ */

/* Makes *charged what the pool should have been charged for the wanted sizes. */
static etwc_status
charge_for(etwc_summary *summary, size_t rows, size_t slots, etwc_error *err)
{
    uint64_t wanted = (uint64_t)rows * sizeof *summary->rows +
                      (uint64_t)slots * sizeof *summary->slots;
    if (wanted <= summary->charged)
        return ETWC_OK;
    etwc_status st = etwc_pool_charge(summary->pool, wanted - summary->charged, err);
    if (st == ETWC_OK)
        summary->charged = wanted;
    return st;
}

static void
place(etwc_summary *summary, uint32_t row)
{
    size_t mask = summary->slot_count - 1;
    size_t slot = (size_t)key_hash(&summary->rows[row].event) & mask;
    while (summary->slots[slot] != NO_ROW)
        slot = (slot + 1) & mask;
    summary->slots[slot] = row;
}

/* Room for one more row. The old tables stay valid when memory is out. */
static etwc_status
reserve_row(etwc_summary *summary, etwc_error *err)
{
    if (summary->count < summary->slot_count / 4 * 3)
        return ETWC_OK;
    size_t slots = summary->slot_count ? summary->slot_count * 2 : FIRST_SLOTS;
    if (slots > MAX_ROWS)
        return etwc_fail(err, ETWC_E_LIMIT, "summary.grow");
    size_t capacity = slots / 4 * 3;
    etwc_status st = charge_for(summary, capacity, slots, err);
    if (st != ETWC_OK)
        return st;
    etwc_summary_row *rows = etwc_realloc(summary->rows, capacity * sizeof *rows);
    if (rows == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "summary.grow");
    summary->rows = rows;
    uint32_t *table = etwc_malloc(slots * sizeof *table);
    if (table == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, "summary.grow");
    etwc_free(summary->slots);
    summary->slots = table;
    summary->slot_count = slots;
    for (size_t i = 0; i < slots; i++)
        table[i] = NO_ROW;
    for (size_t i = 0; i < summary->count; i++)
        place(summary, (uint32_t)i);
    return ETWC_OK;
}

etwc_summary *
etwc_summary_new(etwc_pool *pool)
{
    etwc_summary *summary = etwc_calloc(1, sizeof *summary);
    if (summary == NULL)
        return NULL;
    summary->pool = pool;
    summary->last = NO_ROW;
    return summary;
}

void
etwc_summary_free(etwc_summary *summary)
{
    if (summary == NULL)
        return;
    etwc_pool_discharge(summary->pool, summary->charged);
    etwc_free(summary->rows);
    etwc_free(summary->slots);
    etwc_free(summary);
}

/* ---- Counting ------------------------------------------------------------------------ */

static uint32_t
find_row(const etwc_summary *summary, const etwc_event *event)
{
    size_t mask = summary->slot_count - 1;
    size_t slot = (size_t)key_hash(event) & mask;
    while (summary->slots[slot] != NO_ROW) {
        uint32_t row = summary->slots[slot];
        if (is_same_key(&summary->rows[row].event, event))
            return row;
        slot = (slot + 1) & mask;
    }
    return NO_ROW;
}

static uint32_t
add_row(etwc_summary *summary, const etwc_event *event)
{
    uint32_t index = (uint32_t)summary->count++;
    etwc_summary_row *row = &summary->rows[index];
    memset(row, 0, sizeof *row);
    row->event = *event;
    row->event.block = NULL;
    row->event.payload_size = 0;
    row->event.extended_size = 0;
    row->event.extended_form = ETWC_EXTENDED_NONE;
    row->first_filetime = event->filetime;
    row->last_filetime = event->filetime;
    place(summary, index);
    return index;
}

static etwc_status
feed_one(etwc_summary *summary, const etwc_event *event, etwc_error *err)
{
    uint32_t index = summary->last;
    if (index == NO_ROW || !is_same_key(&summary->rows[index].event, event)) {
        etwc_status st = reserve_row(summary, err);
        if (st != ETWC_OK)
            return st;
        index = find_row(summary, event);
        if (index == NO_ROW)
            index = add_row(summary, event);
        summary->last = index;
    }
    etwc_summary_row *row = &summary->rows[index];
    row->count++;
    row->payload_bytes += event->payload_size;
    if (event->filetime < row->first_filetime)
        row->first_filetime = event->filetime;
    if (event->filetime > row->last_filetime)
        row->last_filetime = event->filetime;
    return ETWC_OK;
}

etwc_status
etwc_summary_feed(etwc_summary *summary, const etwc_event *events, size_t count,
                  etwc_error *err)
{
    for (size_t i = 0; i < count; i++) {
        etwc_status st = feed_one(summary, &events[i], err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

const etwc_summary_row *
etwc_summary_rows(const etwc_summary *summary, size_t *count)
{
    *count = summary->count;
    return summary->rows;
}
