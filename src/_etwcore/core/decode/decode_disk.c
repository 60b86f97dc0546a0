/* Classes DiskIo and SplitIo: event-decoding, "DiskIo (group 01)". */
#include "decode_layout.h"

/* Tables are laid out by hand. */
/* clang-format off */

#define DISK_HEAD(SLOT)                                             \
    SLOT(U32, "DiskNumber", DEC, disk.disk_number, 0)               \
    SLOT(U32, "IrpFlags", IRP_FLAGS, disk.irp_flags, 0)

#define DISK_TRANSFER(ROW, SLOT, reserved)                          \
    DISK_HEAD(SLOT)                                                 \
    SLOT(U32, "TransferSize", DEC, disk.transfer_size, 0)           \
    ROW(U32, reserved, DEC)                                         \
    SLOT(U64, "ByteOffset", HEX, disk.byte_offset, 0)               \
    SLOT(PTR, "FileObject", HEX, disk.file_object, 0)

#define DISK_IRP(SLOT) SLOT(PTR, "Irp", HEX, disk.irp, 0)
#define DISK_TIME(SLOT) \
    SLOT(U64, "HighResResponseTime", DEC, disk.response_ticks, ETWC_HAS_RESPONSE_TIME)
#define DISK_THREAD(SLOT) \
    SLOT(U32, "IssuingThreadId", DEC, disk.thread_id, ETWC_HAS_THREAD_ID)

#define TRANSFER_0(ROW, SLOT, BITS) DISK_TRANSFER(ROW, SLOT, "Reserved")
#define TRANSFER_1(ROW, SLOT, BITS) \
    DISK_TRANSFER(ROW, SLOT, "ResponseTime") DISK_TIME(SLOT)
#define TRANSFER_2(ROW, SLOT, BITS) \
    DISK_TRANSFER(ROW, SLOT, "Reserved") DISK_IRP(SLOT) DISK_TIME(SLOT)
#define TRANSFER_3(ROW, SLOT, BITS) TRANSFER_2(ROW, SLOT, BITS) DISK_THREAD(SLOT)
DECODE_FAST(transfer_0, TRANSFER_0, disk)
DECODE_FAST(transfer_1, TRANSFER_1, disk)
DECODE_FAST(transfer_2, TRANSFER_2, disk)
DECODE_FAST(transfer_3, TRANSFER_3, disk)

enum { TRANSFER_REQUIRED = 3 };
static const decode_form transfer_forms[] = {
    FORM_FAST(0, 0, transfer_0, TRANSFER_REQUIRED)
    FORM_FAST(1, 1, transfer_1, TRANSFER_REQUIRED)
    FORM_FAST(2, 2, transfer_2, TRANSFER_REQUIRED)
    FORM_FAST(3, 3, transfer_3, TRANSFER_REQUIRED)
};

#define INIT_2(ROW, SLOT, BITS) DISK_IRP(SLOT)
#define INIT_3(ROW, SLOT, BITS) DISK_IRP(SLOT) DISK_THREAD(SLOT)
DECODE_FAST(init_2, INIT_2, disk)
DECODE_FAST(init_3, INIT_3, disk)
static const decode_form init_forms[] = {
    FORM_FAST(2, 2, init_2, 1)
    FORM_FAST(3, 3, init_3, 1)
};

#define FLUSH_2(ROW, SLOT, BITS) DISK_HEAD(SLOT) DISK_TIME(SLOT) DISK_IRP(SLOT)
#define FLUSH_3(ROW, SLOT, BITS) FLUSH_2(ROW, SLOT, BITS) DISK_THREAD(SLOT)
DECODE_FAST(flush_2, FLUSH_2, disk)
DECODE_FAST(flush_3, FLUSH_3, disk)
static const decode_form flush_forms[] = {
    FORM_FAST(2, 2, flush_2, 2)
    FORM_FAST(3, 3, flush_3, 2)
};

static const decode_row redirected_init[] = {
    ROW(PTR, "Irp", HEX)
    ROW(PTR, "FileKey", HEX)
};
static const decode_form redirected_init_forms[] = {FORM(0, 255, redirected_init, 0)};

/* ---- Drivers --------------------------------------------------------------- */

