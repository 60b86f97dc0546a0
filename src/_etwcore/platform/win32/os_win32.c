/*
 * Seam 1 for Windows: files by overlapped offsets on synchronous handles, slim
 * reader/writer locks as mutexes. Paths are UTF-8 and go to the wide functions;
 * long ones are made absolute and get the \\?\ prefix, which lifts the limit of 260
 * units.
 * https://learn.microsoft.com/windows/win32/api/fileapi/nf-fileapi-readfile
 */
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0601
#endif

#include "etwc_os.h"

#include <windows.h>

#include "etwc_alloc.h"
#include "etwc_text.h"

/* One call moves at most this much: sizes of ReadFile are 32 bits wide. */
#define MAX_TRANSFER ((size_t)1 << 30)

/* "An operation is not supported on a directory"; not in mingw's headers. */
#define CODE_DIRECTORY_NOT_SUPPORTED 336

struct etwc_os_file {
    HANDLE handle;
};

static int
last_error(void)
{
    return (int)GetLastError();
}

/* ---- Paths ------------------------------------------------------------------ */

enum { LONG_PATH_UNITS = 240, PREFIX_UNITS = 8 };

static bool
is_separator(wchar_t c)
{
    return c == L'\\' || c == L'/';
}

static bool
is_device_path(const wchar_t *path)
{
    return is_separator(path[0]) && is_separator(path[1]) &&
           (path[2] == L'?' || path[2] == L'.');
}

/* Lifts the length limit of a path by a prefix. Behind it Windows takes a path as it
 * stands, so the path is made absolute first, without "." and ".." and with
 * backslashes. *path is owned, and replaced. */
static etwc_status
lengthen(wchar_t **path, const char *where, etwc_error *err)
{
    DWORD room = GetFullPathNameW(*path, 0, NULL, NULL); /* with the terminator */
    if (room == 0)
        return etwc_fail_os(err, where, last_error());
    wchar_t *wide = etwc_malloc(((size_t)room + PREFIX_UNITS) * sizeof *wide);
    if (wide == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, where);
    wchar_t *full = wide + PREFIX_UNITS;
    DWORD units = GetFullPathNameW(*path, room, full, NULL);
    if (units == 0 || units >= room) { /* the current folder was changed meanwhile */
        int code = units == 0 ? last_error() : ERROR_BUFFER_OVERFLOW;
        etwc_free(wide);
        return etwc_fail_os(err, where, code);
    }
    bool is_share = is_separator(full[0]) && is_separator(full[1]);
    const wchar_t *prefix = is_share ? L"\\\\?\\UNC\\" : L"\\\\?\\";
    size_t replaced = is_share ? 2 : 0;
    size_t prefix_units = wcslen(prefix);
    memmove(wide + prefix_units, full + replaced,
            ((size_t)units + 1 - replaced) * sizeof *wide);
    memcpy(wide, prefix, prefix_units * sizeof *wide);
    etwc_free(*path);
    *path = wide;
    return ETWC_OK;
}

/* Owned; free with etwc_free. */
static etwc_status
path_to_wide(const char *path, const char *where, wchar_t **out, etwc_error *err)
{
    size_t length = strlen(path) + 1; /* no text has more units than bytes */
    wchar_t *wide = etwc_malloc(length * sizeof *wide);
    if (wide == NULL)
        return etwc_fail(err, ETWC_E_NOMEM, where);
    size_t units;
    /* Not MultiByteToWideChar: file names may hold lone surrogates, which it
     * refuses and Python passes on. */
    if (!etwc_text_to_utf16(path, length, wide, &units)) {
        etwc_free(wide);
        return etwc_fail_os(err, where, ERROR_NO_UNICODE_TRANSLATION);
    }
    /* A short one counts with the current folder before it. */
    if (!is_device_path(wide) &&
        GetFullPathNameW(wide, 0, NULL, NULL) >= LONG_PATH_UNITS) {
        etwc_status st = lengthen(&wide, where, err);
        if (st != ETWC_OK) {
            etwc_free(wide);
            return st;
        }
    }
    *out = wide;
    return ETWC_OK;
}

/* ---- Files ------------------------------------------------------------------ */

