/* Named fields: the rows of the layout tables as values. */
#include "etwc_decode.h"

#include "decode_symbols.h"
#include "decode_walk.h"

static const uint8_t value_types[] = {
#define VALUE_TYPE(name, bytes, value) ETWC_VALUE_##value,
    DECODE_TYPE_LIST(VALUE_TYPE)
#undef VALUE_TYPE
};

static const struct {
    const etwc_symbols *symbols;
    uint8_t format;
} views[] = {
#define VIEW_ENTRY(name, format, table) {table, ETWC_FORMAT_##format},
    DECODE_VIEW_LIST(VIEW_ENTRY)
#undef VIEW_ENTRY
};

/* Where values go: beyond the capacity they are only counted. */
typedef struct value_sink {
    etwc_value *values;
    size_t capacity, count;
} value_sink;

static void
emit(value_sink *sink, const etwc_value *value)
{
    if (sink->count < sink->capacity)
        sink->values[sink->count] = *value;
    sink->count++;
}

static etwc_value
begin_value(const decode_row *row, const char *name)
{
    return (etwc_value){
        .name = name,
        .symbols = views[row->view].symbols,
        .type = value_types[row->type],
        .format = views[row->view].format,
    };
}

/* The most frequent kinds: written where they go, member by member. NULL when
 * there is no room. */
static inline etwc_value *
emit_plain(value_sink *sink, const decode_row *row, const char *name)
{
    if (sink->count++ >= sink->capacity)
        return NULL;
    etwc_value *value = &sink->values[sink->count - 1];
    value->name = name;
    value->symbols = views[row->view].symbols;
    value->count = value->extent = 0;
    value->type = value_types[row->type];
    value->format = views[row->view].format;
    value->element_type = value->element_size = 0;
    return value;
}

static void
emit_scalar(value_sink *sink, const decode_row *row, const char *name,
            const decode_item *item)
{
    etwc_value *value = emit_plain(sink, row, name);
    if (value == NULL)
        return;
    switch (value->type) {
    case ETWC_VALUE_UINT:
    case ETWC_VALUE_INT:
    case ETWC_VALUE_FILETIME:
    case ETWC_VALUE_CLOCK:
        value->v.u = item->number;
        break;
    default:
        value->v.bytes = item->bytes;
        break;
    }
}

/* Puts in how many values followed the one at `at`. */
static void
close_group(value_sink *sink, size_t at)
{
    if (at < sink->capacity)
        sink->values[at].extent = (uint32_t)(sink->count - at - 1);
}

static void
emit_struct(value_sink *sink, const decode_row *row, decode_walk *walk)
{
    size_t at = sink->count;
    uint32_t members = 0;
    etwc_value value = begin_value(row, NULL);
    for (size_t i = 0; i < row->member_count; i++)
        members += row->members[i].name != NULL;
    value.count = members;
    emit(sink, &value);
    walk->row = 0;
    for (size_t i = 0; i < row->member_count; i++) {
        const decode_row *member = &row->members[i];
        decode_item item;
        (void)decode_walk_row(walk, member, &item); /* the region is whole */
        if (member->name == NULL)
            continue;
        if (member->repeat == DECODE_ONE) {
            emit_scalar(sink, member, member->name, &item);
            continue;
        }
        etwc_value bytes = begin_value(member, member->name);
        bytes.type = ETWC_VALUE_BYTES; /* members that repeat are padding */
        bytes.v.bytes = item.bytes;
        emit(sink, &bytes);
    }
    close_group(sink, at);
}

/* Elements that have no numbers: one value each. */
static void
emit_elements(value_sink *sink, const decode_row *row, const decode_item *item,
              uint8_t pointer_size)
{
    static const decode_row plain = {.type = DECODE_WZ};
    size_t at = sink->count;
    etwc_value value = begin_value(row, row->name);
    value.type = ETWC_VALUE_ARRAY;
    value.count = item->count;
    emit(sink, &value);
    decode_walk walk = {.rest = item->bytes, .pointer_size = pointer_size};
    decode_row element = plain;
    element.type = row->type;
    element.view = row->view;
    for (uint32_t i = 0; i < item->count; i++) {
        if (row->type == DECODE_STRUCT) {
            emit_struct(sink, row, &walk);
            continue;
        }
        decode_item one;
        walk.row = 0;
        (void)decode_walk_row(&walk, &element, &one);
        emit_scalar(sink, &element, NULL, &one);
    }
    close_group(sink, at);
}

/* Batched context switches: a structure each, with the time that the deltas add
 * up to. The walk has read the header with the tables, so it is there. */
