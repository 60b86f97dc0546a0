/*
 * What of an event lies behind its header: the extended items and the stack, whose
 * parts may be records of their own.
 */
#include "py_event.h"

#include "etwc_alloc.h"
#include "py_values.h"

PyObject *
pyetw_event_get_related_activity_id(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    etwc_span data;
    etwc_guid guid;
    (void)unused;
    if (!etwc_extended_find(&event->view, ETWC_EXT_RELATED_ACTIVITYID, &data) ||
        data.len < sizeof guid.bytes)
        Py_RETURN_NONE;
    memcpy(guid.bytes, data.ptr, sizeof guid.bytes);
    return pyetw_guid_or_none(event->trace->state, &guid);
}

static PyObject *
extended_item(pyetw_state *state, const etwc_extended_item *item)
{
    PyObject *result = PyStructSequence_New(state->extended_type);
    if (result == NULL)
        return NULL;
    PyObject *type = PyLong_FromLong(item->type);
    PyObject *data = PyBytes_FromStringAndSize((const char *)item->data.ptr,
                                               (Py_ssize_t)item->data.len);
    PyStructSequence_SetItem(result, 0, type);
    PyStructSequence_SetItem(result, 1, data);
    if (type == NULL || data == NULL)
        Py_CLEAR(result);
    return result;
}

PyObject *
pyetw_event_get_extended(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    etwc_extended_iter iter;
    etwc_extended_item item;
    (void)unused;
    PyObject *list = PyList_New(0);
    etwc_extended_begin(&event->view, &iter);
    while (list != NULL && etwc_extended_next(&iter, &item)) {
        PyObject *object = extended_item(event->trace->state, &item);
        if (object == NULL || PyList_Append(list, object) < 0)
            Py_CLEAR(list);
        Py_XDECREF(object);
    }
    return list;
}

/* The frames as a tuple; *out_is_complete tells whether a part is missing. */
static PyObject *
stack_tuple(pyetw_event *event, bool *out_is_complete)
{
    enum { USUAL = 256 };
    uint64_t usual[USUAL];
    uint64_t *frames = usual;
    const etwc_stacks *stacks = pyetw_trace_need_stacks(event->trace, &event->view);
    if (stacks == NULL)
        return NULL;
    size_t count =
        etwc_stacks_resolve(stacks, &event->view, usual, USUAL, out_is_complete);
    if (count > USUAL) {
        frames = etwc_calloc(count, sizeof *frames);
        if (frames == NULL)
            return PyErr_NoMemory();
        count =
            etwc_stacks_resolve(stacks, &event->view, frames, count, out_is_complete);
    }
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *frame = PyLong_FromUnsignedLongLong(frames[i]);
        if (frame == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, frame) < 0)
            Py_CLEAR(tuple);
    }
    if (frames != usual)
        etwc_free(frames);
    return tuple;
}

PyObject *
pyetw_event_get_stack(PyObject *op, void *unused)
{
    bool is_complete;
    (void)unused;
    PyObject *tuple = stack_tuple((pyetw_event *)op, &is_complete);
    if (tuple != NULL && PyTuple_Size(tuple) == 0)
        pyetw_replace(&tuple, Py_NewRef(Py_None));
    return tuple;
}

PyObject *
pyetw_event_get_is_stack_complete(PyObject *op, void *unused)
{
    bool is_complete;
    (void)unused;
    PyObject *tuple = stack_tuple((pyetw_event *)op, &is_complete);
    if (tuple == NULL)
        return NULL;
    Py_DECREF(tuple);
    return PyBool_FromLong(is_complete);
}
