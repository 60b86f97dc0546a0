/*
 * TraceWriter: an .etl file that is being written.
 *
 * Every method takes the object's lock, so threads may share a writer. Methods
 * that reach the disk detach from the interpreter: open, flush, close, the bulk
 * call, and a write whose buffer is full.
 */
#include "py_writer.h"

#include "etwc_etl_writer.h"

typedef struct writer_object {
    PyObject_HEAD
    etwc_etl_writer *writer; /* NULL once closed */
    PyThread_type_lock lock; /* guards all of it; a leaf */
    PyObject *path;
    pyetw_guid_cache provider;
    etwc_etl_writer_progress final; /* what progress was at the end */
} writer_object;

/* ---- The lock ---------------------------------------------------------------------- */

static void
lock_writer(writer_object *self)
{
    if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
        return;
    Py_BEGIN_ALLOW_THREADS(void)
    PyThread_acquire_lock(self->lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS
}

static void
unlock_writer(writer_object *self)
{
    PyThread_release_lock(self->lock);
}

/* Takes the lock of a writer that is open: 0, or -1 with an error set. */
static int
enter(writer_object *self)
{
    lock_writer(self);
    if (self->writer != NULL)
        return 0;
    unlock_writer(self);
    PyErr_SetString(PyExc_ValueError, "the trace writer is closed");
    return -1;
}

static PyObject *
raise_status(writer_object *self, const etwc_error *err)
{
    return pyetw_raise(pyetw_state_of(Py_TYPE((PyObject *)self)), err, self->path);
}

static PyObject *
none_or_raise(writer_object *self, etwc_status status, const etwc_error *err)
{
    if (status != ETWC_OK)
        return raise_status(self, err);
    Py_RETURN_NONE;
}

/* ---- Opening ------------------------------------------------------------------------ */

static int
open_writer(writer_object *self, PyObject *path, const etwc_etl_writer_options *options)
{
    etwc_error err;
    etwc_status status;
    char *name;
    if (PyBytes_AsStringAndSize(path, &name, NULL) < 0)
        return -1;
    Py_BEGIN_ALLOW_THREADS
    status = etwc_etl_writer_open(name, options, &self->writer, &err);
    Py_END_ALLOW_THREADS
    if (status == ETWC_OK)
        return 0;
    if (status == ETWC_E_IO)
        pyetw_raise_open(&err, self->path);
    else
        (void)raise_status(self, &err);
    return -1;
}

static PyObject *
writer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    pyetw_writer_arguments arguments;
    writer_object *self = NULL;
    bool is_done = false;
    if (pyetw_writer_arguments_parse(&arguments, args, kwargs) < 0)
        goto done;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    self = (writer_object *)alloc(type, 0);
    if (self == NULL)
        goto done;
    self->lock = PyThread_allocate_lock();
    if (self->lock == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    self->path = PyUnicode_DecodeFSDefault(PyBytes_AsString(arguments.path));
    is_done = self->path != NULL &&
              open_writer(self, arguments.path, &arguments.options) == 0;
done:
    if (!is_done)
        Py_CLEAR(self);
    pyetw_writer_arguments_release(&arguments);
    return (PyObject *)self;
}

/* ---- Ending ------------------------------------------------------------------------- */

/* Takes the core's writer out of the object; the lock is held. */
static etwc_etl_writer *
detach_core(writer_object *self)
{
    etwc_etl_writer *writer = self->writer;
    if (writer != NULL)
        etwc_etl_writer_get_progress(writer, &self->final);
    self->writer = NULL;
    return writer;
}

static PyObject *
close_writer(writer_object *self, int64_t end_filetime)
{
    etwc_error err;
    etwc_status status = ETWC_OK;
    lock_writer(self);
    Py_BEGIN_ALLOW_THREADS
    etwc_etl_writer *writer = self->writer;
    if (writer != NULL) {
        /* The last flush still counts. */
        status = etwc_etl_writer_flush(writer, &err);
        (void)detach_core(self);
        if (status == ETWC_OK)
            status = etwc_etl_writer_close(writer, end_filetime, &err);
        else
            etwc_etl_writer_abandon(writer);
    }
    Py_END_ALLOW_THREADS
    unlock_writer(self);
    return none_or_raise(self, status, &err);
}

PyDoc_STRVAR(
    close_doc,
    "close($self, /, end_time=None)\n--\n\n"
    "Write what is pending and the final header. Closing twice is harmless.\n\n"
    "end_time: FILETIME (int, 100 ns since 1601 UTC) of the end of the session;\n"
    "    None means the time of the latest event, 0 leaves the header as that of\n"
    "    a session that is still running.\n\n"
    "Raises ETWTraceFileError when the file cannot be written; the writer is\n"
    "closed then too.");

static PyObject *
writer_close(writer_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"end_time", NULL};
    PyObject *end_time = Py_None;
    int64_t end = ETWC_WRITER_END_AT_LAST_EVENT;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:close", names, &end_time))
        return NULL;
    if (end_time != Py_None && !pyetw_to_int64(end_time, &end))
        return NULL;
    if (end_time != Py_None && end < 0) {
        PyErr_SetString(PyExc_ValueError, "end_time must not be negative");
        return NULL;
    }
    return close_writer(self, end);
}

