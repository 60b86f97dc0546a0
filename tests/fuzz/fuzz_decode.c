/*
 * Fuzz target: kernel payloads in both views, and stacks.
 *
 * The first four bytes choose class, opcode, version and pointer size; the rest
 * is the payload. Records of the stack class are also fed to an index, cut into
 * events at the lengths that the payload itself names.
 */
#include <stdlib.h>

#include "etwc_decode.h"
#include "etwc_provider.h"
#include "etwc_stack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FEW_VALUES = 8, TEXT_BYTES = 64, MAX_FRAMES = 256 };

static void
require(bool condition)
{
    if (!condition)
        abort();
}

static void *
block(size_t n)
{
    void *p = malloc(n > 0 ? n : 1);
    require(p != NULL);
    return p;
}

/* Reads what a value points to, so that a sanitizer sees every byte. */
static uint64_t
touch(const etwc_value *value)
{
    uint64_t sum = 0;
    char text[TEXT_BYTES];
    switch (value->type) {
    case ETWC_VALUE_UINT:
    case ETWC_VALUE_INT:
        if (value->symbols != NULL)
            sum += etwc_symbols_format(value->symbols, value->v.u, text, sizeof text);
        return sum + value->v.u;
    case ETWC_VALUE_PACKED:
        require(value->v.bytes.len == (size_t)value->count * value->element_size);
        for (uint32_t i = 0; i < value->count; i++)
            sum += etwc_value_element(value, i).v.u;
        return sum;
    case ETWC_VALUE_FILETIME:
    case ETWC_VALUE_CLOCK:
    case ETWC_VALUE_ARRAY:
    case ETWC_VALUE_STRUCT:
        return value->count;
    case ETWC_VALUE_IPV6:
        etwc_ipv6_to_text(value->v.bytes.ptr, text);
        return (uint64_t)text[0];
    default:
        for (size_t i = 0; i < value->v.bytes.len; i++)
            sum += value->v.bytes.ptr[i];
        return sum;
    }
}

/* Groups lie inside their lists and have as many members as they say. */
static void
check_group(const etwc_value *values, size_t count, bool is_named, uint32_t members)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; found++) {
        const etwc_value *value = &values[i];
        require(value->extent < count - i);
        require((value->name != NULL) == is_named);
        (void)touch(value);
        if (value->type == ETWC_VALUE_ARRAY || value->type == ETWC_VALUE_STRUCT)
            check_group(value + 1, value->extent, value->type == ETWC_VALUE_STRUCT,
                        value->count);
        else
            require(value->extent == 0);
        i += 1 + value->extent;
    }
    require(members == UINT32_MAX || found == members);
}

static void
check_field(const etwc_event *event, const etwc_value *expected)
{
    etwc_decoded decoded;
    etwc_value few[FEW_VALUES];
    etwc_decode_field(event, expected->name, few, FEW_VALUES, &decoded);
    require(decoded.count == (size_t)expected->extent + 1);
    require(few[0].type == expected->type && few[0].count == expected->count);
    require(few[0].name == expected->name);
}

static void
fuzz_views(const etwc_event *event)
{
    etwc_decoded counted, decoded;
    etwc_decode_fields(event, NULL, 0, &counted);
    etwc_value *values = block(counted.count * sizeof *values);
    etwc_decode_fields(event, values, counted.count, &decoded);
    require(decoded.count == counted.count);
    require(decoded.completeness == counted.completeness);
    require((decoded.reason == ETWC_PARTIAL_NO) ==
            (decoded.completeness != ETWC_DECODED_PARTIAL));
    check_group(values, decoded.count, true, UINT32_MAX);
    if (decoded.count != 0)
        check_field(event, &values[0]);
    free(values);

    etwc_kernel_record record;
    etwc_completeness completeness = etwc_kernel_decode(event, &record);
    require(record.type == ETWC_KERNEL_NONE || completeness == decoded.completeness);
    require(record.type < ETWC_KERNEL_TYPE_COUNT);
}

/* The payload as a run of stack records: size, opcode, bytes. */
static void
fuzz_stacks(etwc_event event, etwc_span rest)
{
    etwc_stacks *stacks;
    etwc_pool *pool = etwc_pool_new(1 << 16);
    require(pool != NULL && etwc_stacks_new(pool, &stacks, NULL) == ETWC_OK);
    etwc_span whole = rest, part;
    uint8_t length;
    event.kernel_class = ETWC_CLASS_STACK_WALK;
    while (etwc_span_u8(&rest, &length) && etwc_span_u8(&rest, &event.opcode) &&
           etwc_span_take(&rest, length, &part)) {
        event.payload = part.ptr;
        event.payload_size = (uint32_t)part.len;
        event.raw_time++;
        etwc_status st = etwc_stacks_feed(stacks, &event, NULL);
        require(st == ETWC_OK || st == ETWC_E_LIMIT);
    }
    etwc_stacks_finish(stacks);
    uint64_t *frames = block(MAX_FRAMES * sizeof *frames);
    bool is_complete;
    event.kernel_class = ETWC_CLASS_NONE;
    for (size_t i = 0; i + 8 <= whole.len; i++) {
        event.raw_time = etwc_load_i64(whole.ptr + i);
        (void)etwc_stacks_resolve(stacks, &event, frames, MAX_FRAMES, &is_complete);
    }
    free(frames);
    etwc_stacks_free(stacks);
    require(etwc_pool_in_use(pool) == 0);
    etwc_pool_release(pool);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEAD_BYTES = 4, ADDED_CLASS = 0x80 };
    if (size < HEAD_BYTES)
        return 0;
    uint8_t *payload = block(size - HEAD_BYTES);
    memcpy(payload, data + HEAD_BYTES, size - HEAD_BYTES);
    etwc_event event = {
        .payload = payload,
        .payload_size = (uint32_t)(size - HEAD_BYTES),
        .extended = payload,
        .kernel_class = data[0],
        .opcode = data[1],
        .id = data[1],
        .version = data[2],
        .pointer_size = (data[3] & 1) != 0 ? 4 : 8,
        .process_id = ETWC_NO_ID,
        .thread_id = ETWC_NO_ID,
        .running_thread_id = ETWC_NO_ID,
    };
    if (data[0] >= ADDED_CLASS) { /* the classes that only a GUID names */
        etwc_decode_entry entry;
        if (etwc_decode_entry_at((size_t)data[0] * 16 + data[1], &entry)) {
            event.provider_id = entry.provider;
            event.kernel_class = ETWC_CLASS_NONE;
            event.opcode = entry.opcode;
        }
    }
    fuzz_views(&event);
    if (data[0] == ETWC_CLASS_STACK_WALK)
        fuzz_stacks(event, (etwc_span){payload, size - HEAD_BYTES});
    if (data[0] == ETWC_CLASS_NONE) {
        etwc_event with_items = event;
        with_items.extended_size = event.payload_size;
        with_items.extended_form = ETWC_EXTENDED_ITEMS;
        fuzz_stacks(with_items, (etwc_span){payload, size - HEAD_BYTES});
    }
    free(payload);
    return 0;
}
