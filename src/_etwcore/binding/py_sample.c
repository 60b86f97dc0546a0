/*
 * The samples of an interval: a list of small objects over one snapshot, made in C
 * because there is one for each process. What a sample says is made when it is read.
 */
#include "py_aggregate.h"

#include <structmember.h>

#include "etwc_alloc.h"
#include "py_fields.h"

/* What etwmon._filter has decided of a row, by row_id. */
enum {
    UNDECIDED = 0,
    WANTED = 1,
    UNWANTED = 2,
    /* Decided without its name: to be asked again once that is known. */
    WANTED_NAMELESS = 3,
    UNWANTED_NAMELESS = 4
};

/* Final, and not a GC type: an interval and metrics never lead back to a sample, and
 * tracking would cost as much as making one. A look at a machine makes one for each
 * process: dead ones are kept for the next, with the reference to their type that a
 * living one has. */
typedef struct pyetw_sample {
    PyObject_HEAD
    pyetw_state *state; /* of its type, which keeps it alive */
    PyObject *interval; /* of etwmon._rows, or what a pickle knows of it */
    PyObject *metrics;  /* NULL until they are read */
    unsigned int row;
    unsigned int process_id;
} pyetw_sample;

static pyetw_sample *
sample_alloc(pyetw_state *state)
{
#ifndef Py_GIL_DISABLED
    if (state->free_sample_count > 0) {
        PyObject *op = state->free_samples[--state->free_sample_count];
        Py_INCREF(op); /* from 0: all that dying has changed */
        return (pyetw_sample *)op;
    }
#endif
    pyetw_sample *self = PyObject_New(pyetw_sample, state->sample_type);
    if (self != NULL)
        self->state = state;
    return self;
}

static PyObject *
sample_of(pyetw_state *state, PyObject *interval, size_t row, uint32_t process_id)
{
    pyetw_sample *self = sample_alloc(state);
    if (self == NULL)
        return NULL;
    self->interval = Py_NewRef(interval);
    self->metrics = NULL;
    self->row = (unsigned int)row;
    self->process_id = process_id;
    return (PyObject *)self;
}

static PyObject *
sample_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"interval", "row", "pid", NULL};
    PyObject *interval;
    unsigned int row, process_id;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OII:MetricSample", names, &interval,
                                     &row, &process_id))
        return NULL;
    return sample_of(pyetw_state_of(type), interval, row, process_id);
}

static void
sample_dealloc(PyObject *op)
{
    pyetw_sample *self = (pyetw_sample *)op;
    PyTypeObject *type = Py_TYPE(op);
    pyetw_state *state = self->state;
    PyObject *interval = self->interval, *metrics = self->metrics;
#ifndef Py_GIL_DISABLED
    /* Without its type in the state, nobody would free what is kept. */
    if (state->sample_type != NULL && state->free_sample_count < PYETW_FREE_SAMPLES) {
        state->free_samples[state->free_sample_count++] = op;
        type = NULL;
    } else
#endif
        PyObject_Free(op);
    Py_XDECREF(metrics);
    Py_DECREF(interval);
    Py_XDECREF((PyObject *)type);
}

void
pyetw_sample_drop_free(pyetw_state *state)
{
    while (state->free_sample_count > 0) {
        PyObject *op = state->free_samples[--state->free_sample_count];
        PyTypeObject *type = Py_TYPE(op);
        PyObject_Free(op);
        Py_DECREF(type);
    }
}

int
pyetw_sample_visit_free(const pyetw_state *state, visitproc visit, void *arg)
{
    for (size_t i = 0; i < state->free_sample_count; i++)
        Py_VISIT((PyObject *)Py_TYPE(state->free_samples[i]));
    return 0;
}

/* ---- What it says ---------------------------------------------------------------------- */

/* Asks a method of the interval, in Python, of the row. */
static PyObject *
of_row(const char *method, PyObject *op)
{
    const pyetw_sample *self = (const pyetw_sample *)op;
    PyObject *name = pyetw_static_name(pyetw_state_of(Py_TYPE(op)), method);
    PyObject *row = name == NULL ? NULL : PyLong_FromUnsignedLong(self->row);
    if (row == NULL)
        return NULL;
    PyObject *answer = PyObject_CallMethodObjArgs(self->interval, name, row, NULL);
    Py_DECREF(row);
    return answer;
}

static PyObject *
get_metrics(PyObject *op, void *unused)
{
    pyetw_sample *self = (pyetw_sample *)op;
    (void)unused;
    if (self->metrics == NULL) {
        PyObject *made = of_row("metrics_of", op);
        if (made == NULL)
            return NULL;
        /* Another thread may have made them while Python ran. */
        if (self->metrics == NULL)
            self->metrics = made;
        else
            Py_DECREF(made);
    }
    return Py_NewRef(self->metrics);
}

