/*
 * RowTable: the rows of one kind, of an interval or of all time, as columns. It holds
 * its rows itself, so it outlives the snapshots that it was made of. Immutable: every
 * method may be called from any thread.
 */
#include "py_aggregate.h"

#include "etwc_alloc.h"

/* ---- Columns ------------------------------------------------------------------------- */

/* Exports one column; only memoryviews of it leave this file. */
typedef struct pyetw_row_column {
    PyObject_HEAD
    PyObject *owner; /* of the rows */
    const uint8_t *values;
    Py_ssize_t shape, stride;
    char format[2];
} pyetw_row_column;

static int
row_column_getbuffer(PyObject *op, Py_buffer *view, int flags)
{
    pyetw_row_column *self = (pyetw_row_column *)op;
    view->obj = NULL;
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE ||
        (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only and strided");
        return -1;
    }
    Py_ssize_t size = self->format[0] == 'I' ? 4 : 8;
    *view = (Py_buffer){
        .buf = (void *)(uintptr_t)self->values,
        .obj = Py_NewRef(op),
        .len = self->shape * size,
        .itemsize = size,
        .readonly = 1,
        .ndim = 1,
        .format = (flags & PyBUF_FORMAT) ? self->format : NULL,
        .shape = &self->shape,
        .strides = &self->stride,
    };
    return 0;
}

static void
row_column_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    Py_XDECREF(((pyetw_row_column *)op)->owner);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyType_Slot row_column_slots[] = {
    {Py_tp_doc, "Exports one column of rows."},
    {Py_tp_dealloc, row_column_dealloc},
    {Py_bf_getbuffer, row_column_getbuffer},
    {0, NULL},
};

static PyType_Spec row_column_spec = {
    .name = "etwmon._etwcore.SnapshotColumn",
    .basicsize = sizeof(pyetw_row_column),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = row_column_slots,
};

PyObject *
pyetw_row_column_new(pyetw_state *state, PyObject *owner, const etwc_column *column,
                     const void *rows, size_t count, size_t row_size)
{
    PyTypeObject *type = state->snapshot_column_type;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_row_column *exporter = (pyetw_row_column *)alloc(type, 0);
    if (exporter == NULL)
        return NULL;
    exporter->owner = Py_NewRef(owner);
    exporter->values = (const uint8_t *)rows + column->offset;
    exporter->shape = (Py_ssize_t)count;
    exporter->stride = (Py_ssize_t)row_size;
    exporter->format[0] = column->format;
    PyObject *view = PyMemoryView_FromObject((PyObject *)exporter);
    Py_DECREF((PyObject *)exporter);
    return view;
}

PyObject *
pyetw_row_column_names(etwc_table_kind kind)
{
    Py_ssize_t count = 0;
    while (etwc_column_at(kind, (size_t)count) != NULL)
        count++;
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *name =
            PyUnicode_InternFromString(etwc_column_at(kind, (size_t)i)->name);
        if (name == NULL || PyTuple_SetItem(tuple, i, name) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* ---- The table ------------------------------------------------------------------------- */

typedef struct pyetw_table {
    PyObject_HEAD
    pyetw_state *state; /* borrowed: alive as long as the type */
    etwc_table_kind kind;
    void *rows; /* owned */
    size_t count;
} pyetw_table;

PyObject *
pyetw_table_new(pyetw_state *state, const etwc_snapshot *snapshot, etwc_table_kind kind,
                const etwc_snapshot *base)
{
    allocfunc alloc = PyType_GetSlot(state->table_type, Py_tp_alloc);
    pyetw_table *self = (pyetw_table *)alloc(state->table_type, 0);
    if (self == NULL)
        return NULL;
    self->state = state;
    self->kind = kind;
    self->count = etwc_snapshot_table_count(snapshot, kind);
    self->rows = etwc_calloc(self->count, etwc_table_row_size(kind));
    if (self->rows == NULL) {
        Py_DECREF((PyObject *)self);
        return PyErr_NoMemory();
    }
    etwc_snapshot_table(snapshot, kind, base, self->rows);
    return (PyObject *)self;
}

static void
table_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    etwc_free(((pyetw_table *)op)->rows);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

PyDoc_STRVAR(
    table_column_doc,
    "column($self, name, /)\n--\n\n"
    "One column as a read-only memoryview, without a copy; it keeps the table\n"
    "alive. KeyError for a name that is not in columns.");

static PyObject *
table_column(PyObject *op, PyObject *name)
{
    pyetw_table *self = (pyetw_table *)op;
    const char *text =
        PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    const etwc_column *column = text ? etwc_column_named(self->kind, text) : NULL;
    if (column == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetObject(PyExc_KeyError, name);
        return NULL;
    }
    return pyetw_row_column_new(self->state, op, column, self->rows, self->count,
                                etwc_table_row_size(self->kind));
}

PyDoc_STRVAR(columns_doc, "Names of the columns.");

static PyObject *
table_get_columns(PyObject *op, void *unused)
{
    (void)unused;
    return pyetw_row_column_names(((pyetw_table *)op)->kind);
}

static Py_ssize_t
table_length(PyObject *op)
{
    return (Py_ssize_t)((pyetw_table *)op)->count;
}

static PyMethodDef table_methods[] = {
    {"column", table_column, METH_O, table_column_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef table_getset[] = {
    {"columns", table_get_columns, NULL, columns_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(table_type_doc,
             "Rows of one kind as columns, immutable. len() counts rows.");

static PyType_Slot table_slots[] = {
    {Py_tp_doc, (void *)table_type_doc}, {Py_tp_dealloc, table_dealloc},
    {Py_tp_methods, table_methods},      {Py_tp_getset, table_getset},
    {Py_sq_length, table_length},        {0, NULL},
};

static PyType_Spec table_spec = {
    .name = "etwmon._etwcore.RowTable",
    .basicsize = sizeof(pyetw_table),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = table_slots,
};

int
pyetw_table_exec(PyObject *module, pyetw_state *state)
{
    state->snapshot_column_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &row_column_spec, NULL);
    state->table_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &table_spec, NULL);
    if (state->snapshot_column_type == NULL || state->table_type == NULL)
        return -1;
    return PyModule_AddType(module, state->table_type);
}
