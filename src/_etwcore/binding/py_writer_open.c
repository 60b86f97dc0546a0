/* The arguments of TraceWriter(), turned into the options of the core. */
#include "py_writer.h"

/* ---- Converters -------------------------------------------------------------------- */

static int
refuse_number(PyObject *value, int64_t min, int64_t max)
{
    PyErr_Format(PyExc_ValueError, "a number from %lld to %lld is wanted, not %S",
                 (long long)min, (long long)max, value);
    return 0;
}

static int
to_number(PyObject *value, int64_t min, int64_t max, int64_t *out)
{
    long long v = PyLong_AsLongLong(value);
    if (v == -1 && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError))
            return 0;
        return refuse_number(value, min, max);
    }
    if (v < min || v > max)
        return refuse_number(value, min, max);
    *out = v;
    return 1;
}

int
pyetw_to_uint8(PyObject *value, void *out)
{
    int64_t v;
    if (!to_number(value, 0, UINT8_MAX, &v))
        return 0;
    *(uint8_t *)out = (uint8_t)v;
    return 1;
}

int
pyetw_to_uint16(PyObject *value, void *out)
{
    int64_t v;
    if (!to_number(value, 0, UINT16_MAX, &v))
        return 0;
    *(uint16_t *)out = (uint16_t)v;
    return 1;
}

int
pyetw_to_uint32(PyObject *value, void *out)
{
    int64_t v;
    if (!to_number(value, 0, UINT32_MAX, &v))
        return 0;
    *(uint32_t *)out = (uint32_t)v;
    return 1;
}

int
pyetw_to_int32(PyObject *value, void *out)
{
    int64_t v;
    if (!to_number(value, INT32_MIN, INT32_MAX, &v))
        return 0;
    *(int32_t *)out = (int32_t)v;
    return 1;
}

int
pyetw_to_int64(PyObject *value, void *out)
{
    return to_number(value, INT64_MIN, INT64_MAX, out);
}

/* ---- The parts ------------------------------------------------------------------------ */

/* Arguments that need a second look once all are known; borrowed. */
typedef struct late_arguments {
    uint32_t buffer_size_kb;
    const char *compression; /* NULL: none */
    const char *clock;
    PyObject *start_time;
    PyObject *start_raw;
    PyObject *boot_time;
    PyObject *session_name; /* NULL: the default */
    PyObject *log_file_name;
    PyObject *group_masks;
} late_arguments;

typedef struct choice {
    const char *name;
    uint32_t value;
} choice;

static int
parse_choice(const char *what, const char *name, const choice *choices, size_t count,
             uint32_t *out)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, choices[i].name) == 0) {
            *out = choices[i].value;
            return 0;
        }
    }
    PyErr_Format(PyExc_ValueError, "unknown %s '%s'", what, name);
    return -1;
}

static int
parse_choices(const late_arguments *late, etwc_etl_writer_options *o)
{
    static const choice formats[] = {{"lznt1", ETWC_COMPRESSION_LZNT1},
                                     {"xpress", ETWC_COMPRESSION_XPRESS},
                                     {"xpress-huff", ETWC_COMPRESSION_XPRESS_HUFF}};
    static const choice clocks[] = {{"qpc", ETWC_CLOCK_QPC},
                                    {"system", ETWC_CLOCK_SYSTEM_TIME},
                                    {"cpu", ETWC_CLOCK_CPU_CYCLE}};
    if (late->compression != NULL &&
        parse_choice("compression", late->compression, formats,
                     ETWC_ARRAY_SIZE(formats), &o->compression) < 0)
        return -1;
    return parse_choice("clock", late->clock, clocks, ETWC_ARRAY_SIZE(clocks),
                        &o->clock_type);
}

static int
parse_time(PyObject *value, int64_t *out)
{
    return value == Py_None || pyetw_to_int64(value, out) ? 0 : -1;
}

/* Start and boot; the raw start defaults to what the clock shows that long after
 * the boot. */
static int
parse_times(const late_arguments *late, etwc_etl_writer_options *o)
{
    const int64_t uptime = o->start_filetime - o->boot_filetime;
    if (parse_time(late->start_time, &o->start_filetime) < 0)
        return -1;
    o->boot_filetime = o->start_filetime > uptime ? o->start_filetime - uptime : 0;
    if (parse_time(late->boot_time, &o->boot_filetime) < 0)
        return -1;
    etwc_clock clock;
    int64_t frequency = o->clock_type == ETWC_CLOCK_CPU_CYCLE
                            ? (int64_t)o->cpu_mhz * 1000000
                            : o->perf_frequency;
    etwc_clock_init(&clock, 0, o->boot_filetime, frequency,
                    o->clock_type == ETWC_CLOCK_SYSTEM_TIME);
    o->start_raw_time = etwc_clock_raw(&clock, o->start_filetime);
    return parse_time(late->start_raw, &o->start_raw_time);
}

