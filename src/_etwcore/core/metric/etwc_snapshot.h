/*
 * A copy of an aggregate's rows at one moment of the trace. Immutable and readable
 * from any thread. Rows that have not changed since an earlier snapshot are shared
 * with it, so one costs what happened in between (metric_copy.h).
 *
 * Every number counts from the beginning of the trace; what happened in an
 * interval is the difference of two snapshots. Rows of different snapshots belong
 * together by their row_id, which one aggregate never gives twice; positions in a
 * snapshot mean nothing to the next.
 */
#ifndef ETWC_SNAPSHOT_H
#define ETWC_SNAPSHOT_H

#include "etwc_clock.h"
#include "etwc_histogram.h"
#include "etwc_status.h"
#include "etwc_strings.h"

/* X(name): counters, all uint64_t, that only grow. */
#define ETWC_ROW_COUNTER_LIST(X)                                                    \
    /* CPU. Ticks of a run are session clock, those of a header clock ticks. */     \
    X(run_ticks)                                                                    \
    X(context_switches)     /* to a thread of the process */                        \
    X(voluntary_switches)   /* away from one that then waited */                    \
    X(involuntary_switches) /* away from one that was still ready */                \
    X(migrations)           /* to one that ran on another processor before */       \
    X(ready_ticks)          /* that its threads waited for a processor */           \
    X(wait_ticks)           /* that they waited for anything else */                \
    X(samples)                                                                      \
    X(samples_in_dpc)                                                               \
    X(samples_in_isr)                                                               \
    X(sample_kernel_100ns) /* of samples in neither DPC nor ISR */                  \
    X(sample_user_100ns)                                                            \
    X(kernel_ticks) /* since the trace began */                                     \
    X(user_ticks)                                                                   \
    X(life_kernel_ticks) /* since each thread began */                              \
    X(life_user_ticks)                                                              \
    X(ended_kernel_ticks) /* in the end records of threads */                       \
    X(ended_user_ticks)                                                             \
    /* records of threads and images */                                             \
    X(threads_started)                                                              \
    X(threads_ended)                                                                \
    X(active_threads_ended) /* of those that had run, or were sampled */            \
    X(threads_rundown_start)                                                        \
    X(threads_rundown_end)                                                          \
    X(images_loaded)                                                                \
    X(images_unloaded)                                                              \
    X(images_rundown_start)                                                         \
    X(images_rundown_end)                                                           \
    /* memory */                                                                    \
    X(faults_transition)                                                            \
    X(faults_demand_zero)                                                           \
    X(faults_copy_on_write)                                                         \
    X(faults_guard_page)                                                            \
    X(faults_hard)                                                                  \
    X(hard_faults) /* completed reads, one record each */                           \
    X(hard_fault_bytes)                                                             \
    /* disk; ticks are session clock */                                             \
    X(disk_read_ops)                                                                \
    X(disk_read_bytes)                                                              \
    X(disk_read_ticks)                                                              \
    X(disk_write_ops)                                                               \
    X(disk_write_bytes)                                                             \
    X(disk_write_ticks)                                                             \
    X(disk_flushes)                                                                 \
    X(disk_flush_ticks)                                                             \
    /* file calls, cached ones too */                                               \
    X(file_read_ops)                                                                \
    X(file_write_ops)                                                               \
    X(file_other_ops)                                                               \
    X(file_read_bytes)                                                              \
    X(file_write_bytes)                                                             \
    /* network */                                                                   \
    X(tcp_send_ops)                                                                 \
    X(tcp_send_bytes)                                                               \
    X(tcp_recv_ops)                                                                 \
    X(tcp_recv_bytes)                                                               \
    X(udp_send_ops)                                                                 \
    X(udp_send_bytes)                                                               \
    X(udp_recv_ops)                                                                 \
    X(udp_recv_bytes)                                                               \
    X(tcp_retransmits)                                                              \
    X(tcp_connects)                                                                 \
    X(tcp_accepts)                                                                  \
    X(tcp_disconnects)                                                              \
    /* handles */                                                                   \
    X(handles_opened)                                                               \
    X(handles_closed)                                                               \
    X(handles_duplicated) /* into the process */                                    \
    X(duplicates_given)   /* of a handle of the process, wherever to */             \
    /* in the end records of manifest providers: of the whole life, told at once */ \
    X(ended_thread_cycles)                                                          \
    X(exit_cycles)                                                                  \
    X(exit_read_ops)                                                                \
    X(exit_write_ops)                                                               \
    X(exit_read_bytes) /* rounded to KiB */                                         \
    X(exit_write_bytes)                                                             \
    X(exit_hard_faults)

