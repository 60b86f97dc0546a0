/* Typed records of the kernel's manifest providers, built from the tables of the
 * document and from the manifests' names. */
#include "harness.h"

#include "etwc_decode.h"
#include "etwc_text.h"
#include "payload.h"

static const uint8_t pointer_sizes[] = {4, 8};
#define FOR_EACH_POINTER_SIZE(p)                                                  \
    for (size_t size_index = 0; size_index < 2; size_index++)                     \
        for (payload p = {.pointer_size = pointer_sizes[size_index]}, *once = &p; \
             once != NULL; once = NULL)

static etwc_completeness
decode(const payload *p, uint8_t kernel_class, uint8_t id, uint8_t version,
       etwc_kernel_record *out)
{
    etwc_event event = event_of(p, kernel_class, id, version);
    event.opcode = 0; /* says nothing here */
    memset(out, 0xEE, sizeof *out);
    return etwc_kernel_decode(&event, out);
}

static void
check_text16(etwc_span found, const char *expected)
{
    CHECK_EQ_U64(found.len, 2 * strlen(expected));
    for (size_t i = 0; i < strlen(expected); i++) {
        CHECK_EQ_U64(found.ptr[2 * i], (uint8_t)expected[i]);
        CHECK_EQ_U64(found.ptr[2 * i + 1], 0);
    }
}

TEST(providers_have_classes_of_their_own)
{
#define LISTED(symbol, value, name, text)                                   \
    {                                                                       \
        etwc_guid guid;                                                     \
        CHECK(etwc_guid_from_text(text, strlen(text), &guid));              \
        CHECK_EQ_U64(etwc_manifest_class_of(&guid), value);                 \
        CHECK(etwc_class_is_manifest(value));                               \
        CHECK_EQ_STR(etwc_provider_name(&guid), "Microsoft-Windows-" name); \
        guid.bytes[15] ^= 1;                                                \
        CHECK_EQ_U64(etwc_manifest_class_of(&guid), ETWC_CLASS_NONE);       \
    }
    ETWC_MANIFEST_CLASS_LIST(LISTED)
#undef LISTED
    CHECK(!etwc_class_is_manifest(ETWC_CLASS_PROCESS));
    CHECK(!etwc_class_is_manifest(ETWC_CLASS_LOST_EVENT));
    CHECK(!etwc_class_is_manifest(ETWC_CLASS_NONE));
}

/* ---- Kernel-Process -------------------------------------------------------- */

static const char path[] = "\\Device\\HarddiskVolume2\\Windows\\notepad.exe";

static void
put_start(payload *p, uint8_t version)
{
    bool has_sequence = version >= 3;
    put(p, 1234, 4);
    if (has_sequence)
        put(p, 5678, 8);
    put(p, UINT64_C(0x01D66A1B2C3D4E5F), 8);
    put(p, 4, 4);
    if (has_sequence)
        put(p, 99, 8);
    put(p, 2, 4);
    if (version >= 1)
        put(p, 2, 4);
    if (has_sequence) {
        put(p, 3, 4);
        put(p, 0, 4);
        put_sid(p);
    }
    put_text16(p, path);
    if (version < 2)
        return;
    put(p, 0xAABBCCDD, 4);
    put(p, 0x11223344, 4);
    put_text16(p, "Package");
    put_text16(p, "App");
    if (version >= 4)
        put(p, 7, 4);
}

