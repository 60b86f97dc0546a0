/*
 * The rows of an aggregate, and from ids to rows. Private to core/metric.
 *
 * Rows are numbered and never move away, so everything refers to them by number;
 * pointers to rows are good until the next row is added. A dead row can leave when
 * one is added (metric_bounds.h), and its number be given to another.
 */
#ifndef METRIC_ROWS_H
#define METRIC_ROWS_H

#include "etwc_aggregate.h"
#include "etwc_table.h"
#include "metric_bounds.h"
#include "metric_copy.h"
#include "metric_pending.h"
#include "metric_side.h"

#define METRIC_NONE ETWC_TABLE_NONE

/* Reasons whose place in the waits is known without a search: all that Windows has. */
enum { METRIC_WAIT_PLACES = 40 };

/* Ordered by use: what a context switch reads and writes lies at the front, so that it
 * is few lines of the cache. */
typedef struct metric_process {
    metric_wait *waits; /* owned; NULL before a thread of it has waited */
    uint32_t wait_count, wait_capacity;
    uint32_t wait_epoch; /* those under way began in that one, or do not count */
    bool is_changed;     /* since the latest snapshot; always of a hidden row */
    bool is_listed;      /* among the changed */
    bool is_dead : 1;
    bool has_handle_list : 1;  /* of the session's begin or end */
    bool has_side_changed : 1; /* a block of it, since it was told */
    int64_t valid_until;       /* the id names this row at times before that */
    uint8_t wait_places[METRIC_WAIT_PLACES]; /* by reason; METRIC_READY: none yet */
    /* Counters and gauges; the rest is filled in a copy. To be written through
     * metric_process_change alone: snapshots share the copies of other rows. */
    etwc_plain_row row;
    uint64_t samples_kernel_unweighted; /* before the interval was known */
    uint64_t samples_user_unweighted;
    uint64_t lowest_image_base;
    const etwc_text_entry *lowest_image; /* names a process without a record */
    uint32_t base_priority_thread; /* whose base priority is that of the process */
    uint32_t life;                 /* instance in the lifetimes, or METRIC_NONE */
    uint32_t number; /* place among the copies; METRIC_NONE for the hidden row of a
                      * thread whose process nobody knows yet, and of a free place */
    uint32_t priority_thread; /* whose I/O priority is that of the process */
    metric_side side;
    /* Handles since the list of handles, or since the first record of one. */
    int64_t open_handles, most_handles;
    uint32_t listed_at_end, first_listed_handle;
    uint64_t row_id;
    int64_t died_at;
    metric_link dead;            /* or hidden */
    metric_list threads, images; /* of the process, by `sibling` */
    etwc_live_thread *live;      /* owned; as of the latest metric_live_update */
    uint32_t live_count, live_capacity;
} metric_process;

/* What a context switch, a ready record and the run of a thread read and write: one
 * line of the cache, and a row begins with a line. */
typedef struct metric_thread {
    int64_t since; /* of a state: when it was switched to, or began to wait */
    uint64_t run_ticks, ready_ticks, wait_ticks;
    int64_t active;   /* last tick that it is known to have run, or INT64_MIN */
    uint32_t process; /* row */
    uint32_t epoch;   /* of state; nobody knows the state in later ones */
    uint32_t context_switches, voluntary_switches, migrations;
    uint16_t processor; /* that it was last switched to, or METRIC_NO_PROCESSOR */
    uint8_t wait;       /* place in the waits of its process, or METRIC_NOT_WAITING */
    uint8_t state : 4;  /* etwc_thread_state, or METRIC_STATE_UNKNOWN */
    uint8_t is_readied : 1; /* while it ran: it will not wait when switched away */
    uint8_t is_changed : 1; /* since the latest snapshot */
    uint8_t is_passing : 1; /* its id names another from facts.valid_until on */
} metric_thread;

enum { METRIC_LINE_BYTES = 64 };
_Static_assert(sizeof(metric_thread) == METRIC_LINE_BYTES, "one line");

/* Windows has no more than 2048; of one with this number no migrations are counted. */
enum { METRIC_NO_PROCESSOR = UINT16_MAX };
enum { METRIC_STATE_UNKNOWN = 15 };
_Static_assert((int)ETWC_THREAD_STATES < (int)METRIC_STATE_UNKNOWN,
               "states fit their bits");

