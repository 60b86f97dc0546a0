/*
 * Aggregate: the numbers of a trace, fed in C from a position of its own. Files
 * that do not share a session clock have an aggregate each (see pyetw_file).
 *
 * Blocks on the disk: making one (it reads who was who first) and advance. Used by
 * one thread at a time; a second one gets RuntimeError.
 */
#include "py_aggregate.h"

#include "etwc_aggregate.h"
#include "etwc_alloc.h"
#include "etwc_provider.h"
#include "py_writer.h"

enum {
    FEED_CHUNK = 64, /* events that stay in the nearest cache until they are applied */
    /* Chunks between two looks at signals: some milliseconds of work. */
    FEED_CHUNKS_PER_LOOK = 1024
};

typedef struct pyetw_aggregate {
    PyObject_HEAD
    pyetw_trace *trace;          /* owned reference */
    etwc_cursor *cursor;         /* NULL once everything was read */
    etwc_aggregate **aggregates; /* by file; NULL: shared with its timeline's first */
    size_t file_count;
    etwc_event *chunk;
    size_t chunk_count, chunk_next;
    uint32_t limits[3]; /* of processes, threads and images; 0: none */
    etwc_damage damage;
    uint64_t position; /* bytes passed, once the cursor is gone */
    bool is_busy;
} pyetw_aggregate;

/* ---- What the trace has ------------------------------------------------------------------ */

/* Whether the timeline has such an event at all. As a rule the first one comes
 * soon. */
static int
has_event(pyetw_trace *trace, const pyetw_file *file, uint8_t kernel_class,
          const uint8_t *opcodes, size_t count, bool *out)
{
    etwc_selection selection = {
        .providers = etwc_kernel_group_guid(kernel_class),
        .provider_count = 1,
        .opcodes = opcodes,
        .opcode_count = count,
    };
    return pyetw_trace_has_event(trace, file->timeline, &selection, out);
}

enum {
    SWITCH_OPCODE = 36,
    SAMPLE_OPCODE = 46,
    READY_OPCODE = 50,
    PACKED_OPCODE = 37,
    FILE_END_OPCODE = 76,
    FILE_END_ID = 24, /* of Kernel-File */
    /* Bits of the second group mask. */
    SWITCH_BIT = 0x4,
    READY_BIT = 0x200,
    SAMPLE_BIT = 0x2
};

/* Looks for an event unless the session says that it did not record any. */
static int
probe(pyetw_trace *trace, const pyetw_file *file, uint8_t kernel_class, uint8_t opcode,
      uint32_t bit, bool *out)
{
    const etwc_session_facts *session = etwc_lifetimes_session(file->lifetimes);
    if (session->has_group_masks && !(session->group_masks[1] & bit))
        return 0;
    return has_event(trace, file, kernel_class, &opcode, 1, out);
}

/* What both a manifest provider and kernel classes can tell. */
static const struct {
    uint8_t manifest_class, kernel_class;
    uint8_t source;
    uint8_t opcode_count;
    uint8_t opcodes[24];
} rivals[] = {
    {ETWC_CLASS_MANIFEST_PROCESS,
     ETWC_CLASS_IMAGE,
     ETWC_SOURCE_image,
     4,
     {2, 3, 4, 10}},
    {ETWC_CLASS_MANIFEST_DISK, ETWC_CLASS_DISK_IO, ETWC_SOURCE_disk, 3, {10, 11, 14}},
    {ETWC_CLASS_MANIFEST_FILE,
     ETWC_CLASS_FILE_IO,
     ETWC_SOURCE_file,
     17,
     {64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 77, 79, 80, 81, 82}},
    {ETWC_CLASS_MANIFEST_NETWORK,
     ETWC_CLASS_TCP_IP,
     ETWC_SOURCE_network,
     16,
     {10, 11, 12, 13, 14, 15, 16, 18, 26, 27, 28, 29, 30, 31, 32, 34}},
    {ETWC_CLASS_MANIFEST_NETWORK,
     ETWC_CLASS_UDP_IP,
     ETWC_SOURCE_network,
     4,
     {10, 11, 26, 27}},
};

/* Only a trace that has events of a manifest provider is looked through for those of
 * the class that tells the same. */
