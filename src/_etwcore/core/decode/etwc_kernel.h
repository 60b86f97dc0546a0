/*
 * Kernel events as typed records: what metrics and ownership need of them, free
 * of wire formats. Field-by-field decoding for display is in etwc_decode.h; both
 * come from the same layout tables.
 */
#ifndef ETWC_KERNEL_H
#define ETWC_KERNEL_H

#include "etwc_event.h"

typedef enum etwc_kernel_type {
    ETWC_KERNEL_NONE, /* not a kernel event that is listed here */
    /* process */
    ETWC_KERNEL_PROCESS_START,
    ETWC_KERNEL_PROCESS_END,
    ETWC_KERNEL_PROCESS_RUNDOWN_START, /* DCStart: existed before the trace */
    ETWC_KERNEL_PROCESS_RUNDOWN_END,   /* DCEnd: alive at the end */
    ETWC_KERNEL_PROCESS_DEFUNCT,       /* dead but referenced; not the exit */
    ETWC_KERNEL_PROCESS_TERMINATE,     /* ended by another process */
    ETWC_KERNEL_PROCESS_COUNTERS_EXIT,
    ETWC_KERNEL_PROCESS_COUNTERS_RUNDOWN,
    /* thread */
    ETWC_KERNEL_THREAD_START,
    ETWC_KERNEL_THREAD_END,
    ETWC_KERNEL_THREAD_RUNDOWN_START,
    ETWC_KERNEL_THREAD_RUNDOWN_END,
    ETWC_KERNEL_THREAD_NAME,
    ETWC_KERNEL_THREAD_PRIORITY, /* dynamic, base, page or I/O: see `which` */
    ETWC_KERNEL_THREAD_AFFINITY,
    ETWC_KERNEL_CSWITCH,
    ETWC_KERNEL_CSWITCH_BATCH,
    ETWC_KERNEL_READY_THREAD,
    /* image */
    ETWC_KERNEL_IMAGE_LOAD,
    ETWC_KERNEL_IMAGE_UNLOAD,
    ETWC_KERNEL_IMAGE_RUNDOWN_START,
    ETWC_KERNEL_IMAGE_RUNDOWN_END,
    /* processor */
    ETWC_KERNEL_SAMPLE,
    ETWC_KERNEL_SAMPLE_INTERVAL, /* changed, or rundown at start and end */
    ETWC_KERNEL_INTERRUPT,       /* DPC or ISR that has ended */
    ETWC_KERNEL_SYSCALL_ENTER,
    ETWC_KERNEL_SYSCALL_EXIT,
    /* memory */
    ETWC_KERNEL_PAGE_FAULT,
    ETWC_KERNEL_HARD_FAULT,
    ETWC_KERNEL_VIRTUAL_ALLOC,
    ETWC_KERNEL_VIRTUAL_FREE,
    ETWC_KERNEL_MEMORY_WORKING_SETS,
    /* disk, file, network, objects */
    ETWC_KERNEL_DISK_READ,
    ETWC_KERNEL_DISK_WRITE,
    ETWC_KERNEL_DISK_FLUSH,
    ETWC_KERNEL_DISK_INIT,
    ETWC_KERNEL_FILE_READ,
    ETWC_KERNEL_FILE_WRITE,
    ETWC_KERNEL_FILE_OTHER, /* create, cleanup, close, flush, set, query, ... */
    ETWC_KERNEL_FILE_END,
    ETWC_KERNEL_FILE_NAME, /* name, create, delete, rundown of a file key */
    ETWC_KERNEL_NETWORK,
    ETWC_KERNEL_NETWORK_FAIL, /* a request that failed; names no process */
    ETWC_KERNEL_HANDLE_CREATE,
    ETWC_KERNEL_HANDLE_CLOSE,
    ETWC_KERNEL_HANDLE_DUPLICATE,
    ETWC_KERNEL_HANDLE_RUNDOWN,
    ETWC_KERNEL_OBJECT_TYPE, /* name of a type */
    /* machine and session */
    ETWC_KERNEL_SYSTEM_CPU,
    ETWC_KERNEL_SERVICE,
    ETWC_KERNEL_GROUP_MASKS,
    ETWC_KERNEL_STACK,            /* frames in the payload */
    ETWC_KERNEL_STACK_KEY,        /* reference to a definition */
    ETWC_KERNEL_STACK_DEFINITION, /* 34, 35, 36 */
    ETWC_KERNEL_LOST,             /* real-time loss: events, buffers or file */
    /* nothing that metrics read, but the payload names the owner */
    ETWC_KERNEL_OF_PROCESS,
    ETWC_KERNEL_OF_THREAD,
    ETWC_KERNEL_TYPE_COUNT
} etwc_kernel_type;

