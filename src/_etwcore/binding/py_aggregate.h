/* Aggregates and snapshots as the files of the binding share them. */
#ifndef PY_AGGREGATE_H
#define PY_AGGREGATE_H

#include "py_trace.h"

#include "etwc_snapshot.h"

/* A Snapshot object; takes over the reference to the snapshot. NULL with an error
 * set, and the reference is dropped then as well. */
PyObject *pyetw_snapshot_new(pyetw_state *state, etwc_snapshot *snapshot);

#endif
