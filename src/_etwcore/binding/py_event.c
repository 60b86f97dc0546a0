/*
 * Event: one event of a trace, decoded only when asked. It copies the view (the
 * record's header) and holds the block that its bytes lie in, so it stays whole
 * after the iterator moved on and the trace was closed.
 *
 * Iterating makes millions of them: a short list of dead ones is kept for reuse.
 */
#include "py_event.h"

#include <stddef.h>

#include "etwc_alloc.h"
#include "etwc_block.h"
#include "etwc_provider.h"
#include "py_fields.h"

typedef struct pyetw_event {
    PyObject_HEAD
    pyetw_trace *trace;
    etwc_event view;
} pyetw_event;

/* Providers beyond this number are made anew each time: a hostile trace may name
 * millions. */
enum { UUIDS_CACHED = 4096 };

/* Drops what the variable refers to and takes over the new reference. */
static void
replace(PyObject **slot, PyObject *value)
{
    PyObject *old = *slot;
    *slot = value;
    Py_XDECREF(old);
}

/* ---- Objects of the standard library -------------------------------------------------- */

/* Imported on first use, so that `import etwmon` stays quick. */
static PyObject *
lazy_import(PyObject **slot, const char *module_name, const char *name)
{
    if (*slot != NULL)
        return *slot;
    PyObject *module = PyImport_ImportModule(module_name);
    if (module == NULL)
        return NULL;
    PyObject *object = PyObject_GetAttrString(module, name);
    Py_DECREF(module);
    if (object == NULL)
        return NULL;
    if (*slot == NULL)
        *slot = object;
    else /* another thread was faster */
        Py_DECREF(object);
    return *slot;
}

static PyObject *
guid_to_uuid(pyetw_state *state, PyObject *bytes)
{
    PyObject *type = lazy_import(&state->uuid_type, "uuid", "UUID");
    if (type == NULL)
        return NULL;
    return PyObject_CallFunction(type, "OOO", Py_None, Py_None, bytes);
}

PyObject *
pyetw_guid_or_none(pyetw_state *state, const etwc_guid *guid)
{
    static const etwc_guid zero;
    if (etwc_guid_equal(guid, &zero))
        Py_RETURN_NONE;
    return pyetw_guid(state, guid);
}

PyObject *
pyetw_guid(pyetw_state *state, const etwc_guid *guid)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)guid->bytes, 16);
    PyObject *uuid = bytes ? guid_to_uuid(state, bytes) : NULL;
    Py_XDECREF(bytes);
    return uuid;
}

PyObject *
pyetw_provider_uuid(pyetw_trace *trace, const etwc_guid *guid)
{
    PyObject *bytes = PyBytes_FromStringAndSize((const char *)guid->bytes, 16);
    if (bytes == NULL)
        return NULL;
    PyObject *uuid = PyDict_GetItemWithError(trace->uuids, bytes);
    Py_XINCREF(uuid);
    if (uuid == NULL && !PyErr_Occurred()) {
        uuid = guid_to_uuid(trace->state, bytes);
        if (uuid != NULL && PyDict_Size(trace->uuids) < UUIDS_CACHED &&
            PyDict_SetItem(trace->uuids, bytes, uuid) < 0)
            Py_CLEAR(uuid);
    }
    Py_DECREF(bytes);
    return uuid;
}

/* datetime(1970, 1, 1, tzinfo=utc), made once. */
static PyObject *
unix_epoch(pyetw_state *state)
{
    if (state->epoch != NULL)
        return state->epoch;
    PyObject *zone = lazy_import(&state->timezone_type, "datetime", "timezone");
    PyObject *type = lazy_import(&state->datetime_type, "datetime", "datetime");
    if (zone == NULL || type == NULL)
        return NULL;
    PyObject *utc = PyObject_GetAttrString(zone, "utc");
    if (utc == NULL)
        return NULL;
    PyObject *epoch =
        PyObject_CallFunction(type, "iiiiiiiO", 1970, 1, 1, 0, 0, 0, 0, utc);
    if (state->utc == NULL)
        state->utc = Py_NewRef(utc);
    Py_DECREF(utc);
    if (state->epoch == NULL)
        state->epoch = epoch;
    else
        Py_XDECREF(epoch);
    return state->epoch;
}

