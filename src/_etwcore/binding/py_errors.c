/* From a status of the core to a Python exception; nothing else raises those. */
#include "pyetw.h"

#include <errno.h>
#include <string.h>

typedef struct status_rule {
    etwc_status status;
    const char *hint; /* what to do; NULL when the detail says all */
} status_rule;

static const status_rule status_rules[] = {
    {ETWC_E_LIMIT, "release events that are still held, or open the trace with a "
                   "larger memory_limit"},
    {ETWC_E_NOT_TRACE, "open a recorded .etl file (or a .zip or .gz that holds one)"},
    {ETWC_E_CORRUPT, "everything before the damage was delivered; Trace.info.damage "
                     "tells what is missing"},
    {ETWC_E_TRUNCATED, "somebody changed the file during reading; copy it first, then "
                       "open the copy"},
    {ETWC_E_NOT_SUPPORTED, NULL},
};

static const char *
hint_of(etwc_status status)
{
    for (size_t i = 0; i < sizeof status_rules / sizeof status_rules[0]; i++)
        if (status_rules[i].status == status)
            return status_rules[i].hint;
    return NULL;
}

int
pyetw_errors_exec(PyObject *module, pyetw_state *state)
{
    (void)module;
    PyObject *errors = PyImport_ImportModule("etwmon._errors");
    if (errors == NULL)
        return -1;
    state->etw_error = PyObject_GetAttrString(errors, "ETWError");
    state->trace_file_error = PyObject_GetAttrString(errors, "ETWTraceFileError");
    state->session_error = PyObject_GetAttrString(errors, "ETWSessionError");
    Py_DECREF(errors);
    bool is_complete = state->etw_error != NULL && state->trace_file_error != NULL &&
                       state->session_error != NULL;
    return is_complete ? 0 : -1;
}

static PyObject *
class_of(pyetw_state *state, etwc_status status)
{
    switch (status) {
    case ETWC_E_IO:
    case ETWC_E_LIMIT:
    case ETWC_E_NOT_TRACE:
    case ETWC_E_CORRUPT:
    case ETWC_E_TRUNCATED:
    case ETWC_E_NEED_MORE:
        return state->trace_file_error;
    case ETWC_E_STATE:
        return state->session_error;
    default:
        return state->etw_error;
    }
}

/* "not an ETW trace file: 12 bytes are too few" */
static PyObject *
message_of(const etwc_error *err)
{
    const char *text = etwc_status_text(err->status);
    if (err->detail[0] != '\0')
        return PyUnicode_FromFormat("%s: %s", text, err->detail);
#ifndef MS_WINDOWS
    if (err->status == ETWC_E_IO && err->os_code != 0)
        return PyUnicode_FromFormat("%s: %s", text, strerror(err->os_code));
#endif
    if (err->status == ETWC_E_IO && err->where != NULL)
        return PyUnicode_FromFormat("%s in %s", text, err->where);
    return PyUnicode_FromString(text);
}

static PyObject *
offset_of(const etwc_error *err)
{
    if (err->offset < 0)
        return Py_NewRef(Py_None);
    return PyLong_FromLongLong(err->offset);
}

static PyObject *
raise_etw_error(pyetw_state *state, const etwc_error *err, PyObject *path)
{
    PyObject *message = message_of(err);
    PyObject *offset = offset_of(err);
    PyObject *args = message ? PyTuple_Pack(1, message) : NULL;
    PyObject *kwargs = NULL;
    if (args != NULL && offset != NULL)
        kwargs =
            Py_BuildValue("{s:z,s:i,s:s,s:z,s:O,s:O}", "function", err->where, "code",
                          err->os_code ? err->os_code : (int)err->status, "name",
                          etwc_status_name(err->status), "hint", hint_of(err->status),
                          "path", path ? path : Py_None, "offset", offset);
    if (kwargs != NULL) {
        PyObject *type = class_of(state, err->status);
        PyObject *exception = PyObject_Call(type, args, kwargs);
        if (exception != NULL) {
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
            Py_DECREF(exception);
        }
    }
    Py_XDECREF(message);
    Py_XDECREF(offset);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    return NULL;
}

PyObject *
pyetw_raise(pyetw_state *state, const etwc_error *err, PyObject *path)
{
    switch (err->status) {
    case ETWC_E_NOMEM:
        return PyErr_NoMemory();
    case ETWC_E_INVALID:
        PyErr_SetString(PyExc_ValueError,
                        err->detail[0] ? err->detail : etwc_status_text(err->status));
        return NULL;
    case ETWC_E_CALLBACK:
    case ETWC_E_INTERRUPTED:
        if (!PyErr_Occurred())
            PyErr_SetString(state->etw_error, etwc_status_text(err->status));
        return NULL;
    default:
        return raise_etw_error(state, err, path);
    }
}

PyObject *
pyetw_error_fetch(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *failure, *traceback;
    PyErr_Fetch(&type, &failure, &traceback);
    PyErr_NormalizeException(&type, &failure, &traceback);
    if (failure != NULL && traceback != NULL)
        PyException_SetTraceback(failure, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return failure;
#endif
}

void
pyetw_error_restore(PyObject *failure)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(failure);
#else
    PyErr_Restore(Py_NewRef((PyObject *)Py_TYPE(failure)), failure,
                  PyException_GetTraceback(failure));
#endif
}

void
pyetw_raise_open(const etwc_error *err, PyObject *path)
{
    if (err->status != ETWC_E_IO || err->os_code == 0) {
        PyErr_NoMemory();
        return;
    }
#ifdef MS_WINDOWS
    PyErr_SetExcFromWindowsErrWithFilenameObject(PyExc_OSError, err->os_code, path);
#else
    errno = err->os_code;
    PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
#endif
}
