/* Values of events as objects of the standard library. */
#ifndef PY_VALUES_H
#define PY_VALUES_H

#include "py_trace.h"

/* What a module of the standard library calls `name`, imported once into the slot,
 * which is one of the state's. Borrowed; NULL with an error set. */
PyObject *pyetw_import(PyObject **slot, const char *module_name, const char *name);

/* uuid.UUID of a provider (cached by the trace) or of any GUID; for
 * pyetw_guid_or_none an all-zero GUID is None. */
PyObject *pyetw_provider_uuid(pyetw_trace *trace, const etwc_guid *guid);
PyObject *pyetw_guid(pyetw_state *state, const etwc_guid *guid);
PyObject *pyetw_guid_or_none(pyetw_state *state, const etwc_guid *guid);

/* Aware datetime in UTC, truncated to microseconds; None when Python cannot express
 * the time: before the year 1, after 9999. */
PyObject *pyetw_datetime(pyetw_state *state, int64_t filetime);

/* The object as json.dumps takes it: GUIDs and times as text, bytes as hex. */
PyObject *pyetw_json_value(pyetw_state *state, PyObject *value);

/* Drops what the variable refers to and takes over the new reference. */
static inline void
pyetw_replace(PyObject **slot, PyObject *value)
{
    PyObject *old = *slot;
    *slot = value;
    Py_XDECREF(old);
}

#endif
