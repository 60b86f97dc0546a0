/* The arguments of TraceWriter and its write(), in the terms of the core. */
#ifndef PY_WRITER_H
#define PY_WRITER_H

#include "pyetw.h"

#include "etwc_etl_writer.h"

/* ---- The constructor ------------------------------------------------------------ */

typedef struct pyetw_writer_arguments {
    etwc_etl_writer_options options; /* borrow from the objects below */
    PyObject *path;                  /* owned bytes */
    PyObject *session_name;          /* owned bytes: UTF-16 */
    PyObject *log_file_name;         /* likewise */
} pyetw_writer_arguments;

/* 0, or -1 with an error set. Release the arguments in both cases. */
int pyetw_writer_arguments_parse(pyetw_writer_arguments *arguments, PyObject *args,
                                 PyObject *kwargs);
void pyetw_writer_arguments_release(pyetw_writer_arguments *arguments);

/* Converters for PyArg_Parse*: 1, or 0 with an error set (ValueError when the
 * number is out of range). */
int pyetw_to_uint8(PyObject *value, void *out);
int pyetw_to_uint16(PyObject *value, void *out);
int pyetw_to_uint32(PyObject *value, void *out);
int pyetw_to_int32(PyObject *value, void *out);
int pyetw_to_int64(PyObject *value, void *out);

/* ---- write() ---------------------------------------------------------------------- */

/* The GUID that was converted last: a loop passes the same object again and
 * again, and asking a uuid.UUID for its bytes costs more than all the rest. */
typedef struct pyetw_guid_cache {
    PyObject *source; /* owned; NULL at first */
    etwc_guid guid;
} pyetw_guid_cache;

/* An event and what it borrows from; all zero before it is filled. */
typedef struct pyetw_record {
    etwc_event event;
    Py_buffer payload;
    uint8_t *extended; /* owned; NULL when there is none */
} pyetw_record;

/* Fills the record from the arguments of a vectorcall. 0, or -1 with an error
 * set. Release the record in both cases. */
int pyetw_record_parse(pyetw_record *record, pyetw_guid_cache *cache,
                       PyObject *const *args, Py_ssize_t nargs, PyObject *names);
void pyetw_record_release(pyetw_record *record);

#endif
