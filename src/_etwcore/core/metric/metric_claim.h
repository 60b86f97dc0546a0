/*
 * Records of what a process has done that are nobody's. Private to core/metric.
 *
 * Page faults, handles and some file and disk operations do not say who did them: then
 * it is who ran, which single context switches tell, and of a thread its process. The
 * same goes for switches and samples themselves, which name a thread. Where that is not
 * known the record is counted by its source, and what the processes have of the source
 * is a lower bound. When no record of a source was anybody's, the numbers of processes
 * are not known at all.
 */
#ifndef METRIC_CLAIM_H
#define METRIC_CLAIM_H

#include "metric_rows.h"

#define METRIC_SOURCE_BIT(source) (UINT32_C(1) << ETWC_SOURCE_##source)

/* The record is of that row, which is METRIC_NONE or hidden. */
void metric_leave_unclaimed(etwc_aggregate *a, const etwc_kernel_record *record,
                            uint32_t process);
/* Finds out which sources somebody has a record of; to be called when a snapshot is
 * taken, before rows are copied. It costs nothing while all records are somebody's. */
void metric_claims_look(etwc_aggregate *a);

/* Whether there are records of a source, and none was anybody's; of switches and samples,
 * none but those of thread 0. */
static inline bool
metric_is_unclaimed(const etwc_aggregate *a, unsigned source)
{
    return (a->unclaimed_sources & ~a->claimed_sources) >> source & 1;
}

#endif
