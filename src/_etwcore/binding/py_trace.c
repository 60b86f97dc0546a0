/*
 * Trace: the opened files of one trace, and the scans that Python asks for. The
 * friendly face is etwmon.Trace in Python; this type checks nothing twice.
 *
 * Blocks on the disk: making one, and every method that reads (all detached, see
 * py_trace.h).
 */
#include "py_trace.h"

#include "etwc_alloc.h"
#include "py_info.h"
#include "py_iterate.h"
#include "py_source.h"
#include "py_writer.h"

enum {
    SCAN_CHUNK = 256,
    /* Chunks between two looks at signals: some milliseconds of work. */
    SCAN_CHUNKS_PER_LOOK = 1024
};

/* Two recordings of one boot agree on what a stamp means up to clock steps. */
#define TIMELINE_TOLERANCE_100NS (2 * ETWC_100NS_PER_SECOND)
#define BOOT_TOLERANCE_100NS (10 * ETWC_100NS_PER_SECOND)

/* ---- Shared by the binding ------------------------------------------------------- */

PyThreadState *
pyetw_trace_detach(const pyetw_trace *trace)
{
    return trace->needs_gil ? NULL : PyEval_SaveThread();
}

void
pyetw_trace_attach(PyThreadState *thread)
{
    if (thread != NULL)
        PyEval_RestoreThread(thread);
}

bool
pyetw_trace_check_open(const pyetw_trace *trace)
{
    if (!trace->is_closed)
        return true;
    PyErr_SetString(PyExc_ValueError, "the trace is closed");
    return false;
}

/* The exception of a source written in Python, the newest first. */
static bool
restore_failure(pyetw_trace *trace)
{
    Py_ssize_t count = PyList_Size(trace->failures);
    if (count <= 0)
        return false;
    PyObject *failure = Py_NewRef(PyList_GetItem(trace->failures, count - 1));
    if (PyList_SetSlice(trace->failures, count - 1, count, NULL) < 0)
        PyErr_Clear();
    pyetw_error_restore(failure);
    return true;
}

int
pyetw_trace_look(pyetw_trace *trace)
{
    /* A KeyboardInterrupt that was raised inside a source does not wait until the
     * core reports its failure. */
    Py_ssize_t count = trace->needs_gil ? PyList_Size(trace->failures) : 0;
    if (count > 0) {
        PyObject *newest = PyList_GetItem(trace->failures, count - 1);
        if (!PyErr_GivenExceptionMatches(newest, PyExc_Exception)) {
            (void)restore_failure(trace);
            return -1;
        }
    }
    if (PyErr_CheckSignals() < 0)
        return -1;
    return pyetw_trace_check_open(trace) ? 0 : -1;
}

PyObject *
pyetw_trace_raise_for(pyetw_trace *trace, const etwc_error *err, PyObject *path)
{
    if (PyErr_Occurred())
        return NULL;
    if (err->status == ETWC_E_CALLBACK && restore_failure(trace))
        return NULL;
    return pyetw_raise(trace->state, err, path);
}

PyObject *
pyetw_trace_raise(pyetw_trace *trace, const etwc_error *err)
{
    bool is_known = trace->file_count == 1 ||
                    (err->offset >= 0 && err->file_index < trace->file_count);
    PyObject *path = is_known ? trace->files[err->file_index].path : Py_None;
    return pyetw_trace_raise_for(trace, err, path);
}

etwc_cursor *
pyetw_trace_open_cursor_of(pyetw_trace *trace, etwc_etl *const *etls, size_t count,
                           const etwc_selection *selection)
{
    etwc_cursor *cursor = NULL;
    etwc_error err;
    for (size_t i = 0; i < count; i++)
        etwc_etl_retain(etls[i]);
    PyThreadState *thread = pyetw_trace_detach(trace);
    etwc_status st = etwc_cursor_open(etls, count, selection, &cursor, &err);
    pyetw_trace_attach(thread);
    for (size_t i = 0; i < count; i++)
        etwc_etl_release(etls[i]);
    if (st == ETWC_OK)
        return cursor;
    pyetw_trace_raise(trace, &err);
    return NULL;
}

