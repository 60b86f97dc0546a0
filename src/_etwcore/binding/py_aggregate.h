/* Aggregates and snapshots as the files of the binding share them. */
#ifndef PY_AGGREGATE_H
#define PY_AGGREGATE_H

#include "py_trace.h"

#include "etwc_snapshot.h"

/* A Snapshot object; takes over the reference to the snapshot. NULL with an error
 * set, and the reference is dropped then as well. */
PyObject *pyetw_snapshot_new(pyetw_state *state, etwc_snapshot *snapshot);
/* Borrowed from the Snapshot object. */
const etwc_snapshot *pyetw_snapshot_get(PyObject *snapshot);
/* Whether `base` is a Snapshot, or None; else TypeError. */
bool pyetw_snapshot_check_base(PyObject *snapshot, PyObject *base);

/* Whether it has such a row; else IndexError. */
bool pyetw_snapshot_has_row(PyObject *snapshot, Py_ssize_t index);
/* A text as str; None for NULL. */
PyObject *pyetw_entry_text(const etwc_text_entry *text);
/* ns by name of the reason for which a row's threads waited since `base` (or NULL). */
PyObject *pyetw_waits(PyObject *snapshot, size_t index, const etwc_snapshot *base);

/* py_machine.c: names of etwc_metric_source */
extern const char *const pyetw_source_names[ETWC_SOURCE_COUNT];

/* py_lives.c, py_machine.c: methods of Snapshot, and the getter `machine` */
PyObject *pyetw_snapshot_threads(PyObject *op, PyObject *number);
PyObject *pyetw_snapshot_thread_name(PyObject *op, PyObject *number);
PyObject *pyetw_snapshot_images(PyObject *op, PyObject *number);
PyObject *pyetw_snapshot_machine(PyObject *op, void *unused);
PyObject *pyetw_snapshot_machine_since(PyObject *op, PyObject *base);

/* py_details.c: methods of Snapshot */
PyObject *pyetw_snapshot_latency(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_latency_steps(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_disk_priorities(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_objects(PyObject *op, PyObject *args);

/* ---- py_table.c ------------------------------------------------------------------ */

/* A RowTable of the interval since `base` (or NULL), which keeps neither. */
PyObject *pyetw_table_new(pyetw_state *state, const etwc_snapshot *snapshot,
                          etwc_table_kind kind, const etwc_snapshot *base);
/* A memoryview of one column of rows that lie in `owner`, which it keeps alive. */
PyObject *pyetw_row_column_new(pyetw_state *state, PyObject *owner,
                               const etwc_column *column, const void *rows,
                               size_t count, size_t row_size);
PyObject *pyetw_row_column_names(etwc_table_kind kind);

/* py_sample.c: a method of Snapshot. */
extern const char pyetw_snapshot_samples_doc[];
PyObject *pyetw_snapshot_samples(PyObject *op, PyObject *args);

#endif
