/*
 * Status codes of the core, and the error that goes with a failed one.
 *
 * Everything that can fail returns an etwc_status and takes an etwc_error as
 * its last argument, which may be NULL. Whoever notices the failure fills the
 * error; callers on the way up pass it on unchanged.
 */
#ifndef ETWC_STATUS_H
#define ETWC_STATUS_H

#include "etwc_base.h"

/* X(name, text): the text is the first half of the message a user sees. */
#define ETWC_STATUS_LIST(X)                                     \
    X(OK, "success")                                            \
    X(END, "no more data")                                      \
    X(E_NOMEM, "out of memory")                                 \
    X(E_LIMIT, "the memory limit was reached")                  \
    X(E_IO, "the operating system reported an error")           \
    X(E_NOT_TRACE, "not an ETW trace file")                     \
    X(E_CORRUPT, "the data is damaged")                         \
    X(E_TRUNCATED, "the file became shorter while it was read") \
    X(E_NEED_MORE, "the input ends too early")                  \
    X(E_NOT_SUPPORTED, "not supported")                         \
    X(E_INVALID, "invalid argument")                            \
    X(E_STATE, "not possible in this state")                    \
    X(E_INTERRUPTED, "interrupted")                             \
    X(E_CALLBACK, "a callback of the caller failed")

typedef enum etwc_status {
#define ETWC_STATUS_ENUM(name, text) ETWC_##name,
    ETWC_STATUS_LIST(ETWC_STATUS_ENUM)
#undef ETWC_STATUS_ENUM
        ETWC_STATUS_COUNT
} etwc_status;

typedef struct etwc_error {
    etwc_status status;
    int os_code;         /* errno or GetLastError; 0 when none */
    int64_t offset;      /* position in the file; -1 when not of a file */
    uint32_t file_index; /* which of the files that a cursor reads together */
    const char *where;   /* static: "etl.open", "StartTraceW" */
    char detail[160];    /* what to know or do; may be empty; UTF-8 */
} etwc_error;

/* Name ("E_CORRUPT") and text of a status; never NULL. */
const char *etwc_status_name(etwc_status status);
const char *etwc_status_text(etwc_status status);

/* Fill *err (when not NULL) and return status, so that a failing function can
 * `return etwc_fail(...)`. `where` must be a string literal. */
etwc_status etwc_fail(etwc_error *err, etwc_status status, const char *where);
etwc_status etwc_fail_at(etwc_error *err, etwc_status status, const char *where,
                         int64_t offset, const char *format, ...) ETWC_PRINTF(5, 6);
etwc_status etwc_fail_os(etwc_error *err, const char *where, int os_code);

#endif
