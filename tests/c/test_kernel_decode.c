/* Typed records of kernel payloads, built from the tables of the document. */
#include "harness.h"

#include "etwc_kernel.h"
#include "payload.h"

static const uint8_t pointer_sizes[] = {4, 8};
#define FOR_EACH_POINTER_SIZE(p)                                                  \
    for (size_t size_index = 0; size_index < 2; size_index++)                     \
        for (payload p = {.pointer_size = pointer_sizes[size_index]}, *once = &p; \
             once != NULL; once = NULL)

static etwc_completeness
decode(const payload *p, uint8_t kernel_class, uint8_t opcode, uint8_t version,
       etwc_kernel_record *out)
{
    etwc_event event = event_of(p, kernel_class, opcode, version);
    memset(out, 0xEE, sizeof *out); /* what was there before must not matter */
    return etwc_kernel_decode(&event, out);
}

static etwc_span
wide(const char *text, uint8_t *buffer)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        buffer[n++] = (uint8_t)*text;
        buffer[n++] = 0;
    }
    return (etwc_span){buffer, n};
}

static void
check_text16(etwc_span found, const char *expected)
{
    uint8_t buffer[256];
    etwc_span text = wide(expected, buffer);
    CHECK_EQ_U64(found.len, text.len);
    CHECK(found.len == 0 || memcmp(found.ptr, text.ptr, text.len) == 0);
}

/* ---- Scheduling ------------------------------------------------------------ */

static void
put_cswitch(payload *p, uint8_t byte_10, uint8_t byte_13)
{
    put(p, 101, 4);
    put(p, 102, 4);
    put(p, 9, 1);
    put(p, 8, 1);
    put(p, byte_10, 1);
    put(p, 0, 1);
    put(p, 31, 1);
    put(p, byte_13, 1);
    put(p, 1, 1);
    put(p, 3, 1);
}

TEST(cswitch_of_windows_xp_has_no_wait_time)
{
    payload p = {.pointer_size = 4};
    etwc_kernel_record r;
    put_cswitch(&p, 6, 1);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 1, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_CSWITCH);
    CHECK_EQ_U64(r.u.cswitch.new_thread_id, 101);
    CHECK_EQ_U64(r.u.cswitch.old_thread_id, 102);
    CHECK_EQ_I64(r.u.cswitch.new_priority, 9);
    CHECK_EQ_I64(r.u.cswitch.old_priority, 8);
    CHECK_EQ_U64(r.u.cswitch.old_wait_reason, 31);
    CHECK_EQ_U64(r.u.cswitch.old_wait_mode, 1);
    CHECK_EQ_U64(r.u.cswitch.old_state, 1);
    CHECK_EQ_U64(r.u.cswitch.new_wait_ticks, 0);
    CHECK_EQ_U64(r.u.cswitch.previous_c_state, 0); /* byte 10 is a quantum there */
}

TEST(cswitch_since_vista_has_wait_time_and_c_state)
{
    for (uint8_t version = 2; version <= 4; version++) {
        payload p = {.pointer_size = 8};
        etwc_kernel_record r;
        put_cswitch(&p, 2, version == 2 ? 1 : 0x2B); /* flags since version 3 */
        put(&p, 77, 4);
        put(&p, 0xFFFFFFF0, 4);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, version, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.u.cswitch.new_thread_id, 101);
        CHECK_EQ_U64(r.u.cswitch.previous_c_state, 2);
        CHECK_EQ_U64(r.u.cswitch.old_wait_mode, 1);
        CHECK_EQ_U64(r.u.cswitch.old_state, 1);
        CHECK_EQ_U64(r.u.cswitch.new_wait_ticks, 77);
    }
}

TEST(cswitch_that_is_cut_before_the_state_gives_no_record)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_cswitch(&p, 2, 0);
    p.size = 14;
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 4, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
    p.size = 15; /* the state is there, the wait time is not */
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 4, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_CSWITCH);
    CHECK_EQ_U64(r.u.cswitch.old_state, 1);
    CHECK_EQ_U64(r.u.cswitch.new_wait_ticks, 0);
}

TEST(newer_version_gives_the_known_part)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_cswitch(&p, 2, 1);
    put(&p, 77, 4);
    put(&p, 0, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 5, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.u.cswitch.new_wait_ticks, 77);
    put(&p, 1234, 8);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 5, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.u.cswitch.new_wait_ticks, 77);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 4, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_CSWITCH);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 36, 0, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
}

