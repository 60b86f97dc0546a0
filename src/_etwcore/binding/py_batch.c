/*
 * Batches: contiguous rows of event headers with their payloads left where they
 * lie, so that NumPy sees thousands of events without a copy and without an object
 * for each (py_column.c).
 *
 * A batch holds the blocks of its payloads until it is released; release() refuses
 * while a view of it lives.
 */
#include "py_batch.h"

#include "etwc_alloc.h"
#include "etwc_block.h"
#include "py_event.h"

bool
pyetw_batch_check_held(const pyetw_batch *batch)
{
    if (!batch->is_released)
        return true;
    PyErr_SetString(PyExc_ValueError, "the batch was released");
    return false;
}

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
    return pyetw_batch_check_held((pyetw_batch *)op)
               ? (Py_ssize_t)((pyetw_batch *)op)->count
               : -1;
}

/* Making an event may collect garbage: no finalizer may release the batch then. */
static PyObject *
row_event(pyetw_batch *batch, size_t index)
{
    batch->exports++;
    PyObject *event = pyetw_event_new(batch->trace, &batch->rows[index]);
    batch->exports--;
    return event;
}

static PyObject *
batch_item(PyObject *op, Py_ssize_t index)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    if (!pyetw_batch_check_held(batch))
        return NULL;
    if (index < 0 || (size_t)index >= batch->count) {
        PyErr_SetString(PyExc_IndexError, "the batch has no event of that number");
        return NULL;
    }
    return row_event(batch, (size_t)index);
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
        if (!pyetw_batch_check_held(batch)) { /* by a finalizer in between */
            Py_CLEAR(list);
            break;
        }
        PyObject *event = row_event(batch, (size_t)(start + i * step));
        if (event == NULL || PyList_Append(list, event) < 0)
            Py_CLEAR(list);
        Py_XDECREF(event);
    }
    return list;
}

static PyObject *
batch_subscript(PyObject *op, PyObject *key)
{
    pyetw_batch *batch = (pyetw_batch *)op;
    if (!pyetw_batch_check_held(batch))
        return NULL;
    if (PyUnicode_Check(key))
        return pyetw_batch_column(batch, key);
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
    return pyetw_batch_check_held((pyetw_batch *)op) ? Py_NewRef(op) : NULL;
}

static PyObject *
batch_exit(PyObject *op, PyObject *unused)
{
    return batch_release(op, unused);
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
    {"buffers", pyetw_batch_get_buffers, NULL,
     "Read-only views of the memory that the payloads lie in, as a list. The payload\n"
     "of row i is buffers[payload_buffer[i]][payload_offset[i]:][:payload_size[i]].",
     NULL},
    {"columns", pyetw_batch_get_columns, NULL, "Names of the columns, as a tuple.",
     NULL},
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

int
pyetw_batch_exec(PyObject *module, pyetw_state *state)
{
    state->batch_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &batch_spec, NULL);
    return state->batch_type == NULL ? -1 : PyModule_AddType(module, state->batch_type);
}