static void
emit_packets(value_sink *sink, const decode_row *row, const decode_item *item,
             const etwc_event *event)
{
    enum { THREADS = 8, BASE_PRIORITIES = 72, LITE = 2, FIELDS = 6 };
    size_t at = sink->count;
    etwc_span rest = item->bytes;
    uint64_t time = etwc_load_u64(event->payload);
    decode_packet packet;
    emit(sink, &(etwc_value){
                   .name = row->name, .type = ETWC_VALUE_ARRAY, .count = item->count});
    while (decode_packet_take(&rest, &packet)) {
        time += packet.delta;
        bool has_thread = packet.type >= LITE; /* else the idle thread leaves */
        const uint8_t *thread = event->payload + THREADS + 4u * packet.tid_index;
        unsigned base = event->payload[BASE_PRIORITIES + packet.tid_index];
        const etwc_value group[] = {
            {.type = ETWC_VALUE_STRUCT, .count = FIELDS, .extent = FIELDS},
            {.name = "Type", .symbols = views[row->view].symbols, .v.u = packet.type},
            {.name = "TimeStamp", .type = ETWC_VALUE_CLOCK, .v.u = time},
            {.name = "OldThreadId", .v.u = has_thread ? etwc_load_u32(thread) : 0},
            {.name = "OldThreadPriority",
             .v.u = packet.priority + (packet.type == LITE ? base : 0)},
            {.name = "OldThreadStateReason", .v.u = packet.state_reason},
            {.name = "NewThreadWaitTime", .v.u = packet.wait_ticks},
        };
        for (size_t i = 0; i < ETWC_ARRAY_SIZE(group); i++)
            emit(sink, &group[i]);
    }
    close_group(sink, at);
}

static void
emit_array(value_sink *sink, const decode_row *row, const decode_item *item,
           uint8_t pointer_size)
{
    etwc_value value = begin_value(row, row->name);
    if (row->type == DECODE_WC || row->type == DECODE_BYTES) {
        value.v.bytes = item->bytes;
        emit(sink, &value);
        return;
    }
    if (value.type != ETWC_VALUE_UINT && value.type != ETWC_VALUE_INT) {
        emit_elements(sink, row, item, pointer_size);
        return;
    }
    value.element_type = value.type;
    value.element_size = (uint8_t)decode_element_size(row, pointer_size);
    value.type = ETWC_VALUE_PACKED;
    value.count = item->count;
    value.v.bytes = item->bytes;
    emit(sink, &value);
}

static void
emit_row(value_sink *sink, const decode_row *row, const decode_item *item,
         const etwc_event *event, uint8_t pointer_size)
{
    if (row->repeat == DECODE_ONE)
        emit_scalar(sink, row, row->name, item);
    else if (row->type == DECODE_PACKETS)
        emit_packets(sink, row, item, event);
    else
        emit_array(sink, row, item, pointer_size);
}

static inline bool
emit_number(value_sink *sink, decode_walk *walk, const decode_row *row)
{
    uint64_t number;
    if (!decode_walk_number(walk, row, &number))
        return false;
    etwc_value *value = row->name != NULL ? emit_plain(sink, row, row->name) : NULL;
    if (value != NULL)
        value->v.u = number;
    return true;
}

/* Says how it ended: the payload's own faults come before its version. */
static void
conclude(etwc_decoded *out, const decode_walk *walk, decode_result result,
         bool is_newer)
{
    out->rest = walk->rest;
    if (result == DECODE_SHORT)
        out->reason = ETWC_PARTIAL_SHORT;
    else if (result == DECODE_INVALID)
        out->reason = ETWC_PARTIAL_INVALID;
    else if (is_newer)
        out->reason = ETWC_PARTIAL_NEWER;
    else if (walk->rest.len == 1 && result == DECODE_OK && walk->ends_in_text16)
        out->reason = ETWC_PARTIAL_SHORT; /* half of the terminator */
    else if (walk->rest.len != 0)
        out->reason = ETWC_PARTIAL_TRAILING;
    else
        out->reason = ETWC_PARTIAL_NO;
    out->completeness =
        out->reason == ETWC_PARTIAL_NO ? ETWC_DECODED_FULL : ETWC_DECODED_PARTIAL;
}

/* The layout of an event, or NULL with *out saying that there is none. */
static const decode_form *
begin(const etwc_event *event, etwc_decoded *out, bool *is_newer)
{
    const decode_opcode *opcode = decode_find_opcode(event);
    *out = (etwc_decoded){
        .name = opcode != NULL ? opcode->name : NULL,
        .completeness = ETWC_DECODED_NONE,
        .rest = {event->payload, event->payload_size},
    };
    return opcode != NULL ? decode_find_form(opcode, event, is_newer) : NULL;
}

void
etwc_decode_fields(const etwc_event *event, etwc_value *values, size_t capacity,
                   etwc_decoded *out)
{
    bool is_newer = false;
    const decode_form *form = begin(event, out, &is_newer);
    if (form == NULL)
        return;
    decode_walk walk;
    decode_walk_begin(&walk, event);
    decode_result result;
    value_sink sink;
    do {
        sink = (value_sink){values, capacity, 0};
        result = DECODE_OK;
        for (size_t i = 0; i < form->row_count && result == DECODE_OK; i++) {
            const decode_row *row = &form->rows[i];
            decode_item item;
            if (emit_number(&sink, &walk, row))
                continue;
            result = decode_walk_row(&walk, row, &item);
            if (row->name != NULL && (result == DECODE_OK || item.count > 0))
                emit_row(&sink, row, &item, event, walk.pointer_size);
        }
    } while (decode_walk_retry(&walk, event));
    out->count = sink.count;
    out->layout = result == DECODE_OK ? form : NULL;
    conclude(out, &walk, result, is_newer);
}

