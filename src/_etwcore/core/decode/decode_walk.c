#include "decode_walk.h"

enum { SID_MIN_BYTES = 8, SID_MAX_SUBS = 15, TOKEN_POINTERS = 2 };

static const uint8_t type_sizes[] = {
#define TYPE_SIZE(name, bytes, value) bytes,
    DECODE_TYPE_LIST(TYPE_SIZE)
#undef TYPE_SIZE
};

const uint8_t decode_number_sizes[DECODE_TYPE_COUNT] = {
    [DECODE_U8] = 1,   [DECODE_U16] = 2,      [DECODE_U32] = 4, [DECODE_U64] = 8,
    [DECODE_I8] = 1,   [DECODE_I16] = 2,      [DECODE_I32] = 4, [DECODE_I64] = 8,
    [DECODE_TIME] = 8, [DECODE_FILETIME] = 8,
};

size_t
decode_element_size(const decode_row *row, size_t pointer_size)
{
    if (row->type == DECODE_PTR)
        return pointer_size;
    if (row->type != DECODE_STRUCT)
        return row->type == DECODE_BYTES ? 1 : type_sizes[row->type];
    size_t total = 0;
    for (size_t i = 0; i < row->member_count; i++) {
        const decode_row *member = &row->members[i];
        size_t n = member->repeat == DECODE_FIXED ? member->count : 1;
        total += n * decode_element_size(member, pointer_size);
    }
    return total;
}

void
decode_walk_begin(decode_walk *walk, const etwc_event *event)
{
    walk->rest = (etwc_span){event->payload, event->payload_size};
    walk->last = 0;
    walk->row = 0;
    walk->pointer_size = event->pointer_size == 4 ? 4 : 8;
    walk->wants_long_sid = false;
    walk->has_long_sid = false;
    walk->ends_in_text16 = false;
}

bool
decode_walk_retry(decode_walk *walk, const etwc_event *event)
{
    if (walk->wants_long_sid || !walk->has_long_sid || walk->rest.len == 0)
        return false;
    decode_walk_begin(walk, event);
    walk->wants_long_sid = true;
    return true;
}

/* A SID of a kernel class: a zero u32 alone, or a stale TOKEN_USER of two
 * pointers and the SID. Some files written by tests have a zero pointer before
 * a real SID; decode_walk_retry reads those. */
static decode_result
read_sid(decode_walk *walk, decode_item *out)
{
    size_t prefix = (size_t)TOKEN_POINTERS * walk->pointer_size;
    etwc_span rest = walk->rest, skipped;
    if (rest.len < 4)
        return DECODE_SHORT;
    bool is_null = etwc_load_u32(rest.ptr) == 0;
    if (is_null && !walk->wants_long_sid) {
        walk->has_long_sid = rest.len >= prefix + SID_MIN_BYTES &&
                             rest.ptr[prefix] == 1 &&
                             rest.ptr[prefix + 1] <= SID_MAX_SUBS;
        return etwc_span_take(&walk->rest, 4, &skipped) ? DECODE_OK : DECODE_SHORT;
    }
    if (!etwc_span_take(&rest, prefix, &skipped) || rest.len < SID_MIN_BYTES)
        return DECODE_SHORT;
    if (rest.ptr[0] != 1 || rest.ptr[1] > SID_MAX_SUBS)
        return DECODE_INVALID;
    if (!etwc_span_take(&rest, SID_MIN_BYTES + (size_t)rest.ptr[1] * 4, &out->bytes))
        return DECODE_SHORT;
    walk->rest = rest;
    return DECODE_OK;
}

/* A SID without anything before it. */
static decode_result
read_plain_sid(decode_walk *walk, decode_item *out)
{
    if (walk->rest.len < SID_MIN_BYTES)
        return DECODE_SHORT;
    if (walk->rest.ptr[0] != 1 || walk->rest.ptr[1] > SID_MAX_SUBS)
        return DECODE_INVALID;
    size_t bytes = SID_MIN_BYTES + (size_t)walk->rest.ptr[1] * 4;
    return etwc_span_take(&walk->rest, bytes, &out->bytes) ? DECODE_OK : DECODE_SHORT;
}

/* A string takes what is left when it has no terminator; with nothing left it
 * is missing, and with half a UTF-16 unit left it is cut. */
static decode_result
read_string(decode_walk *walk, uint8_t type, etwc_span *out)
{
    if (walk->rest.len == 0)
        return DECODE_SHORT;
    if (type == DECODE_AZ) {
        etwc_span_string8(&walk->rest, out);
        return DECODE_OK;
    }
    if (walk->rest.len == 1)
        return DECODE_SHORT;
    etwc_span_string16(&walk->rest, out);
    walk->ends_in_text16 = walk->rest.ptr == out->ptr + out->len;
    return DECODE_OK;
}