static void
check_start(const etwc_kernel_record *r, uint8_t version)
{
    const etwc_kernel_process *said = &r->u.process;
    CHECK_EQ_U64(said->process_id, 1234);
    CHECK_EQ_U64(said->parent_id, 4);
    CHECK_EQ_I64(said->create_filetime, INT64_C(0x01D66A1B2C3D4E5F));
    CHECK_EQ_U64(said->logon_session_id, 2);
    CHECK_EQ_U64(said->image_file_name.len, 0);
    CHECK_EQ_U64(said->user_sid.len, 0); /* the label is no user */
    check_text16(said->image_path, path);
    unsigned expected = ETWC_HAS_CREATE_TIME | ETWC_HAS_SESSION;
    if (version >= 1)
        expected |= ETWC_HAS_FLAGS;
    if (version >= 2) {
        expected |= ETWC_HAS_PACKAGE;
        check_text16(said->package_full_name, "Package");
        check_text16(said->application_id, "App");
    }
    CHECK_EQ_U64(r->fields, expected);
    CHECK_EQ_U64(said->sequence_number, version >= 3 ? 5678 : 0);
    CHECK_EQ_U64(said->flags, version >= 1 ? 2 : 0);
}

TEST(process_starts_of_all_versions)
{
    for (uint8_t version = 0; version <= 4; version++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put_start(&p, version);
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 1, version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_START);
            check_start(&r, version);
        }
    }
}

TEST(a_rundown_is_a_start_of_version_2_or_3)
{
    for (uint8_t version = 0; version <= 1; version++) {
        payload p = {.pointer_size = 8};
        etwc_kernel_record r;
        put_start(&p, (uint8_t)(version + 2));
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 15, version, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_RUNDOWN_START);
        check_start(&r, (uint8_t)(version + 2));
    }
}

TEST(a_start_that_is_newer_than_known_has_what_is_certain)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_start(&p, 4);
    put(&p, 1, 8);
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 1, 5, &r),
                 ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_START);
    check_start(&r, 4);
}

TEST(a_start_without_its_parent_says_nothing)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_start(&p, 0);
    p.size = 14;
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 1, 0, &r),
                 ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
}

TEST(a_label_that_is_no_sid_ends_the_fields)
{
    payload p = {.pointer_size = 8};
    etwc_kernel_record r;
    put_start(&p, 3);
    p.bytes[4 + 8 + 8 + 4 + 8 + 4 + 4 + 4 + 4 + 1] = 16; /* sub-authorities */
    CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 1, 3, &r),
                 ETWC_DECODED_PARTIAL);
    CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_START);
    CHECK_EQ_U64(r.u.process.image_path.len, 0);
    CHECK_EQ_U64(r.u.process.parent_id, 4);
}

TEST(process_stops_of_all_versions)
{
    for (uint8_t version = 0; version <= 2; version++) {
        payload p = {.pointer_size = 8};
        etwc_kernel_record r;
        put(&p, 1234, 4);
        if (version == 2)
            put(&p, 5678, 8);
        put(&p, 1000, 8);
        put(&p, 2000, 8);
        put(&p, 0xC0000005, 4);
        put(&p, 3, 4);
        put(&p, 96, 4);
        put(&p, 5885952, 8);
        put(&p, 7364608, 8);
        if (version >= 1) {
            put(&p, UINT64_C(868422815000), 8);
            put(&p, 12, 4);
            put(&p, 1, 4);
            put(&p, 52, 4);
            put(&p, 6, 4);
            put(&p, 5, 4);
        }
        put_text8(&p, "SearchProtocol");
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 2, version, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_PROCESS_END);
        const etwc_kernel_process *said = &r.u.process;
        unsigned expected =
            ETWC_HAS_CREATE_TIME | ETWC_HAS_EXIT_TIME | ETWC_HAS_EXIT_STATUS;
        if (version >= 1)
            expected |= ETWC_HAS_CYCLES;
        CHECK_EQ_U64(r.fields, expected);
        CHECK_EQ_U64(said->process_id, 1234);
        CHECK_EQ_U64(said->sequence_number, version == 2 ? 5678 : 0);
        CHECK_EQ_I64(said->create_filetime, 1000);
        CHECK_EQ_I64(said->exit_filetime, 2000);
        CHECK_EQ_U64(said->exit_status, 0xC0000005);
        CHECK_EQ_U64(said->at_exit.token_elevation_type, 3);
        CHECK_EQ_U64(said->at_exit.handle_count, 96);
        CHECK_EQ_U64(said->at_exit.commit_charge, 5885952);
        CHECK_EQ_U64(said->at_exit.commit_peak, 7364608);
        bool has_counts = version >= 1;
        CHECK_EQ_U64(said->at_exit.cpu_cycles, has_counts ? UINT64_C(868422815000) : 0);
        CHECK_EQ_U64(said->at_exit.read_operations, has_counts ? 12 : 0);
        CHECK_EQ_U64(said->at_exit.write_operations, has_counts ? 1 : 0);
        CHECK_EQ_U64(said->at_exit.read_kib, has_counts ? 52 : 0);
        CHECK_EQ_U64(said->at_exit.write_kib, has_counts ? 6 : 0);
        CHECK_EQ_U64(said->at_exit.hard_faults, has_counts ? 5 : 0);
        CHECK_EQ_U64(said->image_file_name.len, 14);
    }
}

