/* Names and places of the numbers in rows. */
#include "etwc_snapshot.h"

/* Times of threads and processors can be below 0 in an interval: see
 * etwc_row_difference. */
#define IS_AT(group, name, other) \
    (offsetof(etwc_process_row, group.name) == offsetof(etwc_process_row, group.other))
#define IS_SIGNED(group, name, unit)                                       \
    (IS_AT(group, name, run_##unit) || IS_AT(group, name, ready_##unit) || \
     IS_AT(group, name, wait_##unit))
#define PROCESS(name, format) {#name, offsetof(etwc_process_row, name), format, false},
#define PROCESS_COUNTER(name)                          \
    {#name, offsetof(etwc_process_row, counters.name), \
     IS_SIGNED(counters, name, ticks) ? 'q' : 'Q', true},
#define PROCESS_TIME(name)                          \
    {#name, offsetof(etwc_process_row, times.name), \
     IS_SIGNED(times, name, ns) ? 'q' : 'Q', true},
#define PROCESS_GAUGE(name) \
    {#name, offsetof(etwc_process_row, gauges.name), 'Q', false},

/* clang-format off */
static const etwc_column process_columns[] = {
    PROCESS(process_id, 'I')
    PROCESS(parent_id, 'I')
    PROCESS(logon_session_id, 'I')
    PROCESS(exit_status, 'I')
    PROCESS(flags, 'I')
    PROCESS(known, 'I')
    PROCESS(start_key, 'Q')
    PROCESS(row_id, 'Q')
    PROCESS(begin_filetime, 'q')
    PROCESS(end_filetime, 'q')
    ETWC_ROW_COUNTER_LIST(PROCESS_COUNTER)
    ETWC_ROW_TIME_LIST(PROCESS_TIME)
    ETWC_ROW_GAUGE_LIST(PROCESS_GAUGE)
};

#define THREAD(name, format) {#name, offsetof(etwc_thread_row, name), format, false},
#define THREAD_COUNTER(name) {#name, offsetof(etwc_thread_row, name), 'q', true},

static const etwc_column thread_columns[] = {
    THREAD(row_id, 'Q')
    THREAD(thread_id, 'I')
    THREAD(process_id, 'I')
    THREAD(row, 'I')
    THREAD(known, 'I')
    THREAD(state, 'I')
    THREAD(wait_reason, 'I')
    THREAD(base_priority, 'I')
    THREAD(processor, 'I')
    THREAD(begin_filetime, 'q')
    THREAD(end_filetime, 'q')
    ETWC_THREAD_COUNTER_LIST(THREAD_COUNTER)
    ETWC_THREAD_TIME_LIST(THREAD_COUNTER)
    THREAD(kernel_ticks, 'Q')
    THREAD(user_ticks, 'Q')
    THREAD(affinity_mask, 'Q')
};

#define PROCESSOR(name, format) \
    {#name, offsetof(etwc_processor_row, name), format, false},
#define PROCESSOR_COUNTER(name) {#name, offsetof(etwc_processor_row, name), 'q', true},

static const etwc_column processor_columns[] = {
    PROCESSOR(number, 'I')
    PROCESSOR(thread_id, 'I')
    ETWC_PROCESSOR_TICK_LIST(PROCESSOR_COUNTER)
    ETWC_PROCESSOR_TIME_LIST(PROCESSOR_COUNTER)
    ETWC_PROCESSOR_COUNTER_LIST(PROCESSOR_COUNTER)
    PROCESSOR_COUNTER(self_check_ticks)
};
/* clang-format on */

typedef struct table {
    const etwc_column *columns;
    size_t count, row_size;
} table;

static const table tables[ETWC_TABLE_COUNT] = {
    {process_columns, ETWC_ARRAY_SIZE(process_columns), sizeof(etwc_process_row)},
    {thread_columns, ETWC_ARRAY_SIZE(thread_columns), sizeof(etwc_thread_row)},
    {processor_columns, ETWC_ARRAY_SIZE(processor_columns), sizeof(etwc_processor_row)},
};

const etwc_column *
etwc_column_at(etwc_table_kind kind, size_t index)
{
    return index < tables[kind].count ? &tables[kind].columns[index] : NULL;
}

const etwc_column *
etwc_column_named(etwc_table_kind kind, const char *name)
{
    for (size_t i = 0; i < tables[kind].count; i++)
        if (strcmp(tables[kind].columns[i].name, name) == 0)
            return &tables[kind].columns[i];
    return NULL;
}

size_t
etwc_table_row_size(etwc_table_kind kind)
{
    return tables[kind].row_size;
}