etwc_cursor *
pyetw_trace_open_cursor(pyetw_trace *trace, const etwc_selection *selection)
{
    if (!pyetw_trace_check_open(trace))
        return NULL;
    etwc_etl **etls = etwc_calloc(trace->file_count, sizeof(etwc_etl *));
    if (etls == NULL)
        return (void *)PyErr_NoMemory();
    for (size_t i = 0; i < trace->file_count; i++)
        etls[i] = trace->files[i].etl;
    etwc_cursor *cursor =
        pyetw_trace_open_cursor_of(trace, etls, trace->file_count, selection);
    etwc_free(etls);
    return cursor;
}

/* Scans until something has to be done attached: END, a failure, or OK when it
 * is time to look at signals. */
static etwc_status
scan_slice(etwc_cursor *cursor, etwc_event *chunk, pyetw_feed_fn feed, void *context,
           etwc_error *err)
{
    for (int i = 0; i < SCAN_CHUNKS_PER_LOOK; i++) {
        size_t count;
        etwc_status st = etwc_cursor_next(cursor, chunk, SCAN_CHUNK, &count, err);
        if (st != ETWC_OK)
            return st;
        st = feed(context, chunk, count, err);
        if (st != ETWC_OK || count < SCAN_CHUNK)
            return st;
    }
    return ETWC_OK;
}

int
pyetw_trace_scan(pyetw_trace *trace, etwc_cursor *cursor, bool has_all_files,
                 pyetw_feed_fn feed, void *context)
{
    etwc_event *chunk = etwc_malloc(SCAN_CHUNK * sizeof *chunk);
    etwc_status st = ETWC_OK;
    if (chunk == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    while (st == ETWC_OK) {
        etwc_error err;
        PyThreadState *thread = pyetw_trace_detach(trace);
        st = scan_slice(cursor, chunk, feed, context, &err);
        pyetw_trace_attach(thread);
        if (st != ETWC_OK && st != ETWC_END && has_all_files)
            pyetw_trace_raise(trace, &err);
        else if (st != ETWC_OK && st != ETWC_END)
            pyetw_trace_raise_for(trace, &err, Py_None);
        else if (pyetw_trace_look(trace) < 0)
            st = ETWC_E_INTERRUPTED;
    }
    etwc_free(chunk);
    return st == ETWC_END ? 0 : -1;
}

/* ---- Making one ---------------------------------------------------------------------- */

static int64_t
distance(int64_t a, int64_t b)
{
    uint64_t d = a > b ? (uint64_t)a - (uint64_t)b : (uint64_t)b - (uint64_t)a;
    return d > INT64_MAX ? INT64_MAX : (int64_t)d;
}

/* True when raw stamps of both files come from the same clock of the same boot, as
 * in the files of one NEWFILE sequence. */
static bool
is_same_timeline(const pyetw_file *a, const pyetw_file *b)
{
    const etwc_etl_header *x = etwc_etl_get_header(a->etl);
    const etwc_etl_header *y = etwc_etl_get_header(b->etl);
    if (x->clock_type != y->clock_type || x->processors != y->processors ||
        x->os_build != y->os_build || a->clock.is_broken || b->clock.is_broken ||
        a->clock.frequency_hz != b->clock.frequency_hz ||
        distance(x->boot_filetime, y->boot_filetime) > BOOT_TOLERANCE_100NS)
        return false;
    int64_t other = etwc_clock_filetime(&a->clock, b->clock.raw_base);
    return distance(other, b->clock.start_100ns) <= TIMELINE_TOLERANCE_100NS;
}

/* True for files of one NEWFILE sequence, whose stack records may lie in a later
 * file than their events. */
static bool
is_same_sequence(const pyetw_file *a, const pyetw_file *b)
{
    const etwc_etl_header *x = etwc_etl_get_header(a->etl);
    const etwc_etl_header *y = etwc_etl_get_header(b->etl);
    return a->timeline == b->timeline && (x->log_file_mode & ETWC_MODE_NEWFILE) &&
           (y->log_file_mode & ETWC_MODE_NEWFILE) &&
           x->session_name.len == y->session_name.len &&
           memcmp(x->session_name.ptr, y->session_name.ptr, x->session_name.len) == 0;
}

static uint32_t
sequence_of(const pyetw_trace *trace, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (trace->files[i].sequence == i &&
            is_same_sequence(&trace->files[i], &trace->files[index]))
            return i;
    return index;
}

static uint32_t
timeline_of(const pyetw_trace *trace, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++)
        if (trace->files[i].timeline == i &&
            is_same_timeline(&trace->files[i], &trace->files[index]))
            return i;
    return index;
}