static PyObject *
get_name(PyObject *op, void *unused)
{
    (void)unused;
    return of_row("name_of", op);
}

/* The closure is the attribute's name: the interval has it. */
static PyObject *
get_of_interval(PyObject *op, void *closure)
{
    PyObject *name = pyetw_static_name(pyetw_state_of(Py_TYPE(op)), closure);
    if (name == NULL)
        return NULL;
    return PyObject_GetAttr(((const pyetw_sample *)op)->interval, name);
}

static PyObject *
get_quality(PyObject *op, void *unused)
{
    (void)unused;
    PyObject *loss = get_of_interval(op, "loss");
    PyObject *quality = loss != NULL ? PyObject_GetAttrString(loss, "quality") : NULL;
    Py_XDECREF(loss);
    return quality;
}

static PyGetSetDef sample_getset[] = {
    {"name", get_name, NULL, "Name of the process, or None.", NULL},
    {"metrics", get_metrics, NULL, "The numbers of the interval (`ProcessMetrics`).",
     NULL},
    {"timestamp", get_of_interval, NULL, "End of the interval, in UTC.", "timestamp"},
    {"interval_s", get_of_interval, NULL, "Length of the interval in seconds.",
     "seconds"},
    {"files", get_of_interval, NULL,
     "Paths of the files that tell of its machine; None for what has no path.",
     "files"},
    {"loss", get_of_interval, NULL, "What was lost (`LossReport`).", "loss"},
    {"quality", get_quality, NULL,
     "What can be said of the numbers: \"complete\", \"estimated\" or \"lossy\".",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef sample_members[] = {
    {"_interval", T_OBJECT_EX, offsetof(pyetw_sample, interval), READONLY,
     "The interval, with its snapshots."},
    {"_row", T_UINT, offsetof(pyetw_sample, row), READONLY,
     "Position of the row in the snapshot."},
    {"pid", T_UINT, offsetof(pyetw_sample, process_id), READONLY, "Process id."},
    {NULL, 0, 0, 0, NULL},
};

/* ---- What is seldom asked: a method of the interval, in Python -------------------------- */

static PyObject *
by_interval(const char *method, PyObject *op, PyObject *more)
{
    return PyObject_CallMethod(((const pyetw_sample *)op)->interval, method, "OO", op,
                               more);
}

static PyObject *
with_mode(const char *method, PyObject *op, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"command_line", NULL};
    PyObject *mode = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O", names, &mode))
        return NULL;
    return by_interval(method, op, mode);
}

PyDoc_STRVAR(
    to_dict_doc,
    "to_dict($self, *, command_line=None)\n--\n\n"
    "Return everything as a dict; \"metrics\" is `ProcessMetrics.to_dict`.\n\n"
    "Args:\n"
    "    command_line: \"mask\", \"hash\", \"drop\" or \"keep\"; None is what was\n"
    "        configured.");

static PyObject *
sample_to_dict(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return with_mode("dict_of", op, args, kwargs);
}

PyDoc_STRVAR(to_json_doc, "to_json($self, *, command_line=None)\n--\n\n"
                          "Return `to_dict` as JSON; times are ISO 8601.");

static PyObject *
sample_to_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return with_mode("json_of", op, args, kwargs);
}

static PyObject *
sample_reduce(PyObject *op, PyObject *unused)
{
    (void)unused;
    return by_interval("reduced", op, Py_None);
}

static PyObject *
sample_repr_html(PyObject *op, PyObject *unused)
{
    (void)unused;
    return by_interval("html_of", op, Py_None);
}

static PyObject *
sample_repr(PyObject *op)
{
    return by_interval("repr_of", op, Py_None);
}

static PyObject *
sample_richcompare(PyObject *op, PyObject *other, int how)
{
    if ((how != Py_EQ && how != Py_NE) || Py_TYPE(other) != Py_TYPE(op))
        return Py_NewRef(Py_NotImplemented);
    PyObject *same = by_interval("are_equal", op, other);
    if (same == NULL || how == Py_EQ)
        return same;
    int is_same = PyObject_IsTrue(same);
    Py_DECREF(same);
    return is_same < 0 ? NULL : PyBool_FromLong(!is_same);
}