static int
probe_rivals(pyetw_trace *trace, const pyetw_file *file, bool *classic)
{
    const etwc_session_facts *session = etwc_lifetimes_session(file->lifetimes);
    classic[ETWC_SOURCE_thread] = session->has_class[ETWC_CLASS_THREAD];
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(rivals); i++) {
        bool *out = &classic[rivals[i].source];
        if (session->has_class[rivals[i].manifest_class] && !*out &&
            has_event(trace, file, rivals[i].kernel_class, rivals[i].opcodes,
                      rivals[i].opcode_count, out) < 0)
            return -1;
    }
    return 0;
}

/* Whether ends of file calls are to be waited for: from the first call on, or never. */
static int
probe_file_ends(pyetw_trace *trace, const pyetw_file *file,
                etwc_aggregate_options *options)
{
    static const uint8_t opcode = FILE_END_OPCODE;
    static const uint16_t id = FILE_END_ID;
    const etwc_session_facts *session = etwc_lifetimes_session(file->lifetimes);
    bool *out = &options->present[ETWC_SOURCE_file_ends];
    if (session->has_class[ETWC_CLASS_MANIFEST_FILE] &&
        !options->classic[ETWC_SOURCE_file]) {
        etwc_selection selection = {
            .providers = etwc_manifest_guid(ETWC_CLASS_MANIFEST_FILE),
            .provider_count = 1,
            .ids = &id,
            .id_count = 1,
        };
        return pyetw_trace_has_event(trace, file->timeline, &selection, out);
    }
    if (session->has_group_masks)
        return 0; /* they tell the aggregate */
    return has_event(trace, file, ETWC_CLASS_FILE_IO, &opcode, 1, out);
}

/* ---- Making one ---------------------------------------------------------------------- */

static int
open_aggregates(pyetw_aggregate *self)
{
    pyetw_trace *trace = self->trace;
    self->aggregates = etwc_calloc(trace->file_count, sizeof(etwc_aggregate *));
    if (self->aggregates == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->file_count = trace->file_count;
    for (size_t i = 0; i < trace->file_count; i++) {
        const pyetw_file *file = &trace->files[i];
        if (file->timeline != i)
            continue;
        const etwc_etl_header *header = etwc_etl_get_header(file->etl);
        etwc_aggregate_options options = {
            .lifetimes = file->lifetimes,
            .clock = file->clock,
            .begin_raw_time = header->header_raw_time,
            .processors = header->processors > UINT16_MAX ? 0 : header->processors,
            .timer_resolution_100ns = header->timer_resolution,
            .limit_bytes = trace->memory_limit,
            .max_processes = self->limits[0],
            .max_threads = self->limits[1],
            .max_images = self->limits[2],
            .gaps = file->gaps,
            .gap_count = file->gap_count,
        };
        if (probe(trace, file, ETWC_CLASS_THREAD, SWITCH_OPCODE, SWITCH_BIT,
                  &options.present[ETWC_SOURCE_switches]) < 0 ||
            (!options.present[ETWC_SOURCE_switches] &&
             probe(trace, file, ETWC_CLASS_THREAD, PACKED_OPCODE, SWITCH_BIT,
                   &options.has_packed_switches) < 0) ||
            probe(trace, file, ETWC_CLASS_PERF_INFO, SAMPLE_OPCODE, SAMPLE_BIT,
                  &options.present[ETWC_SOURCE_samples]) < 0 ||
            (options.present[ETWC_SOURCE_switches] &&
             probe(trace, file, ETWC_CLASS_THREAD, READY_OPCODE, READY_BIT,
                   &options.present[ETWC_SOURCE_ready]) < 0) ||
            probe_rivals(trace, file, options.classic) < 0 ||
            probe_file_ends(trace, file, &options) < 0)
            return -1;
        options.present[ETWC_SOURCE_switches] |= options.has_packed_switches;
        if (!pyetw_trace_check_open(trace))
            return -1;
        self->aggregates[i] = etwc_aggregate_new(&options);
        if (self->aggregates[i] == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

static PyObject *
aggregate_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"trace", "max_processes", "max_threads", "max_images",
                            NULL};
    pyetw_state *state = pyetw_state_of(type);
    PyObject *trace;
    uint32_t limits[3] = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!|O&O&O&:Aggregate", names,
                                     state->trace_type, &trace, pyetw_to_uint32,
                                     &limits[0], pyetw_to_uint32, &limits[1],
                                     pyetw_to_uint32, &limits[2]))
        return NULL;
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_aggregate *self = (pyetw_aggregate *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->trace = (pyetw_trace *)Py_NewRef(trace);
    memcpy(self->limits, limits, sizeof limits);
    self->chunk = etwc_malloc(FEED_CHUNK * sizeof *self->chunk);
    if (self->chunk == NULL)
        PyErr_NoMemory();
    if (self->chunk == NULL || !pyetw_trace_check_open(self->trace) ||
        pyetw_trace_need_lifetimes(self->trace) < 0 ||
        !pyetw_trace_check_open(self->trace) || open_aggregates(self) < 0 ||
        (self->cursor = pyetw_trace_open_cursor(self->trace, NULL)) == NULL) {
        Py_DECREF(self);
        return NULL;
    }
    return (PyObject *)self;
}

static void
drop_cursor(pyetw_aggregate *self)
{
    if (self->cursor == NULL)
        return;
    etwc_cursor_get_damage(self->cursor, &self->damage);
    self->position = etwc_cursor_get_position(self->cursor);
    etwc_cursor_close(self->cursor);
    self->cursor = NULL;
}

static int
aggregate_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_aggregate *)op)->trace);
    return 0;
}

