/*
 * From 32-bit ids (process, thread) to 32-bit numbers of rows. Windows gives ids that
 * are multiples of four, the lowest first: those have their place in an array, where
 * neighbours share cache lines and nothing collides. The others, of which a file may
 * have any, are in a hash table. Finding is inline. One thread at a time.
 */
#ifndef ETWC_TABLE_H
#define ETWC_TABLE_H

#include "etwc_base.h"

/* The value of a key that is not there; it cannot be stored. */
#define ETWC_TABLE_NONE UINT32_C(0xFFFFFFFF)

typedef struct etwc_table_slot {
    uint32_t key;
    uint32_t value; /* ETWC_TABLE_NONE: free */
} etwc_table_slot;

/* Ids below four times that have a place. */
#define ETWC_TABLE_PLACES_MAX UINT32_C(0x10000)

typedef struct etwc_table {
    uint32_t *places; /* owned; values by id / 4 */
    uint32_t place_count;
    etwc_table_slot *slots; /* owned; 2^(32 - shift) of them */
    uint32_t count;         /* of slots in use */
    uint32_t seed;          /* so that a file cannot be made of colliding ids */
    unsigned shift;
} etwc_table;

/* False when memory is out; reset accepts what a failed init leaves. */
ETWC_NODISCARD bool etwc_table_init(etwc_table *table);
void etwc_table_reset(etwc_table *table);
/* Adds or replaces. False when memory is out; the table is then unchanged. */
ETWC_NODISCARD bool etwc_table_put(etwc_table *table, uint32_t key, uint32_t value);
void etwc_table_remove(etwc_table *table, uint32_t key); /* accepts an unknown key */

static inline uint32_t
etwc_table_home(const etwc_table *table, uint32_t key)
{
    uint32_t x = (key ^ table->seed) * UINT32_C(0x85EBCA6B);
    x = (x ^ (x >> 15)) * UINT32_C(0x9E3779B1);
    return x >> table->shift;
}

/* Beyond all places for what is no multiple of four. */
static inline uint32_t
etwc_table_place(uint32_t key)
{
    return key >> 2 | key << 30;
}

/* Has the slot of a key on its way before it is looked for. */
static inline void
etwc_table_prefetch(const etwc_table *table, uint32_t key)
{
    uint32_t place = etwc_table_place(key);
    if (ETWC_LIKELY(place < table->place_count))
        ETWC_PREFETCH(&table->places[place]);
    else
        ETWC_PREFETCH(&table->slots[etwc_table_home(table, key)]);
}

static inline uint32_t
etwc_table_find(const etwc_table *table, uint32_t key)
{
    uint32_t place = etwc_table_place(key);
    if (ETWC_LIKELY(place < table->place_count))
        return table->places[place];
    uint32_t mask = UINT32_MAX >> table->shift;
    uint32_t i = etwc_table_home(table, key);
    for (;;) {
        etwc_table_slot slot = table->slots[i];
        if (ETWC_LIKELY(slot.key == key) || slot.value == ETWC_TABLE_NONE)
            return slot.value;
        i = (i + 1) & mask;
    }
}

static inline uint64_t
etwc_table_bytes(const etwc_table *table)
{
    return ((uint64_t)1 << (32 - table->shift)) * sizeof *table->slots +
           (uint64_t)table->place_count * sizeof *table->places;
}

#endif
