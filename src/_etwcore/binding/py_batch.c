/*
 * Batches: contiguous rows of event headers with their payloads left where they
 * lie. A column is a strided view on the rows (buffer protocol), so that NumPy
 * sees thousands of events without a copy and without an object for each.
 *
 * Columns that the row does not hold are computed once per batch, on demand. A
 * batch holds the blocks of its payloads until it is released; release() refuses
 * while a view of it lives.
 */
#include <stddef.h>

#include "etwc_alloc.h"
#include "etwc_block.h"
#include "py_event.h"
#include "py_iterate.h"

enum { FIRST_ROWS = 256, GUID_BYTES = 16 };

/* Columns that are computed; each becomes one array of 8-byte items or smaller. */
enum {
    MADE_TIMESTAMP_NS,
    MADE_RELATIVE_MS,
    MADE_PROCESS,
    MADE_PAYLOAD_OFFSET,
    MADE_PAYLOAD_BUFFER, /* made while the batch is filled */
    MADE_COUNT,
    IN_ROW = MADE_COUNT
};

typedef struct pyetw_batch {
    PyObject_HEAD
    pyetw_trace *trace;
    etwc_event *rows;
    size_t count;
    void *made[MADE_COUNT]; /* NULL until asked for */
    etwc_block **blocks;    /* distinct, in the order of first use; retained */
    size_t block_count;
    size_t block_capacity;
    size_t number_capacity; /* of made[MADE_PAYLOAD_BUFFER] */
    size_t exports;         /* live views on rows and blocks */
    bool is_released;
} pyetw_batch;

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

static bool
check_held(const pyetw_batch *batch)
{
    if (!batch->is_released)
        return true;
    PyErr_SetString(PyExc_ValueError, "the batch was released");
    return false;
}

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
    if (!check_held(column->batch))
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

/* ---- Filling a batch -------------------------------------------------------------------------- */

/* The number of a block in the batch, which retains it unless it has it already. A
 * block that comes back after a long time may be retained twice: that costs no more
 * than a number. False when memory is out. */
static bool
hold_block(pyetw_batch *batch, etwc_block *block, uint32_t *out)
{
    enum { LOOK_BACK = 64 };
    size_t count = batch->block_count;
    size_t first = count > LOOK_BACK ? count - LOOK_BACK : 0;
    for (size_t i = count; i > first; i--) {
        if (batch->blocks[i - 1] == block) {
            *out = (uint32_t)(i - 1);
            return true;
        }
    }
    void *blocks = batch->blocks;
    if (!etwc_grow(&blocks, &batch->block_capacity, count + 1, sizeof *batch->blocks))
        return false;
    batch->blocks = blocks;
    etwc_block_retain(block);
    batch->blocks[batch->block_count++] = block;
    *out = (uint32_t)count;
    return true;
}

/* Holds the blocks of the rows from `first` on, and notes their numbers. */
static bool
hold_blocks(pyetw_batch *batch, size_t first)
{
    void *numbers = batch->made[MADE_PAYLOAD_BUFFER];
    if (!etwc_grow(&numbers, &batch->number_capacity, batch->count, sizeof(uint32_t)))
        return false;
    batch->made[MADE_PAYLOAD_BUFFER] = numbers;
    uint32_t *out = numbers;
    for (size_t i = first; i < batch->count; i++) {
        if (i > 0 && batch->rows[i].block == batch->rows[i - 1].block)
            out[i] = out[i - 1];
        else if (!hold_block(batch, batch->rows[i].block, &out[i]))
            return false;
    }
    return true;
}

/* Up to `wanted` rows; fewer at the end of the trace. 0, or -1 with an error. */
static int
batch_fill(pyetw_batch *batch, pyetw_position *position, size_t wanted)
{
    size_t capacity = 0;
    while (batch->count < wanted) {
        size_t room = batch->count ? batch->count * 2 : FIRST_ROWS;
        if (batch->count == capacity) {
            if (room > wanted)
                room = wanted;
            void *rows = batch->rows;
            if (!etwc_grow(&rows, &capacity, room, sizeof *batch->rows)) {
                PyErr_NoMemory();
                return -1;
            }
            batch->rows = rows;
        }
        size_t limit = capacity < wanted ? capacity : wanted;
        size_t added;
        int result = pyetw_position_fill(position, batch->rows + batch->count,
                                         limit - batch->count, &added);
        if (result <= 0)
            return result;
        size_t first = batch->count;
        batch->count += added;
        if (!hold_blocks(batch, first)) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* ---- The batch --------------------------------------------------------------------------------- */

static void
batch_drop(pyetw_batch *batch)
{
    batch->is_released = true;
    for (size_t i = 0; i < batch->block_count; i++)
        etwc_block_release(batch->blocks[i]);
    for (int i = 0; i < MADE_COUNT; i++) {
        etwc_free(batch->made[i]);
        batch->made[i] = NULL;
    }
    etwc_free(batch->blocks);
    etwc_free(batch->rows);
    batch->blocks = NULL;
    batch->rows = NULL;
    batch->block_count = batch->count = 0;
}

static int
batch_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_batch *)op)->trace);
    return 0;
}