/* Looks at signals while a file is indexed; the context is the thread that has let
 * go of the interpreter, NULL when it has not. */
static etwc_status
look_at_signals(void *context, etwc_error *err)
{
    PyThreadState **thread = context;
    pyetw_trace_attach(*thread);
    int result = PyErr_CheckSignals();
    *thread = *thread == NULL ? NULL : PyEval_SaveThread();
    return result == 0 ? ETWC_OK : etwc_fail(err, ETWC_E_INTERRUPTED, "etl.index");
}

/* Opens one of the sources: a pair of what to read and what to call it. */
static int
open_file(pyetw_trace *trace, PyObject *pair, uint32_t index)
{
    PyObject *origin, *path;
    etwc_source source;
    etwc_error err;
    pyetw_file *file = &trace->files[index];
    if (!PyArg_ParseTuple(pair, "OO", &origin, &path))
        return -1;
    PyObject *held;
    if (pyetw_source_new(origin, path, trace->failures, &source, &held,
                         &trace->needs_gil) < 0)
        return -1;
    bool is_path = PyUnicode_Check(origin) || PyBytes_Check(origin);
    /* A source that is no path is closed with the GIL, so it is opened with it. */
    PyThreadState *thread = is_path ? PyEval_SaveThread() : NULL;
    etwc_pause pause = {look_at_signals, &thread};
    etwc_status st = etwc_etl_open(&source, trace->pool, &pause, &file->etl, &err);
    pyetw_trace_attach(thread);
    if (st != ETWC_OK) {
        if (err.status != ETWC_E_CALLBACK || !restore_failure(trace))
            pyetw_raise(trace->state, &err, path);
        return -1;
    }
    file->held = held;
    file->path = Py_NewRef(path);
    file->clock = *etwc_etl_get_clock(file->etl);
    trace->file_count = (size_t)index + 1;
    trace->file_bytes += etwc_etl_get_header(file->etl)->file_bytes;
    file->timeline = timeline_of(trace, index);
    file->sequence = sequence_of(trace, index);
    return 0;
}

static int
open_files(pyetw_trace *trace, PyObject *sources)
{
    Py_ssize_t count = PyTuple_Size(sources);
    if (count < 0)
        return -1;
    if (count == 0 || count > UINT16_MAX) {
        PyErr_SetString(PyExc_ValueError, "a trace has 1 to 65535 sources");
        return -1;
    }
    trace->files = etwc_calloc((size_t)count, sizeof *trace->files);
    if (trace->files == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        if (open_file(trace, PyTuple_GetItem(sources, i), (uint32_t)i) < 0)
            return -1;
    return 0;
}

static PyObject *
trace_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sources", "memory_limit", NULL};
    PyObject *sources;
    PyObject *limit_object;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!:Trace", names, &PyTuple_Type,
                                     &sources, &PyLong_Type, &limit_object))
        return NULL;
    unsigned long long limit = PyLong_AsUnsignedLongLong(limit_object);
    if (limit == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_trace *trace = (pyetw_trace *)alloc(type, 0);
    if (trace == NULL)
        return NULL;
    trace->module = Py_NewRef(PyType_GetModule(type));
    trace->state = pyetw_state_of_module(trace->module);
    trace->failures = PyList_New(0);
    trace->uuids = PyDict_New();
    trace->memory_limit = limit;
    trace->pool = etwc_pool_new(limit);
    if (trace->pool == NULL)
        PyErr_NoMemory();
    if (trace->failures == NULL || trace->uuids == NULL || trace->pool == NULL ||
        open_files(trace, sources) < 0) {
        Py_DECREF(trace);
        return NULL;
    }
    return (PyObject *)trace;
}

/* ---- Its life --------------------------------------------------------------------------- */

static void
close_files(pyetw_trace *trace)
{
    trace->is_closed = true;
    for (size_t i = 0; i < trace->file_count; i++) {
        etwc_etl *etl = trace->files[i].etl;
        trace->files[i].etl = NULL;
        etwc_etl_release(etl);
    }
}