/* Bits of `fields`: which optional members the record really had. */
enum {
    ETWC_HAS_KEY = 1 << 0,
    ETWC_HAS_SESSION = 1 << 1,
    ETWC_HAS_EXIT_STATUS = 1 << 2,
    ETWC_HAS_COMMAND_LINE = 1 << 3,
    ETWC_HAS_FLAGS = 1 << 4,
    ETWC_HAS_PACKAGE = 1 << 5,
    ETWC_HAS_EXIT_TIME = 1 << 6,
    ETWC_HAS_PRIORITY = 1 << 7,
    ETWC_HAS_AFFINITY = 1 << 8,
    ETWC_HAS_TAG = 1 << 9,
    ETWC_HAS_NAME = 1 << 10,
    ETWC_HAS_THREAD_ID = 1 << 11,
    ETWC_HAS_PROCESS_ID = 1 << 12,
    ETWC_HAS_CHECKSUM = 1 << 13,
    ETWC_HAS_CREATE_TIME = 1 << 14, /* records of manifest providers alone */
    ETWC_HAS_CYCLES = 1 << 15,
    ETWC_HAS_RESPONSE_TIME = 1 << 16
};

/* What a process has used when it ends; told by the manifest provider. Bytes unless
 * the name says otherwise. */
typedef struct etwc_kernel_exit {
    uint64_t commit_charge, commit_peak;
    /* HAS_CYCLES: */
    uint64_t cpu_cycles;
    uint32_t read_operations, write_operations, read_kib, write_kib, hard_faults;
    /* always: */
    uint32_t handle_count, token_elevation_type;
} etwc_kernel_exit;

typedef struct etwc_kernel_process {
    uint64_t key;             /* UniqueProcessKey */
    uint64_t sequence_number; /* never given twice; 0: not told */
    int64_t create_filetime;  /* HAS_CREATE_TIME */
    uint32_t process_id, parent_id;
    uint32_t logon_session_id;
    uint32_t exit_status; /* 259: still active */
    uint32_t flags;
    int64_t exit_filetime;
    etwc_span user_sid;        /* the SID proper; empty when there is none */
    etwc_span image_file_name; /* 8-bit */
    etwc_span image_path;      /* UTF-16LE, device form; manifest start and rundown */
    etwc_span command_line;    /* UTF-16LE */
    etwc_span package_full_name;
    etwc_span application_id;
    etwc_kernel_exit at_exit; /* PROCESS_END with HAS_CREATE_TIME */
} etwc_kernel_process;

typedef struct etwc_kernel_counters {
    uint32_t process_id, page_fault_count, handle_count;
    uint64_t peak_virtual_size, peak_working_set_size, peak_pagefile_usage;
    uint64_t quota_peak_paged_pool_usage, quota_peak_non_paged_pool_usage;
    uint64_t virtual_size, working_set_size, pagefile_usage;
    uint64_t quota_paged_pool_usage, quota_non_paged_pool_usage, private_page_count;
} etwc_kernel_counters;

typedef struct etwc_kernel_thread {
    uint32_t process_id, thread_id;
    uint32_t sub_process_tag;
    uint64_t affinity, win32_start_address, teb_base;
    uint64_t cycles; /* that it has used, when it ends: HAS_CYCLES */
    uint8_t base_priority, page_priority, io_priority;
    etwc_span name; /* UTF-16LE */
} etwc_kernel_thread;

typedef struct etwc_kernel_priority {
    uint32_t thread_id;
    uint32_t process_id; /* HAS_PROCESS_ID */
    uint8_t which;       /* opcode: 48 dynamic, 49 base, 51 page, 52 I/O */
    uint8_t old_priority, new_priority;
} etwc_kernel_priority;

typedef struct etwc_kernel_affinity {
    uint32_t thread_id;
    uint16_t group;
    uint64_t affinity;
} etwc_kernel_affinity;

