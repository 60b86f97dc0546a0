/*
 * etl-format.md chapters 5 and 6: from bytes to the event that the Windows API
 * would deliver.
 */
#include "etl_record.h"

#include "etl_format.h"
#include "etwc_provider.h"

/* What is common to all records of one kind. */
typedef struct record_shape {
    uint8_t kind;         /* etwc_event_kind */
    uint8_t header_bytes; /* without PMC words, extended items, message parts */
    uint8_t size_shift;   /* Size is these many bits up in the first 8 bytes */
    uint8_t time_offset;  /* 0: not at a fixed place */
    uint8_t pointer_size; /* 0: the record says */
} record_shape;

enum {
    SHAPE_NONE,
    SHAPE_SYSTEM32,
    SHAPE_SYSTEM64,
    SHAPE_COMPACT32,
    SHAPE_COMPACT64,
    SHAPE_FULL32,
    SHAPE_FULL64,
    SHAPE_INSTANCE32,
    SHAPE_INSTANCE64,
    SHAPE_PERFINFO32,
    SHAPE_PERFINFO64,
    SHAPE_EVENT32,
    SHAPE_EVENT64,
    SHAPE_MESSAGE,
    SHAPE_COUNT
};

static const record_shape shapes[SHAPE_COUNT] = {
    [SHAPE_SYSTEM32] = {ETWC_KIND_SYSTEM, ETL_SYSTEM_BYTES, 32, ETL_SYSTEM_TIMESTAMP,
                        4},
    [SHAPE_SYSTEM64] = {ETWC_KIND_SYSTEM, ETL_SYSTEM_BYTES, 32, ETL_SYSTEM_TIMESTAMP,
                        8},
    [SHAPE_COMPACT32] = {ETWC_KIND_COMPACT, ETL_COMPACT_BYTES, 32, ETL_SYSTEM_TIMESTAMP,
                         4},
    [SHAPE_COMPACT64] = {ETWC_KIND_COMPACT, ETL_COMPACT_BYTES, 32, ETL_SYSTEM_TIMESTAMP,
                         8},
    [SHAPE_FULL32] = {ETWC_KIND_FULL, ETL_FULL_BYTES, 0, ETL_SYSTEM_TIMESTAMP, 4},
    [SHAPE_FULL64] = {ETWC_KIND_FULL, ETL_FULL_BYTES, 0, ETL_SYSTEM_TIMESTAMP, 8},
    [SHAPE_INSTANCE32] = {ETWC_KIND_INSTANCE, ETL_INSTANCE_BYTES, 0,
                          ETL_SYSTEM_TIMESTAMP, 4},
    [SHAPE_INSTANCE64] = {ETWC_KIND_INSTANCE, ETL_INSTANCE_BYTES, 0,
                          ETL_SYSTEM_TIMESTAMP, 8},
    [SHAPE_PERFINFO32] = {ETWC_KIND_PERFINFO, ETL_PERFINFO_BYTES, 32,
                          ETL_PERFINFO_TIMESTAMP, 4},
    [SHAPE_PERFINFO64] = {ETWC_KIND_PERFINFO, ETL_PERFINFO_BYTES, 32,
                          ETL_PERFINFO_TIMESTAMP, 8},
    [SHAPE_EVENT32] = {ETWC_KIND_EVENT, ETL_EVENT_BYTES, 0, ETL_SYSTEM_TIMESTAMP, 4},
    [SHAPE_EVENT64] = {ETWC_KIND_EVENT, ETL_EVENT_BYTES, 0, ETL_SYSTEM_TIMESTAMP, 8},
    [SHAPE_MESSAGE] = {ETWC_KIND_MESSAGE, ETL_MESSAGE_BYTES, 0, 0, 0},
};

