/*
 * RowView: what one row says of an interval, for the groups of metrics that are made
 * of it. Immutable, so it may be read from any thread.
 */
#include "py_fields.h"
#include "py_group.h"

#include <structmember.h>

static PyObject *
row_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"interval", "snapshot", "base", "number", NULL};
    pyetw_state *state = pyetw_state_of(type);
    PyObject *interval, *snapshot, *base;
    Py_ssize_t number;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!On:RowView", names, &interval,
                                     state->snapshot_type, &snapshot, &base, &number) ||
        !pyetw_snapshot_check_base(snapshot, base))
        return NULL;
    const etwc_snapshot *now = pyetw_snapshot_get(snapshot);
    if (number < 0 || (size_t)number >= etwc_snapshot_row_count(now)) {
        PyErr_SetString(PyExc_IndexError, "no such row");
        return NULL;
    }
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_row *self = (pyetw_row *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->interval = Py_NewRef(interval);
    self->snapshot = Py_NewRef(snapshot);
    self->base = Py_NewRef(base);
    self->number = number;
    etwc_snapshot_difference(now, (size_t)number,
                             base == Py_None ? NULL : pyetw_snapshot_get(base),
                             &self->part);
    return (PyObject *)self;
}

static int
row_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_row *)op)->interval);
    Py_VISIT(((pyetw_row *)op)->snapshot);
    Py_VISIT(((pyetw_row *)op)->base);
    return 0;
}

/* There is no tp_clear: a cycle would have to pass through the interval. */
static void
row_dealloc(PyObject *op)
{
    pyetw_row *self = (pyetw_row *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_XDECREF(self->interval);
    Py_XDECREF(self->snapshot);
    Py_XDECREF(self->base);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

PyObject *
pyetw_row_at(const pyetw_row *row, const etwc_column *column)
{
    const uint8_t *place = (const uint8_t *)&row->part + column->offset;
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

static pyetw_state *
state_of(const pyetw_row *row)
{
    return pyetw_state_of(Py_TYPE((PyObject *)(uintptr_t)row));
}

static PyObject *
of_interval(const pyetw_row *row, const char *attribute)
{
    PyObject *name = pyetw_static_name(state_of(row), attribute);
    return name == NULL ? NULL : PyObject_GetAttr(row->interval, name);
}

int
pyetw_row_is_whole(const pyetw_row *row)
{
    PyObject *answer = of_interval(row, "is_whole");
    int is_whole = answer == NULL ? -1 : PyObject_IsTrue(answer);
    Py_XDECREF(answer);
    return is_whole;
}

bool
pyetw_row_begin(const pyetw_row *row, int64_t *out)
{
    PyObject *begin = of_interval(row, "begin");
    if (begin == NULL)
        return false;
    *out = PyLong_AsLongLong(begin);
    Py_DECREF(begin);
    return *out != -1 || !PyErr_Occurred();
}

bool
pyetw_put_count(const pyetw_row *row, PyObject *dict, const char *name, uint64_t count)
{
    PyObject *key = pyetw_static_name(state_of(row), name);
    PyObject *value = key == NULL ? NULL : PyLong_FromUnsignedLongLong(count);
    bool ok = value != NULL && PyDict_SetItem(dict, key, value) == 0;
    Py_XDECREF(value);
    return ok;
}

static PyObject *
row_get_known(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(((const pyetw_row *)op)->part.known);
}

static PyGetSetDef row_getset[] = {
    {"known", row_get_known, NULL, "Bits of what is known of it.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef row_members[] = {
    {"interval", T_OBJECT_EX, offsetof(pyetw_row, interval), READONLY, "Its interval."},
    {"number", T_PYSSIZET, offsetof(pyetw_row, number), READONLY,
     "Its position in the snapshot."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot row_slots[] = {
    {Py_tp_doc, "RowView(interval, snapshot, base, number)\n--\n\n"
                "What a row says of the interval from base (or None) to snapshot."},
    {Py_tp_new, row_new},
    {Py_tp_traverse, row_traverse},
    {Py_tp_dealloc, row_dealloc},
    {Py_tp_getset, row_getset},
    {Py_tp_members, row_members},
    {0, NULL},
};

static PyType_Spec row_spec = {
    .name = "etwmon._etwcore.RowView",
    .basicsize = sizeof(pyetw_row),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = row_slots,
};

int
pyetw_row_exec(PyObject *module, pyetw_state *state)
{
    state->row_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &row_spec, NULL);
    return state->row_type == NULL ? -1 : PyModule_AddType(module, state->row_type);
}