static void
batch_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    batch_drop((pyetw_batch *)op);
    Py_XDECREF((PyObject *)((pyetw_batch *)op)->trace);
    PyObject_GC_Del(op);
    Py_DECREF(type);
}

static Py_ssize_t
batch_length(PyObject *op)
{
    return check_held((pyetw_batch *)op) ? (Py_ssize_t)((pyetw_batch *)op)->count : -1;
}

static PyObject *
batch_item(PyObject *op, Py_ssize_t index)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    if (!check_held(batch))
        return NULL;
    if (index < 0 || (size_t)index >= batch->count) {
        PyErr_SetString(PyExc_IndexError, "the batch has no event of that number");
        return NULL;
    }
    return pyetw_event_new(batch->trace, &batch->rows[index]);
}

static PyObject *
batch_slice(pyetw_batch *batch, PyObject *slice)
{
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0)
        return NULL;
    Py_ssize_t count =
        PySlice_AdjustIndices((Py_ssize_t)batch->count, &start, &stop, step);
    PyObject *list = PyList_New(0);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *event = pyetw_event_new(batch->trace, &batch->rows[start + i * step]);
        if (event == NULL || PyList_Append(list, event) < 0)
            Py_CLEAR(list);
        Py_XDECREF(event);
    }
    return list;
}

static PyObject *
batch_column(pyetw_batch *batch, PyObject *name)
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

static PyObject *
batch_subscript(PyObject *op, PyObject *key)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    if (!check_held(batch))
        return NULL;
    if (PyUnicode_Check(key))
        return batch_column(batch, key);
    if (PySlice_Check(key))
        return batch_slice(batch, key);
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    return batch_item(op, index < 0 ? index + (Py_ssize_t)batch->count : index);
}

PyDoc_STRVAR(
    release_doc,
    "release($self, /)\n--\n\n"
    "Gives the memory back at once. BufferError while a column or buffer of the\n"
    "batch is still viewed. Events that were taken out stay valid. Idempotent.");

static PyObject *
batch_release(PyObject *op, PyObject *unused)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    (void)unused;
    if (batch->exports > 0) {
        PyErr_Format(PyExc_BufferError, "%zu views of the batch are still in use",
                     batch->exports);
        return NULL;
    }
    batch_drop(batch);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(enter_doc, "__enter__($self, /)\n--\n\nReturns the batch.");
PyDoc_STRVAR(exit_doc, "__exit__($self, /, *exc_info)\n--\n\nReleases the batch.");

static PyObject *
batch_enter(PyObject *op, PyObject *unused)
{
    (void)unused;
    return check_held((pyetw_batch *)op) ? Py_NewRef(op) : NULL;
}

static PyObject *
batch_exit(PyObject *op, PyObject *unused)
{
    return batch_release(op, unused);
}

static PyObject *
batch_get_buffers(PyObject *op, void *unused)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    (void)unused;
    if (!check_held(batch))
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

static PyObject *
batch_get_columns(PyObject *op, void *unused)
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

static PyObject *
batch_repr(PyObject *op)
{
    const pyetw_batch *batch = (pyetw_batch *)op;
    if (batch->is_released)
        return PyUnicode_FromString("<EventBatch released>");
    return PyUnicode_FromFormat("<EventBatch of %zu events in %zu buffers>",
                                batch->count, batch->block_count);
}

PyDoc_STRVAR(batch_html_doc, "_repr_html_($self, /)\n--\n\nA line for notebooks.");

static PyObject *
batch_repr_html(PyObject *op, PyObject *unused)
{
    const pyetw_batch *batch = (pyetw_batch *)op;
    (void)unused;
    return PyUnicode_FromFormat("<p><b>EventBatch</b>: %zu events in %zu buffers%s</p>",
                                batch->count, batch->block_count,
                                batch->is_released ? " (released)" : "");
}

