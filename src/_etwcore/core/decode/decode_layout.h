/*
 * The form of the kernel's layout tables: one description that both views of an
 * event are made from, typed records (etwc_kernel.h) and named fields
 * (etwc_decode.h).
 *
 * A row is a field. Rows are packed: a row begins where the one before it ends.
 * A SLOT row also says which member of etwc_kernel_record it fills. Layouts that
 * metrics meet often and that have a fixed size are written as X-macros, so that
 * the same rows give straight-line code as well (DECODE_FAST).
 */
#ifndef DECODE_LAYOUT_H
#define DECODE_LAYOUT_H

#include "etwc_kernel.h"
#include "etwc_provider.h"
#include "etwc_value.h"

/* X(name, bytes or 0 when they vary, value type); P stands for pointer size. */
#define DECODE_TYPE_LIST(X)  \
    X(U8, 1, UINT)           \
    X(U16, 2, UINT)          \
    X(U32, 4, UINT)          \
    X(U64, 8, UINT)          \
    X(I8, 1, INT)            \
    X(I16, 2, INT)           \
    X(I32, 4, INT)           \
    X(I64, 8, INT)           \
    X(TIME, 8, CLOCK)        \
    X(FILETIME, 8, FILETIME) \
    X(PORT, 2, UINT)         \
    X(IP4, 4, IPV4)          \
    X(IP6, 16, IPV6)         \
    X(GUID, 16, GUID)        \
    X(PTR, 0, UINT)          \
    X(BITS, 0, UINT)         \
    X(SID, 0, SID)           \
    X(PLAIN_SID, 0, SID)     \
    X(AZ, 0, TEXT8)          \
    X(WZ, 0, TEXT16)         \
    X(WC, 0, TEXT16)         \
    X(BYTES, 0, BYTES)       \
    X(PACKETS, 0, STRUCT)    \
    X(STRUCT, 0, STRUCT)

typedef enum decode_type {
#define DECODE_TYPE_ENUM(name, bytes, value) DECODE_##name,
    DECODE_TYPE_LIST(DECODE_TYPE_ENUM)
#undef DECODE_TYPE_ENUM
        DECODE_TYPE_COUNT
} decode_type;

/* How a number is shown: plainly, or by the names of a table. The tables are in
 * decode_symbols.c. X(name, format, table or NULL). */
#define DECODE_VIEW_LIST(X)                           \
    X(DEC, DECIMAL, NULL)                             \
    X(HEX, HEX, NULL)                                 \
    X(TAG, CHARACTERS, NULL)                          \
    X(STATUS, NTSTATUS, NULL)                         \
    X(PROCESS_FLAGS, HEX, &decode_process_flags)      \
    X(WAIT_REASON, DECIMAL, &decode_wait_reasons)     \
    X(PACKET_TYPE, DECIMAL, &decode_packet_types)     \
    X(WAIT_MODE, DECIMAL, &decode_wait_modes)         \
    X(THREAD_STATE, DECIMAL, &decode_thread_states)   \
    X(ADJUST_REASON, DECIMAL, &decode_adjust_reasons) \
    X(READY_FLAGS, HEX, &decode_ready_flags)          \
    X(IRP_FLAGS, HEX, &decode_irp_flags)              \
    X(ALLOC_FLAGS, HEX, &decode_allocation_flags)     \
    X(RESET_FLAGS, DECIMAL, &decode_reset_modes)      \
    X(ELEVATION, DECIMAL, &decode_elevation_types)    \
    X(EXIT_STATUS, NTSTATUS, &decode_exit_statuses)   \
    X(POOL_TYPE, HEX, &decode_pool_types)             \
    X(ARCHITECTURE, DECIMAL, &decode_architectures)

typedef enum decode_view {
#define DECODE_VIEW_ENUM(name, format, table) DECODE_VIEW_##name,
    DECODE_VIEW_LIST(DECODE_VIEW_ENUM)
#undef DECODE_VIEW_ENUM
        DECODE_VIEW_COUNT
} decode_view;

typedef enum decode_repeat {
    DECODE_ONE,
    DECODE_FIXED,   /* `count` elements; BYTES and WC: units */
    DECODE_COUNTED, /* as many as the number in row `count` says */
    DECODE_REST     /* to the end of the payload */
} decode_repeat;