PyDoc_STRVAR(
    abandon_doc,
    "abandon($self, /)\n--\n\n"
    "Stop without finishing: pending events are dropped, and the file is left\n"
    "like that of a session that never ended. Harmless after close().");

static PyObject *
writer_abandon(writer_object *self, PyObject *Py_UNUSED(ignored))
{
    lock_writer(self);
    etwc_etl_writer *writer = detach_core(self);
    unlock_writer(self);
    etwc_etl_writer_abandon(writer);
    Py_RETURN_NONE;
}

static PyObject *
writer_enter(writer_object *self, PyObject *Py_UNUSED(ignored))
{
    if (enter(self) < 0)
        return NULL;
    unlock_writer(self);
    return Py_NewRef((PyObject *)self);
}

static PyObject *
writer_exit(writer_object *self, PyObject *args)
{
    bool has_failed = PyTuple_Size(args) > 0 && PyTuple_GetItem(args, 0) != Py_None;
    if (has_failed)
        return writer_abandon(self, NULL);
    return close_writer(self, ETWC_WRITER_END_AT_LAST_EVENT);
}

/* The writer itself is not named as the source of the warning: its reference
 * count is 0 already. */
static void
warn_unclosed(writer_object *self)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (PyErr_WarnFormat(PyExc_ResourceWarning, 1, "unclosed trace writer of %R",
                         self->path) < 0)
        PyErr_WriteUnraisable(self->path);
    PyErr_Restore(type, value, traceback);
}

/* ---- Events -------------------------------------------------------------------------- */

PyDoc_STRVAR(
    write_doc,
    "write($self, /, raw_time, payload=b'', *, kind='event', cpu=0, provider=None,\n"
    "      group=None, opcode=0, id=0, version=0, level=0, channel=0, task=0,\n"
    "      keyword=0, pid=None, tid=None, kernel_ticks=0, user_ticks=0,\n"
    "      pointer_size=8, activity_id=None, extended=(), flags=0,\n"
    "      event_property=0)\n--\n\n"
    "Write one event.\n\n"
    "raw_time: in ticks of the writer's clock (FILETIME with clock='system').\n"
    "payload: bytes-like; with the header at most 65535 bytes and one buffer.\n"
    "kind: 'event' (manifest and TraceLogging), 'full' and 'instance' (classic),\n"
    "    'system', 'perfinfo', 'compact' (kernel), 'message' (WPP; id is the number).\n"
    "provider: uuid.UUID, GUID text, name of a known provider, or 16 bytes as on\n"
    "    disk. Kernel kinds take group (0..255) instead, or a kernel class.\n"
    "pid, tid: None writes 'unknown' (0xFFFFFFFF).\n"
    "kernel_ticks, user_ticks: in units of timer_resolution.\n"
    "extended: (type, data) tuples, as Event.extended has them: any items with\n"
    "    'event', item 4 with 'instance', items 7 and 8 with the kernel kinds.\n"
    "flags: STRING_ONLY (4) and DECODE_GUID (0x80) are kept; the other bits follow\n"
    "    from the record itself.\n\n"
    "Events of one cpu should come in time order. Raises ValueError for what the\n"
    "kind of record has no field for or that does not fit, and ETWTraceFileError\n"
    "when the file cannot be written; nothing of the event is written then.");

