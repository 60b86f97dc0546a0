/*
 * The iterator over events, and the position that it shares with the iterator
 * over batches. Each has a cursor of its own; a thread that enters while another
 * one is inside gets ValueError, as with generators.
 */
#include "py_iterate.h"

#include "py_event.h"

enum { EVENTS_CHUNK = 128 };

/* ---- A position --------------------------------------------------------------------- */

int
pyetw_position_init(pyetw_position *position, pyetw_trace *trace, PyObject *tuple)
{
    etwc_selection selection;
    if (!pyetw_trace_check_open(trace) ||
        pyetw_selection_parse(trace, tuple, &selection) < 0)
        return -1;
    position->cursor = pyetw_trace_open_cursor(trace, &selection);
    if (position->cursor == NULL)
        return -1;
    position->trace = (pyetw_trace *)Py_NewRef((PyObject *)trace);
    return 0;
}

/* The end was reached, or nothing more can be read. */
static void
position_finish(pyetw_position *position, bool is_end)
{
    if (position->cursor == NULL)
        return;
    position->passed = is_end ? position->trace->file_bytes
                              : etwc_cursor_get_position(position->cursor);
    etwc_cursor_close(position->cursor);
    position->cursor = NULL;
}

void
pyetw_position_stop(pyetw_position *position)
{
    position_finish(position, false);
}

void
pyetw_position_clear(pyetw_position *position)
{
    position_finish(position, false);
    Py_CLEAR(position->trace);
}

uint64_t
pyetw_position_bytes(const pyetw_position *position)
{
    /* A thread inside moves the cursor; the last value that was safe is older. */
    if (position->cursor == NULL || position->is_busy)
        return position->passed;
    return etwc_cursor_get_position(position->cursor);
}

PyObject *
pyetw_position_repr(const pyetw_position *position, const char *what)
{
    if (position->cursor == NULL)
        return PyUnicode_FromFormat("<%s at its end>", what);
    return PyUnicode_FromFormat("<%s, %llu of %llu bytes passed>", what,
                                (unsigned long long)pyetw_position_bytes(position),
                                (unsigned long long)position->trace->file_bytes);
}

static int
fill_locked(pyetw_position *position, etwc_event *views, size_t capacity,
            size_t *out_count)
{
    pyetw_trace *trace = position->trace;
    for (;;) {
        size_t count = 0;
        etwc_error err;
        if (pyetw_trace_look(trace) < 0)
            return -1;
        PyThreadState *thread = pyetw_trace_detach(trace);
        etwc_status st =
            etwc_cursor_next(position->cursor, views, capacity, &count, &err);
        pyetw_trace_attach(thread);
        if (st == ETWC_END) {
            position_finish(position, true);
            return 0;
        }
        if (st != ETWC_OK) {
            pyetw_trace_raise(trace, &err);
            position_finish(position, false);
            return -1;
        }
        if (count > 0) {
            *out_count = count;
            return 1;
        }
    }
}

/* False, with an exception, while a call on the same position is under way: of another
 * thread, or of this one when a finalizer runs inside of it. */
static bool
is_free(const pyetw_position *position)
{
    if (!position->is_busy)
        return true;
    PyErr_SetString(PyExc_ValueError, "the iterator is in use by another thread");
    return false;
}

int
pyetw_position_fill(pyetw_position *position, etwc_event *views, size_t capacity,
                    size_t *out_count)
{
    if (!is_free(position))
        return -1;
    if (position->cursor == NULL)
        return 0;
    position->is_busy = true;
    position->passed = etwc_cursor_get_position(position->cursor);
    int result = fill_locked(position, views, capacity, out_count);
    position->is_busy = false;
    return result;
}

/* ---- The iterator over events --------------------------------------------------------- */

typedef struct pyetw_events {
    PyObject_HEAD
    pyetw_position position;
    size_t next;
    size_t count;
    etwc_event views[EVENTS_CHUNK];
} pyetw_events;

PyObject *
pyetw_events_new(pyetw_trace *trace, PyObject *selection)
{
    PyTypeObject *type = trace->state->events_type;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_events *events = (pyetw_events *)alloc(type, 0);
    if (events == NULL)
        return NULL;
    if (pyetw_position_init(&events->position, trace, selection) == 0)
        return (PyObject *)events;
    Py_DECREF(events);
    return NULL;
}

static PyObject *
events_next(PyObject *op)
{
    pyetw_events *events = (pyetw_events *)op;
    if (!is_free(&events->position))
        return NULL;
    if (events->next == events->count) {
        int result = pyetw_position_fill(&events->position, events->views, EVENTS_CHUNK,
                                         &events->count);
        if (result <= 0) {
            events->next = events->count = 0;
            return NULL;
        }
        events->next = 0;
    } else if (events->position.trace->is_closed) {
        (void)pyetw_trace_check_open(events->position.trace);
        return NULL;
    }
    /* Making the event may collect garbage, and finalizers may come back here: they
     * must not read on, for the view is still to be copied. */
    size_t at = events->next++;
    events->position.is_busy = true;
    PyObject *event = pyetw_event_new(events->position.trace, &events->views[at]);
    events->position.is_busy = false;
    if (event == NULL && events->next == at + 1)
        events->next = at; /* out of memory: it is still to come */
    return event;
}

static int
events_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_events *)op)->position.trace);
    return 0;
}

static int
events_clear(PyObject *op)
{
    pyetw_events *events = (pyetw_events *)op;
    events->next = events->count = 0;
    pyetw_position_clear(&events->position);
    return 0;
}

static void
events_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    (void)events_clear(op);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyObject *
events_get_position(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(
        pyetw_position_bytes(&((pyetw_events *)op)->position));
}

static PyObject *
events_repr(PyObject *op)
{
    return pyetw_position_repr(&((pyetw_events *)op)->position, "EventIterator");
}

static PyGetSetDef events_getset[] = {
    {"position", events_get_position, NULL,
     "Bytes of the files that were passed, for progress bars.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(events_doc,
             "Iterator over the selected events of a trace, in time order. Any thread\n"
             "may use it, one at a time: a second one gets ValueError.");

static PyType_Slot events_slots[] = {
    {Py_tp_doc, (void *)events_doc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, events_next},
    {Py_tp_traverse, events_traverse},
    {Py_tp_clear, events_clear},
    {Py_tp_dealloc, events_dealloc},
    {Py_tp_getset, events_getset},
    {Py_tp_repr, events_repr},
    {0, NULL},
};

static PyType_Spec events_spec = {
    .name = "etwmon._etwcore.EventIterator",
    .basicsize = sizeof(pyetw_events),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = events_slots,
};

int
pyetw_events_exec(PyObject *module, pyetw_state *state)
{
    state->events_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &events_spec, NULL);
    return state->events_type == NULL ? -1
                                      : PyModule_AddType(module, state->events_type);
}