static PyMethodDef sample_methods[] = {
    {"to_dict", (PyCFunction)(void (*)(void))sample_to_dict,
     METH_VARARGS | METH_KEYWORDS, to_dict_doc},
    {"to_json", (PyCFunction)(void (*)(void))sample_to_json,
     METH_VARARGS | METH_KEYWORDS, to_json_doc},
    {"__reduce__", sample_reduce, METH_NOARGS, "For pickles and copies."},
    {"_repr_html_", sample_repr_html, METH_NOARGS, "The metrics, for notebooks."},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    sample_doc,
    "MetricSample(interval, row, pid)\n--\n\n"
    "What one process did in one interval. Light: values are made when they are\n"
    "read. Made by monitors; its constructor is not for users.\n\n"
    "Attributes:\n"
    "    timestamp: end of the interval, in UTC.\n"
    "    interval_s: its length in seconds.\n"
    "    files: paths of the files that tell of its machine, as `Snapshot.files`;\n"
    "        those of a source of several machines differ.\n"
    "    pid: process id.\n"
    "    name: name of the process, or None.\n"
    "    quality: \"complete\", \"estimated\" or \"lossy\".\n"
    "    loss: what was lost (`LossReport`).\n"
    "    metrics: the numbers of the interval (`ProcessMetrics`).");

static PyType_Slot sample_slots[] = {
    {Py_tp_doc, (void *)sample_doc},         {Py_tp_new, sample_new},
    {Py_tp_dealloc, sample_dealloc},         {Py_tp_repr, sample_repr},
    {Py_tp_richcompare, sample_richcompare}, {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_members, sample_members},         {Py_tp_getset, sample_getset},
    {Py_tp_methods, sample_methods},         {0, NULL},
};

static PyType_Spec sample_spec = {
    .name = "etwmon._etwcore.MetricSample",
    .basicsize = sizeof(pyetw_sample),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
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

/* Positions of the rows that are wanted; their number, or -1: an error is set. */
static Py_ssize_t
find_wanted(const etwc_snapshot *snapshot, const etwc_snapshot *base, int64_t since,
            PyObject *decider, uint8_t *decisions, uint32_t *found)
{
    size_t count = etwc_snapshot_row_count(snapshot);
    Py_ssize_t wanted_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (!etwc_snapshot_is_active(snapshot, i, since, base))
            continue;
        uint64_t row_id = etwc_snapshot_row_id(snapshot, i);
        int wanted = is_wanted(snapshot, i, decider, &decisions[row_id]);
        if (wanted < 0)
            return -1;
        if (wanted)
            found[wanted_count++] = (uint32_t)i;
    }
    return wanted_count;
}

static PyObject *
list_of(pyetw_state *state, PyObject *interval, const etwc_snapshot *snapshot,
        const uint32_t *rows, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    for (Py_ssize_t i = 0; list != NULL && i < count; i++) {
        PyObject *sample = sample_of(state, interval, rows[i],
                                     etwc_snapshot_process_id(snapshot, rows[i]));
        if (sample == NULL || PyList_SetItem(list, i, sample) < 0)
            Py_CLEAR(list);
    }
    return list;
}

const char pyetw_snapshot_samples_doc[] =
    "samples($self, interval, since, base, decisions, decide, /)\n--\n\n"
    "A list of MetricSample, one for each row with a part in the interval from\n"
    "`since` (FILETIME) that is wanted. decisions is a bytearray with a place for "
    "each\n"
    "row_id below row_id_end; decide(index) answers for rows that have no decision\n"
    "there.";

PyObject *
pyetw_snapshot_samples(PyObject *op, PyObject *args)
{
    pyetw_state *state = pyetw_state_of(Py_TYPE(op));
    const etwc_snapshot *snapshot = pyetw_snapshot_get(op);
    PyObject *interval, *base, *decider;
    long long since;
    Py_buffer decisions;
    if (!PyArg_ParseTuple(args, "OLOw*O:samples", &interval, &since, &base, &decisions,
                          &decider))
        return NULL;
    PyObject *list = NULL;
    size_t count = etwc_snapshot_row_count(snapshot);
    uint32_t *found = etwc_malloc(count * sizeof *found);
    if (found == NULL)
        PyErr_NoMemory();
    else if (base != Py_None && Py_TYPE(base) != state->snapshot_type)
        PyErr_SetString(PyExc_TypeError, "base: an earlier Snapshot, or None");
    else if (count != 0 &&
             etwc_snapshot_row_id(snapshot, count - 1) >= (uint64_t)decisions.len)
        PyErr_SetString(PyExc_ValueError, "decisions: too short");
    else {
        const etwc_snapshot *earlier =
            base == Py_None ? NULL : pyetw_snapshot_get(base);
        Py_ssize_t wanted =
            find_wanted(snapshot, earlier, since, decider, decisions.buf, found);
        if (wanted >= 0)
            list = list_of(state, interval, snapshot, found, wanted);
    }
    etwc_free(found);
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
