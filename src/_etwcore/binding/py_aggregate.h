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

/* py_details.c: methods of Snapshot */
PyObject *pyetw_snapshot_latency(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_latency_steps(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_disk_priorities(PyObject *op, PyObject *args);
PyObject *pyetw_snapshot_objects(PyObject *op, PyObject *args);

#endif