TEST(threads_with_and_without_tag_and_cycles)
{
    for (uint8_t id = 3; id <= 4; id++) {
        for (uint8_t version = 0; version <= 1; version++) {
            FOR_EACH_POINTER_SIZE(p)
            {
                etwc_kernel_record r;
                put(&p, 3996, 4);
                put(&p, 5340, 4);
                for (uint64_t i = 1; i <= 7; i++)
                    put_pointer(&p, 0x10000 * i);
                if (version == 1)
                    put(&p, 77, 4);
                if (version == 1 && id == 4)
                    put(&p, 341835, 8);
                CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, id, version, &r),
                             ETWC_DECODED_FULL);
                CHECK_EQ_U64(r.type, id == 3 ? ETWC_KERNEL_THREAD_START
                                             : ETWC_KERNEL_THREAD_END);
                CHECK_EQ_U64(r.u.thread.process_id, 3996);
                CHECK_EQ_U64(r.u.thread.thread_id, 5340);
                CHECK_EQ_U64(r.u.thread.win32_start_address, 0x60000);
                CHECK_EQ_U64(r.u.thread.teb_base, 0x70000);
                bool has_cycles = version == 1 && id == 4;
                CHECK_EQ_U64(r.fields & ETWC_HAS_CYCLES,
                             has_cycles ? ETWC_HAS_CYCLES : 0);
                CHECK_EQ_U64(r.u.thread.cycles, has_cycles ? 341835 : 0);
                CHECK_EQ_U64(r.u.thread.sub_process_tag, version == 1 ? 77 : 0);
            }
        }
    }
}

TEST(images_are_loaded_and_unloaded)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put_pointer(&p, 0x7FF00000);
        put_pointer(&p, 0x19000);
        put(&p, 2800, 4);
        put(&p, 121686, 4);
        put(&p, 1253260880, 4);
        put_pointer(&p, 0x400000);
        put_text16(&p, path);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 6, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_IMAGE_UNLOAD);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 5, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_IMAGE_LOAD);
        CHECK_EQ_U64(r.u.image.base, 0x7FF00000);
        CHECK_EQ_U64(r.u.image.size, 0x19000);
        CHECK_EQ_U64(r.u.image.process_id, 2800);
        CHECK_EQ_U64(r.u.image.checksum, 121686);
        CHECK_EQ_U64(r.u.image.time_date_stamp, 1253260880);
        CHECK_EQ_U64(r.u.image.default_base, 0x400000);
        check_text16(r.u.image.file_name, path);
    }
}

TEST(priorities_are_those_of_the_thread_class)
{
    static const uint8_t opcodes[] = {49, 48, 51, 52};
    for (uint8_t id = 7; id <= 10; id++) {
        payload p = {.pointer_size = 8};
        etwc_kernel_record r;
        put(&p, 3664, 4);
        put(&p, 1076, 4);
        put(&p, 12, 1);
        put(&p, 16, 1);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, id, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_THREAD_PRIORITY);
        CHECK_EQ_U64(r.fields, ETWC_HAS_PROCESS_ID);
        CHECK_EQ_U64(r.u.priority.which, opcodes[id - 7]);
        CHECK_EQ_U64(r.u.priority.process_id, 3664);
        CHECK_EQ_U64(r.u.priority.thread_id, 1076);
        CHECK_EQ_U64(r.u.priority.old_priority, 12);
        CHECK_EQ_U64(r.u.priority.new_priority, 16);
    }
}

