/*
 * From a record to the event that the Windows API would deliver (etl-format.md
 * chapter 6).
 */
#include "etl_view.h"

#include "etl_shape.h"
#include "etwc_provider.h"

enum {
    EVENT_FLAGS_DELIVERED =
        ETWC_FLAG_EXTENDED_INFO | ETWC_FLAG_STRING_ONLY | ETWC_FLAG_DECODE_GUID,
    HOOK_CSWITCH = 0x0524
};

/* What no kernel record without PMC words has: the end of the event. */
static inline void
clear_rest(etwc_event *event)
{
    size_t rest = offsetof(etwc_event, extended);
    memset((uint8_t *)event + rest, 0, sizeof *event - rest);
}

/* The rest of the members is set one by one: compilers clear a struct of this size
 * with a string instruction that takes longer than all the rest of a view. */
static inline void
clear_kernel_part(etwc_event *event)
{
    event->provider_id = (etwc_guid){{0}};
    event->payload = NULL;
    event->payload_size = 0;
    event->process_id = ETWC_NO_ID;
    event->thread_id = ETWC_NO_ID;
    event->kernel_ticks = 0;
    event->user_ticks = 0;
    event->version = 0;
    event->opcode = 0;
    event->kernel_class = ETWC_CLASS_NONE;
    event->kernel_group = 0;
}

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

/* SYSTEM, COMPACT and PERFINFO: nearly all records of a busy trace. */
static inline void
view_kernel(const etl_record_context *context, const uint8_t *record,
            const etl_ref *ref, etwc_event *event)
{
    const etl_shape *shape = &etl_shapes[ref->shape];
    unsigned version = etwc_load_u16(record);
    unsigned hook = etwc_load_u16(record + ETL_KERNEL_OPCODE);
    unsigned group = hook == ETL_HOOK_IMAGE_LOAD ? ETWC_CLASS_IMAGE : hook >> 8;
    const etwc_kernel_group *delivered = etwc_kernel_group_of((uint8_t)group);
    size_t at = shape->header_bytes;
    event->version = (uint8_t)version;
    event->opcode = (uint8_t)hook;
    event->kernel_group = (uint8_t)(hook >> 8);
    event->kernel_class = delivered->kernel_class;
    event->provider_id = delivered->guid;
    event->process_id = ETWC_NO_ID;
    event->thread_id = ETWC_NO_ID;
    event->kernel_ticks = 0;
    event->user_ticks = 0;
    if (shape->kind != ETWC_KIND_PERFINFO)
        set_ids(event, record + ETL_SYSTEM_THREAD_ID);
    if (shape->kind == ETWC_KIND_SYSTEM)
        set_ticks(event, record + ETL_SYSTEM_KERNEL_TIME, context->is_private);
    if (ETWC_UNLIKELY((version & ETL_SHAPE_PMC_MASK) != 0)) {
        size_t words = etl_shape_pmc_bytes(version);
        event->extended = record + at;
        event->extended_size = (uint32_t)words;
        event->extended_form =
            version & ETL_KERNEL_PEBS_FLAG ? ETWC_EXTENDED_PEBS_PMC : ETWC_EXTENDED_PMC;
        at += words;
    }
    set_payload(event, record, at, ref->size);
}

/* FULL and INSTANCE. */
static void
view_classic(const etl_record_context *context, const uint8_t *record,
             const etl_ref *ref, etwc_event *event)
{
    event->opcode = record[ETL_FULL_OPCODE];
    event->level = record[ETL_FULL_LEVEL];
    event->version = record[ETL_FULL_VERSION];
    set_ids(event, record + ETL_FULL_THREAD_ID);
    if (etl_shapes[ref->shape].kind == ETWC_KIND_INSTANCE &&
        context->has_old_instance) {
        set_ticks(event, record + ETL_OLD_INSTANCE_KERNEL_TIME, context->is_private);
        set_payload(event, record, ETL_OLD_INSTANCE_BYTES, ref->size);
        return;
    }
    memcpy(event->provider_id.bytes, record + ETL_FULL_GUID, 16);
    event->kernel_class = etwc_kernel_class_of(&event->provider_id);
    set_ticks(event, record + ETL_FULL_KERNEL_TIME, context->is_private);
    if (etl_shapes[ref->shape].kind == ETWC_KIND_INSTANCE) {
        event->extended = record + ETL_INSTANCE_ID;
        event->extended_size = ETL_INSTANCE_INFO_BYTES;
        event->extended_form = ETWC_EXTENDED_INSTANCE;
    }
    set_payload(event, record, etl_shapes[ref->shape].header_bytes, ref->size);
}

static void
view_event(const etl_record_context *context, const uint8_t *record, const etl_ref *ref,
           etwc_event *event)
{
    unsigned flags = etwc_load_u16(record + ETL_EVENT_FLAGS);
    size_t header_bytes = etl_shapes[ref->shape].header_bytes;
    event->flags |= (uint16_t)(flags & EVENT_FLAGS_DELIVERED);
    event->event_property = etwc_load_u16(record + ETL_EVENT_PROPERTY);
    set_ids(event, record + ETL_EVENT_THREAD_ID);
    memcpy(event->provider_id.bytes, record + ETL_EVENT_PROVIDER_ID, 16);
    event->kernel_class = etwc_manifest_class_of(&event->provider_id);
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
        size_t end = etl_shape_extended_end(record, ref->size, &is_whole);
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
    etl_message_parts parts;
    unsigned flags = etwc_load_u16(record + ETL_MESSAGE_FLAGS);
    /* The scan has checked that the parts fit. */
    (void)etl_shape_message_parts(record, ref->size, &parts);
    event->id = etwc_load_u16(record + ETL_MESSAGE_NUMBER);
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
    event->flags |=
        event->pointer_size == 4 ? ETWC_FLAG_32_BIT_HEADER : ETWC_FLAG_64_BIT_HEADER;
    set_payload(event, record, parts.payload, ref->size);
}

