/* Class FileIo: event-decoding, "FileIo (group 04)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define FILE_SLOT(SLOT, type, name, view, member) SLOT(type, name, view, file.member, 0)
#define FILE_IRP(SLOT) FILE_SLOT(SLOT, PTR, "IrpPtr", HEX, irp)
#define FILE_OBJECT(SLOT) FILE_SLOT(SLOT, PTR, "FileObject", HEX, file_object)
#define FILE_KEY(SLOT) FILE_SLOT(SLOT, PTR, "FileKey", HEX, file_key)
#define FILE_EXTRA(SLOT) FILE_SLOT(SLOT, PTR, "ExtraInfo", HEX, extra_info)
#define FILE_THREAD(SLOT, type) \
    SLOT(type, "TTID", DEC, file.thread_id, ETWC_HAS_THREAD_ID)
/* Version 2: the thread is pointer-sized and second; version 3: a u32, later. */
#define FILE_HEAD_2(SLOT) FILE_IRP(SLOT) FILE_THREAD(SLOT, PTR) FILE_OBJECT(SLOT)
#define FILE_HEAD_3(SLOT) FILE_IRP(SLOT) FILE_OBJECT(SLOT)

/* ---- Names, mappings ------------------------------------------------------- */

static const decode_row name_0[] = {
    FILE_OBJECT(SLOT)
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
};
static const decode_form name_forms[] = {FORM(0, 3, name_0, 2)};

#define MAP_HEAD                    \
    ROW(PTR, "ViewBase", HEX)       \
    ROW(PTR, "FileObject", HEX)     \
    ROW(U64, "MiscInfo", HEX)       \
    ROW(PTR, "ViewSize", HEX)
static const decode_row map_2[] = {
    MAP_HEAD
    SLOT(U32, "ProcessId", DEC, subject.process_id, 0)
};
static const decode_row map_3[] = {
    MAP_HEAD
    ROW(U64, "ByteOffset", HEX)
    SLOT(U32, "ProcessId", DEC, subject.process_id, 0)
};
static const decode_form map_forms[] = {FORM(2, 2, map_2, 5) FORM(3, 3, map_3, 6)};

/* ---- Operations: by handle ------------------------------------------------- */

#define CREATE_TAIL                         \
    ROW(U32, "CreateOptions", HEX)          \
    ROW(U32, "FileAttributes", HEX)         \
    ROW(U32, "ShareAccess", HEX)            \
    SLOT(WZ, "OpenPath", DEC, file.name, ETWC_HAS_NAME)
static const decode_row create_2[] = {FILE_HEAD_2(SLOT) CREATE_TAIL};
static const decode_row create_3[] = {
    FILE_HEAD_3(SLOT)
    FILE_THREAD(SLOT, U32)
    CREATE_TAIL
};
static const decode_form create_forms[] = {
    FORM(2, 2, create_2, 1)
    FORM(3, 3, create_3, 1)
};

#define SIMPLE_2(ROW, SLOT, BITS) FILE_HEAD_2(SLOT) FILE_KEY(SLOT)
#define SIMPLE_3(ROW, SLOT, BITS) \
    FILE_HEAD_3(SLOT) FILE_KEY(SLOT) FILE_THREAD(SLOT, U32)
DECODE_FAST(simple_2, SIMPLE_2, file)
DECODE_FAST(simple_3, SIMPLE_3, file)
static const decode_form simple_forms[] = {
    FORM_FAST(2, 2, simple_2, 1)
    FORM_FAST(3, 3, simple_3, 1)
};

#define TRANSFER_OFFSET(SLOT) FILE_SLOT(SLOT, U64, "Offset", HEX, offset)
#define TRANSFER_TAIL(ROW, SLOT)                        \
    FILE_SLOT(SLOT, U32, "IoSize", DEC, io_size)        \
    ROW(U32, "IoFlags", HEX)
#define TRANSFER_2(ROW, SLOT, BITS) \
    TRANSFER_OFFSET(SLOT) FILE_HEAD_2(SLOT) FILE_KEY(SLOT) TRANSFER_TAIL(ROW, SLOT)
#define TRANSFER_3(ROW, SLOT, BITS)                                         \
    TRANSFER_OFFSET(SLOT) FILE_HEAD_3(SLOT) FILE_KEY(SLOT)                  \
    FILE_THREAD(SLOT, U32) TRANSFER_TAIL(ROW, SLOT)
DECODE_FAST(transfer_2, TRANSFER_2, file)
DECODE_FAST_CODE(transfer_3, TRANSFER_3, file)
static const decode_row transfer_extra_rows[] = {
    TRANSFER_3(ROW, SLOT, BITS)
    OPTIONAL(U32, "ExtraFlags", HEX)
};
/* With the extra flags it is read by rows. */
#define transfer_extra_fast transfer_3_fast
enum { TRANSFER_REQUIRED = 5 };
static const decode_form transfer_forms[] = {
    FORM_FAST(2, 2, transfer_2, TRANSFER_REQUIRED)
    FORM_FAST(3, 3, transfer_extra, TRANSFER_REQUIRED)
};

#define INFO_2(ROW, SLOT, BITS) \
    FILE_HEAD_2(SLOT) FILE_KEY(SLOT) FILE_EXTRA(SLOT) ROW(U32, "InfoClass", DEC)
#define INFO_3(ROW, SLOT, BITS)                             \
    FILE_HEAD_3(SLOT) FILE_KEY(SLOT) FILE_EXTRA(SLOT)       \
    FILE_THREAD(SLOT, U32) ROW(U32, "InfoClass", DEC)