static int
parse_name(PyObject *value, const char *fallback, PyObject **out_bytes, etwc_span *out)
{
    char *bytes;
    Py_ssize_t length;
    PyObject *text = value ? Py_NewRef(value) : PyUnicode_FromString(fallback);
    if (text == NULL)
        return -1;
    *out_bytes = PyUnicode_AsEncodedString(text, "utf-16-le", "surrogatepass");
    Py_DECREF(text);
    if (*out_bytes == NULL || PyBytes_AsStringAndSize(*out_bytes, &bytes, &length) < 0)
        return -1;
    *out = (etwc_span){(const uint8_t *)bytes, (size_t)length};
    return 0;
}

static int
parse_masks(PyObject *value, etwc_etl_writer_options *o)
{
    if (value == Py_None) {
        if (o->kernel_event_version == 0)
            return 0;
        PyErr_SetString(PyExc_ValueError, "kernel_event_version needs group_masks");
        return -1;
    }
    PyObject *masks = PySequence_Tuple(value);
    if (masks == NULL)
        return -1;
    int is_good = PyTuple_Size(masks) == (Py_ssize_t)ETWC_ARRAY_SIZE(o->group_mask);
    if (!is_good)
        PyErr_SetString(PyExc_ValueError, "group_masks must have 8 numbers");
    for (size_t i = 0; is_good && i < ETWC_ARRAY_SIZE(o->group_mask); i++)
        is_good =
            pyetw_to_uint32(PyTuple_GetItem(masks, (Py_ssize_t)i), &o->group_mask[i]);
    Py_DECREF(masks);
    o->has_header_extension = true;
    return is_good ? 0 : -1;
}

/* ---- The whole --------------------------------------------------------------------------- */

static int
parse_all(pyetw_writer_arguments *a, late_arguments *late, PyObject *args,
          PyObject *kwargs)
{
    static char *names[] = {"path",
                            "buffer_size_kb",
                            "processors",
                            "mode",
                            "compression",
                            "clock",
                            "perf_frequency",
                            "start_time",
                            "start_raw",
                            "boot_time",
                            "pointer_size",
                            "timer_resolution",
                            "cpu_mhz",
                            "os_version",
                            "os_build",
                            "bias_minutes",
                            "session_name",
                            "log_file_name",
                            "maximum_file_size_mb",
                            "logger_id",
                            "first_sequence",
                            "header_pid",
                            "header_tid",
                            "group_masks",
                            "kernel_event_version",
                            NULL};
    etwc_etl_writer_options *o = &a->options;
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs,
            "O&|$O&O&O&zsO&OOOO&O&O&(O&O&)O&O&UUO&O&O&O&O&OO&:TraceWriter", names,
            PyUnicode_FSConverter, &a->path, pyetw_to_uint32, &late->buffer_size_kb,
            pyetw_to_uint32, &o->processors, pyetw_to_uint32, &o->log_file_mode,
            &late->compression, &late->clock, pyetw_to_int64, &o->perf_frequency,
            &late->start_time, &late->start_raw, &late->boot_time, pyetw_to_uint32,
            &o->pointer_size, pyetw_to_uint32, &o->timer_resolution, pyetw_to_uint32,
            &o->cpu_mhz, pyetw_to_uint8, &o->os_major, pyetw_to_uint8, &o->os_minor,
            pyetw_to_uint32, &o->os_build, pyetw_to_int32, &o->bias_minutes,
            &late->session_name, &late->log_file_name, pyetw_to_uint32,
            &o->maximum_file_size, pyetw_to_uint16, &o->logger_id, pyetw_to_int64,
            &o->first_sequence, pyetw_to_uint32, &o->header_process_id, pyetw_to_uint32,
            &o->header_thread_id, &late->group_masks, pyetw_to_uint32,
            &o->kernel_event_version))
        return -1;
    /* The core refuses what is too large; only the product must not wrap. */
    o->buffer_size = late->buffer_size_kb > UINT32_MAX / 1024
                         ? UINT32_MAX
                         : late->buffer_size_kb * 1024;
    return 0;
}

int
pyetw_writer_arguments_parse(pyetw_writer_arguments *a, PyObject *args,
                             PyObject *kwargs)
{
    late_arguments late = {
        .buffer_size_kb = 64,
        .clock = "qpc",
        .start_time = Py_None,
        .start_raw = Py_None,
        .boot_time = Py_None,
        .group_masks = Py_None,
    };
    memset(a, 0, sizeof *a);
    etwc_etl_writer_defaults(&a->options);
    etwc_etl_writer_options *o = &a->options;
    if (parse_all(a, &late, args, kwargs) < 0 || parse_choices(&late, o) < 0 ||
        parse_times(&late, o) < 0 ||
        parse_name(late.session_name, "etwmon", &a->session_name, &o->session_name) <
            0 ||
        parse_name(late.log_file_name, "", &a->log_file_name, &o->log_file_name) < 0 ||
        parse_masks(late.group_masks, o) < 0)
        return -1;
    return 0;
}

void
pyetw_writer_arguments_release(pyetw_writer_arguments *a)
{
    Py_CLEAR(a->path);
    Py_CLEAR(a->session_name);
    Py_CLEAR(a->log_file_name);
}
