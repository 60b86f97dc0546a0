/* Facts about a trace as plain dicts, lists and tuples for the Python layer. */
#include "py_info.h"

#include "etwc_alloc.h"
#include "etwc_decode.h"
#include "etwc_provider.h"
#include "etwc_summary.h"
#include "etwc_text.h"
#include "py_event.h"
#include "py_values.h"

PyObject *
pyetw_text(etwc_span utf16)
{
    size_t capacity = ETWC_TEXT_UTF8_MAX(utf16.len);
    char *bytes = etwc_malloc(capacity ? capacity : 1);
    if (bytes == NULL)
        return PyErr_NoMemory();
    size_t size = etwc_text_from_utf16(utf16, bytes);
    PyObject *text = PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)size, "surrogatepass");
    etwc_free(bytes);
    return text;
}

static bool
put_u64(PyObject *dict, const char *name, uint64_t value)
{
    return pyetw_put(dict, name, PyLong_FromUnsignedLongLong(value));
}

static bool
put_i64(PyObject *dict, const char *name, int64_t value)
{
    return pyetw_put(dict, name, PyLong_FromLongLong(value));
}

/* ---- Files ---------------------------------------------------------------------------- */

static bool
put_machine(PyObject *dict, const etwc_etl_header *h)
{
    return put_u64(dict, "file_bytes", h->file_bytes) &&
           put_u64(dict, "buffer_size", h->buffer_size) &&
           pyetw_put(dict, "os_version",
                     Py_BuildValue("(ii)", h->os_major, h->os_minor)) &&
           pyetw_put(dict, "layout_version",
                     Py_BuildValue("(ii)", h->layout_major, h->layout_minor)) &&
           put_u64(dict, "os_build", h->os_build) &&
           put_u64(dict, "processors", h->processors) &&
           put_u64(dict, "pointer_size", h->pointer_size) &&
           put_u64(dict, "cpu_mhz", h->cpu_mhz) &&
           put_u64(dict, "timer_resolution", h->timer_resolution) &&
           put_i64(dict, "bias_minutes", h->bias_minutes) &&
           pyetw_put(dict, "time_zone", pyetw_text(h->time_zone_standard)) &&
           pyetw_put(dict, "time_zone_daylight", pyetw_text(h->time_zone_daylight));
}

static bool
put_session(PyObject *dict, const etwc_etl_header *h)
{
    return put_u64(dict, "maximum_file_size", h->maximum_file_size) &&
           put_u64(dict, "log_file_mode", h->log_file_mode) &&
           put_u64(dict, "buffers_written", h->buffers_written) &&
           put_u64(dict, "start_buffers", h->start_buffers) &&
           put_u64(dict, "events_lost", h->events_lost) &&
           put_u64(dict, "buffers_lost", h->buffers_lost) &&
           put_u64(dict, "clock_type", h->clock_type) &&
           put_u64(dict, "compression", h->compression) &&
           pyetw_put(dict, "is_header_64bit", PyBool_FromLong(h->is_header_64bit)) &&
           pyetw_put(dict, "is_closed", PyBool_FromLong(h->is_closed)) &&
           put_i64(dict, "start_filetime", h->start_filetime) &&
           put_i64(dict, "end_filetime", h->end_filetime) &&
           put_i64(dict, "boot_filetime", h->boot_filetime) &&
           put_i64(dict, "perf_frequency", h->perf_frequency) &&
           put_i64(dict, "header_raw_time", h->header_raw_time) &&
           put_u64(dict, "header_pid", h->header_process_id) &&
           put_u64(dict, "header_tid", h->header_thread_id) &&
           pyetw_put(dict, "session_name", pyetw_text(h->session_name)) &&
           pyetw_put(dict, "log_file_name", pyetw_text(h->log_file_name));
}

static bool
put_buffers(PyObject *dict, const etwc_etl_buffers *b, const etwc_clock *clock)
{
    PyObject *first_lost =
        b->events_lost_flag + b->buffer_lost_flag == 0
            ? Py_NewRef(Py_None)
            : PyLong_FromLongLong(etwc_clock_filetime(clock, b->first_lost_raw_time));
    return pyetw_put(dict, "first_lost_filetime", first_lost) &&
           put_u64(dict, "buffer_count", b->count) &&
           put_u64(dict, "buffers_compressed", b->compressed) &&
           put_u64(dict, "buffers_proc_index", b->proc_index_flag) &&
           put_u64(dict, "buffers_flush_marker", b->flush_marker) &&
           put_u64(dict, "buffers_events_lost", b->events_lost_flag) &&
           put_u64(dict, "buffers_buffer_lost", b->buffer_lost_flag) &&
           put_i64(dict, "first_sequence", b->first_sequence) &&
           put_i64(dict, "last_sequence", b->last_sequence) &&
           put_u64(dict, "streams", b->streams);
}

static PyObject *
damage_dict(const etwc_damage *damage)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    bool ok = true;
#define PUT_DAMAGE(name) \
    ok = ok && (damage->name == 0 || put_u64(dict, #name, damage->name));
    ETWC_DAMAGE_LIST(PUT_DAMAGE)
#undef PUT_DAMAGE
    if (ok)
        return dict;
    Py_DECREF(dict);
    return NULL;
}

static PyObject *
file_dict(const pyetw_file *file)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    const etwc_etl_header *header = etwc_etl_get_header(file->etl);
    if (put_machine(dict, header) && put_session(dict, header) &&
        put_buffers(dict, etwc_etl_get_buffers(file->etl), &file->clock) &&
        pyetw_put(dict, "path", Py_NewRef(file->path)) &&
        put_u64(dict, "timeline", file->timeline) &&
        put_i64(dict, "clock_hz", file->clock.frequency_hz) &&
        pyetw_put(dict, "is_clock_broken", PyBool_FromLong(file->clock.is_broken)) &&
        pyetw_put(dict, "index_damage",
                  damage_dict(etwc_etl_get_index_damage(file->etl))))
        return dict;
    Py_DECREF(dict);
    return NULL;
}

