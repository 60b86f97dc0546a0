#include "etwc_status.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const status_names[] = {
#define STATUS_NAME(name, text) #name,
    ETWC_STATUS_LIST(STATUS_NAME)
#undef STATUS_NAME
};

static const char *const status_texts[] = {
#define STATUS_TEXT(name, text) text,
    ETWC_STATUS_LIST(STATUS_TEXT)
#undef STATUS_TEXT
};

const char *
etwc_status_name(etwc_status status)
{
    return (size_t)status < ETWC_ARRAY_SIZE(status_names) ? status_names[status]
                                                          : "UNKNOWN";
}

const char *
etwc_status_text(etwc_status status)
{
    return (size_t)status < ETWC_ARRAY_SIZE(status_texts) ? status_texts[status]
                                                          : "unknown status";
}

static void
error_reset(etwc_error *err, etwc_status status, const char *where)
{
    err->status = status;
    err->os_code = 0;
    err->offset = -1;
    err->file_index = 0;
    err->where = where;
    err->detail[0] = '\0';
}

etwc_status
etwc_fail(etwc_error *err, etwc_status status, const char *where)
{
    if (err != NULL)
        error_reset(err, status, where);
    return status;
}

etwc_status
etwc_fail_at(etwc_error *err, etwc_status status, const char *where, int64_t offset,
             const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        error_reset(err, status, where);
        err->offset = offset;
        va_start(args, format);
        (void)vsnprintf(err->detail, sizeof err->detail, format, args);
        va_end(args);
    }
    return status;
}

etwc_status
etwc_fail_os(etwc_error *err, const char *where, int os_code)
{
    if (err != NULL) {
        error_reset(err, ETWC_E_IO, where);
        err->os_code = os_code;
    }
    return ETWC_E_IO;
}
