/* The arguments of TraceWriter.write: conversion, ranges, and what a kind of
 * record has no field for. */
#include "py_writer.h"

#include "etwc_provider.h"
#include "etwc_text.h"

enum {
    IN_SYSTEM = 1 << ETWC_KIND_SYSTEM,
    IN_COMPACT = 1 << ETWC_KIND_COMPACT,
    IN_PERFINFO = 1 << ETWC_KIND_PERFINFO,
    IN_FULL = 1 << ETWC_KIND_FULL,
    IN_INSTANCE = 1 << ETWC_KIND_INSTANCE,
    IN_EVENT = 1 << ETWC_KIND_EVENT,
    IN_MESSAGE = 1 << ETWC_KIND_MESSAGE,
    IN_KERNEL = IN_SYSTEM | IN_COMPACT | IN_PERFINFO,
    IN_CLASSIC = IN_FULL | IN_INSTANCE,
    IN_ALL = IN_KERNEL | IN_CLASSIC | IN_EVENT | IN_MESSAGE
};

typedef enum conversion { AS_UNSIGNED, AS_ID, AS_OBJECT } conversion;

/* X(symbol, argument, kinds that have it, conversion, member of etwc_event) */
#define FIELD_LIST(X)                                                               \
    X(RAW_TIME, "raw_time", IN_ALL, AS_OBJECT, raw_time)                            \
    X(PAYLOAD, "payload", IN_ALL, AS_OBJECT, payload)                               \
    X(KIND, "kind", IN_ALL, AS_OBJECT, kind)                                        \
    X(CPU, "cpu", IN_ALL, AS_UNSIGNED, processor)                                   \
    X(PROVIDER, "provider", IN_ALL, AS_OBJECT, provider_id)                         \
    X(GROUP, "group", IN_KERNEL, AS_OBJECT, kernel_group)                           \
    X(OPCODE, "opcode", IN_ALL & ~IN_MESSAGE, AS_UNSIGNED, opcode)                  \
    X(ID, "id", IN_EVENT | IN_MESSAGE, AS_UNSIGNED, id)                             \
    X(VERSION, "version", IN_ALL & ~IN_MESSAGE, AS_UNSIGNED, version)               \
    X(LEVEL, "level", IN_CLASSIC | IN_EVENT, AS_UNSIGNED, level)                    \
    X(CHANNEL, "channel", IN_EVENT, AS_UNSIGNED, channel)                           \
    X(TASK, "task", IN_EVENT, AS_UNSIGNED, task)                                    \
    X(KEYWORD, "keyword", IN_EVENT, AS_UNSIGNED, keyword)                           \
    X(PID, "pid", IN_ALL & ~IN_PERFINFO, AS_ID, process_id)                         \
    X(TID, "tid", IN_ALL & ~IN_PERFINFO, AS_ID, thread_id)                          \
    X(KERNEL_TICKS, "kernel_ticks", IN_SYSTEM | IN_CLASSIC | IN_EVENT, AS_UNSIGNED, \
      kernel_ticks)                                                                 \
    X(USER_TICKS, "user_ticks", IN_SYSTEM | IN_CLASSIC | IN_EVENT, AS_UNSIGNED,     \
      user_ticks)                                                                   \
    X(POINTER_SIZE, "pointer_size", IN_ALL, AS_UNSIGNED, pointer_size)              \
    X(ACTIVITY_ID, "activity_id", IN_EVENT, AS_OBJECT, activity_id)                 \
    X(EXTENDED, "extended", IN_ALL & ~(IN_FULL | IN_MESSAGE), AS_OBJECT, extended)  \
    X(FLAGS, "flags", IN_EVENT, AS_UNSIGNED, flags)                                 \
    X(EVENT_PROPERTY, "event_property", IN_EVENT, AS_UNSIGNED, event_property)

typedef enum field_index {
#define FIELD_ENUM(symbol, name, kinds, as, member) FIELD_##symbol,
    FIELD_LIST(FIELD_ENUM)
#undef FIELD_ENUM
        FIELD_COUNT
} field_index;

