/*
 * Columns of a batch: strided views on its rows, or arrays that are computed once,
 * on demand, and the memory of its payloads. Each view holds the batch and counts
 * as an export of it.
 */
#include "py_batch.h"

#include <stddef.h>

#include "etwc_alloc.h"
#include "etwc_block.h"

enum { GUID_BYTES = 16 };

/* ---- Which columns there are ------------------------------------------------------------ */

typedef struct column_spec {
    const char *name;
    const char *format;
    size_t offset; /* in the row */
    size_t size;   /* of one item */
    int made;      /* MADE_*, or IN_ROW */
} column_spec;

#define ROW(name, format, member)                                                      \
    {                                                                                  \
        name, format, offsetof(etwc_event, member), sizeof(((etwc_event *)0)->member), \
            IN_ROW                                                                     \
    }
#define MADE(name, format, type, which)      \
    {                                        \
        name, format, 0, sizeof(type), which \
    }

static const column_spec columns[] = {
    ROW("filetime", "q", filetime),
    MADE("timestamp_ns", "q", int64_t, MADE_TIMESTAMP_NS),
    MADE("relative_ms", "d", double, MADE_RELATIVE_MS),
    ROW("raw_time", "q", raw_time),
    ROW("cpu", "I", processor),
    ROW("pid", "I", process_id),
    ROW("tid", "I", thread_id),
    MADE("process", "I", uint32_t, MADE_PROCESS),
    ROW("provider_id", "B", provider_id),
    ROW("kind", "B", kind),
    ROW("id", "H", id),
    ROW("version", "B", version),
    ROW("opcode", "B", opcode),
    ROW("level", "B", level),
    ROW("task", "H", task),
    ROW("channel", "B", channel),
    ROW("keyword", "Q", keyword),
    ROW("activity_id", "B", activity_id),
    ROW("flags", "H", flags),
    ROW("kernel_time", "I", kernel_ticks),
    ROW("user_time", "I", user_ticks),
    ROW("pointer_size", "B", pointer_size),
    ROW("file", "I", file_index),
    MADE("payload_buffer", "I", uint32_t, MADE_PAYLOAD_BUFFER),
    MADE("payload_offset", "I", uint32_t, MADE_PAYLOAD_OFFSET),
    ROW("payload_size", "I", payload_size),
};

enum { COLUMN_COUNT = sizeof columns / sizeof columns[0] };

/* ---- Computed columns --------------------------------------------------------------------- */

static void
make_timestamp_ns(const pyetw_batch *batch, int64_t *out)
{
    for (size_t i = 0; i < batch->count; i++)
        out[i] = etwc_clock_unix_ns(batch->rows[i].filetime);
}

static void
make_relative_ms(const pyetw_batch *batch, double *out)
{
    for (size_t i = 0; i < batch->count; i++) {
        const etwc_event *row = &batch->rows[i];
        const pyetw_file *file = &batch->trace->files[row->file_index];
        out[i] = etwc_clock_relative_ms(&file->clock, row->raw_time);
    }
}

static void
make_process(const pyetw_batch *batch, uint32_t *out)
{
    for (size_t i = 0; i < batch->count; i++)
        out[i] = pyetw_trace_owner(batch->trace, &batch->rows[i]);
}

static void
make_payload_offset(const pyetw_batch *batch, uint32_t *out)
{
    for (size_t i = 0; i < batch->count; i++) {
        const etwc_event *row = &batch->rows[i];
        out[i] = row->payload_size
                     ? (uint32_t)(row->payload - etwc_block_bytes(row->block))
                     : 0;
    }
}

/* The values of a column: its first item and the stride. NULL with an error. */
static void *
column_values(pyetw_batch *batch, const column_spec *spec, size_t *stride)
{
    if (spec->made == IN_ROW) {
        *stride = sizeof *batch->rows;
        return (char *)batch->rows + spec->offset;
    }
    *stride = spec->size;
    if (batch->made[spec->made] != NULL)
        return batch->made[spec->made];
    if (spec->made == MADE_PROCESS && pyetw_trace_need_lifetimes(batch->trace) < 0)
        return NULL;
    void *values = etwc_calloc(batch->count, spec->size);
    if (values == NULL)
        return PyErr_NoMemory();
    switch (spec->made) {
    case MADE_TIMESTAMP_NS:
        make_timestamp_ns(batch, values);
        break;
    case MADE_RELATIVE_MS:
        make_relative_ms(batch, values);
        break;
    case MADE_PROCESS:
        make_process(batch, values);
        break;
    default:
        make_payload_offset(batch, values);
        break;
    }
    /* Finding owners may have let another thread in. */
    if (batch->made[spec->made] == NULL)
        batch->made[spec->made] = values;
    else
        etwc_free(values);
    return batch->made[spec->made];
}

/* ---- Columns and blocks as Python buffers --------------------------------------------------- */

