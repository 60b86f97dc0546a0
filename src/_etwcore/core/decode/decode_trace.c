/* Classes EventTrace, StackWalk and LostEvent: event-decoding, 3.1 and 3.6. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- EventTrace ------------------------------------------------------------ */

/* The header event. Its pointers are those of the record header, as everywhere;
 * the two in it have not been addresses since Windows 7. */
static const decode_row header_0[] = {
    ROW(U32, "BufferSize", DEC)
    ROW(U32, "Version", HEX)
    ROW(U32, "ProviderVersion", DEC)
    ROW(U32, "NumberOfProcessors", DEC)
    ROW(FILETIME, "EndTime", DEC)
    ROW(U32, "TimerResolution", DEC)
    ROW(U32, "MaxFileSize", DEC)
    ROW(U32, "LogFileMode", HEX)
    ROW(U32, "BuffersWritten", DEC)
    ROW(U32, "StartBuffers", DEC)
    ROW(U32, "PointerSize", DEC)
    ROW(U32, "EventsLost", DEC)
    ROW(U32, "CPUSpeed", DEC)
    ROW(PTR, "LoggerName", HEX)
    ROW(PTR, "LogFileName", HEX)
    ROW(I32, "TimeZoneBiasMinutes", DEC)
    FIXED(WC, "TimeZoneStandardName", DEC, 32)
    PADDING(20) /* start of standard time, its bias */
    FIXED(WC, "TimeZoneDaylightName", DEC, 32)
    PADDING(20)
    PADDING(4)
    ROW(FILETIME, "BootTime", DEC)
    ROW(I64, "PerfFreq", DEC)
    ROW(FILETIME, "StartTime", DEC)
    ROW(U32, "ReservedFlags", DEC)
    ROW(U32, "BuffersLost", DEC)
    ROW(WZ, "SessionNameString", DEC)
    ROW(WZ, "LogFileNameString", DEC)
};
static const decode_form header_forms[] = {FORM(0, 2, header_0, 0)};

#define MASK(n, i) SLOT(U32, "GroupMask" #n, HEX, group_masks.masks[i], 0)
#define MASKS \
    MASK(1, 0) MASK(2, 1) MASK(3, 2) MASK(4, 3) \
    MASK(5, 4) MASK(6, 5) MASK(7, 6) MASK(8, 7)
static const decode_row masks_0[] = {MASKS};
static const decode_row masks_2[] = {MASKS ROW(U32, "KernelEventVersion", DEC)};
static const decode_form masks_forms[] = {
    FORM(0, 1, masks_0, 8)
    FORM(2, 2, masks_2, 8)
};

static const decode_form empty_forms[] = {FORM_EMPTY(0, 2)};

static const decode_row debug_id_2[] = {
    ROW(GUID, "Guid", DEC)
    ROW(U32, "Age", DEC)
    ROW(AZ, "PdbName", DEC)
};
static const decode_form debug_id_forms[] = {FORM(2, 2, debug_id_2, 0)};

static const decode_row build_lab_2[] = {ROW(AZ, "BuildString", DEC)};
static const decode_form build_lab_forms[] = {FORM(2, 2, build_lab_2, 0)};

static const decode_row binaries_2[] = {
    ROW(U32, "GuidCount", DEC)
    COUNTED(GUID, "Guid", DEC, 0)
    ROW(WZ, "BinaryPath", DEC)
};
static const decode_form binaries_forms[] = {FORM(2, 2, binaries_2, 0)};

#define PARTITION                       \
    ROW(U16, "EventVersion", DEC)       \
    ROW(U16, "Reserved", DEC)           \
    ROW(U32, "PartitionType", DEC)      \
    ROW(I64, "QpcOffsetFromRoot", DEC)
static const decode_row partition_guids[] = {
    PARTITION
    ROW(GUID, "PartitionId", DEC)
    ROW(GUID, "ParentId", DEC)
};
static const decode_row partition_strings[] = {
    PARTITION
    ROW(WZ, "PartitionId", DEC)
    ROW(WZ, "ParentId", DEC)
};
/* The second layout has the same version: only the payload tells. */
static const decode_form partition_forms[] = {FORM(2, 2, partition_guids, 0)};
static const decode_form partition_string_forms[] = {FORM(2, 2, partition_strings, 0)};
enum { PARTITION_WITH_STRINGS = 2 };