static PyObject *
writer_write(writer_object *self, PyObject *const *args, Py_ssize_t nargs,
             PyObject *names)
{
    pyetw_record record = {0};
    etwc_error err;
    etwc_status status = ETWC_OK;
    int result = -1;
    if (pyetw_record_parse(&record, &self->provider, args, nargs, names) < 0)
        goto done;
    if (enter(self) < 0)
        goto done;
    if (etwc_etl_writer_would_block(self->writer, &record.event)) {
        Py_BEGIN_ALLOW_THREADS
        status = etwc_etl_writer_write(self->writer, &record.event, &err);
        Py_END_ALLOW_THREADS
    } else {
        status = etwc_etl_writer_write(self->writer, &record.event, &err);
    }
    unlock_writer(self);
    result = 0;
done:
    pyetw_record_release(&record);
    return result < 0 ? NULL : none_or_raise(self, status, &err);
}

/* ---- Many kernel events at once --------------------------------------------------------- */

/* A row: struct "<qIIIIIBBBB". */
enum {
    ROW_RAW_TIME = 0,
    ROW_CPU = 8,
    ROW_PROCESS_ID = 12,
    ROW_THREAD_ID = 16,
    ROW_PAYLOAD_OFFSET = 20,
    ROW_PAYLOAD_SIZE = 24,
    ROW_KIND = 28,
    ROW_GROUP = 29,
    ROW_OPCODE = 30,
    ROW_VERSION = 31,
    ROW_BYTES = 32,
    /* Rows between two looks at the signals. */
    ROWS_PER_SLICE = 100000
};

typedef struct row_input {
    const uint8_t *rows;
    size_t count;
    const uint8_t *payloads;
    size_t payload_bytes;
    uint8_t pointer_size;
} row_input;

static etwc_status
write_row(etwc_etl_writer *writer, const row_input *input, size_t index,
          etwc_error *err)
{
    const uint8_t *row = input->rows + index * ROW_BYTES;
    size_t offset = etwc_load_u32(row + ROW_PAYLOAD_OFFSET);
    size_t size = etwc_load_u32(row + ROW_PAYLOAD_SIZE);
    uint8_t kind = row[ROW_KIND];
    if (kind != ETWC_KIND_SYSTEM && kind != ETWC_KIND_COMPACT &&
        kind != ETWC_KIND_PERFINFO)
        return etwc_fail_at(err, ETWC_E_INVALID, "writer.rows", -1,
                            "row %llu: kind %u is none of the kernel's",
                            (unsigned long long)index, kind);
    if (offset > input->payload_bytes || size > input->payload_bytes - offset)
        return etwc_fail_at(err, ETWC_E_INVALID, "writer.rows", -1,
                            "row %llu: its payload lies outside of the payloads",
                            (unsigned long long)index);
    etwc_event event = {
        .raw_time = etwc_load_i64(row + ROW_RAW_TIME),
        .payload = input->payloads + offset,
        .payload_size = (uint32_t)size,
        .process_id = etwc_load_u32(row + ROW_PROCESS_ID),
        .thread_id = etwc_load_u32(row + ROW_THREAD_ID),
        .processor = etwc_load_u32(row + ROW_CPU),
        .version = row[ROW_VERSION],
        .opcode = row[ROW_OPCODE],
        .kind = kind,
        .pointer_size = input->pointer_size,
        .kernel_group = row[ROW_GROUP],
    };
    return etwc_etl_writer_write(writer, &event, err);
}

