/* Groups of metrics, and the row that they are made of. */
#ifndef PY_GROUP_H
#define PY_GROUP_H

#include "py_aggregate.h"

/* RowView */
typedef struct pyetw_row {
    PyObject_HEAD
    PyObject *interval;
    PyObject *snapshot;
    Py_ssize_t number; /* position in the snapshot */
    etwc_process_row part;
} pyetw_row;

PyObject *pyetw_row_at(const pyetw_row *row, const etwc_column *column);

#endif
