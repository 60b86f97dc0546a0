/* Microsoft-Windows-Kernel-File: event-decoding, "Others" of the manifest providers.
 * The operations of class FileIo, with names of their own. */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define NAME(event) "Microsoft-Windows-Kernel-File/" event

#define IRP(SLOT) SLOT(PTR, "Irp", HEX, file.irp, 0)
#define OBJECT(SLOT) SLOT(PTR, "FileObject", HEX, file.file_object, 0)
#define KEY(SLOT) SLOT(PTR, "FileKey", HEX, file.file_key, 0)
#define EXTRA(SLOT) SLOT(PTR, "ExtraInformation", HEX, file.extra_info, 0)
/* Version 0: the thread is pointer-sized and second; version 1: a u32, later. */
#define HEAD_0(SLOT)                                                        \
    IRP(SLOT)                                                               \
    SLOT(PTR, "ThreadId", DEC, file.thread_id, ETWC_HAS_THREAD_ID)          \
    OBJECT(SLOT)
#define THREAD_1(SLOT) \
    SLOT(U32, "IssuingThreadId", DEC, file.thread_id, ETWC_HAS_THREAD_ID)

static const decode_row name_0[] = {
    SLOT(PTR, "FileKey", HEX, file.file_object, 0) /* as in class FileIo */
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
};
static const decode_form name_forms[] = {FORM(0, 0, name_0, 2)};

#define CREATE_TAIL                         \
    ROW(U32, "CreateOptions", HEX)          \
    ROW(U32, "CreateAttributes", HEX)       \
    ROW(U32, "ShareAccess", HEX)            \
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
static const decode_row create_0[] = {HEAD_0(SLOT) CREATE_TAIL};
static const decode_row create_1[] = {
    IRP(SLOT) OBJECT(SLOT) THREAD_1(SLOT) CREATE_TAIL
};
static const decode_form create_forms[] = {
    FORM(0, 0, create_0, 1)
    FORM(1, 1, create_1, 1)
};

#define SIMPLE_0(ROW, SLOT, BITS) HEAD_0(SLOT) KEY(SLOT)
#define SIMPLE_1(ROW, SLOT, BITS) IRP(SLOT) OBJECT(SLOT) KEY(SLOT) THREAD_1(SLOT)
DECODE_FAST(simple_0, SIMPLE_0, file)
DECODE_FAST(simple_1, SIMPLE_1, file)
static const decode_form simple_forms[] = {
    FORM_FAST(0, 0, simple_0, 1)
    FORM_FAST(1, 1, simple_1, 1)
};

#define OFFSET(SLOT) SLOT(U64, "ByteOffset", HEX, file.offset, 0)
#define TRANSFER_TAIL(ROW, SLOT)                    \
    SLOT(U32, "IOSize", DEC, file.io_size, 0)       \
    ROW(U32, "IOFlags", HEX)
#define TRANSFER_0(ROW, SLOT, BITS) \
    OFFSET(SLOT) HEAD_0(SLOT) KEY(SLOT) TRANSFER_TAIL(ROW, SLOT)
#define TRANSFER_1(ROW, SLOT, BITS)                                 \
    OFFSET(SLOT) IRP(SLOT) OBJECT(SLOT) KEY(SLOT) THREAD_1(SLOT)    \
    TRANSFER_TAIL(ROW, SLOT) ROW(U32, "ExtraFlags", HEX)
DECODE_FAST(transfer_0, TRANSFER_0, file)
DECODE_FAST(transfer_1, TRANSFER_1, file)
enum { TRANSFER_REQUIRED = 5 };
static const decode_form transfer_forms[] = {
    FORM_FAST(0, 0, transfer_0, TRANSFER_REQUIRED)
    FORM_FAST(1, 1, transfer_1, TRANSFER_REQUIRED)
};

#define INFO_0(ROW, SLOT, BITS) \
    HEAD_0(SLOT) KEY(SLOT) EXTRA(SLOT) ROW(U32, "InfoClass", DEC)
#define INFO_1(ROW, SLOT, BITS)                     \
    IRP(SLOT) OBJECT(SLOT) KEY(SLOT) EXTRA(SLOT)    \
    THREAD_1(SLOT) ROW(U32, "InfoClass", DEC)
