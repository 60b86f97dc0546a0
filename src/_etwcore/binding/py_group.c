/*
 * Groups of metrics that make their fields when they are read. GroupBase is the base of
 * their classes in etwmon._metrics, and GroupField the descriptor of each field: it
 * keeps what was read, or set, and makes a value of the group's row before. All groups of
 * a process are one, too: its fields are groups of the same row.
 */
#include "py_group.h"

#include <structmember.h>

#include "py_values.h"

enum {
    GROUP_FIELDS = 24, /* at most */
    /* Sources that no trace has. */
    SOURCE_ALWAYS = -1,
    SOURCE_NEVER = -2
};

typedef struct pyetw_group {
    PyObject_HEAD
    PyObject *row; /* RowView, or NULL: fields were set */
    PyObject *values[GROUP_FIELDS];
} pyetw_group;

/* ---- A field ---------------------------------------------------------------------------- */

typedef enum field_kind {
    FIELD_NUMBER,
    FIELD_TEXT,
    FIELD_TIME,
    FIELD_MADE,
    FIELD_GROUP,
    FIELD_KINDS
} field_kind;

typedef struct pyetw_field {
    PyObject_HEAD
    PyTypeObject *owner; /* a class of groups: of these it is a field */
    int number;          /* place in the group */
    int kind;
    int source; /* that the trace must have, or SOURCE_... */
    int text;
    unsigned int bits; /* of `known`: else one of them allows `other` */
    const etwc_column *column, *other;
    PyObject *name;
    pyetw_maker make; /* for FIELD_MADE */
    PyObject *of;     /* what it makes the value with, or NULL; the class of a group */
} pyetw_field;

static PyObject *
group_of(PyTypeObject *type, PyObject *row)
{
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_group *self = (pyetw_group *)alloc(type, 0);
    if (self != NULL)
        self->row = Py_NewRef(row);
    return (PyObject *)self;
}

static bool
find_source(const char *name, int *out)
{
    *out = SOURCE_NEVER;
    if (name == NULL)
        return true;
    *out = SOURCE_ALWAYS;
    if (*name == '\0')
        return true;
    for (int i = 0; i < ETWC_SOURCE_COUNT; i++) {
        if (strcmp(pyetw_source_names[i], name) != 0)
            continue;
        *out = i;
        return true;
    }
    PyErr_Format(PyExc_ValueError, "no source %s", name);
    return false;
}

static bool
find_column(const char *name, const etwc_column **out)
{
    *out = NULL;
    if (name == NULL)
        return true;
    *out = etwc_column_named(ETWC_TABLE_PROCESSES, name);
    if (*out != NULL)
        return true;
    PyErr_Format(PyExc_ValueError, "no column %s", name);
    return false;
}

static bool
find_maker(const char *name, pyetw_maker *out)
{
    *out = name == NULL ? NULL : pyetw_maker_named(name);
    if (name == NULL || *out != NULL)
        return true;
    PyErr_Format(PyExc_ValueError, "no maker %s", name);
    return false;
}

static bool
is_group_class(const pyetw_state *state, PyObject *type)
{
    return type != NULL && PyType_Check(type) &&
           PyType_IsSubtype((PyTypeObject *)type, state->group_type);
}

static bool
is_good_field(const pyetw_state *state, const pyetw_field *f)
{
    return is_group_class(state, (PyObject *)f->owner) && f->number >= 0 &&
           f->number < GROUP_FIELDS && f->kind >= 0 && f->kind < FIELD_KINDS &&
           f->text >= 0 && f->text < 6 &&
           (f->kind != FIELD_GROUP || is_group_class(state, f->of)) &&
           (f->source == SOURCE_NEVER || f->column != NULL) &&
           (f->bits == 0 || f->other != NULL) &&
           (f->kind != FIELD_TIME || f->column != NULL) &&
           (f->kind != FIELD_MADE || f->make != NULL);
}