/* HeaderType byte of records with marker flags 0xC0. */
static const uint8_t shape_of_type[256] = {
    [ETL_TYPE_SYSTEM32] = SHAPE_SYSTEM32,     [ETL_TYPE_SYSTEM64] = SHAPE_SYSTEM64,
    [ETL_TYPE_COMPACT32] = SHAPE_COMPACT32,   [ETL_TYPE_COMPACT64] = SHAPE_COMPACT64,
    [ETL_TYPE_FULL32] = SHAPE_FULL32,         [ETL_TYPE_INSTANCE32] = SHAPE_INSTANCE32,
    [ETL_TYPE_PERFINFO32] = SHAPE_PERFINFO32, [ETL_TYPE_PERFINFO64] = SHAPE_PERFINFO64,
    [ETL_TYPE_EVENT32] = SHAPE_EVENT32,       [ETL_TYPE_EVENT64] = SHAPE_EVENT64,
    [ETL_TYPE_FULL64] = SHAPE_FULL64,         [ETL_TYPE_INSTANCE64] = SHAPE_INSTANCE64,
};

enum {
    KERNEL_VERSION_WORDS =
        ETL_KERNEL_PEBS_FLAG | (ETL_KERNEL_PMC_MAX << ETL_KERNEL_PMC_SHIFT),

    EVENT_FLAGS_DELIVERED =
        ETWC_FLAG_EXTENDED_INFO | ETWC_FLAG_STRING_ONLY | ETWC_FLAG_DECODE_GUID,
    ITEM_HAS_NEXT = 1,

    HOOK_CSWITCH = 0x0524,
    OPCODE_CSWITCH = 0x24,
    OPCODE_CSWITCH_BATCH = 0x25
};

/* A bit for each header type of kernel records. */
#define KERNEL_TYPES                                                         \
    (UINT32_C(1) << ETL_TYPE_SYSTEM32 | UINT32_C(1) << ETL_TYPE_SYSTEM64 |   \
     UINT32_C(1) << ETL_TYPE_COMPACT32 | UINT32_C(1) << ETL_TYPE_COMPACT64 | \
     UINT32_C(1) << ETL_TYPE_PERFINFO32 | UINT32_C(1) << ETL_TYPE_PERFINFO64)

#define WORD_NOT_WNODE ((uint32_t)ETL_MARKER_TRACE_BIT << 24)

static const uint8_t thread_class_guid[16] = {0xd1, 0xa8, 0x6f, 0x3d, 0x05, 0xfe,
                                              0xd0, 0x11, 0x9d, 0xda, 0x00, 0xc0,
                                              0x4f, 0xd7, 0xba, 0x7c};

/* ---- Parts of a record that vary ------------------------------------------- */

/* Where the optional parts of a WPP message lie; offset 0: not present. */
typedef struct message_parts {
    uint16_t provider, time, system_info, payload;
} message_parts;

/* False when the parts do not fit into the record. */
static bool
read_message_parts(const uint8_t *record, uint16_t size, message_parts *out)
{
    unsigned flags = etwc_load_u16(record + ETL_MESSAGE_FLAGS);
    unsigned at = shapes[SHAPE_MESSAGE].header_bytes;
    *out = (message_parts){0};
    if (flags & ETL_MESSAGE_SEQUENCE)
        at += 4;
    if (flags & ETL_MESSAGE_COMPONENT_ID) {
        at += 4;
    } else if (flags & ETL_MESSAGE_GUID) {
        out->provider = (uint16_t)at;
        at += 16;
    }
    if (flags & (ETL_MESSAGE_TIMESTAMP | ETL_MESSAGE_PERFORMANCE_TIMESTAMP)) {
        if (flags & ETL_MESSAGE_TIMESTAMP)
            out->time = (uint16_t)at;
        at += 8;
    }
    if (flags & ETL_MESSAGE_SYSTEMINFO) {
        out->system_info = (uint16_t)at;
        at += 8;
    }
    out->payload = (uint16_t)at;
    return at <= size;
}

/* End of the list of extended items, counted from the record start; *is_whole
 * is false when an item breaks the list, which then ends before it. */
static size_t
extended_end(const uint8_t *record, size_t size, bool *is_whole)
{
    size_t at = shapes[SHAPE_EVENT64].header_bytes;
    for (;;) {
        *is_whole = false;
        if (size - at < ETL_ITEM_BYTES)
            return at;
        size_t item_size = etwc_load_u16(record + at + ETL_ITEM_SIZE);
        size_t data_size = etwc_load_u16(record + at + ETL_ITEM_DATA_SIZE);
        if (item_size < ETL_ITEM_BYTES + data_size || item_size > size - at)
            return at;
        bool is_last =
            (etwc_load_u16(record + at + ETL_ITEM_LINKAGE) & ITEM_HAS_NEXT) == 0;
        at += item_size;
        *is_whole = true;
        if (is_last)
            return at;
    }
}

