/*
 * What few rows of a snapshot have beside their columns: latencies and priorities of
 * disk operations, handles by type. Methods of Snapshot, as immutable as it is, and
 * fields of groups.
 */
#include "py_group.h"

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

static details_pair
details_of_row(const pyetw_row *row)
{
    const etwc_snapshot *snapshot = pyetw_row_snapshot(row);
    const etwc_snapshot *base = pyetw_row_base(row);
    size_t index = (size_t)row->number;
    details_pair pair = {.now = etwc_snapshot_details(snapshot, index)};
    if (base != NULL)
        pair.before = details_before(snapshot, index, base);
    return pair;
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

/* None when there was no operation: there is no mean of it. */
static PyObject *
make_latency(const pyetw_row *row, int kind, PyObject *of)
{
    details_pair details = details_of_row(row);
    etwc_histogram_summary summary;
    if (histogram_of(details.now, kind) == NULL)
        Py_RETURN_NONE;
    etwc_histogram_summarize(histogram_of(details.now, kind),
                             histogram_of(details.before, kind), &summary);
    if (summary.count == 0)
        Py_RETURN_NONE;
    if (of == NULL) {
        PyErr_SetString(PyExc_TypeError, "a latency is made with a class");
        return NULL;
    }
    return PyObject_CallFunction(of, "KdKKK", (unsigned long long)summary.count,
                                 (double)summary.total_ns / (double)summary.count,
                                 (unsigned long long)summary.p50_ns,
                                 (unsigned long long)summary.p99_ns,
                                 (unsigned long long)summary.max_ns);
}

PyObject *
pyetw_make_read_latency(const pyetw_row *row, PyObject *of)
{
    return make_latency(row, ETWC_LATENCY_READ, of);
}

PyObject *
pyetw_make_write_latency(const pyetw_row *row, PyObject *of)
{
    return make_latency(row, ETWC_LATENCY_WRITE, of);
}

PyObject *
pyetw_make_flush_latency(const pyetw_row *row, PyObject *of)
{
    return make_latency(row, ETWC_LATENCY_FLUSH, of);
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
        uint64_t count = etwc_histogram_count(now, i) -
                         (before == NULL ? 0 : etwc_histogram_count(before, i));
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

static uint64_t
count_of_priority(const details_pair *details, size_t priority)
{
    const uint64_t *now = details->now->disk_priorities;
    const uint64_t *before =
        details->before == NULL ? NULL : details->before->disk_priorities;
    return now == NULL ? 0 : now[priority] - (before == NULL ? 0 : before[priority]);
}

/* Names of priorities as IrpFlags have them. */
PyObject *
pyetw_make_io_priorities(const pyetw_row *row, PyObject *of)
{
    static const char *const names[ETWC_DISK_PRIORITIES] = {
        "not_set", "very_low", "low",        "normal",
        "high",    "critical", "reserved_6", "reserved_7"};
    (void)of;
    if (!pyetw_row_has(row, ETWC_SOURCE_disk))
        Py_RETURN_NONE;
    details_pair details = details_of_row(row);
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < ETWC_DISK_PRIORITIES; i++) {
        uint64_t count = count_of_priority(&details, i);
        if (count != 0 && !pyetw_put_count(row, dict, names[i], count))
            Py_CLEAR(dict);
    }
    return dict;
}

PyObject *
pyetw_snapshot_disk_priorities(PyObject *op, PyObject *args)
{
    PyObject *number;
    PyObject *base = Py_None;
    details_pair details;
    if (!PyArg_ParseTuple(args, "O|O:disk_priorities", &number, &base) ||
        !find_details(op, number, base, &details))
        return NULL;
    PyObject *tuple = PyTuple_New(ETWC_DISK_PRIORITIES);
    for (Py_ssize_t i = 0; tuple != NULL && i < ETWC_DISK_PRIORITIES; i++) {
        PyObject *value =
            PyLong_FromUnsignedLongLong(count_of_priority(&details, (size_t)i));
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

static etwc_object_counts
counts_of_slot(const details_pair *details, size_t slot)
{
    etwc_object_counts counts = details->now->objects[slot];
    if (details->before != NULL && slot < details->before->object_slots) {
        counts.opened -= details->before->objects[slot].opened;
        counts.closed -= details->before->objects[slot].closed;
        counts.duplicated -= details->before->objects[slot].duplicated;
    }
    return counts;
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
        etwc_object_counts now = counts_of_slot(&details, i);
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

static PyObject *
name_or_number(const etwc_object_type *type)
{
    if (type->number == ETWC_OBJECT_OTHER && type->name == NULL)
        return PyUnicode_FromString("other");
    if (type->name == NULL || type->name->length == 0)
        return PyUnicode_FromFormat("type %d", (int)type->number);
    return type_name(type);
}

/* Types can share a name: the count is added to what is there. */
static bool
add_handles(PyObject *dict, PyObject *name, uint64_t count)
{
    PyObject *had = PyDict_GetItemWithError(dict, name); /* borrowed */
    if (had == NULL && PyErr_Occurred())
        return false;
    if (had != NULL)
        count += PyLong_AsUnsignedLongLong(had);
    PyObject *value = PyLong_FromUnsignedLongLong(count);
    bool ok = value != NULL && PyDict_SetItem(dict, name, value) == 0;
    Py_XDECREF(value);
    return ok;
}

static bool
put_handles(PyObject *dict, const etwc_object_type *type, uint64_t count)
{
    if (count == 0)
        return true;
    PyObject *name = name_or_number(type);
    bool ok = name != NULL && add_handles(dict, name, count);
    Py_XDECREF(name);
    return ok;
}

/* One of the counts of each type of handles, by its place in etwc_object_counts. */
static PyObject *
make_handles(const pyetw_row *row, etwc_metric_source source, size_t place)
{
    if (!pyetw_row_has(row, source))
        Py_RETURN_NONE;
    size_t type_count;
    const etwc_object_type *types =
        etwc_snapshot_object_types(pyetw_row_snapshot(row), &type_count);
    details_pair details = details_of_row(row);
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < details.now->object_slots; i++) {
        etwc_object_counts counts = counts_of_slot(&details, i);
        uint64_t count;
        memcpy(&count, (const uint8_t *)&counts + place, sizeof count);
        if (!put_handles(dict, &types[i], count))
            Py_CLEAR(dict);
    }
    return dict;
}

PyObject *
pyetw_make_opened(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return make_handles(row, ETWC_SOURCE_handles, offsetof(etwc_object_counts, opened));
}

PyObject *
pyetw_make_closed(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return make_handles(row, ETWC_SOURCE_handles, offsetof(etwc_object_counts, closed));
}

PyObject *
pyetw_make_duplicated(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return make_handles(row, ETWC_SOURCE_objects,
                        offsetof(etwc_object_counts, duplicated));
}
