/*
 * The walk over the records of a buffer image (etl-format.md chapters 5 and 11).
 */
#include "etl_record.h"

#include "etl_shape.h"
#include "etwc_provider.h"

/* A bit for each header type of kernel records. */
#define KERNEL_TYPES                                                         \
    (UINT32_C(1) << ETL_TYPE_SYSTEM32 | UINT32_C(1) << ETL_TYPE_SYSTEM64 |   \
     UINT32_C(1) << ETL_TYPE_COMPACT32 | UINT32_C(1) << ETL_TYPE_COMPACT64 | \
     UINT32_C(1) << ETL_TYPE_PERFINFO32 | UINT32_C(1) << ETL_TYPE_PERFINFO64)

#define WORD_NOT_WNODE ((uint32_t)ETL_MARKER_TRACE_BIT << 24)

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

static bool
is_cswitch_opcode(unsigned opcode)
{
    return opcode == ETL_OPCODE_CSWITCH || opcode == ETL_OPCODE_CSWITCH_BATCH;
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
    size_t least = etl_shapes[ref->shape].header_bytes;
    bool is_whole = true;
    etl_message_parts parts;
    switch (etl_shapes[ref->shape].kind) {
    case ETWC_KIND_INSTANCE:
        least = r->has_old_instance ? ETL_OLD_INSTANCE_BYTES : least;
        return ref->size >= least;
    case ETWC_KIND_EVENT:
        if (ref->size < least)
            return false;
        if (etwc_load_u16(record + ETL_EVENT_FLAGS) & ETWC_FLAG_EXTENDED_INFO)
            (void)etl_shape_extended_end(record, ref->size, &is_whole);
        damage->bad_ext += !is_whole;
        return true;
    case ETWC_KIND_MESSAGE:
        if (ref->size < least || !etl_shape_message_parts(record, ref->size, &parts))
            return false;
        ref->raw_time =
            parts.time ? etwc_load_i64(record + parts.time) : message_time(r);
        return true;
    case ETWC_KIND_FULL:
        if (ref->size < least)
            return false;
        ref->is_cswitch =
            is_cswitch_opcode(record[ETL_FULL_OPCODE]) &&
            memcmp(record + ETL_FULL_GUID,
                   etwc_kernel_group_guid(ETWC_CLASS_THREAD)->bytes, 16) == 0;
        return true;
    default: /* kernel records with PMC words */
        return ref->size >= least + etl_shape_pmc_bytes(etwc_load_u16(record));
    }
}

/* Kernel records without PMC words, which are most of a busy trace. Their size is
 * taken behind a branch on the type and not by a table: the walk from size to size
 * is a chain of loads, and a predicted branch is no link of it. */
static inline bool
is_plain_kernel(uint64_t first)
{
    unsigned type = (unsigned)(first >> 16) & 0xFF;
    return (first & (UINT64_C(0xFF000000) | ETL_SHAPE_PMC_MASK)) ==
               (uint64_t)ETL_MARKER_TRACE << 24 &&
           type < 32 && ((KERNEL_TYPES >> type) & 1) != 0;
}

/* A record of any other shape: completes *ref but for its offset. False when the
 * record is broken. */
static bool
take_other(const etl_records *r, const uint8_t *record, uint64_t first, uint8_t shape,
           etl_ref *ref, etwc_damage *damage)
{
    const etl_shape *s = &etl_shapes[shape];
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
    uint8_t shape = etl_shape_of((uint32_t)first);
    if (rest < ETL_RECORD_MIN_BYTES) {
        stop_at_bad_record(r, damage);
        return false;
    }
    if (shape == ETL_SHAPE_NONE) {
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
        uint8_t shape = etl_shape_of_type[(uint8_t)(first >> 16)];
        size_t size = (uint16_t)(first >> 32);
        if (ETWC_UNLIKELY(size > end - position ||
                          size < etl_shapes[shape].header_bytes))
            break;
        int64_t time = etwc_load_i64(record + etl_shapes[shape].time_offset);
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
    uint8_t shape = etl_shape_of(etwc_load_u32(bytes.ptr));
    size_t at = etl_shapes[shape].time_offset;
    if (shape == ETL_SHAPE_MESSAGE) {
        etl_message_parts parts;
        if (!etl_shape_message_parts(bytes.ptr, etwc_load_u16(bytes.ptr), &parts))
            return false;
        at = parts.time;
    }
    if (at == 0 || at + 8 > bytes.len)
        return false;
    *out = etwc_load_i64(bytes.ptr + at);
    return true;
}