static const decode_row driver_call_2[] = {
    ROW(U32, "MajorFunction", DEC)
    ROW(U32, "MinorFunction", DEC)
    ROW(PTR, "RoutineAddr", HEX)
    ROW(PTR, "FileObject", HEX)
    ROW(PTR, "Irp", HEX)
    ROW(U32, "UniqMatchId", DEC)
};
static const decode_row driver_return_2[] = {
    ROW(PTR, "Irp", HEX)
    ROW(U32, "UniqMatchId", DEC)
};
static const decode_row completion_2[] = {
    ROW(PTR, "Routine", HEX)
    ROW(PTR, "Irp", HEX)
    ROW(U32, "UniqMatchId", DEC)
};
static const decode_row complete_request_2[] = {
    ROW(PTR, "RoutineAddr", HEX)
    ROW(PTR, "Irp", HEX)
    ROW(U32, "UniqMatchId", DEC)
};
static const decode_form driver_call_forms[] = {FORM(2, 2, driver_call_2, 0)};
static const decode_form driver_return_forms[] = {FORM(2, 2, driver_return_2, 0)};
static const decode_form completion_forms[] = {FORM(2, 2, completion_2, 0)};
static const decode_form complete_request_forms[] = {FORM(2, 2, complete_request_2, 0)};

static const decode_opcode disk_io_opcodes[] = {
    OPCODE(10, "DiskIo/Read", transfer_forms, DISK_READ)
    OPCODE(11, "DiskIo/Write", transfer_forms, DISK_WRITE)
    OPCODE(12, "DiskIo/ReadInit", init_forms, DISK_INIT)
    OPCODE(13, "DiskIo/WriteInit", init_forms, DISK_INIT)
    OPCODE(14, "DiskIo/FlushBuffers", flush_forms, DISK_FLUSH)
    OPCODE(15, "DiskIo/FlushInit", init_forms, DISK_INIT)
    OPCODE(16, "DiskIo/RedirectedInit", redirected_init_forms, NONE)
    OPCODE(34, "DiskIo/DriverMajorFunctionCall", driver_call_forms, NONE)
    OPCODE(35, "DiskIo/DriverMajorFunctionReturn", driver_return_forms, NONE)
    OPCODE(37, "DiskIo/DriverCompletionRoutine", completion_forms, NONE)
    OPCODE(52, "DiskIo/DriverCompleteRequest", complete_request_forms, NONE)
    OPCODE(53, "DiskIo/DriverCompleteRequestReturn", driver_return_forms, NONE)
    OPCODE(55, "DiskIo/OpticalRead", transfer_forms, DISK_READ)
    OPCODE(56, "DiskIo/OpticalWrite", transfer_forms, DISK_WRITE)
    OPCODE(57, "DiskIo/OpticalFlushBuffers", flush_forms, DISK_FLUSH)
    OPCODE(58, "DiskIo/OpticalReadInit", init_forms, DISK_INIT)
    OPCODE(59, "DiskIo/OpticalWriteInit", init_forms, DISK_INIT)
    OPCODE(60, "DiskIo/OpticalFlushInit", init_forms, DISK_INIT)
};
CLASS(disk_io)

static const decode_row split_io_2[] = {
    ROW(PTR, "ParentIrp", HEX)
    ROW(PTR, "ChildIrp", HEX)
};
static const decode_form split_io_forms[] = {FORM(2, 2, split_io_2, 0)};

static const decode_opcode split_io_opcodes[] = {
    OPCODE(32, "SplitIo/VolumeManager", split_io_forms, NONE)
};
CLASS(split_io)

/* ---- Microsoft-Windows-Kernel-Disk ----------------------------------------- */

/* Does not tell who asked for the transfer, and is logged when it has ended, by
 * whatever thread ran there. */
#define NAME(event) "Microsoft-Windows-Kernel-Disk/" event
#define PACKET(SLOT) SLOT(PTR, "IORequestPacket", HEX, disk.irp, 0)
#define MANIFEST_TRANSFER(ROW, SLOT, BITS) \
    DISK_TRANSFER(ROW, SLOT, "Reserved") PACKET(SLOT) DISK_TIME(SLOT)
#define MANIFEST_FLUSH(ROW, SLOT, BITS) DISK_HEAD(SLOT) DISK_TIME(SLOT) PACKET(SLOT)
DECODE_FAST(manifest_transfer, MANIFEST_TRANSFER, disk)
DECODE_FAST(manifest_flush, MANIFEST_FLUSH, disk)
static const decode_form manifest_transfer_forms[] = {
    FORM_FAST(0, 0, manifest_transfer, TRANSFER_REQUIRED)
};
static const decode_form manifest_flush_forms[] = {FORM_FAST(0, 0, manifest_flush, 2)};

static const decode_opcode manifest_disk_opcodes[] = {
    OPCODE(10, NAME("DiskRead"), manifest_transfer_forms, DISK_READ)
    OPCODE(11, NAME("DiskWrite"), manifest_transfer_forms, DISK_WRITE)
    OPCODE(14, NAME("DiskFlush"), manifest_flush_forms, DISK_FLUSH)
};
CLASS(manifest_disk)

/* clang-format on */