DECODE_FAST(info_0, INFO_0, file)
DECODE_FAST(info_1, INFO_1, file)
static const decode_form info_forms[] = {
    FORM_FAST(0, 0, info_0, 1)
    FORM_FAST(1, 1, info_1, 1)
};
static const decode_form later_info_forms[] = { /* not in version 0 */
    FORM_FAST(1, 1, info_1, 1)
};

#define DIRECTORY_TAIL              \
    ROW(U32, "Length", DEC)         \
    ROW(U32, "InfoClass", DEC)      \
    ROW(U32, "FileIndex", DEC)      \
    SLOT(WZ, "FileName", DEC, file.name, ETWC_HAS_NAME)
static const decode_row directory_0[] = {HEAD_0(SLOT) KEY(SLOT) DIRECTORY_TAIL};
static const decode_row directory_1[] = {SIMPLE_1(ROW, SLOT, BITS) DIRECTORY_TAIL};
static const decode_form directory_forms[] = {
    FORM(0, 0, directory_0, 1)
    FORM(1, 1, directory_1, 1)
};

#define END_0(ROW, SLOT, BITS) \
    IRP(SLOT) EXTRA(SLOT) SLOT(U32, "Status", STATUS, file.nt_status, 0)
DECODE_FAST(end_0, END_0, file)
static const decode_form end_forms[] = {FORM_FAST(0, 0, end_0, 2)};

#define PATH_TAIL SLOT(WZ, "FilePath", DEC, file.name, ETWC_HAS_NAME)
static const decode_row path_0[] = {INFO_0(ROW, SLOT, BITS) PATH_TAIL};
static const decode_row path_1[] = {INFO_1(ROW, SLOT, BITS) PATH_TAIL};
static const decode_form path_forms[] = {
    FORM(0, 0, path_0, 1)
    FORM(1, 1, path_1, 1)
};

/* CreateNewFile is a second record of a call that Create has told, so it is no
 * operation of its own. Those from 31 on have no opcode in class FileIo. */
static const decode_opcode manifest_file_opcodes[] = {
    EVENT(10, NAME("NameCreate"), name_forms, FILE_NAME, 32)
    EVENT(11, NAME("NameDelete"), name_forms, FILE_NAME, 35)
    EVENT(12, NAME("Create"), create_forms, FILE_OTHER, 64)
    EVENT(13, NAME("Cleanup"), simple_forms, FILE_OTHER, 65)
    EVENT(14, NAME("Close"), simple_forms, FILE_OTHER, 66)
    EVENT(15, NAME("Read"), transfer_forms, FILE_READ, 67)
    EVENT(16, NAME("Write"), transfer_forms, FILE_WRITE, 68)
    EVENT(17, NAME("SetInformation"), info_forms, FILE_OTHER, 69)
    EVENT(18, NAME("SetDelete"), info_forms, FILE_OTHER, 70)
    EVENT(19, NAME("Rename"), info_forms, FILE_OTHER, 71)
    EVENT(20, NAME("DirEnum"), directory_forms, FILE_OTHER, 72)
    EVENT(21, NAME("Flush"), simple_forms, FILE_OTHER, 73)
    EVENT(22, NAME("QueryInformation"), info_forms, FILE_OTHER, 74)
    EVENT(23, NAME("FSCTL"), info_forms, FILE_OTHER, 75)
    EVENT(24, NAME("OperationEnd"), end_forms, FILE_END, 76)
    EVENT(25, NAME("DirNotify"), directory_forms, FILE_OTHER, 77)
    EVENT(26, NAME("DeletePath"), path_forms, FILE_OTHER, 79)
    EVENT(27, NAME("RenamePath"), path_forms, FILE_OTHER, 80)
    EVENT(28, NAME("SetLinkPath"), path_forms, FILE_OTHER, 81)
    EVENT(29, NAME("Rename29"), info_forms, FILE_OTHER, 71)
    OPCODE(30, NAME("CreateNewFile"), create_forms, NONE)
    OPCODE(31, NAME("SetSecurity"), later_info_forms, NONE)
    OPCODE(32, NAME("QuerySecurity"), later_info_forms, NONE)
    OPCODE(33, NAME("SetEA"), later_info_forms, NONE)
    OPCODE(34, NAME("QueryEA"), later_info_forms, NONE)
};
CLASS(manifest_file)

/* clang-format on */