/* The rest of a thread, by the same number. */
typedef struct metric_thread_facts {
    int64_t valid_until; /* the id names this row at times before that */
    uint32_t samples, involuntary_switches;
    uint32_t kernel_ticks, user_ticks; /* last seen */
    uint32_t thread_id;
    uint32_t life;    /* instance, or METRIC_NONE */
    uint32_t live_at; /* position among the living of its process, or METRIC_NONE */
    uint32_t known;   /* ETWC_THREAD_PRIORITY, ETWC_THREAD_AFFINITY */
    bool has_ticks;
    bool is_old;     /* began before the trace, or nobody knows */
    bool is_adopted; /* empty: its numbers went to the row of its instance */
    bool is_dead;
    uint8_t base_priority;
    uint64_t affinity_mask;
    uint64_t cycles; /* told when it ended; else 0 */
    uint64_t row_id;
    metric_link dead, sibling;
} metric_thread_facts;

/* Time that interrupts took on a processor, latest last, none inside another. */
typedef struct metric_interval {
    int64_t begin, end;
} metric_interval;

typedef struct metric_processor {
    int64_t run_begin;
    uint64_t run_interrupted; /* ticks of interrupts since run_begin */
    uint64_t process_ticks, idle_ticks, unknown_ticks, dpc_ticks, isr_ticks;
    uint64_t context_switches, dpcs, isrs, samples;
    uint32_t gap_count; /* gaps that are open: its records may have holes */
    bool has_had_gap;
    bool is_packed;              /* run_begin is when the latest packed switch was */
    metric_interval *interrupts; /* owned; since run_begin */
    size_t interrupt_count, interrupt_capacity;
    uint32_t thread; /* row of the running one; METRIC_NONE: unknown */
    uint32_t thread_id;
} metric_processor;

typedef struct metric_image {
    etwc_image_row row;
    metric_link unloaded, sibling; /* of a free place: sibling.next is another one */
    bool is_unloaded;
} metric_image;

typedef struct metric_image_slot {
    uint32_t hash;   /* of process and base address */
    uint32_t number; /* METRIC_NONE: free */
} metric_image_slot;

/* Where a gap begins or ends. */
typedef struct metric_gap_edge {
    int64_t raw_time;
    uint32_t processor;
    bool is_end;
} metric_gap_edge;

struct etwc_aggregate {
    const etwc_lifetimes *lifetimes;
    etwc_lifetimes *own;   /* the same, when it is fed here; else NULL */
    etwc_strings *strings; /* of images; the lifetimes have their own */
    etwc_clock clock;
    int64_t begin_raw_time, last_raw_time;
    uint64_t limit_bytes;
    uint32_t timer_resolution_100ns;

    etwc_table process_ids, thread_ids; /* id -> row that had it last */
    uint32_t *process_of_life;          /* instance -> row, or METRIC_NONE */
    uint32_t *thread_of_life;
    size_t process_lives, thread_lives;
    metric_process *processes;
    metric_list hidden; /* rows without a number that are in use, by `dead` */
    size_t process_count, process_capacity;
    uint32_t first_process_free; /* chain through `life`; METRIC_NONE: empty */
    uint32_t processes_in_use;   /* rows with a number */
    uint32_t visible_count;      /* numbers given; some may have no row any more */
    metric_store *store;         /* of copies */
    metric_copy **copies;        /* by number, as of the latest snapshot; or NULL */
    metric_told *heads;          /* metric_head of each copy; NULL before the first */
    bool have_heads_moved;
    uint32_t *row_of_number; /* METRIC_NONE when it has left */
    uint32_t *changed;       /* rows that changed since; room for all rows */
    bool have_all_changed;   /* all rows, whether they are listed or not */
    size_t changed_count, changed_capacity, copy_capacity;
    metric_thread *threads; /* inside of thread_block */
    metric_thread_facts *thread_facts;
    void *thread_block;
    size_t thread_count, thread_capacity, thread_facts_capacity;
    uint32_t *changed_threads; /* since the latest snapshot; room for all */
    size_t changed_thread_count, changed_thread_capacity;
    size_t live_count; /* of all processes */
    uint64_t live_bytes;
    uint64_t summed_process_ticks, summed_idle_ticks; /* of all copies */
    metric_processor *processors;
    size_t processor_count, processor_capacity;
    uint32_t idle_thread; /* row of thread 0 */

