/* Event objects, and what of them the other files of the binding use. */
#ifndef PY_EVENT_H
#define PY_EVENT_H

#include "py_trace.h"

typedef struct pyetw_event {
    PyObject_HEAD
    pyetw_trace *trace;
    etwc_event view; /* retains its block */
} pyetw_event;

/* A new Event that copies the view and holds its block and its trace. */
PyObject *pyetw_event_new(pyetw_trace *trace, const etwc_event *view);

/* "Process/Start", or None. */
PyObject *pyetw_event_name(pyetw_state *state, const etwc_event *event);

/* ETWC_NO_ID is None. */
PyObject *pyetw_id_or_none(uint32_t id);

/* ---- Attributes and methods, for the type's tables ------------------------------- */

/* py_event_data.c */
PyObject *pyetw_event_get_related_activity_id(PyObject *op, void *unused);
PyObject *pyetw_event_get_extended(PyObject *op, void *unused);
PyObject *pyetw_event_get_stack(PyObject *op, void *unused);
PyObject *pyetw_event_get_is_stack_complete(PyObject *op, void *unused);
/* py_event_text.c */
PyObject *pyetw_event_to_dict(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *pyetw_event_to_json(PyObject *op, PyObject *args, PyObject *kwargs);
PyObject *pyetw_event_repr(PyObject *op);
PyObject *pyetw_event_repr_html(PyObject *op, PyObject *unused);

#endif