/* Out of line, so that the way of kernel records needs few registers. */
static ETWC_NOINLINE void
view_other(const etl_record_context *context, const uint8_t *record, const etl_ref *ref,
           etwc_event *event)
{
    clear_kernel_part(event);
    switch (etl_shapes[ref->shape].kind) {
    case ETWC_KIND_EVENT:
        view_event(context, record, ref, event);
        break;
    case ETWC_KIND_MESSAGE:
        view_message(context, record, ref, event);
        break;
    default:
        view_classic(context, record, ref, event);
        break;
    }
}

/* A switch, or a batch of them, of a record that is known to be a kernel one or not. */
static inline bool
is_cswitch(const uint8_t *record, const etl_ref *ref, bool is_kernel)
{
    unsigned hook = etwc_load_u16(record + ETL_KERNEL_OPCODE);
    return is_kernel ? (hook & ~1u) == HOOK_CSWITCH : ref->is_cswitch;
}

/* The thread that runs after a record. A busy trace is half made of switches, and
 * nothing foretells which record is one: choices, not branches. */
static inline uint32_t
running_after(uint32_t running, bool is_switch, const uint8_t *record, size_t payload,
              size_t size, unsigned opcode)
{
    uint32_t word = ETWC_NO_ID;
    if (ETWC_LIKELY(size >= payload + 4))
        word = etwc_load_u32(record + payload);
    /* A batch of switches does not tell its threads. */
    uint32_t next = opcode == ETL_OPCODE_CSWITCH ? word : ETWC_NO_ID;
    return is_switch ? next : running;
}

void
etl_view_items(const etwc_etl *etl, uint32_t file_index, const etl_item *items,
               size_t count, etwc_event *events)
{
    const etl_record_context context = etl->record_context;
    const etwc_clock clock = etl->clock;
    for (size_t i = 0; i < count; i++) {
        const etl_ref *ref = items[i].ref;
        etl_stream *stream = items[i].stream;
        etwc_event *event = &events[i];
        const uint8_t *record = stream->records.image + ref->offset;
        const etl_shape *shape = &etl_shapes[ref->shape];
        bool is_kernel = etl_shape_is_kernel(ref->shape);
        event->raw_time = ref->raw_time;
        event->filetime = etwc_clock_filetime(&clock, ref->raw_time);
        event->block = stream->buffer.block;
        event->processor = stream->buffer.processor;
        event->running_thread_id = stream->running_thread;
        event->flags = shape->flags;
        event->pointer_size = shape->pointer_size;
        event->kind = shape->kind;
        event->file_index = file_index;
        event->logger_id = stream->buffer.logger_id;
        clear_rest(event);
        if (ETWC_LIKELY(is_kernel))
            view_kernel(&context, record, ref, event);
        else
            view_other(&context, record, ref, event);
        stream->running_thread = running_after(
            stream->running_thread, is_cswitch(record, ref, is_kernel), record,
            (size_t)(event->payload - record), ref->size, event->opcode);
    }
}

void
etl_view_pass(const etl_item *item)
{
    const etl_ref *ref = item->ref;
    const uint8_t *record = item->stream->records.image + ref->offset;
    bool is_kernel = etl_shape_is_kernel(ref->shape);
    size_t at = etl_shapes[ref->shape].header_bytes;
    unsigned opcode = record[ETL_FULL_OPCODE];
    if (is_kernel) {
        at += etl_shape_pmc_bytes(etwc_load_u16(record));
        opcode = record[ETL_KERNEL_OPCODE];
    }
    item->stream->running_thread =
        running_after(item->stream->running_thread, is_cswitch(record, ref, is_kernel),
                      record, at, ref->size, opcode);
}

const uint8_t *
etl_view_provider(const etwc_etl *etl, const etl_item *item)
{
    static const uint8_t none[16];
    const uint8_t *record = item->stream->records.image + item->ref->offset;
    etl_message_parts parts;
    switch (etl_shapes[item->ref->shape].kind) {
    case ETWC_KIND_EVENT:
    case ETWC_KIND_FULL:
        return record + ETL_FULL_GUID; /* the same place in an EVENT_HEADER */
    case ETWC_KIND_INSTANCE:
        return etl->record_context.has_old_instance ? none : record + ETL_FULL_GUID;
    case ETWC_KIND_MESSAGE:
        (void)etl_shape_message_parts(record, item->ref->size, &parts);
        return parts.provider ? record + parts.provider : none;
    default:
        if (etwc_load_u16(record + ETL_KERNEL_OPCODE) == ETL_HOOK_IMAGE_LOAD)
            return etwc_kernel_group_guid(ETWC_CLASS_IMAGE)->bytes;
        return etwc_kernel_group_guid(record[ETL_KERNEL_GROUP])->bytes;
    }
}