enum { POSITIONAL_COUNT = FIELD_PAYLOAD + 1 };

typedef struct field_rule {
    const char *name;
    uint8_t length;
    uint8_t kinds;
    uint8_t as;   /* conversion */
    uint8_t size; /* bytes of the member */
    uint16_t offset;
} field_rule;

static const field_rule rules[FIELD_COUNT] = {
#define FIELD_RULE(symbol, name, kinds, as, member) \
    {name,                                          \
     sizeof name - 1,                               \
     kinds,                                         \
     as,                                            \
     sizeof((etwc_event *)0)->member,               \
     offsetof(etwc_event, member)},
    FIELD_LIST(FIELD_RULE)
#undef FIELD_RULE
};

/* ---- Values ---------------------------------------------------------------------- */

/* An int, or anything that is one by __index__; a new reference. */
static PyObject *
as_int(PyObject *value, const char *name)
{
    if (PyLong_Check(value))
        return Py_NewRef(value);
    PyObject *number = PyNumber_Index(value);
    if (number == NULL && PyErr_ExceptionMatches(PyExc_TypeError))
        PyErr_Format(PyExc_TypeError, "%s must be an int, not %R", name,
                     (PyObject *)Py_TYPE(value));
    return number;
}

static int
to_unsigned(PyObject *value, const char *name, uint64_t max, uint64_t *out)
{
    PyObject *number = as_int(value, name);
    if (number == NULL)
        return -1;
    uint64_t v = PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    bool is_error = v == UINT64_MAX && PyErr_Occurred() != NULL;
    if (is_error && !PyErr_ExceptionMatches(PyExc_OverflowError))
        return -1;
    if (is_error || v > max) {
        PyErr_Format(PyExc_ValueError, "%s must be 0 to %llu, not %S", name,
                     (unsigned long long)max, value);
        return -1;
    }
    *out = v;
    return 0;
}

static int
to_int64(PyObject *value, const char *name, int64_t *out)
{
    PyObject *number = as_int(value, name);
    if (number == NULL)
        return -1;
    long long v = PyLong_AsLongLong(number);
    Py_DECREF(number);
    if (v == -1 && PyErr_Occurred() != NULL) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            PyErr_Format(PyExc_ValueError, "%s must fit into 64 bits, not %S", name,
                         value);
        return -1;
    }
    *out = v;
    return 0;
}

static void
store(uint8_t *member, unsigned size, uint64_t value)
{
    uint8_t narrow8 = (uint8_t)value;
    uint16_t narrow16 = (uint16_t)value;
    uint32_t narrow32 = (uint32_t)value;
    switch (size) {
    case 1:
        *member = narrow8;
        break;
    case 2:
        memcpy(member, &narrow16, sizeof narrow16);
        break;
    case 4:
        memcpy(member, &narrow32, sizeof narrow32);
        break;
    default:
        memcpy(member, &value, sizeof value);
    }
}

static uint64_t
max_of_size(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

/* ---- GUIDs ------------------------------------------------------------------------ */

static int
guid_from_text(PyObject *value, const char *name, etwc_guid *out)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(value, &length);
    if (text == NULL)
        return -1;
    if (etwc_guid_from_text(text, (size_t)length, out) ||
        (strlen(text) == (size_t)length && etwc_provider_find(text, out)))
        return 0;
    PyErr_Format(PyExc_ValueError, "%s %R is neither a GUID nor a known provider", name,
                 value);
    return -1;
}

static int
guid_from_bytes(PyObject *value, const char *name, etwc_guid *out)
{
    char *bytes;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(value, &bytes, &length) < 0)
        return -1;
    if (length != (Py_ssize_t)sizeof out->bytes) {
        PyErr_Format(PyExc_ValueError, "%s must have 16 bytes, not %zd", name, length);
        return -1;
    }
    memcpy(out->bytes, bytes, sizeof out->bytes);
    return 0;
}

/* A uuid.UUID, the text of a GUID, the name of a known provider, or the 16 bytes
 * as they lie in a file. */
