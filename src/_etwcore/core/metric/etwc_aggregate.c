/* Dispatch of events to the files of each concept, and the life of an aggregate. */
#include "etwc_aggregate.h"

#include "etwc_alloc.h"
#include "etwc_frequent.h"
#include "etwc_provider.h"
#include "metric_io.h"
#include "metric_rows.h"

etwc_aggregate *
etwc_aggregate_new(const etwc_aggregate_options *options)
{
    etwc_aggregate *a = etwc_calloc(1, sizeof *a);
    if (a == NULL)
        return NULL;
    a->clock = options->clock;
    a->begin_raw_time = a->last_raw_time = options->begin_raw_time;
    a->timer_resolution_100ns = options->timer_resolution_100ns;
    a->limit_bytes = options->limit_bytes;
    a->has_packed_switches = options->has_packed_switches;
    for (size_t i = 0; i < ETWC_SOURCE_COUNT; i++) {
        a->seen[i] = options->present[i];
        a->has_classic[i] = options->classic[i];
    }
    a->first_process_free = METRIC_NONE;
    a->hidden = METRIC_LIST_EMPTY;
    metric_bounds_init(a,
                       (const uint32_t[3]){options->max_processes, options->max_threads,
                                           options->max_images});
    a->idle_thread = METRIC_NONE;
    a->lifetimes = options->lifetimes;
    if (a->lifetimes == NULL) {
        a->own = etwc_lifetimes_new();
        a->lifetimes = a->own;
    }
    a->strings = etwc_strings_new();
    a->store = metric_store_new();
    bool is_ok = a->lifetimes != NULL && a->strings != NULL && a->store != NULL &&
                 etwc_table_init(&a->process_ids) && etwc_table_init(&a->thread_ids) &&
                 (options->processors == 0 ||
                  metric_processors_reach(a, options->processors - 1)) &&
                 metric_gaps_init(a, options->gaps, options->gap_count) &&
                 metric_rows_prefill(a);
    if (!is_ok) {
        etwc_aggregate_free(a);
        return NULL;
    }
    a->needs_look = a->has_grown = false; /* rows of the beginning are there anyway */
    if (a->own != NULL) {
        etwc_lifetimes_set_limit(a->own, options->limit_bytes);
        etwc_lifetimes_on_forget(a->own, metric_bounds_forgot, a);
    }
    return a;
}

void
etwc_aggregate_free(etwc_aggregate *a)
{
    if (a == NULL)
        return;
    etwc_lifetimes_free(a->own);
    etwc_strings_release(a->strings);
    etwc_table_reset(&a->process_ids);
    etwc_table_reset(&a->thread_ids);
    for (size_t i = 0; i < a->process_count; i++) {
        metric_wait_free(a, &a->processes[i]);
        metric_live_free(a, &a->processes[i]);
        metric_side_reset(a, &a->processes[i].side);
    }
    metric_side_reset(a, &a->machine_side);
    metric_block_reset(a, &a->object_types);
    metric_block_reset(a, &a->ended);
    etwc_strings_release(a->object_names);
    metric_pending_reset(&a->pending);
    etwc_free(a->process_of_life);
    etwc_free(a->thread_of_life);
    for (size_t i = 0; i < a->visible_count; i++)
        if (a->copies[i] != NULL)
            metric_store_replace(a->store, &a->copies[i]->stored);
    metric_told_replace(a->store, a->heads);
    metric_store_close(a->store);
    etwc_free(a->copies);
    etwc_free(a->row_of_number);
    etwc_free(a->changed);
    etwc_free(a->processes);
    etwc_free(a->thread_block);
    etwc_free(a->thread_facts);
    etwc_free(a->changed_threads);
    etwc_free(a->edges);
    etwc_free(a->epoch_ends);
    for (size_t i = 0; i < a->processor_count; i++)
        etwc_free(a->processors[i].interrupts);
    etwc_free(a->processors);
    etwc_free(a->images);
    etwc_free(a->image_slots);
    etwc_free(a);
}

