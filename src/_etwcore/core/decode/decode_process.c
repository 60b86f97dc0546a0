/* Class Process: event-decoding, "Process (group 03)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* Since version 2 the records begin alike. */
#define PROCESS_HEAD                                                    \
    SLOT(PTR, "UniqueProcessKey", HEX, process.key, ETWC_HAS_KEY)       \
    SLOT(U32, "ProcessId", DEC, process.process_id, 0)                  \
    SLOT(U32, "ParentId", DEC, process.parent_id, 0)                    \
    SLOT(U32, "SessionId", DEC, process.logon_session_id, ETWC_HAS_SESSION) \
    SLOT(I32, "ExitStatus", EXIT_STATUS, process.exit_status, ETWC_HAS_EXIT_STATUS)

#define PROCESS_NAMES                                               \
    SLOT(SID, "UserSID", DEC, process.user_sid, 0)                  \
    SLOT(AZ, "ImageFileName", DEC, process.image_file_name, 0)      \
    SLOT(WZ, "CommandLine", DEC, process.command_line, ETWC_HAS_COMMAND_LINE)

#define PROCESS_PACKAGE                                             \
    SLOT(WZ, "PackageFullName", DEC, process.package_full_name,     \
         ETWC_HAS_PACKAGE)                                          \
    SLOT(WZ, "ApplicationId", DEC, process.application_id, 0)

static const decode_row process_0[] = {
    SLOT(PTR, "ProcessId", DEC, process.process_id, 0)
    SLOT(PTR, "ParentId", DEC, process.parent_id, 0)
    SLOT(SID, "UserSID", DEC, process.user_sid, 0)
    SLOT(AZ, "ImageFileName", DEC, process.image_file_name, 0)
};

static const decode_row process_1[] = {
    ROW(PTR, "PageDirectoryBase", HEX)
    SLOT(U32, "ProcessId", DEC, process.process_id, 0)
    SLOT(U32, "ParentId", DEC, process.parent_id, 0)
    SLOT(U32, "SessionId", DEC, process.logon_session_id, ETWC_HAS_SESSION)
    SLOT(I32, "ExitStatus", EXIT_STATUS, process.exit_status, ETWC_HAS_EXIT_STATUS)
    SLOT(SID, "UserSID", DEC, process.user_sid, 0)
    SLOT(AZ, "ImageFileName", DEC, process.image_file_name, 0)
};

static const decode_row process_2[] = {PROCESS_HEAD PROCESS_NAMES};

static const decode_row process_3[] = {
    PROCESS_HEAD
    ROW(PTR, "DirectoryTableBase", HEX)
    PROCESS_NAMES
};

static const decode_row process_4[] = {
    PROCESS_HEAD
    ROW(PTR, "DirectoryTableBase", HEX)
    SLOT(U32, "Flags", PROCESS_FLAGS, process.flags, ETWC_HAS_FLAGS)
    PROCESS_NAMES
    PROCESS_PACKAGE
};

static const decode_row defunct_5[] = {
    PROCESS_HEAD
    ROW(PTR, "DirectoryTableBase", HEX)
    SLOT(U32, "Flags", PROCESS_FLAGS, process.flags, ETWC_HAS_FLAGS)
    PROCESS_NAMES
    PROCESS_PACKAGE
    SLOT(FILETIME, "ExitTime", DEC, process.exit_filetime, ETWC_HAS_EXIT_TIME)
};

static const decode_form process_forms[] = {
    FORM(0, 0, process_0, 2)
    FORM(1, 1, process_1, 3)
    FORM(2, 2, process_2, 3)
    FORM(3, 3, process_3, 3)
    FORM(4, 4, process_4, 3)
};

static const decode_form defunct_forms[] = {
    FORM(0, 0, process_0, 2)
    FORM(1, 1, process_1, 3)
    FORM(2, 2, process_2, 3)
    FORM(3, 3, process_3, 3)
    FORM(4, 4, process_4, 3)
    FORM(5, 5, defunct_5, 3)
};

static const decode_row terminate_2[] = {
    SLOT(U32, "ProcessId", DEC, terminated_process_id, 0)
};
static const decode_form terminate_forms[] = {FORM(2, 2, terminate_2, 1)};

