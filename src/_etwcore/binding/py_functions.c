/* Functions and constants of the module: tables of the core. */
#include "etwc_provider.h"
#include "pyetw.h"

PyDoc_STRVAR(
    find_provider_doc,
    "find_provider(name, /)\n--\n\n"
    "GUID of a known provider as bytes in little-endian form, or None. Case does\n"
    "not matter.");

static PyObject *
find_provider(PyObject *module, PyObject *name)
{
    etwc_guid guid;
    Py_ssize_t length;
    (void)module;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL)
        return NULL;
    if (strlen(text) != (size_t)length || !etwc_provider_find(text, &guid))
        Py_RETURN_NONE;
    return PyBytes_FromStringAndSize((const char *)guid.bytes, sizeof guid.bytes);
}

PyDoc_STRVAR(known_providers_doc,
             "known_providers()\n--\n\n"
             "Every known provider as a pair of name and GUID bytes.");

static PyObject *
known_providers(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    PyObject *list = PyList_New(0);
    etwc_guid guid;
    const char *name;
    for (size_t i = 0; list != NULL && (name = etwc_provider_at(i, &guid)) != NULL;
         i++) {
        PyObject *pair = Py_BuildValue("(sy#)", name, (const char *)guid.bytes,
                                       (Py_ssize_t)sizeof guid.bytes);
        if (pair == NULL || PyList_Append(list, pair) < 0)
            Py_CLEAR(list);
        Py_XDECREF(pair);
    }
    return list;
}

static PyMethodDef functions[] = {
    {"find_provider", find_provider, METH_O, find_provider_doc},
    {"known_providers", known_providers, METH_NOARGS, known_providers_doc},
    {NULL, NULL, 0, NULL},
};

typedef const char *(*name_of)(size_t number);

static const char *
kind_name(size_t number)
{
    return etwc_event_kind_name((uint8_t)number);
}

static const char *
status_name(size_t number)
{
    return etwc_status_name((etwc_status)number);
}

/* The names that belong to the numbers from 0 on. */
static int
add_names(PyObject *module, const char *attribute, name_of name, size_t count)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)count);
    for (size_t i = 0; tuple != NULL && i < count; i++) {
        PyObject *text = PyUnicode_InternFromString(name(i));
        if (text == NULL || PyTuple_SetItem(tuple, (Py_ssize_t)i, text) < 0)
            Py_CLEAR(tuple);
    }
    int result = PyModule_AddObjectRef(module, attribute, tuple);
    Py_XDECREF(tuple);
    return result;
}

int
pyetw_functions_exec(PyObject *module, pyetw_state *state)
{
    (void)state;
    if (add_names(module, "EVENT_KINDS", kind_name, ETWC_KIND_COUNT) < 0 ||
        add_names(module, "STATUS_NAMES", status_name, ETWC_STATUS_COUNT) < 0)
        return -1;
    return PyModule_AddFunctions(module, functions);
}
