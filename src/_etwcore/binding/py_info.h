/* Facts about a trace as plain dicts, lists and tuples for the Python layer. */
#ifndef PY_INFO_H
#define PY_INFO_H

#include "py_trace.h"

/* New references; NULL with an error set. */
PyObject *pyetw_info_files(pyetw_trace *trace);
PyObject *pyetw_info_damage(pyetw_trace *trace, const etwc_damage *damage);
PyObject *pyetw_info_summary(pyetw_trace *trace, PyObject *selection);
/* Events by how much of them is decoded: {"full": 3, "short": 1}. */
PyObject *pyetw_info_decoding(pyetw_trace *trace, PyObject *tuple);

/* Text of a trace: a lone surrogate stays one, as Windows allows. */
PyObject *pyetw_text(etwc_span utf16);

#endif