TEST(cswitch_batch_gives_its_tables_and_packets)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 123456789, 8);
    for (unsigned i = 0; i < 16; i++)
        put(&p, 1000 + i, 4);
    for (unsigned i = 0; i < 16; i++)
        put(&p, 8, 1);
    CHECK_EQ_U64(p.size, 88);
    put(&p, 0xABCC, 2);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 37, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_CSWITCH_BATCH);
    CHECK_EQ_I64(r.u.cswitch_batch.first_raw_time, 123456789);
    CHECK_EQ_U64(r.u.cswitch_batch.thread_ids.len, 64);
    CHECK_EQ_U64(etwc_load_u32(r.u.cswitch_batch.thread_ids.ptr + 60), 1015);
    CHECK_EQ_U64(r.u.cswitch_batch.base_priorities.len, 16);
    CHECK_EQ_U64(r.u.cswitch_batch.packets.len, 2);
    CHECK(r.u.cswitch_batch.packets.ptr == p.bytes + 88);
}

TEST(ready_priority_and_affinity)
{
    payload ready = {.pointer_size = 8}, priority = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&ready, 7, 4);
    put(&ready, 1, 1);
    put(&ready, 0xFE, 1);
    put(&ready, 8, 1);
    put(&ready, 0, 1);
    CHECK_EQ_U64(decode(&ready, ETWC_CLASS_THREAD, 50, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.u.ready.thread_id, 7);
    CHECK_EQ_I64(r.u.ready.adjust_increment, -2);
    CHECK_EQ_I64(r.u.ready.flag, 8);

    put(&priority, 9, 4);
    put(&priority, 10, 1);
    put(&priority, 12, 1);
    put(&priority, 0x0F, 2);
    CHECK_EQ_U64(decode(&priority, ETWC_CLASS_THREAD, 49, 3, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_PRIORITY);
    CHECK_EQ_U64(r.u.priority.thread_id, 9);
    CHECK_EQ_U64(r.u.priority.old_priority, 10);
    CHECK_EQ_U64(r.u.priority.new_priority, 12);
    CHECK_EQ_U64(r.u.priority.which, 49);

    FOR_EACH_POINTER_SIZE(p)
    {
        put_pointer(&p, 0xFFFF);
        put(&p, 55, 4);
        put(&p, 2, 2);
        put(&p, 0, 2);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 53, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.u.affinity.affinity, 0xFFFF);
        CHECK_EQ_U64(r.u.affinity.thread_id, 55);
        CHECK_EQ_U64(r.u.affinity.group, 2);
    }
}

/* ---- Threads --------------------------------------------------------------- */

TEST(thread_of_version_0_has_its_ids_reversed)
{
    payload p = {.pointer_size = 4};
    etwc_kernel_record r;
    put(&p, 22, 4);
    put(&p, 11, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 1, 0, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_START);
    CHECK_EQ_U64(r.u.thread.process_id, 11);
    CHECK_EQ_U64(r.u.thread.thread_id, 22);
}

TEST(thread_end_of_version_1_is_two_ids)
{
    payload p = {.pointer_size = 4};
    etwc_kernel_record r;
    put(&p, 11, 4);
    put(&p, 22, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 2, 1, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_END);
    CHECK_EQ_U64(r.u.thread.process_id, 11);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 1, 1, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.u.thread.thread_id, 22);
}

static void
put_thread(payload *p, uint64_t fifth_pointer)
{
    put(p, 11, 4);
    put(p, 22, 4);
    for (unsigned i = 0; i < 4; i++)
        put_pointer(p, 0x1000 + i);
    put_pointer(p, fifth_pointer);
    put_pointer(p, 0x2000);
    put_pointer(p, 0x3000);
    put(p, 0x44, 4);
}

TEST(fifth_pointer_of_a_thread_is_an_address_in_version_2_and_affinity_later)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put_thread(&p, 0xF);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 3, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_RUNDOWN_START);
        CHECK_EQ_U64(r.fields & ETWC_HAS_AFFINITY, 0);
        CHECK_EQ_U64(r.u.thread.affinity, 0);
        CHECK_EQ_U64(r.u.thread.win32_start_address, 0x2000);
        CHECK_EQ_U64(r.u.thread.teb_base, 0x3000);
        CHECK_EQ_U64(r.u.thread.sub_process_tag, 0x44);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 4, 3, &r), ETWC_DECODED_PARTIAL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_RUNDOWN_END);
        CHECK_EQ_U64(r.u.thread.affinity, 0xF);
        CHECK_EQ_U64(r.fields, ETWC_HAS_AFFINITY | ETWC_HAS_TAG);
    }
}

