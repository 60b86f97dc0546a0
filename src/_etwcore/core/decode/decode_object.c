/* Classes Object, Pool, ALPC, DbgPrint, UMS and Power: event-decoding, 3.12. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

/* ---- Object ---------------------------------------------------------------- */

#define HANDLE_OBJECT(SLOT) SLOT(PTR, "Object", HEX, handle.object, 0)
#define HANDLE_TYPE(SLOT) SLOT(U16, "ObjectType", DEC, handle.object_type, 0)

#define HANDLE_2(ROW, SLOT, BITS)                       \
    HANDLE_OBJECT(SLOT)                                 \
    SLOT(U32, "Handle", HEX, handle.handle, 0)          \
    HANDLE_TYPE(SLOT)
#define DUPLICATE_2(ROW, SLOT, BITS)                                            \
    HANDLE_OBJECT(SLOT)                                                         \
    SLOT(U32, "SourceHandle", HEX, handle.source_handle, 0)                     \
    SLOT(U32, "TargetHandle", HEX, handle.handle, 0)                            \
    SLOT(U32, "TargetProcessId", DEC, handle.process_id, ETWC_HAS_PROCESS_ID)   \
    HANDLE_TYPE(SLOT)                                                           \
    SLOT(U32, "SourceProcessId", DEC, handle.source_process_id, 0)
DECODE_FAST_CODE(handle_2, HANDLE_2, handle)
DECODE_FAST(duplicate_2, DUPLICATE_2, handle)

/* The name is there only sometimes; then the rows read it. */
static const decode_row handle_named_rows[] = {
    HANDLE_2(ROW, SLOT, BITS)
    OPTIONAL(WZ, "ObjectName", DEC)
};
#define handle_named_fast handle_2_fast
static const decode_form handle_forms[] = {FORM_FAST(2, 2, handle_named, 3)};
static const decode_form duplicate_forms[] = {FORM_FAST(2, 2, duplicate_2, 5)};

static const decode_row handle_rundown_2[] = {
    HANDLE_OBJECT(SLOT)
    SLOT(U32, "ProcessId", DEC, handle.process_id, ETWC_HAS_PROCESS_ID)
    SLOT(U32, "Handle", HEX, handle.handle, 0)
    HANDLE_TYPE(SLOT)
    OPTIONAL(WZ, "ObjectName", DEC)
};
static const decode_form handle_rundown_forms[] = {FORM(2, 2, handle_rundown_2, 4)};

static const decode_row type_rundown_2[] = {
    SLOT(U16, "ObjectType", DEC, object_type.type, 0)
    ROW(U16, "Reserved", DEC)
    SLOT(WZ, "TypeName", DEC, object_type.name, ETWC_HAS_NAME)
};
static const decode_row object_2[] = {
    ROW(PTR, "Object", HEX)
    ROW(U16, "ObjectType", DEC)
};
static const decode_row reference_2[] = {
    ROW(PTR, "Object", HEX)
    ROW(U32, "Tag", TAG)
    ROW(U32, "Count", DEC)
};
static const decode_form type_rundown_forms[] = {FORM(2, 2, type_rundown_2, 3)};
static const decode_form object_forms[] = {FORM(2, 2, object_2, 0)};
static const decode_form reference_forms[] = {FORM(2, 2, reference_2, 0)};

static const decode_opcode object_opcodes[] = {
    OPCODE(32, "Object/CreateHandle", handle_forms, HANDLE_CREATE)
    OPCODE(33, "Object/CloseHandle", handle_forms, HANDLE_CLOSE)
    OPCODE(34, "Object/DuplicateHandle", duplicate_forms, HANDLE_DUPLICATE)
    OPCODE(36, "Object/TypeDCStart", type_rundown_forms, OBJECT_TYPE)
    OPCODE(37, "Object/TypeDCEnd", type_rundown_forms, OBJECT_TYPE)
    OPCODE(38, "Object/HandleDCStart", handle_rundown_forms, HANDLE_RUNDOWN)
    OPCODE(39, "Object/HandleDCEnd", handle_rundown_forms, HANDLE_RUNDOWN)
    OPCODE(48, "Object/Create", object_forms, NONE)
    OPCODE(49, "Object/Delete", object_forms, NONE)
    OPCODE(50, "Object/Reference", reference_forms, NONE)
    OPCODE(51, "Object/Dereference", reference_forms, NONE)
};
CLASS(object)

/* ---- Pool ------------------------------------------------------------------ */

#define POOL_2                      \
    ROW(U32, "Type", POOL_TYPE)     \
    ROW(U32, "Tag", TAG)            \
    ROW(PTR, "NumberOfBytes", DEC)  \
    ROW(PTR, "Entry", HEX)
static const decode_row pool_2[] = {POOL_2};
static const decode_row pool_session_2[] = {POOL_2 ROW(U32, "SessionId", DEC)};
static const decode_form pool_forms[] = {FORM(2, 2, pool_2, 0)};
static const decode_form pool_session_forms[] = {FORM(2, 2, pool_session_2, 0)};

