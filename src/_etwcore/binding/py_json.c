/* Values of events as json.dumps takes them. */
#include "py_values.h"

/* Nesting of decoded fields is small; a bound keeps hostile input from the stack. */
enum { MAX_DEPTH = 64 };

static PyObject *json_value(pyetw_state *state, PyObject *value, int depth);

static PyObject *
json_list(pyetw_state *state, PyObject *value, int depth)
{
    PyObject *fast = PySequence_List(value);
    Py_ssize_t count = fast ? PyList_Size(fast) : 0;
    for (Py_ssize_t i = 0; fast != NULL && i < count; i++) {
        PyObject *item = json_value(state, PyList_GetItem(fast, i), depth);
        if (item == NULL || PyList_SetItem(fast, i, item) < 0)
            Py_CLEAR(fast);
    }
    return fast;
}

static PyObject *
json_key(PyObject *key)
{
    return PyUnicode_Check(key) ? Py_NewRef(key) : PyObject_Str(key);
}

static PyObject *
json_dict(pyetw_state *state, PyObject *value, int depth)
{
    PyObject *result = PyDict_New();
    PyObject *key, *item;
    Py_ssize_t at = 0;
    while (result != NULL && PyDict_Next(value, &at, &key, &item)) {
        PyObject *name = json_key(key);
        PyObject *plain = name ? json_value(state, item, depth) : NULL;
        if (plain == NULL || PyDict_SetItem(result, name, plain) < 0)
            Py_CLEAR(result);
        Py_XDECREF(name);
        Py_XDECREF(plain);
    }
    return result;
}

/* NaN and the infinities are no JSON: their text is. */
static PyObject *
json_float(PyObject *value)
{
    double number = PyFloat_AsDouble(value);
    if (number - number == 0.0)
        return Py_NewRef(value);
    return PyObject_Str(value);
}

static PyObject *
json_value(pyetw_state *state, PyObject *value, int depth)
{
    if (depth > MAX_DEPTH) {
        PyErr_SetString(PyExc_RecursionError, "the value is nested too deep for JSON");
        return NULL;
    }
    if (value == Py_None || PyUnicode_Check(value) || PyBool_Check(value))
        return Py_NewRef(value);
    if (PyLong_Check(value)) /* an enumeration is its number */
        return PyLong_CheckExact(value) ? Py_NewRef(value) : PyNumber_Long(value);
    if (PyFloat_Check(value))
        return json_float(value);
    if (PyDict_Check(value))
        return json_dict(state, value, depth + 1);
    if (PyList_Check(value) || PyTuple_Check(value))
        return json_list(state, value, depth + 1);
    if (PyBytes_Check(value) || PyMemoryView_Check(value))
        return PyObject_CallMethod(value, "hex", NULL);
    PyObject *format = PyObject_GetAttrString(value, "isoformat");
    if (format == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return NULL;
        PyErr_Clear();
        return PyObject_Str(value);
    }
    PyObject *text = PyObject_CallObject(format, NULL);
    Py_DECREF(format);
    return text;
}

PyObject *
pyetw_json_value(pyetw_state *state, PyObject *value)
{
    return json_value(state, value, 0);
}
