/* Iterators over a trace. */
#ifndef PY_ITERATE_H
#define PY_ITERATE_H

#include "py_trace.h"

/* New references; NULL with an error set. */
PyObject *pyetw_events_new(pyetw_trace *trace, PyObject *selection);
PyObject *pyetw_batches_new(pyetw_trace *trace, PyObject *selection, Py_ssize_t n);

/* ---- A position that Python may use from any thread, one at a time --------------- */

typedef struct pyetw_position {
    pyetw_trace *trace;  /* owned reference */
    etwc_cursor *cursor; /* NULL at the end */
    uint64_t passed;     /* bytes of the files, once the cursor is gone */
    bool is_busy;        /* a thread is inside */
} pyetw_position;

int pyetw_position_init(pyetw_position *position, pyetw_trace *trace,
                        PyObject *selection);
/* Drops the cursor and the trace; idempotent. */
void pyetw_position_clear(pyetw_position *position);
/* Nothing more is read: from now on this is the end. */
void pyetw_position_stop(pyetw_position *position);
uint64_t pyetw_position_bytes(const pyetw_position *position);
/* "<what, 5 of 9 bytes passed>"; a new reference. */
PyObject *pyetw_position_repr(const pyetw_position *position, const char *what);
/* Fills up to capacity views, at least one: 1, 0 at the end, or -1 with an error
 * set. ValueError when another thread is inside or the trace was closed. The views
 * borrow from their blocks until the next call. */
int pyetw_position_fill(pyetw_position *position, etwc_event *views, size_t capacity,
                        size_t *out_count);

#endif
