/*
 * Snapshot: one object over the rows of one moment. Python values are made when
 * they are asked for; columns are views on the rows (buffer protocol). Immutable,
 * so every method may be called from any thread.
 */
#include "py_aggregate.h"

#include "etwc_decode.h"
#include "py_fields.h"

typedef struct pyetw_snapshot {
    PyObject_HEAD
    pyetw_state *state; /* borrowed: alive as long as the type */
    etwc_snapshot *snapshot;
} pyetw_snapshot;

/* An earlier snapshot, or NULL. */
static const etwc_snapshot *
base_of(PyObject *base)
{
    return base == Py_None ? NULL : ((pyetw_snapshot *)base)->snapshot;
}

const etwc_snapshot *
pyetw_snapshot_get(PyObject *snapshot)
{
    return ((pyetw_snapshot *)snapshot)->snapshot;
}

bool
pyetw_snapshot_check_base(PyObject *snapshot, PyObject *base)
{
    if (base == Py_None || Py_TYPE(base) == Py_TYPE(snapshot))
        return true;
    PyErr_SetString(PyExc_TypeError, "base: an earlier Snapshot, or None");
    return false;
}

/* ---- Columns ------------------------------------------------------------------------- */

PyDoc_STRVAR(
    column_doc,
    "column($self, name, /)\n--\n\n"
    "One column of all rows as a read-only memoryview, without a copy; it keeps\n"
    "the snapshot alive. KeyError for a name that is not in ROW_COLUMNS.");

static PyObject *
snapshot_column(PyObject *op, PyObject *name)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    const char *text =
        PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    const etwc_column *column =
        text ? etwc_column_named(ETWC_TABLE_PROCESSES, text) : NULL;
    if (column == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    size_t count;
    const etwc_process_row *rows = etwc_snapshot_rows(self->snapshot, &count);
    if (rows == NULL)
        return PyErr_NoMemory();
    return pyetw_row_column_new(self->state, op, column, rows, count, sizeof *rows);
}

static const char *const table_names[] = {"processes", "threads", "processors"};
_Static_assert(ETWC_ARRAY_SIZE(table_names) == ETWC_TABLE_COUNT, "one name each");

PyDoc_STRVAR(
    table_doc,
    "table($self, name, base=None, /)\n--\n\n"
    "All rows of \"processes\", \"threads\" (dead ones too; empty unless everything\n"
    "was asked for) or \"processors\" as a RowTable. With base, an earlier snapshot\n"
    "of the same aggregate, counters and times are the difference to it.");

static PyObject *
snapshot_table(PyObject *op, PyObject *args)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    const char *name;
    PyObject *base = Py_None;
    if (!PyArg_ParseTuple(args, "s|O:table", &name, &base) ||
        !pyetw_snapshot_check_base(op, base))
        return NULL;
    for (int kind = 0; kind < ETWC_TABLE_COUNT; kind++)
        if (strcmp(name, table_names[kind]) == 0)
            return pyetw_table_new(self->state, self->snapshot, (etwc_table_kind)kind,
                                   base_of(base));
    PyErr_Format(PyExc_ValueError, "no table %s", name);
    return NULL;
}

/* ---- Rows ---------------------------------------------------------------------------- */

bool
pyetw_snapshot_has_row(PyObject *snapshot, Py_ssize_t index)
{
    size_t count = etwc_snapshot_row_count(pyetw_snapshot_get(snapshot));
    if (index >= 0 && (size_t)index < count)
        return true;
    PyErr_SetString(PyExc_IndexError, "no such row");
    return false;
}

static PyObject *
value_at(const etwc_process_row *row, const etwc_column *column)
{
    const uint8_t *place = (const uint8_t *)row + column->offset;
    uint32_t u32;
    uint64_t u64;
    int64_t i64;
    switch (column->format) {
    case 'I':
        memcpy(&u32, place, sizeof u32);
        return PyLong_FromUnsignedLong(u32);
    case 'q':
        memcpy(&i64, place, sizeof i64);
        return PyLong_FromLongLong(i64);
    default:
        memcpy(&u64, place, sizeof u64);
        return PyLong_FromUnsignedLongLong(u64);
    }
}

static size_t
column_count(void)
{
    size_t count = 0;
    while (etwc_column_at(ETWC_TABLE_PROCESSES, count) != NULL)
        count++;
    return count;
}

PyDoc_STRVAR(
    row_doc,
    "row($self, index, base=None, /)\n--\n\n"
    "The values of one row, in the order of ROW_COLUMNS. With base, an earlier\n"
    "snapshot of the same aggregate, counters are the difference to it.");

