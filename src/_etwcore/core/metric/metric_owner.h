/*
 * Whose event is it, before ids are looked up. Shared by the owner of an event
 * (etwc_lifetime.h) and by the aggregate, so that the two cannot disagree.
 */
#ifndef METRIC_OWNER_H
#define METRIC_OWNER_H

#include "etwc_kernel.h"

typedef enum metric_by {
    METRIC_BY_NOBODY, /* system work, or nobody can know */
    METRIC_BY_PROCESS,
    METRIC_BY_THREAD,
    METRIC_BY_LIVE_THREAD /* not after its end record */
} metric_by;

typedef struct metric_subject {
    metric_by by;
    uint32_t id; /* of the process or thread */
} metric_subject;

/* `record` is what etwc_kernel_decode made of the event. */
metric_subject metric_subject_of(const etwc_event *event,
                                 const etwc_kernel_record *record);
/* Whether a record that names this thread in its payload was logged by it, so that its
 * header names the process when no other record tells of the thread. */
bool metric_header_is_of(const etwc_event *event, uint32_t thread_id);

#endif
