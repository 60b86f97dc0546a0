/*
 * Who was who, and when: the life of every process and thread that a trace
 * tells of, and the owner of an event by them (event-decoding.md, chapter 5).
 *
 * Ids are reused, so every question is asked with a time. A reader of a file
 * fills the table in a first pass, then asks; reading is safe from any thread
 * once nobody applies records any more.
 */
#ifndef ETWC_LIFETIME_H
#define ETWC_LIFETIME_H

#include "etwc_event.h"
#include "etwc_kernel.h"
#include "etwc_status.h"

typedef struct etwc_lifetimes etwc_lifetimes;

/* One process instance. Times are session clock; INT64_MIN: before the trace,
 * INT64_MAX: not ended as far as the trace tells. */
typedef struct etwc_process_life {
    uint64_t key; /* UniqueProcessKey; 0 when unknown */
    int64_t begin_raw_time;
    int64_t end_raw_time;
    uint32_t process_id;
    uint32_t index; /* stable number of the instance, from 0 */
} etwc_process_life;

ETWC_NODISCARD etwc_lifetimes *etwc_lifetimes_new(void);
void etwc_lifetimes_free(etwc_lifetimes *lifetimes); /* accepts NULL */

/* Applies a process or thread record; others are ignored. Records come in time
 * order. E_NOMEM leaves the table usable. */
ETWC_NODISCARD etwc_status etwc_lifetimes_apply(etwc_lifetimes *lifetimes,
                                                const etwc_event *event,
                                                const etwc_kernel_record *record,
                                                etwc_error *err);

/* The instance that had this id at that time (identities outlive their end until
 * the id is given again); NULL when unknown. Borrowed until the next apply. */
const etwc_process_life *etwc_lifetimes_process(const etwc_lifetimes *lifetimes,
                                                uint32_t process_id, int64_t raw_time);
const etwc_process_life *etwc_lifetimes_process_of_thread(
    const etwc_lifetimes *lifetimes, uint32_t thread_id, int64_t raw_time);
/* The instance that owns an event, by chapter 5; NULL when nobody knows or
 * nobody does (DPC, ISR). */
const etwc_process_life *etwc_lifetimes_owner(const etwc_lifetimes *lifetimes,
                                              const etwc_event *event);

#endif
