/* Events as a dict, as JSON, and as text for people. */
#include "py_event.h"

#include "etwc_provider.h"
#include "py_fields.h"
#include "py_values.h"

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
fields_of(PyObject *op)
{
    pyetw_event *event = (pyetw_event *)op;
    return pyetw_fields_dict(event->trace->state, &event->view);
}

/* What may be told is decided in one place, for commands and metrics too. NULL: the
 * mode that it has by itself. */
static int
redact(pyetw_state *state, PyObject *dict, PyObject *mode)
{
    PyObject *function =
        pyetw_import(&state->redact_event, "etwmon._redact", "redact_event");
    PyObject *done =
        function ? PyObject_CallFunctionObjArgs(function, dict, mode, NULL) : NULL;
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static PyObject *
make_dict(PyObject *op, bool wants_stack, PyObject *mode)
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
            pyetw_replace(&value, PyBytes_FromObject(value));
        result = dict_put(dict, dict_names[i], value);
    }
    if (result == 0)
        result = dict_put(dict, "fields", fields_of(op));
    if (result == 0 && wants_stack)
        result = dict_put(dict, "stack", PyObject_GetAttrString(op, "stack"));
    if (result == 0)
        result = redact(trace->state, dict, mode);
    if (result < 0)
        Py_CLEAR(dict);
    return dict;
}

static PyObject *
parse_and_make_dict(PyObject *op, PyObject *args, PyObject *kwargs, const char *format)
{
    static char *names[] = {"stack", "command_line", NULL};
    int wants_stack = 0;
    PyObject *mode = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &wants_stack, &mode))
        return NULL;
    return make_dict(op, wants_stack != 0, mode);
}

PyObject *
pyetw_event_to_dict(PyObject *op, PyObject *args, PyObject *kwargs)
{
    return parse_and_make_dict(op, args, kwargs, "|$pO:to_dict");
}

PyObject *
pyetw_event_to_json(PyObject *op, PyObject *args, PyObject *kwargs)
{
    pyetw_state *state = ((pyetw_event *)op)->trace->state;
    PyObject *dict = parse_and_make_dict(op, args, kwargs, "|$pO:to_json");
    PyObject *dumps = dict ? pyetw_import(&state->json_dumps, "json", "dumps") : NULL;
    PyObject *value = dumps ? pyetw_json_value(state, dict) : NULL;
    PyObject *text = value ? PyObject_CallFunctionObjArgs(dumps, value, NULL) : NULL;
    Py_XDECREF(dict);
    Py_XDECREF(value);
    return text;
}

/* Name and identity of an event whose layout is not known. */
static PyObject *
unnamed_text(pyetw_event *event)
{
    const etwc_event *view = &event->view;
    const char *provider = etwc_provider_name(&view->provider_id);
    PyObject *name = provider ? PyUnicode_FromString(provider)
                              : pyetw_provider_uuid(event->trace, &view->provider_id);
    PyObject *text = NULL;
    if (name != NULL)
        text = PyUnicode_FromFormat("%S id=%u opcode=%u version=%u", name, view->id,
                                    view->opcode, view->version);
    Py_XDECREF(name);
    return text;
}

static PyObject *
time_text(pyetw_event *event)
{
    PyObject *time = pyetw_datetime(event->trace->state, event->view.filetime);
    if (time != Py_None)
        return time;
    Py_DECREF(time);
    return PyUnicode_FromFormat("filetime=%lld", (long long)event->view.filetime);
}

PyObject *
pyetw_event_repr(PyObject *op)
{
    pyetw_event *event = (pyetw_event *)op;
    const etwc_event *view = &event->view;
    PyObject *name = pyetw_event_name(event->trace->state, view);
    if (name == Py_None)
        pyetw_replace(&name, unnamed_text(event));
    PyObject *time = name ? time_text(event) : NULL;
    PyObject *pid = time ? pyetw_id_or_none(view->process_id) : NULL;
    PyObject *tid = pid ? pyetw_id_or_none(view->thread_id) : NULL;
    PyObject *text = NULL;
    if (tid != NULL)
        text = PyUnicode_FromFormat(
            "<Event %U %S cpu=%u pid=%S tid=%S payload=%u bytes>", name, time,
            view->processor, pid, tid, view->payload_size);
    Py_XDECREF(name);
    Py_XDECREF(time);
    Py_XDECREF(pid);
    Py_XDECREF(tid);
    return text;
}

/* Rows of a table, one per item of the dict; nested ones become their repr. */
static PyObject *
html_rows(pyetw_state *state, PyObject *dict, const char *prefix)
{
    PyObject *escape = pyetw_import(&state->html_escape, "html", "escape");
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
        pyetw_replace(&rows, next);
    }
    return rows;
}

PyObject *
pyetw_event_repr_html(PyObject *op, PyObject *unused)
{
    pyetw_state *state = ((pyetw_event *)op)->trace->state;
    (void)unused;
    PyObject *dict = make_dict(op, false, NULL);
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
