/*
 * The .etl container on disk: sizes, offsets and values, for reader and writer.
 *
 * Sources, named at each block:
 *   evntrace.h, evntcons.h  headers of the Windows SDK
 *     https://learn.microsoft.com/windows/win32/api/evntrace/
 *     https://learn.microsoft.com/windows/win32/api/evntcons/
 *   ntwmi.h     layouts that Microsoft published with the symbols of ntdll and
 *               ntoskrnl (WMI_BUFFER_HEADER, SYSTEM_TRACE_HEADER, ...)
 *   corpus      found in every recorded trace from Vista to Windows 11
 *
 * All integers are little-endian. Nothing is aligned: buffers of a compressed
 * file start at any offset, the parts of a WPP message follow without gaps.
 */
#ifndef ETL_FORMAT_H
#define ETL_FORMAT_H

#include "etwc_base.h"

/* ---- Buffers: ntwmi.h WMI_BUFFER_HEADER ------------------------------------- */

enum {
    ETL_BUFFER_BUFFER_SIZE = 0x00,     /* u32: stride to the next buffer */
    ETL_BUFFER_SAVED_OFFSET = 0x04,    /* u32 */
    ETL_BUFFER_CURRENT_OFFSET = 0x08,  /* u32: reservation pointer, not an end */
    ETL_BUFFER_REFERENCE_COUNT = 0x0C, /* i32: 0 */
    ETL_BUFFER_TIMESTAMP = 0x10,       /* i64: of the flush */
    ETL_BUFFER_SEQUENCE = 0x18,        /* i64 */
    ETL_BUFFER_CLOCK = 0x20,           /* u64: stale in files */
    ETL_BUFFER_PROCESSOR = 0x28,       /* u16 or u8, see PROC_INDEX */
    ETL_BUFFER_ALIGNMENT = 0x29,       /* u8: 8 where the processor is a u8 */
    ETL_BUFFER_LOGGER_ID = 0x2A,       /* u16 */
    ETL_BUFFER_STATE = 0x2C,           /* u32 */
    ETL_BUFFER_OFFSET = 0x30,          /* u32: end of the (uncompressed) data */
    ETL_BUFFER_FLAGS = 0x34,           /* u16 */
    ETL_BUFFER_TYPE = 0x36,            /* u16 */
    ETL_BUFFER_REFERENCE_TIME = 0x38,  /* 16 bytes: stale in normal files */
    ETL_BUFFER_HEADER_BYTES = 0x48
};

/* Limits: 1 KB..1 MB up to Windows 7, 16 MB later (evntrace.h, BufferSize). */
enum {
    ETL_BUFFER_MIN_BYTES = 1 << 10,
    ETL_BUFFER_MAX_BYTES = 16 << 20,
    ETL_BUFFER_LAYOUT1_MAX_BYTES = 1 << 20, /* above it: layout 2.0 */
    /* Compressed files shrink the header buffer to a multiple of this (corpus). */
    ETL_HEADER_BUFFER_UNIT = 512
};

/* What a reader believes of a BufferSize: four times what Windows allows. */
#define ETL_STRIDE_MAX_BYTES (UINT32_C(64) << 20)

/* BufferFlag: ntwmi.h ETW_BUFFER_FLAG_*; the last two from Windows 8 on. */
enum {
    ETL_FLAG_FLUSH_MARKER = 0x0001, /* last buffer of a flush; header buffer */
    ETL_FLAG_EVENTS_LOST = 0x0002,
    ETL_FLAG_BUFFER_LOST = 0x0004,
    ETL_FLAG_RTBACKUP_CORRUPT = 0x0008,
    ETL_FLAG_RTBACKUP = 0x0010,
    ETL_FLAG_PROC_INDEX = 0x0020, /* the processor number has 16 bits */
    ETL_FLAG_COMPRESSED = 0x0040,
    ETL_FLAG_KNOWN = 0x007F
};

/* BufferType: ntwmi.h ETW_BUFFER_TYPE_*. */
enum {
    ETL_BUFFER_TYPE_GENERIC = 0,
    ETL_BUFFER_TYPE_RUNDOWN = 1,
    ETL_BUFFER_TYPE_CTX_SWAP = 2, /* compact stream of before Windows 7 */
    ETL_BUFFER_TYPE_REFTIME = 3,  /* no records */
    ETL_BUFFER_TYPE_HEADER = 4,
    ETL_BUFFER_TYPE_BATCHED = 5,
    ETL_BUFFER_TYPE_EMPTY_MARKER = 6, /* no records */
    ETL_BUFFER_TYPE_DBG_INFO = 7,     /* no records */
    ETL_BUFFER_TYPE_MAX = 7
};