/* Bytes of PEBS and PMC words between a kernel header and its payload. */
static size_t
pmc_bytes(unsigned version)
{
    return (size_t)ETL_KERNEL_WORD_BYTES *
           (((version & ETL_KERNEL_PEBS_FLAG) != 0) +
            ((version >> ETL_KERNEL_PMC_SHIFT) & ETL_KERNEL_PMC_MAX));
}

static bool
is_kernel_shape(uint8_t shape)
{
    return shapes[shape].size_shift != 0;
}

/* ---- The walk --------------------------------------------------------------- */

/* Ends the image before its data does and counts what is left. */
static void
stop(etl_records *r, uint64_t *counter, etwc_damage *damage)
{
    (*counter)++;
    damage->bytes_skipped += r->end - r->position;
    r->end = r->position;
}

static void
stop_at_bad_record(etl_records *r, etwc_damage *damage)
{
    stop(r, r->is_truncated ? &damage->truncated_records : &damage->bad_records,
         damage);
}

/* A record of no known kind: steps over it when its size is usable. */
static void
skip_unknown(etl_records *r, uint32_t word, etwc_damage *damage)
{
    const uint8_t *record = r->image + r->position;
    size_t rest = r->end - r->position;
    /* Legacy WMI blocks have a 32-bit size, all others a 16-bit one. */
    size_t size = word & WORD_NOT_WNODE ? etwc_load_u16(record) : word;
    if (size < ETL_RECORD_MIN_BYTES || size > rest) {
        stop_at_bad_record(r, damage);
        return;
    }
    size_t stride = etwc_align8(size) < rest ? etwc_align8(size) : rest;
    damage->unknown_records++;
    damage->bytes_skipped += stride;
    r->position += stride;
}

/* Handles a record of no known shape. */
static void
handle_odd_word(etl_records *r, uint32_t word, etwc_damage *damage)
{
    if (word == 0) {
        stop(r, &damage->zero_records, damage);
    } else if (word != ETL_FILLER_MARKER) {
        skip_unknown(r, word, damage);
    } else if (r->is_end_trusted) {
        stop(r, &damage->filler_records, damage);
    } else {
        r->end = r->position; /* where the data ends, after all */
    }
}

static uint8_t
shape_of(uint32_t word)
{
    unsigned marker = word >> 24;
    if (ETWC_LIKELY(marker == ETL_MARKER_TRACE))
        return shape_of_type[(word >> 16) & 0xFF];
    return marker == ETL_MARKER_MESSAGE ? SHAPE_MESSAGE : SHAPE_NONE;
}

static bool
is_cswitch_opcode(unsigned opcode)
{
    return opcode == OPCODE_CSWITCH || opcode == OPCODE_CSWITCH_BATCH;
}

/* A message without a stamp takes the time of the record before it. */
static int64_t
message_time(const etl_records *r)
{
    return r->last_raw_time == INT64_MIN ? r->first_message_time : r->last_raw_time;
}

/* Checks and completes a reference of any kind but the plain kernel ones. False
 * when the record is broken. */