/* X(name): times in ns, all uint64_t, made of the counters when the snapshot is
 * taken. */
#define ETWC_ROW_TIME_LIST(X) \
    X(run_ns)                 \
    X(ready_ns)               \
    X(wait_ns)                \
    X(sample_kernel_ns)       \
    X(sample_user_ns)         \
    X(tick_kernel_ns)         \
    X(tick_user_ns)           \
    X(life_tick_kernel_ns)    \
    X(life_tick_user_ns)      \
    X(disk_read_ns)           \
    X(disk_write_ns)          \
    X(disk_flush_ns)

/* X(member): those of both that are of the whole life in an interval, too: what they say
 * was told at once, or holds from before the trace on. */
#define ETWC_ROW_LIFE_LIST(X)     \
    X(counters.life_kernel_ticks) \
    X(counters.life_user_ticks)   \
    X(counters.exit_cycles)       \
    X(times.life_tick_kernel_ns)  \
    X(times.life_tick_user_ns)

/* X(name): values at that moment, all uint64_t. Sizes are bytes. The bits of
 * `known` say which of them were told: those from the first peak on are of the
 * counter records at exit and at the end of the session, and some of working sets
 * and handles, too. */
#define ETWC_ROW_GAUGE_LIST(X)  \
    X(thread_count)             \
    X(base_priority)            \
    X(image_count)              \
    X(page_fault_count)         \
    X(handle_count)             \
    X(peak_handle_count)        \
    X(peak_virtual_size)        \
    X(peak_working_set_size)    \
    X(peak_pagefile_usage)      \
    X(peak_paged_pool)          \
    X(peak_non_paged_pool)      \
    X(virtual_size)             \
    X(working_set_size)         \
    X(pagefile_usage)           \
    X(paged_pool)               \
    X(non_paged_pool)           \
    X(private_bytes)            \
    X(private_working_set_size) \
    X(commit_debt)              \
    X(shared_commit)            \
    X(io_priority)

typedef struct etwc_row_counters {
#define ETWC_ROW_FIELD(name) uint64_t name;
    ETWC_ROW_COUNTER_LIST(ETWC_ROW_FIELD)
} etwc_row_counters;

typedef struct etwc_row_gauges {
    ETWC_ROW_GAUGE_LIST(ETWC_ROW_FIELD)
} etwc_row_gauges;

