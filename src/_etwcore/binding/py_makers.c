/*
 * Fields of groups of metrics that are made of more than one column of a row, or of
 * what the row has beside them.
 */
#include "py_group.h"

#include "etwc_decode.h"

/* ---- Processor time ---------------------------------------------------------------- */

typedef enum cpu_mode { KERNEL, USER } cpu_mode;

/* False: the trace does not tell. */
static bool
mode_ns(const pyetw_row *row, cpu_mode mode, uint64_t *out)
{
    const etwc_machine_row *machine = etwc_snapshot_machine(pyetw_row_snapshot(row));
    switch (etwc_machine_mode_source(machine)) {
    case ETWC_SOURCE_samples:
        *out = mode == KERNEL ? row->part.times.sample_kernel_ns
                              : row->part.times.sample_user_ns;
        return pyetw_row_has(row, ETWC_SOURCE_samples);
    case ETWC_SOURCE_ticks:
        *out = mode == KERNEL ? row->part.times.tick_kernel_ns
                              : row->part.times.tick_user_ns;
        return (row->part.known & ETWC_ROW_TICKS) != 0;
    default:
        return false;
    }
}

/* Signed: a run that was split between two moments can be below 0 in an interval. */
static bool
cpu_ns(const pyetw_row *row, int64_t *out)
{
    const etwc_machine_row *machine = etwc_snapshot_machine(pyetw_row_snapshot(row));
    uint64_t kernel, user;
    if (etwc_machine_cpu_source(machine) == ETWC_SOURCE_switches) {
        *out = (int64_t)row->part.times.run_ns;
        return pyetw_row_has(row, ETWC_SOURCE_switches);
    }
    if (!mode_ns(row, KERNEL, &kernel) || !mode_ns(row, USER, &user))
        return false;
    *out = (int64_t)(kernel + user);
    return true;
}

static PyObject *
make_cpu_time_ns(const pyetw_row *row, PyObject *of)
{
    int64_t ns;
    (void)of;
    if (!cpu_ns(row, &ns))
        Py_RETURN_NONE;
    return PyLong_FromLongLong(ns);
}

static PyObject *
mode_number(const pyetw_row *row, cpu_mode mode)
{
    uint64_t ns;
    if (!mode_ns(row, mode, &ns))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(ns);
}

static PyObject *
mode_ms(const pyetw_row *row, cpu_mode mode)
{
    uint64_t ns;
    if (!mode_ns(row, mode, &ns))
        Py_RETURN_NONE;
    return PyFloat_FromDouble((double)ns / 1e6);
}

static PyObject *
make_kernel_time_ns(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return mode_number(row, KERNEL);
}

static PyObject *
make_user_time_ns(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return mode_number(row, USER);
}

static PyObject *
make_kernel_time(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return mode_ms(row, KERNEL);
}

static PyObject *
make_user_time(const pyetw_row *row, PyObject *of)
{
    (void)of;
    return mode_ms(row, USER);
}

/* Length of the interval; of a whole life, the part of the trace that it spans.
 * -1: an error is set. */
static int64_t
wall_100ns(const pyetw_row *row)
{
    int64_t begin, end = etwc_snapshot_machine(pyetw_row_snapshot(row))->filetime;
    int is_whole = pyetw_row_is_whole(row);
    if (is_whole < 0 || !pyetw_row_begin(row, &begin))
        return -1;
    if (is_whole && (row->part.known & ETWC_ROW_BEGIN) &&
        row->part.begin_filetime > begin)
        begin = row->part.begin_filetime;
    if (is_whole && (row->part.known & ETWC_ROW_END) && row->part.end_filetime < end)
        end = row->part.end_filetime;
    if (end <= begin)
        return 0;
    uint64_t length = (uint64_t)end - (uint64_t)begin;
    return length < INT64_MAX ? (int64_t)length : INT64_MAX;
}

static PyObject *
make_cpu_percent(const pyetw_row *row, PyObject *of)
{
    int64_t ns;
    (void)of;
    if (!cpu_ns(row, &ns))
        Py_RETURN_NONE;
    int64_t wall = wall_100ns(row);
    if (wall < 0)
        return NULL;
    if (wall == 0)
        Py_RETURN_NONE;
    return PyFloat_FromDouble(100.0 * (double)ns / ((double)wall * 100.0));
}

