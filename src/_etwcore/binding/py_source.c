/*
 * Byte sources made from Python objects: paths, buffer objects, and objects that
 * read for us. Only the last kind runs Python while the core reads; its trace
 * keeps the GIL then (py_trace.h).
 */
#include "py_source.h"

#include "etwc_alloc.h"

/* Exceptions kept for their readers; more than one only with several threads. */
enum { FAILURES_KEPT = 16 };

/* ---- Paths ---------------------------------------------------------------------- */

static int
source_from_path(PyObject *origin, PyObject *path, etwc_source *out)
{
    PyObject *encoded;
    if (!PyUnicode_FSConverter(origin, &encoded))
        return -1;
    const char *name = PyBytes_AsString(encoded);
    etwc_error err;
    etwc_status st;
    Py_BEGIN_ALLOW_THREADS
    st = etwc_source_open_file(name, out, &err);
    Py_END_ALLOW_THREADS
    Py_DECREF(encoded);
    if (st == ETWC_OK)
        return 0;
    pyetw_raise_open(&err, path == Py_None ? origin : path);
    return -1;
}

/* ---- Buffer objects -------------------------------------------------------------- */

static etwc_status
view_read_at(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
             etwc_error *err)
{
    const Py_buffer *view = context;
    size_t size = (size_t)view->len;
    (void)err;
    if (offset >= size)
        n = 0;
    else if (n > size - (size_t)offset)
        n = size - (size_t)offset;
    if (n > 0)
        memcpy(dst, (const uint8_t *)view->buf + offset, n);
    *out_read = n;
    return ETWC_OK;
}

static void
view_close(void *context)
{
    PyBuffer_Release(context);
    etwc_free(context);
}

static int
source_from_buffer(PyObject *origin, etwc_source *out, PyObject **out_held)
{
    Py_buffer *view = etwc_malloc(sizeof *view);
    if (view == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (PyObject_GetBuffer(origin, view, PyBUF_SIMPLE) < 0) {
        etwc_free(view);
        return -1;
    }
    *out = (etwc_source){(uint64_t)view->len, view_read_at, view_close, view};
    *out_held = view->obj;
    return 0;
}

/* ---- Objects with read_at ---------------------------------------------------------- */

typedef struct reader_source {
    PyObject *reader;
    PyObject *failures;
} reader_source;

/* Moves the exception that is set to the list; it is raised when the events
 * before it were delivered. */
static void
keep_failure(PyObject *failures)
{
    PyObject *failure = pyetw_error_fetch();
    if (failure == NULL)
        return;
    if (PyList_Size(failures) >= FAILURES_KEPT)
        (void)PyList_SetSlice(failures, 0, 1, NULL);
    if (PyList_Append(failures, failure) < 0)
        PyErr_Clear();
    Py_DECREF(failure);
}

/* Copies what read_at returned; false when it is no buffer of at most n bytes. */
static bool
copy_answer(PyObject *answer, void *dst, size_t n, size_t *out_read)
{
    Py_buffer view;
    if (PyObject_GetBuffer(answer, &view, PyBUF_SIMPLE) < 0)
        return false;
    bool is_fitting = (size_t)view.len <= n;
    if (is_fitting) {
        memcpy(dst, view.buf, (size_t)view.len);
        *out_read = (size_t)view.len;
    } else {
        PyErr_Format(PyExc_ValueError, "read_at returned %zd bytes, not at most %zu",
                     view.len, n);
    }
    PyBuffer_Release(&view);
    return is_fitting;
}

static etwc_status
reader_read_at(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
               etwc_error *err)
{
    reader_source *source = context;
    PyObject *answer =
        PyObject_CallMethod(source->reader, "read_at", "KK", (unsigned long long)offset,
                            (unsigned long long)n);
    bool is_read = answer != NULL && copy_answer(answer, dst, n, out_read);
    Py_XDECREF(answer);
    if (is_read)
        return ETWC_OK;
    keep_failure(source->failures);
    return etwc_fail_at(err, ETWC_E_CALLBACK, "read_at", (int64_t)offset,
                        "the source object failed");
}

static void
reader_close(void *context)
{
    reader_source *source = context;
    Py_DECREF(source->reader);
    Py_DECREF(source->failures);
    etwc_free(source);
}

static int
source_from_reader(PyObject *origin, PyObject *failures, etwc_source *out)
{
    PyObject *size = PyObject_GetAttrString(origin, "size");
    if (size == NULL)
        return -1;
    unsigned long long bytes = PyLong_AsUnsignedLongLong(size);
    Py_DECREF(size);
    if (bytes == (unsigned long long)-1 && PyErr_Occurred())
        return -1;
    reader_source *source = etwc_malloc(sizeof *source);
    if (source == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *source = (reader_source){Py_NewRef(origin), Py_NewRef(failures)};
    *out = (etwc_source){bytes, reader_read_at, reader_close, source};
    return 0;
}

int
pyetw_source_new(PyObject *origin, PyObject *path, PyObject *failures, etwc_source *out,
                 PyObject **out_held, bool *needs_gil)
{
    *out_held = NULL;
    if (PyUnicode_Check(origin) || PyBytes_Check(origin))
        return source_from_path(origin, path, out);
    if (PyObject_CheckBuffer(origin))
        return source_from_buffer(origin, out, out_held);
    if (source_from_reader(origin, failures, out) < 0)
        return -1;
    *out_held = origin;
    *needs_gil = true;
    return 0;
}