static const decode_form *
choose_partition(const etwc_event *event, const decode_form *by_version)
{
    if (event->payload_size >= 2 &&
        etwc_load_u16(event->payload) == PARTITION_WITH_STRINGS)
        return partition_string_forms;
    return by_version;
}

static const decode_row dropped_times_2[] = {
    ROW(U32, "Count", DEC)
    ROW(U32, "Padding", DEC)
    COUNTED(U64, "TimeStamp", DEC, 0)
};
static const decode_form dropped_times_forms[] = {FORM(2, 2, dropped_times_2, 0)};

static const decode_opcode event_trace_opcodes[] = {
    OPCODE(0, "EventTrace/Header", header_forms, NONE)
    OPCODE(5, "EventTrace/Extension", masks_forms, GROUP_MASKS)
    OPCODE(8, "EventTrace/RDComplete", empty_forms, NONE)
    OPCODE(32, "EventTrace/EndExtension", masks_forms, GROUP_MASKS)
    OPCODE(48, "EventTrace/RundownBegin", empty_forms, NONE)
    OPCODE(49, "EventTrace/RundownEnd", empty_forms, NONE)
    OPCODE(64, "EventTrace/DbgId", debug_id_forms, NONE)
    OPCODE(66, "EventTrace/BuildInfo", build_lab_forms, NONE)
    OPCODE(67, "EventTrace/ProviderBinaries", binaries_forms, NONE)
    OPCODE_CHOOSE(80, "EventTrace/PartitionInfo", partition_forms, NONE,
                  choose_partition)
    OPCODE(82, "EventTrace/LastDroppedTimes", dropped_times_forms, NONE)
};
CLASS(event_trace)

/* ---- StackWalk ------------------------------------------------------------- */

#define STACK_HEAD                                              \
    SLOT(U64, "EventTimeStamp", DEC, stack.event_raw_time, 0)   \
    SLOT(U32, "StackProcess", DEC, stack.process_id, 0)         \
    SLOT(U32, "StackThread", DEC, stack.thread_id, 0)
#define STACK_KEY SLOT(PTR, "StackKey", HEX, stack.key, 0)
#define STACK_FRAMES REST_SLOT(PTR, "Stack", HEX, stack.frames)

static const decode_row stack_2[] = {STACK_HEAD STACK_FRAMES};
static const decode_row definition_2[] = {STACK_KEY STACK_FRAMES};
static const decode_row reference_2[] = {STACK_HEAD STACK_KEY};
static const decode_form stack_forms[] = {FORM(2, 2, stack_2, 3)};
static const decode_form definition_forms[] = {FORM(2, 2, definition_2, 1)};
static const decode_form reference_forms[] = {FORM(2, 2, reference_2, 4)};

static const decode_opcode stack_walk_opcodes[] = {
    OPCODE(32, "StackWalk/Stack", stack_forms, STACK)
    OPCODE(34, "StackWalk/KeyCreate", definition_forms, STACK_DEFINITION)
    OPCODE(35, "StackWalk/KeyDelete", definition_forms, STACK_DEFINITION)
    OPCODE(36, "StackWalk/KeyRundown", definition_forms, STACK_DEFINITION)
    OPCODE(37, "StackWalk/KeyKernel", reference_forms, STACK_KEY)
    OPCODE(38, "StackWalk/KeyUser", reference_forms, STACK_KEY)
};
CLASS(stack_walk)

/* ---- LostEvent ------------------------------------------------------------- */

static const decode_form lost_forms[] = {FORM_EMPTY(0, 255)};

static const decode_opcode lost_event_opcodes[] = {
    OPCODE(32, "LostEvent/Event", lost_forms, LOST)
    OPCODE(33, "LostEvent/Buffer", lost_forms, LOST)
    OPCODE(34, "LostEvent/File", lost_forms, LOST)
};
CLASS(lost_event)

/* clang-format on */