/* Bits of etwc_process_row.known. */
enum {
    ETWC_ROW_PARENT = 1 << 0,
    ETWC_ROW_SESSION = 1 << 1,
    ETWC_ROW_EXIT_STATUS = 1 << 2,
    ETWC_ROW_FLAGS = 1 << 3,
    ETWC_ROW_KEY = 1 << 4,
    ETWC_ROW_BEGIN = 1 << 5,    /* begin_filetime: in the trace, or told by a record */
    ETWC_ROW_END = 1 << 6,      /* has ended by now: end_filetime */
    ETWC_ROW_RECORD = 1 << 7,   /* a process record told of it */
    ETWC_ROW_PEAKS = 1 << 8,    /* counters at exit: the peaks */
    ETWC_ROW_COUNTERS = 1 << 9, /* counters at the end of the session: all */
    ETWC_ROW_THREADS = 1 << 10, /* a thread record told of one of its threads */
    ETWC_ROW_TICKS = 1 << 11,   /* a header told the clock ticks of one of them */
    ETWC_ROW_PRIORITY = 1 << 12,
    ETWC_ROW_GROUPS = 1 << 13, /* it has threads in other groups than the first */
    /* working_set_size, virtual_size and private_bytes: counters at the end of the
     * session, or a list of working sets. */
    ETWC_ROW_MEMORY = 1 << 16,
    ETWC_ROW_WORKING_SET = 1 << 17,   /* a list: also private_working_set_size, and
                                       * peak_working_set_size is the largest so far */
    ETWC_ROW_SHARED_COMMIT = 1 << 18, /* a new list: commit_debt, shared_commit */
    ETWC_ROW_HANDLES = 1 << 19,       /* handle_count, peak_handle_count: by objects */
    ETWC_ROW_IO_PRIORITY = 1 << 20,
    ETWC_ROW_EXIT = 1 << 21, /* its end record told handle_count, private_bytes and
                              * peak_pagefile_usage at its exit */
    ETWC_ROW_EXIT_COUNTS = 1 << 22 /* and the counters exit_... */
};

/* What a row is made of; an aggregate keeps it like that. */
typedef struct etwc_plain_row {
    uint64_t row_id;        /* from 0, in the order of appearance; rows are sorted */
    uint64_t start_key;     /* UniqueProcessKey, else the sequence number */
    int64_t begin_filetime; /* 0 when unknown */
    int64_t end_filetime;
    uint32_t process_id;
    uint32_t parent_id;
    uint32_t logon_session_id;
    uint32_t exit_status;
    uint32_t flags;
    uint32_t known; /* ETWC_ROW_* */
    etwc_row_counters counters;
    etwc_row_gauges gauges;
} etwc_plain_row;

/* The same as readers see it: begins with the members of the plain one, by name. */
typedef struct etwc_process_row {
    uint64_t row_id, start_key;
    int64_t begin_filetime, end_filetime;
    uint32_t process_id, parent_id, logon_session_id, exit_status, flags, known;
    etwc_row_counters counters;
    etwc_row_gauges gauges;
    struct {
        ETWC_ROW_TIME_LIST(ETWC_ROW_FIELD)
    } times;
} etwc_process_row;

/* Texts of a row; NULL when unknown. */
typedef struct etwc_row_texts {
    const etwc_text_entry *name;
    const etwc_text_entry *command_line;
    const etwc_text_entry *user_sid;
    const etwc_text_entry *package_full_name;
    const etwc_text_entry *application_id;
    const etwc_text_entry *image_path; /* device form */
} etwc_row_texts;

/* How long the threads of a process waited for one reason. */
typedef struct etwc_wait_row {
    uint64_t ticks; /* session clock; signed like those of the row */
    uint64_t ns;
    uint32_t reason; /* KWAIT_REASON: see etwc_wait_reason_name */
} etwc_wait_row;

enum { ETWC_WAIT_REASONS = 64 }; /* higher ones are taken for the highest */

/* States of a thread, as Windows numbers them. */
typedef enum etwc_thread_state {
    ETWC_THREAD_INITIALIZED,
    ETWC_THREAD_READY,
    ETWC_THREAD_RUNNING,
    ETWC_THREAD_STANDBY,
    ETWC_THREAD_TERMINATED,
    ETWC_THREAD_WAITING,
    ETWC_THREAD_TRANSITION,
    ETWC_THREAD_DEFERRED_READY,
    ETWC_THREAD_GATE_WAIT,
    ETWC_THREAD_WAITING_FOR_SWAP, /* of its process */
    ETWC_THREAD_STATES,
    ETWC_THREAD_UNKNOWN = 255 /* nothing was told of it yet, or since a loss */
} etwc_thread_state;

/* ---- What few processes have, beside their rows --------------------------------- */

