/* Class PageFault: event-decoding, "PageFault (group 02)". */
#include "decode_walk.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define FAULT_2(ROW, SLOT, BITS)                                        \
    SLOT(PTR, "VirtualAddress", HEX, page_fault.virtual_address, 0)     \
    SLOT(PTR, "ProgramCounter", HEX, page_fault.program_counter, 0)
DECODE_FAST(fault_2, FAULT_2, page_fault)
static const decode_form fault_forms[] = {FORM_FAST(2, 2, fault_2, 1)};

#define HARD_FAULT_2(ROW, SLOT, BITS)                                   \
    SLOT(TIME, "InitialTime", DEC, hard_fault.initial_raw_time, 0)      \
    SLOT(U64, "ReadOffset", HEX, hard_fault.read_offset, 0)             \
    SLOT(PTR, "VirtualAddress", HEX, hard_fault.virtual_address, 0)     \
    SLOT(PTR, "FileObject", HEX, hard_fault.file_object, 0)             \
    SLOT(U32, "TThreadId", DEC, hard_fault.thread_id, 0)                \
    SLOT(U32, "ByteCount", DEC, hard_fault.byte_count, 0)
DECODE_FAST(hard_fault_2, HARD_FAULT_2, hard_fault)
static const decode_form hard_fault_forms[] = {FORM_FAST(2, 2, hard_fault_2, 5)};

static const decode_row session_2[] = {
    ROW(PTR, "UniqueSessionId", HEX)
    ROW(U32, "SessionId", DEC)
};
static const decode_form session_forms[] = {FORM(2, 2, session_2, 0)};

/* ---- Address space --------------------------------------------------------- */

#define VIRTUAL_2(ROW, SLOT, BITS)                                      \
    SLOT(PTR, "BaseAddress", HEX, virtual_memory.base, 0)               \
    SLOT(PTR, "RegionSize", HEX, virtual_memory.size, 0)                \
    SLOT(U32, "ProcessId", DEC, virtual_memory.process_id, 0)           \
    SLOT(U32, "Flags", ALLOC_FLAGS, virtual_memory.flags, 0)
DECODE_FAST(virtual_2, VIRTUAL_2, virtual_memory)
static const decode_form virtual_forms[] = {FORM_FAST(2, 2, virtual_2, 4)};

static const decode_row virtual_rundown_2[] = {
    VIRTUAL_2(ROW, SLOT, BITS)
    ROW(PTR, "CommitSizeInBytes", HEX)
};
static const decode_form virtual_rundown_forms[] = {FORM(2, 2, virtual_rundown_2, 0)};

static const decode_row rotate_2[] = {
    ROW(PTR, "BaseAddress", HEX)
    ROW(PTR, "SizeInBytes", HEX)
    OPTIONAL(U32, "Direction", DEC)
};
static const decode_form rotate_forms[] = {FORM(2, 2, rotate_2, 0)};

static const decode_row reset_2[] = {
    ROW(PTR, "BaseAddress", HEX)
    ROW(PTR, "SizeInBytes", HEX)
    ROW(U32, "Flags", RESET_FLAGS)
};
static const decode_form reset_forms[] = {FORM(2, 2, reset_2, 0)};

static const decode_row image_backed_2[] = {
    ROW(PTR, "FileObject", HEX)
    ROW(U32, "DeviceCharacteristics", HEX)
    ROW(U16, "FileCharacteristics", HEX)
    ROW(U16, "Flags", HEX)
};
static const decode_form image_backed_forms[] = {FORM(2, 2, image_backed_2, 0)};

/* ---- Heap ranges ----------------------------------------------------------- */

static const decode_row heap_range[] = {
    ROW(PTR, "Address", HEX)
    ROW(PTR, "Size", HEX)
};
#define HEAP_RUNDOWN            \
    ROW(PTR, "HeapHandle", HEX) \
    ROW(U32, "Flags", HEX)      \
    ROW(U32, "Pid", DEC)        \
    ROW(U32, "RangeCount", DEC)