static decode_result
read_fixed_text(decode_walk *walk, size_t units, etwc_span *out)
{
    etwc_span text;
    if (!etwc_span_take(&walk->rest, units * 2, &text))
        return DECODE_SHORT;
    etwc_span_string16(&text, out);
    return DECODE_OK;
}

static decode_result
read_one(decode_walk *walk, const decode_row *row, decode_item *out)
{
    switch (row->type) {
    case DECODE_BITS: {
        unsigned shift = row->count >> 8, width = row->count & 0xFF;
        out->number = (walk->last >> shift) & (((uint64_t)1 << width) - 1);
        return DECODE_OK;
    }
    case DECODE_SID:
        return read_sid(walk, out);
    case DECODE_PLAIN_SID:
        return read_plain_sid(walk, out);
    case DECODE_AZ:
    case DECODE_WZ:
        return read_string(walk, row->type, &out->bytes);
    default:
        break;
    }
    size_t size = decode_element_size(row, walk->pointer_size);
    if (!etwc_span_take(&walk->rest, size, &out->bytes))
        return DECODE_SHORT;
    if (row->type == DECODE_IP4 || row->type == DECODE_IP6 || row->type == DECODE_GUID)
        return DECODE_OK;
    if (row->type == DECODE_PORT) { /* big endian */
        out->number = (uint64_t)out->bytes.ptr[0] << 8 | out->bytes.ptr[1];
        return DECODE_OK;
    }
    out->number = decode_load_number(out->bytes.ptr, size, row->type);
    walk->last = out->number;
    return DECODE_OK;
}

/* Strings of an array have no common size: steps over them one by one. */
static decode_result
read_strings(decode_walk *walk, const decode_row *row, uint64_t wanted,
             decode_item *out)
{
    const uint8_t *begin = walk->rest.ptr;
    etwc_span text;
    while (out->count < wanted && read_string(walk, row->type, &text) == DECODE_OK)
        out->count++;
    out->bytes = (etwc_span){begin, (size_t)(walk->rest.ptr - begin)};
    if (out->count == wanted)
        return DECODE_OK;
    return row->repeat == DECODE_COUNTED ? DECODE_INVALID : DECODE_SHORT;
}

/* Packets of context switches, to the end; a cut one is left over. */
static decode_result
read_packets(decode_walk *walk, decode_item *out)
{
    const uint8_t *begin = walk->rest.ptr;
    decode_packet packet;
    while (decode_packet_take(&walk->rest, &packet))
        out->count++;
    out->bytes = (etwc_span){begin, (size_t)(walk->rest.ptr - begin)};
    return walk->rest.len == 0 ? DECODE_OK : DECODE_SHORT;
}

static decode_result
read_array(decode_walk *walk, const decode_row *row, decode_item *out)
{
    uint64_t wanted = row->count;
    if (row->repeat == DECODE_COUNTED)
        wanted = walk->numbers[row->count];
    if (row->type == DECODE_PACKETS)
        return read_packets(walk, out);
    if (row->type == DECODE_WC)
        return read_fixed_text(walk, row->count, &out->bytes);
    if (row->type == DECODE_AZ || row->type == DECODE_WZ)
        return read_strings(walk, row, wanted, out);

    size_t size = decode_element_size(row, walk->pointer_size);
    uint64_t fits = walk->rest.len / size;
    if (row->repeat == DECODE_REST)
        wanted = fits;
    out->count = (uint32_t)(wanted < fits ? wanted : fits);
    if (!etwc_span_take(&walk->rest, out->count * size, &out->bytes))
        return DECODE_SHORT;
    if (row->repeat == DECODE_REST)
        return walk->rest.len == 0 ? DECODE_OK : DECODE_SHORT;
    if (wanted <= fits)
        return DECODE_OK;
    return row->repeat == DECODE_COUNTED ? DECODE_INVALID : DECODE_SHORT;
}

decode_result
decode_walk_row(decode_walk *walk, const decode_row *row, decode_item *out)
{
    *out = (decode_item){0};
    if (row->is_optional && walk->rest.len == 0)
        return DECODE_ENDED;
    decode_result result = row->repeat == DECODE_ONE ? read_one(walk, row, out)
                                                     : read_array(walk, row, out);
    walk->numbers[walk->row++] = out->number;
    return result;
}
