/*
 * What few rows of a snapshot have beside their columns: latencies and priorities of
 * disk operations, handles by type. Methods of Snapshot, as immutable as it is.
 */
#include "py_aggregate.h"

#include "etwc_histogram.h"

typedef struct details_pair {
    const etwc_row_details *now;
    const etwc_row_details *before; /* NULL: from the beginning */
} details_pair;

static const etwc_row_details *
details_before(const etwc_snapshot *snapshot, size_t index, const etwc_snapshot *base)
{
    size_t before =
        etwc_snapshot_find(base, etwc_snapshot_row_id(snapshot, index), index);
    return before == ETWC_NO_ROW ? NULL : etwc_snapshot_details(base, before);
}

/* Of a row, or of the machine for None. */
static bool
find_details(PyObject *op, PyObject *number, PyObject *base, details_pair *out)
{
    const etwc_snapshot *snapshot = pyetw_snapshot_get(op);
    if (!pyetw_snapshot_check_base(op, base))
        return false;
    const etwc_snapshot *earlier = base == Py_None ? NULL : pyetw_snapshot_get(base);
    *out = (details_pair){0};
    if (number == Py_None) {
        out->now = etwc_snapshot_machine_details(snapshot);
        if (earlier != NULL)
            out->before = etwc_snapshot_machine_details(earlier);
        return true;
    }
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if (index == -1 && PyErr_Occurred())
        return false;
    if (index < 0 || (size_t)index >= etwc_snapshot_row_count(snapshot)) {
        PyErr_SetString(PyExc_IndexError, "no such row");
        return false;
    }
    out->now = etwc_snapshot_details(snapshot, (size_t)index);
    if (earlier != NULL)
        out->before = details_before(snapshot, (size_t)index, earlier);
    return true;
}

/* ---- Latencies ----------------------------------------------------------------------- */

static const etwc_histogram *
histogram_of(const etwc_row_details *details, int kind)
{
    return details == NULL ? NULL : details->latencies[kind];
}

static bool
parse_latency(PyObject *op, PyObject *args, int *out_kind, details_pair *out)
{
    PyObject *number;
    PyObject *base = Py_None;
    if (!PyArg_ParseTuple(args, "Oi|O:latency", &number, out_kind, &base) ||
        !find_details(op, number, base, out))
        return false;
    if (*out_kind >= 0 && *out_kind < ETWC_LATENCY_COUNT)
        return true;
    PyErr_SetString(PyExc_ValueError, "kind: 0 read, 1 write, 2 flush");
    return false;
}

PyObject *
pyetw_snapshot_latency(PyObject *op, PyObject *args)
{
    int kind;
    details_pair details;
    if (!parse_latency(op, args, &kind, &details))
        return NULL;
    etwc_histogram_summary summary;
    etwc_histogram_summarize(histogram_of(details.now, kind),
                             histogram_of(details.before, kind), &summary);
    return Py_BuildValue(
        "(KKKKK)", (unsigned long long)summary.count,
        (unsigned long long)summary.total_ns, (unsigned long long)summary.p50_ns,
        (unsigned long long)summary.p99_ns, (unsigned long long)summary.max_ns);
}

PyObject *
pyetw_snapshot_latency_steps(PyObject *op, PyObject *args)
{
    int kind;
    details_pair details;
    if (!parse_latency(op, args, &kind, &details))
        return NULL;
    const etwc_histogram *now = histogram_of(details.now, kind);
    const etwc_histogram *before = histogram_of(details.before, kind);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && now != NULL && i < ETWC_HISTOGRAM_STEPS; i++) {
        uint64_t count = now->counts[i] - (before == NULL ? 0 : before->counts[i]);
        if (count == 0)
            continue;
        PyObject *step =
            Py_BuildValue("(KKK)", (unsigned long long)etwc_histogram_step_begin(i),
                          (unsigned long long)etwc_histogram_step_begin(i + 1),
                          (unsigned long long)count);
        if (step == NULL || PyList_Append(list, step) < 0)
            Py_CLEAR(list);
        Py_XDECREF(step);
    }
    return list;
}

/* ---- Priorities ---------------------------------------------------------------------- */

PyObject *
pyetw_snapshot_disk_priorities(PyObject *op, PyObject *args)
{
    PyObject *number;
    PyObject *base = Py_None;
    details_pair details;
    if (!PyArg_ParseTuple(args, "O|O:disk_priorities", &number, &base) ||
        !find_details(op, number, base, &details))
        return NULL;
    const uint64_t *now = details.now->disk_priorities;
    const uint64_t *before =
        details.before == NULL ? NULL : details.before->disk_priorities;
    PyObject *tuple = PyTuple_New(ETWC_DISK_PRIORITIES);
    for (Py_ssize_t i = 0; tuple != NULL && i < ETWC_DISK_PRIORITIES; i++) {
        uint64_t count = now == NULL ? 0 : now[i] - (before == NULL ? 0 : before[i]);
        PyObject *value = PyLong_FromUnsignedLongLong(count);
        if (value == NULL || PyTuple_SetItem(tuple, i, value) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* ---- Handles ------------------------------------------------------------------------- */

static PyObject *
type_name(const etwc_object_type *type)
{
    if (type->name == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(type->name->bytes, (Py_ssize_t)type->name->length,
                                "surrogatepass");
}

PyObject *
pyetw_snapshot_objects(PyObject *op, PyObject *args)
{
    PyObject *number;
    PyObject *base = Py_None;
    details_pair details;
    if (!PyArg_ParseTuple(args, "O|O:objects", &number, &base) ||
        !find_details(op, number, base, &details))
        return NULL;
    size_t type_count;
    const etwc_object_type *types =
        etwc_snapshot_object_types(pyetw_snapshot_get(op), &type_count);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < details.now->object_slots; i++) {
        etwc_object_counts now = details.now->objects[i];
        if (details.before != NULL && i < details.before->object_slots) {
            now.opened -= details.before->objects[i].opened;
            now.closed -= details.before->objects[i].closed;
            now.duplicated -= details.before->objects[i].duplicated;
        }
        if ((now.opened | now.closed | now.duplicated) == 0)
            continue;
        PyObject *one = Py_BuildValue(
            "(iNKKK)", (int)types[i].number, type_name(&types[i]),
            (unsigned long long)now.opened, (unsigned long long)now.closed,
            (unsigned long long)now.duplicated);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    return list;
}