typedef struct decode_row decode_row;
struct decode_row {
    const char *name;          /* NULL: not shown (padding, or the base of BITS) */
    const decode_row *members; /* STRUCT: rows of a fixed size */
    uint16_t count;            /* see decode_repeat; BITS: shift << 8 | width */
    uint16_t slot;             /* 1 + offset in etwc_kernel_record; 0: none */
    uint32_t has;              /* ETWC_HAS_* that a filled slot sets */
    uint8_t slot_size;
    uint8_t member_count;
    uint8_t type;     /* decode_type */
    uint8_t view;     /* decode_view */
    uint8_t repeat;   /* decode_repeat */
    bool is_optional; /* the payload may end before it and be whole */
};

/* Layouts have no more rows than this. */
enum { DECODE_MAX_ROWS = 48 };
/* `required` of a layout that gives no typed record. */
enum { DECODE_NEVER = 255 };

typedef struct decode_opcode decode_opcode;
typedef struct decode_form decode_form;

/* Decodes an event of that layout into a typed record. */
typedef etwc_completeness (*decode_fast_fn)(const etwc_event *event,
                                            const decode_opcode *opcode,
                                            const decode_form *form,
                                            etwc_kernel_record *out);

/* One layout with the versions that have it. */
struct decode_form {
    const decode_row *rows;
    decode_fast_fn fast; /* NULL: read by rows */
    uint8_t row_count;
    uint8_t low, high; /* versions, both inclusive */
    uint8_t required;  /* rows without which a typed record says nothing */
};

/* For layouts that only the payload itself tells apart. */
typedef const decode_form *(*decode_choose_fn)(const etwc_event *event,
                                               const decode_form *by_version);

struct decode_opcode {
    const char *name;         /* "Process/Start"; NULL: opcode is not known */
    const decode_form *forms; /* by ascending version; NULL: payload is raw */
    const decode_form *newest;
    decode_choose_fn choose; /* NULL: the version decides alone */
    uint8_t form_count;
    uint8_t type;       /* etwc_kernel_type */
    uint8_t stands_for; /* manifest events: the opcode of the class's own event */
};

typedef struct decode_class {
    const decode_opcode *opcodes; /* indexed by opcode; manifest classes: by id */
    size_t count;
} decode_class;

/* clang-format off */

/* ---- Writing tables -------------------------------------------------------- */

#define DECODE_SLOT_OF(member, flag)                                     \
    .slot = (uint16_t)(offsetof(etwc_kernel_record, u.member) + 1),      \
    .slot_size = (uint8_t)sizeof(((etwc_kernel_record *)0)->u.member),   \
    .has = (flag)

