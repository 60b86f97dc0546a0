/*
 * GUIDs and times as Python objects, and the objects of the standard library that
 * make them: imported on first use, so that `import etwmon` stays quick.
 */
#include "py_values.h"

/* Providers beyond this number are made anew each time: a hostile trace may name
 * millions. */
enum { UUIDS_CACHED = 4096 };

PyObject *
pyetw_import(PyObject **slot, const char *module_name, const char *name)
{
    if (*slot != NULL)
        return *slot;
    PyObject *module = PyImport_ImportModule(module_name);
    if (module == NULL)
        return NULL;
    PyObject *object = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    if (object == NULL)
        return NULL;
    if (*slot == NULL)
        *slot = object;
    else /* another thread was faster */
        Py_DECREF(object);
    return *slot;
}

static PyObject *
guid_to_uuid(pyetw_state *state, PyObject *bytes)
{
    PyObject *type = pyetw_import(&state->uuid_type, "uuid", "UUID");
    if (type == NULL)
        return NULL;
    return PyObject_CallFunction(type, "OOO", Py_None, Py_None, bytes);
}

PyObject *
pyetw_guid_or_none(pyetw_state *state, const etwc_guid *guid)
{
    static const etwc_guid zero;
    if (etwc_guid_equal(guid, &zero))
        Py_RETURN_NONE;
    return pyetw_guid(state, guid);
}

PyObject *
pyetw_guid(pyetw_state *state, const etwc_guid *guid)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)guid->bytes, 16);
    PyObject *uuid = bytes ? guid_to_uuid(state, bytes) : NULL;
    Py_XDECREF(bytes);
    return uuid;
}

PyObject *
pyetw_provider_uuid(pyetw_trace *trace, const etwc_guid *guid)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)guid->bytes, 16);
    if (bytes == NULL)
        return NULL;
    PyObject *uuid = PyDict_GetItemWithError(trace->uuids, bytes);
    Py_XINCREF(uuid);
    if (uuid == NULL && !PyErr_Occurred()) {
        uuid = guid_to_uuid(trace->state, bytes);
        if (uuid != NULL && PyDict_Size(trace->uuids) < UUIDS_CACHED &&
            PyDict_SetItem(trace->uuids, bytes, uuid) < 0)
            Py_CLEAR(uuid);
    }
    Py_DECREF(bytes);
    return uuid;
}

/* datetime(1970, 1, 1, tzinfo=utc), made once. */
static PyObject *
unix_epoch(pyetw_state *state)
{
    if (state->epoch != NULL)
        return state->epoch;
    PyObject *zone = pyetw_import(&state->timezone_type, "datetime", "timezone");
    PyObject *type = pyetw_import(&state->datetime_type, "datetime", "datetime");
    if (zone == NULL || type == NULL)
        return NULL;
    PyObject *utc = PyObject_GetAttrString(zone, "utc");
    PyObject *epoch = NULL;
    if (utc != NULL)
        epoch = PyObject_CallFunction(type, "iiiiiiiO", 1970, 1, 1, 0, 0, 0, 0, utc);
    Py_XDECREF(utc);
    if (epoch == NULL)
        return NULL;
    if (state->epoch == NULL)
        state->epoch = epoch;
    else /* another thread was faster */
        Py_DECREF(epoch);
    return state->epoch;
}

PyObject *
pyetw_datetime(pyetw_state *state, int64_t filetime)
{
    PyObject *epoch = unix_epoch(state);
    PyObject *delta_type =
        epoch ? pyetw_import(&state->timedelta_type, "datetime", "timedelta") : NULL;
    if (delta_type == NULL)
        return NULL;
    /* Split before the epoch is taken off, so that nothing can overflow. */
    const int64_t day = 86400 * ETWC_100NS_PER_SECOND;
    int64_t days = filetime / day;
    int64_t rest = filetime % day;
    if (rest < 0) {
        rest += day;
        days--;
    }
    days -= ETWC_UNIX_EPOCH_100NS / day;
    PyObject *delta = PyObject_CallFunction(
        delta_type, "LLL", (long long)days, (long long)(rest / ETWC_100NS_PER_SECOND),
        (long long)(rest % ETWC_100NS_PER_SECOND / 10));
    PyObject *time = delta ? PyNumber_Add(epoch, delta) : NULL;
    Py_XDECREF(delta);
    if (time != NULL || !PyErr_ExceptionMatches(PyExc_OverflowError))
        return time;
    PyErr_Clear();
    Py_RETURN_NONE;
}