/* State: ntwmi.h ETW_BUFFER_STATE. The low 16 bits of the header buffer's State
 * name the compression format in a compressed file (corpus). */
enum { ETL_BUFFER_STATE_FLUSH = 3, ETL_BUFFER_STATE_MAX = 6 };

/* The filler between Offset and the end of a buffer (corpus). */
#define ETL_FILLER_BYTE 0xFF
#define ETL_FILLER_MARKER UINT32_C(0xFFFFFFFF)

/* ---- LogFileMode: evntrace.h EVENT_TRACE_* ---------------------------------- */

#define ETL_MODE_SEQUENTIAL UINT32_C(0x00000001)
#define ETL_MODE_CIRCULAR UINT32_C(0x00000002)
#define ETL_MODE_APPEND UINT32_C(0x00000004)
#define ETL_MODE_NEWFILE UINT32_C(0x00000008)
#define ETL_MODE_BUFFERING UINT32_C(0x00000400)
#define ETL_MODE_PRIVATE_LOGGER UINT32_C(0x00000800)
#define ETL_MODE_USE_KBYTES UINT32_C(0x00002000) /* unit of MaximumFileSize */
#define ETL_MODE_RELOG UINT32_C(0x00010000)
#define ETL_MODE_PRIVATE_IN_PROC UINT32_C(0x00020000)
#define ETL_MODE_SYSTEM_LOGGER UINT32_C(0x02000000)
#define ETL_MODE_COMPRESSED UINT32_C(0x04000000)
#define ETL_MODE_NO_PER_PROCESSOR UINT32_C(0x10000000)

/* ---- Header event: evntrace.h TRACE_LOGFILE_HEADER --------------------------- */

/* Payload of the first record, from its start. The two pointers make the rest
 * differ between the 32-bit and the 64-bit form. */
enum {
    ETL_HEADER_BUFFER_SIZE = 0x00,       /* u32 */
    ETL_HEADER_OS_MAJOR = 0x04,          /* u8 */
    ETL_HEADER_OS_MINOR = 0x05,          /* u8 */
    ETL_HEADER_LAYOUT_MAJOR = 0x06,      /* u8 */
    ETL_HEADER_LAYOUT_MINOR = 0x07,      /* u8 */
    ETL_HEADER_OS_BUILD = 0x08,          /* u32 ProviderVersion */
    ETL_HEADER_PROCESSORS = 0x0C,        /* u32 */
    ETL_HEADER_END_TIME = 0x10,          /* i64 FILETIME; 0: not closed */
    ETL_HEADER_TIMER_RESOLUTION = 0x18,  /* u32, 100 ns */
    ETL_HEADER_MAXIMUM_FILE_SIZE = 0x1C, /* u32, MB, or KB by mode */
    ETL_HEADER_LOG_FILE_MODE = 0x20,     /* u32 */
    ETL_HEADER_BUFFERS_WRITTEN = 0x24,   /* u32; 0: not closed */
    ETL_HEADER_START_BUFFERS = 0x28,     /* u32: 1 */
    ETL_HEADER_POINTER_SIZE = 0x2C,      /* u32: 4 or 8 */
    ETL_HEADER_EVENTS_LOST = 0x30,       /* u32 */
    ETL_HEADER_CPU_MHZ = 0x34,           /* u32 */
    ETL_HEADER_LOGGER_NAME = 0x38,       /* pointer without meaning in files */

    ETL_HEADER32_TIME_ZONE = 0x40,
    ETL_HEADER32_BOOT_TIME = 0xF0,       /* i64 FILETIME */
    ETL_HEADER32_PERF_FREQ = 0xF8,       /* i64 ticks per second */
    ETL_HEADER32_START_TIME = 0x100,     /* i64 FILETIME of the header event */
    ETL_HEADER32_RESERVED_FLAGS = 0x108, /* u32 clock type */
    ETL_HEADER32_BUFFERS_LOST = 0x10C,   /* u32 */
    ETL_HEADER32_STRINGS = 0x110,        /* session name, 0, log file name, 0: UTF-16 */

    ETL_HEADER64_TIME_ZONE = 0x48,
    ETL_HEADER64_BOOT_TIME = 0xF8,
    ETL_HEADER64_PERF_FREQ = 0x100,
    ETL_HEADER64_START_TIME = 0x108,
    ETL_HEADER64_RESERVED_FLAGS = 0x110,
    ETL_HEADER64_BUFFERS_LOST = 0x114,
    ETL_HEADER64_STRINGS = 0x118
};