static PyObject *
snapshot_row(PyObject *op, PyObject *args)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index;
    PyObject *base = Py_None;
    if (!PyArg_ParseTuple(args, "n|O:row", &index, &base) ||
        !pyetw_snapshot_check_base(op, base))
        return NULL;
    if (!pyetw_snapshot_has_row(op, index))
        return NULL;
    etwc_process_row part;
    etwc_snapshot_difference(self->snapshot, (size_t)index, base_of(base), &part);
    size_t count = column_count();
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *value = value_at(&part, etwc_column_at(ETWC_TABLE_PROCESSES, i));
        if (value == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, value) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

PyObject *
pyetw_entry_text(const etwc_text_entry *text)
{
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text->bytes, (Py_ssize_t)text->length, "surrogatepass");
}

PyDoc_STRVAR(texts_doc,
             "texts($self, index, /)\n--\n\n"
             "(name, command_line, user_sid, package_full_name, application_id,\n"
             "image_path) of one row; None for what is unknown.");

static PyObject *
snapshot_texts(PyObject *op, PyObject *number)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    const etwc_row_texts *texts = etwc_snapshot_texts(self->snapshot, (size_t)index);
    return Py_BuildValue(
        "(NNNNNN)", pyetw_entry_text(texts->name),
        pyetw_entry_text(texts->command_line), pyetw_entry_text(texts->user_sid),
        pyetw_entry_text(texts->package_full_name),
        pyetw_entry_text(texts->application_id), pyetw_entry_text(texts->image_path));
}

PyDoc_STRVAR(name_doc,
             "name($self, index, /)\n--\n\nName of one row's process, or None.");

static PyObject *
snapshot_name(PyObject *op, PyObject *number)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    return pyetw_entry_text(etwc_snapshot_texts(self->snapshot, (size_t)index)->name);
}

PyDoc_STRVAR(
    active_doc,
    "active($self, since, base=None, /)\n--\n\n"
    "Numbers of the rows that have a part in the interval from `since` (FILETIME)\n"
    "to this snapshot: not ended by then, or counted something since base.");

static PyObject *
snapshot_active(PyObject *op, PyObject *args)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    long long since;
    PyObject *base = Py_None;
    if (!PyArg_ParseTuple(args, "L|O:active", &since, &base) ||
        !pyetw_snapshot_check_base(op, base))
        return NULL;
    const etwc_snapshot *earlier = base_of(base);
    size_t count = etwc_snapshot_row_count(self->snapshot);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < count; i++) {
        if (!etwc_snapshot_is_active(self->snapshot, i, since, earlier))
            continue;
        PyObject *number = PyLong_FromSize_t(i);
        if (number == NULL || PyList_Append(list, number) < 0)
            Py_CLEAR(list);
        Py_XDECREF(number);
    }
    return list;
}

/* ---- Waits ------------------------------------------------------------------------------- */

static int
put_wait(pyetw_state *state, PyObject *dict, uint32_t reason, uint64_t ns)
{
    const char *known = etwc_wait_reason_name(reason);
    PyObject *name = known ? Py_XNewRef(pyetw_static_name(state, known))
                           : PyUnicode_FromFormat("%lu", (unsigned long)reason);
    PyObject *value = PyLong_FromLongLong((int64_t)ns);
    int result = name && value ? PyDict_SetItem(dict, name, value) : -1;
    Py_XDECREF(name);
    Py_XDECREF(value);
    return result;
}

PyObject *
pyetw_waits(PyObject *op, size_t index, const etwc_snapshot *base)
{
    pyetw_state *state = pyetw_state_of(Py_TYPE(op));
    etwc_wait_row waits[ETWC_WAIT_REASONS];
    size_t count = etwc_snapshot_waits(pyetw_snapshot_get(op), index, base, waits);
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++)
        if (waits[i].ns != 0 && put_wait(state, dict, waits[i].reason, waits[i].ns) < 0)
            Py_CLEAR(dict);
    return dict;
}

PyDoc_STRVAR(
    waits_doc,
    "waits($self, index, base=None, /)\n--\n\n"
    "ns that the threads of one row's process waited, by name of the reason;\n"
    "reasons without a part are left out. With base, an earlier snapshot, what\n"
    "was added since.");

static PyObject *
snapshot_waits(PyObject *op, PyObject *args)
{
    Py_ssize_t index;
    PyObject *base = Py_None;
    if (!PyArg_ParseTuple(args, "n|O:waits", &index, &base) ||
        !pyetw_snapshot_check_base(op, base))
        return NULL;
    if (!pyetw_snapshot_has_row(op, index))
        return NULL;
    return pyetw_waits(op, (size_t)index, base_of(base));
}