static void
aggregate_dealloc(PyObject *op)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    drop_cursor(self);
    for (size_t i = 0; i < self->file_count; i++)
        etwc_aggregate_free(self->aggregates[i]);
    etwc_free(self->aggregates);
    etwc_free(self->chunk);
    Py_XDECREF((PyObject *)self->trace);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

/* ---- Feeding --------------------------------------------------------------------------- */

static bool
enter(pyetw_aggregate *self)
{
    if (self->is_busy) {
        PyErr_SetString(PyExc_RuntimeError, "another thread uses this aggregate");
        return false;
    }
    self->is_busy = true;
    return true;
}

static etwc_aggregate *
aggregate_of(const pyetw_aggregate *self, const etwc_event *event)
{
    return self->aggregates[self->trace->files[event->file_index].timeline];
}

/* Before INT64_MAX is everything: times that are beyond all others end there. */
static inline bool
is_before(const etwc_event *event, int64_t until)
{
    return event->filetime < until || until == INT64_MAX;
}

/* Feeds what lies in the chunk; E_STATE: an event that is not before `until` comes
 * next. */
static etwc_status
feed_chunk(pyetw_aggregate *self, int64_t until, etwc_error *err)
{
    while (self->chunk_next < self->chunk_count) {
        const etwc_event *events = &self->chunk[self->chunk_next];
        if (!is_before(events, until))
            return ETWC_E_STATE;
        etwc_aggregate *aggregate = aggregate_of(self, events);
        size_t count = 1; /* that go to the same one */
        while (self->chunk_next + count < self->chunk_count &&
               is_before(&events[count], until) &&
               aggregate_of(self, &events[count]) == aggregate)
            count++;
        size_t applied;
        etwc_status st =
            etwc_aggregate_apply_all(aggregate, events, count, &applied, err);
        self->chunk_next += applied;
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

/* Feeds until something has to be done attached. OK: look at signals. */
static etwc_status
feed_slice(pyetw_aggregate *self, int64_t until, etwc_error *err)
{
    for (int i = 0; i < FEED_CHUNKS_PER_LOOK; i++) {
        etwc_status st = feed_chunk(self, until, err);
        if (st != ETWC_OK)
            return st;
        self->chunk_next = self->chunk_count = 0;
        st = etwc_cursor_next(self->cursor, self->chunk, FEED_CHUNK, &self->chunk_count,
                              err);
        if (st != ETWC_OK)
            return st;
        if (self->chunk_count == 0)
            return ETWC_OK;
    }
    return ETWC_OK;
}

PyDoc_STRVAR(
    advance_doc,
    "advance($self, filetime=None, /)\n--\n\n"
    "Feeds all events before that time, or all that are left. True when there\n"
    "is more to come. Raises what reading the trace raises.");

static PyObject *
aggregate_advance(PyObject *op, PyObject *args)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    PyObject *moment = Py_None;
    int64_t until = INT64_MAX;
    if (!PyArg_ParseTuple(args, "|O:advance", &moment))
        return NULL;
    if (moment != Py_None) {
        until = PyLong_AsLongLong(moment);
        if (until == -1 && PyErr_Occurred())
            return NULL;
    }
    if (!enter(self))
        return NULL;
    etwc_status st = self->cursor == NULL ? ETWC_END : ETWC_OK;
    while (st == ETWC_OK) {
        etwc_error err = {.status = ETWC_OK};
        PyThreadState *thread = pyetw_trace_detach(self->trace);
        st = feed_slice(self, until, &err);
        pyetw_trace_attach(thread);
        if (st != ETWC_OK && st != ETWC_END && st != ETWC_E_STATE)
            pyetw_trace_raise(self->trace, &err);
        else if (pyetw_trace_look(self->trace) < 0)
            st = ETWC_E_INTERRUPTED;
    }
    if (st == ETWC_END)
        drop_cursor(self);
    self->is_busy = false;
    if (st != ETWC_END && st != ETWC_E_STATE)
        return NULL;
    return PyBool_FromLong(st == ETWC_E_STATE);
}

/* ---- Looking --------------------------------------------------------------------------- */

static PyObject *
snapshot_of(pyetw_aggregate *self, size_t file, PyObject *moment, int what)
{
    etwc_aggregate *aggregate = self->aggregates[file];
    int64_t raw_time = etwc_aggregate_last_raw_time(aggregate);
    if (moment != Py_None) {
        int64_t filetime = PyLong_AsLongLong(moment);
        if (filetime == -1 && PyErr_Occurred())
            return NULL;
        raw_time = etwc_clock_raw(&self->trace->files[file].clock, filetime);
    }
    etwc_snapshot *snapshot;
    etwc_error err;
    if (etwc_aggregate_snapshot(aggregate, raw_time, (unsigned)what, &snapshot, &err) !=
        ETWC_OK)
        return pyetw_trace_raise(self->trace, &err);
    return pyetw_snapshot_new(self->trace->state, snapshot);
}

PyDoc_STRVAR(
    snapshot_doc,
    "snapshot($self, filetime=None, everything=False, /)\n--\n\n"
    "Copies of all rows at that time, by default that of the latest event fed:\n"
    "a list of Snapshot, one for each timeline of the trace. With everything,\n"
    "all threads and images too.");

static PyObject *
aggregate_snapshot(PyObject *op, PyObject *args)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    PyObject *moment = Py_None;
    int everything = 0;
    if (!PyArg_ParseTuple(args, "|Op:snapshot", &moment, &everything) || !enter(self))
        return NULL;
    int what = everything ? ETWC_SNAPSHOT_ALL : ETWC_SNAPSHOT_ROWS;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < self->file_count; i++) {
        if (self->aggregates[i] == NULL)
            continue;
        PyObject *one = snapshot_of(self, i, moment, what);
        if (one == NULL || PyList_Append(list, one) < 0)
            Py_CLEAR(list);
        Py_XDECREF(one);
    }
    self->is_busy = false;
    return list;
}