TEST(thread_name_came_without_a_new_version)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_thread(&p, 0xF);
    put(&p, 13, 1);
    put(&p, 5, 1);
    put(&p, 2, 1);
    put(&p, 0, 1);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 1, 3, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.u.thread.base_priority, 13);
    CHECK_EQ_U64(r.u.thread.page_priority, 5);
    CHECK_EQ_U64(r.u.thread.io_priority, 2);
    CHECK_EQ_U64(r.fields & ETWC_HAS_NAME, 0);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 1, 4, &r), ETWC_DECODED_PARTIAL);
    put_text16(&p, "worker");
    for (uint8_t version = 3; version <= 4; version++) {
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_THREAD, 1, version, &r), ETWC_DECODED_FULL);
        CHECK(r.fields & ETWC_HAS_NAME);
        check_text16(r.u.thread.name, "worker");
    }
    payload named = {.pointer_size = 8};
    put(&named, 11, 4);
    put(&named, 22, 4);
    put_text16(&named, "x");
    CHECK_EQ_U64(decode(&named, ETWC_CLASS_THREAD, 72, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_NAME);
    CHECK_EQ_U64(r.u.thread.thread_id, 22);
    check_text16(r.u.thread.name, "x");
}

/* ---- Processes ------------------------------------------------------------- */

typedef enum sid_form { SID_NONE, SID_TOKEN, SID_BEHIND_ZERO } sid_form;

static void
put_process_4(payload *p, sid_form form)
{
    put_pointer(p, 0xFFFFE000);
    put(p, 500, 4);
    put(p, 400, 4);
    put(p, 1, 4);
    put(p, 0xC0000005, 4);
    put_pointer(p, 0x1AA000);
    put(p, 2, 4);
    if (form == SID_NONE) {
        put(p, 0, 4);
    } else {
        put_pointer(p, form == SID_TOKEN ? 0xDEAD0001 : 0);
        put_pointer(p, 0);
        put_sid(p);
    }
    put_text8(p, "a.exe");
    put_text16(p, "a.exe -x");
    put_text16(p, "Package");
    put_text16(p, "");
}

TEST(process_with_every_form_of_sid)
{
    for (sid_form form = SID_NONE; form <= SID_BEHIND_ZERO; form++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put_process_4(&p, form);
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 1, 4, &r), ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_START);
            CHECK_EQ_U64(r.u.process.key, 0xFFFFE000);
            CHECK_EQ_U64(r.u.process.process_id, 500);
            CHECK_EQ_U64(r.u.process.parent_id, 400);
            CHECK_EQ_U64(r.u.process.logon_session_id, 1);
            CHECK_EQ_U64(r.u.process.exit_status, 0xC0000005);
            CHECK_EQ_U64(r.u.process.flags, 2);
            CHECK_EQ_U64(r.u.process.user_sid.len, form == SID_NONE ? 0 : 12);
            CHECK_EQ_U64(r.u.process.image_file_name.len, 5);
            check_text16(r.u.process.command_line, "a.exe -x");
            check_text16(r.u.process.package_full_name, "Package");
            check_text16(r.u.process.application_id, "");
            CHECK_EQ_U64(r.fields, ETWC_HAS_KEY | ETWC_HAS_SESSION |
                                       ETWC_HAS_EXIT_STATUS | ETWC_HAS_FLAGS |
                                       ETWC_HAS_COMMAND_LINE | ETWC_HAS_PACKAGE);
        }
    }
}

TEST(process_that_is_cut_keeps_what_is_certain)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_process_4(&p, SID_TOKEN);
    for (size_t size = p.size; size-- > 0;) {
        payload cut = p;
        cut.size = size;
        etwc_completeness found = decode(&cut, ETWC_CLASS_PROCESS, 2, 4, &r);
        CHECK_EQ_U64(found, ETWC_DECODED_PARTIAL);
        CHECK_EQ_U64(r.type, size >= 16 ? ETWC_KERNEL_PROCESS_END : ETWC_KERNEL_NONE);
        if (size < 16)
            continue;
        CHECK_EQ_U64(r.u.process.process_id, 500);
        CHECK_EQ_U64((r.fields & ETWC_HAS_SESSION) != 0, size >= 20);
        CHECK_EQ_U64((r.fields & ETWC_HAS_EXIT_STATUS) != 0, size >= 24);
        CHECK_EQ_U64((r.fields & ETWC_HAS_FLAGS) != 0, size >= 36);
    }
}