PyObject *
pyetw_datetime(pyetw_state *state, int64_t filetime)
{
    PyObject *epoch = unix_epoch(state);
    PyObject *delta_type =
        epoch ? lazy_import(&state->timedelta_type, "datetime", "timedelta") : NULL;
    if (delta_type == NULL)
        return NULL;
    /* Split before the epoch is taken off, so that nothing can overflow. */
    const int64_t day = 86400 * ETWC_100NS_PER_SECOND;
    int64_t days = filetime / day;
    int64_t rest = filetime % day;
    if (rest < 0) {
        rest += day;
        days--;
    }
    days -= ETWC_UNIX_EPOCH_100NS / day;
    PyObject *delta = PyObject_CallFunction(
        delta_type, "LLL", (long long)days, (long long)(rest / ETWC_100NS_PER_SECOND),
        (long long)(rest % ETWC_100NS_PER_SECOND / 10));
    PyObject *time = delta ? PyNumber_Add(epoch, delta) : NULL;
    Py_XDECREF(delta);
    return time;
}

/* ---- Life --------------------------------------------------------------------------------- */

static pyetw_event *
event_alloc(pyetw_state *state)
{
#ifndef Py_GIL_DISABLED
    if (state->free_event_count > 0) {
        PyObject *op = state->free_events[--state->free_event_count];
        return (pyetw_event *)PyObject_Init(op, state->event_type);
    }
#endif
    return PyObject_GC_New(pyetw_event, state->event_type);
}

PyObject *
pyetw_event_new(pyetw_trace *trace, const etwc_event *view)
{
    pyetw_event *event = event_alloc(trace->state);
    if (event == NULL)
        return NULL;
    event->view = *view;
    etwc_block_retain(view->block);
    event->trace = (pyetw_trace *)Py_NewRef((PyObject *)trace);
    PyObject_GC_Track((PyObject *)event);
    return (PyObject *)event;
}

static int
event_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pyetw_event *)op)->trace);
    return 0;
}

/* There is no tp_clear: an event refers to its trace alone and never changes, and
 * whatever cycle it is part of is broken at the trace. */
static void
event_dealloc(PyObject *op)
{
    pyetw_event *event = (pyetw_event *)op;
    PyTypeObject *type = Py_TYPE(op);
    pyetw_state *state = event->trace->state;
    PyObject_GC_UnTrack(op);
    etwc_block_release(event->view.block);
    /* The trace may be the last to hold the type's module: it goes last. */
    PyObject *trace = (PyObject *)event->trace;
#ifndef Py_GIL_DISABLED
    if (state->free_event_count < PYETW_FREE_EVENTS)
        state->free_events[state->free_event_count++] = op;
    else
#endif
        PyObject_GC_Del(op);
    Py_DECREF(trace);
    Py_DECREF(type);
}

void
pyetw_event_drop_free(pyetw_state *state)
{
    while (state->free_event_count > 0)
        PyObject_GC_Del(state->free_events[--state->free_event_count]);
}

/* ---- Attributes of the header ----------------------------------------------------------------- */

/* The closure of these getters is the offset of the member in the view. */
#define MEMBER(type)                                                          \
    (*(const type *)(const void *)((const char *)&((pyetw_event *)op)->view + \
                                   (uintptr_t)closure))

static PyObject *
get_u8(PyObject *op, void *closure)
{
    return PyLong_FromLong(MEMBER(uint8_t));
}

static PyObject *
get_u16(PyObject *op, void *closure)
{
    return PyLong_FromLong(MEMBER(uint16_t));
}

static PyObject *
get_u32(PyObject *op, void *closure)
{
    return PyLong_FromUnsignedLong(MEMBER(uint32_t));
}

static PyObject *
get_u64(PyObject *op, void *closure)
{
    return PyLong_FromUnsignedLongLong(MEMBER(uint64_t));
}

static PyObject *
get_i64(PyObject *op, void *closure)
{
    return PyLong_FromLongLong(MEMBER(int64_t));
}

static PyObject *
id_or_none(uint32_t id)
{
    if (id == ETWC_NO_ID)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(id);
}

