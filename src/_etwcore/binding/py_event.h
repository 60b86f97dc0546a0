/* Event objects, and what of them the other files of the binding use. */
#ifndef PY_EVENT_H
#define PY_EVENT_H

#include "py_trace.h"

/* A new Event that copies the view and holds its block and its trace. */
PyObject *pyetw_event_new(pyetw_trace *trace, const etwc_event *view);

/* uuid.UUID of a provider (cached by the trace) or of any GUID; for
 * pyetw_guid_or_none an all-zero GUID is None. */
PyObject *pyetw_provider_uuid(pyetw_trace *trace, const etwc_guid *guid);
PyObject *pyetw_guid(pyetw_state *state, const etwc_guid *guid);
PyObject *pyetw_guid_or_none(pyetw_state *state, const etwc_guid *guid);

/* Aware datetime in UTC, truncated to microseconds. OverflowError when Python
 * cannot express the time. */
PyObject *pyetw_datetime(pyetw_state *state, int64_t filetime);

/* "Process/Start", or None. */
PyObject *pyetw_event_name(pyetw_state *state, const etwc_event *event);

/* The object as json.dumps takes it: GUIDs and times as text, bytes as hex. */
PyObject *pyetw_json_value(pyetw_state *state, PyObject *value);

#endif