TEST(older_processes)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload first = p, second = p;
        put_pointer(&first, 500);
        put_pointer(&first, 400);
        put(&first, 0, 4);
        put_text8(&first, "old.exe");
        CHECK_EQ_U64(decode(&first, ETWC_CLASS_PROCESS, 1, 0, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.u.process.process_id, 500);
        CHECK_EQ_U64(r.u.process.parent_id, 400);
        CHECK_EQ_U64(r.fields, 0);

        put_pointer(&second, 0xFFFFE000);
        put(&second, 500, 4);
        put(&second, 400, 4);
        put(&second, 3, 4);
        put(&second, 259, 4);
        payload third = second;
        put(&second, 0, 4);
        put_text8(&second, "old.exe");
        CHECK_EQ_U64(decode(&second, ETWC_CLASS_PROCESS, 3, 1, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_RUNDOWN_START);
        CHECK_EQ_U64(r.u.process.key, 0); /* a page directory in version 1 */
        CHECK_EQ_U64(r.fields, ETWC_HAS_SESSION | ETWC_HAS_EXIT_STATUS);

        payload without_table = third;
        put_pointer(&third, 0x1AA000);
        for (unsigned version = 2; version <= 3; version++) {
            payload *whole = version == 2 ? &without_table : &third;
            put(whole, 0, 4);
            put_text8(whole, "old.exe");
            put_text16(whole, "old.exe");
            CHECK_EQ_U64(decode(whole, ETWC_CLASS_PROCESS, 4, (uint8_t)version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.u.process.key, 0xFFFFE000);
            CHECK_EQ_U64(r.u.process.exit_status, 259);
            check_text16(r.u.process.command_line, "old.exe");
        }
    }
}

TEST(defunct_has_an_exit_time_and_is_no_end)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_process_4(&p, SID_TOKEN);
    put(&p, UINT64_C(132449999990000000), 8);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 39, 5, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_DEFUNCT);
    CHECK_EQ_I64(r.u.process.exit_filetime, INT64_C(132449999990000000));
    CHECK(r.fields & ETWC_HAS_EXIT_TIME);
}

TEST(counters_are_whole_or_not_there)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put(&p, 500, 4);
        put(&p, 1, 4);
        put(&p, 2, 4);
        put(&p, 0, 4);
        for (unsigned i = 0; i < 11; i++)
            put_pointer(&p, 100 + i);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 33, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_COUNTERS_RUNDOWN);
        CHECK_EQ_U64(r.u.counters.page_fault_count, 1);
        CHECK_EQ_U64(r.u.counters.handle_count, 2);
        CHECK_EQ_U64(r.u.counters.peak_virtual_size, 100);
        CHECK_EQ_U64(r.u.counters.virtual_size, 105);
        CHECK_EQ_U64(r.u.counters.working_set_size, 106);
        CHECK_EQ_U64(r.u.counters.private_page_count, 110);
        p.size--;
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 32, 2, &r), ETWC_DECODED_PARTIAL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
    }
}

/* ---- Images, samples, interrupts ------------------------------------------- */

TEST(image_of_version_0_names_no_process)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload later = p;
        put_pointer(&p, 0x400000);
        put(&p, 0x9000, 4);
        put_text16(&p, "a.dll");
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_IMAGE, 2, 0, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_IMAGE_UNLOAD);
        CHECK_EQ_U64(r.u.image.base, 0x400000);
        CHECK_EQ_U64(r.u.image.size, 0x9000);
        CHECK_EQ_U64(r.fields, ETWC_HAS_NAME);

        put_pointer(&later, 0x400000);
        put_pointer(&later, 0x9000);
        put(&later, 500, 4);
        put(&later, 0xC5, 4);
        put(&later, 0x5F, 4);
        put(&later, 0x0201, 4);
        put_pointer(&later, 0x10000000);
        for (unsigned i = 0; i < 4; i++)
            put(&later, 0, 4);
        put_text16(&later, "a.dll");
        for (uint8_t version = 2; version <= 3; version++) {
            CHECK_EQ_U64(decode(&later, ETWC_CLASS_IMAGE, 10, version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_IMAGE_LOAD);
            CHECK_EQ_U64(r.u.image.process_id, 500);
            CHECK_EQ_U64(r.u.image.checksum, 0xC5);
            CHECK_EQ_U64(r.u.image.time_date_stamp, 0x5F);
            CHECK_EQ_U64(r.u.image.default_base, 0x10000000);
            CHECK_EQ_U64(r.fields,
                         ETWC_HAS_NAME | ETWC_HAS_PROCESS_ID | ETWC_HAS_CHECKSUM);
            check_text16(r.u.image.file_name, "a.dll");
        }
    }
}

TEST(sample_has_flags_since_version_2)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put_pointer(&p, 0x80001234);
        put(&p, 77, 4);
        put(&p, 3, 2);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_PERF_INFO, 46, 1, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.fields, 0);
        CHECK_EQ_U64(r.u.sample.flags, 0);
        put(&p, 0x49, 1);
        put(&p, 0, 1);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_PERF_INFO, 46, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_SAMPLE);
        CHECK_EQ_U64(r.u.sample.instruction_pointer, 0x80001234);
        CHECK_EQ_U64(r.u.sample.thread_id, 77);
        CHECK_EQ_U64(r.u.sample.count, 3);
        CHECK_EQ_U64(r.u.sample.flags, 0x49);
        CHECK_EQ_U64(r.fields, ETWC_HAS_FLAGS);
    }
}