static PyObject *
field_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"owner", "number", "name", "kind", "source", "column",
                            "bits",  "other",  "text", "made", "of",     NULL};
    pyetw_field f = {.kind = FIELD_NUMBER};
    const char *source = NULL, *column = NULL, *other = NULL, *made = NULL;
    PyObject *owner, *name, *of = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!iU|izzIzizO:GroupField", names,
                                     &PyType_Type, &owner, &f.number, &name, &f.kind,
                                     &source, &column, &f.bits, &other, &f.text, &made,
                                     &of) ||
        !find_source(source, &f.source) || !find_column(column, &f.column) ||
        !find_column(other, &f.other) || !find_maker(made, &f.make))
        return NULL;
    f.owner = (PyTypeObject *)owner;
    f.of = of;
    if (!is_good_field(pyetw_state_of(type), &f)) {
        PyErr_SetString(PyExc_ValueError, "a field of no kind");
        return NULL;
    }
    allocfunc alloc = PyType_GetSlot(type, Py_tp_alloc);
    pyetw_field *self = (pyetw_field *)alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->owner = (PyTypeObject *)Py_NewRef(owner);
    self->number = f.number;
    self->kind = f.kind;
    self->source = f.source;
    self->text = f.text;
    self->bits = f.bits;
    self->column = f.column;
    self->other = f.other;
    self->name = Py_NewRef(name);
    self->make = f.make;
    self->of = Py_XNewRef(of);
    return (PyObject *)self;
}

static PyObject *
text_of(const pyetw_row *row, int which)
{
    const etwc_row_texts *texts =
        etwc_snapshot_texts(pyetw_snapshot_get(row->snapshot), (size_t)row->number);
    const etwc_text_entry *const all[] = {
        texts->name,           texts->command_line,
        texts->user_sid,       texts->package_full_name,
        texts->application_id, texts->image_path};
    const etwc_text_entry *text = all[which];
    if (text == NULL)
        Py_RETURN_NONE;
    return PyUnicode_DecodeUTF8(text->bytes, (Py_ssize_t)text->length, "surrogatepass");
}

static PyObject *
number_of(const pyetw_field *field, const pyetw_row *row)
{
    if (field->source == SOURCE_ALWAYS ||
        (field->source >= 0 && pyetw_row_has(row, (etwc_metric_source)field->source)))
        return pyetw_row_at(row, field->column);
    if (row->part.known & field->bits)
        return pyetw_row_at(row, field->other);
    Py_RETURN_NONE;
}

static PyObject *
time_of(pyetw_state *state, const pyetw_field *field, const pyetw_row *row)
{
    int64_t filetime;
    memcpy(&filetime, (const uint8_t *)&row->part + field->column->offset,
           sizeof filetime);
    if (filetime <= 0)
        Py_RETURN_NONE;
    return pyetw_datetime(state, filetime);
}

static PyObject *
make_value(const pyetw_field *field, pyetw_row *row)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return text_of(row, field->text);
    case FIELD_TIME:
        return time_of(pyetw_state_of(Py_TYPE((PyObject *)row)), field, row);
    case FIELD_MADE:
        return field->make(row, field->of);
    case FIELD_GROUP:
        return group_of((PyTypeObject *)field->of, (PyObject *)row);
    default:
        return number_of(field, row);
    }
}

static bool
check_group(const pyetw_field *field, PyObject *object)
{
    if (PyObject_TypeCheck(object, field->owner))
        return true;
    PyErr_SetString(PyExc_TypeError, "a field of another group of metrics");
    return false;
}

static PyObject *
field_get(PyObject *op, PyObject *object, PyObject *type)
{
    pyetw_field *field = (pyetw_field *)op;
    (void)type;
    if (object == NULL)
        return Py_NewRef(op);
    if (!check_group(field, object))
        return NULL;
    pyetw_group *group = (pyetw_group *)object;
    PyObject **place = &group->values[field->number];
    if (*place == NULL && group->row == NULL) {
        PyErr_SetObject(PyExc_AttributeError, field->name);
        return NULL;
    }
    if (*place == NULL) {
        PyObject *value = make_value(field, (pyetw_row *)group->row);
        if (value == NULL)
            return NULL;
        if (*place == NULL)
            *place = value;
        else /* another thread was faster, while Python ran */
            Py_DECREF(value);
    }
    return Py_NewRef(*place);
}

static int
field_set(PyObject *op, PyObject *object, PyObject *value)
{
    const pyetw_field *field = (const pyetw_field *)op;
    if (!check_group(field, object))
        return -1;
    pyetw_group *group = (pyetw_group *)object;
    PyObject **place = &group->values[field->number];
    /* A group inside of another is set once, by who unpickles. */
    bool is_fixed =
        field->kind == FIELD_GROUP && (group->row != NULL || *place != NULL);
    if (value == NULL || is_fixed) {
        PyErr_SetObject(PyExc_AttributeError, field->name);
        return -1;
    }
    pyetw_replace(place, Py_NewRef(value));
    return 0;
}

static int
field_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT((PyObject *)((pyetw_field *)op)->owner);
    Py_VISIT(((pyetw_field *)op)->of);
    return 0;
}

