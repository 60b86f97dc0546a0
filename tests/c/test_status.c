/* Status codes and errors. */
#include "harness.h"

TEST(every_status_has_a_name_and_a_text_of_its_own)
{
    for (int i = 0; i < ETWC_STATUS_COUNT; i++) {
        const char *name = etwc_status_name((etwc_status)i);
        const char *text = etwc_status_text((etwc_status)i);
        CHECK(strlen(name) > 1 && strlen(text) > 3);
        for (int k = 0; k < i; k++) {
            CHECK(strcmp(name, etwc_status_name((etwc_status)k)) != 0);
            CHECK(strcmp(text, etwc_status_text((etwc_status)k)) != 0);
        }
    }
    CHECK_EQ_STR(etwc_status_name(ETWC_OK), "OK");
    CHECK_EQ_STR(etwc_status_name(ETWC_E_CORRUPT), "E_CORRUPT");
    CHECK_EQ_STR(etwc_status_text(ETWC_E_NOT_TRACE), "not an ETW trace file");
}

TEST(what_is_no_status_has_a_name_too)
{
    CHECK_EQ_STR(etwc_status_name(ETWC_STATUS_COUNT), "UNKNOWN");
    CHECK_EQ_STR(etwc_status_text((etwc_status)10000), "unknown status");
}

TEST(fail_fills_the_whole_error)
{
    etwc_error err;
    memset(&err, 0x55, sizeof err);
    CHECK_STATUS(etwc_fail(&err, ETWC_E_STATE, "here"), ETWC_E_STATE);
    CHECK_STATUS(err.status, ETWC_E_STATE);
    CHECK_EQ_I64(err.offset, -1);
    CHECK_EQ_I64(err.os_code, 0);
    CHECK_EQ_STR(err.where, "here");
    CHECK_EQ_STR(err.detail, "");
}

TEST(fail_at_formats_and_cuts_the_detail)
{
    etwc_error err;
    CHECK_STATUS(
        etwc_fail_at(&err, ETWC_E_CORRUPT, "there", 77, "%u of %s", 3u, "four"),
        ETWC_E_CORRUPT);
    CHECK_EQ_I64(err.offset, 77);
    CHECK_EQ_STR(err.detail, "3 of four");
    char longer[400];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_STATUS(etwc_fail_at(&err, ETWC_E_CORRUPT, "there", 1, "%s", longer),
                 ETWC_E_CORRUPT);
    CHECK_EQ_U64(strlen(err.detail), sizeof err.detail - 1);
}

TEST(fail_os_keeps_the_code_of_the_system)
{
    etwc_error err;
    CHECK_STATUS(etwc_fail_os(&err, "open", 13), ETWC_E_IO);
    CHECK_STATUS(err.status, ETWC_E_IO);
    CHECK_EQ_I64(err.os_code, 13);
    CHECK_EQ_I64(err.offset, -1);
}

TEST(nobody_needs_to_want_the_error)
{
    CHECK_STATUS(etwc_fail(NULL, ETWC_E_NOMEM, "x"), ETWC_E_NOMEM);
    CHECK_STATUS(etwc_fail_at(NULL, ETWC_E_LIMIT, "x", 0, "%d", 1), ETWC_E_LIMIT);
    CHECK_STATUS(etwc_fail_os(NULL, "x", 2), ETWC_E_IO);
}

HARNESS_MAIN