static const decode_row heap_rundown_2[] = {
    HEAP_RUNDOWN
    STRUCTS("Ranges", heap_range, 3)
};
static const decode_row heap_rundown_3[] = {
    HEAP_RUNDOWN
    ROW(U32, "Reserved", DEC)
    STRUCTS("Ranges", heap_range, 3)
};
static const decode_row heap_rundown_4[] = {
    HEAP_RUNDOWN
    ROW(U64, "HeapTag", HEX)
    STRUCTS("Ranges", heap_range, 3)
};
static const decode_form heap_rundown_forms[] = {
    FORM(2, 2, heap_rundown_2, 0)
    FORM(3, 3, heap_rundown_3, 0)
    FORM(4, 4, heap_rundown_4, 0)
};

static const decode_row range_create_2[] = {
    ROW(PTR, "HeapHandle", HEX)
    ROW(PTR, "FirstRangeSize", HEX)
    ROW(U32, "Flags", HEX)
};
static const decode_row range_2[] = {
    ROW(PTR, "HeapHandle", HEX)
    ROW(PTR, "Address", HEX)
    ROW(PTR, "Size", HEX)
};
static const decode_row range_destroy_2[] = {ROW(PTR, "HeapHandle", HEX)};
static const decode_form range_create_forms[] = {FORM(2, 2, range_create_2, 0)};
static const decode_form range_forms[] = {FORM(2, 2, range_2, 0)};
static const decode_form range_destroy_forms[] = {FORM(2, 2, range_destroy_2, 0)};

/* ---- Machine memory, working sets ------------------------------------------ */

static const decode_row memory_info[] = {
    ROW(PTR, "ZeroPages", DEC)
    ROW(PTR, "FreePages", DEC)
    ROW(PTR, "ModifiedPages", DEC)
    ROW(PTR, "ModifiedNoWrite", DEC)
    ROW(PTR, "Bad", DEC)
    FIXED(PTR, "Standby", DEC, 8)
    FIXED(PTR, "Repurposed", DEC, 8)
    ROW(PTR, "ModifiedPageFile", DEC)
};
static const decode_form memory_info_forms[] = {FORM(0, 255, memory_info, 0)};

static const decode_row contiguous_memory[] = {
    ROW(U64, "ThreadId", DEC)
    ROW(U64, "NumberOfBytes", DEC)
};
static const decode_form contiguous_memory_forms[] = {
    FORM(0, 255, contiguous_memory, 0)
};

#define WORKING_SET(id, third)              \
    ROW(U32, id, DEC)                       \
    ROW(PTR, "WorkingSet", DEC)             \
    ROW(PTR, third, DEC)                    \
    ROW(PTR, "VirtualSize", DEC)            \
    ROW(PTR, "PrivateWorkingSet", DEC)
#define WORKING_SET_STORE           \
    ROW(PTR, "StoreSize", DEC)      \
    ROW(PTR, "StoredPages", DEC)    \
    ROW(PTR, "CommitDebt", DEC)     \
    ROW(PTR, "SharedCommit", DEC)
static const decode_row process_entry_0[] = {WORKING_SET("ProcessId", "Commit")};
static const decode_row process_entry_2[] = {
    WORKING_SET("ProcessId", "Commit")
    WORKING_SET_STORE
};
static const decode_row session_entry_0[] = {WORKING_SET("SessionId", "PagedPool")};
static const decode_row session_entry_2[] = {
    WORKING_SET("SessionId", "PagedPool")
    WORKING_SET_STORE
};
#define WORKING_SETS(entry)                                     \
    SLOT(U32, "Count", DEC, working_sets.count, 0)              \
    {.name = "WorkingSets",                                     \
     .type = DECODE_STRUCT,                                     \
     .members = entry,                                          \
     .member_count = ETWC_ARRAY_SIZE(entry),                    \
     .repeat = DECODE_COUNTED,                                  \
     .count = 0,                                                \
     DECODE_SLOT_OF(working_sets.entries, 0)},