TEST(frozen_processes_own_their_events)
{
    for (uint8_t version = 0; version <= 1; version++) {
        payload p = {.pointer_size = 8};
        etwc_kernel_record r;
        put(&p, 3664, 4);
        if (version == 1)
            put(&p, 1000, 8);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_PROCESS, 12, version, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_OF_PROCESS);
        CHECK_EQ_U64(r.u.subject.process_id, 3664);
    }
}

/* ---- Kernel-Memory --------------------------------------------------------- */

TEST(working_sets_have_the_size_that_the_payload_tells)
{
    for (uint8_t version = 0; version <= 2; version++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            size_t pointers = version == 2 ? 8 : 4;
            etwc_kernel_record r;
            put(&p, 3, 4);
            for (uint64_t entry = 0; entry < 3; entry++) {
                put(&p, 100 + entry, 4);
                for (size_t i = 0; i < pointers; i++)
                    put_pointer(&p, 10 * entry + i);
            }
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_MEMORY, 2, version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_MEMORY_WORKING_SETS);
            CHECK_EQ_U64(r.u.working_sets.count, 3);
            CHECK_EQ_U64(r.u.working_sets.entry_size, 4 + pointers * p.pointer_size);
        }
    }
}

TEST(memory_info_has_an_entry_per_priority)
{
    payload p = {.pointer_size = 8};
    put(&p, 8, 1);
    for (uint64_t i = 1; i <= 5 + 8 + 8 + 5; i++)
        put_pointer(&p, i);
    etwc_event event = event_of(&p, ETWC_CLASS_MANIFEST_MEMORY, 1, 1);
    etwc_value values[32];
    etwc_decoded decoded;
    etwc_decode_fields(&event, values, 32, &decoded);
    CHECK_EQ_STR(decoded.name, "Microsoft-Windows-Kernel-Memory/MemInfo");
    CHECK_EQ_U64(decoded.completeness, ETWC_DECODED_FULL);
    CHECK_EQ_U64(decoded.count, 13);
    CHECK_EQ_STR(values[7].name, "RepurposedPageCounts");
    CHECK_EQ_U64(values[7].count, 8);
    CHECK_EQ_STR(values[12].name, "CommitPageCount");
    CHECK_EQ_U64(values[12].v.u, 26);
}

/* ---- Kernel-Disk, Kernel-File, Kernel-Network ------------------------------ */

TEST(disk_transfers_do_not_tell_their_thread)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put(&p, 1, 4);
        put(&p, 0x60043, 4);
        put(&p, 4096, 4);
        put(&p, 0, 4);
        put(&p, UINT64_C(0x123456789A), 8);
        put_pointer(&p, 0x81234560);
        put_pointer(&p, 0x87654320);
        put(&p, 5000, 8);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_DISK, 11, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_DISK_WRITE);
        CHECK_EQ_U64(r.fields, ETWC_HAS_RESPONSE_TIME);
        CHECK_EQ_U64(r.u.disk.transfer_size, 4096);
        CHECK_EQ_U64(r.u.disk.byte_offset, UINT64_C(0x123456789A));
        CHECK_EQ_U64(r.u.disk.irp, 0x87654320);
        CHECK_EQ_U64(r.u.disk.response_ticks, 5000);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_DISK, 10, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_DISK_READ);
    }
}

