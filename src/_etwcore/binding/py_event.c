/*
 * Event: one event of a trace, decoded only when asked. It copies the view (the
 * record's header) and holds the block that its bytes lie in, so it stays whole
 * after the iterator moved on and the trace was closed.
 *
 * Iterating makes millions of them: a short list of dead ones is kept for reuse.
 */
#include "py_event.h"

#include <stddef.h>

#include "etwc_block.h"
#include "etwc_provider.h"
#include "py_fields.h"
#include "py_values.h"

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
    /* The trace may be the last to hold the state. */
    PyObject *trace = (PyObject *)event->trace;
#ifndef Py_GIL_DISABLED
    /* Without its type in the state, nobody would free what is kept. */
    if (state->event_type != NULL && state->free_event_count < PYETW_FREE_EVENTS)
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

PyObject *
pyetw_id_or_none(uint32_t id)
{
    if (id == ETWC_NO_ID)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(id);
}

static PyObject *
get_id(PyObject *op, void *closure)
{
    return pyetw_id_or_none(MEMBER(uint32_t));
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
get_group(PyObject *op, void *unused)
{
    const etwc_event *view = &((pyetw_event *)op)->view;
    (void)unused;
    if (view->kind != ETWC_KIND_SYSTEM && view->kind != ETWC_KIND_COMPACT &&
        view->kind != ETWC_KIND_PERFINFO)
        Py_RETURN_NONE;
    return PyLong_FromLong(view->kernel_group);
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

/* ---- Payload and owner --------------------------------------------------------- */

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
    return pyetw_id_or_none(pyetw_trace_owner(event->trace, &event->view));
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

static PyObject *
get_partial_reason(PyObject *op, void *unused)
{
    pyetw_event *event = (pyetw_event *)op;
    (void)unused;
    return pyetw_fields_partial_reason(event->trace->state, &event->view);
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

/* ---- The type ------------------------------------------------------------------------------------------- */

#define AT(member) ((void *)offsetof(etwc_event, member))

static PyGetSetDef event_getset[] = {
    {"filetime", get_i64, NULL, "Time in 100 ns since 1601 UTC.", AT(filetime)},
    {"timestamp_ns", get_timestamp_ns, NULL, "Time in ns since 1970 UTC.", NULL},
    {"time", get_time, NULL,
     "Time as an aware datetime in UTC, truncated to microseconds; None when none\n"
     "can express it: before the year 1, after 9999.",
     NULL},
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
    {"group", get_group, NULL,
     "Group number of a kernel record's header, or None for other kinds. With the\n"
     "opcode it tells what a record is whose class nobody knows.",
     NULL},
    {"level", get_u8, NULL, "Level, 1 critical to 5 verbose; 0 always.", AT(level)},
    {"task", get_u16, NULL, "Task of the provider.", AT(task)},
    {"channel", get_u8, NULL, "Channel; 11 is TraceLogging.", AT(channel)},
    {"keyword", get_u64, NULL, "Keyword bits.", AT(keyword)},
    {"activity_id", get_activity_id, NULL, "Activity GUID, or None.", NULL},
    {"related_activity_id", pyetw_event_get_related_activity_id, NULL,
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
    {"extended", pyetw_event_get_extended, NULL,
     "Extended items as a list of named tuples (type, data).", NULL},
    {"payload", get_payload, NULL,
     "The payload as a read-only memoryview, valid as long as it is held.", NULL},
    {"stack", pyetw_event_get_stack, NULL,
     "Return addresses, innermost first, as a tuple of int, or None when the trace\n"
     "has no stack for the event. Kernel frames come before user frames. Reads the\n"
     "trace once, the first time.",
     NULL},
    {"is_stack_complete", pyetw_event_get_is_stack_complete, NULL,
     "False when a part of the stack is known to be missing.", NULL},
    {"file", get_file, NULL,
     "Path of the file that the event comes from; None when it was opened from bytes\n"
     "or from a file object without a name.",
     NULL},
    {"decoded", get_decoded, NULL,
     "How much of the payload is explained: \"full\", \"partial\" (short, or newer\n"
     "than known) or \"none\".",
     NULL},
    {"partial_reason", get_partial_reason, NULL,
     "Why it is \"partial\": \"short\" (ends before its layout), \"newer\" (of a "
     "version\n"
     "above those known), \"trailing\" (longer than its version) or \"invalid\" (a "
     "count\n"
     "or size in it contradicts it); else None.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

PyDoc_STRVAR(
    to_dict_doc,
    "to_dict($self, /, *, stack=False, command_line='mask')\n--\n\n"
    "Every attribute by its name, the payload as bytes, and the decoded fields\n"
    "under \"fields\". With stack=True the stack too, which reads the trace\n"
    "once more the first time.\n\n"
    "command_line says what is told of command lines: \"mask\" (no secrets),\n"
    "\"hash\" (a digest), \"drop\" (None) or \"keep\"; ValueError for others. Unless\n"
    "it is \"keep\", names of users in paths are *** in all texts, and the payload\n"
    "is None where it has what is hidden. fields() and e[name] hide nothing.\n\n"
    "Otherwise, \"process\" is left out when the trace was closed\n"
    "before any owner was asked for.");

PyDoc_STRVAR(
    to_json_doc,
    "to_json($self, /, *, stack=False, command_line='mask')\n--\n\n"
    "to_dict() as one line of JSON, in ASCII: GUIDs and times as text, bytes as\n"
    "hexadecimal digits, a lone surrogate as its escape.");

PyDoc_STRVAR(html_doc, "_repr_html_($self, /)\n--\n\n"
                       "A table for notebooks, of what `to_dict` tells by itself.");

static PyMethodDef event_methods[] = {
    {"fields", event_fields, METH_NOARGS, fields_doc},
    {"symbols", event_symbols, METH_NOARGS, symbols_doc},
    {"to_dict", (PyCFunction)(void (*)(void))pyetw_event_to_dict,
     METH_VARARGS | METH_KEYWORDS, to_dict_doc},
    {"to_json", (PyCFunction)(void (*)(void))pyetw_event_to_json,
     METH_VARARGS | METH_KEYWORDS, to_json_doc},
    {"_repr_html_", pyetw_event_repr_html, METH_NOARGS, html_doc},
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
    {Py_tp_repr, pyetw_event_repr},
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