PyDoc_STRVAR(
    release_doc,
    "release($self, filetime, /)\n--\n\n"
    "Every consumer has seen what ended up to that time: with a limit its rows may\n"
    "leave and nothing is missed.");

static PyObject *
aggregate_release(PyObject *op, PyObject *moment)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    int64_t filetime = PyLong_AsLongLong(moment);
    if ((filetime == -1 && PyErr_Occurred()) || !enter(self))
        return NULL;
    for (size_t i = 0; i < self->file_count; i++)
        if (self->aggregates[i] != NULL)
            etwc_aggregate_release(
                self->aggregates[i],
                etwc_clock_raw(&self->trace->files[i].clock, filetime));
    self->is_busy = false;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(memory_doc, "Bytes that the rows take, with all that belongs to them.");

static PyObject *
aggregate_get_memory(PyObject *op, void *unused)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    (void)unused;
    if (!enter(self))
        return NULL;
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->file_count; i++)
        if (self->aggregates[i] != NULL)
            bytes += etwc_aggregate_bytes(self->aggregates[i]);
    self->is_busy = false;
    return PyLong_FromUnsignedLongLong(bytes);
}

PyDoc_STRVAR(begin_doc, "FILETIME of the header event, the earliest of all files.");

static PyObject *
aggregate_get_begin(PyObject *op, void *unused)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    (void)unused;
    int64_t begin = INT64_MAX;
    for (size_t i = 0; i < self->file_count; i++)
        if (self->trace->files[i].clock.start_100ns < begin)
            begin = self->trace->files[i].clock.start_100ns;
    return PyLong_FromLongLong(begin);
}

PyDoc_STRVAR(is_loss_located_doc,
             "True when all that the trace lacks, as far as it knows, is missing in\n"
             "the gaps that the machine's facts count.");