    metric_image *images;
    size_t image_count, image_capacity;
    metric_image_slot *image_slots; /* owned; a power of two of them */
    size_t image_slot_count, image_slots_used;

    metric_bounds bounds;
    metric_pending pending;   /* reads and writes of files */
    metric_side machine_side; /* disk operations of everybody */
    etwc_row_counters disk;   /* likewise: only the counters of disks */
    uint64_t side_bytes;
    metric_block ended; /* of etwc_ended_thread: the latest, in order */
    size_t ended_kept;
    uint64_t ended_total;
    metric_block object_types;  /* of etwc_object_type, by slot */
    etwc_strings *object_names; /* of types; NULL before the first */
    size_t object_type_count;
    uint32_t object_slot_last; /* found last */

    uint32_t sample_interval_100ns; /* latest of the timer; 0 before any was told */
    uint8_t seen[ETWC_SOURCE_COUNT];
    /* Kernel classes tell of it, so what manifest providers tell is not counted. */
    bool has_classic[ETWC_SOURCE_COUNT];
    uint64_t classic_types; /* ETWC_KERNEL_BIT of records of kernel classes, so far */
    uint64_t events, undecoded, partial, lost_records, late_records;
    uint64_t wait_bytes;
    uint64_t switch_mismatches, negative_intervals, waits_dropped;
    uint32_t epoch; /* becomes another when something is lost: see metric_wait.c */
    int64_t
        *epoch_ends; /* of the epochs before; INT64_MIN: waits do not count at all */
    size_t epoch_capacity;
    bool has_new_epoch;     /* since the latest snapshot */
    metric_gap_edge *edges; /* in the order of time */
    size_t edge_count, next_edge;
    int64_t next_edge_raw_time;
    uint32_t open_gap_count; /* processors with one */
    uint64_t gaps;           /* that have begun */
    uint64_t unowned_samples, unowned_records;
    uint64_t tcp_fails, udp_fails;
    uint64_t undecoded_by[ETWC_SOURCE_COUNT], partial_by[ETWC_SOURCE_COUNT];
    uint64_t unclaimed_by[ETWC_SOURCE_COUNT]; /* see metric_claim.c */
    uint64_t unclaimed_listed;
    uint32_t unclaimed_sources, claimed_sources; /* bits, by etwc_metric_source */
    bool has_handle_list;
    bool has_packed_switches; /* what is derived of their order cannot be had */
    bool needs_look;          /* the event being applied has set one of these */
    bool is_out_of_memory;
    bool has_grown;
};

/* ---- metric_rows.c: from ids to rows. METRIC_NONE when memory is out. -------- */

uint32_t metric_process_bind(etwc_aggregate *a, uint32_t process_id, int64_t now);
uint32_t metric_thread_bind(etwc_aggregate *a, uint32_t thread_id, int64_t now);
/* Who had the id at a time that may lie in the past. */
uint32_t metric_thread_row_at(etwc_aggregate *a, uint32_t thread_id, int64_t raw_time);
/* After a process or thread record changed the own table: rows for what is new. */
void metric_rows_relearn(etwc_aggregate *a, const etwc_event *event,
                         const etwc_kernel_record *record);
/* Rows of everything that was there before the trace began. */
ETWC_NODISCARD bool metric_rows_prefill(etwc_aggregate *a);
ETWC_NODISCARD bool metric_processors_grow(etwc_aggregate *a, uint32_t processor);
void metric_out_of_memory(etwc_aggregate *a);
/* To be called when an array was made longer: the limit is looked at. */
void metric_has_grown(etwc_aggregate *a);
uint64_t metric_rows_bytes(const etwc_aggregate *a);
/* Empties the row and gives its place back. */
void metric_process_free(etwc_aggregate *a, uint32_t process);
/* Moves all that was counted; `from` is to be freed after that. */
void metric_counted_move(etwc_aggregate *a, metric_process *to, metric_process *from);
/* Numbers without a row go, and those of others follow on each other again. */
void metric_numbers_compact(etwc_aggregate *a);
/* The hidden rows of bounds.process and bounds.thread; false when memory is out. */
ETWC_NODISCARD bool metric_rows_add_stand_in(etwc_aggregate *a);