#define ROW(type_, name_, view_) \
    {.name = name_, .type = DECODE_##type_, .view = DECODE_VIEW_##view_},
#define SLOT(type_, name_, view_, member, flag)                       \
    {.name = name_,                                                   \
     .type = DECODE_##type_,                                          \
     .view = DECODE_VIEW_##view_,                                     \
     DECODE_SLOT_OF(member, flag)},
/* Bits of the number read last. */
#define BITS(name_, view_, shift, width)    \
    {.name = name_,                         \
     .type = DECODE_BITS,                   \
     .view = DECODE_VIEW_##view_,           \
     .count = (uint16_t)((shift) << 8 | (width))},
#define FIXED(type_, name_, view_, n)  \
    {.name = name_,                    \
     .type = DECODE_##type_,           \
     .view = DECODE_VIEW_##view_,      \
     .repeat = DECODE_FIXED,           \
     .count = (n)},
#define FIXED_SLOT(type_, name_, n, member, flag) \
    {.name = name_,                               \
     .type = DECODE_##type_,                      \
     .repeat = DECODE_FIXED,                      \
     .count = (n),                                \
     DECODE_SLOT_OF(member, flag)},
#define COUNTED(type_, name_, view_, row) \
    {.name = name_,                       \
     .type = DECODE_##type_,              \
     .view = DECODE_VIEW_##view_,         \
     .repeat = DECODE_COUNTED,            \
     .count = (row)},
#define REST(type_, name_, view_) \
    {.name = name_,               \
     .type = DECODE_##type_,      \
     .view = DECODE_VIEW_##view_, \
     .repeat = DECODE_REST},
#define REST_SLOT(type_, name_, view_, member) \
    {.name = name_,                            \
     .type = DECODE_##type_,                   \
     .view = DECODE_VIEW_##view_,              \
     .repeat = DECODE_REST,                    \
     DECODE_SLOT_OF(member, 0)},
#define STRUCTS(name_, members_, row)               \
    {.name = name_,                                 \
     .type = DECODE_STRUCT,                         \
     .members = members_,                           \
     .member_count = ETWC_ARRAY_SIZE(members_),     \
     .repeat = DECODE_COUNTED,                      \
     .count = (row)},
#define OPTIONAL(type_, name_, view_) \
    {.name = name_,                   \
     .type = DECODE_##type_,          \
     .view = DECODE_VIEW_##view_,     \
     .is_optional = true},
#define OPTIONAL_SLOT(type_, name_, view_, member, flag) \
    {.name = name_,                                      \
     .type = DECODE_##type_,                             \
     .view = DECODE_VIEW_##view_,                        \
     .is_optional = true,                                \
     DECODE_SLOT_OF(member, flag)},
#define PADDING(n) {.type = DECODE_BYTES, .repeat = DECODE_FIXED, .count = (n)},

#define FORM(low_, high_, rows_, required_)   \
    {.rows = rows_,                           \
     .row_count = ETWC_ARRAY_SIZE(rows_),     \
     .low = (low_),                           \
     .high = (high_),                         \
     .required = (required_)},
#define FORM_FAST(low_, high_, id, required_)  \
    {.rows = id##_rows,                        \
     .fast = id##_fast,                        \
     .row_count = ETWC_ARRAY_SIZE(id##_rows),  \
     .low = (low_),                            \
     .high = (high_),                          \
     .required = (required_)},
#define FORM_EMPTY(low_, high_) {.low = (low_), .high = (high_)},
#define OPCODE(number, name_, forms_, type_)     \
    [number] = {.name = name_,                   \
                .forms = forms_,                 \
                .newest = (forms_) + ETWC_ARRAY_SIZE(forms_) - 1, \
                .form_count = ETWC_ARRAY_SIZE(forms_), \
                .type = ETWC_KERNEL_##type_},
#define OPCODE_CHOOSE(number, name_, forms_, type_, choose_) \
    [number] = {.name = name_,                               \
                .forms = forms_,                             \
                .newest = (forms_) + ETWC_ARRAY_SIZE(forms_) - 1, \
                .form_count = ETWC_ARRAY_SIZE(forms_),       \
                .choose = choose_,                           \
                .type = ETWC_KERNEL_##type_},
/* An event of a manifest provider, which stands for that opcode of a kernel class. */
#define EVENT(number, name_, forms_, type_, opcode_)       \
    [number] = {.name = name_,                             \
                .forms = forms_,                           \
                .newest = (forms_) + ETWC_ARRAY_SIZE(forms_) - 1, \
                .form_count = ETWC_ARRAY_SIZE(forms_),     \
                .type = ETWC_KERNEL_##type_,               \
                .stands_for = (opcode_)},
/* A known event whose payload nobody describes. */
#define OPCODE_RAW(number, name_) [number] = {.name = name_},
#define CLASS(id)                           \
    const decode_class decode_class_##id = { \
        id##_opcodes, ETWC_ARRAY_SIZE(id##_opcodes)};

/* clang-format on */

/* ---- What the opcode adds to the payload ----------------------------------- */

/* IPv6 operations have the opcode of the IPv4 one plus this. */
enum { DECODE_IPV6_BASE = 26, DECODE_IPV6_OFFSET = 16 };

static inline uint8_t
decode_opcode_of(const etwc_event *event, const decode_opcode *opcode)
{
    return opcode->stands_for != 0 ? opcode->stands_for : event->opcode;
}

static inline void
decode_finish_cswitch(const etwc_event *event, const decode_opcode *opcode,
                      etwc_kernel_record *out)
{
    (void)event;
    (void)opcode;
    out->u.cswitch.old_wait_mode &= 1; /* other bits: flags of version 3 and 4 */
}

/* Ids of the manifest provider: TCP as the opcodes, UDP from here on. */
enum { DECODE_FIRST_UDP_ID = 42 };

static inline void
decode_finish_network(const etwc_event *event, const decode_opcode *opcode,
                      etwc_kernel_record *out)
{
    etwc_kernel_network *network = &out->u.network;
    uint8_t number = decode_opcode_of(event, opcode);
    network->is_ipv6 = number >= DECODE_IPV6_BASE;
    network->which = (uint8_t)(number - (network->is_ipv6 ? DECODE_IPV6_OFFSET : 0));
    network->is_udp = event->kernel_class == ETWC_CLASS_UDP_IP ||
                      (event->kernel_class == ETWC_CLASS_MANIFEST_NETWORK &&
                       event->id >= DECODE_FIRST_UDP_ID);
}

static inline void
decode_finish_interrupt(const etwc_event *event, const decode_opcode *opcode,
                        etwc_kernel_record *out)
{
    (void)opcode;
    /* 50 message-signalled, 67 line, 95 passive; the others are DPCs. */
    out->u.interrupt.is_isr =
        event->opcode == 50 || event->opcode == 67 || event->opcode == 95;
}

#define DECODE_FINISH_WHICH(record)                                                    \
    static inline void decode_finish_##record(                                         \
        const etwc_event *event, const decode_opcode *opcode, etwc_kernel_record *out) \
    {                                                                                  \
        out->u.record.which = decode_opcode_of(event, opcode);                         \
    }
DECODE_FINISH_WHICH(page_fault)
DECODE_FINISH_WHICH(priority)
DECODE_FINISH_WHICH(file)
DECODE_FINISH_WHICH(lost)
DECODE_FINISH_WHICH(handle)

#define DECODE_FINISH_NOTHING(record)                                                  \
    static inline void decode_finish_##record(                                         \
        const etwc_event *event, const decode_opcode *opcode, etwc_kernel_record *out) \
    {                                                                                  \
        (void)event;                                                                   \
        (void)opcode;                                                                  \
        (void)out;                                                                     \
    }
DECODE_FINISH_NOTHING(sample)
DECODE_FINISH_NOTHING(ready)
DECODE_FINISH_NOTHING(disk)
DECODE_FINISH_NOTHING(hard_fault)
DECODE_FINISH_NOTHING(virtual_memory)

/* A typed record of any payload: rows that it does not hold are left out. */
etwc_completeness decode_by_rows(const etwc_event *event, const decode_opcode *opcode,
                                 const decode_form *form, etwc_kernel_record *out);

/* clang-format off */

/* ---- Straight-line code from rows ------------------------------------------ */

#define DECODE_SIZE_U8 1
#define DECODE_SIZE_U16 2
#define DECODE_SIZE_U32 4
#define DECODE_SIZE_U64 8
#define DECODE_SIZE_I8 1
#define DECODE_SIZE_I16 2
#define DECODE_SIZE_I32 4
#define DECODE_SIZE_I64 8
#define DECODE_SIZE_TIME 8
#define DECODE_SIZE_PORT 2
#define DECODE_SIZE_IP4 4
#define DECODE_SIZE_IP6 16
#define DECODE_SIZE_PTR pointer_size

/* Loads a number of 1, 2, 4 or 8 bytes; a slot keeps its low bytes. */
static inline uint64_t
decode_load(const uint8_t *p, size_t size)
{
    switch (size) {
    case 1:
        return p[0];
    case 2:
        return etwc_load_u16(p);
    case 4:
        return etwc_load_u32(p);
    default:
        return etwc_load_u64(p);
    }
}

/* The same for a type that may be signed. */
static inline uint64_t
decode_load_number(const uint8_t *p, size_t size, uint8_t type)
{
    uint64_t number = decode_load(p, size);
    if (type < DECODE_I8 || type > DECODE_I64)
        return number;
    uint64_t sign = (uint64_t)1 << (size * 8 - 1);
    return (number ^ sign) - sign;
}

static inline void
decode_store(void *slot, size_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *(uint8_t *)slot = (uint8_t)value;
        break;
    case 2:
        *(uint16_t *)slot = (uint16_t)value;
        break;
    case 4:
        *(uint32_t *)slot = (uint32_t)value;
        break;
    default:
        *(uint64_t *)slot = value;
        break;
    }
}

#define DECODE_FAST_SIZE(type, name, view) +DECODE_SIZE_##type
#define DECODE_FAST_SIZE_SLOT(type, name, view, member, flag) +DECODE_SIZE_##type
#define DECODE_FAST_NO_BITS(name, view, shift, width)
#define DECODE_FAST_SKIP(type, name, view) at += DECODE_SIZE_##type;
#define DECODE_FAST_LOAD(type, name, view, member, flag)     \
    decode_store(&out->u.member, sizeof out->u.member,       \
                 decode_load(at, DECODE_SIZE_##type));       \
    fields |= (flag);                                        \
    at += DECODE_SIZE_##type;

/* Defines id_rows and id_fast from LAYOUT(ROW, SLOT, BITS); `record` is the
 * member of the record's union that the slots are in. */
#define DECODE_FAST(id, LAYOUT, record)                              \
    static const decode_row id##_rows[] = {LAYOUT(ROW, SLOT, BITS)}; \
    DECODE_FAST_CODE(id, LAYOUT, record)
#define DECODE_FAST_CODE(id, LAYOUT, record)                                         \
    static inline etwc_completeness id##_load(                                       \
        const etwc_event *event, const decode_opcode *opcode,                        \
        const decode_form *form, etwc_kernel_record *out, const size_t pointer_size) \
    {                                                                                \
        const uint8_t *at = event->payload;                                          \
        const size_t size =                                                          \
            0 LAYOUT(DECODE_FAST_SIZE, DECODE_FAST_SIZE_SLOT, DECODE_FAST_NO_BITS);  \
        unsigned fields = 0;                                                         \
        if (ETWC_UNLIKELY(event->payload_size != size))                              \
            return decode_by_rows(event, opcode, form, out);                         \
        memset(&out->u.record, 0, sizeof out->u.record);                             \
        LAYOUT(DECODE_FAST_SKIP, DECODE_FAST_LOAD, DECODE_FAST_NO_BITS)              \
        out->type = opcode->type;                                                    \
        out->fields = fields;                                                        \
        decode_finish_##record(event, opcode, out);                                       \
        (void)at;                                                                    \
        (void)pointer_size;                                                          \
        return event->version <= form->high ? ETWC_DECODED_FULL                      \
                                            : ETWC_DECODED_PARTIAL;                  \
    }                                                                                \
    static etwc_completeness id##_fast(const etwc_event *event,                      \
                                       const decode_opcode *opcode,                  \
                                       const decode_form *form,                      \
                                       etwc_kernel_record *out)                      \
    {                                                                                \
        return ETWC_LIKELY(event->pointer_size == 8)                                 \
                   ? id##_load(event, opcode, form, out, 8)                          \
                   : id##_load(event, opcode, form, out, 4);                         \
    }

/* clang-format on */

/* ---- Batched context switches ---------------------------------------------- */

/* A packet of event-decoding 3.3.1. What its type does not say is 0. */
typedef struct decode_packet {
    uint8_t type; /* 0 idle short, 1 idle, 2 lite, 3 full */
    uint8_t tid_index;
    uint8_t state_reason;
    uint8_t priority; /* lite: increase over the base; full: the old priority */
    uint32_t delta;
    uint32_t wait_ticks; /* full: of the thread that comes */
} decode_packet;

/* Takes the next packet; false when less than one is left. */
ETWC_NODISCARD bool decode_packet_take(etwc_span *packets, decode_packet *out);

/* Classes by position, with their provider; NULL past the last. */
const decode_class *decode_class_at(size_t index, etwc_guid *out);

/* ---- From an event to its layout ------------------------------------------- */

/* By kernel class; NULL where nothing is known. */
enum { DECODE_CLASS_SLOTS = ETWC_CLASS_COUNT };
extern const decode_class *const decode_kernel_classes[DECODE_CLASS_SLOTS];
/* Classes that only their GUID names: records that merging adds to a file. */
const decode_class *decode_find_added_class(const etwc_guid *provider);

/* What the table of its class has at the number of the event, NULL past its end.
 * Without a name, and without a type, when there is no such event. */
static inline const decode_opcode *
decode_entry_of(const etwc_event *event)
{
    const decode_class *found = event->kernel_class < DECODE_CLASS_SLOTS
                                    ? decode_kernel_classes[event->kernel_class]
                                    : decode_find_added_class(&event->provider_id);
    uint32_t number =
        etwc_class_is_manifest(event->kernel_class) ? event->id : event->opcode;
    if (found == NULL || number >= found->count)
        return NULL;
    return &found->opcodes[number];
}

/* NULL when the event is not known. */
static inline const decode_opcode *
decode_find_opcode(const etwc_event *event)
{
    const decode_opcode *opcode = decode_entry_of(event);
    return opcode != NULL && opcode->name != NULL ? opcode : NULL;
}

/* NULL when there is none for its version. *is_newer: the version is above the
 * highest known one, whose layout is given. */
static inline const decode_form *
decode_find_form(const decode_opcode *opcode, const etwc_event *event, bool *is_newer)
{
    for (size_t i = opcode->form_count; i-- > 0;) {
        const decode_form *form = &opcode->forms[i];
        if (event->version < form->low)
            continue;
        *is_newer = event->version > form->high;
        if (*is_newer && i + 1u < opcode->form_count)
            return NULL; /* between two known ones: Windows never used it */
        return opcode->choose != NULL ? opcode->choose(event, form) : form;
    }
    return NULL;
}

#endif