/* Writes rows until one fails, all are written, or the slice is used up. */
static etwc_status
write_slice(etwc_etl_writer *writer, const row_input *input, size_t *index,
            etwc_error *err)
{
    size_t left = input->count - *index;
    size_t end = *index + (left < ROWS_PER_SLICE ? left : ROWS_PER_SLICE);
    etwc_status status = ETWC_OK;
    for (; status == ETWC_OK && *index < end; ++*index)
        status = write_row(writer, input, *index, err);
    return status;
}

static PyObject *
write_rows(writer_object *self, const row_input *input)
{
    etwc_error err;
    etwc_status status = ETWC_OK;
    size_t index = 0;
    while (status == ETWC_OK && index < input->count) {
        if (enter(self) < 0)
            return NULL;
        Py_BEGIN_ALLOW_THREADS
        status = write_slice(self->writer, input, &index, &err);
        Py_END_ALLOW_THREADS
        unlock_writer(self);
        if (status == ETWC_OK && PyErr_CheckSignals() < 0)
            return NULL;
    }
    return none_or_raise(self, status, &err);
}

PyDoc_STRVAR(
    write_rows_doc,
    "write_rows($self, /, rows, payloads, pointer_size=8)\n--\n\n"
    "Write many kernel events.\n\n"
    "rows: bytes-like, one struct '<qIIIIIBBBB' for each event:\n"
    "    raw_time, cpu, pid, tid, payload offset, payload size, kind (0 system,\n"
    "    1 compact, 2 perfinfo), group, opcode, version. pid and tid of a perfinfo\n"
    "    row are ignored.\n"
    "payloads: bytes-like that the offsets count in; rows may share bytes.\n\n"
    "Raises as write() does; the rows before the faulty one are written.");

static PyObject *
writer_write_rows(writer_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"rows", "payloads", "pointer_size", NULL};
    Py_buffer rows = {0}, payloads = {0};
    PyObject *result = NULL;
    unsigned char pointer_size = 8;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*y*|b:write_rows", names, &rows,
                                     &payloads, &pointer_size))
        return NULL;
    if (rows.len % ROW_BYTES != 0) {
        PyErr_Format(PyExc_ValueError, "rows have %d bytes each; %zd is no multiple",
                     ROW_BYTES, rows.len);
    } else {
        const row_input input = {rows.buf, (size_t)rows.len / ROW_BYTES, payloads.buf,
                                 (size_t)payloads.len, pointer_size};
        result = write_rows(self, &input);
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&payloads);
    return result;
}

/* ---- State -------------------------------------------------------------------------------- */

PyDoc_STRVAR(flush_doc,
             "flush($self, /)\n--\n\n"
             "End the buffer of every processor and write it, as the flush timer of a\n"
             "session does. Raises ETWTraceFileError when the file cannot be written.");

static PyObject *
writer_flush(writer_object *self, PyObject *Py_UNUSED(ignored))
{
    etwc_error err;
    etwc_status status;
    if (enter(self) < 0)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    status = etwc_etl_writer_flush(self->writer, &err);
    Py_END_ALLOW_THREADS
    unlock_writer(self);
    return none_or_raise(self, status, &err);
}

PyDoc_STRVAR(
    set_loss_doc,
    "set_loss($self, /, events=0, buffers=0, *, cpu=None)\n--\n\n"
    "Set how many events and buffers were lost so far. The closed header reports\n"
    "the totals; a total that rises also marks a buffer: the current one of that\n"
    "cpu, or the next one that goes to the file when cpu is None.");