static bool
finish_ref(const etl_records *r, const uint8_t *record, etl_ref *ref,
           etwc_damage *damage)
{
    size_t least = shapes[ref->shape].header_bytes;
    bool is_whole = true;
    message_parts parts;
    switch (shapes[ref->shape].kind) {
    case ETWC_KIND_INSTANCE:
        least = r->has_old_instance ? ETL_OLD_INSTANCE_BYTES : least;
        return ref->size >= least;
    case ETWC_KIND_EVENT:
        if (ref->size < least)
            return false;
        if (etwc_load_u16(record + ETL_EVENT_FLAGS) & ETWC_FLAG_EXTENDED_INFO)
            (void)extended_end(record, ref->size, &is_whole);
        damage->bad_ext += !is_whole;
        return true;
    case ETWC_KIND_MESSAGE:
        if (ref->size < least || !read_message_parts(record, ref->size, &parts))
            return false;
        ref->raw_time =
            parts.time ? etwc_load_i64(record + parts.time) : message_time(r);
        return true;
    case ETWC_KIND_FULL:
        if (ref->size < least)
            return false;
        ref->is_cswitch = is_cswitch_opcode(record[ETL_FULL_OPCODE]) &&
                          memcmp(record + ETL_FULL_GUID, thread_class_guid, 16) == 0;
        return true;
    default: /* kernel records with PMC words */
        return ref->size >= least + pmc_bytes(etwc_load_u16(record));
    }
}

/* Kernel records without PMC words, which are most of a busy trace. Their size is
 * taken behind a branch on the type and not by a table: the walk from size to size
 * is a chain of loads, and a predicted branch is no link of it. */
static inline bool
is_plain_kernel(uint64_t first)
{
    unsigned type = (unsigned)(first >> 16) & 0xFF;
    return (first & (UINT64_C(0xFF000000) | KERNEL_VERSION_WORDS)) ==
               (uint64_t)ETL_MARKER_TRACE << 24 &&
           type < 32 && ((KERNEL_TYPES >> type) & 1) != 0;
}

/* A record of any other shape: completes *ref but for its offset. False when the
 * record is broken. */
static bool
take_other(const etl_records *r, const uint8_t *record, uint64_t first, uint8_t shape,
           etl_ref *ref, etwc_damage *damage)
{
    const record_shape *s = &shapes[shape];
    size_t size = (uint16_t)(first >> s->size_shift);
    if (size > r->end - r->position || size < ETL_RECORD_MIN_BYTES ||
        s->time_offset + 8u > size)
        return false;
    ref->raw_time = etwc_load_i64(record + s->time_offset);
    ref->size = (uint16_t)size;
    ref->shape = shape;
    ref->is_cswitch = false;
    return finish_ref(r, record, ref, damage);
}

/* What the walk does about a record that is no plain kernel record: true when *ref
 * holds one, false when it was stepped over, or when the image has ended. */
static ETWC_NOINLINE bool
scan_other(etl_records *r, etl_ref *ref, etwc_damage *damage)
{
    const uint8_t *record = r->image + r->position;
    size_t rest = r->end - r->position;
    uint64_t first = rest >= ETL_RECORD_MIN_BYTES ? etwc_load_u64(record) : 0;
    uint8_t shape = shape_of((uint32_t)first);
    if (rest < ETL_RECORD_MIN_BYTES) {
        stop_at_bad_record(r, damage);
        return false;
    }
    if (shape == SHAPE_NONE) {
        handle_odd_word(r, (uint32_t)first, damage);
        return false;
    }
    if (!take_other(r, record, first, shape, ref, damage)) {
        stop_at_bad_record(r, damage);
        return false;
    }
    ref->offset = (uint32_t)r->position;
    r->position += etwc_align8(ref->size);
    damage->out_of_order += ref->raw_time < r->last_raw_time;
    r->last_raw_time = ref->raw_time;
    return true;
}

/* Takes plain kernel records up to the first other one. */
static size_t
scan_plain(etl_records *r, etl_ref *refs, size_t capacity, etwc_damage *damage)
{
    /* In registers: the walk is as fast as the chain of positions. */
    const uint8_t *image = r->image;
    size_t position = r->position;
    size_t end = r->end;
    int64_t last = r->last_raw_time;
    uint64_t out_of_order = 0;
    etl_ref *ref = refs;
    etl_ref *full = refs + capacity;
    for (; ref != full && position + ETL_RECORD_MIN_BYTES <= end; ref++) {
        const uint8_t *record = image + position;
        uint64_t first = etwc_load_u64(record);
        if (ETWC_UNLIKELY(!is_plain_kernel(first)))
            break;
        uint8_t shape = shape_of_type[(uint8_t)(first >> 16)];
        size_t size = (uint16_t)(first >> 32);
        if (ETWC_UNLIKELY(size > end - position || size < shapes[shape].header_bytes))
            break;
        int64_t time = etwc_load_i64(record + shapes[shape].time_offset);
        *ref = (etl_ref){time, (uint32_t)position, (uint16_t)size, shape, false};
        out_of_order += time < last;
        last = time;
        position += etwc_align8(size);
    }
    r->position = position;
    r->last_raw_time = last;
    damage->out_of_order += out_of_order;
    return (size_t)(ref - refs);
}

