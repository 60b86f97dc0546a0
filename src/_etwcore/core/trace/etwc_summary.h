/*
 * What is in a trace: events counted by provider, kind, id, opcode and version.
 *
 * The table's memory counts against the pool of the trace, so that a hostile file
 * of millions of providers ends with E_LIMIT. One thread at a time.
 */
#ifndef ETWC_SUMMARY_H
#define ETWC_SUMMARY_H

#include "etwc_block.h"
#include "etwc_event.h"

typedef struct etwc_summary_row {
    etwc_event event; /* the first one; its bytes are not kept (sizes 0) */
    uint64_t count;
    uint64_t payload_bytes;
    int64_t first_filetime; /* smallest and largest stamp */
    int64_t last_filetime;
} etwc_summary_row;

typedef struct etwc_summary etwc_summary;

/* Owned; free with etwc_summary_free. The pool is retained by the caller for as
 * long as the summary lives. NULL when memory is out. */
ETWC_NODISCARD etwc_summary *etwc_summary_new(etwc_pool *pool);
void etwc_summary_free(etwc_summary *summary); /* accepts NULL */

ETWC_NODISCARD etwc_status etwc_summary_feed(etwc_summary *summary,
                                             const etwc_event *events, size_t count,
                                             etwc_error *err);

/* Rows in the order of their first events; borrowed until the next feed. */
const etwc_summary_row *etwc_summary_rows(const etwc_summary *summary, size_t *count);

#endif