/* A SID behind a zero pointer is only noticed at the end: then all is read. */
static bool
may_retry(const decode_form *form)
{
    for (size_t i = 0; i < form->row_count; i++) {
        if (form->rows[i].type == DECODE_SID)
            return true;
    }
    return false;
}

void
etwc_decode_field(const etwc_event *event, const char *name, etwc_value *values,
                  size_t capacity, etwc_decoded *out)
{
    bool is_newer = false;
    const decode_form *form = begin(event, out, &is_newer);
    size_t wanted = 0;
    if (form == NULL)
        return;
    while (wanted < form->row_count && (form->rows[wanted].name == NULL ||
                                        strcmp(form->rows[wanted].name, name) != 0))
        wanted++;
    if (wanted == form->row_count)
        return;
    size_t last = may_retry(form) ? form->row_count - 1u : wanted;
    decode_walk walk;
    decode_walk_begin(&walk, event);
    decode_result result;
    value_sink sink;
    do {
        sink = (value_sink){values, capacity, 0};
        result = DECODE_OK;
        for (size_t i = 0; i <= last && result == DECODE_OK; i++) {
            decode_item item;
            result = decode_walk_row(&walk, &form->rows[i], &item);
            if (i == wanted && (result == DECODE_OK || item.count > 0))
                emit_row(&sink, &form->rows[i], &item, event, walk.pointer_size);
        }
    } while (last != wanted && decode_walk_retry(&walk, event));
    out->count = sink.count;
    conclude(out, &walk, result, is_newer);
}

const char *
etwc_decode_event_name(const etwc_event *event)
{
    const decode_opcode *opcode = decode_find_opcode(event);
    return opcode != NULL ? opcode->name : NULL;
}

etwc_completeness
etwc_decode_completeness(const etwc_event *event, etwc_partial_reason *out_reason)
{
    etwc_decoded decoded;
    etwc_decode_fields(event, NULL, 0, &decoded);
    *out_reason = (etwc_partial_reason)decoded.reason;
    return (etwc_completeness)decoded.completeness;
}

const char *
etwc_completeness_name(uint8_t completeness)
{
    static const char *const names[] = {"none", "partial", "full"};
    return completeness < ETWC_ARRAY_SIZE(names) ? names[completeness] : "none";
}

const char *
etwc_partial_reason_name(uint8_t reason)
{
    static const char *const names[] = {"", "short", "newer", "trailing", "invalid"};
    return reason < ETWC_ARRAY_SIZE(names) ? names[reason] : "";
}

/* ---- What is known --------------------------------------------------------- */

bool
etwc_decode_entry_at(size_t index, etwc_decode_entry *out)
{
    etwc_guid provider;
    const decode_class *listed;
    for (size_t k = 0; (listed = decode_class_at(k, &provider)) != NULL; k++) {
        for (size_t i = 0; i < listed->count; i++) {
            const decode_opcode *opcode = &listed->opcodes[i];
            size_t forms = opcode->form_count != 0 ? opcode->form_count : 1;
            if (opcode->name == NULL)
                continue;
            if (index >= forms) {
                index -= forms;
                continue;
            }
            const decode_form *form = opcode->forms ? &opcode->forms[index] : NULL;
            *out = (etwc_decode_entry){
                .name = opcode->name,
                .opcode = (uint8_t)i,
                .low = form != NULL ? form->low : 0,
                .high = form != NULL ? form->high : UINT8_MAX,
                .is_raw = form == NULL,
                .provider = provider,
                .form = form,
            };
            for (size_t r = 0; form != NULL && r < form->row_count; r++)
                out->field_count += form->rows[r].name != NULL;
            return true;
        }
    }
    return false;
}

void
etwc_decode_entry_field(const etwc_decode_entry *entry, size_t index,
                        etwc_decode_field_info *out)
{
    static const char *const type_names[] = {
#define TYPE_NAME(name, bytes, value) #name,
        DECODE_TYPE_LIST(TYPE_NAME)
#undef TYPE_NAME
    };
    const decode_form *form = entry->form;
    const decode_row *row = form->rows;
    for (;; row++) {
        if (row->name != NULL && index-- == 0)
            break;
    }
    *out = (etwc_decode_field_info){
        .name = row->name,
        .type = type_names[row->type],
        .symbols = views[row->view].symbols,
        .is_array = row->repeat != DECODE_ONE && row->type != DECODE_WC &&
                    row->type != DECODE_BYTES,
        .is_optional = row->is_optional,
    };
}
