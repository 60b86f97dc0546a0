/* The machine of a snapshot as a dict. */
#include "py_aggregate.h"

const char *const pyetw_source_names[ETWC_SOURCE_COUNT] = {
#define SOURCE_NAME(name) #name,
    ETWC_METRIC_SOURCE_LIST(SOURCE_NAME)
#undef SOURCE_NAME
};

static PyObject *
source_name(etwc_metric_source source)
{
    if (source == ETWC_SOURCE_COUNT)
        Py_RETURN_NONE;
    return PyUnicode_FromString(pyetw_source_names[source]);
}

/* Numbers by source; those that are 0 are left out. */
static PyObject *
source_dict(const uint64_t *numbers)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < ETWC_SOURCE_COUNT; i++)
        if (numbers[i] != 0 && !pyetw_put(dict, pyetw_source_names[i],
                                          PyLong_FromUnsignedLongLong(numbers[i])))
            Py_CLEAR(dict);
    return dict;
}

/* Names of the sources whose bits are set. */
static PyObject *
source_list(uint32_t bits)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list != NULL && i < ETWC_SOURCE_COUNT; i++) {
        if ((bits >> i & 1) == 0)
            continue;
        PyObject *name = PyUnicode_FromString(pyetw_source_names[i]);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *
presence_dict(const etwc_machine_row *m)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < ETWC_SOURCE_COUNT; i++)
        if (!pyetw_put(dict, pyetw_source_names[i], PyLong_FromLong(m->presence[i])))
            Py_CLEAR(dict);
    return dict;
}

static PyObject *
machine_dict(const etwc_machine_row *m)
{
    PyObject *dict = PyDict_New();
    if (dict == NULL)
        return NULL;
    bool ok = true;
#define PUT_I64(name) \
    ok = ok && pyetw_put(dict, #name, PyLong_FromLongLong((int64_t)m->name));
#define PUT_U64(name) \
    ok = ok && pyetw_put(dict, #name, PyLong_FromUnsignedLongLong(m->name));
    PUT_I64(raw_time)
    PUT_I64(filetime)
    PUT_I64(wall_ticks)
    PUT_I64(wall_ns)
    /* Runs can be below 0 in an interval, and none is so large. */
    ETWC_MACHINE_COUNTER_LIST(PUT_I64)
    PUT_I64(self_check_ticks)
    PUT_U64(processors)
    PUT_U64(gaps_open)
    PUT_U64(sample_interval_100ns)
    PUT_U64(unclaimed_listed)
#undef PUT_I64
#undef PUT_U64
    ok = ok && pyetw_put(dict, "presence", presence_dict(m)) &&
         pyetw_put(dict, "undecoded_by", source_dict(m->undecoded_by)) &&
         pyetw_put(dict, "partial_by", source_dict(m->partial_by)) &&
         pyetw_put(dict, "unclaimed_by", source_dict(m->unclaimed_by)) &&
         pyetw_put(dict, "unclaimed_runs", source_list(m->unclaimed_runs)) &&
         pyetw_put(dict, "cpu_source", source_name(etwc_machine_cpu_source(m))) &&
         pyetw_put(dict, "mode_source", source_name(etwc_machine_mode_source(m)));
    if (!ok)
        Py_CLEAR(dict);
    return dict;
}

PyObject *
pyetw_snapshot_machine(PyObject *op, void *unused)
{
    (void)unused;
    return machine_dict(etwc_snapshot_machine(pyetw_snapshot_get(op)));
}

PyObject *
pyetw_snapshot_machine_since(PyObject *op, PyObject *base)
{
    if (!pyetw_snapshot_check_base(op, base))
        return NULL;
    etwc_machine_row part;
    etwc_machine_difference(
        etwc_snapshot_machine(pyetw_snapshot_get(op)),
        base == Py_None ? NULL : etwc_snapshot_machine(pyetw_snapshot_get(base)),
        &part);
    return machine_dict(&part);
}