static PyObject *
get_id(PyObject *op, void *closure)
{
    return id_or_none(MEMBER(uint32_t));
}

/* Ticks are known unless the header has none, or one 64-bit count instead. */
static PyObject *
get_ticks(PyObject *op, void *closure)
{
    uint16_t flags = ((pyetw_event *)op)->view.flags;
    if (flags & (ETWC_FLAG_NO_CPUTIME | ETWC_FLAG_PRIVATE_SESSION))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(MEMBER(uint32_t));
}

static PyObject *
get_timestamp_ns(PyObject *op, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(etwc_clock_unix_ns(((pyetw_event *)op)->view.filetime));
}

static PyObject *
get_time(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_datetime(event->trace->state, event->view.filetime);
}

static const pyetw_file *
file_of(const pyetw_event *event)
{
    return &event->trace->files[event->view.file_index];
}

static PyObject *
get_relative_ms(PyObject *op, void *unused)
{
    const pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return PyFloat_FromDouble(
        etwc_clock_relative_ms(&file_of(event)->clock, event->view.raw_time));
}

static PyObject *
get_file(PyObject *op, void *unused)
{
    (void)unused;
    return Py_NewRef(file_of((pyetw_event *)op)->path);
}

static PyObject *
get_kind(PyObject *op, void *unused)
{
    (void)unused;
    return PyUnicode_InternFromString(
        etwc_event_kind_name(((pyetw_event *)op)->view.kind));
}

static PyObject *
get_provider_id(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_provider_uuid(event->trace, &event->view.provider_id);
}

static PyObject *
get_provider(PyObject *op, void *unused)
{
    (void)unused;
    const char *name = etwc_provider_name(&((pyetw_event *)op)->view.provider_id);
    if (name == NULL)
        Py_RETURN_NONE;
    return PyUnicode_InternFromString(name);
}

static PyObject *
get_activity_id(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_guid_or_none(event->trace->state, &event->view.activity_id);
}

/* ---- What lies behind the header ---------------------------------------------------------------- */

static PyObject *
get_related_activity_id(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    etwc_span data;
    etwc_guid guid;
    (void)unused;
    if (!etwc_extended_find(&event->view, ETWC_EXT_RELATED_ACTIVITYID, &data) ||
        data.len < sizeof guid.bytes)
        Py_RETURN_NONE;
    memcpy(guid.bytes, data.ptr, sizeof guid.bytes);
    return pyetw_guid_or_none(event->trace->state, &guid);
}

static PyObject *
extended_item(pyetw_state *state, const etwc_extended_item *item)
{
    PyObject *result = PyStructSequence_New(state->extended_type);
    if (result == NULL)
        return NULL;
    PyObject *type = PyLong_FromLong(item->type);
    PyObject *data = PyBytes_FromStringAndSize((const char *)item->data.ptr,
                                               (Py_ssize_t)item->data.len);
    PyStructSequence_SetItem(result, 0, type);
    PyStructSequence_SetItem(result, 1, data);
    if (type == NULL || data == NULL)
        Py_CLEAR(result);
    return result;
}

static PyObject *
get_extended(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    etwc_extended_iter iter;
    etwc_extended_item item;
    (void)unused;
    PyObject *list = PyList_New(0);
    etwc_extended_begin(&event->view, &iter);
    while (list != NULL && etwc_extended_next(&iter, &item)) {
        PyObject *object = extended_item(event->trace->state, &item);
        if (object == NULL || PyList_Append(list, object) < 0)
            Py_CLEAR(list);
        Py_XDECREF(object);
    }
    return list;
}

static int
event_getbuffer(PyObject *op, Py_buffer *view, int flags)
{
    const etwc_event *event = &((pyetw_event *)op)->view;
    return PyBuffer_FillInfo(view, op, (void *)(uintptr_t)event->payload,
                             (Py_ssize_t)event->payload_size, 1, flags);
}

static PyObject *
get_payload(PyObject *op, void *unused)
{
    (void)unused;
    return PyMemoryView_FromObject(op);
}

static PyObject *
get_process(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    if (pyetw_trace_need_lifetimes(event->trace) < 0)
        return NULL;
    return id_or_none(pyetw_trace_owner(event->trace, &event->view));
}

