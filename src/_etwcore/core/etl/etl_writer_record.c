/* One event to one record: the reverse of the reader's record walk. */
#include "etl_writer.h"

static const etwc_guid zero_guid;

static etwc_status
refuse(etwc_error *err, const char *what)
{
    return etwc_fail_at(err, ETWC_E_INVALID, ETL_WRITER_WHERE, -1, "%s", what);
}

/* ---- Sizes and checks ------------------------------------------------------- */

/* The list must end exactly where its bytes end, or a reader would take items
 * for payload. */
static bool
is_item_list(const uint8_t *items, size_t size)
{
    size_t at = 0;
    bool has_more = true;
    while (has_more) {
        if (size - at < ETL_ITEM_BYTES)
            return false;
        const uint8_t *item = items + at;
        size_t item_size = etwc_load_u16(item + ETL_ITEM_SIZE);
        size_t data_size = etwc_load_u16(item + ETL_ITEM_DATA_SIZE);
        if (item_size < ETL_ITEM_BYTES + data_size || item_size > size - at)
            return false;
        has_more = (etwc_load_u16(item + ETL_ITEM_LINKAGE) & 1) != 0;
        at += item_size;
    }
    return at == size;
}

static etwc_status
measure_kernel(const etwc_event *event, size_t header, size_t *out, etwc_error *err)
{
    size_t words = event->extended_size / ETL_KERNEL_WORD_BYTES;
    bool has_index = event->extended_form == ETWC_EXTENDED_PEBS_PMC;
    if (event->extended_form != ETWC_EXTENDED_NONE &&
        event->extended_form != ETWC_EXTENDED_PMC && !has_index)
        return refuse(err, "kernel records carry only PEBS and PMC words");
    if (event->extended_size % ETL_KERNEL_WORD_BYTES != 0 || words < has_index ||
        words - has_index > ETL_KERNEL_PMC_MAX)
        return refuse(err, "a kernel record carries at most 7 PMC counters");
    *out = header + event->extended_size;
    return ETWC_OK;
}

static etwc_status
measure_plain(const etwc_event *event, size_t header, size_t *out, etwc_error *err)
{
    if (event->extended_size != 0)
        return refuse(err, "this kind of record carries no extended items");
    *out = header;
    return ETWC_OK;
}

static etwc_status
measure_instance(const etwc_event *event, size_t *out, etwc_error *err)
{
    if (event->extended_size != 0 && (event->extended_form != ETWC_EXTENDED_INSTANCE ||
                                      event->extended_size != ETL_INSTANCE_INFO_BYTES))
        return refuse(err, "an instance record carries the 24 bytes of item 4");
    *out = ETL_INSTANCE_BYTES;
    return ETWC_OK;
}

static etwc_status
measure_event(const etwc_event *event, size_t *out, etwc_error *err)
{
    if (event->extended_size != 0 &&
        (event->extended_form != ETWC_EXTENDED_ITEMS ||
         !is_item_list(event->extended, event->extended_size)))
        return refuse(err, "the extended bytes are not a list of items");
    *out = ETL_EVENT_BYTES + (size_t)event->extended_size;
    return ETWC_OK;
}

static uint16_t
message_flags(const etwc_event *event)
{
    unsigned flags = ETL_MESSAGE_TIMESTAMP;
    flags |= event->pointer_size == 4 ? ETL_MESSAGE_POINTER32 : ETL_MESSAGE_POINTER64;
    if (!etwc_guid_equal(&event->provider_id, &zero_guid))
        flags |= ETL_MESSAGE_GUID;
    if (event->process_id != ETWC_NO_ID || event->thread_id != ETWC_NO_ID)
        flags |= ETL_MESSAGE_SYSTEMINFO;
    return (uint16_t)flags;
}

static size_t
message_header_size(const etwc_event *event)
{
    uint16_t flags = message_flags(event);
    size_t size = ETL_MESSAGE_BYTES + 8;
    if (flags & ETL_MESSAGE_GUID)
        size += 16;
    if (flags & ETL_MESSAGE_SYSTEMINFO)
        size += 8;
    return size;
}