size_t
etl_records_scan(etl_records *r, etl_ref *refs, size_t capacity, etwc_damage *damage)
{
    size_t count = 0;
    while (count < capacity && r->position < r->end) {
        count += scan_plain(r, refs + count, capacity - count, damage);
        if (count < capacity && r->position < r->end)
            count += scan_other(r, refs + count, damage);
    }
    return count;
}

bool
etl_record_peek_time(etwc_span bytes, int64_t *out)
{
    if (bytes.len < 24)
        return false;
    uint8_t shape = shape_of(etwc_load_u32(bytes.ptr));
    if (shapes[shape].time_offset == 0)
        return false;
    *out = etwc_load_i64(bytes.ptr + shapes[shape].time_offset);
    return true;
}

/* ---- The view --------------------------------------------------------------- */

static void
set_ids(etwc_event *event, const uint8_t *thread_then_process)
{
    event->thread_id = etwc_load_u32(thread_then_process);
    event->process_id = etwc_load_u32(thread_then_process + 4);
}

static void
set_ticks(etwc_event *event, const uint8_t *kernel_then_user, bool is_private)
{
    event->kernel_ticks = etwc_load_u32(kernel_then_user);
    event->user_ticks = etwc_load_u32(kernel_then_user + 4);
    if (is_private)
        event->flags |= ETWC_FLAG_PRIVATE_SESSION;
}

static void
set_payload(etwc_event *event, const uint8_t *record, size_t at, size_t size)
{
    event->payload = record + at;
    event->payload_size = (uint32_t)(size - at);
}

/* SYSTEM, COMPACT and PERFINFO. */
static void
view_kernel(const etl_record_context *context, const uint8_t *record,
            const etl_ref *ref, etwc_event *event)
{
    const record_shape *shape = &shapes[ref->shape];
    unsigned version = etwc_load_u16(record);
    uint8_t group = record[ETL_KERNEL_GROUP];
    event->version = (uint8_t)version;
    event->opcode = record[ETL_KERNEL_OPCODE];
    if (etwc_load_u16(record + ETL_KERNEL_OPCODE) == ETL_HOOK_IMAGE_LOAD)
        group = ETWC_CLASS_IMAGE;
    event->provider_id = *etwc_kernel_group_guid(group);
    event->kernel_class = etwc_kernel_class_is_group(group) ? group : ETWC_CLASS_NONE;
    event->flags |= ETWC_FLAG_CLASSIC_HEADER;
    if (shape->kind != ETWC_KIND_PERFINFO)
        set_ids(event, record + ETL_SYSTEM_THREAD_ID);
    if (shape->kind == ETWC_KIND_SYSTEM)
        set_ticks(event, record + ETL_SYSTEM_KERNEL_TIME, context->is_private);
    else
        event->flags |= ETWC_FLAG_NO_CPUTIME;
    size_t words = pmc_bytes(version);
    if (words != 0) {
        event->extended = record + shape->header_bytes;
        event->extended_size = (uint32_t)words;
        event->extended_form =
            version & ETL_KERNEL_PEBS_FLAG ? ETWC_EXTENDED_PEBS_PMC : ETWC_EXTENDED_PMC;
    }
    set_payload(event, record, shape->header_bytes + words, ref->size);
}