/* The frames as a tuple; *out_is_complete tells whether a part is missing. */
static PyObject *
stack_tuple(pyetw_event *event, bool *out_is_complete)
{
    enum { USUAL = 256 };
    uint64_t usual[USUAL];
    uint64_t *frames = usual;
    const etwc_stacks *stacks = pyetw_trace_need_stacks(event->trace, &event->view);
    if (stacks == NULL)
        return NULL;
    size_t count =
        etwc_stacks_resolve(stacks, &event->view, usual, USUAL, out_is_complete);
    if (count > USUAL) {
        frames = etwc_calloc(count, sizeof *frames);
        if (frames == NULL)
            return PyErr_NoMemory();
        count =
            etwc_stacks_resolve(stacks, &event->view, frames, count, out_is_complete);
    }
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *frame = PyLong_FromUnsignedLongLong(frames[i]);
        if (frame == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, frame) < 0)
            Py_CLEAR(tuple);
    }
    if (frames != usual)
        etwc_free(frames);
    return tuple;
}

static PyObject *
get_stack(PyObject *op, void *unused)
{
    bool is_complete;
    (void)unused;
    PyObject *tuple = stack_tuple((pyetw_event *)op, &is_complete);
    if (tuple != NULL && PyTuple_Size(tuple) == 0)
        replace(&tuple, Py_NewRef(Py_None));
    return tuple;
}

static PyObject *
get_is_stack_complete(PyObject *op, void *unused)
{
    bool is_complete;
    (void)unused;
    PyObject *tuple = stack_tuple((pyetw_event *)op, &is_complete);
    if (tuple == NULL)
        return NULL;
    Py_DECREF(tuple);
    return PyBool_FromLong(is_complete);
}

/* ---- Decoded fields -------------------------------------------------------------------------------- */

PyObject *
pyetw_event_name(pyetw_state *state, const etwc_event *event)
{
    return pyetw_fields_name(state, event);
}

static PyObject *
get_name(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_event_name(event->trace->state, &event->view);
}

static PyObject *
get_decoded(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_fields_completeness(event->trace->state, &event->view);
}

PyDoc_STRVAR(
    fields_doc,
    "fields($self, /)\n--\n\n"
    "The decoded fields by name, in the order of the payload; empty when there\n"
    "is no layout for the event. A payload that is short or newer than known\n"
    "gives the fields that are certain (see `decoded`).");

static PyObject *
event_fields(PyObject *op, PyObject *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_fields_dict(event->trace->state, &event->view);
}

PyDoc_STRVAR(
    symbols_doc,
    "symbols($self, /)\n--\n\n"
    "Names of the fields' numbers that have one, by field: enumerations by their\n"
    "value, flags as the names of their bits joined by ','.");

static PyObject *
event_symbols(PyObject *op, PyObject *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_fields_symbols(event->trace->state, &event->view);
}

static PyObject *
event_subscript(PyObject *op, PyObject *key)
{
    pyetw_event *event = (pyetw_event *)op;
    if (!PyUnicode_Check(key)) {
        PyErr_Format(PyExc_TypeError, "field names are str, not %R", Py_TYPE(key));
        return NULL;
    }
    return pyetw_fields_item(event->trace->state, &event->view, key);
}

/* ---- As a dict, as JSON, as text ---------------------------------------------------------------------- */

static const char *const dict_names[] = {
    "filetime",    "timestamp_ns", "time",
    "relative_ms", "cpu",          "pid",
    "tid",         "process",      "provider_id",
    "provider",    "name",         "kind",
    "id",          "version",      "opcode",
    "level",       "task",         "channel",
    "keyword",     "activity_id",  "related_activity_id",
    "flags",       "kernel_time",  "user_time",
    "file",        "decoded",      "extended",
    "payload",     NULL,
};

static int
dict_put(PyObject *dict, const char *name, PyObject *value)
{
    int result = value ? PyDict_SetItemString(dict, name, value) : -1;
    Py_XDECREF(value);
    return result;
}

