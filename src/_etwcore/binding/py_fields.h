/*
 * Decoded fields of an event as Python objects. Everything here gives a new
 * reference, or NULL with an error set.
 */
#ifndef PY_FIELDS_H
#define PY_FIELDS_H

#include "pyetw.h"

#include "etwc_event.h"

/* "Process/Start", or None. Needs the header of the event alone. */
PyObject *pyetw_fields_name(pyetw_state *state, const etwc_event *event);
/* "full", "partial" or "none". */
PyObject *pyetw_fields_completeness(pyetw_state *state, const etwc_event *event);
/* "short", "newer", "trailing" or "invalid"; None when it is not partial. */
PyObject *pyetw_fields_partial_reason(pyetw_state *state, const etwc_event *event);
/* Fields by name, in the order of the payload; empty without a layout. */
PyObject *pyetw_fields_dict(pyetw_state *state, const etwc_event *event);
/* One field; KeyError, which lists the fields there are, when there is none. */
PyObject *pyetw_fields_item(pyetw_state *state, const etwc_event *event,
                            PyObject *name);
/* The names of the fields' numbers that have some: {field: name}; of flags the
 * names of all bits, joined by ','. */
PyObject *pyetw_fields_symbols(pyetw_state *state, const etwc_event *event);

/* A text that is static, as a str that the state keeps: borrowed, unlike all others. */
PyObject *pyetw_static_name(pyetw_state *state, const char *text);

/* Frees the cache of names. */
void pyetw_fields_clear(pyetw_state *state);

#endif