typedef enum etwc_latency {
    ETWC_LATENCY_READ,
    ETWC_LATENCY_WRITE,
    ETWC_LATENCY_FLUSH,
    ETWC_LATENCY_COUNT
} etwc_latency;

/* Values of the priority of a disk operation: 0 not set, 1 very low, 2 low, 3 normal,
 * 4 high, 5 critical; the others are not in use. */
#define ETWC_DISK_PRIORITIES 8

/* Types of objects get a slot in the order they are told of; once all are given, the
 * last one is for all further types and has this number. */
#define ETWC_OBJECT_SLOTS 128
#define ETWC_OBJECT_OTHER UINT16_MAX

typedef struct etwc_object_type {
    const etwc_text_entry *name; /* NULL when no record told it */
    uint16_t number;
} etwc_object_type;

typedef struct etwc_object_counts {
    uint64_t opened, closed, duplicated;
} etwc_object_counts;

/* NULL: nothing was counted yet. */
typedef struct etwc_row_details {
    const etwc_histogram *latencies[ETWC_LATENCY_COUNT];
    const uint64_t *disk_priorities;   /* reads and writes, by priority */
    const etwc_object_counts *objects; /* by slot */
    size_t object_slots;
} etwc_row_details;

/* A thread that is alive at that moment. */
typedef struct etwc_live_thread {
    uint32_t thread; /* its row in the aggregate */
    uint32_t thread_id;
    int64_t active_raw_time; /* last tick that it is known to have run, or INT64_MIN */
    uint64_t affinity_mask;  /* 0 when unknown */
    uint32_t epoch;          /* of the state: see etwc_snapshot_threads_of */
    uint8_t state;           /* etwc_thread_state */
    uint8_t wait_reason;
} etwc_live_thread;

/* The threads of a process together. */
typedef struct etwc_row_threads {
    /* Those alive by state; those whose state nobody knows, or Windows does not have,
     * at the end. */
    uint32_t states[ETWC_THREAD_STATES + 1];
    uint32_t suspended;
    uint64_t active;        /* in an interval: that ran, or were sampled, or ended */
    uint64_t affinity_mask; /* processors that one of them may run on; 0: unknown */
} etwc_row_threads;

/* A thread that has ended, and the processor cycles that it used in its life. */
typedef struct etwc_ended_thread {
    uint64_t row_id; /* of its process */
    uint64_t cycles;
    uint32_t thread_id;
    uint32_t reserved;
} etwc_ended_thread;

/* The most that are remembered of them. */
#define ETWC_ENDED_THREADS 4096

/* X(name): counters of a thread, all uint64_t. `cycles` are told when it ends. */
#define ETWC_THREAD_COUNTER_LIST(X) \
    X(run_ticks)                    \
    X(ready_ticks)                  \
    X(wait_ticks)                   \
    X(context_switches)             \
    X(voluntary_switches)           \
    X(involuntary_switches)         \
    X(migrations)                   \
    X(samples)                      \
    X(cycles)

#define ETWC_THREAD_TIME_LIST(X) \
    X(run_ns)                    \
    X(ready_ns)                  \
    X(wait_ns)

/* Bits of etwc_thread_row.known. */
enum {
    ETWC_THREAD_TICKS = 1 << 0, /* a record header told kernel_ticks and user_ticks */
    ETWC_THREAD_CYCLES = 1 << 1,
    ETWC_THREAD_PRIORITY = 1 << 2, /* base_priority */
    ETWC_THREAD_AFFINITY = 1 << 3
};