static const decode_row working_sets_0[] = {WORKING_SETS(process_entry_0)};
static const decode_row working_sets_2[] = {WORKING_SETS(process_entry_2)};
static const decode_row session_sets_0[] = {WORKING_SETS(session_entry_0)};
static const decode_row session_sets_2[] = {WORKING_SETS(session_entry_2)};
enum { SMALL_ENTRY, LARGE_ENTRY };
static const decode_form working_sets_forms[] = {
    FORM(0, 1, working_sets_0, 2)
    FORM(2, 255, working_sets_2, 2)
};
static const decode_form session_sets_forms[] = {
    FORM(0, 1, session_sets_0, 2)
    FORM(2, 255, session_sets_2, 2)
};

/* The payload knows the size of an entry better than the version: when the other
 * size explains it to its last byte and this one does not, it is the other. */
static const decode_form *
choose_entry(const etwc_event *event, const decode_form *by_version,
             const decode_form *forms)
{
    if (event->payload_size < 4)
        return by_version;
    uint64_t count = etwc_load_u32(event->payload), bytes = event->payload_size - 4;
    size_t pointer_size = event->pointer_size == 4 ? 4 : 8;
    const decode_form *other =
        by_version == &forms[SMALL_ENTRY] ? &forms[LARGE_ENTRY] : &forms[SMALL_ENTRY];
    if (bytes == count * decode_element_size(&by_version->rows[1], pointer_size))
        return by_version;
    if (bytes == count * decode_element_size(&other->rows[1], pointer_size))
        return other;
    return by_version;
}

static const decode_form *
choose_working_sets(const etwc_event *event, const decode_form *by_version)
{
    return choose_entry(event, by_version, working_sets_forms);
}

static const decode_form *
choose_session_sets(const etwc_event *event, const decode_form *by_version)
{
    return choose_entry(event, by_version, session_sets_forms);
}

static const decode_opcode page_fault_opcodes[] = {
    OPCODE(10, "PageFault/TransitionFault", fault_forms, PAGE_FAULT)
    OPCODE(11, "PageFault/DemandZeroFault", fault_forms, PAGE_FAULT)
    OPCODE(12, "PageFault/CopyOnWrite", fault_forms, PAGE_FAULT)
    OPCODE(13, "PageFault/GuardPageFault", fault_forms, PAGE_FAULT)
    OPCODE(14, "PageFault/HardPageFault", fault_forms, PAGE_FAULT)
    OPCODE(15, "PageFault/AccessViolation", fault_forms, PAGE_FAULT)
    OPCODE(32, "PageFault/HardFault", hard_fault_forms, HARD_FAULT)
    OPCODE(75, "PageFault/SessionCreate", session_forms, NONE)
    OPCODE(76, "PageFault/SessionDCStart", session_forms, NONE)
    OPCODE(77, "PageFault/SessionDCEnd", session_forms, NONE)
    OPCODE(78, "PageFault/SessionDelete", session_forms, NONE)
    OPCODE(98, "PageFault/VirtualAlloc", virtual_forms, VIRTUAL_ALLOC)
    OPCODE(99, "PageFault/VirtualFree", virtual_forms, VIRTUAL_FREE)
    OPCODE(100, "PageFault/HeapRangeRundown", heap_rundown_forms, NONE)
    OPCODE(101, "PageFault/HeapRangeCreate", range_create_forms, NONE)
    OPCODE(102, "PageFault/HeapRangeReserve", range_forms, NONE)
    OPCODE(103, "PageFault/HeapRangeRelease", range_forms, NONE)
    OPCODE(104, "PageFault/HeapRangeDestroy", range_destroy_forms, NONE)
    OPCODE(105, "PageFault/ImageLoadBacked", image_backed_forms, NONE)
    OPCODE(112, "PageFault/MemInfo", memory_info_forms, NONE)
    OPCODE(113, "PageFault/ContiguousMemory", contiguous_memory_forms, NONE)
    OPCODE_CHOOSE(125, "PageFault/MemInfoWS", working_sets_forms, MEMORY_WORKING_SETS,
                  choose_working_sets)
    OPCODE_CHOOSE(126, "PageFault/MemInfoSessionWS", session_sets_forms, NONE,
                  choose_session_sets)
    OPCODE(127, "PageFault/Rotate", rotate_forms, NONE)
    OPCODE(128, "PageFault/VirtualAllocDCStart", virtual_rundown_forms, NONE)
    OPCODE(129, "PageFault/VirtualAllocDCEnd", virtual_rundown_forms, NONE)
    OPCODE(134, "PageFault/MemReset", reset_forms, NONE)
};