static int
to_guid(PyObject *value, const char *name, etwc_guid *out)
{
    if (PyUnicode_Check(value))
        return guid_from_text(value, name, out);
    if (PyBytes_Check(value))
        return guid_from_bytes(value, name, out);
    PyObject *bytes = PyObject_GetAttrString(value, "bytes_le");
    if (bytes == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Format(PyExc_TypeError,
                         "%s must be a uuid.UUID, a str or 16 bytes, not %R", name,
                         (PyObject *)Py_TYPE(value));
        return -1;
    }
    int result = guid_from_bytes(bytes, name, out);
    Py_DECREF(bytes);
    return result;
}

static int
to_provider(PyObject *value, pyetw_guid_cache *cache, etwc_guid *out)
{
    if (value != cache->source) {
        etwc_guid guid;
        if (to_guid(value, "provider", &guid) < 0)
            return -1;
        PyObject *old = cache->source;
        cache->guid = *out = guid;
        cache->source = Py_NewRef(value);
        Py_XDECREF(old); /* may run other code: last */
        return 0;
    }
    *out = cache->guid;
    return 0;
}

/* ---- Extended items --------------------------------------------------------------- */

typedef struct item_list {
    uint8_t *bytes;
    size_t size;
    size_t last;       /* start of the last item */
    size_t index_size; /* kernel records: bytes of item 7 */
} item_list;

static int
append_item(item_list *list, uint8_t kind, uint64_t type, const Py_buffer *data)
{
    etwc_span span = {data->buf, (size_t)data->len};
    if (kind == ETWC_KIND_EVENT) {
        list->size =
            etwc_extended_append(list->bytes, ETWC_RECORD_MAX_BYTES, list->size,
                                 &list->last, (uint16_t)type, span);
        if (list->size != 0)
            return 0;
        PyErr_SetString(PyExc_ValueError, "extended items take more than a record has");
        return -1;
    }
    /* The other kinds have fixed places: words before the payload, or the fields
     * of an INSTANCE header. The core checks their number. */
    bool is_index = kind != ETWC_KIND_INSTANCE && type == ETWC_EXT_PEBS_INDEX &&
                    list->size == 0 && span.len == 8;
    bool is_first = list->size == list->index_size;
    uint64_t wanted =
        kind == ETWC_KIND_INSTANCE ? ETWC_EXT_INSTANCE_INFO : ETWC_EXT_PMC_COUNTERS;
    if (!is_index && (type != wanted || !is_first ||
                      span.len > ETWC_RECORD_MAX_BYTES - list->size)) {
        PyErr_Format(PyExc_ValueError,
                     "a record of kind '%s' cannot carry extended item %llu of %zd "
                     "bytes here",
                     etwc_event_kind_name(kind), (unsigned long long)type, data->len);
        return -1;
    }
    if (is_index)
        list->index_size = span.len;
    if (span.len != 0)
        memcpy(list->bytes + list->size, span.ptr, span.len);
    list->size += span.len;
    return 0;
}

static int
parse_item(item_list *list, uint8_t kind, PyObject *item)
{
    uint64_t type;
    Py_buffer data;
    if (!PyTuple_Check(item) || PyTuple_Size(item) != 2) {
        PyErr_SetString(PyExc_TypeError,
                        "extended must be an iterable of (type, data) tuples");
        return -1;
    }
    PyObject *bytes = PyTuple_GetItem(item, 1);
    if (to_unsigned(PyTuple_GetItem(item, 0), "type of an extended item", UINT16_MAX,
                    &type) < 0 ||
        PyObject_GetBuffer(bytes, &data, PyBUF_SIMPLE) < 0)
        return -1;
    int result = append_item(list, kind, type, &data);
    PyBuffer_Release(&data);
    return result;
}

static uint8_t
extended_form(uint8_t kind, const item_list *list)
{
    if (kind == ETWC_KIND_EVENT)
        return ETWC_EXTENDED_ITEMS;
    if (kind == ETWC_KIND_INSTANCE)
        return ETWC_EXTENDED_INSTANCE;
    return list->index_size != 0 ? ETWC_EXTENDED_PEBS_PMC : ETWC_EXTENDED_PMC;
}

