/*
 * What a trace can tell only after one more pass over its files: who owned what,
 * which stack belongs to which event, what was damaged. Each is found out on first
 * use and kept. Two threads that ask at once both read; the first result stays.
 */
#include "py_trace.h"

#include "etwc_alloc.h"
#include "etwc_provider.h"

/* The files of one timeline, or of one sequence. */
static etwc_cursor *
open_cursor_of_group(pyetw_trace *trace, uint32_t group, bool is_sequence,
                     const etwc_selection *selection)
{
    if (!pyetw_trace_check_open(trace))
        return NULL;
    etwc_etl **etls = etwc_calloc(trace->file_count, sizeof(etwc_etl *));
    if (etls == NULL)
        return (void *)PyErr_NoMemory();
    size_t count = 0;
    for (size_t i = 0; i < trace->file_count; i++) {
        const pyetw_file *file = &trace->files[i];
        if ((is_sequence ? file->sequence : file->timeline) == group)
            etls[count++] = file->etl;
    }
    etwc_cursor *cursor = pyetw_trace_open_cursor_of(trace, etls, count, selection);
    etwc_free(etls);
    return cursor;
}

/* ---- Owners --------------------------------------------------------------------------- */

static etwc_status
feed_lifetimes(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    etwc_lifetimes *lifetimes = context;
    for (size_t i = 0; i < count; i++) {
        etwc_kernel_record record;
        if (etwc_class_is_manifest(events[i].kernel_class))
            etwc_lifetimes_note_class(lifetimes, events[i].kernel_class);
        if (!etwc_lifetimes_wants(&events[i]))
            continue;
        if (etwc_kernel_decode(&events[i], &record) == ETWC_DECODED_NONE)
            continue;
        etwc_status st = etwc_lifetimes_apply(lifetimes, &events[i], &record, err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

/* What one pass over a timeline finds out. */
typedef struct first_pass {
    etwc_lifetimes *lifetimes; /* owned */
    etwc_gap *gaps;            /* owned */
    size_t gap_count;
    bool is_loss_located;
} first_pass;

static void
first_pass_reset(first_pass *pass)
{
    etwc_lifetimes_free(pass->lifetimes);
    etwc_free(pass->gaps);
    *pass = (first_pass){0};
}

static int
scan_first(pyetw_trace *trace, etwc_cursor *cursor, first_pass *pass)
{
    etwc_error err;
    if (pyetw_trace_scan(trace, cursor, trace->file_count == 1, feed_lifetimes,
                         pass->lifetimes) < 0)
        return -1;
    if (etwc_cursor_find_gaps(cursor, &pass->gaps, &pass->gap_count,
                              &pass->is_loss_located, &err) == ETWC_OK)
        return 0;
    pyetw_trace_raise(trace, &err);
    return -1;
}

/* What happened to the processes and threads of one timeline, and where something is
 * missing. 0, or -1 with an error set. */
static int
read_first(pyetw_trace *trace, uint32_t timeline, first_pass *pass)
{
    /* Of processes and threads begin, end, rundown, defunct and name; of the session
     * the group masks, sample intervals and the machine's page size: no context
     * switch, no sample. Of manifest providers all: they have the opcodes 0 to 3 and
     * 10 to 16, and 42 and 43. */
    static const uint8_t opcodes[] = {0,  1,  2,  3,  4,  5,  10, 11, 12, 13, 14,
                                      15, 16, 18, 32, 39, 42, 43, 72, 73, 74};
    enum { KERNEL_PROVIDERS = 5, PROVIDERS = 10 };
    etwc_guid providers[PROVIDERS];
    providers[0] = *etwc_kernel_group_guid(ETWC_CLASS_PROCESS);
    providers[1] = *etwc_kernel_group_guid(ETWC_CLASS_THREAD);
    providers[2] = *etwc_kernel_group_guid(ETWC_CLASS_EVENT_TRACE);
    providers[3] = *etwc_kernel_group_guid(ETWC_CLASS_PERF_INFO);
    providers[4] = *etwc_kernel_group_guid(ETWC_CLASS_SYSTEM_CONFIG);
    for (uint8_t i = 0; i < PROVIDERS - KERNEL_PROVIDERS; i++)
        providers[KERNEL_PROVIDERS + i] =
            *etwc_manifest_guid((uint8_t)(ETWC_CLASS_MANIFEST_PROCESS + i));
    etwc_selection selection = {
        .providers = providers,
        .provider_count = ETWC_ARRAY_SIZE(providers),
        .opcodes = opcodes,
        .opcode_count = sizeof opcodes,
    };
    *pass = (first_pass){.lifetimes = etwc_lifetimes_new()};
    if (pass->lifetimes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    etwc_lifetimes_set_limit(pass->lifetimes, trace->memory_limit);
    etwc_cursor *cursor = open_cursor_of_group(trace, timeline, false, &selection);
    int result = -1;
    if (cursor != NULL) {
        result = scan_first(trace, cursor, pass);
        etwc_cursor_close(cursor);
    }
    if (result < 0)
        first_pass_reset(pass);
    return result;
}

int
pyetw_trace_need_lifetimes(pyetw_trace *trace)
{
    for (size_t i = 0; i < trace->file_count && !trace->has_lifetimes; i++) {
        pyetw_file *file = &trace->files[i];
        if (file->timeline != i || file->lifetimes != NULL)
            continue;
        first_pass pass;
        if (read_first(trace, file->timeline, &pass) < 0)
            return -1;
        if (file->lifetimes != NULL) { /* another thread was faster */
            first_pass_reset(&pass);
            continue;
        }
        file->lifetimes = pass.lifetimes;
        file->gaps = pass.gaps;
        file->gap_count = pass.gap_count;
        file->is_loss_located = pass.is_loss_located;
    }
    trace->has_lifetimes = true;
    return 0;
}

uint32_t
pyetw_trace_owner(void *context, const etwc_event *event)
{
    const pyetw_trace *trace = context;
    if (event->file_index >= trace->file_count)
        return ETWC_NO_ID;
    uint32_t timeline = trace->files[event->file_index].timeline;
    return etwc_lifetimes_owner_id(trace->files[timeline].lifetimes, event);
}

static etwc_status
feed_first(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    (void)events;
    (void)err;
    if (count == 0)
        return ETWC_OK;
    *(bool *)context = true;
    return ETWC_END;
}

int
pyetw_trace_has_event(pyetw_trace *trace, uint32_t timeline,
                      const etwc_selection *selection, bool *out)
{
    etwc_cursor *cursor = open_cursor_of_group(trace, timeline, false, selection);
    if (cursor == NULL)
        return -1;
    int result =
        pyetw_trace_scan(trace, cursor, trace->file_count == 1, feed_first, out);
    etwc_cursor_close(cursor);
    return result;
}

/* ---- Images --------------------------------------------------------------------------- */

static etwc_status
feed_images(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    for (size_t i = 0; i < count; i++) {
        etwc_kernel_record record;
        if (etwc_kernel_decode(&events[i], &record) == ETWC_DECODED_NONE)
            continue;
        etwc_status st = etwc_images_apply(context, &events[i], &record, err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

static etwc_images *
read_images(pyetw_trace *trace, const pyetw_file *file)
{
    etwc_guid providers[] = {*etwc_kernel_group_guid(ETWC_CLASS_IMAGE),
                             *etwc_manifest_guid(ETWC_CLASS_MANIFEST_PROCESS)};
    etwc_selection selection = {.providers = providers,
                                .provider_count = ETWC_ARRAY_SIZE(providers)};
    uint32_t pointer_size = etwc_etl_get_header(file->etl)->pointer_size;
    etwc_images *images =
        etwc_images_new(file->lifetimes, pointer_size, trace->memory_limit);
    if (images == NULL)
        return (void *)PyErr_NoMemory();
    etwc_cursor *cursor =
        open_cursor_of_group(trace, file->timeline, false, &selection);
    int result = -1;
    if (cursor != NULL) {
        result = pyetw_trace_scan(trace, cursor, trace->file_count == 1, feed_images,
                                  images);
        etwc_cursor_close(cursor);
    }
    if (result < 0) {
        etwc_images_free(images);
        return NULL;
    }
    etwc_images_finish(images);
    return images;
}

static const etwc_images *
need_images(pyetw_trace *trace, size_t index)
{
    pyetw_file *file = &trace->files[index];
    if (file->images != NULL)
        return file->images;
    if (!pyetw_trace_check_open(trace) || pyetw_trace_need_lifetimes(trace) < 0 ||
        !pyetw_trace_check_open(trace))
        return NULL;
    etwc_images *images = read_images(trace, file);
    if (images == NULL)
        return NULL;
    if (file->images == NULL)
        file->images = images;
    else /* another thread was faster */
        etwc_images_free(images);
    return file->images;
}

PyObject *
pyetw_trace_resolve(pyetw_trace *trace, uint64_t address, uint32_t process_id,
                    int64_t filetime)
{
    for (size_t i = 0; i < trace->file_count; i++) {
        if (trace->files[i].timeline != i)
            continue;
        const etwc_images *images = need_images(trace, i);
        if (images == NULL)
            return NULL;
        uint64_t offset;
        int64_t raw_time = etwc_clock_raw(&trace->files[i].clock, filetime);
        const etwc_text_entry *path =
            etwc_images_find(images, address, process_id, raw_time, &offset);
        if (path != NULL)
            return Py_BuildValue("(NK)",
                                 PyUnicode_DecodeUTF8(path->bytes,
                                                      (Py_ssize_t)path->length,
                                                      "surrogatepass"),
                                 (unsigned long long)offset);
    }
    Py_RETURN_NONE;
}

/* ---- Stacks --------------------------------------------------------------------------- */

static etwc_status
feed_stacks(void *context, const etwc_event *events, size_t count, etwc_error *err)
{
    for (size_t i = 0; i < count; i++) {
        etwc_status st = etwc_stacks_feed(context, &events[i], err);
        if (st != ETWC_OK)
            return st;
    }
    return ETWC_OK;
}

static etwc_stacks *
read_stacks(pyetw_trace *trace, uint32_t sequence)
{
    etwc_stacks *stacks;
    etwc_error err;
    if (etwc_stacks_new(trace->pool, &stacks, &err) != ETWC_OK)
        return (void *)pyetw_trace_raise(trace, &err);
    etwc_cursor *cursor = open_cursor_of_group(trace, sequence, true, NULL);
    int result = -1;
    if (cursor != NULL) {
        result = pyetw_trace_scan(trace, cursor, trace->file_count == 1, feed_stacks,
                                  stacks);
        etwc_cursor_close(cursor);
    }
    if (result < 0) {
        etwc_stacks_free(stacks);
        return NULL;
    }
    etwc_stacks_finish(stacks);
    return stacks;
}

const etwc_stacks *
pyetw_trace_need_stacks(pyetw_trace *trace, const etwc_event *event)
{
    pyetw_file *file = &trace->files[trace->files[event->file_index].sequence];
    if (file->stacks != NULL)
        return file->stacks;
    etwc_stacks *stacks = read_stacks(trace, file->sequence);
    if (stacks == NULL)
        return NULL;
    if (file->stacks == NULL)
        file->stacks = stacks;
    else /* another thread was faster */
        etwc_stacks_free(stacks);
    return file->stacks;
}

/* ---- Damage --------------------------------------------------------------------------- */

/* Reads one file to its end to see all of its damage. */
static int
read_damage(pyetw_trace *trace, size_t index, etwc_damage *out)
{
    etwc_cursor *cursor =
        pyetw_trace_open_cursor_of(trace, &trace->files[index].etl, 1, NULL);
    if (cursor == NULL)
        return -1;
    uint64_t count = 0;
    etwc_status st = ETWC_OK;
    while (st == ETWC_OK) {
        etwc_error err;
        PyThreadState *thread = pyetw_trace_detach(trace);
        st = etwc_cursor_count(cursor, &count, &err);
        pyetw_trace_attach(thread);
        if (st != ETWC_OK && st != ETWC_END)
            pyetw_trace_raise_for(trace, &err, trace->files[index].path);
        else if (pyetw_trace_look(trace) < 0)
            st = ETWC_E_INTERRUPTED;
    }
    if (st == ETWC_END)
        etwc_cursor_get_damage(cursor, out);
    etwc_cursor_close(cursor);
    return st == ETWC_END ? 0 : -1;
}

int
pyetw_trace_need_damage(pyetw_trace *trace)
{
    if (trace->damage != NULL)
        return 0;
    etwc_damage *damage = etwc_calloc(trace->file_count, sizeof *damage);
    if (damage == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < trace->file_count; i++) {
        if (!pyetw_trace_check_open(trace) || read_damage(trace, i, &damage[i]) < 0) {
            etwc_free(damage);
            return -1;
        }
    }
    if (trace->damage == NULL)
        trace->damage = damage;
    else /* another thread was faster */
        etwc_free(damage);
    return 0;
}
