/*
 * The iterator over batches: takes rows from its position and has them hold the
 * blocks that their payloads lie in.
 */
#include "py_batch.h"

#include "etwc_alloc.h"
#include "etwc_block.h"
#include "py_iterate.h"

enum { FIRST_ROWS = 4096 };

/* ---- Filling a batch -------------------------------------------------------------------------- */

/* Numbers of blocks by their address; only a guess, to be compared. */
typedef struct block_hints {
    uint32_t numbers[64];
} block_hints;

static uint32_t *
hint_of(block_hints *hints, const etwc_block *block)
{
    uint64_t mixed = (uint64_t)(uintptr_t)block * UINT64_C(0x9E3779B97F4A7C15);
    return &hints->numbers[mixed >> 58];
}

/* The number of a block in the batch, which retains it unless it has it already. A
 * block that comes back after a long time may be retained twice: that costs no more
 * than a number. False when memory is out. */
static bool
hold_block(pyetw_batch *batch, block_hints *hints, etwc_block *block, uint32_t *out)
{
    enum { LOOK_BACK = 64 };
    size_t count = batch->block_count;
    size_t first = count > LOOK_BACK ? count - LOOK_BACK : 0;
    uint32_t *hint = hint_of(hints, block);
    if (ETWC_LIKELY(*hint < count && batch->blocks[*hint] == block)) {
        *out = *hint;
        return true;
    }
    for (size_t i = count; i > first; i--) {
        if (batch->blocks[i - 1] == block) {
            *out = *hint = (uint32_t)(i - 1);
            return true;
        }
    }
    void *blocks = batch->blocks;
    if (!etwc_grow(&blocks, &batch->block_capacity, count + 1, sizeof *batch->blocks))
        return false;
    batch->blocks = blocks;
    etwc_block_retain(block);
    batch->blocks[batch->block_count++] = block;
    *out = *hint = (uint32_t)count;
    return true;
}

/* Takes `added` more rows into the batch, which holds their blocks and notes the
 * numbers of those. On failure the batch ends before the first row without. */
static bool
take_rows(pyetw_batch *batch, block_hints *hints, size_t added)
{
    size_t first = batch->count;
    size_t end = first + added;
    void *numbers = batch->made[MADE_PAYLOAD_BUFFER];
    if (!etwc_grow(&numbers, &batch->number_capacity, end, sizeof(uint32_t)))
        return false;
    batch->made[MADE_PAYLOAD_BUFFER] = numbers;
    uint32_t *out = numbers;
    for (size_t i = first; i < end; i++) {
        if (!hold_block(batch, hints, batch->rows[i].block, &out[i])) {
            batch->count = i;
            return false;
        }
    }
    batch->count = end;
    return true;
}

/* Up to `wanted` rows, those that the batch has included; fewer at the end of the
 * trace. `usual` is how many there may well be. 0, or -1 with an error. */
static int
batch_fill(pyetw_batch *batch, pyetw_position *position, size_t wanted, size_t usual)
{
    block_hints hints = {{0}};
    size_t capacity = batch->count;
    while (batch->count < wanted) {
        size_t room = batch->count ? batch->count * 2 : usual;
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
        if (!take_rows(batch, &hints, added)) {
            pyetw_position_stop(position); /* the rows that are left would be missing */
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* ---- The iterator --------------------------------------------------------------------- */

typedef struct pyetw_batches {
    PyObject_HEAD
    pyetw_position position;
    size_t wanted;
    size_t usual;       /* rows of the batch before, or a first guess */
    pyetw_batch *begun; /* what Ctrl-C has interrupted, to be filled on */
    PyObject *failure;  /* to be raised after the batch before it */
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
    batches->usual = FIRST_ROWS;
    if (pyetw_position_init(&batches->position, trace, selection) == 0)
        return (PyObject *)batches;
    Py_DECREF(batches);
    return NULL;
}

static pyetw_batch *
batch_new(pyetw_trace *trace)
{
    pyetw_batch *batch = PyObject_GC_New(pyetw_batch, trace->state->batch_type);
    if (batch == NULL)
        return NULL;
    memset((char *)batch + sizeof(PyObject), 0, sizeof *batch - sizeof(PyObject));
    batch->trace = (pyetw_trace *)Py_NewRef((PyObject *)trace);
    PyObject_GC_Track((PyObject *)batch);
    return batch;
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
    pyetw_batch *batch = batches->begun ? batches->begun : batch_new(trace);
    batches->begun = NULL;
    if (batch == NULL)
        return NULL;
    int result = batch_fill(batch, &batches->position, batches->wanted, batches->usual);
    if (batch->count > 0) {
        /* What was read before a failure is delivered first. Ctrl-C does not wait. */
        if (result < 0 && !PyErr_ExceptionMatches(PyExc_Exception)) {
            batches->begun = batch;
            return NULL;
        }
        if (result < 0)
            batches->failure = pyetw_error_fetch();
        batches->usual = batch->count;
        return (PyObject *)batch;
    }
    Py_DECREF((PyObject *)batch);
    return NULL;
}

static int
batches_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_batches *)op)->position.trace);
    Py_VISIT(((pyetw_batches *)op)->begun);
    Py_VISIT(((pyetw_batches *)op)->failure);
    return 0;
}

static int
batches_clear(PyObject *op)
{
    Py_CLEAR(((pyetw_batches *)op)->begun);
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

static PyObject *
batches_repr(PyObject *op)
{
    return pyetw_position_repr(&((pyetw_batches *)op)->position, "BatchIterator");
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
    {Py_tp_repr, batches_repr},
    {0, NULL},
};

static PyType_Spec batches_spec = {
    .name = "etwmon._etwcore.BatchIterator",
    .basicsize = sizeof(pyetw_batches),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = batches_slots,
};

int
pyetw_batches_exec(PyObject *module, pyetw_state *state)
{
    state->batches_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &batches_spec, NULL);
    return state->batches_type == NULL ? -1
                                       : PyModule_AddType(module, state->batches_type);
}