/* A thread of the trace, dead or alive; only with ETWC_SNAPSHOT_ALL. */
typedef struct etwc_thread_row {
    uint64_t row_id;        /* of the thread, never given twice; rows are sorted */
    int64_t begin_filetime; /* 0 when before the trace or unknown */
    int64_t end_filetime;   /* 0 when it has not ended */
    ETWC_THREAD_COUNTER_LIST(ETWC_ROW_FIELD)
    ETWC_THREAD_TIME_LIST(ETWC_ROW_FIELD)
    uint64_t kernel_ticks; /* last seen in a record header */
    uint64_t user_ticks;
    uint64_t affinity_mask;
    const etwc_text_entry *name; /* NULL when unknown */
    uint32_t thread_id;
    uint32_t process_id; /* ETWC_NO_ID when nobody knows it */
    uint32_t row;        /* of its process, or ETWC_NO_ID */
    uint32_t known;      /* ETWC_THREAD_TICKS ... */
    uint32_t state;      /* etwc_thread_state */
    uint32_t wait_reason;
    uint32_t base_priority;
    uint32_t processor; /* that it runs, or ran, on; ETWC_NO_ID when unknown */
} etwc_thread_row;

/* X(name): how the time of a processor was spent, since the header event:
 * process + idle + dpc + isr + unknown = wall, in ticks of the session clock. The time
 * of threads that nobody knows is with `process`, too. */
#define ETWC_PROCESSOR_TICK_LIST(X) \
    X(wall_ticks)                   \
    X(process_ticks)                \
    X(idle_ticks)                   \
    X(dpc_ticks)                    \
    X(isr_ticks)                    \
    X(unknown_ticks)

#define ETWC_PROCESSOR_TIME_LIST(X) \
    X(wall_ns)                      \
    X(process_ns)                   \
    X(idle_ns)                      \
    X(dpc_ns)                       \
    X(isr_ns)                       \
    X(unknown_ns)

#define ETWC_PROCESSOR_COUNTER_LIST(X) \
    X(context_switches)                \
    X(dpcs)                            \
    X(isrs)                            \
    X(samples)

typedef struct etwc_processor_row {
    ETWC_PROCESSOR_TICK_LIST(ETWC_ROW_FIELD)
    ETWC_PROCESSOR_TIME_LIST(ETWC_ROW_FIELD)
    ETWC_PROCESSOR_COUNTER_LIST(ETWC_ROW_FIELD)
    int64_t self_check_ticks; /* what the parts have more than the wall: 0 */
    uint32_t number;
    uint32_t thread_id; /* that runs at that moment, or ETWC_NO_ID */
} etwc_processor_row;

typedef struct etwc_image_row {
    uint64_t base, size;
    int64_t load_filetime;            /* 0 when before the trace or unknown */
    int64_t unload_filetime;          /* 0 when it was not unloaded */
    const etwc_text_entry *file_name; /* device form; NULL when unknown */
    uint32_t checksum;
    uint32_t time_date_stamp; /* 0 when unknown: rundown records have 0 for many */
    uint32_t row;             /* of its process */
    bool has_checksum;        /* old versions of the record have none */
} etwc_image_row;

/* Which events the trace has, by what was seen and by its group masks. */
typedef enum etwc_presence {
    ETWC_ABSENT,  /* switched off, or no sign of it */
    ETWC_ENABLED, /* switched on, none seen yet */
    ETWC_PRESENT  /* seen */
} etwc_presence;

#define ETWC_METRIC_SOURCE_LIST(X)                                      \
    X(process)                                                          \
    X(thread)                                                           \
    X(image)                                                            \
    X(switches)                                                         \
    X(single_switches) /* the same, in order: none of them packed */    \
    X(ready)                                                            \
    X(samples)                                                          \
    X(ticks)                                                            \
    X(page_faults)                                                      \
    X(hard_faults)                                                      \
    X(disk)                                                             \
    X(disk_totals) /* the same, or what does not tell who asked */      \
    X(file)        /* calls other than reads and writes */              \
    X(file_reads)                                                       \
    X(file_writes)                                                      \
    X(network)                                                          \
    X(counters)                                                         \
    X(interrupts)                                                       \
    X(file_ends)                                                        \
    X(working_sets)                                                     \
    X(objects)                                                          \
    X(handles)       /* of these, those opened and closed */            \
    X(exits)         /* end records of processes with what they used */ \
    X(thread_cycles) /* end records of threads with their cycles */