static int
parse_extended(pyetw_record *record, PyObject *value)
{
    PyObject *iter = PyObject_GetIter(value);
    if (iter == NULL)
        return -1;
    item_list list = {.last = SIZE_MAX};
    PyObject *item;
    int result = 0;
    while (result == 0 && (item = PyIter_Next(iter)) != NULL) {
        if (list.bytes == NULL) {
            list.bytes = record->extended = PyMem_Malloc(ETWC_RECORD_MAX_BYTES);
            if (list.bytes == NULL) {
                PyErr_NoMemory();
                result = -1;
            }
        }
        if (result == 0)
            result = parse_item(&list, record->event.kind, item);
        Py_DECREF(item);
    }
    Py_DECREF(iter);
    if (result < 0 || PyErr_Occurred())
        return -1;
    if (list.size != 0) {
        record->event.extended = list.bytes;
        record->event.extended_size = (uint32_t)list.size;
        record->event.extended_form = extended_form(record->event.kind, &list);
    }
    return 0;
}

/* ---- The call ---------------------------------------------------------------------- */

static int
find_field(PyObject *name)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL)
        return -1;
    for (int i = 0; i < FIELD_COUNT; i++)
        if (rules[i].length == length &&
            memcmp(rules[i].name, text, (size_t)length) == 0)
            return i;
    PyErr_Format(PyExc_TypeError, "write() got an unexpected keyword argument %R",
                 name);
    return -1;
}

static int
collect(PyObject *const *args, Py_ssize_t nargs, PyObject *names, PyObject **values)
{
    Py_ssize_t count = names == NULL ? 0 : PyTuple_Size(names);
    if (nargs > POSITIONAL_COUNT) {
        PyErr_Format(PyExc_TypeError,
                     "write() takes at most %d positional arguments (%zd given)",
                     POSITIONAL_COUNT, nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; i < nargs; i++)
        values[i] = args[i];
    for (Py_ssize_t i = 0; i < count; i++) {
        int field = find_field(PyTuple_GetItem(names, i));
        if (field < 0)
            return -1;
        if (values[field] != NULL) {
            PyErr_Format(PyExc_TypeError,
                         "write() got multiple values for argument '%s'",
                         rules[field].name);
            return -1;
        }
        values[field] = args[nargs + i];
    }
    if (values[FIELD_RAW_TIME] == NULL) {
        PyErr_SetString(PyExc_TypeError, "write() needs the argument 'raw_time'");
        return -1;
    }
    /* None means "not given" everywhere. */
    for (int i = FIELD_PAYLOAD; i < FIELD_COUNT; i++)
        if (values[i] == Py_None)
            values[i] = NULL;
    return 0;
}

static int
parse_kind(PyObject *value, uint8_t *out)
{
    *out = ETWC_KIND_EVENT;
    if (value == NULL)
        return 0;
    const char *text =
        PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, NULL) : "";
    if (text == NULL)
        return -1;
    for (uint8_t kind = 0; kind < ETWC_KIND_COUNT; kind++) {
        if (strcmp(text, etwc_event_kind_name(kind)) == 0) {
            *out = kind;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError,
                 "kind must be 'system', 'compact', 'perfinfo', 'full', 'instance', "
                 "'event' or 'message', not %R",
                 value);
    return -1;
}

static int
parse_numbers(etwc_event *event, PyObject *const *values)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        const field_rule *rule = &rules[i];
        if (values[i] == NULL || rule->as == AS_OBJECT)
            continue;
        uint64_t value;
        if (to_unsigned(values[i], rule->name, max_of_size(rule->size), &value) < 0)
            return -1;
        if (!(rule->kinds & 1u << event->kind) && (value != 0 || rule->as == AS_ID)) {
            PyErr_Format(PyExc_ValueError, "a record of kind '%s' has no field '%s'",
                         etwc_event_kind_name(event->kind), rule->name);
            return -1;
        }
        store((uint8_t *)event + rule->offset, rule->size, value);
    }
    return 0;
}