int64_t
etwc_aggregate_last_raw_time(const etwc_aggregate *a)
{
    return a->last_raw_time;
}

/* Records that are read here. The payloads of others are not looked at. */
#define BIT(type) ETWC_KERNEL_BIT(ETWC_KERNEL_##type)
#define WANTED                                                                        \
    (BIT(CSWITCH) | BIT(CSWITCH_BATCH) | BIT(READY_THREAD) | BIT(SAMPLE) |            \
     BIT(SAMPLE_INTERVAL) | BIT(INTERRUPT) | BIT(PROCESS_START) | BIT(PROCESS_END) |  \
     BIT(PROCESS_RUNDOWN_START) | BIT(PROCESS_RUNDOWN_END) | BIT(PROCESS_DEFUNCT) |   \
     BIT(PROCESS_COUNTERS_EXIT) | BIT(PROCESS_COUNTERS_RUNDOWN) | BIT(THREAD_START) | \
     BIT(THREAD_END) | BIT(THREAD_RUNDOWN_START) | BIT(THREAD_RUNDOWN_END) |          \
     BIT(THREAD_NAME) | BIT(IMAGE_LOAD) | BIT(IMAGE_UNLOAD) |                         \
     BIT(IMAGE_RUNDOWN_START) | BIT(IMAGE_RUNDOWN_END) | BIT(PAGE_FAULT) |            \
     BIT(HARD_FAULT) | BIT(DISK_READ) | BIT(DISK_WRITE) | BIT(DISK_FLUSH) |           \
     BIT(FILE_READ) | BIT(FILE_WRITE) | BIT(FILE_OTHER) | BIT(FILE_END) |             \
     BIT(NETWORK) | BIT(NETWORK_FAIL) | BIT(MEMORY_WORKING_SETS) | BIT(SYSTEM_CPU) |  \
     BIT(HANDLE_CREATE) | BIT(HANDLE_CLOSE) | BIT(HANDLE_DUPLICATE) |                 \
     BIT(HANDLE_RUNDOWN) | BIT(OBJECT_TYPE) | BIT(THREAD_PRIORITY) |                  \
     BIT(THREAD_AFFINITY) | BIT(GROUP_MASKS) | BIT(LOST))

/* The source that records of a type are of, plus 1; 0: none that is asked for. */
#define OF(type, source) [ETWC_KERNEL_##type] = ETWC_SOURCE_##source + 1
static const uint8_t source_of_type[ETWC_KERNEL_TYPE_COUNT] = {
    OF(CSWITCH, switches),
    OF(CSWITCH_BATCH, switches),
    OF(READY_THREAD, ready),
    OF(SAMPLE, samples),
    OF(INTERRUPT, interrupts),
    OF(PROCESS_START, process),
    OF(PROCESS_END, process),
    OF(PROCESS_RUNDOWN_START, process),
    OF(PROCESS_RUNDOWN_END, process),
    OF(PROCESS_DEFUNCT, process),
    OF(PROCESS_COUNTERS_EXIT, counters),
    OF(PROCESS_COUNTERS_RUNDOWN, counters),
    OF(THREAD_START, thread),
    OF(THREAD_END, thread),
    OF(THREAD_RUNDOWN_START, thread),
    OF(THREAD_RUNDOWN_END, thread),
    OF(IMAGE_LOAD, image),
    OF(IMAGE_UNLOAD, image),
    OF(IMAGE_RUNDOWN_START, image),
    OF(IMAGE_RUNDOWN_END, image),
    OF(PAGE_FAULT, page_faults),
    OF(HARD_FAULT, hard_faults),
    OF(MEMORY_WORKING_SETS, working_sets),
    OF(DISK_READ, disk),
    OF(DISK_WRITE, disk),
    OF(DISK_FLUSH, disk),
    OF(FILE_READ, file_reads),
    OF(FILE_WRITE, file_writes),
    OF(FILE_OTHER, file),
    OF(FILE_END, file_ends),
    OF(NETWORK, network),
    OF(NETWORK_FAIL, network),
    OF(OBJECT_TYPE, objects),
    OF(HANDLE_CREATE, objects),
    OF(HANDLE_CLOSE, objects),
    OF(HANDLE_DUPLICATE, objects),
    OF(HANDLE_RUNDOWN, objects),
};
#undef OF