static etwc_status
measure_header(const etwc_event *event, size_t *out, etwc_error *err)
{
    switch (event->kind) {
    case ETWC_KIND_SYSTEM:
        return measure_kernel(event, ETL_SYSTEM_BYTES, out, err);
    case ETWC_KIND_COMPACT:
        return measure_kernel(event, ETL_COMPACT_BYTES, out, err);
    case ETWC_KIND_PERFINFO:
        return measure_kernel(event, ETL_PERFINFO_BYTES, out, err);
    case ETWC_KIND_FULL:
        return measure_plain(event, ETL_FULL_BYTES, out, err);
    case ETWC_KIND_INSTANCE:
        return measure_instance(event, out, err);
    case ETWC_KIND_EVENT:
        return measure_event(event, out, err);
    case ETWC_KIND_MESSAGE:
        return measure_plain(event, message_header_size(event), out, err);
    default:
        return refuse(err, "not a kind of record");
    }
}

etwc_status
etl_record_measure(const etwc_event *event, size_t *out_size, etwc_error *err)
{
    size_t header = 0;
    if (event->pointer_size != 4 && event->pointer_size != 8)
        return refuse(err, "the pointer size of a record is 4 or 8");
    etwc_status st = measure_header(event, &header, err);
    if (st != ETWC_OK)
        return st;
    /* header is below 2^33, payload_size below 2^32: compare, do not add. */
    if (header > ETL_RECORD_MAX_BYTES ||
        event->payload_size > ETL_RECORD_MAX_BYTES - header)
        return etwc_fail_at(err, ETWC_E_INVALID, ETL_WRITER_WHERE, -1,
                            "a record has at most 65535 bytes; this one has %llu of "
                            "header and %lu of payload",
                            (unsigned long long)header,
                            (unsigned long)event->payload_size);
    *out_size = header + event->payload_size;
    return ETWC_OK;
}

/* ---- Bytes -------------------------------------------------------------------- */

/* memcpy may not be given NULL, not even for nothing. */
static void
put_bytes(uint8_t *dst, const uint8_t *src, size_t n)
{
    if (n != 0)
        memcpy(dst, src, n);
}

static void
put_type(uint8_t *dst, const etwc_event *event, uint8_t type32, uint8_t type64)
{
    dst[ETL_RECORD_TYPE] = event->pointer_size == 4 ? type32 : type64;
    dst[ETL_RECORD_MARKER] = ETL_MARKER_TRACE;
}

/* Returns the number of bytes that precede the payload. */
static size_t
put_kernel(const etwc_event *event, size_t size, size_t header, uint8_t *dst)
{
    unsigned version = event->version;
    unsigned counters = event->extended_size / ETL_KERNEL_WORD_BYTES;
    if (event->extended_form == ETWC_EXTENDED_PEBS_PMC) {
        version |= ETL_KERNEL_PEBS_FLAG;
        counters--;
    }
    version |= counters << ETL_KERNEL_PMC_SHIFT;
    etwc_store_u16(dst + ETL_KERNEL_VERSION, (uint16_t)version);
    etwc_store_u16(dst + ETL_KERNEL_SIZE, (uint16_t)size);
    dst[ETL_KERNEL_OPCODE] = event->opcode;
    dst[ETL_KERNEL_GROUP] = event->kernel_group;
    put_bytes(dst + header, event->extended, event->extended_size);
    return header + event->extended_size;
}

static size_t
put_system(const etwc_event *event, size_t size, uint8_t *dst)
{
    put_type(dst, event, ETL_TYPE_SYSTEM32, ETL_TYPE_SYSTEM64);
    etwc_store_u32(dst + ETL_SYSTEM_THREAD_ID, event->thread_id);
    etwc_store_u32(dst + ETL_SYSTEM_PROCESS_ID, event->process_id);
    etwc_store_u64(dst + ETL_SYSTEM_TIMESTAMP, (uint64_t)event->raw_time);
    etwc_store_u32(dst + ETL_SYSTEM_KERNEL_TIME, event->kernel_ticks);
    etwc_store_u32(dst + ETL_SYSTEM_USER_TIME, event->user_ticks);
    return put_kernel(event, size, ETL_SYSTEM_BYTES, dst);
}