/* A process whose row, identity or texts are about to change. */
static inline metric_process *
metric_process_change(etwc_aggregate *a, uint32_t row)
{
    metric_process *process = &a->processes[row];
    if (ETWC_UNLIKELY(!process->is_changed)) {
        process->is_changed = process->is_listed = true;
        a->changed[a->changed_count++] = row;
    }
    return process;
}
/* A thread whose state, affinity or latest run is about to change. */
static inline metric_thread *
metric_thread_change(etwc_aggregate *a, uint32_t row)
{
    metric_thread *thread = &a->threads[row];
    if (ETWC_UNLIKELY(!thread->is_changed)) {
        thread->is_changed = 1;
        a->changed_threads[a->changed_thread_count++] = row;
    }
    return thread;
}
static inline metric_thread_facts *
metric_facts_of(const etwc_aggregate *a, const metric_thread *thread)
{
    return &a->thread_facts[thread - a->threads];
}
static inline etwc_thread_state
metric_state_of(const metric_thread *thread)
{
    return thread->state == METRIC_STATE_UNKNOWN ? ETWC_THREAD_UNKNOWN
                                                 : (etwc_thread_state)thread->state;
}
/* KWAIT_REASON of a thread that is waiting. */
static inline uint8_t
metric_wait_reason(const etwc_aggregate *a, const metric_thread *thread)
{
    return thread->wait == METRIC_NOT_WAITING
               ? 0
               : (uint8_t)a->processes[thread->process].waits[thread->wait].reason;
}
/* All of them: the lifetimes have learnt something. Only noted, for that can be at
 * every process record; the next snapshot looks at the rows. */
static inline void
metric_processes_change(etwc_aggregate *a)
{
    a->have_all_changed = true;
}

static inline bool
metric_processors_reach(etwc_aggregate *a, uint32_t processor)
{
    return ETWC_LIKELY(processor < a->processor_count) ||
           metric_processors_grow(a, processor);
}

static inline uint32_t
metric_process_row(etwc_aggregate *a, uint32_t process_id, int64_t now)
{
    uint32_t row = etwc_table_find(&a->process_ids, process_id);
    if (ETWC_LIKELY(row != METRIC_NONE && now < a->processes[row].valid_until))
        return row;
    return metric_process_bind(a, process_id, now);
}

static inline uint32_t
metric_thread_row(etwc_aggregate *a, uint32_t thread_id, int64_t now)
{
    uint32_t row = etwc_table_find(&a->thread_ids, thread_id);
    if (ETWC_LIKELY(row != METRIC_NONE && (!a->threads[row].is_passing ||
                                           now < a->thread_facts[row].valid_until)))
        return row;
    return metric_thread_bind(a, thread_id, now);
}

/* ---- metric_live.c ------------------------------------------------------------- */

void metric_live_add(etwc_aggregate *a, uint32_t thread);
void metric_live_remove(etwc_aggregate *a, uint32_t thread);
/* Brings the living up to date with their rows. */
void metric_live_update(etwc_aggregate *a);
void metric_live_free(etwc_aggregate *a, metric_process *process);

/* ---- metric_ahead.c ------------------------------------------------------------- */

/* Events that are looked at together; what many threads are: more than the nearer
 * caches hold. */
enum { METRIC_AHEAD = 16, METRIC_MANY_THREADS = 4096 };

/* Has the rows on their way that up to METRIC_AHEAD events are about. */
void metric_look_ahead(const etwc_aggregate *a, const etwc_event *events, size_t count);

/* ---- One file per concept ------------------------------------------------------ */

/* metric_cpu.c */
void metric_apply_switch(etwc_aggregate *a, const etwc_event *event,
                         const etwc_kernel_cswitch *record);
void metric_apply_interrupt(etwc_aggregate *a, const etwc_event *event,
                            const etwc_kernel_interrupt *record);
void metric_apply_sample(etwc_aggregate *a, const etwc_event *event,
                         const etwc_kernel_sample *record);
void metric_apply_sample_interval(etwc_aggregate *a,
                                  const etwc_kernel_sample_interval *record);
void metric_apply_ticks(etwc_aggregate *a, const etwc_event *event);
/* Ticks of the processor's run from its begin to now, less interrupts. */
uint64_t metric_run_so_far(const metric_processor *p, int64_t now);

