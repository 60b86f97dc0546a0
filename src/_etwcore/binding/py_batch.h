/* Batches, as their own files see them. */
#ifndef PY_BATCH_H
#define PY_BATCH_H

#include "py_trace.h"

/* Columns that are computed; each becomes one array of 8-byte items or smaller. */
enum {
    MADE_TIMESTAMP_NS,
    MADE_RELATIVE_MS,
    MADE_PROCESS,
    MADE_PAYLOAD_OFFSET,
    MADE_PAYLOAD_BUFFER, /* made while the batch is filled */
    MADE_COUNT,
    IN_ROW = MADE_COUNT
};

typedef struct pyetw_batch {
    PyObject_HEAD
    pyetw_trace *trace;
    etwc_event *rows;
    size_t count;
    void *made[MADE_COUNT]; /* NULL until asked for */
    etwc_block **blocks;    /* distinct, in the order of first use; retained */
    size_t block_count;
    size_t block_capacity;
    size_t number_capacity; /* of made[MADE_PAYLOAD_BUFFER] */
    size_t exports;         /* live views on rows and blocks */
    bool is_released;
} pyetw_batch;

/* True, or ValueError when the batch was released. */
bool pyetw_batch_check_held(const pyetw_batch *batch);

/* py_column.c: a view of a column (KeyError when there is none of that name), of all
 * memory that payloads lie in, and the names of the columns. */
PyObject *pyetw_batch_column(pyetw_batch *batch, PyObject *name);
PyObject *pyetw_batch_get_buffers(PyObject *op, void *unused);
PyObject *pyetw_batch_get_columns(PyObject *op, void *unused);

#endif