static PyMethodDef batch_methods[] = {
    {"release", batch_release, METH_NOARGS, release_doc},
    {"__enter__", batch_enter, METH_NOARGS, enter_doc},
    {"__exit__", batch_exit, METH_VARARGS, exit_doc},
    {"_repr_html_", batch_repr_html, METH_NOARGS, batch_html_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef batch_getset[] = {
    {"buffers", batch_get_buffers, NULL,
     "Read-only views of the memory that the payloads lie in, as a list. The payload\n"
     "of row i is buffers[payload_buffer[i]][payload_offset[i]:][:payload_size[i]].",
     NULL},
    {"columns", batch_get_columns, NULL, "Names of the columns, as a tuple.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    batch_doc,
    "Rows of consecutive events. batch[i] is an Event, batch[i:j] a list of them,\n"
    "batch[\"pid\"] a column: a read-only memoryview on the rows, one item per event,\n"
    "that numpy.asarray() takes without a copy. Columns are named as the attributes\n"
    "of Event; None is 0xFFFFFFFF in pid, tid and process; provider_id and\n"
    "activity_id have 16 bytes per row (a GUID in little-endian form); kind is the\n"
    "number of the kind in EVENT_KINDS, file the number of the file in info.files.\n"
    "payload_buffer, payload_offset and payload_size tell where payloads lie.\n"
    "Immutable; any thread may read it.");

static PyType_Slot batch_slots[] = {
    {Py_tp_doc, (void *)batch_doc},     {Py_tp_traverse, batch_traverse},
    {Py_tp_dealloc, batch_dealloc},     {Py_tp_repr, batch_repr},
    {Py_tp_methods, batch_methods},     {Py_tp_getset, batch_getset},
    {Py_tp_iter, PySeqIter_New},        {Py_sq_length, batch_length},
    {Py_sq_item, batch_item},           {Py_mp_length, batch_length},
    {Py_mp_subscript, batch_subscript}, {0, NULL},
};

static PyType_Spec batch_spec = {
    .name = "etwmon._etwcore.EventBatch",
    .basicsize = sizeof(pyetw_batch),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = batch_slots,
};

/* ---- The iterator over batches -------------------------------------------------------------------- */

typedef struct pyetw_batches {
    PyObject_HEAD
    pyetw_position position;
    size_t wanted;
    PyObject *failure; /* to be raised after the batch before it */
} pyetw_batches;

PyObject *
pyetw_batches_new(pyetw_trace *trace, PyObject *selection, Py_ssize_t n)
{
    if (n <= 0) {
        PyErr_SetString(PyExc_ValueError, "a batch has at least one event");
        return NULL;
    }
    PyTypeObject *type = trace->state->batches_type;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_batches *batches = (pyetw_batches *)alloc(type, 0);
    if (batches == NULL)
        return NULL;
    batches->wanted = (size_t)n;
    if (pyetw_position_init(&batches->position, trace, selection) == 0)
        return (PyObject *)batches;
    Py_DECREF(batches);
    return NULL;
}

static PyObject *
batches_next(PyObject *op)
{
    pyetw_batches *batches = (pyetw_batches *)op;
    pyetw_trace *trace = batches->position.trace;
    if (trace == NULL)
        return NULL;
    if (batches->failure != NULL) {
        pyetw_error_restore(batches->failure);
        batches->failure = NULL;
        return NULL;
    }
    pyetw_batch *batch = PyObject_GC_New(pyetw_batch, trace->state->batch_type);
    if (batch == NULL)
        return NULL;
    memset((char *)batch + sizeof(PyObject), 0, sizeof *batch - sizeof(PyObject));
    batch->trace = (pyetw_trace *)Py_NewRef((PyObject *)trace);
    PyObject_GC_Track((PyObject *)batch);
    int result = batch_fill(batch, &batches->position, batches->wanted);
    /* What was read before a failure is delivered first. Ctrl-C does not wait. */
    if (result < 0 && batch->count > 0 && PyErr_ExceptionMatches(PyExc_Exception)) {
        batches->failure = pyetw_error_fetch();
        result = 0;
    }
    if (result == 0 && batch->count > 0)
        return (PyObject *)batch;
    Py_DECREF((PyObject *)batch);
    return NULL;
}

static int
batches_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_batches *)op)->position.trace);
    Py_VISIT(((pyetw_batches *)op)->failure);
    return 0;
}

static int
batches_clear(PyObject *op)
{
    Py_CLEAR(((pyetw_batches *)op)->failure);
    pyetw_position_clear(&((pyetw_batches *)op)->position);
    return 0;
}

static void
batches_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    (void)batches_clear(op);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyObject *
batches_get_position(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(
        pyetw_position_bytes(&((pyetw_batches *)op)->position));
}

static PyGetSetDef batches_getset[] = {
    {"position", batches_get_position, NULL,
     "Bytes of the files that were passed, for progress bars.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot batches_slots[] = {
    {Py_tp_doc, "Iterator over batches. Any thread may use it, one at a time."},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, batches_next},
    {Py_tp_traverse, batches_traverse},
    {Py_tp_clear, batches_clear},
    {Py_tp_dealloc, batches_dealloc},
    {Py_tp_getset, batches_getset},
    {0, NULL},
};

static PyType_Spec batches_spec = {
    .name = "etwmon._etwcore.BatchIterator",
    .basicsize = sizeof(pyetw_batches),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = batches_slots,
};

static int
add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **slot)
{
    *slot = (PyTypeObject *)PyType_FromModuleAndSpec(module, spec, NULL);
    return *slot == NULL ? -1 : PyModule_AddType(module, *slot);
}

int
pyetw_batch_exec(PyObject *module, pyetw_state *state)
{
    if (add_type(module, &column_spec_of_type, &state->column_type) < 0 ||
        add_type(module, &batch_spec, &state->batch_type) < 0 ||
        add_type(module, &batches_spec, &state->batches_type) < 0)
        return -1;
    return 0;
}
