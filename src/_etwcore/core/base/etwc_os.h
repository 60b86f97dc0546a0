/*
 * SEAM 1: what the core asks of the operating system. One folder under
 * platform/ answers it for each system; nobody else includes system headers.
 */
#ifndef ETWC_OS_H
#define ETWC_OS_H

#include "etwc_status.h"

/* ---- Files, by position --------------------------------------------------- */

typedef struct etwc_os_file etwc_os_file;

/* Paths are the file system's bytes on POSIX and UTF-8 (WTF-8, see etwc_text.h)
 * on Windows, terminated by a zero. On success *out is owned; close it with etwc_os_file_close. A
 * directory is refused. E_IO carries the system's code. */
ETWC_NODISCARD etwc_status etwc_os_file_open(const char *path, etwc_os_file **out,
                                             etwc_error *err);
/* Creates or truncates a file for writing. */
ETWC_NODISCARD etwc_status etwc_os_file_create(const char *path, etwc_os_file **out,
                                               etwc_error *err);
void etwc_os_file_close(etwc_os_file *file); /* accepts NULL */
ETWC_NODISCARD etwc_status etwc_os_file_size(etwc_os_file *file, uint64_t *out,
                                             etwc_error *err);
/* Reads up to n bytes at offset; *out_read is below n only at the end of the
 * file. Does not move a position: any thread may call it. Blocks on the disk. */
ETWC_NODISCARD etwc_status etwc_os_file_read_at(etwc_os_file *file, uint64_t offset,
                                                void *dst, size_t n, size_t *out_read,
                                                etwc_error *err);
/* Writes all n bytes at offset, or fails. */
ETWC_NODISCARD etwc_status etwc_os_file_write_at(etwc_os_file *file, uint64_t offset,
                                                 const void *src, size_t n,
                                                 etwc_error *err);

/* ---- Mutex ---------------------------------------------------------------- */

typedef struct etwc_os_mutex etwc_os_mutex;

ETWC_NODISCARD etwc_os_mutex *etwc_os_mutex_new(void); /* NULL: out of memory */
void etwc_os_mutex_free(etwc_os_mutex *mutex);         /* accepts NULL */
void etwc_os_mutex_lock(etwc_os_mutex *mutex);
void etwc_os_mutex_unlock(etwc_os_mutex *mutex);

#endif