TEST(file_operations_have_their_thread_by_version)
{
    for (uint8_t version = 0; version <= 1; version++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 8192, 8);
            put_pointer(&p, 0x1000);
            if (version == 0)
                put_pointer(&p, 1076);
            put_pointer(&p, 0x2000);
            put_pointer(&p, 0x3000);
            if (version == 1)
                put(&p, 1076, 4);
            put(&p, 512, 4);
            put(&p, 0, 4);
            if (version == 1)
                put(&p, 0, 4);
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_FILE, 16, version, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_FILE_WRITE);
            CHECK_EQ_U64(r.u.file.which, 68);
            CHECK_EQ_U64(r.fields, ETWC_HAS_THREAD_ID);
            CHECK_EQ_U64(r.u.file.thread_id, 1076);
            CHECK_EQ_U64(r.u.file.irp, 0x1000);
            CHECK_EQ_U64(r.u.file.file_object, 0x2000);
            CHECK_EQ_U64(r.u.file.file_key, 0x3000);
            CHECK_EQ_U64(r.u.file.offset, 8192);
            CHECK_EQ_U64(r.u.file.io_size, 512);
        }
    }
}

TEST(the_end_of_a_file_operation_tells_what_came_of_it)
{
    FOR_EACH_POINTER_SIZE(p)
    {
        etwc_kernel_record r;
        put_pointer(&p, 0x1000);
        put_pointer(&p, 300);
        put(&p, 0xC0000011, 4);
        CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_FILE, 24, 0, &r),
                     ETWC_DECODED_FULL);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_FILE_END);
        CHECK_EQ_U64(r.u.file.which, 76);
        CHECK_EQ_U64(r.u.file.extra_info, 300);
        CHECK_EQ_U64(r.u.file.nt_status, 0xC0000011);
    }
}

TEST(network_ids_tell_protocol_and_family)
{
    static const struct {
        uint8_t id, which;
        bool is_udp, is_ipv6, is_send;
    } cases[] = {
        {10, 10, false, false, true},  {11, 11, false, false, false},
        {14, 14, false, false, false}, {26, 10, false, true, true},
        {27, 11, false, true, false},  {29, 13, false, true, false},
        {42, 10, true, false, false},  {43, 11, true, false, false},
        {58, 10, true, true, false},   {59, 11, true, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FOR_EACH_POINTER_SIZE(p)
        {
            etwc_kernel_record r;
            put(&p, 2716, 4);
            put(&p, 77, 4);
            for (size_t n = 0; n < (cases[i].is_ipv6 ? 8 : 2); n++)
                put(&p, 0x0100007F, 4);
            put(&p, 443, 2);
            put(&p, 444, 2);
            if (cases[i].is_send)
                put(&p, 0, 8);
            put(&p, 1, 4);
            put_pointer(&p, 2);
            CHECK_EQ_U64(decode(&p, ETWC_CLASS_MANIFEST_NETWORK, cases[i].id, 0, &r),
                         ETWC_DECODED_FULL);
            CHECK_EQ_U64(r.type, ETWC_KERNEL_NETWORK);
            CHECK_EQ_U64(r.u.network.process_id, 2716);
            CHECK_EQ_U64(r.u.network.size, 77);
            CHECK_EQ_U64(r.u.network.which, cases[i].which);
            CHECK_EQ_U64(r.u.network.is_udp, cases[i].is_udp);
            CHECK_EQ_U64(r.u.network.is_ipv6, cases[i].is_ipv6);
        }
    }
}

TEST(ids_that_nobody_knows_are_raw)
{
    static const uint16_t ids[] = {0, 16, 35, 255, 256 + 1, UINT16_MAX};
    payload p = {.pointer_size = 8};
    put_start(&p, 0);
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        etwc_event event = event_of(&p, ETWC_CLASS_MANIFEST_PROCESS, 1, 0);
        etwc_kernel_record r;
        event.id = ids[i];
        CHECK_EQ_U64(etwc_kernel_decode(&event, &r), ETWC_DECODED_NONE);
        CHECK_EQ_U64(r.type, ETWC_KERNEL_NONE);
        CHECK_EQ_STR(etwc_decode_event_name(&event), NULL);
    }
}

HARNESS_MAIN
