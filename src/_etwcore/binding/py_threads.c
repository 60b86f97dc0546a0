/* Fields of groups that are made of the threads of a process. */
#include "py_group.h"

#include "etwc_decode.h"

PyObject *
pyetw_make_affinity_mask(const pyetw_row *row, PyObject *of)
{
    etwc_row_threads threads;
    (void)of;
    etwc_snapshot_threads_of(pyetw_row_snapshot(row), (size_t)row->number, NULL,
                             &threads);
    if (threads.affinity_mask == 0)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(threads.affinity_mask);
}

/* ---- Who they are ---------------------------------------------------------------------- */

PyObject *
pyetw_make_thread_ids(const pyetw_row *row, PyObject *of)
{
    size_t count;
    (void)of;
    if (!(row->part.known & ETWC_ROW_THREADS))
        Py_RETURN_NONE;
    const etwc_live_thread *live =
        etwc_snapshot_live(pyetw_row_snapshot(row), (size_t)row->number, &count);
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *id = PyLong_FromUnsignedLong(live[i].thread_id);
        if (id == NULL || PyList_SetItem(list, (Py_ssize_t)i, id) < 0)
            Py_CLEAR(list);
    }
    if (list != NULL && PyList_Sort(list) < 0)
        Py_CLEAR(list);
    return list;
}

static bool
put_cycles(PyObject *dict, uint32_t thread_id, uint64_t cycles)
{
    PyObject *key = PyLong_FromUnsignedLong(thread_id);
    PyObject *value = PyLong_FromUnsignedLongLong(cycles);
    bool ok = key != NULL && value != NULL && PyDict_SetItem(dict, key, value) == 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return ok;
}

/* Of an id that was given twice, the latest thread's. */
static PyObject *
cycles_of_ended(const pyetw_row *row)
{
    size_t count;
    const etwc_ended_thread *ended =
        etwc_snapshot_ended(pyetw_row_snapshot(row), pyetw_row_base(row), &count);
    if (ended == NULL) /* more have ended than are remembered */
        Py_RETURN_NONE;
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++)
        if (ended[i].row_id == row->part.row_id &&
            !put_cycles(dict, ended[i].thread_id, ended[i].cycles))
            Py_CLEAR(dict);
    return dict;
}

/* The table of threads is there for whole lives. */
static PyObject *
cycles_of_all(const pyetw_row *row)
{
    size_t count;
    const etwc_thread_row *threads =
        etwc_snapshot_threads(pyetw_row_snapshot(row), &count);
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++)
        if ((Py_ssize_t)threads[i].row == row->number &&
            (threads[i].known & ETWC_THREAD_CYCLES) &&
            !put_cycles(dict, threads[i].thread_id, threads[i].cycles))
            Py_CLEAR(dict);
    return dict;
}

PyObject *
pyetw_make_thread_cpu_cycles(const pyetw_row *row, PyObject *of)
{
    (void)of;
    if (!(row->part.known & ETWC_ROW_THREADS) ||
        !pyetw_row_has(row, ETWC_SOURCE_thread_cycles))
        Py_RETURN_NONE;
    int is_whole = pyetw_row_is_whole(row);
    if (is_whole < 0)
        return NULL;
    return is_whole ? cycles_of_all(row) : cycles_of_ended(row);
}

/* ---- What they do ---------------------------------------------------------------------- */

/* Of the idle process nothing tells of its threads. */
static bool
are_told(const pyetw_row *row)
{
    return (row->part.known & ETWC_ROW_THREADS) && row->part.process_id != 0;
}

PyObject *
pyetw_make_active_threads(const pyetw_row *row, PyObject *of)
{
    etwc_row_threads threads;
    (void)of;
    if (!are_told(row) || (!pyetw_row_has(row, ETWC_SOURCE_single_switches) &&
                           !pyetw_row_has(row, ETWC_SOURCE_samples)))
        Py_RETURN_NONE;
    etwc_snapshot_threads_of(pyetw_row_snapshot(row), (size_t)row->number,
                             pyetw_row_base(row), &threads);
    return PyLong_FromUnsignedLongLong(threads.active);
}

/* False: nobody knows their states. */
static bool
find_states(const pyetw_row *row, etwc_row_threads *out)
{
    if (!are_told(row) || !pyetw_row_has(row, ETWC_SOURCE_single_switches))
        return false;
    etwc_snapshot_threads_of(pyetw_row_snapshot(row), (size_t)row->number, NULL, out);
    return true;
}

PyObject *
pyetw_make_suspended_threads(const pyetw_row *row, PyObject *of)
{
    etwc_row_threads threads;
    (void)of;
    if (!find_states(row, &threads))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(threads.suspended);
}

PyObject *
pyetw_make_thread_states(const pyetw_row *row, PyObject *of)
{
    etwc_row_threads threads;
    (void)of;
    if (!find_states(row, &threads))
        Py_RETURN_NONE;
    PyObject *dict = PyDict_New();
    for (uint32_t i = 0; dict != NULL && i <= ETWC_THREAD_STATES; i++) {
        const char *name =
            i < ETWC_THREAD_STATES ? etwc_thread_state_name(i) : "Unknown";
        if (threads.states[i] != 0 &&
            !pyetw_put_count(row, dict, name, threads.states[i]))
            Py_CLEAR(dict);
    }
    return dict;
}