/* timezoneapi.h TIME_ZONE_INFORMATION: 172 bytes; 4 bytes of padding follow. */
enum {
    ETL_TIME_ZONE_BIAS = 0x00, /* i32 minutes: UTC = local + bias */
    ETL_TIME_ZONE_STANDARD_NAME = 0x04,
    ETL_TIME_ZONE_DAYLIGHT_NAME = 0x58,
    ETL_TIME_ZONE_NAME_BYTES = 64, /* UTF-16[32] */
    ETL_TIME_ZONE_BYTES = 172
};

/* Hook ids (group << 8 | type) of records that go with the header event. */
enum {
    ETL_HOOK_HEADER = 0x0000,
    ETL_HOOK_HEADER_EXTENSION = 0x0005, /* u32 group mask[8], u32 kernel version */
    ETL_HEADER_EXTENSION_BYTES = 36,
    ETL_HOOK_IMAGE_LOAD = 0x030A /* delivered with the GUID of class Image */
};

/* ---- Trace headers ---------------------------------------------------------- */

/* Byte 3 of a record (evntrace.h TRACE_HEADER_FLAG_TRACE | EVENT_TRACE | ...). */
enum {
    ETL_MARKER_TRACE = 0xC0,   /* byte 2 names the header type */
    ETL_MARKER_MESSAGE = 0x90, /* WPP message; byte 2 is 0 */
    ETL_MARKER_TIMED_WORD = 0xB0,
    ETL_MARKER_TRACE_BIT = 0x80 /* clear: a WNODE_HEADER with a 32-bit size */
};

/* Byte 2: ntwmi.h TRACE_HEADER_TYPE_*. */
enum {
    ETL_TYPE_SYSTEM32 = 1,
    ETL_TYPE_SYSTEM64 = 2,
    ETL_TYPE_COMPACT32 = 3,
    ETL_TYPE_COMPACT64 = 4,
    ETL_TYPE_FULL32 = 10,
    ETL_TYPE_INSTANCE32 = 11,
    ETL_TYPE_TIMED = 12,
    ETL_TYPE_ERROR = 13,
    ETL_TYPE_WNODE = 14,
    ETL_TYPE_MESSAGE = 15,
    ETL_TYPE_PERFINFO32 = 16,
    ETL_TYPE_PERFINFO64 = 17,
    ETL_TYPE_EVENT32 = 18,
    ETL_TYPE_EVENT64 = 19,
    ETL_TYPE_FULL64 = 20,
    ETL_TYPE_INSTANCE64 = 21
};

/* Common to all of them. */
enum {
    ETL_RECORD_TYPE = 0x02,
    ETL_RECORD_MARKER = 0x03,
    ETL_RECORD_MIN_BYTES = 8,
    ETL_RECORD_MAX_BYTES = 0xFFFF, /* Size has 16 bits */
    ETL_RECORD_ALIGNMENT = 8
};

/* SYSTEM, COMPACT, PERFINFO: ntwmi.h SYSTEM_TRACE_HEADER, COMPACT_HEADER,
 * PERFINFO_TRACE_HEADER. */
enum {
    ETL_KERNEL_VERSION = 0x00, /* u16: version, PMC count << 8, PEBS bit */
    ETL_KERNEL_SIZE = 0x04,    /* u16 */
    ETL_KERNEL_OPCODE = 0x06,  /* u8 Type */
    ETL_KERNEL_GROUP = 0x07,   /* u8 */

    ETL_SYSTEM_THREAD_ID = 0x08,
    ETL_SYSTEM_PROCESS_ID = 0x0C,
    ETL_SYSTEM_TIMESTAMP = 0x10,
    ETL_SYSTEM_KERNEL_TIME = 0x18,
    ETL_SYSTEM_USER_TIME = 0x1C,
    ETL_SYSTEM_BYTES = 0x20,

    ETL_COMPACT_THREAD_ID = 0x08,
    ETL_COMPACT_PROCESS_ID = 0x0C,
    ETL_COMPACT_TIMESTAMP = 0x10,
    ETL_COMPACT_BYTES = 0x18,

    ETL_PERFINFO_TIMESTAMP = 0x08,
    ETL_PERFINFO_BYTES = 0x10,

    ETL_KERNEL_VERSION_MASK = 0x00FF,
    ETL_KERNEL_PMC_SHIFT = 8, /* how many u64 counters follow the header */
    ETL_KERNEL_PMC_MAX = 7,
    ETL_KERNEL_PEBS_FLAG = 0x8000, /* one u64 index before the counters */
    ETL_KERNEL_WORD_BYTES = 8
};

