#include "etl_shape.h"

enum {
    EVERY = ETWC_FLAG_PROCESSOR_INDEX,
    CLASSIC = ETWC_FLAG_CLASSIC_HEADER | EVERY,
    NO_TIMES = ETWC_FLAG_NO_CPUTIME,
    BITS32 = ETWC_FLAG_32_BIT_HEADER,
    BITS64 = ETWC_FLAG_64_BIT_HEADER
};

const etl_shape etl_shapes[ETL_SHAPE_COUNT] = {
    [ETL_SHAPE_SYSTEM32] = {ETWC_KIND_SYSTEM, ETL_SYSTEM_BYTES, 32,
                            ETL_SYSTEM_TIMESTAMP, 4, CLASSIC | BITS32},
    [ETL_SHAPE_SYSTEM64] = {ETWC_KIND_SYSTEM, ETL_SYSTEM_BYTES, 32,
                            ETL_SYSTEM_TIMESTAMP, 8, CLASSIC | BITS64},
    [ETL_SHAPE_COMPACT32] = {ETWC_KIND_COMPACT, ETL_COMPACT_BYTES, 32,
                             ETL_COMPACT_TIMESTAMP, 4, CLASSIC | NO_TIMES | BITS32},
    [ETL_SHAPE_COMPACT64] = {ETWC_KIND_COMPACT, ETL_COMPACT_BYTES, 32,
                             ETL_COMPACT_TIMESTAMP, 8, CLASSIC | NO_TIMES | BITS64},
    [ETL_SHAPE_FULL32] = {ETWC_KIND_FULL, ETL_FULL_BYTES, 0, ETL_FULL_TIMESTAMP, 4,
                          CLASSIC | BITS32},
    [ETL_SHAPE_FULL64] = {ETWC_KIND_FULL, ETL_FULL_BYTES, 0, ETL_FULL_TIMESTAMP, 8,
                          CLASSIC | BITS64},
    [ETL_SHAPE_INSTANCE32] = {ETWC_KIND_INSTANCE, ETL_INSTANCE_BYTES, 0,
                              ETL_FULL_TIMESTAMP, 4, CLASSIC | BITS32},
    [ETL_SHAPE_INSTANCE64] = {ETWC_KIND_INSTANCE, ETL_INSTANCE_BYTES, 0,
                              ETL_FULL_TIMESTAMP, 8, CLASSIC | BITS64},
    [ETL_SHAPE_PERFINFO32] = {ETWC_KIND_PERFINFO, ETL_PERFINFO_BYTES, 32,
                              ETL_PERFINFO_TIMESTAMP, 4, CLASSIC | NO_TIMES | BITS32},
    [ETL_SHAPE_PERFINFO64] = {ETWC_KIND_PERFINFO, ETL_PERFINFO_BYTES, 32,
                              ETL_PERFINFO_TIMESTAMP, 8, CLASSIC | NO_TIMES | BITS64},
    [ETL_SHAPE_EVENT32] = {ETWC_KIND_EVENT, ETL_EVENT_BYTES, 0, ETL_EVENT_TIMESTAMP, 4,
                           EVERY | BITS32},
    [ETL_SHAPE_EVENT64] = {ETWC_KIND_EVENT, ETL_EVENT_BYTES, 0, ETL_EVENT_TIMESTAMP, 8,
                           EVERY | BITS64},
    [ETL_SHAPE_MESSAGE] = {ETWC_KIND_MESSAGE, ETL_MESSAGE_BYTES, 0, 0, 0,
                           CLASSIC | NO_TIMES | ETWC_FLAG_TRACE_MESSAGE},
};

/* HeaderType byte of records with marker flags 0xC0. */
const uint8_t etl_shape_of_type[256] = {
    [ETL_TYPE_SYSTEM32] = ETL_SHAPE_SYSTEM32,
    [ETL_TYPE_SYSTEM64] = ETL_SHAPE_SYSTEM64,
    [ETL_TYPE_COMPACT32] = ETL_SHAPE_COMPACT32,
    [ETL_TYPE_COMPACT64] = ETL_SHAPE_COMPACT64,
    [ETL_TYPE_FULL32] = ETL_SHAPE_FULL32,
    [ETL_TYPE_INSTANCE32] = ETL_SHAPE_INSTANCE32,
    [ETL_TYPE_PERFINFO32] = ETL_SHAPE_PERFINFO32,
    [ETL_TYPE_PERFINFO64] = ETL_SHAPE_PERFINFO64,
    [ETL_TYPE_EVENT32] = ETL_SHAPE_EVENT32,
    [ETL_TYPE_EVENT64] = ETL_SHAPE_EVENT64,
    [ETL_TYPE_FULL64] = ETL_SHAPE_FULL64,
    [ETL_TYPE_INSTANCE64] = ETL_SHAPE_INSTANCE64,
};

enum { ITEM_HAS_NEXT = 1 };

bool
etl_shape_message_parts(const uint8_t *record, uint16_t size, etl_message_parts *out)
{
    unsigned flags = etwc_load_u16(record + ETL_MESSAGE_FLAGS);
    unsigned at = etl_shapes[ETL_SHAPE_MESSAGE].header_bytes;
    *out = (etl_message_parts){0};
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

size_t
etl_shape_extended_end(const uint8_t *record, size_t size, bool *is_whole)
{
    size_t at = etl_shapes[ETL_SHAPE_EVENT64].header_bytes;
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