/* ---- Waits -------------------------------------------------------------------------- */

static PyObject *
make_ready_time_ns(const pyetw_row *row, PyObject *of)
{
    (void)of;
    if (!pyetw_row_has(row, ETWC_SOURCE_ready) ||
        !pyetw_row_has(row, ETWC_SOURCE_single_switches))
        Py_RETURN_NONE;
    return PyLong_FromLongLong((int64_t)row->part.times.ready_ns);
}

static PyObject *
make_wait_time_ns(const pyetw_row *row, PyObject *of)
{
    (void)of;
    if (!pyetw_row_has(row, ETWC_SOURCE_single_switches))
        Py_RETURN_NONE;
    return pyetw_waits(row->snapshot, (size_t)row->number, pyetw_row_base(row));
}

/* ---- Who it is, and its faults -------------------------------------------------------- */

static PyObject *
make_session_id(const pyetw_row *row, PyObject *of)
{
    const uint32_t none = UINT32_MAX; /* of processes outside of any */
    (void)of;
    if (!(row->part.known & ETWC_ROW_SESSION) || row->part.logon_session_id == none)
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLong(row->part.logon_session_id);
}

static PyObject *
make_page_faults(const pyetw_row *row, PyObject *of)
{
    const etwc_row_counters *c = &row->part.counters;
    (void)of;
    if (!pyetw_row_has(row, ETWC_SOURCE_page_faults))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(c->faults_transition + c->faults_demand_zero +
                                       c->faults_copy_on_write + c->faults_guard_page +
                                       c->faults_hard);
}

static PyObject *
make_faults_by_kind(const pyetw_row *row, PyObject *of)
{
    const etwc_row_counters *c = &row->part.counters;
    (void)of;
    if (!pyetw_row_has(row, ETWC_SOURCE_page_faults))
        Py_RETURN_NONE;
    PyObject *dict = PyDict_New();
    if (dict != NULL &&
        (!pyetw_put_count(row, dict, "transition", c->faults_transition) ||
         !pyetw_put_count(row, dict, "demand_zero", c->faults_demand_zero) ||
         !pyetw_put_count(row, dict, "copy_on_write", c->faults_copy_on_write) ||
         !pyetw_put_count(row, dict, "guard_page", c->faults_guard_page) ||
         !pyetw_put_count(row, dict, "hard", c->faults_hard)))
        Py_CLEAR(dict);
    return dict;
}

/* ---- All of them ------------------------------------------------------------------- */

typedef struct named_maker {
    const char *name;
    pyetw_maker make;
} named_maker;

static const named_maker makers[] = {
    {"session_id", make_session_id},
    {"cpu_percent", make_cpu_percent},
    {"cpu_time_ns", make_cpu_time_ns},
    {"kernel_time", make_kernel_time},
    {"user_time", make_user_time},
    {"kernel_time_ns", make_kernel_time_ns},
    {"user_time_ns", make_user_time_ns},
    {"ready_time_ns", make_ready_time_ns},
    {"wait_time_ns", make_wait_time_ns},
    {"affinity_mask", pyetw_make_affinity_mask},
    {"page_faults", make_page_faults},
    {"faults_by_kind", make_faults_by_kind},
    {"thread_ids", pyetw_make_thread_ids},
    {"active_threads", pyetw_make_active_threads},
    {"suspended_threads", pyetw_make_suspended_threads},
    {"thread_states", pyetw_make_thread_states},
    {"thread_cpu_cycles", pyetw_make_thread_cpu_cycles},
    {"io_priorities", pyetw_make_io_priorities},
    {"opened_by_type", pyetw_make_opened},
    {"closed_by_type", pyetw_make_closed},
    {"duplicated_by_type", pyetw_make_duplicated},
    {"read_latency", pyetw_make_read_latency},
    {"write_latency", pyetw_make_write_latency},
    {"flush_latency", pyetw_make_flush_latency},
};

pyetw_maker
pyetw_maker_named(const char *name)
{
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(makers); i++)
        if (strcmp(makers[i].name, name) == 0)
            return makers[i].make;
    return NULL;
}