static int
parse_provider(etwc_event *event, pyetw_guid_cache *cache, PyObject *const *values)
{
    bool is_kernel = (IN_KERNEL & 1u << event->kind) != 0;
    PyObject *provider = values[FIELD_PROVIDER];
    uint64_t group;
    if (provider != NULL && to_provider(provider, cache, &event->provider_id) < 0)
        return -1;
    if (!is_kernel) {
        if (provider != NULL || event->kind == ETWC_KIND_MESSAGE)
            return 0;
        PyErr_Format(PyExc_ValueError, "a record of kind '%s' needs a provider",
                     etwc_event_kind_name(event->kind));
        return -1;
    }
    if (values[FIELD_GROUP] != NULL) {
        if (to_unsigned(values[FIELD_GROUP], "group", UINT8_MAX, &group) < 0)
            return -1;
        event->kernel_group = (uint8_t)group;
        return 0;
    }
    if (provider != NULL && etwc_kernel_group_find(&event->provider_id, event->opcode,
                                                   &event->kernel_group))
        return 0;
    PyErr_SetString(PyExc_ValueError, "this kind of record needs a kernel group");
    return -1;
}

static int
check_objects(const etwc_event *event, PyObject *const *values)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (values[i] == NULL || rules[i].as != AS_OBJECT ||
            (rules[i].kinds & 1u << event->kind) != 0)
            continue;
        /* An empty list of items asks for nothing. */
        if (i == FIELD_EXTENDED && PyObject_IsTrue(values[i]) == 0)
            continue;
        PyErr_Format(PyExc_ValueError, "a record of kind '%s' has no field '%s'",
                     etwc_event_kind_name(event->kind), rules[i].name);
        return -1;
    }
    return 0;
}

static int
parse_payload(pyetw_record *record, PyObject *value)
{
    if (value == NULL)
        return 0;
    if (PyObject_GetBuffer(value, &record->payload, PyBUF_SIMPLE) < 0)
        return -1;
    if (record->payload.len > (Py_ssize_t)ETWC_RECORD_MAX_BYTES) {
        PyErr_Format(PyExc_ValueError,
                     "a record has at most 65535 bytes; this payload has %zd",
                     record->payload.len);
        return -1;
    }
    record->event.payload = record->payload.buf;
    record->event.payload_size = (uint32_t)record->payload.len;
    return 0;
}

int
pyetw_record_parse(pyetw_record *record, pyetw_guid_cache *cache, PyObject *const *args,
                   Py_ssize_t nargs, PyObject *names)
{
    static const uint8_t nothing[1];
    PyObject *values[FIELD_COUNT] = {NULL};
    etwc_event *event = &record->event;
    event->payload = event->extended = nothing;
    event->process_id = event->thread_id = ETWC_NO_ID;
    event->pointer_size = 8;
    if (collect(args, nargs, names, values) < 0 ||
        parse_kind(values[FIELD_KIND], &event->kind) < 0 ||
        to_int64(values[FIELD_RAW_TIME], "raw_time", &event->raw_time) < 0 ||
        parse_numbers(event, values) < 0 || check_objects(event, values) < 0 ||
        parse_provider(event, cache, values) < 0)
        return -1;
    if (values[FIELD_ACTIVITY_ID] != NULL &&
        to_guid(values[FIELD_ACTIVITY_ID], "activity_id", &event->activity_id) < 0)
        return -1;
    if (values[FIELD_EXTENDED] != NULL &&
        (rules[FIELD_EXTENDED].kinds & 1u << event->kind) != 0 &&
        parse_extended(record, values[FIELD_EXTENDED]) < 0)
        return -1;
    return parse_payload(record, values[FIELD_PAYLOAD]);
}

void
pyetw_record_release(pyetw_record *record)
{
    PyBuffer_Release(&record->payload);
    PyMem_Free(record->extended);
}
