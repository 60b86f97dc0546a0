/* From the selection that Python has checked and packed to the core's. */
#include "py_trace.h"

/* The tuple, in this order. Lists are packed in native byte order; None is "any",
 * an empty list selects nothing. */
enum {
    SELECT_PROVIDERS, /* bytes: GUIDs of 16 bytes */
    SELECT_IDS,       /* bytes: u16 */
    SELECT_OPCODES,   /* bytes: u8 */
    SELECT_PROCESSES, /* bytes: u32, of the record header */
    SELECT_OWNERS,    /* bytes: u32 */
    SELECT_THREADS,   /* bytes: u32 */
    SELECT_CPUS,      /* bytes: u32 */
    SELECT_LEVEL,     /* int 0..255 or None */
    SELECT_KEYWORD,   /* int; 0 is "any" */
    SELECT_START,     /* int, FILETIME, or None */
    SELECT_END,
    SELECT_COUNT
};

/* A packed list: 0, or -1 with an error set. *out is NULL for None. */
static int
packed_list(PyObject *tuple, Py_ssize_t index, size_t item_size, const void **out,
            size_t *count)
{
    PyObject *item = PyTuple_GetItem(tuple, index);
    if (item == NULL)
        return -1;
    *out = NULL;
    *count = 0;
    if (item == Py_None)
        return 0;
    char *bytes;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(item, &bytes, &size) < 0)
        return -1;
    if ((size_t)size % item_size != 0) {
        PyErr_SetString(PyExc_ValueError, "a packed list has a wrong size");
        return -1;
    }
    *out = bytes;
    *count = (size_t)size / item_size;
    return 0;
}

static int
lists_parse(PyObject *tuple, etwc_selection *out)
{
    const void *list[SELECT_CPUS + 1];
    size_t count[SELECT_CPUS + 1];
    static const size_t sizes[SELECT_CPUS + 1] = {sizeof(etwc_guid), 2, 1, 4, 4, 4, 4};
    for (int i = 0; i <= SELECT_CPUS; i++)
        if (packed_list(tuple, i, sizes[i], &list[i], &count[i]) < 0)
            return -1;
    out->providers = list[SELECT_PROVIDERS];
    out->provider_count = count[SELECT_PROVIDERS];
    out->ids = list[SELECT_IDS];
    out->id_count = count[SELECT_IDS];
    out->opcodes = list[SELECT_OPCODES];
    out->opcode_count = count[SELECT_OPCODES];
    out->process_ids = list[SELECT_PROCESSES];
    out->process_id_count = count[SELECT_PROCESSES];
    out->owner_ids = list[SELECT_OWNERS];
    out->owner_id_count = count[SELECT_OWNERS];
    out->thread_ids = list[SELECT_THREADS];
    out->thread_id_count = count[SELECT_THREADS];
    out->processors = list[SELECT_CPUS];
    out->processor_count = count[SELECT_CPUS];
    return 0;
}

static int
time_parse(PyObject *item, bool *is_set, int64_t *out)
{
    *is_set = item != Py_None;
    if (!*is_set)
        return 0;
    *out = PyLong_AsLongLong(item);
    return *out == -1 && PyErr_Occurred() ? -1 : 0;
}

int
pyetw_selection_parse(pyetw_trace *trace, PyObject *tuple, etwc_selection *out)
{
    memset(out, 0, sizeof *out);
    if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != SELECT_COUNT) {
        PyErr_SetString(PyExc_TypeError, "a selection is a tuple of 11 parts");
        return -1;
    }
    if (lists_parse(tuple, out) < 0)
        return -1;
    PyObject *level = PyTuple_GetItem(tuple, SELECT_LEVEL);
    if (level != Py_None) {
        long value = PyLong_AsLong(level);
        if (value == -1 && PyErr_Occurred())
            return -1;
        out->has_max_level = true;
        out->max_level = value > UINT8_MAX ? UINT8_MAX : (uint8_t)value;
    }
    out->any_keyword =
        PyLong_AsUnsignedLongLong(PyTuple_GetItem(tuple, SELECT_KEYWORD));
    if (out->any_keyword == UINT64_MAX && PyErr_Occurred())
        return -1;
    if (time_parse(PyTuple_GetItem(tuple, SELECT_START), &out->has_start,
                   &out->start_filetime) < 0 ||
        time_parse(PyTuple_GetItem(tuple, SELECT_END), &out->has_end,
                   &out->end_filetime) < 0)
        return -1;
    if (out->owner_ids != NULL) {
        if (pyetw_trace_need_lifetimes(trace) < 0)
            return -1;
        out->owner_of = pyetw_trace_owner;
        out->owner_context = trace;
    }
    return 0;
}
