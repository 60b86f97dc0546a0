/*
 * Where events may be missing, as times: by the loss flags of buffers, by buffers that
 * could not be read, and by records that ended a buffer early.
 */
#ifndef ETL_GAPS_H
#define ETL_GAPS_H

#include "etwc_event.h"
#include "etwc_status.h"

struct etl_index_stream;

typedef struct etl_gap_list {
    etwc_gap *gaps; /* owned */
    size_t count, capacity;
    bool is_partial; /* something is missing whose place is not among them */
} etl_gap_list;

/* One that touches the last is added to it, and an empty one is of one tick. False when
 * memory is out. */
ETWC_NODISCARD bool etl_gap_add(etl_gap_list *list, etwc_gap gap);
void etl_gap_list_reset(etl_gap_list *list);

/* First record of a stream's buffer before `entry`, and of `entry` or after; of those
 * whose time is known. INT64_MIN and INT64_MAX where there is none. */
int64_t etl_time_before(const struct etl_index_stream *stream, size_t entry);
int64_t etl_time_from(const struct etl_index_stream *stream, size_t entry);

#endif