static bool
is_file_call(unsigned source)
{
    return source == ETWC_SOURCE_file || source == ETWC_SOURCE_file_reads ||
           source == ETWC_SOURCE_file_writes;
}

/* What was seen of a source for the first time can tell something of every row. */
static ETWC_NOINLINE void
see_source(etwc_aggregate *a, uint8_t type, bool is_classic)
{
    uint8_t source = source_of_type[type];
    if (source == 0)
        return;
    if (is_classic && ETWC_UNLIKELY(!a->has_classic[source - 1]) &&
        is_file_call(source - 1)) {
        /* One flag of the session switches all file calls on. */
        static const uint8_t calls[] = {ETWC_SOURCE_file, ETWC_SOURCE_file_reads,
                                        ETWC_SOURCE_file_writes};
        for (size_t i = 0; i < ETWC_ARRAY_SIZE(calls); i++) {
            a->has_classic[calls[i]] = true;
            a->seen[calls[i]] = 1;
        }
        metric_processes_change(a);
    }
    a->has_classic[source - 1] |= is_classic;
    if (a->seen[source - 1])
        return;
    a->seen[source - 1] = 1;
    metric_processes_change(a);
}

/* What is in want of a record that cannot be used: its source, plus 1, or 0. */
static uint8_t
source_in_want(uint8_t type)
{
    switch (type) {
    case ETWC_KERNEL_SAMPLE_INTERVAL:
        return ETWC_SOURCE_samples + 1;
    case ETWC_KERNEL_THREAD_PRIORITY:
    case ETWC_KERNEL_THREAD_AFFINITY:
        return ETWC_SOURCE_thread + 1;
    default:
        return source_of_type[type];
    }
}

/* A record that is short, or newer than known. */
static void
count_partial(etwc_aggregate *a, const etwc_event *event,
              const etwc_kernel_record *record)
{
    bool is_usable = record->type != ETWC_KERNEL_NONE;
    uint8_t source =
        source_in_want(is_usable ? record->type : (uint8_t)etwc_kernel_type_of(event));
    *(is_usable ? &a->partial : &a->undecoded) += 1;
    if (source != 0)
        (is_usable ? a->partial_by : a->undecoded_by)[source - 1]++;
}

/* What the session says of itself, and of the machine. */
static void
apply_session(etwc_aggregate *a, const etwc_event *event,
              const etwc_kernel_record *record, etwc_status *status, etwc_error *err)
{
    if (a->own != NULL)
        *status = etwc_lifetimes_apply(a->own, event, record, err);
}

static void
apply_identity(etwc_aggregate *a, const etwc_event *event,
               const etwc_kernel_record *record, etwc_status *status, etwc_error *err)
{
    if (a->own == NULL)
        return;
    *status = etwc_lifetimes_apply(a->own, event, record, err);
    if (*status == ETWC_OK)
        metric_rows_relearn(a, event, record);
}

