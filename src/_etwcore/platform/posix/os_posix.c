/*
 * Seam 1 for POSIX systems: files by pread/pwrite, pthread mutexes.
 * https://pubs.opengroup.org/onlinepubs/9699919799/functions/pread.html
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "etwc_os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "etwc_alloc.h"

/* One system call moves at most this much: some kernels refuse more. */
#define MAX_TRANSFER ((size_t)1 << 30)

struct etwc_os_file {
    int fd;
};

static etwc_status
file_new(int fd, const char *where, etwc_os_file **out, etwc_error *err)
{
    if (fd < 0)
        return etwc_fail_os(err, where, errno);
    etwc_os_file *file = etwc_malloc(sizeof *file);
    if (file == NULL) {
        (void)close(fd);
        return etwc_fail(err, ETWC_E_NOMEM, where);
    }
    file->fd = fd;
    *out = file;
    return ETWC_OK;
}

etwc_status
etwc_os_file_open(const char *path, etwc_os_file **out, etwc_error *err)
{
    struct stat info;
    /* Without O_NONBLOCK the open of a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &info) != 0) {
        int code = errno;
        (void)close(fd);
        return etwc_fail_os(err, "open", code);
    }
    if (fd >= 0 && S_ISDIR(info.st_mode)) {
        (void)close(fd);
        return etwc_fail_os(err, "open", EISDIR);
    }
    return file_new(fd, "open", out, err);
}

etwc_status
etwc_os_file_create(const char *path, etwc_os_file **out, etwc_error *err)
{
    return file_new(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), "create",
                    out, err);
}

void
etwc_os_file_close(etwc_os_file *file)
{
    if (file == NULL)
        return;
    (void)close(file->fd);
    etwc_free(file);
}

etwc_status
etwc_os_file_size(etwc_os_file *file, uint64_t *out, etwc_error *err)
{
    struct stat info;
    if (fstat(file->fd, &info) != 0)
        return etwc_fail_os(err, "fstat", errno);
    *out = info.st_size < 0 ? 0 : (uint64_t)info.st_size;
    return ETWC_OK;
}

etwc_status
etwc_os_file_read_at(etwc_os_file *file, uint64_t offset, void *dst, size_t n,
                     size_t *out_read, etwc_error *err)
{
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < MAX_TRANSFER ? n - done : MAX_TRANSFER;
        ssize_t got =
            pread(file->fd, (uint8_t *)dst + done, part, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return etwc_fail_os(err, "pread", errno);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_read = done;
    return ETWC_OK;
}

etwc_status
etwc_os_file_write_at(etwc_os_file *file, uint64_t offset, const void *src, size_t n,
                      etwc_error *err)
{
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < MAX_TRANSFER ? n - done : MAX_TRANSFER;
        ssize_t put =
            pwrite(file->fd, (const uint8_t *)src + done, part, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return etwc_fail_os(err, "pwrite", put < 0 ? errno : EIO);
        done += (size_t)put;
    }
    return ETWC_OK;
}

struct etwc_os_mutex {
    pthread_mutex_t handle;
};

etwc_os_mutex *
etwc_os_mutex_new(void)
{
    etwc_os_mutex *mutex = etwc_malloc(sizeof *mutex);
    if (mutex != NULL && pthread_mutex_init(&mutex->handle, NULL) != 0) {
        etwc_free(mutex);
        mutex = NULL;
    }
    return mutex;
}

void
etwc_os_mutex_free(etwc_os_mutex *mutex)
{
    if (mutex == NULL)
        return;
    (void)pthread_mutex_destroy(&mutex->handle);
    etwc_free(mutex);
}

void
etwc_os_mutex_lock(etwc_os_mutex *mutex)
{
    (void)pthread_mutex_lock(&mutex->handle);
}

void
etwc_os_mutex_unlock(etwc_os_mutex *mutex)
{
    (void)pthread_mutex_unlock(&mutex->handle);
}
