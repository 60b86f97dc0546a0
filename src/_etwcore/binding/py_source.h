/* Byte sources made from Python objects. */
#ifndef PY_SOURCE_H
#define PY_SOURCE_H

#include "pyetw.h"

#include "etwc_source.h"

/* Makes a source of
 *   str, bytes         the path of a file
 *   buffer objects     other than bytes: their memory, exported until the close
 *   objects            with `size` and `read_at(offset, n) -> bytes-like`
 * Needs the GIL, and so does the close of all but the first kind. *needs_gil is
 * set (never cleared) when reading calls Python. *out_held is what the source has a
 * reference to until its close (borrowed; NULL for a path), for the garbage collector
 * to visit. What read_at raises is appended
 * to the list `failures` (kept by the source), and the read is E_CALLBACK. 0, or
 * -1 with an error set; a file that cannot be opened is a plain OSError. */
int pyetw_source_new(PyObject *origin, PyObject *path, PyObject *failures,
                     etwc_source *out, PyObject **out_held, bool *needs_gil);

#endif