/* All but the most frequent records. */
static ETWC_NOINLINE etwc_status
apply_other(etwc_aggregate *a, const etwc_event *event,
            const etwc_kernel_record *record, etwc_error *err)
{
    etwc_status status = ETWC_OK;
    switch (record->type) {
    case ETWC_KERNEL_CSWITCH_BATCH:
        a->has_packed_switches = true;
        metric_apply_packed_switches(a, event, &record->u.cswitch_batch);
        break;
    case ETWC_KERNEL_SAMPLE_INTERVAL:
        apply_session(a, event, record, &status, err);
        metric_apply_sample_interval(a, &record->u.sample_interval);
        break;
    case ETWC_KERNEL_PROCESS_START:
    case ETWC_KERNEL_PROCESS_END:
    case ETWC_KERNEL_PROCESS_RUNDOWN_START:
    case ETWC_KERNEL_PROCESS_RUNDOWN_END:
    case ETWC_KERNEL_PROCESS_DEFUNCT:
        apply_identity(a, event, record, &status, err);
        metric_apply_process(a, event, record);
        break;
    case ETWC_KERNEL_PROCESS_COUNTERS_EXIT:
    case ETWC_KERNEL_PROCESS_COUNTERS_RUNDOWN:
        metric_apply_counters(a, event, record);
        break;
    case ETWC_KERNEL_THREAD_START:
    case ETWC_KERNEL_THREAD_END:
    case ETWC_KERNEL_THREAD_RUNDOWN_START:
    case ETWC_KERNEL_THREAD_RUNDOWN_END:
        apply_identity(a, event, record, &status, err);
        metric_apply_thread(a, event, record);
        break;
    case ETWC_KERNEL_THREAD_NAME:
        apply_identity(a, event, record, &status, err);
        break;
    case ETWC_KERNEL_IMAGE_LOAD:
    case ETWC_KERNEL_IMAGE_UNLOAD:
    case ETWC_KERNEL_IMAGE_RUNDOWN_START:
    case ETWC_KERNEL_IMAGE_RUNDOWN_END:
        metric_apply_image(a, event, record);
        break;
    case ETWC_KERNEL_THREAD_PRIORITY:
        metric_apply_priority(a, event, &record->u.priority);
        metric_apply_base_priority(a, event, &record->u.priority);
        break;
    case ETWC_KERNEL_THREAD_AFFINITY:
        metric_apply_affinity(a, event, &record->u.affinity);
        break;
    case ETWC_KERNEL_PAGE_FAULT:
    case ETWC_KERNEL_HARD_FAULT:
    case ETWC_KERNEL_MEMORY_WORKING_SETS:
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
    case ETWC_KERNEL_FILE_READ:
    case ETWC_KERNEL_FILE_WRITE:
    case ETWC_KERNEL_FILE_OTHER:
    case ETWC_KERNEL_FILE_END:
    case ETWC_KERNEL_NETWORK:
    case ETWC_KERNEL_NETWORK_FAIL:
    case ETWC_KERNEL_HANDLE_CREATE:
    case ETWC_KERNEL_HANDLE_CLOSE:
    case ETWC_KERNEL_HANDLE_DUPLICATE:
    case ETWC_KERNEL_HANDLE_RUNDOWN:
    case ETWC_KERNEL_OBJECT_TYPE:
        metric_apply_io(a, event, record);
        break;
    case ETWC_KERNEL_SYSTEM_CPU:
    case ETWC_KERNEL_GROUP_MASKS:
        apply_session(a, event, record, &status, err);
        break;
    case ETWC_KERNEL_LOST:
        metric_apply_lost(a, event->raw_time);
        break;
    default:
        break;
    }
    return status;
}

/* Whether a kernel class has told what a record of a manifest provider tells, so that
 * it must not be counted again. Lives are put together by the lifetimes, and values
 * that are no counts can come twice. */
static bool
is_told_twice(const etwc_aggregate *a, uint8_t type)
{
    switch (type) {
    case ETWC_KERNEL_FILE_READ:
    case ETWC_KERNEL_FILE_WRITE:
    case ETWC_KERNEL_FILE_OTHER:
    case ETWC_KERNEL_FILE_END: /* goes with the calls that it ends */
        return a->has_classic[ETWC_SOURCE_file];
    case ETWC_KERNEL_THREAD_START:
    case ETWC_KERNEL_THREAD_END:
    case ETWC_KERNEL_IMAGE_LOAD:
    case ETWC_KERNEL_IMAGE_UNLOAD:
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
    case ETWC_KERNEL_NETWORK:
    case ETWC_KERNEL_NETWORK_FAIL:
        return a->has_classic[source_of_type[type] - 1];
    default:
        return false;
    }
}