typedef enum etwc_metric_source {
#define ETWC_METRIC_SOURCE_ENUM(name) ETWC_SOURCE_##name,
    ETWC_METRIC_SOURCE_LIST(ETWC_METRIC_SOURCE_ENUM)
#undef ETWC_METRIC_SOURCE_ENUM
        ETWC_SOURCE_COUNT
} etwc_metric_source;

/* X(name): counters of the machine, all uint64_t. */
#define ETWC_MACHINE_COUNTER_LIST(X)                                                \
    /* ticks of the session clock */                                                \
    X(process_ticks) /* of processes other than idle */                             \
    X(unowned_ticks) /* of threads whose process nobody knows */                    \
    X(idle_ticks)                                                                   \
    X(dpc_ticks)                                                                    \
    X(isr_ticks)                                                                    \
    X(unknown_ticks) /* before a processor's first switch, or after loss */         \
    X(process_ns)                                                                   \
    X(unowned_ns)                                                                   \
    X(idle_ns)                                                                      \
    X(dpc_ns)                                                                       \
    X(isr_ns)                                                                       \
    X(unknown_ns)                                                                   \
    X(context_switches)                                                             \
    X(dpcs)                                                                         \
    X(isrs)                                                                         \
    X(samples)                                                                      \
    X(events)             /* fed so far, of all providers */                        \
    X(unowned_samples)    /* of threads that nobody knows, or that have ended */    \
    X(unowned_records)    /* faults and I/O that no thread can be found for */      \
    X(undecoded)          /* records of the classes above, too short to use */      \
    X(partial)            /* records used in part */                                \
    X(lost_records)       /* notes of a live session that events were lost */       \
    X(late_records)       /* older than one before: the clock was set back */       \
    X(switch_mismatches)  /* switches away from a thread that did not run */        \
    X(waits_dropped)      /* waits that a record contradicts: not counted */        \
    X(gaps)               /* times in which events of a processor may be missing */ \
    X(negative_intervals) /* the clock of a processor stepped back */               \
    /* Rows that have left for others; what they have counted is in the sums. */    \
    X(expired_processes)                                                            \
    X(expired_threads)                                                              \
    X(expired_images)                                                               \
    X(expired_early) /* processes whose end nobody had been told yet */             \
    /* What came when all rows were the living's; its numbers are unowned. */       \
    X(refused_processes)                                                            \
    X(refused_threads)                                                              \
    X(refused_images)                                                               \
    X(tcp_fails) /* requests that failed, of all processes */                       \
    X(udp_fails)                                                                    \
    X(file_ends_missing) /* reads and writes given up: their ends never came */     \
    /* of disks, also what nobody owns; ticks are session clock */                  \
    X(disk_read_ops)                                                                \
    X(disk_read_bytes)                                                              \
    X(disk_write_ops)                                                               \
    X(disk_write_bytes)                                                             \
    X(disk_flushes)

/* The machine as a whole:
 * process + unowned + idle + dpc + isr + unknown = processors x wall, in ticks. */
typedef struct etwc_machine_row {
    int64_t raw_time; /* the moment */
    int64_t filetime;
    int64_t wall_ticks; /* since the header event */
    int64_t wall_ns;
    ETWC_MACHINE_COUNTER_LIST(ETWC_ROW_FIELD)
    int64_t self_check_ticks; /* what the parts have more than processors x wall: 0 */
    /* undecoded and partial, by the source that the records are of. */
    uint64_t undecoded_by[ETWC_SOURCE_COUNT];
    uint64_t partial_by[ETWC_SOURCE_COUNT];
    /* Records of a process's doings that are nobody's, for want of who ran. A source
     * that has told of nobody's alone is absent. */
    uint64_t unclaimed_by[ETWC_SOURCE_COUNT];
    uint64_t unclaimed_listed; /* of handles: those that the first list of them has */
    /* Bits of the sources whose records are all of thread 0 or nobody's: the process of
     * no other thread is known, so that of other processes nothing is (etwc_row_has). */
    uint32_t unclaimed_runs;
    uint32_t processors;
    uint32_t gaps_open; /* processors in a gap, or not switched since its end */
    uint32_t sample_interval_100ns;      /* latest; 0 when unknown */
    uint8_t presence[ETWC_SOURCE_COUNT]; /* etwc_presence */
} etwc_machine_row;
#undef ETWC_ROW_FIELD