PyObject *
pyetw_info_files(pyetw_trace *trace)
{
    if (!pyetw_trace_check_open(trace))
        return NULL;
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < trace->file_count; i++) {
        PyObject *dict = file_dict(&trace->files[i]);
        if (dict == NULL || PyList_Append(list, dict) < 0)
            Py_CLEAR(list);
        Py_XDECREF(dict);
    }
    return list;
}

PyObject *
pyetw_info_damage(pyetw_trace *trace, const etwc_damage *damage)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < trace->file_count; i++) {
        PyObject *dict = damage_dict(&damage[i]);
        if (dict == NULL || PyList_Append(list, dict) < 0)
            Py_CLEAR(list);
        Py_XDECREF(dict);
    }
    return list;
}

/* ---- Summary ---------------------------------------------------------------------------- */

static etwc_status
feed_summary(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    return etwc_summary_feed(context, events, count, err);
}

static PyObject *
row_tuple(pyetw_trace *trace, const etwc_summary_row *row)
{
    const etwc_event *event = &row->event;
    PyObject *provider = pyetw_provider_uuid(trace, &event->provider_id);
    PyObject *name = provider ? pyetw_event_name(trace->state, event) : NULL;
    PyObject *tuple = NULL;
    if (name != NULL)
        tuple = Py_BuildValue(
            "(OzOsiiiKKLL)", provider, etwc_provider_name(&event->provider_id), name,
            etwc_event_kind_name(event->kind), (int)event->id, (int)event->opcode,
            (int)event->version, (unsigned long long)row->count,
            (unsigned long long)row->payload_bytes, (long long)row->first_filetime,
            (long long)row->last_filetime);
    Py_XDECREF(provider);
    Py_XDECREF(name);
    return tuple;
}

static PyObject *
row_list(pyetw_trace *trace, const etwc_summary *summary)
{
    size_t count;
    const etwc_summary_row *rows = etwc_summary_rows(summary, &count);
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *tuple = row_tuple(trace, &rows[i]);
        if (tuple == NULL || PyList_Append(list, tuple) < 0)
            Py_CLEAR(list);
        Py_XDECREF(tuple);
    }
    return list;
}

PyObject *
pyetw_info_summary(pyetw_trace *trace, PyObject *tuple)
{
    etwc_selection selection;
    PyObject *list = NULL;
    if (pyetw_selection_parse(trace, tuple, &selection) < 0)
        return NULL;
    etwc_cursor *cursor = pyetw_trace_open_cursor(trace, &selection);
    if (cursor == NULL)
        return NULL;
    etwc_summary *summary = etwc_summary_new(trace->pool);
    if (summary == NULL)
        PyErr_NoMemory();
    else if (pyetw_trace_scan(trace, cursor, true, feed_summary, summary) == 0)
        list = row_list(trace, summary);
    etwc_summary_free(summary);
    etwc_cursor_close(cursor);
    return list;
}

/* ---- Decoding -------------------------------------------------------------------- */

/* Events by how much of their payload is explained; the partial ones by reason. */
typedef struct decoding {
    uint64_t by_completeness[ETWC_DECODED_FULL + 1];
    uint64_t by_reason[ETWC_PARTIAL_INVALID + 1];
} decoding;

static etwc_status
feed_decoding(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    decoding *found = context;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        etwc_partial_reason reason;
        etwc_completeness completeness = etwc_decode_completeness(&events[i], &reason);
        found->by_completeness[completeness]++;
        if (completeness == ETWC_DECODED_PARTIAL)
            found->by_reason[reason]++;
    }
    return ETWC_OK;
}

static int
add_count(PyObject *dict, const char *name, uint64_t count)
{
    if (count == 0)
        return 0;
    PyObject *number = PyLong_FromUnsignedLongLong(count);
    int result = number ? PyDict_SetItemString(dict, name, number) : -1;
    Py_XDECREF(number);
    return result;
}

static PyObject *
decoding_dict(const decoding *found)
{
    static const uint8_t whole[] = {ETWC_DECODED_FULL, ETWC_DECODED_NONE};
    PyObject *dict = PyDict_New();
    int result = dict ? 0 : -1;
    for (size_t i = 0; result == 0 && i < sizeof whole; i++)
        result = add_count(dict, etwc_completeness_name(whole[i]),
                           found->by_completeness[whole[i]]);
    for (uint8_t reason = 1; result == 0 && reason <= ETWC_PARTIAL_INVALID; reason++)
        result =
            add_count(dict, etwc_partial_reason_name(reason), found->by_reason[reason]);
    if (result < 0)
        Py_CLEAR(dict);
    return dict;
}

PyObject *
pyetw_info_decoding(pyetw_trace *trace, PyObject *tuple)
{
    etwc_selection selection;
    if (pyetw_selection_parse(trace, tuple, &selection) < 0)
        return NULL;
    etwc_cursor *cursor = pyetw_trace_open_cursor(trace, &selection);
    if (cursor == NULL)
        return NULL;
    decoding found = {0};
    int result = pyetw_trace_scan(trace, cursor, true, feed_decoding, &found);
    etwc_cursor_close(cursor);
    return result == 0 ? decoding_dict(&found) : NULL;
}
