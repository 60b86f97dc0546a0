/*
 * Decoded fields as Python objects.
 *
 *     unsigned, signed, pointer, flags, enumeration   int
 *     FILETIME, session clock                         int (100 ns, ticks)
 *     UTF-16 text                                     str; lone surrogates kept
 *     8-bit text                                      str by Windows-1252
 *     GUID                                            uuid.UUID
 *     SID                                             str "S-1-5-18"; None: no SID
 *     IPv4, IPv6 address                              str
 *     bytes                                           bytes
 *     array                                           list
 *     structure                                       dict
 */
#include "py_fields.h"

#include "etwc_decode.h"
#include "etwc_text.h"
#include "py_values.h"

/* Values of nearly every event; more of them take a second, larger round. */
enum { USUAL_VALUES = 64, SHORT_TEXT = 128, SYMBOL_TEXT = 256 };

/* ---- Names and layouts ------------------------------------------------------ */

/* Names and layouts are static in the core, so their addresses identify them. */
struct pyetw_known {
    const void *address; /* NULL: free */
    PyObject *object;    /* of a name: it, interned; of a layout: names to 0 */
    PyObject **names;    /* of a layout: borrowed names in the order of the values */
};

enum { FIRST_KNOWN = 512 };

static struct pyetw_known *
known_slot(struct pyetw_known *known, size_t capacity, const void *address)
{
    size_t at = (size_t)(((uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
    for (at &= capacity - 1; known[at].address != NULL && known[at].address != address;)
        at = (at + 1) & (capacity - 1);
    return &known[at];
}

static int
grow_known(pyetw_state *state)
{
    size_t capacity = state->known_capacity ? state->known_capacity * 2 : FIRST_KNOWN;
    struct pyetw_known *known = PyMem_Calloc(capacity, sizeof *known);
    if (known == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < state->known_capacity; i++) {
        const struct pyetw_known *old = &state->known[i];
        if (old->address != NULL)
            *known_slot(known, capacity, old->address) = *old;
    }
    PyMem_Free(state->known);
    state->known = known;
    state->known_capacity = capacity;
    return 0;
}

/* NULL when the address was not seen yet; valid until the next one is added. */
static inline const struct pyetw_known *
find_known(const pyetw_state *state, const void *address)
{
    if (state->known_capacity == 0)
        return NULL;
    const struct pyetw_known *slot =
        known_slot(state->known, state->known_capacity, address);
    return slot->address != NULL ? slot : NULL;
}

/* Takes what `added` holds, unless it fails: then NULL. */
static const struct pyetw_known *
add_known(pyetw_state *state, struct pyetw_known added)
{
    if (state->known_count >= state->known_capacity / 2 && grow_known(state) < 0)
        return NULL;
    struct pyetw_known *slot =
        known_slot(state->known, state->known_capacity, added.address);
    *slot = added;
    state->known_count++;
    return slot;
}

PyObject *
pyetw_static_name(pyetw_state *state, const char *text)
{
    const struct pyetw_known *known = find_known(state, text);
    if (known != NULL)
        return known->object;
    PyObject *name = PyUnicode_InternFromString(text);
    if (name == NULL)
        return NULL;
    if (add_known(state, (struct pyetw_known){.address = text, .object = name}) == NULL)
        Py_CLEAR(name);
    return name;
}

/* A layout by the values of an event of it. */
static const struct pyetw_known *
add_layout(pyetw_state *state, const void *address, const etwc_value *begin,
           const etwc_value *end)
{
    const struct pyetw_known *result = NULL;
    PyObject *zero = PyLong_FromLong(0);
    struct pyetw_known layout = {.address = address, .object = PyDict_New()};
    if (zero == NULL || layout.object == NULL)
        goto done;
    layout.names = PyMem_Calloc((size_t)(end - begin) + 1, sizeof *layout.names);
    PyObject **next = layout.names;
    if (next == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (const etwc_value *at = begin; at < end; at += 1 + at->extent) {
        *next = pyetw_static_name(state, at->name);
        if (*next == NULL || PyDict_SetItem(layout.object, *next, zero) < 0)
            goto done;
        next++;
    }
    /* A finalizer that ran meanwhile may have added it. */
    result = find_known(state, address);
    if (result == NULL)
        result = add_known(state, layout);
done:
    Py_XDECREF(zero);
    if (result == NULL || result->object != layout.object) {
        PyMem_Free(layout.names);
        Py_XDECREF(layout.object);
    }
    return result;
}

void
pyetw_fields_clear(pyetw_state *state)
{
    for (size_t i = 0; i < state->known_capacity; i++) {
        Py_XDECREF(state->known[i].object);
        PyMem_Free(state->known[i].names);
    }
    PyMem_Free(state->known);
    state->known = NULL;
    state->known_capacity = state->known_count = 0;
}

/* ---- Texts ----------------------------------------------------------------- */

static PyObject *
text_of_utf16(etwc_span text)
{
    char ascii[SHORT_TEXT];
    size_t units = text.len / 2, i = 0;
    if (units <= sizeof ascii) {
        while (i < units && text.ptr[2 * i] < 0x80 && text.ptr[2 * i + 1] == 0) {
            ascii[i] = (char)text.ptr[2 * i];
            i++;
        }
        if (i == units)
            return PyUnicode_FromStringAndSize(ascii, (Py_ssize_t)units);
    }
    int little_endian = -1;
    return PyUnicode_DecodeUTF16((const char *)text.ptr, (Py_ssize_t)(units * 2),
                                 "surrogatepass", &little_endian);
}

/* Windows-1252. Its five undefined bytes become the control characters of the
 * same number, as on Windows, so that every byte can be told from the text. */
static PyObject *
text_of_8bit(etwc_span text)
{
    static const uint16_t upper[32] = {
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
        0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D, 0x017D, 0x008F,
        0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
    };
    size_t i = 0;
    while (i < text.len && text.ptr[i] - 0x80u >= ETWC_ARRAY_SIZE(upper))
        i++;
    if (i == text.len)
        return PyUnicode_DecodeLatin1((const char *)text.ptr, (Py_ssize_t)text.len,
                                      NULL);
    uint8_t *wide = PyMem_Calloc(text.len, 2);
    if (wide == NULL)
        return PyErr_NoMemory();
    for (i = 0; i < text.len; i++) {
        unsigned at = text.ptr[i] - 0x80u;
        etwc_store_u16(wide + 2 * i,
                       at < ETWC_ARRAY_SIZE(upper) ? upper[at] : text.ptr[i]);
    }
    PyObject *result = text_of_utf16((etwc_span){wide, text.len * 2});
    PyMem_Free(wide);
    return result;
}

static PyObject *
text_of_sid(etwc_span sid)
{
    char text[ETWC_SID_TEXT_SIZE];
    if (!etwc_sid_to_text(sid, text))
        Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}

static PyObject *
text_of_address(const etwc_value *value)
{
    char text[ETWC_IPV6_TEXT_SIZE];
    if (value->type == ETWC_VALUE_IPV4)
        etwc_ipv4_to_text(value->v.bytes.ptr, text);
    else
        etwc_ipv6_to_text(value->v.bytes.ptr, text);
    return PyUnicode_FromString(text);
}

static PyObject *
uuid_of(pyetw_state *state, etwc_span bytes)
{
    etwc_guid guid;
    memcpy(guid.bytes, bytes.ptr, sizeof guid.bytes);
    return pyetw_guid(state, &guid);
}

/* ---- Values ---------------------------------------------------------------- */

static PyObject *value_object(pyetw_state *state, const etwc_value *value);

static PyObject *
packed_list(pyetw_state *state, const etwc_value *value)
{
    PyObject *list = PyList_New(value->count);
    for (uint32_t i = 0; list != NULL && i < value->count; i++) {
        etwc_value element = etwc_value_element(value, i);
        PyObject *item = value_object(state, &element);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SetItem(list, i, item);
    }
    return list;
}

static PyObject *
array_list(pyetw_state *state, const etwc_value *value)
{
    const etwc_value *at = value + 1;
    PyObject *list = PyList_New(value->count);
    for (uint32_t i = 0; list != NULL && i < value->count; i++) {
        PyObject *item = value_object(state, at);
        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SetItem(list, i, item);
        at += 1 + at->extent;
    }
    return list;
}

static inline bool
is_zero(const etwc_value *value)
{
    return (value->type == ETWC_VALUE_UINT || value->type == ETWC_VALUE_INT) &&
           value->v.u == 0;
}

/* Puts the values from begin to end into the dictionary by their names. `names`:
 * those of its layout, whose copy it is, so that zeros are there; NULL: none. */
static int
fill_dict(pyetw_state *state, PyObject *dict, PyObject *const *names,
          const etwc_value *begin, const etwc_value *end)
{
    for (const etwc_value *at = begin; at < end; at += 1 + at->extent) {
        PyObject *name = names ? *names++ : pyetw_static_name(state, at->name);
        if (names != NULL && is_zero(at))
            continue;
        PyObject *item = name ? value_object(state, at) : NULL;
        int result = item ? PyDict_SetItem(dict, name, item) : -1;
        Py_XDECREF(item);
        if (result < 0)
            return -1;
    }
    return 0;
}

static PyObject *
struct_dict(pyetw_state *state, const etwc_value *value)
{
    PyObject *dict = PyDict_New();
    if (dict != NULL &&
        fill_dict(state, dict, NULL, value + 1, value + 1 + value->extent) < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
value_object(pyetw_state *state, const etwc_value *value)
{
    etwc_span bytes = value->v.bytes;
    switch ((etwc_value_type)value->type) {
    case ETWC_VALUE_UINT:
        if (value->v.u <= INT32_MAX) /* most; the faster way to the same int */
            return PyLong_FromLong((long)value->v.u);
        return PyLong_FromUnsignedLongLong(value->v.u);
    case ETWC_VALUE_INT:
        if (value->v.i >= INT32_MIN && value->v.i <= INT32_MAX)
            return PyLong_FromLong((long)value->v.i);
        return PyLong_FromLongLong(value->v.i);
    case ETWC_VALUE_FILETIME:
    case ETWC_VALUE_CLOCK:
        return PyLong_FromLongLong(value->v.i);
    case ETWC_VALUE_FLOAT:
        return PyFloat_FromDouble(value->v.f);
    case ETWC_VALUE_BOOL:
        return PyBool_FromLong(value->v.b);
    case ETWC_VALUE_TEXT16:
        return text_of_utf16(bytes);
    case ETWC_VALUE_TEXT8:
        return text_of_8bit(bytes);
    case ETWC_VALUE_UTF8:
        return PyUnicode_DecodeUTF8((const char *)bytes.ptr, (Py_ssize_t)bytes.len,
                                    "surrogateescape");
    case ETWC_VALUE_GUID:
        return uuid_of(state, bytes);
    case ETWC_VALUE_SID:
        return text_of_sid(bytes);
    case ETWC_VALUE_IPV4:
    case ETWC_VALUE_IPV6:
        return text_of_address(value);
    case ETWC_VALUE_BYTES:
        return PyBytes_FromStringAndSize((const char *)bytes.ptr,
                                         (Py_ssize_t)bytes.len);
    case ETWC_VALUE_PACKED:
        return packed_list(state, value);
    case ETWC_VALUE_ARRAY:
        return array_list(state, value);
    case ETWC_VALUE_STRUCT:
        return struct_dict(state, value);
    }
    PyErr_Format(PyExc_SystemError, "unknown type of value: %d", value->type);
    return NULL;
}

/* ---- Events ---------------------------------------------------------------- */

/* The values of an event: in `usual` when they fit, else in memory to be freed
 * with PyMem_Free when it is not `usual`. `name` NULL: all fields. */
static etwc_value *
decode_values(const etwc_event *event, const char *name, etwc_value *usual,
              etwc_decoded *decoded)
{
    etwc_value *values = usual;
    size_t capacity = USUAL_VALUES;
    for (;;) {
        if (name != NULL)
            etwc_decode_field(event, name, values, capacity, decoded);
        else
            etwc_decode_fields(event, values, capacity, decoded);
        if (decoded->count <= capacity)
            return values;
        capacity = decoded->count;
        values = PyMem_Calloc(capacity, sizeof *values);
        if (values == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
    }
}

static void
free_values(etwc_value *values, const etwc_value *usual)
{
    if (values != usual)
        PyMem_Free(values);
}

/* With the fields of a known layout in place, a copy of them costs less than to
 * let the dictionary grow. */
static PyObject *
values_dict(pyetw_state *state, const void *address, const etwc_value *begin,
            const etwc_value *end)
{
    const struct pyetw_known *layout = address ? find_known(state, address) : NULL;
    if (address != NULL && layout == NULL &&
        (layout = add_layout(state, address, begin, end)) == NULL)
        return NULL;
    PyObject *const *names = layout ? layout->names : NULL;
    PyObject *dict = layout ? PyDict_Copy(layout->object) : PyDict_New();
    if (dict != NULL && fill_dict(state, dict, names, begin, end) < 0)
        Py_CLEAR(dict);
    return dict;
}

PyObject *
pyetw_fields_dict(pyetw_state *state, const etwc_event *event)
{
    etwc_value usual[USUAL_VALUES];
    etwc_decoded decoded;
    etwc_value *values = decode_values(event, NULL, usual, &decoded);
    if (values == NULL)
        return NULL;
    PyObject *dict = values_dict(state, decoded.layout, values, values + decoded.count);
    free_values(values, usual);
    return dict;
}

/* KeyError with the names that there are. */
static PyObject *
raise_no_field(pyetw_state *state, const etwc_event *event, PyObject *name)
{
    PyObject *fields = pyetw_fields_dict(state, event);
    PyObject *comma = fields ? PyUnicode_FromString(", ") : NULL;
    PyObject *names = comma ? PyUnicode_Join(comma, fields) : NULL;
    if (names != NULL) {
        const char *event_name = etwc_decode_event_name(event);
        PyObject *message =
            PyDict_Size(fields) == 0
                ? PyUnicode_FromFormat("%R: the event has no decoded fields", name)
                : PyUnicode_FromFormat("%R: %s has the fields %U", name,
                                       event_name ? event_name : "the event", names);
        if (message != NULL)
            PyErr_SetObject(PyExc_KeyError, message);
        Py_XDECREF(message);
    }
    Py_XDECREF(fields);
    Py_XDECREF(comma);
    Py_XDECREF(names);
    return NULL;
}

PyObject *
pyetw_fields_item(pyetw_state *state, const etwc_event *event, PyObject *name)
{
    etwc_value usual[USUAL_VALUES];
    etwc_decoded decoded;
    Py_ssize_t length;
    if (!PyUnicode_Check(name))
        return raise_no_field(state, event, name);
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) { /* a lone surrogate: no field has such a name */
        PyErr_Clear();
        return raise_no_field(state, event, name);
    }
    if (strlen(text) != (size_t)length)
        return raise_no_field(state, event, name);
    etwc_value *values = decode_values(event, text, usual, &decoded);
    if (values == NULL)
        return NULL;
    PyObject *result = decoded.count != 0 ? value_object(state, values)
                                          : raise_no_field(state, event, name);
    free_values(values, usual);
    return result;
}

/* The text of a number's symbols, or None when it has none. */
static PyObject *
symbol_text(const etwc_value *value)
{
    char text[SYMBOL_TEXT];
    if (etwc_symbols_format(value->symbols, value->v.u, text, sizeof text) == 0)
        Py_RETURN_NONE;
    return PyUnicode_FromString(text);
}

PyObject *
pyetw_fields_symbols(pyetw_state *state, const etwc_event *event)
{
    etwc_value usual[USUAL_VALUES];
    etwc_decoded decoded;
    etwc_value *values = decode_values(event, NULL, usual, &decoded);
    PyObject *dict = values ? PyDict_New() : NULL;
    size_t i = 0;
    while (dict != NULL && i < decoded.count) {
        const etwc_value *value = &values[i];
        i += 1 + value->extent;
        if (value->symbols == NULL ||
            (value->type != ETWC_VALUE_UINT && value->type != ETWC_VALUE_INT))
            continue;
        PyObject *name = pyetw_static_name(state, value->name);
        PyObject *text = name ? symbol_text(value) : NULL;
        if (text == NULL || (text != Py_None && PyDict_SetItem(dict, name, text) < 0))
            Py_CLEAR(dict);
        Py_XDECREF(text);
    }
    free_values(values, usual);
    return dict;
}

PyObject *
pyetw_fields_name(pyetw_state *state, const etwc_event *event)
{
    const char *text = etwc_decode_event_name(event);
    if (text == NULL)
        Py_RETURN_NONE;
    return Py_XNewRef(pyetw_static_name(state, text));
}

PyObject *
pyetw_fields_completeness(pyetw_state *state, const etwc_event *event)
{
    etwc_partial_reason reason;
    uint8_t completeness = (uint8_t)etwc_decode_completeness(event, &reason);
    return Py_XNewRef(pyetw_static_name(state, etwc_completeness_name(completeness)));
}

PyObject *
pyetw_fields_partial_reason(pyetw_state *state, const etwc_event *event)
{
    etwc_partial_reason reason;
    if (etwc_decode_completeness(event, &reason) != ETWC_DECODED_PARTIAL)
        Py_RETURN_NONE;
    return Py_XNewRef(
        pyetw_static_name(state, etwc_partial_reason_name((uint8_t)reason)));
}
