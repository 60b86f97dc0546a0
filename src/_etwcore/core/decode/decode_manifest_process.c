/* Microsoft-Windows-Kernel-Process: event-decoding, "Manifest providers with process
 * data". Ids instead of opcodes; the names are those of its manifest. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define NAME(event) "Microsoft-Windows-Kernel-Process/" event

/* Opcodes of class Thread that the priority events stand for. */
enum { PRIORITY_DYNAMIC = 48, PRIORITY_BASE, PRIORITY_PAGE = 51, PRIORITY_IO };

/* ---- Processes ------------------------------------------------------------- */

#define PROCESS_ID SLOT(U32, "ProcessID", DEC, process.process_id, 0)
#define SEQUENCE_NUMBER                                             \
    SLOT(U64, "ProcessSequenceNumber", DEC, process.sequence_number, \
         0)
#define CREATE_TIME \
    SLOT(FILETIME, "CreateTime", DEC, process.create_filetime, ETWC_HAS_CREATE_TIME)
#define PARENT_ID SLOT(U32, "ParentProcessID", DEC, process.parent_id, 0)
#define SESSION_ID \
    SLOT(U32, "SessionID", DEC, process.logon_session_id, ETWC_HAS_SESSION)
#define FLAGS SLOT(U32, "Flags", PROCESS_FLAGS, process.flags, ETWC_HAS_FLAGS)
#define IMAGE_NAME SLOT(WZ, "ImageName", DEC, process.image_path, 0)
#define IMAGE_STAMPS                    \
    ROW(U32, "ImageChecksum", HEX)      \
    ROW(U32, "TimeDateStamp", DEC)
#define PACKAGE                                                                 \
    SLOT(WZ, "PackageFullName", DEC, process.package_full_name, ETWC_HAS_PACKAGE) \
    SLOT(WZ, "PackageRelativeAppId", DEC, process.application_id, 0)

static const decode_row start_0[] = {
    PROCESS_ID CREATE_TIME PARENT_ID SESSION_ID IMAGE_NAME
};
static const decode_row start_1[] = {
    PROCESS_ID CREATE_TIME PARENT_ID SESSION_ID FLAGS IMAGE_NAME
};
static const decode_row start_2[] = {
    PROCESS_ID CREATE_TIME PARENT_ID SESSION_ID FLAGS IMAGE_NAME
    IMAGE_STAMPS PACKAGE
};
#define START_3                                                 \
    PROCESS_ID SEQUENCE_NUMBER CREATE_TIME PARENT_ID            \
    ROW(U64, "ParentProcessSequenceNumber", DEC)                \
    SESSION_ID FLAGS                                            \
    ROW(U32, "ProcessTokenElevationType", ELEVATION)            \
    ROW(U32, "ProcessTokenIsElevated", DEC)                     \
    ROW(PLAIN_SID, "MandatoryLabel", DEC)                       \
    IMAGE_NAME IMAGE_STAMPS PACKAGE
static const decode_row start_3[] = {START_3};
static const decode_row start_4[] = {START_3 ROW(U32, "SecurityMitigations", HEX)};

enum { START_REQUIRED = 3, START_REQUIRED_3 = 4 }; /* up to the parent */
static const decode_form start_forms[] = {
    FORM(0, 0, start_0, START_REQUIRED)
    FORM(1, 1, start_1, START_REQUIRED)
    FORM(2, 2, start_2, START_REQUIRED)
    FORM(3, 3, start_3, START_REQUIRED_3)
    FORM(4, 4, start_4, START_REQUIRED_3)
};
static const decode_form rundown_forms[] = {
    FORM(0, 0, start_2, START_REQUIRED)
    FORM(1, 1, start_3, START_REQUIRED_3)
};

#define EXIT_SLOT(type, name, view, member, flag) \
    SLOT(type, name, view, process.at_exit.member, flag)
#define STOP_TIMES                                                              \
    CREATE_TIME                                                                 \
    SLOT(FILETIME, "ExitTime", DEC, process.exit_filetime, ETWC_HAS_EXIT_TIME)  \
    SLOT(U32, "ExitCode", EXIT_STATUS, process.exit_status, ETWC_HAS_EXIT_STATUS) \
    EXIT_SLOT(U32, "TokenElevationType", ELEVATION, token_elevation_type, 0)    \
    EXIT_SLOT(U32, "HandleCount", DEC, handle_count, 0)                         \
    EXIT_SLOT(U64, "CommitCharge", DEC, commit_charge, 0)                       \
    EXIT_SLOT(U64, "CommitPeak", DEC, commit_peak, 0)
#define STOP_COUNTS                                                             \
    EXIT_SLOT(U64, "CPUCycleCount", DEC, cpu_cycles, 0)                         \
    EXIT_SLOT(U32, "ReadOperationCount", DEC, read_operations, 0)               \
    EXIT_SLOT(U32, "WriteOperationCount", DEC, write_operations, 0)             \
    EXIT_SLOT(U32, "ReadTransferKiloBytes", DEC, read_kib, 0)                   \
    EXIT_SLOT(U32, "WriteTransferKiloBytes", DEC, write_kib, 0)                 \
    EXIT_SLOT(U32, "HardFaultCount", DEC, hard_faults, ETWC_HAS_CYCLES)
#define SHORT_NAME SLOT(AZ, "ImageName", DEC, process.image_file_name, 0)

static const decode_row stop_0[] = {PROCESS_ID STOP_TIMES SHORT_NAME};
static const decode_row stop_1[] = {PROCESS_ID STOP_TIMES STOP_COUNTS SHORT_NAME};
static const decode_row stop_2[] = {
    PROCESS_ID SEQUENCE_NUMBER STOP_TIMES STOP_COUNTS SHORT_NAME
};