static etwc_status
file_open(const char *path, const char *where, DWORD access, DWORD creation,
          etwc_os_file **out, etwc_error *err)
{
    wchar_t *wide = NULL;
    etwc_status st = path_to_wide(path, where, &wide, err);
    if (st != ETWC_OK)
        return st;
    /* A session may still be writing the file, and its owner may delete it. */
    DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    HANDLE handle =
        CreateFileW(wide, access, share, NULL, creation, FILE_ATTRIBUTE_NORMAL, NULL);
    int code = last_error();
    DWORD attributes = handle == INVALID_HANDLE_VALUE ? GetFileAttributesW(wide)
                                                      : FILE_ATTRIBUTE_NORMAL;
    etwc_free(wide);
    if (handle == INVALID_HANDLE_VALUE) {
        /* A directory is refused as "access denied": say what is the matter. */
        bool is_folder = attributes != INVALID_FILE_ATTRIBUTES &&
                         (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
        return etwc_fail_os(err, where,
                            is_folder ? CODE_DIRECTORY_NOT_SUPPORTED : code);
    }
    etwc_os_file *file = etwc_malloc(sizeof *file);
    if (file == NULL) {
        (void)CloseHandle(handle);
        return etwc_fail(err, ETWC_E_NOMEM, where);
    }
    file->handle = handle;
    *out = file;
    return ETWC_OK;
}

etwc_status
etwc_os_file_open(const char *path, etwc_os_file **out, etwc_error *err)
{
    return file_open(path, "CreateFileW", GENERIC_READ, OPEN_EXISTING, out, err);
}

etwc_status
etwc_os_file_create(const char *path, etwc_os_file **out, etwc_error *err)
{
    return file_open(path, "CreateFileW", GENERIC_READ | GENERIC_WRITE, CREATE_ALWAYS,
                     out, err);
}

void
etwc_os_file_close(etwc_os_file *file)
{
    if (file == NULL)
        return;
    (void)CloseHandle(file->handle);
    etwc_free(file);
}

etwc_status
etwc_os_file_size(etwc_os_file *file, uint64_t *out, etwc_error *err)
{
    LARGE_INTEGER size;
    if (!GetFileSizeEx(file->handle, &size))
        return etwc_fail_os(err, "GetFileSizeEx", last_error());
    *out = size.QuadPart < 0 ? 0 : (uint64_t)size.QuadPart;
    return ETWC_OK;
}

/* On a synchronous handle an OVERLAPPED is only the position of this call; the
 * handle's own position moves too, but nothing here uses it. */
static OVERLAPPED
position(uint64_t offset)
{
    OVERLAPPED at = {0};
    at.Offset = (DWORD)offset;
    at.OffsetHigh = (DWORD)(offset >> 32);
    return at;
}

etwc_status
etwc_os_file_read_at(etwc_os_file *file, uint64_t offset, void *dst, size_t n,
                     size_t *out_read, etwc_error *err)
{
    size_t done = 0;
    while (done < n) {
        size_t part = n - done < MAX_TRANSFER ? n - done : MAX_TRANSFER;
        OVERLAPPED at = position(offset + done);
        DWORD got = 0;
        if (!ReadFile(file->handle, (uint8_t *)dst + done, (DWORD)part, &got, &at)) {
            int code = last_error();
            if (code == ERROR_HANDLE_EOF)
                break;
            return etwc_fail_os(err, "ReadFile", code);
        }
        if (got == 0)
            break;
        done += got;
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
        OVERLAPPED at = position(offset + done);
        DWORD put = 0;
        if (!WriteFile(file->handle, (const uint8_t *)src + done, (DWORD)part, &put,
                       &at))
            return etwc_fail_os(err, "WriteFile", last_error());
        if (put == 0)
            return etwc_fail_os(err, "WriteFile", ERROR_WRITE_FAULT);
        done += put;
    }
    return ETWC_OK;
}

/* ---- Mutex ------------------------------------------------------------------ */

struct etwc_os_mutex {
    SRWLOCK lock;
};

etwc_os_mutex *
etwc_os_mutex_new(void)
{
    etwc_os_mutex *mutex = etwc_malloc(sizeof *mutex);
    if (mutex != NULL)
        InitializeSRWLock(&mutex->lock);
    return mutex;
}

void
etwc_os_mutex_free(etwc_os_mutex *mutex)
{
    etwc_free(mutex);
}

void
etwc_os_mutex_lock(etwc_os_mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->lock);
}

void
etwc_os_mutex_unlock(etwc_os_mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->lock);
}