typedef struct etwc_snapshot etwc_snapshot;

enum {
    ETWC_SNAPSHOT_ROWS = 0, /* processes and the threads that are alive */
    ETWC_SNAPSHOT_ALL = 1,  /* also all threads and images of the trace */
    ETWC_SNAPSHOT_FRESH = 2 /* share nothing with earlier ones: for checks */
};

void etwc_snapshot_free(etwc_snapshot *snapshot); /* accepts NULL */

const etwc_machine_row *etwc_snapshot_machine(const etwc_snapshot *snapshot);
/* The machine in the interval since `base` (or NULL); what is no counter is that of
 * `machine`. */
void etwc_machine_difference(const etwc_machine_row *machine,
                             const etwc_machine_row *base, etwc_machine_row *out);
size_t etwc_snapshot_row_count(const etwc_snapshot *snapshot);
/* One row, as of the moment of the snapshot. */
void etwc_snapshot_row(const etwc_snapshot *snapshot, size_t index,
                       etwc_process_row *out);
/* Position of the row of that id, or ETWC_NO_ROW. `hint` is where it may lie: its
 * position in another snapshot. */
#define ETWC_NO_ROW SIZE_MAX
size_t etwc_snapshot_find(const etwc_snapshot *snapshot, uint64_t row_id, size_t hint);
/* What the row says of the interval since `base`, an earlier snapshot of the same
 * aggregate or NULL: see etwc_row_difference. */
void etwc_snapshot_difference(const etwc_snapshot *snapshot, size_t index,
                              const etwc_snapshot *base, etwc_process_row *out);
uint32_t etwc_snapshot_process_id(const etwc_snapshot *snapshot, size_t index);
uint64_t etwc_snapshot_row_id(const etwc_snapshot *snapshot, size_t index);
bool etwc_snapshot_has_name(const etwc_snapshot *snapshot, size_t index);
/* Position of the process that started the row's, or ETWC_NO_ROW: the latest that
 * began with the id which the row names, and had not ended when the row began. Of two
 * that are older than the trace nobody knows which was first: the id decides. */
size_t etwc_snapshot_parent(const etwc_snapshot *snapshot, size_t index);
const etwc_row_texts *etwc_snapshot_texts(const etwc_snapshot *snapshot, size_t index);
const etwc_row_details *etwc_snapshot_details(const etwc_snapshot *snapshot,
                                              size_t index);
/* Of all disk operations, also those that nobody owns; other members are NULL. */
const etwc_row_details *etwc_snapshot_machine_details(const etwc_snapshot *snapshot);
const etwc_object_type *etwc_snapshot_object_types(const etwc_snapshot *snapshot,
                                                   size_t *out_count); /* by slot */
/* Whether a row has a part in the interval from `since` (FILETIME) to the snapshot:
 * it had not ended by then, or has counted something since `base` (or NULL). */
bool etwc_snapshot_is_active(const etwc_snapshot *snapshot, size_t index, int64_t since,
                             const etwc_snapshot *base);
/* Arrays, borrowed from the snapshot; *out_count may be 0. The one of all rows is
 * made by the first call, which must not meet another; NULL when memory is out. */
const etwc_process_row *etwc_snapshot_rows(etwc_snapshot *snapshot, size_t *out_count);
/* What the threads of a row waited for, in the interval since `base` (or NULL): only
 * reasons that have occurred. Returns their number. */
