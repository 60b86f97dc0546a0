#include "etwc_table.h"

#include <assert.h>

#include "etwc_alloc.h"

#define TABLE_FIRST_SHIFT 26u /* 64 slots */
#define TABLE_LAST_SHIFT 1u
#define TABLE_FIRST_PLACES 256u

static etwc_table_slot *
table_new_slots(unsigned shift)
{
    size_t count = (size_t)1 << (32 - shift);
    size_t bytes;
    if (!etwc_mul_size(count, sizeof(etwc_table_slot), &bytes))
        return NULL;
    etwc_table_slot *slots = etwc_malloc(bytes);
    if (slots == NULL)
        return NULL;
    memset(slots, 0xFF, bytes);
    return slots;
}

bool
etwc_table_init(etwc_table *table)
{
    table->places = NULL;
    table->place_count = 0;
    table->slots = table_new_slots(TABLE_FIRST_SHIFT);
    table->shift = TABLE_FIRST_SHIFT;
    table->count = 0;
    table->seed = (uint32_t)((uintptr_t)table->slots >> 4);
    return table->slots != NULL;
}

void
etwc_table_reset(etwc_table *table)
{
    etwc_free(table->places);
    etwc_free(table->slots);
    *table = (etwc_table){.shift = TABLE_FIRST_SHIFT};
}

static void
table_insert(etwc_table *table, uint32_t key, uint32_t value)
{
    uint32_t mask = UINT32_MAX >> table->shift;
    uint32_t i = etwc_table_home(table, key);
    while (table->slots[i].value != ETWC_TABLE_NONE && table->slots[i].key != key)
        i = (i + 1) & mask;
    table->count += table->slots[i].value == ETWC_TABLE_NONE;
    table->slots[i] = (etwc_table_slot){key, value};
}

static bool
table_double(etwc_table *table)
{
    if (table->shift == TABLE_LAST_SHIFT)
        return false;
    etwc_table wider = *table;
    wider.shift--;
    wider.count = 0;
    wider.slots = table_new_slots(wider.shift);
    if (wider.slots == NULL)
        return false;
    size_t old_count = (size_t)1 << (32 - table->shift);
    for (size_t i = 0; i < old_count; i++)
        if (table->slots[i].value != ETWC_TABLE_NONE)
            table_insert(&wider, table->slots[i].key, table->slots[i].value);
    etwc_free(table->slots);
    *table = wider;
    return true;
}

static bool
table_make_place(etwc_table *table, uint32_t place)
{
    uint32_t count = table->place_count == 0 ? TABLE_FIRST_PLACES : table->place_count;
    while (count <= place)
        count *= 2;
    uint32_t *places = etwc_realloc(table->places, count * sizeof *places);
    if (places == NULL)
        return false;
    memset(places + table->place_count, 0xFF,
           (count - table->place_count) * sizeof *places);
    table->places = places;
    table->place_count = count;
    return true;
}

bool
etwc_table_put(etwc_table *table, uint32_t key, uint32_t value)
{
    assert(value != ETWC_TABLE_NONE);
    uint32_t place = etwc_table_place(key);
    if (place < ETWC_TABLE_PLACES_MAX) {
        if (place >= table->place_count && !table_make_place(table, place))
            return false;
        table->places[place] = value;
        return true;
    }
    /* At most half full, so that a search that fails is short as well. */
    if (table->count >= (uint32_t)1 << (31 - table->shift) && !table_double(table))
        return false;
    table_insert(table, key, value);
    return true;
}

/* What lies behind the hole and would not be found across it moves into it. */
void
etwc_table_remove(etwc_table *table, uint32_t key)
{
    uint32_t place = etwc_table_place(key);
    if (place < ETWC_TABLE_PLACES_MAX) {
        if (place < table->place_count)
            table->places[place] = ETWC_TABLE_NONE;
        return;
    }
    uint32_t mask = UINT32_MAX >> table->shift;
    uint32_t hole = etwc_table_home(table, key);
    while (table->slots[hole].key != key) {
        if (table->slots[hole].value == ETWC_TABLE_NONE)
            return;
        hole = (hole + 1) & mask;
    }
    if (table->slots[hole].value == ETWC_TABLE_NONE)
        return;
    table->count--;
    for (uint32_t i = (hole + 1) & mask; table->slots[i].value != ETWC_TABLE_NONE;
         i = (i + 1) & mask) {
        uint32_t home = etwc_table_home(table, table->slots[i].key);
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* it begins behind the hole */
        table->slots[hole] = table->slots[i];
        hole = i;
    }
    table->slots[hole] = (etwc_table_slot){ETWC_TABLE_NONE, ETWC_TABLE_NONE};
}
