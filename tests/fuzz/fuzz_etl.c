/*
 * Fuzz target: the container. The input is a trace file in memory; its last bytes
 * choose how it is read.
 *
 * Whatever the bytes are, three readings of them must agree: all events, the
 * count, and a selection of everything that needs a view. Only the memory limit
 * may end one of them earlier: two files need more than one.
 */
#include <stdlib.h>

#include "etwc_etl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHUNK = 17, MEMORY_LIMIT = 64 << 20, SWITCH_BYTES = 2 };

static volatile uint8_t sink;

static void
require(bool condition)
{
    if (!condition)
        abort();
}

/* Reads every byte that a view claims, so that a sanitizer sees each too many. */
static void
touch(etwc_span bytes)
{
    uint8_t all = 0;
    for (size_t i = 0; i < bytes.len; i++)
        all ^= bytes.ptr[i];
    sink = all;
}

static void
touch_event(const etwc_event *event)
{
    etwc_extended_iter iter;
    etwc_extended_item item;
    require(event->kind < ETWC_KIND_COUNT);
    require(event->pointer_size == 4 || event->pointer_size == 8);
    require(event->block != NULL);
    touch((etwc_span){event->payload, event->payload_size});
    etwc_extended_begin(event, &iter);
    while (etwc_extended_next(&iter, &item))
        touch(item.data);
}

/* All events of a selection; held ones keep their blocks alive for a while. */
static uint64_t
read_all(etwc_etl *etl, const etwc_selection *selection, size_t chunk,
         etwc_damage *damage, bool *is_limited)
{
    etwc_cursor *cursor;
    etwc_event events[CHUNK];
    etwc_event held = {.block = NULL};
    uint64_t total = 0;
    size_t n;
    etwc_etl *files[2] = {etl, etl};
    etwc_status st =
        etwc_cursor_open(files, selection != NULL ? 1 : 2, selection, &cursor, NULL);
    if (st != ETWC_OK) {
        require(st == ETWC_E_LIMIT);
        *is_limited = true;
        return 0;
    }
    while ((st = etwc_cursor_next(cursor, events, chunk, &n, NULL)) == ETWC_OK) {
        for (size_t i = 0; i < n; i++)
            touch_event(&events[i]);
        if (n != 0 && total % 3 == 0) {
            if (held.block != NULL)
                touch_event(&held);
            etwc_block_release(held.block);
            held = events[n - 1];
            etwc_block_retain(held.block);
        }
        total += n;
    }
    require(st == ETWC_END || st == ETWC_E_LIMIT);
    *is_limited |= st == ETWC_E_LIMIT;
    etwc_cursor_get_damage(cursor, damage);
    require(etwc_cursor_next(cursor, events, chunk, &n, NULL) == ETWC_END);
    etwc_cursor_close(cursor);
    if (held.block != NULL)
        touch_event(&held);
    etwc_block_release(held.block);
    return total;
}

static uint64_t
count_all(etwc_etl *etl, const etwc_selection *selection, etwc_damage *damage,
          bool *is_limited)
{
    etwc_cursor *cursor;
    uint64_t total = 0;
    etwc_status st = etwc_cursor_open(&etl, 1, selection, &cursor, NULL);
    if (st != ETWC_OK) {
        require(st == ETWC_E_LIMIT);
        *is_limited = true;
        return 0;
    }
    etwc_cursor_set_budget(cursor, 100);
    while ((st = etwc_cursor_count(cursor, &total, NULL)) == ETWC_OK)
        ;
    require(st == ETWC_END || st == ETWC_E_LIMIT);
    *is_limited |= st == ETWC_E_LIMIT;
    etwc_cursor_get_damage(cursor, damage);
    etwc_cursor_close(cursor);
    return total;
}

static void
read_trace(etwc_etl *etl, unsigned switches)
{
    etwc_selection everything = {.has_max_level = true, .max_level = 255};
    etwc_selection some = {.any_keyword = switches, .has_start = true};
    size_t chunk = 1 + switches % CHUNK;
    etwc_damage damage, again;
    bool is_limited = false;
    uint64_t counted = count_all(etl, NULL, &damage, &is_limited);
    uint64_t read = read_all(etl, &everything, chunk, &again, &is_limited);
    require(is_limited ||
            (counted == read && memcmp(&damage, &again, sizeof damage) == 0));
    read = read_all(etl, NULL, chunk, &again, &is_limited);
    require(is_limited || 2 * counted == read);
    /* Wraps where the start is at the end of time. */
    some.start_filetime =
        (int64_t)((uint64_t)etwc_etl_get_header(etl)->start_filetime + switches);
    is_limited = false;
    counted = count_all(etl, &some, &again, &is_limited);
    read = read_all(etl, &some, chunk, &again, &is_limited);
    require(is_limited || counted == read);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    etwc_etl *etl;
    etwc_source source;
    etwc_pool *pool = etwc_pool_new(MEMORY_LIMIT);
    require(pool != NULL);
    etwc_source_from_memory(data, size, &source);
    if (etwc_etl_open(&source, pool, NULL, &etl, NULL) == ETWC_OK) {
        read_trace(etl, etwc_load_u16(data + size - SWITCH_BYTES));
        etwc_etl_release(etl);
    }
    require(etwc_pool_in_use(pool) == 0);
    etwc_pool_release(pool);
    return 0;
}
