/*
 * The portable event view: what every producer (file reader, live session,
 * tests) hands on and every consumer (decoders, metrics, Python) reads.
 *
 * Its fields hold what the Windows API would deliver for the record. A view
 * borrows the bytes it points into: until the producer is asked for the next
 * event, or as long as `block` is retained when there is one.
 */
#ifndef ETWC_EVENT_H
#define ETWC_EVENT_H

#include "etwc_base.h"
#include "etwc_span.h"

/* The kind of trace header that a record has. */
#define ETWC_EVENT_KIND_LIST(X) \
    X(SYSTEM, "system")         \
    X(COMPACT, "compact")       \
    X(PERFINFO, "perfinfo")     \
    X(FULL, "full")             \
    X(INSTANCE, "instance")     \
    X(EVENT, "event")           \
    X(MESSAGE, "message")

typedef enum etwc_event_kind {
#define ETWC_EVENT_KIND_ENUM(name, text) ETWC_KIND_##name,
    ETWC_EVENT_KIND_LIST(ETWC_EVENT_KIND_ENUM)
#undef ETWC_EVENT_KIND_ENUM
        ETWC_KIND_COUNT
} etwc_event_kind;

/* EVENT_HEADER.Flags as Windows 8 and later deliver them. */
enum {
    ETWC_FLAG_EXTENDED_INFO = 0x0001,
    ETWC_FLAG_PRIVATE_SESSION = 0x0002,
    ETWC_FLAG_STRING_ONLY = 0x0004,
    ETWC_FLAG_TRACE_MESSAGE = 0x0008,
    ETWC_FLAG_NO_CPUTIME = 0x0010,
    ETWC_FLAG_32_BIT_HEADER = 0x0020,
    ETWC_FLAG_64_BIT_HEADER = 0x0040,
    ETWC_FLAG_DECODE_GUID = 0x0080,
    ETWC_FLAG_CLASSIC_HEADER = 0x0100,
    ETWC_FLAG_PROCESSOR_INDEX = 0x0200
};

/* Process and thread id of a record whose header has none. */
#define ETWC_NO_ID UINT32_C(0xFFFFFFFF)

/* How the bytes of `extended` are laid out. */
typedef enum etwc_extended_form {
    ETWC_EXTENDED_NONE,
    ETWC_EXTENDED_ITEMS,    /* list of extended items of an EVENT_HEADER */
    ETWC_EXTENDED_INSTANCE, /* the 24 bytes of item 4 of an INSTANCE header */
    ETWC_EXTENDED_PMC,      /* u64 counters of a kernel record */
    ETWC_EXTENDED_PEBS_PMC  /* u64 PEBS index, then u64 counters */
} etwc_extended_form;

typedef struct etwc_block etwc_block;

/* Ordered by use: what metrics read of nearly every event lies together, and what
 * plain kernel records leave zero lies at the end. */
typedef struct etwc_event {
    int64_t raw_time;       /* session clock */
    int64_t filetime;       /* 100 ns since 1601 UTC */
    const uint8_t *payload; /* borrowed; never NULL */
    etwc_block *block;      /* holds the bytes; NULL when nothing can be held */
    uint32_t payload_size;
    uint32_t process_id; /* of the record header, or ETWC_NO_ID */
    uint32_t thread_id;
    uint32_t processor;
    /* Thread that ran on the processor by the last context switch before this
     * event, or ETWC_NO_ID: owner of kernel records without a thread id. */
    uint32_t running_thread_id;
    uint16_t flags; /* ETWC_FLAG_* */
    uint8_t version;
    uint8_t opcode;
    /* etwc_kernel_class, or ETWC_CLASS_NONE. Manifest providers of the kernel have
     * classes too (etwc_class_is_manifest). */
    uint8_t kernel_class;
    uint8_t pointer_size; /* of this record: 4 or 8 */
    uint8_t kind;         /* etwc_event_kind */
    /* SYSTEM, COMPACT, PERFINFO: the group byte of the header, which need not stand
     * for a class; other kinds: 0. */
    uint8_t kernel_group;
    uint32_t kernel_ticks; /* KernelTime, UserTime: units of TimerResolution */
    uint32_t user_ticks;
    uint32_t file_index; /* which of the files read together */
    uint16_t logger_id;
    etwc_guid provider_id;

    const uint8_t *extended; /* borrowed; see extended_form */
    uint32_t extended_size;
    uint16_t id;
    uint16_t task;
    uint16_t event_property; /* EVENT_HEADER.EventProperty */
    uint8_t channel;
    uint8_t level;
    uint8_t extended_form; /* etwc_extended_form */
    etwc_guid activity_id;
    uint64_t keyword;
} etwc_event;

/* A time in which events of a processor may be missing. */
typedef struct etwc_gap {
    int64_t begin_raw_time; /* INT64_MIN: since before the first event */
    int64_t end_raw_time;   /* INT64_MAX: up to the last */
    uint32_t processor;
} etwc_gap;

/* ---- Extended items -------------------------------------------------------- */

enum {
    ETWC_EXT_RELATED_ACTIVITYID = 1,
    ETWC_EXT_SID = 2,
    ETWC_EXT_TS_ID = 3,
    ETWC_EXT_INSTANCE_INFO = 4,
    ETWC_EXT_STACK_TRACE32 = 5,
    ETWC_EXT_STACK_TRACE64 = 6,
    ETWC_EXT_PEBS_INDEX = 7,
    ETWC_EXT_PMC_COUNTERS = 8,
    ETWC_EXT_PSM_KEY = 9,
    ETWC_EXT_EVENT_KEY = 10,
    ETWC_EXT_EVENT_SCHEMA_TL = 11,
    ETWC_EXT_PROV_TRAITS = 12,
    ETWC_EXT_PROCESS_START_KEY = 13,
    ETWC_EXT_CONTROL_GUID = 14,
    ETWC_EXT_QPC_DELTA = 15,
    ETWC_EXT_CONTAINER_ID = 16,
    ETWC_EXT_STACK_KEY32 = 17,
    ETWC_EXT_STACK_KEY64 = 18
};

typedef struct etwc_extended_item {
    uint16_t type;  /* ETWC_EXT_*, or one that is not known */
    etwc_span data; /* borrowed like the event */
} etwc_extended_item;

typedef struct etwc_extended_iter {
    etwc_span rest;
    uint8_t form;
    bool is_done;
} etwc_extended_iter;

/* Walks the items that the Windows API would deliver with the event. Records
 * are checked when they are read, so the walk cannot fail. */
void etwc_extended_begin(const etwc_event *event, etwc_extended_iter *iter);
ETWC_NODISCARD bool etwc_extended_next(etwc_extended_iter *iter,
                                       etwc_extended_item *out);
/* The first item of that type; false when the event has none. */
ETWC_NODISCARD bool etwc_extended_find(const etwc_event *event, uint16_t type,
                                       etwc_span *out);

/* "system", "event", ...; "unknown" for a value that is no kind. */
const char *etwc_event_kind_name(uint8_t kind);

#endif
