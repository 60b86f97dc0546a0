/*
 * What processes do to memory, disks, files, the network and handles, a file for
 * each concept. metric_io.c finds out whose a record is. Private to core/metric.
 */
#ifndef METRIC_IO_H
#define METRIC_IO_H

#include "metric_rows.h"

/* metric_memory.c */
/* Whether a page fault is one that was resolved, and no exception. */
bool metric_is_fault(const etwc_kernel_record *record);
void metric_count_fault(etwc_row_counters *c, const etwc_kernel_record *record);
/* A list of working sets: each entry names its process. */
void metric_apply_working_sets(etwc_aggregate *a, const etwc_event *event,
                               const etwc_kernel_record *record);

/* metric_disk.c. `process` is METRIC_NONE when nobody can be found. */
void metric_count_disk(etwc_aggregate *a, uint32_t process,
                       const etwc_kernel_record *record);

/* metric_file.c. Whether a call that is neither read nor write counts for a process. */
bool metric_is_other_operation(const etwc_kernel_record *record);
/* `thread` may be METRIC_NONE when only the process is known. */
void metric_count_file(etwc_aggregate *a, uint32_t process, uint32_t thread,
                       const etwc_kernel_record *record);
void metric_apply_file_end(etwc_aggregate *a, const etwc_kernel_record *record);

/* metric_network.c */
void metric_count_network(etwc_row_counters *c, const etwc_kernel_network *record);

/* metric_object.c */
void metric_apply_object_type(etwc_aggregate *a, const etwc_kernel_object_type *record);
void metric_apply_handle(etwc_aggregate *a, uint32_t process, const etwc_event *event,
                         const etwc_kernel_record *record);
/* Gauges of handles, in a copy of the row. */
void metric_fill_handles(const etwc_aggregate *a, const metric_process *process,
                         etwc_plain_row *row);

#endif