static PyObject *
aggregate_get_is_loss_located(PyObject *op, void *unused)
{
    const pyetw_aggregate *self = (pyetw_aggregate *)op;
    bool is_located = true;
    (void)unused;
    for (size_t i = 0; i < self->file_count; i++)
        if (self->aggregates[i] != NULL)
            is_located &= self->trace->files[i].is_loss_located;
    return PyBool_FromLong(is_located);
}

PyDoc_STRVAR(at_end_doc, "True once everything was fed.");

static PyObject *
aggregate_get_at_end(PyObject *op, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((pyetw_aggregate *)op)->cursor == NULL);
}

PyDoc_STRVAR(next_doc,
             "FILETIME of the event that stopped `advance`; None: there was none.");

static PyObject *
aggregate_get_next(PyObject *op, void *unused)
{
    const pyetw_aggregate *self = (const pyetw_aggregate *)op;
    (void)unused;
    if (self->is_busy || self->chunk_next >= self->chunk_count)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(self->chunk[self->chunk_next].filetime);
}

PyDoc_STRVAR(position_doc, "Bytes of the files that were passed, for progress.");

static PyObject *
aggregate_get_position(PyObject *op, void *unused)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    (void)unused;
    if (self->is_busy || self->cursor == NULL)
        return PyLong_FromUnsignedLongLong(self->position);
    return PyLong_FromUnsignedLongLong(etwc_cursor_get_position(self->cursor));
}

PyDoc_STRVAR(damage_doc,
             "Damage met so far, by counter; those that are 0 are left out.");

static PyObject *
aggregate_get_damage(PyObject *op, void *unused)
{
    pyetw_aggregate *self = (pyetw_aggregate *)op;
    (void)unused;
    if (self->cursor != NULL && !self->is_busy)
        etwc_cursor_get_damage(self->cursor, &self->damage);
    PyObject *dict = PyDict_New();
#define PUT_DAMAGE(name)                                                   \
    if (dict != NULL && self->damage.name != 0) {                          \
        PyObject *value = PyLong_FromUnsignedLongLong(self->damage.name);  \
        if (value == NULL || PyDict_SetItemString(dict, #name, value) < 0) \
            Py_CLEAR(dict);                                                \
        Py_XDECREF(value);                                                 \
    }
    ETWC_DAMAGE_LIST(PUT_DAMAGE)
#undef PUT_DAMAGE
    return dict;
}

static PyMethodDef aggregate_methods[] = {
    {"advance", aggregate_advance, METH_VARARGS, advance_doc},
    {"snapshot", aggregate_snapshot, METH_VARARGS, snapshot_doc},
    {"release", aggregate_release, METH_O, release_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef aggregate_getset[] = {
    {"begin_filetime", aggregate_get_begin, NULL, begin_doc, NULL},
    {"is_loss_located", aggregate_get_is_loss_located, NULL, is_loss_located_doc, NULL},
    {"at_end", aggregate_get_at_end, NULL, at_end_doc, NULL},
    {"next_filetime", aggregate_get_next, NULL, next_doc, NULL},
    {"position", aggregate_get_position, NULL, position_doc, NULL},
    {"damage", aggregate_get_damage, NULL, damage_doc, NULL},
    {"memory_in_use", aggregate_get_memory, NULL, memory_doc, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(aggregate_doc,
             "Aggregate(trace, max_processes=0, max_threads=0, max_images=0)\n--\n\n"
             "Numbers per process of a trace, from a position of its own. Reads the\n"
             "process and thread events once before it begins. One thread at a time.");

static PyType_Slot aggregate_slots[] = {
    {Py_tp_doc, (void *)aggregate_doc},
    {Py_tp_new, aggregate_new},
    {Py_tp_traverse, aggregate_traverse},
    {Py_tp_dealloc, aggregate_dealloc},
    {Py_tp_methods, aggregate_methods},
    {Py_tp_getset, aggregate_getset},
    {0, NULL},
};

static PyType_Spec aggregate_spec = {
    .name = "etwmon._etwcore.Aggregate",
    .basicsize = sizeof(pyetw_aggregate),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = aggregate_slots,
};

int
pyetw_aggregate_exec(PyObject *module, pyetw_state *state)
{
    state->aggregate_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &aggregate_spec, NULL);
    if (state->aggregate_type == NULL)
        return -1;
    return PyModule_AddType(module, state->aggregate_type);
}