CLASS(page_fault)

/* ---- Microsoft-Windows-Kernel-Memory --------------------------------------- */

#define NAME(event) "Microsoft-Windows-Kernel-Memory/" event

static const decode_row manifest_info_1[] = {
    ROW(U8, "PriorityLevels", DEC)
    ROW(PTR, "ZeroPageCount", DEC)
    ROW(PTR, "FreePageCount", DEC)
    ROW(PTR, "ModifiedPageCount", DEC)
    ROW(PTR, "ModifiedNoWritePageCount", DEC)
    ROW(PTR, "BadPageCount", DEC)
    COUNTED(PTR, "StandbyPageCounts", DEC, 0)
    COUNTED(PTR, "RepurposedPageCounts", DEC, 0)
    ROW(PTR, "ModifiedPageCountPageFile", DEC)
    ROW(PTR, "PagedPoolPageCount", DEC)
    ROW(PTR, "NonPagedPoolPageCount", DEC)
    ROW(PTR, "MdlPageCount", DEC)
    ROW(PTR, "CommitPageCount", DEC)
};
static const decode_form manifest_info_forms[] = {FORM(1, 1, manifest_info_1, 0)};

/* Working sets that are written to and read from the page file as a whole. */
#define SWAPPED_ID SLOT(U32, "ProcessId", DEC, subject.process_id, 0)
static const decode_row swap_begin_0[] = {SWAPPED_ID};
static const decode_row swap_begin_1[] = {SWAPPED_ID ROW(U32, "Flags", HEX)};
static const decode_row out_swap_end_0[] = {
    SWAPPED_ID
    ROW(U32, "Status", STATUS)
    ROW(U32, "PagesProcessed", DEC)
};
static const decode_row out_swap_end_1[] = {
    SWAPPED_ID
    ROW(U32, "Status", STATUS)
    ROW(PTR, "PagesProcessed", DEC)
    ROW(PTR, "WriteCombinePagesProcessed", DEC)
    ROW(PTR, "UncachedPagesProcessed", DEC)
    ROW(PTR, "CleanPagesProcessed", DEC)
};
static const decode_row in_swap_end_0[] = {SWAPPED_ID ROW(U32, "Status", STATUS)};
static const decode_form swap_begin_forms[] = {
    FORM(0, 0, swap_begin_0, 1)
    FORM(1, 1, swap_begin_1, 1)
};
static const decode_form out_swap_end_forms[] = {
    FORM(0, 0, out_swap_end_0, 1)
    FORM(1, 1, out_swap_end_1, 1)
};
static const decode_form in_swap_end_forms[] = {FORM(0, 0, in_swap_end_0, 1)};

static const decode_opcode manifest_memory_opcodes[] = {
    OPCODE(1, NAME("MemInfo"), manifest_info_forms, NONE)
    OPCODE_CHOOSE(2, NAME("MemInfoWS"), working_sets_forms, MEMORY_WORKING_SETS,
                  choose_working_sets)
    OPCODE_CHOOSE(3, NAME("MemInfoSessionWS"), session_sets_forms, NONE,
                  choose_session_sets)
    OPCODE(4, NAME("WorkingSetOutSwapStart"), swap_begin_forms, OF_PROCESS)
    OPCODE(5, NAME("WorkingSetOutSwapStop"), out_swap_end_forms, OF_PROCESS)
    OPCODE(6, NAME("WorkingSetInSwapStart"), swap_begin_forms, OF_PROCESS)
    OPCODE(7, NAME("WorkingSetInSwapStop"), in_swap_end_forms, OF_PROCESS)
    OPCODE(9, NAME("WorkingSetInSwap"), in_swap_end_forms, OF_PROCESS)
};
CLASS(manifest_memory)

/* clang-format on */
