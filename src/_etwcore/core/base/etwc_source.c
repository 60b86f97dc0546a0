#include "etwc_source.h"

#include "etwc_os.h"

static etwc_status
file_read_at(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
             etwc_error *err)
{
    return etwc_os_file_read_at(context, offset, dst, n, out_read, err);
}

static void
file_close(void *context)
{
    etwc_os_file_close(context);
}

etwc_status
etwc_source_open_file(const char *path, etwc_source *out, etwc_error *err)
{
    etwc_os_file *file;
    etwc_status st = etwc_os_file_open(path, &file, err);
    if (st != ETWC_OK)
        return st;
    uint64_t size;
    st = etwc_os_file_size(file, &size, err);
    if (st != ETWC_OK) {
        etwc_os_file_close(file);
        return st;
    }
    *out = (etwc_source){size, file_read_at, file_close, file};
    return ETWC_OK;
}

/* The context is the first byte; etwc_source_read keeps reads inside the size. */
static etwc_status
memory_read_at(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
               etwc_error *err)
{
    (void)err;
    memcpy(dst, (const uint8_t *)context + offset, n);
    *out_read = n;
    return ETWC_OK;
}

void
etwc_source_from_memory(const void *bytes, size_t size, etwc_source *out)
{
    union {
        const void *in;
        void *out;
    } unconst = {bytes};
    *out = (etwc_source){size, memory_read_at, NULL, unconst.out};
}

etwc_status
etwc_source_read(const etwc_source *source, uint64_t offset, void *dst, size_t n,
                 etwc_error *err)
{
    if (offset > source->size || n > source->size - offset)
        return etwc_fail_at(err, ETWC_E_INVALID, "source.read", (int64_t)offset,
                            "%zu bytes are wanted past the end", n);
    if (n == 0) /* the memory of an empty source may be NULL, which has no copy */
        return ETWC_OK;
    size_t got = 0;
    etwc_status st = source->read_at(source->context, offset, dst, n, &got, err);
    if (st != ETWC_OK) {
        if (err != NULL && err->offset < 0)
            err->offset = (int64_t)offset;
        return st;
    }
    if (got < n)
        return etwc_fail_at(
            err, ETWC_E_TRUNCATED, "source.read", (int64_t)(offset + got),
            "it had %llu bytes when it was opened", (unsigned long long)source->size);
    return ETWC_OK;
}

void
etwc_source_close(etwc_source *source)
{
    if (source->close != NULL)
        source->close(source->context);
    *source = (etwc_source){0, NULL, NULL, NULL};
}