static etwc_status
apply_manifest_record(etwc_aggregate *a, const etwc_event *event,
                      const etwc_kernel_record *record, etwc_error *err)
{
    etwc_status status = ETWC_OK;
    bool is_end = record->type == ETWC_KERNEL_THREAD_END;
    bool is_twice = is_told_twice(a, record->type);
    switch (record->type) {
    case ETWC_KERNEL_DISK_READ:
    case ETWC_KERNEL_DISK_WRITE:
    case ETWC_KERNEL_DISK_FLUSH:
        if (!is_twice) { /* never tells whose: the source stays unseen */
            a->unowned_records++;
            metric_count_disk(a, METRIC_NONE, record);
        }
        return ETWC_OK;
    case ETWC_KERNEL_THREAD_START:
    case ETWC_KERNEL_THREAD_END:
        if (is_twice)
            apply_identity(a, event, record, &status, err);
        break;
    default:
        break;
    }
    if (!is_twice) {
        see_source(a, record->type, false);
        status = apply_other(a, event, record, err);
    }
    if (record->type == ETWC_KERNEL_PROCESS_END) {
        a->seen[ETWC_SOURCE_exits] = 1;
        metric_apply_exit(a, event, record);
    } else if (is_end && (record->fields & ETWC_HAS_CYCLES)) {
        a->seen[ETWC_SOURCE_thread_cycles] = 1;
        metric_apply_thread_cycles(a, event, &record->u.thread);
    }
    return status;
}

static inline void
see_classic(etwc_aggregate *a, uint8_t type)
{
    uint64_t bit = ETWC_KERNEL_BIT(type);
    if (ETWC_UNLIKELY((a->classic_types & bit) == 0)) {
        a->classic_types |= bit;
        see_source(a, type, true);
    }
}

/* Most events of a busy trace are one of four: what comes is foretold by nothing, so
 * there is one choice between all of them, and none after it. ETWC_KERNEL_NONE when it
 * is another, or has another layout. */
static inline etwc_kernel_type
take_frequent(const etwc_event *event, etwc_kernel_record *out)
{
    switch (etwc_frequent_of(event)) {
    case ETWC_FREQUENT_CSWITCH:
        return etwc_frequent_cswitch(event, &out->u.cswitch) ? ETWC_KERNEL_CSWITCH
                                                             : ETWC_KERNEL_NONE;
    case ETWC_FREQUENT_READY_THREAD:
        return etwc_frequent_ready(event, &out->u.ready) ? ETWC_KERNEL_READY_THREAD
                                                         : ETWC_KERNEL_NONE;
    case ETWC_FREQUENT_SAMPLE:
        return etwc_frequent_sample(event, &out->u.sample) ? ETWC_KERNEL_SAMPLE
                                                           : ETWC_KERNEL_NONE;
    case ETWC_FREQUENT_DPC:
        return etwc_frequent_dpc(event, &out->u.interrupt) ? ETWC_KERNEL_INTERRUPT
                                                           : ETWC_KERNEL_NONE;
    default:
        return ETWC_KERNEL_NONE;
    }
}

/* Reads any record by the tables of layouts, and applies it unless it is one of the
 * four: of these the type comes back. */
static ETWC_NOINLINE etwc_kernel_type
take_other(etwc_aggregate *a, const etwc_event *event, etwc_kernel_record *record,
           etwc_status *status, etwc_error *err)
{
    etwc_completeness completeness = etwc_kernel_decode_some(event, WANTED, record);
    if (completeness == ETWC_DECODED_NONE)
        return ETWC_KERNEL_NONE;
    if (completeness == ETWC_DECODED_PARTIAL)
        count_partial(a, event, record);
    if (etwc_class_is_manifest(event->kernel_class)) {
        *status = apply_manifest_record(a, event, record, err);
        return ETWC_KERNEL_NONE;
    }
    switch (record->type) {
    case ETWC_KERNEL_CSWITCH:
    case ETWC_KERNEL_READY_THREAD:
    case ETWC_KERNEL_SAMPLE:
    case ETWC_KERNEL_INTERRUPT:
        return (etwc_kernel_type)record->type;
    default:
        see_classic(a, record->type);
        *status = apply_other(a, event, record, err);
        return ETWC_KERNEL_NONE;
    }
}