/* ---- Who a row is ------------------------------------------------------------------------ */

PyDoc_STRVAR(
    parent_doc,
    "parent($self, index, /)\n--\n\n"
    "Number of the row of the process that started one row's, or None: the one\n"
    "that had the id it names at that time.");

static PyObject *
snapshot_parent(PyObject *op, PyObject *number)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    size_t parent = etwc_snapshot_parent(self->snapshot, (size_t)index);
    if (parent == ETWC_NO_ROW)
        Py_RETURN_NONE;
    return PyLong_FromSize_t(parent);
}

PyDoc_STRVAR(process_id_doc, "process_id($self, index, /)\n--\n\nOf one row.");

static PyObject *
snapshot_process_id(PyObject *op, PyObject *number)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    return PyLong_FromUnsignedLong(
        etwc_snapshot_process_id(self->snapshot, (size_t)index));
}

PyDoc_STRVAR(row_id_doc,
             "row_id($self, index, /)\n--\n\n"
             "Of one row: the same in other snapshots, and never given twice.");

static PyObject *
snapshot_row_id(PyObject *op, PyObject *number)
{
    pyetw_snapshot *self = (pyetw_snapshot *)op;
    Py_ssize_t index = PyLong_AsSsize_t(number);
    if ((index == -1 && PyErr_Occurred()) || !pyetw_snapshot_has_row(op, index))
        return NULL;
    return PyLong_FromUnsignedLongLong(
        etwc_snapshot_row_id(self->snapshot, (size_t)index));
}

PyDoc_STRVAR(row_id_end_doc, "Above the row_id of every row.");

static PyObject *
snapshot_get_row_id_end(PyObject *op, void *unused)
{
    const etwc_snapshot *snapshot = ((pyetw_snapshot *)op)->snapshot;
    size_t count = etwc_snapshot_row_count(snapshot);
    (void)unused;
    return PyLong_FromUnsignedLongLong(
        count == 0 ? 0 : etwc_snapshot_row_id(snapshot, count - 1) + 1);
}

/* ---- The type -------------------------------------------------------------------------- */

static Py_ssize_t
snapshot_length(PyObject *op)
{
    return (Py_ssize_t)etwc_snapshot_row_count(((pyetw_snapshot *)op)->snapshot);
}

static PyObject *
snapshot_repr(PyObject *op)
{
    const etwc_machine_row *m = etwc_snapshot_machine(((pyetw_snapshot *)op)->snapshot);
    return PyUnicode_FromFormat("<Snapshot of %zd rows after %llu events>",
                                snapshot_length(op), (unsigned long long)m->events);
}

static void
snapshot_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    etwc_snapshot_free(((pyetw_snapshot *)op)->snapshot);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(latency_doc, "latency($self, index, kind, base=None, /)\n--\n\n"
                          "(operations, total_ns, p50_ns, p99_ns, max_ns) of one row's "
                          "disk operations, of the\n"
                          "whole machine for None; kind: 0 read, 1 write, 2 flush.");
PyDoc_STRVAR(
    latency_steps_doc,
    "latency_steps($self, index, kind, base=None, /)\n--\n\n"
    "The histogram behind latency: (begin_ns, end_ns, operations) of each step\n"
    "that is not empty.");
PyDoc_STRVAR(
    disk_priorities_doc,
    "disk_priorities($self, index, base=None, /)\n--\n\n"
    "Disk reads and writes of one row, or of the machine for None, by priority.");
PyDoc_STRVAR(objects_doc,
             "objects($self, index, base=None, /)\n--\n\n"
             "Handles of one row by type: (number, name or None, opened, closed,\n"
             "duplicated) of each type that counted something.");

PyDoc_STRVAR(
    threads_doc,
    "threads($self, index, /)\n--\n\n"
    "All threads of one row's process, dead ones too: tuples of (thread_id,\n"
    "begin_filetime, end_filetime, run_ns, context_switches, samples,\n"
    "kernel_ticks, user_ticks, name, ready_ns, wait_ns, voluntary_switches,\n"
    "involuntary_switches, migrations, state, wait_reason, base_priority,\n"
    "cycles); None for what is unknown. Empty unless everything was asked for.");
PyDoc_STRVAR(thread_name_doc,
             "thread_name($self, index, /)\n--\n\n"
             "Name of the thread at that position of the table of threads, or None.");
PyDoc_STRVAR(
    images_doc,
    "images($self, index, /)\n--\n\n"
    "All images of one row's process, in the order they were told of: tuples of\n"
    "(file_name, base, size, load_filetime, unload_filetime, checksum,\n"
    "time_date_stamp); the last two are None when no record told them. Empty unless\n"
    "everything was asked for.");