static PyObject *
writer_set_loss(writer_object *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"events", "buffers", "cpu", NULL};
    uint32_t events = 0, buffers = 0, processor = ETWC_WRITER_ANY_PROCESSOR;
    PyObject *cpu = Py_None;
    etwc_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O&O&$O:set_loss", names,
                                     pyetw_to_uint32, &events, pyetw_to_uint32,
                                     &buffers, &cpu))
        return NULL;
    if (cpu != Py_None) {
        if (!pyetw_to_uint32(cpu, &processor))
            return NULL;
        /* The value that means "any" names no processor. */
        if (processor == ETWC_WRITER_ANY_PROCESSOR)
            processor--;
    }
    if (enter(self) < 0)
        return NULL;
    etwc_status status =
        etwc_etl_writer_set_loss(self->writer, processor, events, buffers, &err);
    unlock_writer(self);
    return none_or_raise(self, status, &err);
}

static etwc_etl_writer_progress
progress_of(writer_object *self)
{
    etwc_etl_writer_progress progress;
    lock_writer(self);
    progress = self->final;
    if (self->writer != NULL)
        etwc_etl_writer_get_progress(self->writer, &progress);
    unlock_writer(self);
    return progress;
}

#define PROGRESS_GETTER(name, convert)                                    \
    static PyObject *get_##name(PyObject *self, void *Py_UNUSED(closure)) \
    {                                                                     \
        return convert(progress_of((writer_object *)self).name);          \
    }
PROGRESS_GETTER(events, PyLong_FromUnsignedLongLong)
PROGRESS_GETTER(buffers, PyLong_FromUnsignedLongLong)
PROGRESS_GETTER(file_bytes, PyLong_FromUnsignedLongLong)
PROGRESS_GETTER(next_sequence, PyLong_FromLongLong)
PROGRESS_GETTER(last_raw_time, PyLong_FromLongLong)

static PyObject *
get_path(PyObject *self, void *Py_UNUSED(closure))
{
    return Py_NewRef(((writer_object *)self)->path);
}

static PyObject *
get_closed(PyObject *object, void *Py_UNUSED(closure))
{
    writer_object *self = (writer_object *)object;
    lock_writer(self);
    bool is_closed = self->writer == NULL;
    unlock_writer(self);
    return PyBool_FromLong(is_closed);
}

static PyObject *
writer_repr(PyObject *object)
{
    writer_object *self = (writer_object *)object;
    etwc_etl_writer_progress progress = progress_of(self);
    return PyUnicode_FromFormat("<TraceWriter %R: %llu events, %llu bytes%s>",
                                self->path, (unsigned long long)progress.events,
                                (unsigned long long)progress.file_bytes,
                                self->writer == NULL ? ", closed" : "");
}

/* ---- The type ------------------------------------------------------------------------------- */

static int
writer_traverse(PyObject *object, visitproc visit, void *arg)
{
    writer_object *self = (writer_object *)object;
    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->path);
    Py_VISIT(self->provider.source);
    return 0;
}

static int
writer_clear(PyObject *object)
{
    Py_CLEAR(((writer_object *)object)->provider.source);
    return 0;
}