/* FULL and INSTANCE. */
static void
view_classic(const etl_record_context *context, const uint8_t *record,
             const etl_ref *ref, etwc_event *event)
{
    event->opcode = record[ETL_FULL_OPCODE];
    event->level = record[ETL_FULL_LEVEL];
    event->version = record[ETL_FULL_VERSION];
    event->flags |= ETWC_FLAG_CLASSIC_HEADER;
    set_ids(event, record + ETL_FULL_THREAD_ID);
    if (shapes[ref->shape].kind == ETWC_KIND_INSTANCE && context->has_old_instance) {
        set_ticks(event, record + ETL_OLD_INSTANCE_KERNEL_TIME, context->is_private);
        set_payload(event, record, ETL_OLD_INSTANCE_BYTES, ref->size);
        return;
    }
    memcpy(event->provider_id.bytes, record + ETL_FULL_GUID, 16);
    event->kernel_class = etwc_kernel_class_of(&event->provider_id);
    set_ticks(event, record + ETL_FULL_KERNEL_TIME, context->is_private);
    if (shapes[ref->shape].kind == ETWC_KIND_INSTANCE) {
        event->extended = record + ETL_INSTANCE_ID;
        event->extended_size = ETL_INSTANCE_INFO_BYTES;
        event->extended_form = ETWC_EXTENDED_INSTANCE;
    }
    set_payload(event, record, shapes[ref->shape].header_bytes, ref->size);
}

static void
view_event(const etl_record_context *context, const uint8_t *record, const etl_ref *ref,
           etwc_event *event)
{
    unsigned flags = etwc_load_u16(record + ETL_EVENT_FLAGS);
    size_t header_bytes = shapes[ref->shape].header_bytes;
    event->flags |= (uint16_t)(flags & EVENT_FLAGS_DELIVERED);
    event->event_property = etwc_load_u16(record + ETL_EVENT_PROPERTY);
    set_ids(event, record + ETL_EVENT_THREAD_ID);
    memcpy(event->provider_id.bytes, record + ETL_EVENT_PROVIDER_ID, 16);
    event->id = etwc_load_u16(record + ETL_EVENT_ID);
    event->version = record[ETL_EVENT_VERSION];
    event->channel = record[ETL_EVENT_CHANNEL];
    event->level = record[ETL_EVENT_LEVEL];
    event->opcode = record[ETL_EVENT_OPCODE];
    event->task = etwc_load_u16(record + ETL_EVENT_TASK);
    event->keyword = etwc_load_u64(record + ETL_EVENT_KEYWORD);
    set_ticks(event, record + ETL_EVENT_KERNEL_TIME, context->is_private);
    memcpy(event->activity_id.bytes, record + ETL_EVENT_ACTIVITY_ID, 16);
    size_t payload = header_bytes;
    if (flags & ETWC_FLAG_EXTENDED_INFO) {
        bool is_whole;
        size_t end = extended_end(record, ref->size, &is_whole);
        event->extended = record + header_bytes;
        event->extended_size = (uint32_t)(end - header_bytes);
        if (end != header_bytes)
            event->extended_form = ETWC_EXTENDED_ITEMS;
        payload = is_whole ? end : ref->size;
    }
    set_payload(event, record, payload, ref->size);
}

static void
view_message(const etl_record_context *context, const uint8_t *record,
             const etl_ref *ref, etwc_event *event)
{
    message_parts parts;
    unsigned flags = etwc_load_u16(record + ETL_MESSAGE_FLAGS);
    /* The scan has checked that the parts fit. */
    (void)read_message_parts(record, ref->size, &parts);
    event->id = etwc_load_u16(record + ETL_MESSAGE_NUMBER);
    event->flags |=
        ETWC_FLAG_TRACE_MESSAGE | ETWC_FLAG_NO_CPUTIME | ETWC_FLAG_CLASSIC_HEADER;
    if (parts.provider)
        memcpy(event->provider_id.bytes, record + parts.provider, 16);
    if (parts.system_info)
        set_ids(event, record + parts.system_info);
    if (flags & ETL_MESSAGE_POINTER32)
        event->pointer_size = 4;
    else if (flags & ETL_MESSAGE_POINTER64)
        event->pointer_size = 8;
    else
        event->pointer_size = context->pointer_size == 4 ? 4 : 8;
    set_payload(event, record, parts.payload, ref->size);
}

/* Every member, one by one: compilers clear a struct of this size with a string
 * instruction that takes longer than all the rest of a view. */