DECODE_FAST(info_2, INFO_2, file)
DECODE_FAST(info_3, INFO_3, file)
static const decode_form info_forms[] = {
    FORM_FAST(2, 2, info_2, 1)
    FORM_FAST(3, 3, info_3, 1)
};

#define DIRECTORY_TAIL              \
    ROW(U32, "Length", DEC)         \
    ROW(U32, "InfoClass", DEC)      \
    ROW(U32, "FileIndex", DEC)      \
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
static const decode_row directory_2[] = {
    FILE_HEAD_2(SLOT) FILE_KEY(SLOT)
    DIRECTORY_TAIL
};
static const decode_row directory_3[] = {
    FILE_HEAD_3(SLOT) FILE_KEY(SLOT) FILE_THREAD(SLOT, U32)
    DIRECTORY_TAIL
};
static const decode_form directory_forms[] = {
    FORM(2, 2, directory_2, 1)
    FORM(3, 3, directory_3, 1)
};

#define END_2(ROW, SLOT, BITS)              \
    FILE_IRP(SLOT) FILE_EXTRA(SLOT)         \
    FILE_SLOT(SLOT, U32, "NtStatus", STATUS, nt_status)
DECODE_FAST(end_2, END_2, file)
static const decode_form end_forms[] = {FORM_FAST(2, 3, end_2, 2)};

static const decode_row path_3[] = {
    INFO_3(ROW, SLOT, BITS)
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
};
static const decode_form path_forms[] = {FORM(3, 3, path_3, 1)};

/* ---- Filter drivers -------------------------------------------------------- */

#define FILTER_3                        \
    ROW(PTR, "RoutineAddr", HEX)        \
    ROW(PTR, "FileObject", HEX)         \
    ROW(PTR, "FileContext", HEX)        \
    ROW(PTR, "IrpPtr", HEX)             \
    ROW(PTR, "CallbackDataPtr", HEX)    \
    ROW(U32, "MajorFunction", DEC)
static const decode_row filter_init_3[] = {FILTER_3};
static const decode_row filter_end_3[] = {ROW(TIME, "InitialTime", DEC) FILTER_3};
static const decode_row filter_fail_3[] = {FILTER_3 ROW(U32, "Status", STATUS)};
static const decode_form filter_init_forms[] = {FORM(3, 3, filter_init_3, 0)};
static const decode_form filter_end_forms[] = {FORM(3, 3, filter_end_3, 0)};
static const decode_form filter_fail_forms[] = {FORM(3, 3, filter_fail_3, 0)};

static const decode_opcode file_io_opcodes[] = {
    OPCODE(0, "FileIo/Name", name_forms, FILE_NAME)
    OPCODE(32, "FileIo/FileCreate", name_forms, FILE_NAME)
    OPCODE(35, "FileIo/FileDelete", name_forms, FILE_NAME)
    OPCODE(36, "FileIo/FileRundown", name_forms, FILE_NAME)
    OPCODE(37, "FileIo/MapFile", map_forms, OF_PROCESS)
    OPCODE(38, "FileIo/UnmapFile", map_forms, OF_PROCESS)
    OPCODE(39, "FileIo/MapFileDCStart", map_forms, OF_PROCESS)
    OPCODE(40, "FileIo/MapFileDCEnd", map_forms, OF_PROCESS)
    OPCODE(64, "FileIo/Create", create_forms, FILE_OTHER)
    OPCODE(65, "FileIo/Cleanup", simple_forms, FILE_OTHER)
    OPCODE(66, "FileIo/Close", simple_forms, FILE_OTHER)
    OPCODE(67, "FileIo/Read", transfer_forms, FILE_READ)
    OPCODE(68, "FileIo/Write", transfer_forms, FILE_WRITE)
    OPCODE(69, "FileIo/SetInfo", info_forms, FILE_OTHER)
    OPCODE(70, "FileIo/Delete", info_forms, FILE_OTHER)
    OPCODE(71, "FileIo/Rename", info_forms, FILE_OTHER)
    OPCODE(72, "FileIo/DirEnum", directory_forms, FILE_OTHER)
    OPCODE(73, "FileIo/Flush", simple_forms, FILE_OTHER)
    OPCODE(74, "FileIo/QueryInfo", info_forms, FILE_OTHER)
    OPCODE(75, "FileIo/FSControl", info_forms, FILE_OTHER)
    OPCODE(76, "FileIo/OperationEnd", end_forms, FILE_END)
    OPCODE(77, "FileIo/DirNotify", directory_forms, FILE_OTHER)
    OPCODE(79, "FileIo/DeletePath", path_forms, FILE_OTHER)
    OPCODE(80, "FileIo/RenamePath", path_forms, FILE_OTHER)
    OPCODE(81, "FileIo/SetLinkPath", path_forms, FILE_OTHER)
    OPCODE(82, "FileIo/SetLink", info_forms, FILE_OTHER)
    OPCODE(96, "FileIo/PreOperationInit", filter_init_forms, NONE)
    OPCODE(97, "FileIo/PostOperationInit", filter_init_forms, NONE)
    OPCODE(98, "FileIo/PreOperationCompletion", filter_end_forms, NONE)
    OPCODE(99, "FileIo/PostOperationCompletion", filter_end_forms, NONE)
    OPCODE(100, "FileIo/PreOperationFailure", filter_fail_forms, NONE)
    OPCODE(101, "FileIo/PostOperationFailure", filter_fail_forms, NONE)
};

CLASS(file_io)

/* clang-format on */