enum { STOP_REQUIRED = 8, STOP_REQUIRED_2 = 9 }; /* up to the commit peak */
static const decode_form stop_forms[] = {
    FORM(0, 0, stop_0, STOP_REQUIRED)
    FORM(1, 1, stop_1, STOP_REQUIRED)
    FORM(2, 2, stop_2, STOP_REQUIRED_2)
};

#define FROZEN_ID SLOT(U32, "FrozenProcessID", DEC, subject.process_id, 0)
static const decode_row freeze_0[] = {FROZEN_ID};
static const decode_row freeze_1[] = {FROZEN_ID ROW(FILETIME, "CreateTime", DEC)};
static const decode_form freeze_forms[] = {
    FORM(0, 0, freeze_0, 1)
    FORM(1, 1, freeze_1, 1)
};

static const decode_row job_0[] = {
    ROW(GUID, "ContainerID", DEC)
    ROW(U32, "JobID", DEC)
    ROW(U32, "StatusCode", STATUS)
};
static const decode_form job_forms[] = {FORM(0, 0, job_0, 0)};

/* ---- Threads --------------------------------------------------------------- */

#define THREAD_0                                                    \
    SLOT(U32, "ProcessID", DEC, thread.process_id, 0)               \
    SLOT(U32, "ThreadID", DEC, thread.thread_id, 0)                 \
    ROW(PTR, "StackBase", HEX)                                      \
    ROW(PTR, "StackLimit", HEX)                                     \
    ROW(PTR, "UserStackBase", HEX)                                  \
    ROW(PTR, "UserStackLimit", HEX)                                 \
    ROW(PTR, "StartAddr", HEX)                                      \
    SLOT(PTR, "Win32StartAddr", HEX, thread.win32_start_address, 0) \
    SLOT(PTR, "TebBase", HEX, thread.teb_base, 0)
#define THREAD_TAG \
    SLOT(U32, "SubProcessTag", HEX, thread.sub_process_tag, ETWC_HAS_TAG)

static const decode_row thread_0[] = {THREAD_0};
static const decode_row thread_1[] = {THREAD_0 THREAD_TAG};
static const decode_row thread_stop_1[] = {
    THREAD_0 THREAD_TAG
    SLOT(U64, "CycleTime", DEC, thread.cycles, ETWC_HAS_CYCLES)
};
static const decode_form thread_start_forms[] = {
    FORM(0, 0, thread_0, 2)
    FORM(1, 1, thread_1, 2)
};
static const decode_form thread_stop_forms[] = {
    FORM(0, 0, thread_0, 2)
    FORM(1, 1, thread_stop_1, 2)
};

#define PRIORITY_0(ROW, SLOT, BITS)                                                  \
    SLOT(U32, "ProcessID", DEC, priority.process_id, ETWC_HAS_PROCESS_ID)            \
    SLOT(U32, "ThreadID", DEC, priority.thread_id, 0)                                \
    SLOT(U8, "OldPriority", DEC, priority.old_priority, 0)                           \
    SLOT(U8, "NewPriority", DEC, priority.new_priority, 0)
DECODE_FAST(priority_0, PRIORITY_0, priority)
static const decode_form priority_forms[] = {FORM_FAST(0, 0, priority_0, 4)};

/* ---- Images ---------------------------------------------------------------- */

static const decode_row image_0[] = {
    SLOT(PTR, "ImageBase", HEX, image.base, 0)
    SLOT(PTR, "ImageSize", HEX, image.size, 0)
    SLOT(U32, "ProcessID", DEC, image.process_id, ETWC_HAS_PROCESS_ID)
    SLOT(U32, "ImageCheckSum", HEX, image.checksum, ETWC_HAS_CHECKSUM)
    SLOT(U32, "TimeDateStamp", DEC, image.time_date_stamp, 0)
    SLOT(PTR, "DefaultBase", HEX, image.default_base, 0)
    SLOT(WZ, "ImageName", DEC, image.file_name, ETWC_HAS_NAME)
};
static const decode_form image_forms[] = {FORM(0, 0, image_0, 3)};

static const decode_opcode manifest_process_opcodes[] = {
    OPCODE(1, NAME("ProcessStart"), start_forms, PROCESS_START)
    OPCODE(2, NAME("ProcessStop"), stop_forms, PROCESS_END)
    OPCODE(3, NAME("ThreadStart"), thread_start_forms, THREAD_START)
    OPCODE(4, NAME("ThreadStop"), thread_stop_forms, THREAD_END)
    OPCODE(5, NAME("ImageLoad"), image_forms, IMAGE_LOAD)
    OPCODE(6, NAME("ImageUnload"), image_forms, IMAGE_UNLOAD)
    EVENT(7, NAME("CpuBasePriorityChange"), priority_forms, THREAD_PRIORITY,
          PRIORITY_BASE)
    EVENT(8, NAME("CpuPriorityChange"), priority_forms, THREAD_PRIORITY,
          PRIORITY_DYNAMIC)
    EVENT(9, NAME("PagePriorityChange"), priority_forms, THREAD_PRIORITY,
          PRIORITY_PAGE)
    EVENT(10, NAME("IoPriorityChange"), priority_forms, THREAD_PRIORITY, PRIORITY_IO)
    OPCODE(11, NAME("ProcessFreezeStart"), freeze_forms, OF_PROCESS)
    OPCODE(12, NAME("ProcessFreezeStop"), freeze_forms, OF_PROCESS)
    OPCODE(13, NAME("JobStart"), job_forms, NONE)
    OPCODE(14, NAME("JobTerminate"), job_forms, NONE)
    OPCODE(15, NAME("ProcessRundown"), rundown_forms, PROCESS_RUNDOWN_START)
};
CLASS(manifest_process)

/* clang-format on */