/* FULL and INSTANCE: evntrace.h EVENT_TRACE_HEADER, EVENT_INSTANCE_GUID_HEADER. */
enum {
    ETL_FULL_SIZE = 0x00,    /* u16 */
    ETL_FULL_OPCODE = 0x04,  /* u8 Class.Type */
    ETL_FULL_LEVEL = 0x05,   /* u8 Class.Level */
    ETL_FULL_VERSION = 0x06, /* u16 Class.Version */
    ETL_FULL_THREAD_ID = 0x08,
    ETL_FULL_PROCESS_ID = 0x0C,
    ETL_FULL_TIMESTAMP = 0x10,
    ETL_FULL_GUID = 0x18,
    ETL_FULL_KERNEL_TIME = 0x28,
    ETL_FULL_USER_TIME = 0x2C,
    ETL_FULL_BYTES = 0x30,

    ETL_INSTANCE_ID = 0x30,
    ETL_INSTANCE_PARENT_ID = 0x34,
    ETL_INSTANCE_PARENT_GUID = 0x38,
    ETL_INSTANCE_BYTES = 0x48,
    ETL_INSTANCE_INFO_BYTES = 24, /* the three fields, as extended item 4 */

    /* Layout of the header event below 1.1. */
    ETL_OLD_INSTANCE_HANDLE = 0x18,
    ETL_OLD_INSTANCE_ID = 0x20,
    ETL_OLD_INSTANCE_PARENT_ID = 0x24,
    ETL_OLD_INSTANCE_KERNEL_TIME = 0x28,
    ETL_OLD_INSTANCE_USER_TIME = 0x2C,
    ETL_OLD_INSTANCE_PARENT_HANDLE = 0x30,
    ETL_OLD_INSTANCE_BYTES = 0x38
};

/* EVENT_HEADER: evntcons.h EVENT_HEADER. */
enum {
    ETL_EVENT_SIZE = 0x00,     /* u16 */
    ETL_EVENT_FLAGS = 0x04,    /* u16 */
    ETL_EVENT_PROPERTY = 0x06, /* u16 */
    ETL_EVENT_THREAD_ID = 0x08,
    ETL_EVENT_PROCESS_ID = 0x0C,
    ETL_EVENT_TIMESTAMP = 0x10,
    ETL_EVENT_PROVIDER_ID = 0x18,
    ETL_EVENT_ID = 0x28,      /* u16 */
    ETL_EVENT_VERSION = 0x2A, /* u8 */
    ETL_EVENT_CHANNEL = 0x2B, /* u8 */
    ETL_EVENT_LEVEL = 0x2C,   /* u8 */
    ETL_EVENT_OPCODE = 0x2D,  /* u8 */
    ETL_EVENT_TASK = 0x2E,    /* u16 */
    ETL_EVENT_KEYWORD = 0x30, /* u64 */
    ETL_EVENT_KERNEL_TIME = 0x38,
    ETL_EVENT_USER_TIME = 0x3C,
    ETL_EVENT_ACTIVITY_ID = 0x40,
    ETL_EVENT_BYTES = 0x50
};

/* Extended items behind an EVENT_HEADER whose flag 1 is set: evntcons.h
 * EVENT_HEADER_EXTENDED_DATA_ITEM, with the data in place of its pointer. */
enum {
    ETL_ITEM_SIZE = 0x00,      /* u16: header, data and padding */
    ETL_ITEM_TYPE = 0x02,      /* u16 */
    ETL_ITEM_LINKAGE = 0x04,   /* u16: bit 0 says that another item follows */
    ETL_ITEM_DATA_SIZE = 0x06, /* u16 */
    ETL_ITEM_BYTES = 0x08
};

/* WPP message: evntrace.h MESSAGE_TRACE_HEADER and TRACE_MESSAGE_*. */
enum {
    ETL_MESSAGE_SIZE = 0x00,   /* u16 */
    ETL_MESSAGE_NUMBER = 0x04, /* u16 */
    ETL_MESSAGE_FLAGS = 0x06,  /* u16 */
    ETL_MESSAGE_BYTES = 0x08,

    /* The parts, in the order in which they follow. */
    ETL_MESSAGE_SEQUENCE = 0x01,     /* u32 */
    ETL_MESSAGE_COMPONENT_ID = 0x04, /* u32; wins over GUID */
    ETL_MESSAGE_GUID = 0x02,
    ETL_MESSAGE_TIMESTAMP = 0x08,  /* i64, not aligned */
    ETL_MESSAGE_SYSTEMINFO = 0x20, /* u32 thread id, u32 process id */
    /* Takes the room of a stamp, but is none. */
    ETL_MESSAGE_PERFORMANCE_TIMESTAMP = 0x10,
    /* These take no bytes. */
    ETL_MESSAGE_POINTER32 = 0x40,
    ETL_MESSAGE_POINTER64 = 0x80
};

#endif