static int
field_clear(PyObject *op)
{
    Py_CLEAR(((pyetw_field *)op)->of);
    return 0; /* the owner stays: a field may be asked until it dies */
}

static void
field_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    Py_XDECREF(((pyetw_field *)op)->name);
    Py_XDECREF((PyObject *)((pyetw_field *)op)->owner);
    (void)field_clear(op);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyType_Slot field_slots[] = {
    {Py_tp_doc,
     "GroupField(owner, number, name, kind=0, source=None, column=None, bits=0,\n"
     "           other=None, text=0, made=None, of=None)\n--\n\n"
     "A field of an owner, which is a GroupBase: the number-th. kind 0: the column "
     "when the trace has\n"
     "the source (\"\": always), or `other` when one of the bits is known; 1: a text;\n"
     "2: the time in a column; 3: what the core's maker of that name makes of the "
     "row,\n"
     "with `of`; 4: the group of that row of the class `of`."},
    {Py_tp_new, field_new},
    {Py_tp_traverse, field_traverse},
    {Py_tp_clear, field_clear},
    {Py_tp_dealloc, field_dealloc},
    {Py_tp_descr_get, field_get},
    {Py_tp_descr_set, field_set},
    {0, NULL},
};

static PyType_Spec field_spec = {
    .name = "etwmon._etwcore.GroupField",
    .basicsize = sizeof(pyetw_field),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = field_slots,
};

/* ---- A group ---------------------------------------------------------------------------- */

PyDoc_STRVAR(of_row_doc,
             "of_row($type, row, /)\n--\n\n"
             "A group whose fields are made of a RowView when they are read.");

/* The class is one of Python's and knows no state: the row is asked for its own. */
static bool
is_row(PyObject *object)
{
    PyObject *module = PyType_GetModule(Py_TYPE(object));
    if (module == NULL)
        PyErr_Clear(); /* of a type without a module */
    return module != NULL && PyModule_GetDef(module) == &pyetw_module &&
           Py_TYPE(object) == pyetw_state_of_module(module)->row_type;
}

static PyObject *
group_of_row(PyObject *type, PyObject *row)
{
    if (is_row(row))
        return group_of((PyTypeObject *)type, row);
    PyErr_SetString(PyExc_TypeError, "of_row: a RowView");
    return NULL;
}

static int
group_traverse(PyObject *op, visitproc visit, void *arg)
{
    pyetw_group *self = (pyetw_group *)op;
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(self->row);
    for (size_t i = 0; i < GROUP_FIELDS; i++)
        Py_VISIT(self->values[i]);
    return 0;
}

static int
group_clear(PyObject *op)
{
    pyetw_group *self = (pyetw_group *)op;
    Py_CLEAR(self->row);
    for (size_t i = 0; i < GROUP_FIELDS; i++)
        Py_CLEAR(self->values[i]);
    return 0;
}

static void
group_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    PyObject_GC_UnTrack(op);
    (void)group_clear(op);
    freefunc release = PyType_GetSlot(type, Py_tp_free);
    release(op);
    Py_DECREF(type);
}

static PyMethodDef group_methods[] = {
    {"of_row", group_of_row, METH_O | METH_CLASS, of_row_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef group_members[] = {
    {"_row", T_OBJECT, offsetof(pyetw_group, row), READONLY,
     "What its fields are made of; None when they were set."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot group_slots[] = {
    {Py_tp_doc, "GroupBase()\n--\n\nBase of groups of metrics: room for fields, and "
                "the row of which those\n"
                "are made that were not set."},
    {Py_tp_traverse, group_traverse},
    {Py_tp_clear, group_clear},
    {Py_tp_dealloc, group_dealloc},
    {Py_tp_methods, group_methods},
    {Py_tp_members, group_members},
    {0, NULL},
};

static PyType_Spec group_spec = {
    .name = "etwmon._etwcore.GroupBase",
    .basicsize = sizeof(pyetw_group),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE |
             Py_TPFLAGS_IMMUTABLETYPE,
    .slots = group_slots,
};

int
pyetw_group_exec(PyObject *module, pyetw_state *state)
{
    state->group_type =
        (PyTypeObject *)PyType_FromModuleAndSpec(module, &group_spec, NULL);
    if (state->group_type == NULL || PyModule_AddType(module, state->group_type) < 0)
        return -1;
    PyObject *field = PyType_FromModuleAndSpec(module, &field_spec, NULL);
    int result = field == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)field);
    Py_XDECREF(field);
    return result;
}