TEST(interrupts_tell_dpc_from_isr)
{
    static const struct {
        uint8_t opcode, version, tail;
        bool is_isr;
    } cases[] = {{66, 1, 0, false}, {68, 2, 0, false}, {69, 2, 0, false},
                 {70, 2, 0, false}, {67, 1, 4, true},  {67, 2, 4, true},
                 {95, 2, 4, true},  {50, 2, 8, true}};
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(cases); i++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 987654321, 8);
            put_pointer(&p, 0x80005555);
            put(&p, 1, cases[i].tail);
            CHECK_EQ_U64(
                decode(&p, ETWC_CLASS_PERF_INFO, cases[i].opcode, cases[i].version, &r),
                ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_INTERRUPT);
            CHECK_EQ_I64(r.u.interrupt.initial_raw_time, 987654321);
            CHECK_EQ_U64(r.u.interrupt.routine, 0x80005555);
            CHECK_EQ_U64(r.u.interrupt.is_isr, cases[i].is_isr);
        }
    }
}

TEST(system_calls_and_intervals)
{
    payload enter = {.pointer_size = 8}, interval = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&enter, 1, 8);
    CHECK_EQ_U64(decode(&enter, ETWC_CLASS_PERF_INFO, 51, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_SYSCALL_ENTER);
    enter.size = 4;
    CHECK_EQ_U64(decode(&enter, ETWC_CLASS_PERF_INFO, 52, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_SYSCALL_EXIT);

    put(&interval, 0, 4);
    put(&interval, 1221, 4);
    put(&interval, 10000, 4);
    CHECK_EQ_U64(decode(&interval, ETWC_CLASS_PERF_INFO, 72, 2, &r), ETWC_DECODED_FULL);
    put_text16(&interval, "Timer");
    CHECK_EQ_U64(decode(&interval, ETWC_CLASS_PERF_INFO, 73, 3, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_SAMPLE_INTERVAL);
    CHECK_EQ_U64(r.u.sample_interval.source, 0);
    CHECK_EQ_U64(r.u.sample_interval.new_interval, 1221);
    CHECK_EQ_U64(r.u.sample_interval.old_interval, 10000);
}

/* ---- Memory ---------------------------------------------------------------- */

TEST(faults_and_allocations)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload hard = p, allocation = p;
        put_pointer(&p, 0x7000);
        put_pointer(&p, 0x8000);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_PAGE_FAULT, 12, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_PAGE_FAULT);
        CHECK_EQ_U64(r.u.page_fault.virtual_address, 0x7000);
        CHECK_EQ_U64(r.u.page_fault.program_counter, 0x8000);
        CHECK_EQ_U64(r.u.page_fault.which, 12);

        put(&hard, 111, 8);
        put(&hard, 222, 8);
        put_pointer(&hard, 0x9000);
        put_pointer(&hard, 0xA000);
        put(&hard, 33, 4);
        put(&hard, 4096, 4);
        CHECK_EQ_U64(decode(&hard, ETWC_CLASS_PAGE_FAULT, 32, 2, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_I64(r.u.hard_fault.initial_raw_time, 111);
        CHECK_EQ_U64(r.u.hard_fault.read_offset, 222);
        CHECK_EQ_U64(r.u.hard_fault.virtual_address, 0x9000);
        CHECK_EQ_U64(r.u.hard_fault.file_object, 0xA000);
        CHECK_EQ_U64(r.u.hard_fault.thread_id, 33);
        CHECK_EQ_U64(r.u.hard_fault.byte_count, 4096);

        put_pointer(&allocation, 0x10000);
        put_pointer(&allocation, 0x2000);
        put(&allocation, 500, 4);
        put(&allocation, 0x3000, 4);
        CHECK_EQ_U64(decode(&allocation, ETWC_CLASS_PAGE_FAULT, 98, 2, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_VIRTUAL_ALLOC);
        CHECK_EQ_U64(r.u.virtual_memory.base, 0x10000);
        CHECK_EQ_U64(r.u.virtual_memory.size, 0x2000);
        CHECK_EQ_U64(r.u.virtual_memory.process_id, 500);
        CHECK_EQ_U64(r.u.virtual_memory.flags, 0x3000);
    }
}

/* The sizes of the document: 20 and 36 bytes an entry, with the store 36 and 68. */
TEST(working_sets_have_the_entry_size_that_explains_the_payload)
{
    for (uint8_t version = 0; version <= 3; version++) {
        for (unsigned pointers = 4; pointers <= 8; pointers += 4) {
            FOR_EACH_POINTER_SIZE(p)
            {
                etwc_kernel_record r;
                put(&p, 3, 4);
                for (unsigned i = 0; i < 3; i++) {
                    put(&p, 500 + i, 4);
                    for (unsigned k = 0; k < pointers; k++)
                        put_pointer(&p, k);
                }
                CHECK_EQ_U64(decode(&p, ETWC_CLASS_PAGE_FAULT, 125, version, &r),
                             ETWC_DECODED_FULL);
                CHECK_EQ_U64(r.type, ETWC_KERNEL_MEMORY_WORKING_SETS);
                CHECK_EQ_U64(r.u.working_sets.count, 3);
                CHECK_EQ_U64(r.u.working_sets.entry_size,
                             4 + pointers * p.pointer_size);
                CHECK_EQ_U64(r.u.working_sets.pointer_size, p.pointer_size);
                CHECK(r.u.working_sets.entries.ptr == p.bytes + 4);
            }
        }
    }
}

TEST(working_sets_with_a_wrong_count_have_no_entry_size)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 0x7FFFFFFF, 4);
    for (unsigned i = 0; i < 72; i++)
        put(&p, 1, 1);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_PAGE_FAULT, 125, 2, &r), ETWC_DECODED_PARTIAL);
    if (r.type != ETWC_KERNEL_NONE)
        CHECK_EQ_U64(r.u.working_sets.entry_size, 0);
}

