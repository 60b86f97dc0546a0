#include "etwc_event.h"

enum { ITEM_HEADER_BYTES = 8, PMC_WORD_BYTES = 8, ITEM_LINKAGE = 1 };

const char *
etwc_event_kind_name(uint8_t kind)
{
    static const char *const names[] = {
#define KIND_NAME(name, text) text,
        ETWC_EVENT_KIND_LIST(KIND_NAME)
#undef KIND_NAME
    };
    return kind < ETWC_KIND_COUNT ? names[kind] : "unknown";
}

void
etwc_extended_begin(const etwc_event *event, etwc_extended_iter *iter)
{
    iter->rest = (etwc_span){event->extended, event->extended_size};
    iter->form = event->extended_form;
    iter->is_done = event->extended_form == ETWC_EXTENDED_NONE;
}

/* One item of the on-disk list: u16 size with padding, u16 type, u16 linkage,
 * u16 data size, data. */
static bool
next_list_item(etwc_extended_iter *iter, etwc_extended_item *out)
{
    etwc_span item;
    if (iter->rest.len < ITEM_HEADER_BYTES)
        return false;
    const uint8_t *p = iter->rest.ptr;
    size_t data_size = etwc_load_u16(p + 6);
    if (!etwc_span_take(&iter->rest, etwc_load_u16(p), &item) ||
        item.len < ITEM_HEADER_BYTES + data_size)
        return false;
    out->type = etwc_load_u16(p + 2);
    out->data = (etwc_span){p + ITEM_HEADER_BYTES, data_size};
    iter->is_done = (etwc_load_u16(p + 4) & ITEM_LINKAGE) == 0;
    return true;
}

bool
etwc_extended_next(etwc_extended_iter *iter, etwc_extended_item *out)
{
    if (iter->is_done)
        return false;
    switch (iter->form) {
    case ETWC_EXTENDED_ITEMS:
        if (next_list_item(iter, out))
            return true;
        iter->is_done = true;
        return false;
    case ETWC_EXTENDED_INSTANCE:
        out->type = ETWC_EXT_INSTANCE_INFO;
        break;
    case ETWC_EXTENDED_PEBS_PMC:
        out->type = ETWC_EXT_PEBS_INDEX;
        if (!etwc_span_take(&iter->rest, PMC_WORD_BYTES, &out->data)) {
            iter->is_done = true;
            return false;
        }
        iter->form = ETWC_EXTENDED_PMC;
        iter->is_done = iter->rest.len == 0;
        return true;
    default:
        out->type = ETWC_EXT_PMC_COUNTERS;
        break;
    }
    out->data = iter->rest;
    iter->is_done = true;
    return true;
}

bool
etwc_extended_find(const etwc_event *event, uint16_t type, etwc_span *out)
{
    etwc_extended_iter iter;
    etwc_extended_item item;
    etwc_extended_begin(event, &iter);
    while (etwc_extended_next(&iter, &item)) {
        if (item.type == type) {
            *out = item.data;
            return true;
        }
    }
    return false;
}
