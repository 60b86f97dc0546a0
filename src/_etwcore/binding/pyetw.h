/*
 * What the files of the binding share: the module state, and how a failure of
 * the core becomes a Python exception. Nothing outside binding/ sees Python.
 */
#ifndef PYETW_H
#define PYETW_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "etwc_status.h"

enum { PYETW_FREE_EVENTS = 128, PYETW_FREE_SAMPLES = 2048 };

/* Every type and object that the module owns. One per interpreter. */
typedef struct pyetw_state {
    /* exception classes of etwmon._errors */
    PyObject *etw_error;
    PyObject *trace_file_error;
    PyObject *session_error;
    /* types of this module; each file fills its own in its pyetw_*_exec */
    PyTypeObject *trace_type;           /* py_trace.c: Trace */
    PyTypeObject *events_type;          /* py_iterate.c: iterator over events */
    PyTypeObject *batches_type;         /* py_batches.c: iterator over batches */
    PyTypeObject *batch_type;           /* py_batch.c: EventBatch */
    PyTypeObject *column_type;          /* py_column.c: one column of a batch */
    PyTypeObject *event_type;           /* py_event.c: Event */
    PyTypeObject *writer_type;          /* py_writer.c: TraceWriter */
    PyTypeObject *aggregate_type;       /* py_aggregate.c: Aggregate */
    PyTypeObject *snapshot_type;        /* py_snapshot.c: Snapshot */
    PyTypeObject *table_type;           /* py_table.c: RowTable */
    PyTypeObject *snapshot_column_type; /* py_table.c: one column of it */
    PyTypeObject *sample_type;          /* py_sample.c: MetricSample */
    PyTypeObject *row_type;             /* py_row.c: RowView */
    PyTypeObject *group_type;           /* py_group.c: GroupBase */
    PyTypeObject *extended_type;        /* py_event.c: ExtendedItem, a named tuple */
    /* objects of the standard library that are used often */
    PyObject *uuid_type;      /* uuid.UUID */
    PyObject *datetime_type;  /* datetime.datetime */
    PyObject *timezone_type;  /* datetime.timezone */
    PyObject *timedelta_type; /* datetime.timedelta */
    PyObject *epoch;          /* 1970-01-01, aware */
    PyObject *json_dumps;     /* json.dumps */
    PyObject *redact_event;   /* etwmon._redact.redact_event */
    PyObject *html_escape;    /* html.escape */
    PyObject *fields_text;    /* "fields" */
    /* dead objects for reuse: Event, memory without references, and MetricSample, with
     * a reference to its type */
    PyObject *free_events[PYETW_FREE_EVENTS];
    size_t free_event_count;
    PyObject *free_samples[PYETW_FREE_SAMPLES];
    size_t free_sample_count;
    /* py_fields.c: names and layouts of fields by their address in the core */
    struct pyetw_known *known;
    size_t known_capacity; /* a power of two, or 0 */
    size_t known_count;
} pyetw_state;

extern struct PyModuleDef pyetw_module;

/* The state, from a module object or from an instance of one of its types. */
pyetw_state *pyetw_state_of_module(PyObject *module);
pyetw_state *pyetw_state_of(PyTypeObject *type);

/* Each file's part of the module's exec slot: 0, or -1 with an error set. */
int pyetw_errors_exec(PyObject *module, pyetw_state *state);
int pyetw_writer_exec(PyObject *module, pyetw_state *state);
int pyetw_trace_exec(PyObject *module, pyetw_state *state);
int pyetw_events_exec(PyObject *module, pyetw_state *state);
int pyetw_event_exec(PyObject *module, pyetw_state *state);
int pyetw_batch_exec(PyObject *module, pyetw_state *state);
int pyetw_batches_exec(PyObject *module, pyetw_state *state);
int pyetw_column_exec(PyObject *module, pyetw_state *state);
int pyetw_functions_exec(PyObject *module, pyetw_state *state);
int pyetw_aggregate_exec(PyObject *module, pyetw_state *state);
int pyetw_snapshot_exec(PyObject *module, pyetw_state *state);
int pyetw_table_exec(PyObject *module, pyetw_state *state);
int pyetw_sample_exec(PyObject *module, pyetw_state *state);
int pyetw_row_exec(PyObject *module, pyetw_state *state);
int pyetw_group_exec(PyObject *module, pyetw_state *state);

/* Frees the dead objects; visits what they refer to. */
void pyetw_event_drop_free(pyetw_state *state);
void pyetw_sample_drop_free(pyetw_state *state);
int pyetw_sample_visit_free(const pyetw_state *state, visitproc visit, void *arg);

/* Sets the exception for a failed status and returns NULL. `path` is the file
 * that was read (a Python object, borrowed) or NULL. E_CALLBACK leaves the
 * exception that the callback has set. */
PyObject *pyetw_raise(pyetw_state *state, const etwc_error *err, PyObject *path);
/* Sets what Python's own open() would raise when a file could not be opened. */
void pyetw_raise_open(const etwc_error *err, PyObject *path);

/* The exception that is set, as a new reference, and back (which takes it). */
PyObject *pyetw_error_fetch(void);
void pyetw_error_restore(PyObject *failure);

/* Moves the value into the dict; false with an error set. */
static inline bool
pyetw_put(PyObject *dict, const char *name, PyObject *value)
{
    if (value == NULL)
        return false;
    int result = PyDict_SetItemString(dict, name, value);
    Py_DECREF(value);
    return result == 0;
}

#endif