static size_t
put_compact(const etwc_event *event, size_t size, uint8_t *dst)
{
    put_type(dst, event, ETL_TYPE_COMPACT32, ETL_TYPE_COMPACT64);
    etwc_store_u32(dst + ETL_COMPACT_THREAD_ID, event->thread_id);
    etwc_store_u32(dst + ETL_COMPACT_PROCESS_ID, event->process_id);
    etwc_store_u64(dst + ETL_COMPACT_TIMESTAMP, (uint64_t)event->raw_time);
    return put_kernel(event, size, ETL_COMPACT_BYTES, dst);
}

static size_t
put_perfinfo(const etwc_event *event, size_t size, uint8_t *dst)
{
    put_type(dst, event, ETL_TYPE_PERFINFO32, ETL_TYPE_PERFINFO64);
    etwc_store_u64(dst + ETL_PERFINFO_TIMESTAMP, (uint64_t)event->raw_time);
    return put_kernel(event, size, ETL_PERFINFO_BYTES, dst);
}

/* INSTANCE begins like FULL. */
static size_t
put_full(const etwc_event *event, size_t size, uint8_t *dst)
{
    put_type(dst, event, ETL_TYPE_FULL32, ETL_TYPE_FULL64);
    etwc_store_u16(dst + ETL_FULL_SIZE, (uint16_t)size);
    dst[ETL_FULL_OPCODE] = event->opcode;
    dst[ETL_FULL_LEVEL] = event->level;
    etwc_store_u16(dst + ETL_FULL_VERSION, event->version);
    etwc_store_u32(dst + ETL_FULL_THREAD_ID, event->thread_id);
    etwc_store_u32(dst + ETL_FULL_PROCESS_ID, event->process_id);
    etwc_store_u64(dst + ETL_FULL_TIMESTAMP, (uint64_t)event->raw_time);
    memcpy(dst + ETL_FULL_GUID, event->provider_id.bytes, 16);
    etwc_store_u32(dst + ETL_FULL_KERNEL_TIME, event->kernel_ticks);
    etwc_store_u32(dst + ETL_FULL_USER_TIME, event->user_ticks);
    return ETL_FULL_BYTES;
}

static size_t
put_instance(const etwc_event *event, size_t size, uint8_t *dst)
{
    (void)put_full(event, size, dst);
    put_type(dst, event, ETL_TYPE_INSTANCE32, ETL_TYPE_INSTANCE64);
    memset(dst + ETL_INSTANCE_ID, 0, ETL_INSTANCE_INFO_BYTES);
    put_bytes(dst + ETL_INSTANCE_ID, event->extended, event->extended_size);
    return ETL_INSTANCE_BYTES;
}

static size_t
put_event(const etwc_event *event, size_t size, uint8_t *dst)
{
    unsigned flags = event->flags & (ETWC_FLAG_STRING_ONLY | ETWC_FLAG_DECODE_GUID);
    if (event->extended_size != 0)
        flags |= ETWC_FLAG_EXTENDED_INFO;
    put_type(dst, event, ETL_TYPE_EVENT32, ETL_TYPE_EVENT64);
    etwc_store_u16(dst + ETL_EVENT_SIZE, (uint16_t)size);
    etwc_store_u16(dst + ETL_EVENT_FLAGS, (uint16_t)flags);
    etwc_store_u16(dst + ETL_EVENT_PROPERTY, event->event_property);
    etwc_store_u32(dst + ETL_EVENT_THREAD_ID, event->thread_id);
    etwc_store_u32(dst + ETL_EVENT_PROCESS_ID, event->process_id);
    etwc_store_u64(dst + ETL_EVENT_TIMESTAMP, (uint64_t)event->raw_time);
    memcpy(dst + ETL_EVENT_PROVIDER_ID, event->provider_id.bytes, 16);
    etwc_store_u16(dst + ETL_EVENT_ID, event->id);
    dst[ETL_EVENT_VERSION] = event->version;
    dst[ETL_EVENT_CHANNEL] = event->channel;
    dst[ETL_EVENT_LEVEL] = event->level;
    dst[ETL_EVENT_OPCODE] = event->opcode;
    etwc_store_u16(dst + ETL_EVENT_TASK, event->task);
    etwc_store_u64(dst + ETL_EVENT_KEYWORD, event->keyword);
    etwc_store_u32(dst + ETL_EVENT_KERNEL_TIME, event->kernel_ticks);
    etwc_store_u32(dst + ETL_EVENT_USER_TIME, event->user_ticks);
    memcpy(dst + ETL_EVENT_ACTIVITY_ID, event->activity_id.bytes, 16);
    put_bytes(dst + ETL_EVENT_BYTES, event->extended, event->extended_size);
    return ETL_EVENT_BYTES + (size_t)event->extended_size;
}

