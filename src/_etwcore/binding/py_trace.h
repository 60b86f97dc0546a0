/*
 * The Trace object as the other files of the binding see it: the files of one
 * trace, their shared memory bound, and what lazy passes have found out.
 *
 * Everything here is guarded by the GIL. Core calls that read run detached,
 * except when a source is a Python object: then the GIL is kept, because the
 * core calls back into Python.
 */
#ifndef PY_TRACE_H
#define PY_TRACE_H

#include "pyetw.h"

#include "etwc_etl.h"
#include "etwc_images.h"
#include "etwc_lifetime.h"
#include "etwc_stack.h"

typedef struct pyetw_file {
    etwc_etl *etl;     /* NULL once the trace is closed */
    PyObject *path;    /* what the user calls it, or None */
    PyObject *held;    /* borrowed from etl: what its source refers to, or NULL */
    etwc_clock clock;  /* copies, for events that outlive the trace */
    uint32_t timeline; /* files with the same number share one session clock */
    /* Who was who on this file's timeline; NULL until somebody asked. Only the
     * first file of a timeline owns one. */
    etwc_lifetimes *lifetimes;
    /* Found in the same pass, of all files of the timeline. */
    etwc_gap *gaps;
    size_t gap_count;
    bool is_loss_located; /* nothing is missing outside of them */
    etwc_images *images;  /* likewise: what lay at which address */
    uint32_t sequence;    /* files with the same number are one NEWFILE sequence */
    etwc_stacks *stacks;  /* as lifetimes, of the first file of a sequence */
} pyetw_file;

typedef struct pyetw_trace {
    PyObject_HEAD
    /* Keeps the state alive: at the end of an interpreter the collector may clear the
     * types first, which then let go of their module. */
    PyObject *module;
    pyetw_state *state; /* of the module */
    etwc_pool *pool;
    pyetw_file *files;
    size_t file_count;
    uint64_t file_bytes;   /* of all files */
    PyObject *failures;    /* list: exceptions raised by sources in Python */
    PyObject *uuids;       /* dict: provider GUID bytes to uuid.UUID */
    etwc_damage *damage;   /* of each file, once all was read; else NULL */
    uint64_t memory_limit; /* bytes; of the pool, and of each pass's own tables */
    bool needs_gil;
    bool is_closed;
    bool has_lifetimes;
} pyetw_trace;

/* Around a core call that reads: detach gives NULL when the GIL is kept. */
PyThreadState *pyetw_trace_detach(const pyetw_trace *trace);
void pyetw_trace_attach(PyThreadState *thread);

/* True, or ValueError when the trace was closed. */
bool pyetw_trace_check_open(const pyetw_trace *trace);

/* To be called now and then, attached: -1 with an error set when the user pressed
 * Ctrl-C or the trace was closed. */
int pyetw_trace_look(pyetw_trace *trace);

/* A cursor over all files of the trace; NULL with an error set. Close it with the
 * GIL held: the last user of a file releases Python objects. */
etwc_cursor *pyetw_trace_open_cursor(pyetw_trace *trace,
                                     const etwc_selection *selection);

/* The same over some of the files, which may be closed by others meanwhile. */
etwc_cursor *pyetw_trace_open_cursor_of(pyetw_trace *trace, etwc_etl *const *etls,
                                        size_t count, const etwc_selection *selection);

/* Gives every event of the cursor to feed, detached; looks at signals. 0, or -1
 * with an error set, which names the file when the cursor has all files. The cursor
 * stays the caller's. */
typedef etwc_status (*pyetw_feed_fn)(void *context, const etwc_event *events,
                                     size_t count, etwc_error *err);
int pyetw_trace_scan(pyetw_trace *trace, etwc_cursor *cursor, bool has_all_files,
                     pyetw_feed_fn feed, void *context);

/* A selection from the tuple that etwmon._selection makes (see py_selection.c).
 * It borrows from the tuple. Asks for the lifetimes when owners are selected. 0,
 * or -1 with an error set. */
int pyetw_selection_parse(pyetw_trace *trace, PyObject *tuple, etwc_selection *out);

/* Sets the exception for a failed status of a read and returns NULL. The first is
 * for cursors over all files, which know the file that failed. */
PyObject *pyetw_trace_raise(pyetw_trace *trace, const etwc_error *err);
PyObject *pyetw_trace_raise_for(pyetw_trace *trace, const etwc_error *err,
                                PyObject *path);

/* Makes sure that owners are known, reading the trace once; -1 on failure. */
int pyetw_trace_need_lifetimes(pyetw_trace *trace);
/* Which image lies at an address for a process, at a time: a tuple of path and offset,
 * or None; NULL with an error set. Reads the trace the first time. */
PyObject *pyetw_trace_resolve(pyetw_trace *trace, uint64_t address, uint32_t process_id,
                              int64_t filetime);
/* Whether a timeline has an event of that selection; reads as far as the first. *out
 * stays as it is when there is none; -1 on failure. */
int pyetw_trace_has_event(pyetw_trace *trace, uint32_t timeline,
                          const etwc_selection *selection, bool *out);
/* Process id of the owner of an event, or ETWC_NO_ID. Needs the lifetimes. The
 * context is the trace; may be called detached. */
uint32_t pyetw_trace_owner(void *context, const etwc_event *event);

/* The stacks of the event's file, reading it once; NULL with an error set. */
const etwc_stacks *pyetw_trace_need_stacks(pyetw_trace *trace, const etwc_event *event);
/* Makes sure that trace->damage is known, reading the trace once; -1 on failure. */
int pyetw_trace_need_damage(pyetw_trace *trace);

#endif