static PyObject *
make_dict(PyObject *op, bool wants_stack)
{
    PyObject *dict = PyDict_New();
    int result = dict ? 0 : -1;
    const pyetw_trace *trace = ((pyetw_event *)op)->trace;
    for (size_t i = 0; result == 0 && dict_names[i] != NULL; i++) {
        /* A closed trace cannot be asked for owners any more. */
        if (trace->is_closed && !trace->has_lifetimes &&
            strcmp(dict_names[i], "process") == 0)
            continue;
        PyObject *value = PyObject_GetAttrString(op, dict_names[i]);
        if (value != NULL && PyMemoryView_Check(value))
            replace(&value, PyBytes_FromObject(value));
        result = dict_put(dict, dict_names[i], value);
    }
    if (result == 0)
        result = dict_put(dict, "fields", event_fields(op, NULL));
    if (result == 0 && wants_stack)
        result = dict_put(dict, "stack", PyObject_GetAttrString(op, "stack"));
    if (result < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
parse_and_make_dict(PyObject *op, PyObject *args, PyObject *kwargs, const char *format)
{
    static char *names[] = {"stack", NULL};
    int wants_stack = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &wants_stack))
        return NULL;
    return make_dict(op, wants_stack != 0);
}

PyDoc_STRVAR(
    to_dict_doc,
    "to_dict($self, /, *, stack=False)\n--\n\n"
    "Every attribute by its name, the payload as bytes, and the decoded fields\n"
    "under \"fields\". With stack=True the stack too, which reads the trace\n"
    "once more the first time. \"process\" is left out when the trace was closed\n"
    "before any owner was asked for.");

static PyObject *
event_to_dict(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return parse_and_make_dict(op, args, kwargs, "|$p:to_dict");
}

PyDoc_STRVAR(
    to_json_doc,
    "to_json($self, /, *, stack=False)\n--\n\n"
    "to_dict() as one line of JSON, in ASCII: GUIDs and times as text, bytes as\n"
    "hexadecimal digits, a lone surrogate as its escape.");

static PyObject *
event_to_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    pyetw_state *state = ((pyetw_event *)op)->trace->state;
    PyObject *dict = parse_and_make_dict(op, args, kwargs, "|$p:to_json");
    PyObject *dumps = dict ? lazy_import(&state->json_dumps, "json", "dumps") : NULL;
    PyObject *value = dumps ? pyetw_json_value(state, dict) : NULL;
    PyObject *text = value ? PyObject_CallFunctionObjArgs(dumps, value, NULL) : NULL;
    Py_XDECREF(dict);
    Py_XDECREF(value);
    return text;
}

static PyObject *
event_repr(PyObject *op)
{
    pyetw_event *event = (pyetw_event *)op;
    const etwc_event *view = &event->view;
    PyObject *name = get_name(op, NULL);
    PyObject *time = name ? get_time(op, NULL) : NULL;
    if (name != NULL && time == NULL && PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_Clear(); /* a stamp that no datetime can express */
        time = PyUnicode_FromFormat("filetime=%lld", (long long)view->filetime);
    }
    PyObject *pid = time ? id_or_none(view->process_id) : NULL;
    PyObject *tid = pid ? id_or_none(view->thread_id) : NULL;
    PyObject *text = NULL;
    if (tid != NULL && name != Py_None) {
        text = PyUnicode_FromFormat(
            "<Event %U %S cpu=%u pid=%S tid=%S payload=%u bytes>", name, time,
            view->processor, pid, tid, view->payload_size);
    } else if (tid != NULL) {
        PyObject *provider = get_provider(op, NULL);
        if (provider == Py_None)
            replace(&provider, get_provider_id(op, NULL));
        if (provider != NULL)
            text = PyUnicode_FromFormat(
                "<Event %S id=%u opcode=%u version=%u %S cpu=%u pid=%S tid=%S "
                "payload=%u bytes>",
                provider, view->id, view->opcode, view->version, time, view->processor,
                pid, tid, view->payload_size);
        Py_XDECREF(provider);
    }
    Py_XDECREF(name);
    Py_XDECREF(time);
    Py_XDECREF(pid);
    Py_XDECREF(tid);
    return text;
}

PyDoc_STRVAR(html_doc, "_repr_html_($self, /)\n--\n\nA table for notebooks.");

