/*
 * How many rows an aggregate keeps, and which leave it. Private to core/metric.
 *
 * With a limit, a row that is wanted when all are taken gets the place of a dead one:
 * of the one that is dead for the longest. An image is dead when it was unloaded; the
 * threads and images of a process leave with it. What a process has counted stays in
 * the totals of the machine.
 *
 * Rows of the living never leave. When all are alive, the new one is refused: what
 * happens to it goes to a hidden process that stands for all of these, and so to what
 * the machine counts as unowned. Ids of rows are never given twice.
 */
#ifndef METRIC_BOUNDS_H
#define METRIC_BOUNDS_H

#include "etwc_snapshot.h"
#include "metric_list.h"

struct etwc_aggregate;

typedef struct metric_bounds {
    uint32_t max_processes, max_threads, max_images; /* UINT32_MAX: no limit */
    uint32_t threads_in_use, images_in_use;
    metric_list dead_processes, dead_threads, unloaded_images; /* longest ago first */
    uint32_t free_threads, free_images; /* chains; METRIC_NONE: empty */
    uint32_t process, thread;           /* of all that was refused; or METRIC_NONE */
    int64_t released_raw_time;          /* nobody asks for what ended before */
    size_t strings_after_sweep;         /* bytes of texts when they were last swept */
    etwc_row_counters expired;          /* of processes that have left, idle not */
    uint64_t next_process_id, next_thread_id; /* ids of rows */
    uint64_t expired_processes, expired_threads, expired_images;
    uint64_t expired_early; /* processes that a consumer had not seen the end of */
    uint64_t refused_processes, refused_threads, refused_images;
} metric_bounds;

void metric_bounds_init(struct etwc_aggregate *a, const uint32_t limits[3]);

/* The own lifetimes have forgotten an instance: its index goes to another. */
void metric_bounds_forgot(void *aggregate, bool is_thread, uint32_t life);

/* Whether there is a place for one more row, after the dead were asked to leave. */
bool metric_bounds_admit_process(struct etwc_aggregate *a);
bool metric_bounds_admit_thread(struct etwc_aggregate *a);
bool metric_bounds_admit_image(struct etwc_aggregate *a);

/* What has ended, by its row. Idempotent. */
void metric_bounds_process_died(struct etwc_aggregate *a, uint32_t process);
void metric_bounds_thread_died(struct etwc_aggregate *a, uint32_t thread);
void metric_bounds_image_unloaded(struct etwc_aggregate *a, uint32_t image);

/* Gives the place of a thread's row back; nothing refers to it any more. */
void metric_bounds_free_thread(struct etwc_aggregate *a, uint32_t thread);

/* metric_image.c: takes it out of the addresses. */
void metric_image_forget(struct etwc_aggregate *a, uint32_t image);
/* Texts of rows that have left go, when they are as many as the others. */
void metric_bounds_sweep_strings(struct etwc_aggregate *a);

#endif
