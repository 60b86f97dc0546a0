/*
 * What only snapshots of everything have: all threads and images of a process. Methods
 * of Snapshot, as immutable as it is.
 */
#include "py_aggregate.h"

#include "etwc_decode.h"

/* ---- Threads ---------------------------------------------------------------------------- */

static PyObject *
known_of(const etwc_thread_row *thread, uint32_t bit, uint64_t value)
{
    if (!(thread->known & bit))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(value);
}

static const char *
wait_reason_of(const etwc_thread_row *thread)
{
    return thread->state == ETWC_THREAD_WAITING
               ? etwc_wait_reason_name(thread->wait_reason)
               : NULL;
}

static PyObject *
thread_tuple(const etwc_thread_row *t)
{
    return Py_BuildValue(
        "(kLLKKKNNNNKKKKKzzN)", (unsigned long)t->thread_id,
        (long long)t->begin_filetime, (long long)t->end_filetime,
        (unsigned long long)t->run_ns, (unsigned long long)t->context_switches,
        (unsigned long long)t->samples, known_of(t, ETWC_THREAD_TICKS, t->kernel_ticks),
        known_of(t, ETWC_THREAD_TICKS, t->user_ticks),
        known_of(t, ETWC_THREAD_CYCLES, t->cycles), pyetw_entry_text(t->name),
        (unsigned long long)t->ready_ns, (unsigned long long)t->wait_ns,
        (unsigned long long)t->voluntary_switches,
        (unsigned long long)t->involuntary_switches, (unsigned long long)t->migrations,
        etwc_thread_state_name(t->state), wait_reason_of(t),
        known_of(t, ETWC_THREAD_PRIORITY, t->base_priority));
}

PyObject *
pyetw_snapshot_threads(PyObject *op, PyObject *number)
{
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    size_t count;
    const etwc_thread_row *threads =
        etwc_snapshot_threads(pyetw_snapshot_get(op), &count);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < count; i++) {
        if ((Py_ssize_t)threads[i].row != index)
            continue;
        PyObject *tuple = thread_tuple(&threads[i]);
        if (tuple == NULL || PyList_Append(list, tuple) < 0)
            Py_CLEAR(list);
        Py_XDECREF(tuple);
    }
    return list;
}

PyObject *
pyetw_snapshot_thread_name(PyObject *op, PyObject *number)
{
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    size_t count;
    const etwc_thread_row *threads =
        etwc_snapshot_threads(pyetw_snapshot_get(op), &count);
    if (index < 0 || (size_t)index >= count) {
        PyErr_SetString(PyExc_IndexError, "no such thread");
        return NULL;
    }
    return pyetw_entry_text(threads[index].name);
}

/* ---- Images ----------------------------------------------------------------------------- */

static PyObject *
number_if(bool is_known, uint32_t number)
{
    if (!is_known)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(number);
}

PyObject *
pyetw_snapshot_images(PyObject *op, PyObject *number)
{
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    size_t count;
    const etwc_image_row *images = etwc_snapshot_images(pyetw_snapshot_get(op), &count);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < count; i++) {
        const etwc_image_row *image = &images[i];
        if ((Py_ssize_t)image->row != index)
            continue;
        PyObject *tuple = Py_BuildValue(
            "(NKKLLNN)", pyetw_entry_text(image->file_name),
            (unsigned long long)image->base, (unsigned long long)image->size,
            (long long)image->load_filetime, (long long)image->unload_filetime,
            number_if(image->has_checksum, image->checksum),
            number_if(image->time_date_stamp != 0, image->time_date_stamp));
        if (tuple == NULL || PyList_Append(list, tuple) < 0)
            Py_CLEAR(list);
        Py_XDECREF(tuple);
    }
    return list;
}