/* Rows of a table, one per item of the dict; nested ones become their repr. */
static PyObject *
html_rows(pyetw_state *state, PyObject *dict, const char *prefix)
{
    PyObject *escape = lazy_import(&state->html_escape, "html", "escape");
    PyObject *rows = escape ? PyUnicode_FromString("") : NULL;
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (rows != NULL && PyDict_Next(dict, &at, &key, &value)) {
        if (PyDict_Check(value))
            continue;
        PyObject *shown = PyObject_Str(value);
        PyObject *safe_key =
            shown ? PyObject_CallFunctionObjArgs(escape, key, NULL) : NULL;
        PyObject *safe =
            safe_key ? PyObject_CallFunctionObjArgs(escape, shown, NULL) : NULL;
        PyObject *next = NULL;
        if (safe != NULL)
            next = PyUnicode_FromFormat("%U<tr><th>%s%U</th><td>%U</td></tr>", rows,
                                        prefix, safe_key, safe);
        Py_XDECREF(shown);
        Py_XDECREF(safe_key);
        Py_XDECREF(safe);
        replace(&rows, next);
    }
    return rows;
}

static PyObject *
event_repr_html(PyObject *op, PyObject *unused)
{
    pyetw_state *state = ((pyetw_event *)op)->trace->state;
    (void)unused;
    PyObject *dict = make_dict(op, false);
    PyObject *plain = dict ? pyetw_json_value(state, dict) : NULL;
    PyObject *rows = plain ? html_rows(state, plain, "") : NULL;
    PyObject *fields = rows ? PyDict_GetItemWithError(plain, state->fields_text) : NULL;
    PyObject *more = fields ? html_rows(state, fields, "&#8226; ") : NULL;
    PyObject *html =
        more ? PyUnicode_FromFormat("<table>%U%U</table>", rows, more) : NULL;
    Py_XDECREF(dict);
    Py_XDECREF(plain);
    Py_XDECREF(rows);
    Py_XDECREF(more);
    return html;
}

/* ---- The type ------------------------------------------------------------------------------------------- */

#define AT(member) ((void *)offsetof(etwc_event, member))