static inline void
reset_event(etwc_event *event, const etl_record_context *context, const etl_ref *ref)
{
    const record_shape *shape = &shapes[ref->shape];
    static const etwc_guid no_guid;
    event->raw_time = ref->raw_time;
    event->filetime = etwc_clock_filetime(context->clock, ref->raw_time);
    event->keyword = 0;
    event->provider_id = no_guid;
    event->activity_id = no_guid;
    event->payload = NULL;
    event->extended = NULL;
    event->block = NULL;
    event->payload_size = 0;
    event->extended_size = 0;
    event->process_id = ETWC_NO_ID;
    event->thread_id = ETWC_NO_ID;
    event->kernel_ticks = 0;
    event->user_ticks = 0;
    event->processor = 0;
    event->running_thread_id = ETWC_NO_ID;
    event->file_index = 0;
    event->id = 0;
    event->task = 0;
    event->flags = ETWC_FLAG_PROCESSOR_INDEX;
    event->event_property = 0;
    event->logger_id = 0;
    event->version = 0;
    event->channel = 0;
    event->level = 0;
    event->opcode = 0;
    event->kind = shape->kind;
    event->extended_form = ETWC_EXTENDED_NONE;
    event->pointer_size = shape->pointer_size;
    event->kernel_class = ETWC_CLASS_NONE;
}

void
etl_record_view(const etl_record_context *context, const uint8_t *image,
                const etl_ref *ref, etwc_event *event)
{
    const uint8_t *record = image + ref->offset;
    const record_shape *shape = &shapes[ref->shape];
    reset_event(event, context, ref);
    switch (shape->kind) {
    case ETWC_KIND_EVENT:
        view_event(context, record, ref, event);
        break;
    case ETWC_KIND_MESSAGE:
        view_message(context, record, ref, event);
        break;
    case ETWC_KIND_FULL:
    case ETWC_KIND_INSTANCE:
        view_classic(context, record, ref, event);
        break;
    default:
        view_kernel(context, record, ref, event);
        break;
    }
    event->flags |=
        event->pointer_size == 4 ? ETWC_FLAG_32_BIT_HEADER : ETWC_FLAG_64_BIT_HEADER;
}

const uint8_t *
etl_record_provider(const etl_record_context *context, const uint8_t *image,
                    const etl_ref *ref)
{
    static const uint8_t none[16];
    const uint8_t *record = image + ref->offset;
    message_parts parts;
    switch (shapes[ref->shape].kind) {
    case ETWC_KIND_EVENT:
    case ETWC_KIND_FULL:
        return record + ETL_FULL_GUID; /* the same place in an EVENT_HEADER */
    case ETWC_KIND_INSTANCE:
        return context->has_old_instance ? none : record + ETL_FULL_GUID;
    case ETWC_KIND_MESSAGE:
        (void)read_message_parts(record, ref->size, &parts);
        return parts.provider ? record + parts.provider : none;
    default:
        if (etwc_load_u16(record + ETL_KERNEL_OPCODE) == ETL_HOOK_IMAGE_LOAD)
            return etwc_kernel_group_guid(ETWC_CLASS_IMAGE)->bytes;
        return etwc_kernel_group_guid(record[ETL_KERNEL_GROUP])->bytes;
    }
}

bool
etl_record_is_cswitch(const uint8_t *image, const etl_ref *ref)
{
    unsigned hook = etwc_load_u16(image + ref->offset + ETL_KERNEL_OPCODE);
    return is_kernel_shape(ref->shape) ? (hook & ~1u) == HOOK_CSWITCH : ref->is_cswitch;
}

uint32_t
etl_record_new_thread(const uint8_t *image, const etl_ref *ref)
{
    const uint8_t *record = image + ref->offset;
    size_t at = shapes[ref->shape].header_bytes;
    unsigned opcode = record[ETL_FULL_OPCODE];
    if (is_kernel_shape(ref->shape)) {
        at += pmc_bytes(etwc_load_u16(record));
        opcode = record[ETL_KERNEL_OPCODE];
    }
    if (opcode != OPCODE_CSWITCH || ref->size < at + 4)
        return ETWC_NO_ID;
    return etwc_load_u32(record + at);
}
