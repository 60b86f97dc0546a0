/*
 * A byte source: something of a known size that can be read by position. The
 * trace reader knows no other kind of input.
 *
 * The size is taken once, when the source is made. Reads of one source may
 * come from several threads at once.
 */
#ifndef ETWC_SOURCE_H
#define ETWC_SOURCE_H

#include "etwc_status.h"

typedef struct etwc_source {
    uint64_t size;
    /* Reads up to n bytes at offset; *out_read is below n only when the input
     * ends there. Failing with E_CALLBACK means that the caller's own error is
     * pending elsewhere (a Python exception). */
    etwc_status (*read_at)(void *context, uint64_t offset, void *dst, size_t n,
                           size_t *out_read, etwc_error *err);
    void (*close)(void *context); /* may be NULL */
    void *context;                /* owned by the source */
} etwc_source;

/* A file of the operating system. See etwc_os_file_open for the path. */
ETWC_NODISCARD etwc_status etwc_source_open_file(const char *path, etwc_source *out,
                                                 etwc_error *err);
/* Bytes that the caller keeps alive and unchanged until the source is closed. */
void etwc_source_from_memory(const void *bytes, size_t size, etwc_source *out);

/* Reads exactly n bytes or fails: E_TRUNCATED with the offset when the input
 * ends early although its size said otherwise. */
ETWC_NODISCARD etwc_status etwc_source_read(const etwc_source *source, uint64_t offset,
                                            void *dst, size_t n, etwc_error *err);
void etwc_source_close(etwc_source *source); /* idempotent */

#endif