static int
trace_traverse(PyObject *op, visitproc visit, void *arg)
{
    pyetw_trace *trace = (pyetw_trace *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(trace->module);
    Py_VISIT(trace->failures);
    Py_VISIT(trace->uuids);
    for (size_t i = 0; i < trace->file_count; i++) {
        Py_VISIT(trace->files[i].path);
        /* Whoever else has the etl holds the trace too, so the reference is ours. */
        if (trace->files[i].etl != NULL)
            Py_VISIT(trace->files[i].held);
    }
    return 0;
}

static int
trace_clear(PyObject *op)
{
    pyetw_trace *trace = (pyetw_trace *)op;
    close_files(trace);
    Py_CLEAR(trace->failures);
    Py_CLEAR(trace->uuids);
    return 0;
}

static void
trace_dealloc(PyObject *op)
{
    pyetw_trace *trace = (pyetw_trace *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    (void)trace_clear(op);
    for (size_t i = 0; i < trace->file_count; i++) {
        Py_XDECREF(trace->files[i].path);
        etwc_images_free(trace->files[i].images);
        etwc_lifetimes_free(trace->files[i].lifetimes);
        etwc_free(trace->files[i].gaps);
        etwc_stacks_free(trace->files[i].stacks);
    }
    etwc_free(trace->files);
    etwc_free(trace->damage);
    etwc_pool_release(trace->pool);
    PyObject *module = trace->module;
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
    Py_DECREF(module);
}

/* ---- Methods ------------------------------------------------------------------------------ */

PyDoc_STRVAR(close_doc,
             "close($self, /)\n--\n\n"
             "Closes the files. Iterators raise ValueError from then on; events\n"
             "and batches that are held stay valid. Idempotent, thread-safe.");

static PyObject *
trace_close(PyObject *op, PyObject *unused)
{
    (void)unused;
    close_files((pyetw_trace *)op);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(events_doc, "events($self, selection, /)\n--\n\n"
                         "An iterator over the selected events, in time order.");

static PyObject *
trace_events(PyObject *op, PyObject *selection)
{
    return pyetw_events_new((pyetw_trace *)op, selection);
}

PyDoc_STRVAR(batches_doc, "batches($self, selection, n, /)\n--\n\n"
                          "An iterator over batches of up to n selected events.");

static PyObject *
trace_batches(PyObject *op, PyObject *args)
{
    PyObject *selection;
    Py_ssize_t n;
    if (!PyArg_ParseTuple(args, "On:batches", &selection, &n))
        return NULL;
    return pyetw_batches_new((pyetw_trace *)op, selection, n);
}

PyDoc_STRVAR(count_doc, "count($self, selection, /)\n--\n\n"
                        "How many events are selected. Makes no object per event.");

static PyObject *
trace_count(PyObject *op, PyObject *tuple)
{
    pyetw_trace *trace = (pyetw_trace *)op;
    etwc_selection selection;
    if (pyetw_selection_parse(trace, tuple, &selection) < 0)
        return NULL;
    etwc_cursor *cursor = pyetw_trace_open_cursor(trace, &selection);
    if (cursor == NULL)
        return NULL;
    uint64_t count = 0;
    etwc_status st = ETWC_OK;
    while (st == ETWC_OK) {
        etwc_error err;
        PyThreadState *thread = pyetw_trace_detach(trace);
        st = etwc_cursor_count(cursor, &count, &err);
        pyetw_trace_attach(thread);
        if (st != ETWC_OK && st != ETWC_END)
            pyetw_trace_raise(trace, &err);
        else if (pyetw_trace_look(trace) < 0)
            st = ETWC_E_INTERRUPTED;
    }
    etwc_cursor_close(cursor);
    return st == ETWC_END ? PyLong_FromUnsignedLongLong(count) : NULL;
}

PyDoc_STRVAR(summary_doc,
             "summary($self, selection, /)\n--\n\n"
             "One tuple per provider, kind, id, opcode and version, by first event:\n"
             "(provider_id, provider, name, kind, id, opcode, version, count, bytes,\n"
             "first_filetime, last_filetime); bytes is the sum of the payloads.");

static PyObject *
trace_summary(PyObject *op, PyObject *selection)
{
    return pyetw_info_summary((pyetw_trace *)op, selection);
}

PyDoc_STRVAR(
    decoding_doc,
    "decoding($self, selection, /)\n--\n\n"
    "Numbers of events, without those that are 0: \"full\", \"none\", and the\n"
    "partial ones by reason (see Event.partial_reason).");

static PyObject *
trace_decoding(PyObject *op, PyObject *selection)
{
    return pyetw_info_decoding((pyetw_trace *)op, selection);
}

PyDoc_STRVAR(files_doc, "files($self, /)\n--\n\n"
                        "The facts of each file's header and index, a dict for each.");

static PyObject *
trace_files(PyObject *op, PyObject *unused)
{
    (void)unused;
    return pyetw_info_files((pyetw_trace *)op);
}

PyDoc_STRVAR(damage_doc,
             "damage($self, /)\n--\n\n"
             "The damage counters of each file that are not 0, a dict for each. Reads\n"
             "the whole trace the first time.");

static PyObject *
trace_damage(PyObject *op, PyObject *unused)
{
    pyetw_trace *trace = (pyetw_trace *)op;
    (void)unused;
    if (pyetw_trace_need_damage(trace) < 0)
        return NULL;
    return pyetw_info_damage(trace, trace->damage);
}

PyDoc_STRVAR(resolve_doc,
             "resolve($self, address, pid, filetime, /)\n--\n\n"
             "(path, offset) of the image that lay at the address for that process at\n"
             "that time, or None. Reads the image events the first time.");

static PyObject *
trace_resolve(PyObject *op, PyObject *args)
{
    PyObject *number;
    uint32_t process_id;
    long long filetime;
    if (!PyArg_ParseTuple(args, "O!O&L:resolve", &PyLong_Type, &number, pyetw_to_uint32,
                          &process_id, &filetime))
        return NULL;
    unsigned long long address = PyLong_AsUnsignedLongLong(number);
    if (address == (unsigned long long)-1 && PyErr_Occurred())
        return NULL;
    return pyetw_trace_resolve((pyetw_trace *)op, address, process_id, filetime);
}

PyDoc_STRVAR(memory_doc, "Bytes of trace memory in use now, held events included.");

static PyObject *
trace_get_memory_in_use(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLongLong(etwc_pool_in_use(((pyetw_trace *)op)->pool));
}

static PyObject *
trace_get_closed(PyObject *op, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((pyetw_trace *)op)->is_closed);
}

static PyMethodDef trace_methods[] = {
    {"close", trace_close, METH_NOARGS, close_doc},
    {"events", trace_events, METH_O, events_doc},
    {"batches", trace_batches, METH_VARARGS, batches_doc},
    {"count", trace_count, METH_O, count_doc},
    {"summary", trace_summary, METH_O, summary_doc},
    {"decoding", trace_decoding, METH_O, decoding_doc},
    {"files", trace_files, METH_NOARGS, files_doc},
    {"damage", trace_damage, METH_NOARGS, damage_doc},
    {"resolve", trace_resolve, METH_VARARGS, resolve_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef trace_getset[] = {
    {"memory_in_use", trace_get_memory_in_use, NULL, memory_doc, NULL},
    {"closed", trace_get_closed, NULL, "True after close().", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    trace_doc,
    "Trace(sources, memory_limit)\n--\n\n"
    "The opened files of one trace. sources is a tuple of pairs: what to read\n"
    "(a path; a buffer object other than bytes; an object with `size` and\n"
    "`read_at(offset, n)`), and what to call it. memory_limit is in bytes.");

static PyType_Slot trace_slots[] = {
    {Py_tp_doc, (void *)trace_doc},   {Py_tp_new, trace_new},
    {Py_tp_traverse, trace_traverse}, {Py_tp_clear, trace_clear},
    {Py_tp_dealloc, trace_dealloc},   {Py_tp_methods, trace_methods},
    {Py_tp_getset, trace_getset},     {0, NULL},
};

static PyType_Spec trace_spec = {
    .name = "etwmon._etwcore.Trace",
    .basicsize = sizeof(pyetw_trace),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = trace_slots,
};

int
pyetw_trace_exec(PyObject *module, pyetw_state *state)
{
    state->trace_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &trace_spec, NULL);
    if (state->trace_type == NULL)
        return -1;
    return PyModule_AddType(module, state->trace_type);
}