/* ---- Disk, file, network --------------------------------------------------- */

TEST(disk_transfers_of_every_version)
{
    for (uint8_t version = 0; version <= 3; version++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 1, 4);
            put(&p, 0x60043, 4);
            put(&p, 4096, 4);
            put(&p, 0, 4);
            put(&p, 0x123456789A, 8);
            put_pointer(&p, 0xF11E);
            if (version >= 2)
                put_pointer(&p, 0x1297);
            if (version >= 1)
                put(&p, 9284, 8);
            if (version >= 3)
                put(&p, 44, 4);
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_DISK_IO, 11, version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_DISK_WRITE);
            CHECK_EQ_U64(r.u.disk.disk_number, 1);
            CHECK_EQ_U64(r.u.disk.irp_flags, 0x60043);
            CHECK_EQ_U64(r.u.disk.transfer_size, 4096);
            CHECK_EQ_U64(r.u.disk.byte_offset, 0x123456789A);
            CHECK_EQ_U64(r.u.disk.file_object, 0xF11E);
            CHECK_EQ_U64(r.u.disk.irp, version >= 2 ? 0x1297 : 0);
            CHECK_EQ_U64(r.u.disk.response_ticks, version >= 1 ? 9284 : 0);
            CHECK_EQ_U64(r.u.disk.thread_id, version >= 3 ? 44 : 0);
            unsigned fields = version >= 3 ? ETWC_HAS_THREAD_ID : 0;
            CHECK_EQ_U64(r.fields,
                         fields | (version >= 1 ? ETWC_HAS_RESPONSE_TIME : 0));
        }
    }
}

TEST(disk_flush_has_its_thread_behind_the_irp)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload init = p;
        put(&p, 2, 4);
        put(&p, 0x60000, 4);
        put(&p, 786839, 8);
        put_pointer(&p, 0x1297);
        CHECK_EQ_U64(p.size, 16u + p.pointer_size);
        put(&p, 960, 4);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_DISK_IO, 14, 3, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_DISK_FLUSH);
        CHECK_EQ_U64(r.u.disk.response_ticks, 786839);
        CHECK_EQ_U64(r.u.disk.irp, 0x1297);
        CHECK_EQ_U64(r.u.disk.thread_id, 960);

        put_pointer(&init, 0x1297);
        CHECK_EQ_U64(decode(&init, ETWC_CLASS_DISK_IO, 12, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.fields, 0);
        put(&init, 45, 4);
        CHECK_EQ_U64(decode(&init, ETWC_CLASS_DISK_IO, 15, 3, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_DISK_INIT);
        CHECK_EQ_U64(r.u.disk.irp, 0x1297);
        CHECK_EQ_U64(r.u.disk.thread_id, 45);
    }
}

TEST(file_reads_have_their_thread_in_another_place_since_version_3)
{
    for (uint8_t version = 2; version <= 3; version++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 0x10000, 8);
            put_pointer(&p, 0x1297);
            if (version == 2)
                put_pointer(&p, 45);
            put_pointer(&p, 0x0B1);
            put_pointer(&p, 0x4E1);
            if (version == 3)
                put(&p, 45, 4);
            put(&p, 512, 4);
            put(&p, 0x900, 4);
            for (unsigned extra = 0; extra < version - 1u; extra++) {
                CHECK_EQ_U64(decode(&p, ETWC_CLASS_FILE_IO, 67, version, &r),
                             ETWC_DECODED_FULL);
                CHECK_EQ_U64(r.type, ETWC_KERNEL_FILE_READ);
                CHECK_EQ_U64(r.u.file.offset, 0x10000);
                CHECK_EQ_U64(r.u.file.irp, 0x1297);
                CHECK_EQ_U64(r.u.file.thread_id, 45);
                CHECK_EQ_U64(r.u.file.file_object, 0x0B1);
                CHECK_EQ_U64(r.u.file.file_key, 0x4E1);
                CHECK_EQ_U64(r.u.file.io_size, 512);
                CHECK_EQ_U64(r.u.file.which, 67);
                CHECK_EQ_U64(r.fields, ETWC_HAS_THREAD_ID);
                put(&p, 0, 4); /* version 3: flags that may be there */
            }
        }
    }
}