PyDoc_STRVAR(
    machine_doc,
    "The machine as a whole, as a dict. Ticks are session clock: process +\n"
    "unowned + idle + dpc + isr + unknown = processors x wall. presence: 0 the\n"
    "trace lacks such events, or all of them are nobody's (unclaimed_by), 1 they\n"
    "were switched on, 2 seen. cpu_source and mode_source: which of them CPU time\n"
    "and its kernel and user part are from.");
PyDoc_STRVAR(machine_since_doc,
             "machine_since($self, base, /)\n--\n\n"
             "As machine, with the counters and times since base, an earlier snapshot\n"
             "or None.");

static PyMethodDef snapshot_methods[] = {
    {"column", snapshot_column, METH_O, column_doc},
    {"table", snapshot_table, METH_VARARGS, table_doc},
    {"row", snapshot_row, METH_VARARGS, row_doc},
    {"texts", snapshot_texts, METH_O, texts_doc},
    {"name", snapshot_name, METH_O, name_doc},
    {"active", snapshot_active, METH_VARARGS, active_doc},
    {"waits", snapshot_waits, METH_VARARGS, waits_doc},
    {"thread_name", pyetw_snapshot_thread_name, METH_O, thread_name_doc},
    {"machine_since", pyetw_snapshot_machine_since, METH_O, machine_since_doc},
    {"samples", pyetw_snapshot_samples, METH_VARARGS, pyetw_snapshot_samples_doc},
    {"parent", snapshot_parent, METH_O, parent_doc},
    {"process_id", snapshot_process_id, METH_O, process_id_doc},
    {"row_id", snapshot_row_id, METH_O, row_id_doc},
    {"threads", pyetw_snapshot_threads, METH_O, threads_doc},
    {"images", pyetw_snapshot_images, METH_O, images_doc},
    {"latency", pyetw_snapshot_latency, METH_VARARGS, latency_doc},
    {"latency_steps", pyetw_snapshot_latency_steps, METH_VARARGS, latency_steps_doc},
    {"disk_priorities", pyetw_snapshot_disk_priorities, METH_VARARGS,
     disk_priorities_doc},
    {"objects", pyetw_snapshot_objects, METH_VARARGS, objects_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(filetime_doc, "FILETIME of the moment it shows.");

static PyObject *
snapshot_get_filetime(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(
        etwc_snapshot_machine(((pyetw_snapshot *)op)->snapshot)->filetime);
}

static PyGetSetDef snapshot_getset[] = {
    {"filetime", snapshot_get_filetime, NULL, filetime_doc, NULL},
    {"row_id_end", snapshot_get_row_id_end, NULL, row_id_end_doc, NULL},
    {"machine", pyetw_snapshot_machine, NULL, machine_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    snapshot_doc,
    "All rows of an aggregate at one moment, immutable. len() is the number of\n"
    "rows. Positions are of this snapshot alone: the column row_id tells which row\n"
    "of another one is the same. ROW_COLUMNS of the module names the columns.");

static PyType_Slot snapshot_slots[] = {
    {Py_tp_doc, (void *)snapshot_doc},
    {Py_tp_dealloc, snapshot_dealloc},
    {Py_tp_repr, snapshot_repr},
    {Py_tp_methods, snapshot_methods},
    {Py_tp_getset, snapshot_getset},
    {Py_sq_length, snapshot_length},
    {0, NULL},
};

static PyType_Spec snapshot_spec = {
    .name = "etwmon._etwcore.Snapshot",
    .basicsize = sizeof(pyetw_snapshot),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = snapshot_slots,
};

PyObject *
pyetw_snapshot_new(pyetw_state *state, etwc_snapshot *snapshot)
{
    allocfunc alloc = PyType_GetSlot(state->snapshot_type, Py_tp_alloc);
    pyetw_snapshot *self = (pyetw_snapshot *)alloc(state->snapshot_type, 0);
    if (self == NULL) {
        etwc_snapshot_free(snapshot);
        return NULL;
    }
    self->state = state;
    self->snapshot = snapshot;
    return (PyObject *)self;
}

int
pyetw_snapshot_exec(PyObject *module, pyetw_state *state)
{
    PyObject *names = pyetw_row_column_names(ETWC_TABLE_PROCESSES);
    if (names == NULL || PyModule_AddObjectRef(module, "ROW_COLUMNS", names) < 0) {
        Py_XDECREF(names);
        return -1;
    }
    Py_DECREF(names);
    state->snapshot_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &snapshot_spec, NULL);
    if (state->snapshot_type == NULL)
        return -1;
    return PyModule_AddType(module, state->snapshot_type);
}