static size_t
put_message(const etwc_event *event, size_t size, uint8_t *dst)
{
    uint16_t flags = message_flags(event);
    size_t at = ETL_MESSAGE_BYTES;
    etwc_store_u16(dst + ETL_MESSAGE_SIZE, (uint16_t)size);
    dst[ETL_RECORD_TYPE] = 0;
    dst[ETL_RECORD_MARKER] = ETL_MARKER_MESSAGE;
    etwc_store_u16(dst + ETL_MESSAGE_NUMBER, event->id);
    etwc_store_u16(dst + ETL_MESSAGE_FLAGS, flags);
    if (flags & ETL_MESSAGE_GUID) {
        memcpy(dst + at, event->provider_id.bytes, 16);
        at += 16;
    }
    etwc_store_u64(dst + at, (uint64_t)event->raw_time);
    at += 8;
    if (flags & ETL_MESSAGE_SYSTEMINFO) {
        etwc_store_u32(dst + at, event->thread_id);
        etwc_store_u32(dst + at + 4, event->process_id);
        at += 8;
    }
    return at;
}

static size_t
put_header(const etwc_event *event, size_t size, uint8_t *dst)
{
    switch (event->kind) {
    case ETWC_KIND_SYSTEM:
        return put_system(event, size, dst);
    case ETWC_KIND_COMPACT:
        return put_compact(event, size, dst);
    case ETWC_KIND_PERFINFO:
        return put_perfinfo(event, size, dst);
    case ETWC_KIND_FULL:
        return put_full(event, size, dst);
    case ETWC_KIND_INSTANCE:
        return put_instance(event, size, dst);
    case ETWC_KIND_EVENT:
        return put_event(event, size, dst);
    default:
        return put_message(event, size, dst);
    }
}

void
etl_record_put(const etwc_event *event, size_t size, uint8_t *dst)
{
    /* The padding first, as one word; the record then covers the rest of it. */
    etwc_store_u64(dst + etwc_align8(size) - 8, 0);
    size_t header = put_header(event, size, dst);
    put_bytes(dst + header, event->payload, size - header);
}

/* ---- Extended items ------------------------------------------------------------- */

size_t
etwc_extended_append(uint8_t *dst, size_t capacity, size_t size, size_t *last,
                     uint16_t type, etwc_span data)
{
    if (data.len > ETL_RECORD_MAX_BYTES - ETL_ITEM_BYTES - (ETL_RECORD_ALIGNMENT - 1))
        return 0;
    size_t item_size = etwc_align8(ETL_ITEM_BYTES + data.len);
    if (size > capacity || item_size > capacity - size)
        return 0;
    uint8_t *item = dst + size;
    memset(item, 0, item_size);
    etwc_store_u16(item + ETL_ITEM_SIZE, (uint16_t)item_size);
    etwc_store_u16(item + ETL_ITEM_TYPE, type);
    etwc_store_u16(item + ETL_ITEM_DATA_SIZE, (uint16_t)data.len);
    put_bytes(item + ETL_ITEM_BYTES, data.ptr, data.len);
    if (*last != SIZE_MAX)
        etwc_store_u16(dst + *last + ETL_ITEM_LINKAGE, 1);
    *last = size;
    return size + item_size;
}
