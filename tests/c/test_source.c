/* Byte sources, and the files of the operating system beneath them. */
#include "harness.h"

#include "etwc_os.h"
#include "etwc_source.h"

static const uint8_t content[] = "0123456789abcdef";

enum { CONTENT_BYTES = 16 };

static void
write_file(const char *path, const void *bytes, size_t n, uint64_t offset)
{
    etwc_os_file *file;
    CHECK_OK(etwc_os_file_create(path, &file, NULL));
    CHECK_OK(etwc_os_file_write_at(file, offset, bytes, n, NULL));
    etwc_os_file_close(file);
}

TEST(a_file_is_read_by_position)
{
    char path[512];
    uint8_t got[8];
    etwc_source source;
    write_file(harness_temp_path("source.bin", path, sizeof path), content,
               CONTENT_BYTES, 0);
    CHECK_OK(etwc_source_open_file(path, &source, NULL));
    CHECK_EQ_U64(source.size, 16);
    CHECK_OK(etwc_source_read(&source, 10, got, 6, NULL));
    CHECK_EQ_MEM(got, "abcdef", 6);
    CHECK_OK(etwc_source_read(&source, 0, got, 8, NULL));
    CHECK_EQ_MEM(got, "01234567", 8);
    CHECK_OK(etwc_source_read(&source, 16, got, 0, NULL));
    etwc_source_close(&source);
    etwc_source_close(&source);
    CHECK_EQ_U64(source.size, 0);
}

TEST(positions_beyond_four_gigabytes_work)
{
    char path[512];
    uint8_t got[4];
    uint64_t offset = UINT64_C(0x100000003);
    etwc_source source;
    write_file(harness_temp_path("sparse.bin", path, sizeof path), "tail", 4, offset);
    CHECK_OK(etwc_source_open_file(path, &source, NULL));
    CHECK_EQ_U64(source.size, offset + 4);
    CHECK_OK(etwc_source_read(&source, offset, got, 4, NULL));
    CHECK_EQ_MEM(got, "tail", 4);
    CHECK_OK(etwc_source_read(&source, 3, got, 4, NULL));
    CHECK_EQ_MEM(got, "\0\0\0\0", 4);
    etwc_source_close(&source);
    write_file(path, "", 0, 0);
}

TEST(memory_is_a_source_too)
{
    uint8_t got[4];
    etwc_source source;
    etwc_source_from_memory(content, CONTENT_BYTES, &source);
    CHECK_EQ_U64(source.size, 16);
    CHECK_OK(etwc_source_read(&source, 12, got, 4, NULL));
    CHECK_EQ_MEM(got, "cdef", 4);
    etwc_source_close(&source);
}

TEST(an_empty_source_has_nothing_to_copy)
{
    etwc_source source;
    uint8_t byte = 7;
    etwc_source_from_memory(NULL, 0, &source);
    CHECK_OK(etwc_source_read(&source, 0, &byte, 0, NULL));
    CHECK_STATUS(etwc_source_read(&source, 0, &byte, 1, NULL), ETWC_E_INVALID);
    CHECK_EQ_U64(byte, 7);
    etwc_source_close(&source);
}

TEST(reads_past_the_size_are_refused)
{
    uint8_t got[4];
    etwc_error err;
    etwc_source source;
    etwc_source_from_memory(content, CONTENT_BYTES, &source);
    CHECK_STATUS(etwc_source_read(&source, 13, got, 4, &err), ETWC_E_INVALID);
    CHECK_EQ_I64(err.offset, 13);
    CHECK_STATUS(etwc_source_read(&source, 17, got, 0, NULL), ETWC_E_INVALID);
    CHECK_STATUS(etwc_source_read(&source, UINT64_MAX - 1, got, 4, NULL),
                 ETWC_E_INVALID);
    CHECK_STATUS(etwc_source_read(&source, 1, got, SIZE_MAX, NULL), ETWC_E_INVALID);
}

TEST(a_file_that_became_shorter_says_where)
{
    char path[512];
    uint8_t got[16];
    etwc_error err;
    etwc_source source;
    write_file(harness_temp_path("shrinks.bin", path, sizeof path), content,
               CONTENT_BYTES, 0);
    CHECK_OK(etwc_source_open_file(path, &source, NULL));
    write_file(path, content, 5, 0);
    CHECK_STATUS(etwc_source_read(&source, 2, got, 8, &err), ETWC_E_TRUNCATED);
    CHECK_EQ_I64(err.offset, 5);
    CHECK_STATUS(etwc_source_read(&source, 8, got, 8, &err), ETWC_E_TRUNCATED);
    CHECK_EQ_I64(err.offset, 8);
    CHECK_OK(etwc_source_read(&source, 1, got, 4, NULL));
    CHECK_EQ_MEM(got, "1234", 4);
    etwc_source_close(&source);
}

static etwc_status
failing_read(void *context, uint64_t offset, void *dst, size_t n, size_t *out_read,
             etwc_error *err)
{
    (void)offset, (void)dst, (void)n, (void)out_read;
    return etwc_fail_os(err, "failing", *(int *)context);
}

TEST(a_failed_read_gets_its_offset)
{
    int code = 5;
    uint8_t got[4];
    etwc_error err;
    etwc_source source = {100, failing_read, NULL, &code};
    CHECK_STATUS(etwc_source_read(&source, 42, got, 4, &err), ETWC_E_IO);
    CHECK_EQ_I64(err.os_code, 5);
    CHECK_EQ_I64(err.offset, 42);
    etwc_source_close(&source);
}

TEST(what_cannot_be_opened_carries_the_code_of_the_system)
{
    char path[512];
    etwc_error err;
    etwc_source source;
    CHECK_STATUS(etwc_source_open_file(harness_temp_path("nowhere", path, sizeof path),
                                       &source, &err),
                 ETWC_E_IO);
    CHECK_EQ_I64(err.os_code, 2); /* ENOENT and ERROR_FILE_NOT_FOUND alike */
    harness_temp_path("", path, sizeof path);
    CHECK_STATUS(etwc_source_open_file(path, &source, &err), ETWC_E_IO);
    CHECK(err.os_code != 0);
}

TEST(open_and_create_survive_every_allocation_fault)
{
    char path[512];
    harness_temp_path("faults.bin", path, sizeof path);
    FOR_EACH_ALLOC_FAULT () {
        etwc_os_file *file = NULL;
        etwc_status st = etwc_os_file_create(path, &file, NULL);
        CHECK_STATUS(st, ALLOC_FAULT_HIT() ? ETWC_E_NOMEM : ETWC_OK);
        CHECK((file != NULL) == (st == ETWC_OK));
        etwc_os_file_close(file);
    }
    FOR_EACH_ALLOC_FAULT () {
        etwc_source source = {0, NULL, NULL, NULL};
        etwc_status st = etwc_source_open_file(path, &source, NULL);
        CHECK_STATUS(st, ALLOC_FAULT_HIT() ? ETWC_E_NOMEM : ETWC_OK);
        etwc_source_close(&source);
    }
}

TEST(mutexes_can_be_made_locked_and_freed)
{
    FOR_EACH_ALLOC_FAULT () {
        etwc_os_mutex *mutex = etwc_os_mutex_new();
        CHECK((mutex == NULL) == ALLOC_FAULT_HIT());
        if (mutex == NULL)
            continue;
        etwc_os_mutex_lock(mutex);
        etwc_os_mutex_unlock(mutex);
        etwc_os_mutex_free(mutex);
    }
    etwc_os_mutex_free(NULL);
}

HARNESS_MAIN
