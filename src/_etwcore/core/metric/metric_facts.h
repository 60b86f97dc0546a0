/*
 * What the records of a process say about it, put together. Private to core/metric.
 */
#ifndef METRIC_FACTS_H
#define METRIC_FACTS_H

#include "etwc_lifetime.h"

/* Texts go to `strings`. False when memory is out. */
ETWC_NODISCARD bool metric_facts_learn(etwc_process_facts *facts, etwc_strings *strings,
                                       const etwc_kernel_record *record);
/* What the record of its end, or of its corpse, says. */
void metric_facts_learn_exit(etwc_process_facts *facts,
                             const etwc_kernel_record *record, bool is_first_end);

#endif