static PyGetSetDef event_getset[] = {
    {"filetime", get_i64, NULL, "Time in 100 ns since 1601 UTC.", AT(filetime)},
    {"timestamp_ns", get_timestamp_ns, NULL, "Time in ns since 1970 UTC.", NULL},
    {"time", get_time, NULL,
     "Time as an aware datetime in UTC, truncated to microseconds.", NULL},
    {"relative_ms", get_relative_ms, NULL, "Milliseconds since the header event.",
     NULL},
    {"raw_time", get_i64, NULL, "Time in ticks of the session's clock.", AT(raw_time)},
    {"cpu", get_u32, NULL, "Processor that logged the event.", AT(processor)},
    {"pid", get_id, NULL,
     "Process id of the record header, or None when it has none. The process that\n"
     "the event is about is `process`.",
     AT(process_id)},
    {"tid", get_id, NULL, "Thread id of the record header, or None.", AT(thread_id)},
    {"process", get_process, NULL,
     "Process id of the owner, or None when nobody knows. Reads the process and\n"
     "thread events of the trace once, the first time; ValueError when the trace\n"
     "was closed before.",
     NULL},
    {"provider_id", get_provider_id, NULL, "The provider's GUID.", NULL},
    {"provider", get_provider, NULL, "The provider's name, or None.", NULL},
    {"name", get_name, NULL, "Class and event, as in \"Process/Start\", or None.",
     NULL},
    {"kind", get_kind, NULL,
     "Kind of the record: system, compact, perfinfo, full, instance, event, message.",
     NULL},
    {"id", get_u16, NULL, "Event id; 0 for classic events.", AT(id)},
    {"version", get_u8, NULL, "Version of the payload's layout.", AT(version)},
    {"opcode", get_u8, NULL, "Opcode; the type of classic events.", AT(opcode)},
    {"level", get_u8, NULL, "Level, 1 critical to 5 verbose; 0 always.", AT(level)},
    {"task", get_u16, NULL, "Task of the provider.", AT(task)},
    {"channel", get_u8, NULL, "Channel; 11 is TraceLogging.", AT(channel)},
    {"keyword", get_u64, NULL, "Keyword bits.", AT(keyword)},
    {"activity_id", get_activity_id, NULL, "Activity GUID, or None.", NULL},
    {"related_activity_id", get_related_activity_id, NULL,
     "GUID of the activity that this one came from, or None.", NULL},
    {"flags", get_u16, NULL, "EVENT_HEADER flags as the Windows API delivers them.",
     AT(flags)},
    {"kernel_time", get_ticks, NULL,
     "Kernel CPU time of the thread so far, in ticks of info.timer_resolution, or\n"
     "None when the record does not have it.",
     AT(kernel_ticks)},
    {"user_time", get_ticks, NULL,
     "User CPU time of the thread so far, as `kernel_time`.", AT(user_ticks)},
    {"pointer_size", get_u8, NULL, "Bytes of a pointer in the payload: 4 or 8.",
     AT(pointer_size)},
    {"extended", get_extended, NULL,
     "Extended items as a list of named tuples (type, data).", NULL},
    {"payload", get_payload, NULL,
     "The payload as a read-only memoryview, valid as long as it is held.", NULL},
    {"stack", get_stack, NULL,
     "Return addresses, innermost first, as a tuple of int, or None when the trace\n"
     "has no stack for the event. Kernel frames come before user frames. Reads the\n"
     "trace once, the first time.",
     NULL},
    {"is_stack_complete", get_is_stack_complete, NULL,
     "False when a part of the stack is known to be missing.", NULL},
    {"file", get_file, NULL,
     "Path of the file that the event comes from; None when it was opened from bytes\n"
     "or from a file object without a name.",
     NULL},
    {"decoded", get_decoded, NULL,
     "How much of the payload is explained: \"full\", \"partial\" (short, or newer\n"
     "than known) or \"none\".",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMethodDef event_methods[] = {
    {"fields", event_fields, METH_NOARGS, fields_doc},
    {"symbols", event_symbols, METH_NOARGS, symbols_doc},
    {"to_dict", (PyCFunction)(void (*)(void))event_to_dict,
     METH_VARARGS | METH_KEYWORDS, to_dict_doc},
    {"to_json", (PyCFunction)(void (*)(void))event_to_json,
     METH_VARARGS | METH_KEYWORDS, to_json_doc},
    {"_repr_html_", event_repr_html, METH_NOARGS, html_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(
    event_doc,
    "One event of a trace. `event[\"Field\"]` gives a decoded field. The buffer\n"
    "protocol gives the payload. Immutable; holds its part of the trace in\n"
    "memory, so that it stays valid after the trace was closed.");

static PyType_Slot event_slots[] = {
    {Py_tp_doc, (void *)event_doc},
    {Py_tp_traverse, event_traverse},
    {Py_tp_dealloc, event_dealloc},
    {Py_tp_repr, event_repr},
    {Py_tp_getset, event_getset},
    {Py_tp_methods, event_methods},
    {Py_mp_subscript, event_subscript},
    {Py_bf_getbuffer, event_getbuffer},
    {0, NULL},
};

static PyType_Spec event_spec = {
    .name = "etwmon._etwcore.Event",
    .basicsize = sizeof(pyetw_event),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = event_slots,
};

static PyStructSequence_Field extended_fields[] = {
    {"type", "what the data is: EVENT_HEADER_EXT_TYPE_*"},
    {"data", "the bytes"},
    {NULL, NULL},
};

static PyStructSequence_Desc extended_desc = {
    "etwmon._etwcore.ExtendedItem",
    "One extended item of an event.",
    extended_fields,
    2,
};

int
pyetw_event_exec(PyObject *module, pyetw_state *state)
{
    state->fields_text = PyUnicode_InternFromString("fields");
    state->extended_type = PyStructSequence_NewType(&extended_desc);
    state->event_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &event_spec, NULL);
    if (state->fields_text == NULL || state->extended_type == NULL ||
        state->event_type == NULL || PyModule_AddType(module, state->extended_type) < 0)
        return -1;
    return PyModule_AddType(module, state->event_type);
}