/* Exports a part of a batch's memory; only memoryviews of it leave this file. */
typedef struct pyetw_column {
    PyObject_HEAD
    pyetw_batch *batch;
    const column_spec *spec; /* NULL: the bytes of a block */
    void *values;
    Py_ssize_t shape[2];
    Py_ssize_t strides[2];
} pyetw_column;

static int
column_getbuffer(PyObject *op, Py_buffer *view, int flags)
{
    pyetw_column *column = (pyetw_column *)op;
    view->obj = NULL;
    if (!pyetw_batch_check_held(column->batch))
        return -1;
    if (column->spec == NULL) {
        if (PyBuffer_FillInfo(view, op, column->values, column->shape[0], 1, flags) < 0)
            return -1;
        column->batch->exports++;
        return 0;
    }
    if ((flags & PyBUF_WRITABLE) == PyBUF_WRITABLE ||
        (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError, "a column is read-only and strided");
        return -1;
    }
    bool is_guid = column->spec->size == GUID_BYTES;
    Py_ssize_t item_size = is_guid ? 1 : (Py_ssize_t)column->spec->size;
    *view = (Py_buffer){
        .buf = column->values,
        .obj = Py_NewRef(op),
        .len = column->shape[0] * (Py_ssize_t)column->spec->size,
        .itemsize = item_size,
        .readonly = 1,
        .ndim = is_guid ? 2 : 1,
        .format =
            (flags & PyBUF_FORMAT) ? (char *)(uintptr_t)column->spec->format : NULL,
        .shape = column->shape,
        .strides = column->strides,
    };
    column->batch->exports++;
    return 0;
}

static void
column_releasebuffer(PyObject *op, Py_buffer *view)
{
    (void)view;
    ((pyetw_column *)op)->batch->exports--;
}

static int
column_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_column *)op)->batch);
    return 0;
}

static void
column_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_XDECREF((PyObject *)((pyetw_column *)op)->batch);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static PyType_Slot column_slots[] = {
    {Py_tp_doc, "Exports one column, or one buffer, of a batch."},
    {Py_tp_traverse, column_traverse},
    {Py_tp_dealloc, column_dealloc},
    {Py_bf_getbuffer, column_getbuffer},
    {Py_bf_releasebuffer, column_releasebuffer},
    {0, NULL},
};

static PyType_Spec column_spec_of_type = {
    .name = "etwmon._etwcore.Column",
    .basicsize = sizeof(pyetw_column),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = column_slots,
};

static PyObject *
export_memory(pyetw_batch *batch, const column_spec *spec, void *values, size_t count,
              size_t stride)
{
    pyetw_column *column =
        PyObject_GC_New(pyetw_column, batch->trace->state->column_type);
    if (column == NULL)
        return NULL;
    column->batch = (pyetw_batch *)Py_NewRef((PyObject *)batch);
    column->spec = spec;
    column->values = values;
    column->shape[0] = (Py_ssize_t)count;
    column->shape[1] = GUID_BYTES;
    column->strides[0] = (Py_ssize_t)stride;
    column->strides[1] = 1;
    PyObject_GC_Track((PyObject *)column);
    PyObject *view = PyMemoryView_FromObject((PyObject *)column);
    Py_DECREF((PyObject *)column);
    return view;
}

PyObject *
pyetw_batch_column(pyetw_batch *batch, PyObject *name)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        if (PyUnicode_CompareWithASCIIString(name, columns[i].name) != 0)
            continue;
        size_t stride;
        /* Another thread must not release the batch while owners are looked up. */
        batch->exports++;
        void *values = column_values(batch, &columns[i], &stride);
        batch->exports--;
        return values == NULL
                   ? NULL
                   : export_memory(batch, &columns[i], values, batch->count, stride);
    }
    PyErr_Format(PyExc_KeyError, "no column %R; see EventBatch.columns", name);
    return NULL;
}

PyObject *
pyetw_batch_get_buffers(PyObject *op, void *unused)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    (void)unused;
    if (!pyetw_batch_check_held(batch))
        return NULL;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < batch->block_count; i++) {
        etwc_block *block = batch->blocks[i];
        PyObject *view = export_memory(batch, NULL, etwc_block_bytes(block),
                                       etwc_block_size(block), 1);
        if (view == NULL || PyList_Append(list, view) < 0)
            Py_CLEAR(list);
        Py_XDECREF(view);
    }
    return list;
}

PyObject *
pyetw_batch_get_columns(PyObject *op, void *unused)
{
    (void)op;
    (void)unused;
    PyObject *tuple = PyTuple_New(COLUMN_COUNT);
    for (Py_ssize_t i = 0; tuple != NULL && i < COLUMN_COUNT; i++) {
        PyObject *name = PyUnicode_InternFromString(columns[i].name);
        if (name == NULL || PyTuple_SetItem(tuple, i, name) < 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

int
pyetw_column_exec(PyObject *module, pyetw_state *state)
{
    state->column_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &column_spec_of_type, NULL);
    return state->column_type == NULL ? -1
                                      : PyModule_AddType(module, state->column_type);
}