typedef struct etwc_kernel_cswitch {
    uint32_t new_thread_id, old_thread_id;
    uint32_t new_wait_ticks;
    int8_t new_priority, old_priority;
    uint8_t old_wait_reason, old_wait_mode, old_state;
    uint8_t previous_c_state;
} etwc_kernel_cswitch;

typedef struct etwc_kernel_cswitch_batch {
    int64_t first_raw_time;
    etwc_span thread_ids;      /* 16 x u32 */
    etwc_span base_priorities; /* 16 x i8 */
    etwc_span packets;
} etwc_kernel_cswitch_batch;

/* One switch of a batch. Who arrives is who leaves with the next one. */
typedef struct etwc_kernel_packed_switch {
    int64_t raw_time;
    uint32_t old_thread_id;
} etwc_kernel_packed_switch;

typedef struct etwc_kernel_ready {
    uint32_t thread_id;
    int8_t adjust_reason, adjust_increment, flag;
} etwc_kernel_ready;

typedef struct etwc_kernel_image {
    uint64_t base, size, default_base;
    uint32_t process_id, checksum, time_date_stamp;
    etwc_span file_name; /* UTF-16LE, device form */
} etwc_kernel_image;

typedef struct etwc_kernel_sample {
    uint64_t instruction_pointer;
    uint32_t thread_id;
    uint16_t count;
    uint8_t flags; /* bit 0 in DPC, bit 1 in ISR, 3-7 priority */
} etwc_kernel_sample;

typedef struct etwc_kernel_sample_interval {
    uint32_t source, new_interval, old_interval; /* 100 ns */
} etwc_kernel_sample_interval;

typedef struct etwc_kernel_interrupt {
    int64_t initial_raw_time;
    uint64_t routine;
    bool is_isr;
} etwc_kernel_interrupt;

typedef struct etwc_kernel_page_fault {
    uint64_t virtual_address, program_counter;
    uint8_t which; /* opcode 10..15 */
} etwc_kernel_page_fault;

typedef struct etwc_kernel_hard_fault {
    int64_t initial_raw_time;
    uint64_t read_offset, virtual_address, file_object;
    uint32_t thread_id, byte_count;
} etwc_kernel_hard_fault;

typedef struct etwc_kernel_virtual {
    uint64_t base, size;
    uint32_t process_id, flags;
} etwc_kernel_virtual;

typedef struct etwc_kernel_working_sets {
    uint32_t count, entry_size; /* entry_size 0: the payload fits no known form */
    uint8_t pointer_size;
    etwc_span entries; /* first five members: u32 pid, then four p (pages) */
} etwc_kernel_working_sets;

typedef struct etwc_kernel_disk {
    uint32_t disk_number, irp_flags, transfer_size, thread_id; /* HAS_THREAD_ID */
    uint64_t byte_offset, file_object, irp;
    uint64_t response_ticks; /* session clock; HAS_RESPONSE_TIME */
} etwc_kernel_disk;

typedef struct etwc_kernel_file {
    uint64_t irp, file_object, file_key, offset, extra_info;
    uint32_t thread_id; /* HAS_THREAD_ID */
    uint32_t io_size, nt_status;
    uint8_t which;  /* opcode */
    etwc_span name; /* FILE_NAME, create, ...: UTF-16LE */
} etwc_kernel_file;

typedef struct etwc_kernel_network {
    uint32_t process_id, size;
    uint8_t which; /* opcode reduced to its IPv4 value: 10 send, 11 receive, ... */
    bool is_udp, is_ipv6;
} etwc_kernel_network;

typedef struct etwc_kernel_handle {
    uint64_t object;
    uint32_t handle, process_id; /* HAS_PROCESS_ID; duplicate: the target */
    uint32_t source_handle, source_process_id;
    uint16_t object_type;
    uint8_t which; /* opcode: 32 create, 33 close, 34 duplicate, 38 and 39 rundown */
} etwc_kernel_handle;

typedef struct etwc_kernel_object_type {
    uint16_t type;
    etwc_span name; /* UTF-16LE */
} etwc_kernel_object_type;

typedef struct etwc_kernel_cpu {
    uint32_t mhz, processors, memory_mb, page_size, allocation_granularity;
    etwc_span computer_name, domain_name; /* UTF-16LE */
} etwc_kernel_cpu;

typedef struct etwc_kernel_service {
    uint32_t process_id, sub_process_tag;
    etwc_span service_name, display_name, process_name; /* UTF-16LE */
} etwc_kernel_service;