/* The four have one place where they are applied, so that compilers put them there. */
static inline etwc_status
apply_record(etwc_aggregate *a, const etwc_event *event, etwc_error *err)
{
    etwc_status status = ETWC_OK;
    etwc_kernel_record record;
    etwc_kernel_type type = take_frequent(event, &record);
    if (type == ETWC_KERNEL_NONE)
        type = take_other(a, event, &record, &status, err);
    switch (type) {
    case ETWC_KERNEL_CSWITCH:
        see_classic(a, ETWC_KERNEL_CSWITCH);
        metric_apply_switch(a, event, &record.u.cswitch);
        break;
    case ETWC_KERNEL_READY_THREAD:
        see_classic(a, ETWC_KERNEL_READY_THREAD);
        metric_apply_ready(a, event, &record.u.ready);
        break;
    case ETWC_KERNEL_SAMPLE:
        see_classic(a, ETWC_KERNEL_SAMPLE);
        metric_apply_sample(a, event, &record.u.sample);
        break;
    case ETWC_KERNEL_INTERRUPT:
        see_classic(a, ETWC_KERNEL_INTERRUPT);
        metric_apply_interrupt(a, event, &record.u.interrupt);
        break;
    default:
        break;
    }
    return status;
}

/* What is left to do when a record has run out of memory or added rows. */
static etwc_status
look_at_memory(etwc_aggregate *a, etwc_error *err)
{
    bool is_out_of_memory = a->is_out_of_memory;
    bool has_grown = a->has_grown;
    a->needs_look = a->is_out_of_memory = a->has_grown = false;
    if (is_out_of_memory)
        return etwc_fail(err, ETWC_E_NOMEM, "metric.aggregate");
    if (has_grown && a->limit_bytes != 0 && metric_rows_bytes(a) > a->limit_bytes)
        return etwc_fail_at(err, ETWC_E_LIMIT, "metric.aggregate", -1,
                            "the trace tells of %zu processes, %zu threads and %zu "
                            "images",
                            a->process_count, a->thread_count, a->image_count);
    return ETWC_OK;
}

etwc_status
etwc_aggregate_apply(etwc_aggregate *a, const etwc_event *event, etwc_error *err)
{
    a->events++;
    if (event->raw_time > a->last_raw_time)
        a->last_raw_time = event->raw_time;
    else if (event->raw_time < a->last_raw_time)
        /* What a session gathered before it began is no sign of a clock set back. */
        a->late_records += a->last_raw_time > a->begin_raw_time;
    if (event->kernel_class == ETWC_CLASS_NONE)
        return ETWC_OK;
    if (ETWC_UNLIKELY(event->raw_time >= a->next_edge_raw_time))
        metric_gaps_pass(a, event->raw_time);
    etwc_status status = apply_record(a, event, err);
    if (event->thread_id != ETWC_NO_ID) {
        a->seen[ETWC_SOURCE_ticks] = 1;
        metric_apply_ticks(a, event);
    }
    if (ETWC_UNLIKELY(a->needs_look) && status == ETWC_OK)
        status = look_at_memory(a, err);
    return status;
}

etwc_status
etwc_aggregate_apply_all(etwc_aggregate *a, const etwc_event *events, size_t count,
                         size_t *applied, etwc_error *err)
{
    etwc_status status = ETWC_OK;
    size_t i = 0;
    while (i < count && status == ETWC_OK) {
        size_t end = count - i < METRIC_AHEAD ? count : i + METRIC_AHEAD;
        if (a->live_count >= METRIC_MANY_THREADS)
            metric_look_ahead(a, events + i, end - i);
        while (i < end && status == ETWC_OK)
            status = etwc_aggregate_apply(a, &events[i++], err);
    }
    *applied = i;
    return status;
}