size_t etwc_snapshot_waits(const etwc_snapshot *snapshot, size_t index,
                           const etwc_snapshot *base,
                           etwc_wait_row out[ETWC_WAIT_REASONS]);
/* The threads of a row that are alive, and those that were active in the interval since
 * `base` (or NULL), the ended ones too. */
void etwc_snapshot_threads_of(const etwc_snapshot *snapshot, size_t index,
                              const etwc_snapshot *base, etwc_row_threads *out);
/* The living threads of a row, in no order. */
const etwc_live_thread *etwc_snapshot_live(const etwc_snapshot *snapshot, size_t index,
                                           size_t *out_count);
/* Threads of all processes that ended with their cycles told since `base`, an earlier
 * snapshot of the same aggregate, in the order of their ends; borrowed. NULL when they
 * were more than are remembered. */
const etwc_ended_thread *etwc_snapshot_ended(const etwc_snapshot *snapshot,
                                             const etwc_snapshot *base,
                                             size_t *out_count);
const etwc_thread_row *etwc_snapshot_threads(const etwc_snapshot *snapshot,
                                             size_t *out_count);
const etwc_processor_row *etwc_snapshot_processors(const etwc_snapshot *snapshot,
                                                   size_t *out_count);
const etwc_image_row *etwc_snapshot_images(const etwc_snapshot *snapshot,
                                           size_t *out_count);

/* What a row says of an interval: counters and times of `row` less those of
 * `base` (NULL: from the beginning), gauges, identity and ETWC_ROW_LIFE_LIST of `row`. An interrupt is
 * known when it has ended, so one that lies across the beginning is taken from this
 * interval as a whole; a wait that a later record contradicts is taken back. The ticks
 * and ns of runs, readiness and waits are to be read as signed, and can be below 0.
 * Sums over intervals stay exact. */
void etwc_row_difference(const etwc_process_row *row, const etwc_process_row *base,
                         etwc_process_row *out);

/* Where the CPU time of a process comes from: runs, else samples, else ticks;
 * ETWC_SOURCE_COUNT when the trace has none of them. Samples alone tell kernel
 * from user time finer than ticks do. */
/* Whether what a row has of a source is known: the trace has events of it, or had them
 * switched on, and they are not all nobody's. */
bool etwc_row_has(const etwc_machine_row *machine, const etwc_process_row *row,
                  etwc_metric_source source);
etwc_metric_source etwc_machine_cpu_source(const etwc_machine_row *machine);
etwc_metric_source etwc_machine_mode_source(const etwc_machine_row *machine);

/* ---- Tables: rows of one kind and their columns ---------------------------------- */

typedef enum etwc_table_kind {
    ETWC_TABLE_PROCESSES,  /* of etwc_process_row */
    ETWC_TABLE_THREADS,    /* of etwc_thread_row */
    ETWC_TABLE_PROCESSORS, /* of etwc_processor_row */
    ETWC_TABLE_COUNT
} etwc_table_kind;

typedef struct etwc_column {
    const char *name;
    uint16_t offset;
    char format;     /* 'I' u32, 'Q' u64, 'q' i64: counters that can be below 0 */
    bool is_counted; /* in an interval it is the difference of its ends, but for those
                      * of ETWC_ROW_LIFE_LIST */
} etwc_column;

/* By position, NULL past the last; by name, NULL when there is none. */
const etwc_column *etwc_column_at(etwc_table_kind kind, size_t index);
const etwc_column *etwc_column_named(etwc_table_kind kind, const char *name);
size_t etwc_table_row_size(etwc_table_kind kind);

size_t etwc_snapshot_table_count(const etwc_snapshot *snapshot, etwc_table_kind kind);
/* Writes all rows of the interval since `base`, or of all time when it is NULL:
 * etwc_snapshot_table_count of them. */
void etwc_snapshot_table(const etwc_snapshot *snapshot, etwc_table_kind kind,
                         const etwc_snapshot *base, void *out);

#endif