typedef struct etwc_kernel_group_masks {
    uint32_t masks[8];
    bool is_end;
} etwc_kernel_group_masks;

typedef struct etwc_kernel_stack {
    int64_t event_raw_time;
    uint64_t key; /* STACK_KEY, STACK_DEFINITION */
    uint32_t process_id, thread_id;
    bool is_user_half; /* STACK_KEY: 38 */
    etwc_span frames;  /* pointers of the record's size, innermost first */
} etwc_kernel_stack;

typedef struct etwc_kernel_lost {
    uint8_t which; /* opcode: 32 event, 33 buffer, 34 file */
} etwc_kernel_lost;

typedef struct etwc_kernel_subject {
    uint32_t process_id; /* OF_PROCESS */
    uint32_t thread_id;  /* OF_THREAD */
} etwc_kernel_subject;

typedef struct etwc_kernel_record {
    uint8_t type;    /* etwc_kernel_type */
    uint32_t fields; /* ETWC_HAS_* */
    union {
        etwc_kernel_process process;
        etwc_kernel_counters counters;
        etwc_kernel_thread thread;
        etwc_kernel_priority priority;
        etwc_kernel_affinity affinity;
        etwc_kernel_cswitch cswitch;
        etwc_kernel_cswitch_batch cswitch_batch;
        etwc_kernel_ready ready;
        etwc_kernel_image image;
        etwc_kernel_sample sample;
        etwc_kernel_sample_interval sample_interval;
        etwc_kernel_interrupt interrupt;
        etwc_kernel_page_fault page_fault;
        etwc_kernel_hard_fault hard_fault;
        etwc_kernel_virtual virtual_memory;
        etwc_kernel_working_sets working_sets;
        etwc_kernel_disk disk;
        etwc_kernel_file file;
        etwc_kernel_network network;
        etwc_kernel_handle handle;
        etwc_kernel_object_type object_type;
        etwc_kernel_cpu cpu;
        etwc_kernel_service service;
        etwc_kernel_group_masks group_masks;
        etwc_kernel_stack stack;
        etwc_kernel_subject subject;
        etwc_kernel_lost lost;
        uint32_t terminated_process_id;
    } u;
} etwc_kernel_record;

/* How much of a payload its layout explains. */
typedef enum etwc_completeness {
    ETWC_DECODED_NONE,    /* no layout for it: raw */
    ETWC_DECODED_PARTIAL, /* short, or newer or longer than known */
    ETWC_DECODED_FULL
} etwc_completeness;

/* Why a payload was decoded in part. */
typedef enum etwc_partial_reason {
    ETWC_PARTIAL_NO,
    ETWC_PARTIAL_SHORT,    /* ends before the layout does */
    ETWC_PARTIAL_NEWER,    /* version above the highest known one */
    ETWC_PARTIAL_TRAILING, /* known version with more bytes than known */
    ETWC_PARTIAL_INVALID   /* a count or size inside contradicts the payload */
} etwc_partial_reason;

/* Decodes a kernel event into *out. An event that is not listed above is type
 * NONE and ETWC_DECODED_NONE, also when it has a layout. Spans borrow from the
 * event. A partial record has the members that are certain, with `fields` saying
 * which optional ones; a record too short for its ids is type NONE and PARTIAL.
 * Of the union only the member that belongs to the type is written. Bounded
 * work, no allocation, reentrant. */
etwc_completeness etwc_kernel_decode(const etwc_event *event, etwc_kernel_record *out);

/* Takes the next switch out of a batch, which moves on; false when there is none. */
bool etwc_kernel_batch_next(etwc_kernel_cswitch_batch *batch,
                            etwc_kernel_packed_switch *out);

/* The same for some types alone, ETWC_KERNEL_BIT of each: the payload of another
 * one is not looked at, and the answer is type NONE and ETWC_DECODED_NONE. */
#define ETWC_KERNEL_BIT(type) (UINT64_C(1) << (type))
_Static_assert(ETWC_KERNEL_TYPE_COUNT <= 64, "types have bits of a 64-bit number");
etwc_completeness etwc_kernel_decode_some(const etwc_event *event, uint64_t types,
                                          etwc_kernel_record *out);

/* The type that an event has by its class and opcode, also when its payload is too
 * short to be a record. */
etwc_kernel_type etwc_kernel_type_of(const etwc_event *event);

#endif