#define COUNTERS_SLOT(type, name, member) SLOT(type, name, DEC, counters.member, 0)
static const decode_row counters_2[] = {
    COUNTERS_SLOT(U32, "ProcessId", process_id)
    COUNTERS_SLOT(U32, "PageFaultCount", page_fault_count)
    COUNTERS_SLOT(U32, "HandleCount", handle_count)
    ROW(U32, "Reserved", DEC)
    COUNTERS_SLOT(PTR, "PeakVirtualSize", peak_virtual_size)
    COUNTERS_SLOT(PTR, "PeakWorkingSetSize", peak_working_set_size)
    COUNTERS_SLOT(PTR, "PeakPagefileUsage", peak_pagefile_usage)
    COUNTERS_SLOT(PTR, "QuotaPeakPagedPoolUsage", quota_peak_paged_pool_usage)
    COUNTERS_SLOT(PTR, "QuotaPeakNonPagedPoolUsage", quota_peak_non_paged_pool_usage)
    COUNTERS_SLOT(PTR, "VirtualSize", virtual_size)
    COUNTERS_SLOT(PTR, "WorkingSetSize", working_set_size)
    COUNTERS_SLOT(PTR, "PagefileUsage", pagefile_usage)
    COUNTERS_SLOT(PTR, "QuotaPagedPoolUsage", quota_paged_pool_usage)
    COUNTERS_SLOT(PTR, "QuotaNonPagedPoolUsage", quota_non_paged_pool_usage)
    COUNTERS_SLOT(PTR, "PrivatePageCount", private_page_count)
};
/* A cut one has counters that are 0 for "unknown": it is of no use. */
static const decode_form counters_forms[] = {
    FORM(2, 2, counters_2, ETWC_ARRAY_SIZE(counters_2))
};

static const decode_row in_swap_2[] = {
    ROW(PTR, "DirectoryTableBase", HEX)
    ROW(U32, "ProcessId", DEC)
};
static const decode_form in_swap_forms[] = {FORM(2, 2, in_swap_2, 0)};

static const decode_row wake_counter_2[] = {
    ROW(PTR, "Object", HEX)
    ROW(PTR, "Tag", HEX)
    ROW(U32, "ProcessId", DEC)
    ROW(U32, "Count", DEC)
};
static const decode_form wake_counter_forms[] = {FORM(2, 2, wake_counter_2, 0)};

static const decode_row wake_event_2[] = {ROW(PTR, "Object", HEX)};
static const decode_form wake_event_forms[] = {FORM(2, 2, wake_event_2, 0)};

static const decode_row debug_event_2[] = {
    ROW(U32, "ProcessId", DEC)
    ROW(U32, "ThreadId", DEC)
    ROW(U32, "Reason", DEC)
};
static const decode_form debug_event_forms[] = {FORM(2, 2, debug_event_2, 0)};

#define WAKE_COUNTER(n) OPCODE(n, "Process/WakeCounter", wake_counter_forms, NONE)
#define WAKE_EVENT(n) OPCODE(n, "Process/WakeEvent", wake_event_forms, NONE)

static const decode_opcode process_opcodes[] = {
    OPCODE(1, "Process/Start", process_forms, PROCESS_START)
    OPCODE(2, "Process/End", process_forms, PROCESS_END)
    OPCODE(3, "Process/DCStart", process_forms, PROCESS_RUNDOWN_START)
    OPCODE(4, "Process/DCEnd", process_forms, PROCESS_RUNDOWN_END)
    OPCODE(11, "Process/Terminate", terminate_forms, PROCESS_TERMINATE)
    OPCODE(32, "Process/PerfCtr", counters_forms, PROCESS_COUNTERS_EXIT)
    OPCODE(33, "Process/PerfCtrRundown", counters_forms, PROCESS_COUNTERS_RUNDOWN)
    OPCODE(35, "Process/InSwap", in_swap_forms, NONE)
    OPCODE_RAW(36, "Process/Freeze")
    OPCODE_RAW(37, "Process/Thaw")
    OPCODE(39, "Process/Defunct", defunct_forms, PROCESS_DEFUNCT)
    OPCODE_RAW(40, "Process/SetAffinity")
    WAKE_COUNTER(48) WAKE_COUNTER(49) WAKE_COUNTER(50) WAKE_COUNTER(51)
    WAKE_COUNTER(52) WAKE_COUNTER(64) WAKE_COUNTER(65) WAKE_COUNTER(66)
    WAKE_COUNTER(67) WAKE_COUNTER(68) WAKE_COUNTER(80) WAKE_COUNTER(81)
    WAKE_COUNTER(82) WAKE_COUNTER(83) WAKE_COUNTER(84)
    WAKE_EVENT(96) WAKE_EVENT(97) WAKE_EVENT(98) WAKE_EVENT(99)
    OPCODE(112, "Process/DebugEvent", debug_event_forms, NONE)
};

CLASS(process)

/* clang-format on */