#define POOL_RAW(n) OPCODE_RAW(n, "Pool/PagesOrSnapshot")
static const decode_opcode pool_opcodes[] = {
    OPCODE(32, "Pool/Alloc", pool_forms, NONE)
    OPCODE(33, "Pool/SessionAlloc", pool_session_forms, NONE)
    OPCODE(34, "Pool/Free", pool_forms, NONE)
    OPCODE(35, "Pool/SessionFree", pool_session_forms, NONE)
    POOL_RAW(36) POOL_RAW(37) POOL_RAW(38) POOL_RAW(39) POOL_RAW(40) POOL_RAW(41)
    POOL_RAW(42) POOL_RAW(43) POOL_RAW(44) POOL_RAW(45) POOL_RAW(46) POOL_RAW(47)
};
CLASS(pool)

/* ---- ALPC, DbgPrint, UMS, Power -------------------------------------------- */

static const decode_row message_2[] = {ROW(U32, "MessageID", DEC)};
static const decode_row wait_message_2[] = {
    ROW(U32, "IsServerPort", DEC)
    ROW(WZ, "PortName", DEC)
};
static const decode_row unwait_2[] = {ROW(U32, "Status", STATUS)};
static const decode_form message_forms[] = {FORM(2, 2, message_2, 0)};
static const decode_form wait_message_forms[] = {FORM(2, 2, wait_message_2, 0)};
static const decode_form unwait_forms[] = {FORM(2, 2, unwait_2, 0)};

static const decode_opcode alpc_opcodes[] = {
    OPCODE(33, "ALPC/SendMessage", message_forms, NONE)
    OPCODE(34, "ALPC/ReceiveMessage", message_forms, NONE)
    OPCODE(35, "ALPC/WaitForReply", message_forms, NONE)
    OPCODE(36, "ALPC/WaitForNewMessage", wait_message_forms, NONE)
    OPCODE(37, "ALPC/Unwait", unwait_forms, NONE)
};
CLASS(alpc)

static const decode_row print_2[] = {
    ROW(U32, "Component", DEC)
    ROW(U32, "Level", DEC)
    ROW(AZ, "Message", DEC)
};
static const decode_form print_forms[] = {FORM(2, 2, print_2, 0)};

static const decode_opcode dbg_print_opcodes[] = {
    OPCODE(32, "DbgPrint/Print", print_forms, NONE)
};
CLASS(dbg_print)

static const decode_row ums_switch_2[] = {
    ROW(U32, "Process", DEC)
    ROW(U32, "Scheduled", DEC)
    ROW(U32, "Primary", DEC)
    ROW(U32, "Flags", HEX)
};
static const decode_row ums_park_2[] = {
    ROW(U32, "Process", DEC)
    ROW(U32, "Scheduled", DEC)
    ROW(U32, "Flags", HEX)
};
static const decode_row ums_disassociate_2[] = {
    ROW(U32, "Process", DEC)
    ROW(U32, "Scheduled", DEC)
    ROW(U32, "Primary", DEC)
    ROW(U32, "ApcFlags", HEX)
    ROW(U32, "Status", STATUS)
};
static const decode_row ums_yields_2[] = {
    ROW(U32, "Scheduled", DEC)
    ROW(U32, "Switches", DEC)
    ROW(U32, "KernelYields", DEC)
    ROW(U32, "MixedYields", DEC)
    ROW(U32, "Yields", DEC)
};
static const decode_form ums_switch_forms[] = {FORM(2, 2, ums_switch_2, 0)};
static const decode_form ums_park_forms[] = {FORM(2, 2, ums_park_2, 0)};
static const decode_form ums_disassociate_forms[] = {FORM(2, 2, ums_disassociate_2, 0)};
static const decode_form ums_yields_forms[] = {FORM(2, 2, ums_yields_2, 0)};

static const decode_opcode ums_opcodes[] = {
    OPCODE(32, "UMS/DirectedSwitchStart", ums_switch_forms, NONE)
    OPCODE(33, "UMS/DirectedSwitchEnd", ums_switch_forms, NONE)
    OPCODE(34, "UMS/Park", ums_park_forms, NONE)
    OPCODE(35, "UMS/Disassociate", ums_disassociate_forms, NONE)
    OPCODE(36, "UMS/ContextSwitch", ums_yields_forms, NONE)
};
CLASS(ums)

static const decode_row idle_latency_2[] = {
    ROW(U32, "PlatformState", DEC)
    ROW(U32, "ProcessorState", DEC)
    ROW(U32, "ReturnLatency", DEC)
    ROW(U32, "TotalLatency", DEC)
};
static const decode_form idle_latency_forms[] = {FORM(2, 2, idle_latency_2, 0)};

static const decode_opcode power_opcodes[] = {
    OPCODE(60, "Power/IdleExitLatency", idle_latency_forms, NONE)
};
CLASS(power)

/* clang-format on */
