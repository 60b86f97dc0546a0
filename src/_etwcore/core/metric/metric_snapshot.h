/* What a snapshot consists of. Private to core/metric. */
#ifndef METRIC_SNAPSHOT_H
#define METRIC_SNAPSHOT_H

#include "etwc_snapshot.h"
#include "metric_copy.h"
#include "metric_rows.h"

/* A thread that runs, and has done so for some time, as of the snapshot. */
typedef struct metric_running {
    uint32_t number; /* place of its process among the copies */
    uint32_t thread; /* row in the aggregate */
    uint64_t ticks;
} metric_running;

struct etwc_snapshot {
    metric_holder holder;
    metric_store *store; /* NULL before it has entered */
    etwc_machine_row machine;
    etwc_clock clock; /* what the times of a row are made with when it is read */
    uint32_t timer_resolution_100ns;
    uint32_t first_interval;  /* of samples that came before any was told, in 100 ns */
    uint32_t wait_epoch;      /* waits that began in another one are not under way */
    bool is_in_gap;           /* nobody knows the states of threads that do not run */
    metric_copy **copies;     /* held by the store */
    const metric_head *heads; /* of the copies, likewise; NULL when there are none */
    size_t row_count;
    metric_running *running; /* by number */
    size_t running_count;
    bool do_dead_run;       /* one of them is of a process that has ended */
    etwc_process_row *rows; /* all of them, once somebody asked; else NULL */
    etwc_thread_row *threads;
    size_t thread_count;
    etwc_processor_row *processors;
    size_t processor_count;
    etwc_image_row *images;
    size_t image_count;
    etwc_row_details machine_details;     /* held by the store */
    const etwc_object_type *object_types; /* likewise; NULL when none was told of */
    size_t object_type_count;
    const etwc_ended_thread *ended; /* likewise; NULL when none has ended */
    size_t ended_kept;
    uint64_t ended_total;
    etwc_strings *object_names;               /* or NULL */
    etwc_strings *strings, *identity_strings; /* hold the texts */
};

/* Ticks of the session clock in ns. */
static inline uint64_t
metric_snapshot_ns(const etwc_snapshot *from, uint64_t ticks)
{
    if (ticks == 0)
        return 0;
    int64_t span = ticks > INT64_MAX ? INT64_MAX : (int64_t)ticks;
    return (uint64_t)etwc_clock_span_ns(&from->clock, span);
}

/* ---- metric_running.c: runs that are under way ------------------------------------ */

/* Counts them up to the moment, in rows of processors and threads, and for those of
 * processes. */
void metric_running_fill(const etwc_aggregate *a, int64_t now, etwc_snapshot *to);
/* The running threads of a row; their ticks, which its copy does not have. */
const metric_running *metric_running_find(const etwc_snapshot *snapshot, size_t index,
                                          size_t *out_count);
uint64_t metric_running_of(const etwc_snapshot *snapshot, size_t index);

/* ---- metric_machine.c ------------------------------------------------------------- */

void metric_machine_fill(const etwc_aggregate *a, int64_t now,
                         etwc_machine_row *machine);
/* What is the sum of rows. */
void metric_machine_fill_sums(const etwc_aggregate *a, etwc_snapshot *to);

/* ---- metric_tables.c: rows of threads and processors ----------------------------- */

ETWC_NODISCARD bool metric_tables_allocate(const etwc_aggregate *a, unsigned what,
                                           etwc_snapshot *to);
/* All but what is under way, which needs the rows of processes. */
void metric_tables_fill_threads(const etwc_aggregate *a, etwc_snapshot *to);
void metric_tables_fill_processor(const etwc_aggregate *a, size_t processor,
                                  uint64_t run_so_far, etwc_snapshot *to);
/* Rows whose numbers went to another row are left out; ticks become ns. */
void metric_tables_finish(const etwc_aggregate *a, etwc_snapshot *to);

#endif