static void
writer_dealloc(PyObject *object)
{
    writer_object *self = (writer_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    PyObject_GC_UnTrack(object);
    if (self->writer != NULL)
        warn_unclosed(self);
    etwc_etl_writer_abandon(self->writer);
    if (self->lock != NULL)
        PyThread_free_lock(self->lock);
    (void)writer_clear(object);
    Py_XDECREF(self->path);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

/* The cast that the method table wants; the flags say what the function takes. */
#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef writer_methods[] = {
    {"write", METHOD(writer_write), METH_FASTCALL | METH_KEYWORDS, write_doc},
    {"write_rows", METHOD(writer_write_rows), METH_VARARGS | METH_KEYWORDS,
     write_rows_doc},
    {"flush", METHOD(writer_flush), METH_NOARGS, flush_doc},
    {"set_loss", METHOD(writer_set_loss), METH_VARARGS | METH_KEYWORDS, set_loss_doc},
    {"close", METHOD(writer_close), METH_VARARGS | METH_KEYWORDS, close_doc},
    {"abandon", METHOD(writer_abandon), METH_NOARGS, abandon_doc},
    {"__enter__", METHOD(writer_enter), METH_NOARGS, NULL},
    {"__exit__", METHOD(writer_exit), METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef writer_getset[] = {
    {"path", get_path, NULL, "The file that is written (str).", NULL},
    {"closed", get_closed, NULL, "Whether close() or abandon() was called.", NULL},
    {"events", get_events, NULL, "Events written, the header event not counted.", NULL},
    {"buffers", get_buffers, NULL,
     "Buffers that reached the file, the header and overwritten ones included.", NULL},
    {"file_bytes", get_file_bytes, NULL, "Size of the file so far, in bytes.", NULL},
    {"next_sequence", get_next_sequence, NULL,
     "first_sequence for the next file of a NEWFILE set.", NULL},
    {"last_raw_time", get_last_raw_time, NULL,
     "The latest raw_time; start_raw before any event.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    writer_doc,
    "TraceWriter(path, *, buffer_size_kb=64, processors=1, mode=0, compression=None,\n"
    "            clock='qpc', perf_frequency=10000000, start_time=None,\n"
    "            start_raw=None, boot_time=None, pointer_size=8,\n"
    "            timer_resolution=156250, cpu_mhz=3000, os_version=(10, 0),\n"
    "            os_build=19045, bias_minutes=0, session_name='etwmon',\n"
    "            log_file_name='', maximum_file_size_mb=0, logger_id=0,\n"
    "            first_sequence=1, header_pid=4, header_tid=8, group_masks=None,\n"
    "            kernel_event_version=0)\n--\n\n"
    "Write a trace file (.etl) on any system.\n\n"
    "The file is what a Windows session would have left. It is created at once and\n"
    "is a valid trace of an unfinished session until close(). As a context manager\n"
    "it closes at the end, and abandons when the block raises.\n\n"
    "buffer_size_kb: 1 to 16384. A record must fit into a buffer.\n"
    "processors: as the header states; events may name higher ones, to 65535.\n"
    "mode: LogFileMode bits (0x2 circular, 0x8 new file, 0x800 private logger,\n"
    "    0x2000 maximum size in KB, 0x10000 relogged, ...).\n"
    "compression: None, 'xpress', 'lznt1' or 'xpress-huff'.\n"
    "clock: unit of raw times: 'qpc' (perf_frequency per second), 'system'\n"
    "    (FILETIME) or 'cpu' (cpu_mhz).\n"
    "start_time, boot_time: FILETIME (int); default 2024-01-01, an hour after boot.\n"
    "start_raw: raw time at start_time; default what the clock shows since boot.\n"
    "os_version: (major, minor); before (6, 2) the older form of buffers is used.\n"
    "bias_minutes: UTC = local time + bias.\n"
    "maximum_file_size_mb: where a circular file wraps; else only noted.\n"
    "group_masks: 8 numbers; adds the header extension of kernel sessions.\n\n"
    "Raises ValueError for options that contradict each other and OSError when the\n"
    "file cannot be created. Threads may share a writer;\n"
    "each call is atomic.");

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, (void *)writer_doc},
    {Py_tp_new, (void *)writer_new},
    {Py_tp_dealloc, (void *)writer_dealloc},
    {Py_tp_traverse, (void *)writer_traverse},
    {Py_tp_clear, (void *)writer_clear},
    {Py_tp_repr, (void *)writer_repr},
    {Py_tp_methods, writer_methods},
    {Py_tp_getset, writer_getset},
    {0, NULL},
};

static PyType_Spec writer_spec = {
    .name = "etwmon.TraceWriter",
    .basicsize = sizeof(writer_object),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = writer_slots,
};

int
pyetw_writer_exec(PyObject *module, pyetw_state *state)
{
    state->writer_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &writer_spec, NULL);
    if (state->writer_type == NULL)
        return -1;
    return PyModule_AddObjectRef(module, "TraceWriter", (PyObject *)state->writer_type);
}