TEST(file_names_and_ends)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload end = p;
        put_pointer(&p, 0x4E1);
        put_text16(&p, "\\x");
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_FILE_IO, 36, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_FILE_NAME);
        CHECK_EQ_U64(r.u.file.file_object, 0x4E1);
        CHECK_EQ_U64(r.u.file.which, 36);
        check_text16(r.u.file.name, "\\x");

        put_pointer(&end, 0x1297);
        put_pointer(&end, 512);
        put(&end, 0xC0000011, 4);
        CHECK_EQ_U64(decode(&end, ETWC_CLASS_FILE_IO, 76, 3, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_FILE_END);
        CHECK_EQ_U64(r.u.file.irp, 0x1297);
        CHECK_EQ_U64(r.u.file.extra_info, 512);
        CHECK_EQ_U64(r.u.file.nt_status, 0xC0000011);
    }
}

TEST(network_of_every_version_and_family)
{
    static const struct {
        uint8_t kernel_class, opcode, version, which;
        bool is_udp, is_ipv6;
        size_t addresses, middle; /* bytes between the ports and the last pair */
    } cases[] = {
        {ETWC_CLASS_TCP_IP, 10, 1, 10, false, false, 8, 8},
        {ETWC_CLASS_TCP_IP, 10, 2, 10, false, false, 8, 8},
        {ETWC_CLASS_TCP_IP, 11, 1, 11, false, false, 8, 0},
        {ETWC_CLASS_TCP_IP, 14, 2, 14, false, false, 8, 0},
        {ETWC_CLASS_TCP_IP, 12, 2, 12, false, false, 8, 16},
        {ETWC_CLASS_TCP_IP, 26, 2, 10, false, true, 32, 8},
        {ETWC_CLASS_TCP_IP, 27, 2, 11, false, true, 32, 0},
        {ETWC_CLASS_TCP_IP, 31, 2, 15, false, true, 32, 16},
        {ETWC_CLASS_TCP_IP, 34, 2, 18, false, true, 32, 0},
        {ETWC_CLASS_UDP_IP, 10, 2, 10, true, false, 8, 0},
        {ETWC_CLASS_UDP_IP, 27, 2, 11, true, true, 32, 0},
    };
    for (size_t i = 0; i < ETWC_ARRAY_SIZE(cases); i++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 500, 4);
            put(&p, 1460, 4);
            for (size_t k = 0; k < cases[i].addresses + 4 + cases[i].middle; k++)
                put(&p, 0xAA, 1);
            put(&p, 1, 4);
            put_pointer(&p, 2);
            CHECK_EQ_U64(decode(&p, cases[i].kernel_class, cases[i].opcode,
                                cases[i].version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_NETWORK);
            CHECK_EQ_U64(r.u.network.process_id, 500);
            CHECK_EQ_U64(r.u.network.size, 1460);
            CHECK_EQ_U64(r.u.network.which, cases[i].which);
            CHECK_EQ_U64(r.u.network.is_udp, cases[i].is_udp);
            CHECK_EQ_U64(r.u.network.is_ipv6, cases[i].is_ipv6);
        }
    }
}

TEST(network_of_version_0_has_the_process_last)
{
    payload p = {.pointer_size = 4};
    etwc_kernel_record r;
    for (unsigned i = 0; i < 12; i++)
        put(&p, 0xAA, 1);
    put(&p, 1460, 4);
    put(&p, 500, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_TCP_IP, 13, 0, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.u.network.process_id, 500);
    CHECK_EQ_U64(r.u.network.size, 1460);
    /* A datagram of version 0 says nobody's: no record, though it is explained. */
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_UDP_IP, 10, 0, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
}

/* ---- Objects, machine, session --------------------------------------------- */

