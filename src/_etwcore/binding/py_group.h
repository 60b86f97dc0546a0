/* Groups of metrics, and the row that they are made of. */
#ifndef PY_GROUP_H
#define PY_GROUP_H

#include "py_aggregate.h"

/* RowView */
typedef struct pyetw_row {
    PyObject_HEAD
    PyObject *interval; /* of etwmon._rows */
    PyObject *snapshot;
    PyObject *base;    /* an earlier Snapshot, or None */
    Py_ssize_t number; /* position in the snapshot */
    etwc_process_row part;
} pyetw_row;

PyObject *pyetw_row_at(const pyetw_row *row, const etwc_column *column);

/* What a row is of. The base is NULL when it is of all that was recorded. */
static inline const etwc_snapshot *
pyetw_row_snapshot(const pyetw_row *row)
{
    return pyetw_snapshot_get(row->snapshot);
}

static inline const etwc_snapshot *
pyetw_row_base(const pyetw_row *row)
{
    return row->base == Py_None ? NULL : pyetw_snapshot_get(row->base);
}

static inline bool
pyetw_row_has(const pyetw_row *row, etwc_metric_source source)
{
    return etwc_row_has(etwc_snapshot_machine(pyetw_row_snapshot(row)), &row->part,
                        source);
}

/* What its interval says: whether it is a whole life, and FILETIME of its begin. -1 and
 * false: an error is set. */
int pyetw_row_is_whole(const pyetw_row *row);
bool pyetw_row_begin(const pyetw_row *row, int64_t *out);

/* Puts a number into a dict, by a name that is static. False: an error is set. */
bool pyetw_put_count(const pyetw_row *row, PyObject *dict, const char *name,
                     uint64_t count);

/* Makes a field's value: a new reference, or NULL with an error set. `of` is what the
 * field was given to make it with, or NULL. */
typedef PyObject *(*pyetw_maker)(const pyetw_row *row, PyObject *of);

/* NULL when there is none of that name. */
pyetw_maker pyetw_maker_named(const char *name);

/* py_details.c: makers. `of` of a latency is the class of its value. */
PyObject *pyetw_make_io_priorities(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_opened(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_closed(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_duplicated(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_read_latency(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_write_latency(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_flush_latency(const pyetw_row *row, PyObject *of);

/* py_threads.c: makers. */
PyObject *pyetw_make_affinity_mask(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_thread_ids(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_active_threads(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_suspended_threads(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_thread_states(const pyetw_row *row, PyObject *of);
PyObject *pyetw_make_thread_cpu_cycles(const pyetw_row *row, PyObject *of);

#endif