/* Who runs there is not known from now on, nor whether it has run all the time. */
void metric_run_forget(etwc_aggregate *a, uint32_t processor, int64_t now);

/* metric_packed.c */
void metric_apply_packed_switches(etwc_aggregate *a, const etwc_event *event,
                                  const etwc_kernel_cswitch_batch *record);

/* metric_gap.c */
ETWC_NODISCARD bool metric_gaps_init(etwc_aggregate *a, const etwc_gap *gaps,
                                     size_t count);
/* To be called before what happens at or after next_edge_raw_time. */
void metric_gaps_pass(etwc_aggregate *a, int64_t now);
/* Processors in a gap, or whose state machines have not begun anew since one. */
uint32_t metric_gaps_open(const etwc_aggregate *a);
/* A live session says that something was lost, but not where. */
void metric_apply_lost(etwc_aggregate *a, int64_t now);

/* metric_wait.c */
/* Brings the waits of a process to the epoch of the aggregate. */
void metric_wait_renew(const etwc_aggregate *a, metric_process *process);
/* A thread that is about to change, with its process. */
typedef struct metric_pair {
    metric_thread *thread;
    metric_process *process;
} metric_pair;

static inline metric_pair
metric_pair_change(etwc_aggregate *a, uint32_t row)
{
    metric_thread *thread = metric_thread_change(a, row);
    return (metric_pair){thread, metric_process_change(a, thread->process)};
}

/* The thread was switched away from, or to, on that processor. Thread 0 is none. */
void metric_wait_switch_away(etwc_aggregate *a, metric_pair pair, uint32_t processor,
                             int64_t now, const etwc_kernel_cswitch *record);
void metric_wait_switch_to(const etwc_aggregate *a, metric_pair pair,
                           uint32_t processor, int64_t now);
void metric_apply_ready(etwc_aggregate *a, const etwc_event *event,
                        const etwc_kernel_ready *record);
/* What it does, or waits for, is no longer known: a time under way does not count. */
void metric_wait_forget(etwc_aggregate *a, uint32_t thread);
void metric_wait_set_state(etwc_aggregate *a, uint32_t thread, etwc_thread_state state);
/* Moves all times of a process to another one; its thread's with it. */
void metric_wait_adopt(etwc_aggregate *a, uint32_t to, uint32_t from, uint32_t thread);
void metric_wait_free(etwc_aggregate *a, metric_process *process);
/* Whether it is in the state that is noted with it. */
bool metric_wait_is_known(const etwc_aggregate *a, const metric_thread *thread);

/* metric_process.c */
void metric_apply_process(etwc_aggregate *a, const etwc_event *event,
                          const etwc_kernel_record *record);
void metric_apply_counters(etwc_aggregate *a, const etwc_event *event,
                           const etwc_kernel_record *record);
/* What the end records of manifest providers tell beyond those of classes. */
void metric_apply_exit(etwc_aggregate *a, const etwc_event *event,
                       const etwc_kernel_record *record);
/* metric_thread.c */
void metric_apply_thread(etwc_aggregate *a, const etwc_event *event,
                         const etwc_kernel_record *record);
void metric_apply_base_priority(etwc_aggregate *a, const etwc_event *event,
                                const etwc_kernel_priority *record);
void metric_apply_affinity(etwc_aggregate *a, const etwc_event *event,
                           const etwc_kernel_affinity *record);
/* The I/O priority of a thread was told, or has changed: metric_disk.c. */
void metric_io_priority_told(etwc_aggregate *a, uint32_t thread, uint8_t priority);
void metric_apply_priority(etwc_aggregate *a, const etwc_event *event,
                           const etwc_kernel_priority *record);
void metric_apply_thread_cycles(etwc_aggregate *a, const etwc_event *event,
                                const etwc_kernel_thread *record);
/* metric_image.c */
void metric_apply_image(etwc_aggregate *a, const etwc_event *event,
                        const etwc_kernel_record *record);
/* A record of that source could not be used. */
static inline void
metric_undecoded(etwc_aggregate *a, etwc_metric_source source)
{
    a->undecoded++;
    a->undecoded_by[source]++;
}

/* metric_io.c: memory, disk, file calls, network, handles */
void metric_apply_io(etwc_aggregate *a, const etwc_event *event,
                     const etwc_kernel_record *record);

#endif