TEST(handles)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        payload duplicate = p, rundown = p;
        put_pointer(&p, 0x0B1);
        put(&p, 0x44, 4);
        put(&p, 7, 2);
        for (unsigned named = 0; named < 2; named++) {
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_OBJECT, 33, 2, &r), ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_HANDLE_CLOSE);
            CHECK_EQ_U64(r.u.handle.object, 0x0B1);
            CHECK_EQ_U64(r.u.handle.handle, 0x44);
            CHECK_EQ_U64(r.u.handle.object_type, 7);
            CHECK_EQ_U64(r.u.handle.which, 33);
            CHECK_EQ_U64(r.fields, 0);
            put_text16(&p, "name");
        }
        put_pointer(&duplicate, 0x0B1);
        put(&duplicate, 0x44, 4);
        put(&duplicate, 0x88, 4);
        put(&duplicate, 600, 4);
        put(&duplicate, 7, 2);
        put(&duplicate, 500, 4);
        CHECK_EQ_U64(decode(&duplicate, ETWC_CLASS_OBJECT, 34, 2, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.u.handle.source_handle, 0x44);
        CHECK_EQ_U64(r.u.handle.handle, 0x88);
        CHECK_EQ_U64(r.u.handle.process_id, 600);
        CHECK_EQ_U64(r.u.handle.source_process_id, 500);
        CHECK_EQ_U64(r.u.handle.which, 34);

        put_pointer(&rundown, 0x0B1);
        put(&rundown, 500, 4);
        put(&rundown, 0x44, 4);
        put(&rundown, 7, 2);
        CHECK_EQ_U64(decode(&rundown, ETWC_CLASS_OBJECT, 38, 2, &r), ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_HANDLE_RUNDOWN);
        CHECK_EQ_U64(r.u.handle.process_id, 500);
        CHECK_EQ_U64(r.fields, ETWC_HAS_PROCESS_ID);
        CHECK_EQ_U64(r.u.handle.which, 38);
    }
}

TEST(names_of_object_types)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 37, 2);
    put(&p, 0, 2);
    put_text16(&p, "File");
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_OBJECT, 36, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_OBJECT_TYPE);
    CHECK_EQ_U64(r.u.object_type.type, 37);
    CHECK_EQ_U64(r.u.object_type.name.len, 8);
    p.size = 4; /* the name is cut away */
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_OBJECT, 37, 2, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
}

TEST(a_failed_request_names_no_process)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 2, 2);
    put(&p, 1, 2);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_UDP_IP, 17, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NETWORK_FAIL);
    CHECK(r.u.network.is_udp);
}

TEST(a_payload_that_is_too_short_still_has_a_type)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 1, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_DISK_IO, 10, 3, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
    etwc_event event = event_of(&p, ETWC_CLASS_DISK_IO, 10, 3);
    CHECK_EQ_U64(etwc_kernel_type_of(&event), ETWC_KERNEL_DISK_READ);
    event = event_of(&p, ETWC_CLASS_DISK_IO, 200, 3);
    CHECK_EQ_U64(etwc_kernel_type_of(&event), ETWC_KERNEL_NONE);
}

TEST(group_masks_at_start_and_end)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    for (unsigned i = 0; i < 8; i++)
        put(&p, 0x10 + i, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_EVENT_TRACE, 5, 1, &r), ETWC_DECODED_FULL);
    CHECK(!r.u.group_masks.is_end);
    put(&p, 85, 4);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_EVENT_TRACE, 32, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_GROUP_MASKS);
    CHECK(r.u.group_masks.is_end);
    CHECK_EQ_U64(r.u.group_masks.masks[0], 0x10);
    CHECK_EQ_U64(r.u.group_masks.masks[7], 0x17);
}

TEST(service_of_old_and_new_versions)
{
    payload old = {.pointer_size = 4}, new = {.pointer_size = 8};
    etwc_kernel_record r;
    put_text16(&old, "Spooler");
    while (old.size < 2 * (34 + 256 + 34))
        put(&old, 0, 1);
    put(&old, 500, 4);
    CHECK_EQ_U64(decode(&old, ETWC_CLASS_SYSTEM_CONFIG, 15, 1, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.u.service.process_id, 500);
    check_text16(r.u.service.service_name, "Spooler");
    CHECK_EQ_U64(r.fields & ETWC_HAS_TAG, 0);

    put(&new, 500, 4);
    put(&new, 4, 4);
    put(&new, 0x5A, 4);
    put_text16(&new, "Spooler");
    put_text16(&new, "Print Spooler");
    put_text16(&new, "svchost.exe");
    CHECK_EQ_U64(decode(&new, ETWC_CLASS_SYSTEM_CONFIG, 15, 2, &r), ETWC_DECODED_FULL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_SERVICE);
    CHECK_EQ_U64(r.u.service.sub_process_tag, 0x5A);
    check_text16(r.u.service.display_name, "Print Spooler");
    check_text16(r.u.service.process_name, "svchost.exe");
}

TEST(what_is_not_listed_gives_no_record)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put(&p, 0, 8);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_NONE, 1, 1, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 255, 2, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_PROCESS, 5, 2, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(decode(&p, 0x0C, 32, 2, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(decode(&p, 0x1F, 32, 2, &r), ETWC_DECODED_NONE);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_LOST_EVENT, 33, 0, &r), ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_LOST);
    CHECK_EQ_U64(r.u.lost.which, 33);
}

HARNESS_MAIN
