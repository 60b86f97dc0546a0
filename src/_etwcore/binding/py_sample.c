/*
 * The samples of an interval: a list of small objects over one snapshot, made in C
 * because there is one for each process. What a sample says is made in Python when
 * it is read.
 */
#include "py_aggregate.h"

#include <structmember.h>

/* What etwmon._filter has decided of a row, by row_id. */
enum {
    UNDECIDED = 0,
    WANTED = 1,
    UNWANTED = 2,
    /* Decided without its name: to be asked again once that is known. */
    WANTED_NAMELESS = 3,
    UNWANTED_NAMELESS = 4
};

/* Base of etwmon.MetricSample. Not a GC type: an interval and metrics never lead back
 * to a sample, and tracking would cost as much as making it. */
typedef struct pyetw_sample {
    PyObject_HEAD
    PyObject *interval;
    PyObject *metrics; /* NULL until they are read */
    unsigned int row;
    unsigned int process_id;
} pyetw_sample;

static PyObject *
sample_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"interval", "row", "pid", "metrics", NULL};
    PyObject *interval, *metrics = NULL;
    unsigned int row, process_id;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OII|O:SampleBase", names, &interval,
                                     &row, &process_id, &metrics))
        return NULL;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_sample *self = (pyetw_sample *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->interval = Py_NewRef(interval);
    self->metrics = Py_XNewRef(metrics);
    self->row = row;
    self->process_id = process_id;
    return (PyObject *)self;
}

static void
sample_dealloc(PyObject *op)
{
    pyetw_sample *self = (pyetw_sample *)op;
    PyTypeObject *type = Py_TYPE(op);
    Py_XDECREF(self->interval);
    Py_XDECREF(self->metrics);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyMemberDef sample_members[] = {
    {"_interval", T_OBJECT_EX, offsetof(pyetw_sample, interval), READONLY,
     "The interval, with its snapshots."},
    {"_metrics", T_OBJECT, offsetof(pyetw_sample, metrics), 0,
     "ProcessMetrics, or None until they are read."},
    {"_row", T_UINT, offsetof(pyetw_sample, row), READONLY,
     "Position of the row in the snapshot."},
    {"pid", T_UINT, offsetof(pyetw_sample, process_id), READONLY, "Process id."},
    {NULL, 0, 0, 0, NULL},
};

PyDoc_STRVAR(sample_doc,
             "SampleBase(interval, row, pid, metrics=None)\n--\n\n"
             "What a sample holds: where its numbers are. Immutable but for _metrics.");

static PyType_Slot sample_slots[] = {
    {Py_tp_doc, (void *)sample_doc},
    {Py_tp_new, sample_new},
    {Py_tp_dealloc, sample_dealloc},
    {Py_tp_members, sample_members},
    {0, NULL},
};

static PyType_Spec sample_spec = {
    .name = "etwmon._etwcore.SampleBase",
    .basicsize = sizeof(pyetw_sample),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = sample_slots,
};

/* ---- The list ------------------------------------------------------------------------ */

/* Asks Python, and remembers the answer. */
static int
decide(PyObject *decider, size_t index, uint8_t *decision)
{
    PyObject *answer = PyObject_CallFunction(decider, "n", (Py_ssize_t)index);
    if (answer == NULL)
        return -1;
    long code = PyLong_AsLong(answer);
    Py_DECREF(answer);
    if (code == -1 && PyErr_Occurred())
        return -1;
    *decision = (uint8_t)code;
    return 0;
}

/* 1: the row's sample is wanted, 0: it is not, -1: an error is set. */
static int
is_wanted(const etwc_snapshot *snapshot, size_t index, PyObject *decider,
          uint8_t *decision)
{
    bool is_open = *decision == UNDECIDED || (*decision >= WANTED_NAMELESS &&
                                              etwc_snapshot_has_name(snapshot, index));
    if (is_open && decide(decider, index, decision) < 0)
        return -1;
    return *decision == WANTED || *decision == WANTED_NAMELESS;
}

static PyObject *
sample_of(PyTypeObject *type, PyObject *interval, const etwc_snapshot *snapshot,
          size_t index)
{
    pyetw_sample *sample = (pyetw_sample *)PyType_GenericAlloc(type, 0);
    if (sample == NULL)
        return NULL;
    sample->interval = Py_NewRef(interval);
    sample->row = (unsigned int)index;
    sample->process_id = etwc_snapshot_process_id(snapshot, index);
    return (PyObject *)sample;
}

static int
append_samples(PyObject *list, PyTypeObject *type, PyObject *interval,
               const etwc_snapshot *snapshot, const etwc_snapshot *base, int64_t since,
               PyObject *decider, uint8_t *decisions)
{
    size_t count = etwc_snapshot_row_count(snapshot);
    for (size_t i = 0; i < count; i++) {
        if (!etwc_snapshot_is_active(snapshot, i, since, base))
            continue;
        uint64_t row_id = etwc_snapshot_row_id(snapshot, i);
        int wanted = is_wanted(snapshot, i, decider, &decisions[row_id]);
        if (wanted < 0)
            return -1;
        if (!wanted)
            continue;
        PyObject *sample = sample_of(type, interval, snapshot, i);
        if (sample == NULL)
            return -1;
        int result = PyList_Append(list, sample);
        Py_DECREF(sample);
        if (result < 0)
            return -1;
    }
    return 0;
}

const char pyetw_snapshot_samples_doc[] =
    "samples($self, sample_type, interval, since, base, decisions, decide, /)\n--\n\n"
    "A list of sample_type, made of SampleBase, one for each row with a part in the\n"
    "interval from `since` (FILETIME) that is wanted. decisions is a bytearray with a\n"
    "place for each row_id below row_id_end; decide(index) answers for rows that have\n"
    "no decision there.";

PyObject *
pyetw_snapshot_samples(PyObject *op, PyObject *args)
{
    pyetw_state *state = pyetw_state_of(Py_TYPE(op));
    const etwc_snapshot *snapshot = pyetw_snapshot_get(op);
    PyObject *type, *interval, *base, *decider;
    long long since;
    Py_buffer decisions;
    if (!PyArg_ParseTuple(args, "OOLOw*O:samples", &type, &interval, &since, &base,
                          &decisions, &decider))
        return NULL;
    PyObject *list = NULL;
    size_t count = etwc_snapshot_row_count(snapshot);
    if (!PyType_Check(type) ||
        !PyType_IsSubtype((PyTypeObject *)type, state->sample_type))
        PyErr_SetString(PyExc_TypeError, "sample_type: a type made of SampleBase");
    else if (base != Py_None && Py_TYPE(base) != state->snapshot_type)
        PyErr_SetString(PyExc_TypeError, "base: an earlier Snapshot, or None");
    else if (count != 0 &&
             etwc_snapshot_row_id(snapshot, count - 1) >= (uint64_t)decisions.len)
        PyErr_SetString(PyExc_ValueError, "decisions: too short");
    else
        list = PyList_New(0);
    const etwc_snapshot *earlier = base == Py_None ? NULL : pyetw_snapshot_get(base);
    if (list != NULL && append_samples(list, (PyTypeObject *)type, interval, snapshot,
                                       earlier, since, decider, decisions.buf) < 0)
        Py_CLEAR(list);
    PyBuffer_Release(&decisions);
    return list;
}

int
pyetw_sample_exec(PyObject *module, pyetw_state *state)
{
    state->sample_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &sample_spec, NULL);
    return state->sample_type == NULL ? -1
                                      : PyModule_AddType(module, state->sample_type);
}
