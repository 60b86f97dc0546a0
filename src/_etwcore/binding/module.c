/* The module etwmon._etwcore: multi-phase init, state per interpreter. */
#include "py_fields.h"

pyetw_state *
pyetw_state_of_module(PyObject *module)
{
    return PyModule_GetState(module);
}

pyetw_state *
pyetw_state_of(PyTypeObject *type)
{
    return PyType_GetModuleState(type);
}

/* CPython 3.12 crashes when a second isolated sub-interpreter imports datetime before
 * the main one has: the types of _datetime are then left with objects of the first.
 * We import it on first use, so the main interpreter does it here. */
static int
settle_datetime(void)
{
#if PY_VERSION_HEX >= 0x030C0000 && PY_VERSION_HEX < 0x030D0000
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) == 0) {
        PyObject *module = PyImport_ImportModule("_datetime");
        if (module == NULL)
            return -1;
        Py_DECREF(module);
    }
#endif
    return 0;
}

static int
module_exec(PyObject *module)
{
    pyetw_state *state = pyetw_state_of_module(module);
    if (settle_datetime() < 0)
        return -1;
    static int (*const parts[])(PyObject *, pyetw_state *) = {
        pyetw_errors_exec, pyetw_functions_exec, pyetw_trace_exec,    pyetw_events_exec,
        pyetw_event_exec,  pyetw_batches_exec,   pyetw_batch_exec,    pyetw_column_exec,
        pyetw_writer_exec, pyetw_aggregate_exec, pyetw_snapshot_exec, pyetw_table_exec,
        pyetw_sample_exec, pyetw_row_exec,       pyetw_group_exec,
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i](module, state) < 0)
            return -1;
    return 0;
}

/* Every owned reference of the state, for traverse and clear. */
#define STATE_OBJECTS(X)    \
    X(etw_error)            \
    X(trace_file_error)     \
    X(session_error)        \
    X(trace_type)           \
    X(events_type)          \
    X(batches_type)         \
    X(batch_type)           \
    X(column_type)          \
    X(event_type)           \
    X(writer_type)          \
    X(aggregate_type)       \
    X(snapshot_type)        \
    X(table_type)           \
    X(snapshot_column_type) \
    X(sample_type)          \
    X(row_type)             \
    X(group_type)           \
    X(extended_type)        \
    X(uuid_type)            \
    X(datetime_type)        \
    X(timezone_type)        \
    X(timedelta_type)       \
    X(epoch)                \
    X(json_dumps)           \
    X(redact_event)         \
    X(html_escape)          \
    X(fields_text)

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    pyetw_state *state = pyetw_state_of_module(module);
#define STATE_VISIT(name) Py_VISIT(state->name);
    STATE_OBJECTS(STATE_VISIT)
#undef STATE_VISIT
    return pyetw_sample_visit_free(state, visit, arg);
}

static int
module_clear(PyObject *module)
{
    pyetw_state *state = pyetw_state_of_module(module);
    /* Freeing events asks their type for its layout, and none may be kept after; nor
     * may a sample. */
    PyTypeObject *event_type = state->event_type;
    state->event_type = NULL;
    pyetw_event_drop_free(state);
    Py_XDECREF((PyObject *)event_type);
    PyTypeObject *sample_type = state->sample_type;
    state->sample_type = NULL;
    pyetw_sample_drop_free(state);
    Py_XDECREF((PyObject *)sample_type);
#define STATE_CLEAR(name) Py_CLEAR(state->name);
    STATE_OBJECTS(STATE_CLEAR)
#undef STATE_CLEAR
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear(module);
    pyetw_fields_clear(pyetw_state_of_module(module));
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef pyetw_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "etwmon._etwcore",
    .m_doc = "The C core of etwmon. Use the names that etwmon exports.",
    .m_size = sizeof(pyetw_state),
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__etwcore(void)
{
    return PyModuleDef_Init(&pyetw_module);
}
