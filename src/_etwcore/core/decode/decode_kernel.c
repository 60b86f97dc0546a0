/* Typed records: the slots of the layout tables. */
#include "decode_walk.h"

enum { OPCODE_STACK_USER = 38, OPCODE_GROUP_MASKS_END = 32 };
enum { WORKING_SET_COUNT_BYTES = 4 };

static inline void
fill_number(etwc_kernel_record *out, const decode_row *row, uint64_t number)
{
    if (row->slot == 0)
        return;
    decode_store((uint8_t *)out + (row->slot - 1), row->slot_size, number);
    out->fields |= row->has;
}

static void
fill_slot(etwc_kernel_record *out, const decode_row *row, const decode_item *item)
{
    if (row->slot_size != sizeof(etwc_span)) {
        fill_number(out, row, item->number);
        return;
    }
    memcpy((uint8_t *)out + (row->slot - 1), &item->bytes, sizeof item->bytes);
    out->fields |= row->has;
}

/* Reads by rows. *rows_read is how many rows are whole; true when nothing but
 * the end of the payload came after them. */
static bool
read_rows(const etwc_event *event, const decode_form *form, etwc_kernel_record *out,
          size_t *rows_read)
{
    decode_walk walk;
    decode_walk_begin(&walk, event);
    for (;;) {
        decode_result result = DECODE_OK;
        size_t i = 0;
        memset(&out->u, 0, sizeof out->u);
        out->fields = 0;
        for (; i < form->row_count && result == DECODE_OK; i++) {
            const decode_row *row = &form->rows[i];
            decode_item item;
            uint64_t number;
            if (decode_walk_number(&walk, row, &number)) {
                fill_number(out, row, number);
                continue;
            }
            result = decode_walk_row(&walk, row, &item);
            if (result == DECODE_OK || item.count > 0)
                fill_slot(out, row, &item);
        }
        *rows_read = result == DECODE_OK ? i : i - 1;
        if (!decode_walk_retry(&walk, event))
            return walk.rest.len == 0 &&
                   (result == DECODE_OK || result == DECODE_ENDED);
    }
}

/* The size of an entry follows the payload: the version says less surely. */
static void
finish_working_sets(const etwc_event *event, etwc_kernel_working_sets *sets)
{
    sets->pointer_size = event->pointer_size == 4 ? 4 : 8;
    size_t bytes = event->payload_size - WORKING_SET_COUNT_BYTES;
    if (sets->count == 0 || sets->entries.len != bytes || bytes % sets->count != 0)
        return;
    sets->entry_size = (uint32_t)(bytes / sets->count);
}

static void
finish(const etwc_event *event, const decode_opcode *opcode, etwc_kernel_record *out)
{
    switch (out->type) {
    case ETWC_KERNEL_CSWITCH:
        decode_finish_cswitch(event, opcode, out);
        break;
    case ETWC_KERNEL_NETWORK:
    case ETWC_KERNEL_NETWORK_FAIL:
        decode_finish_network(event, opcode, out);
        break;
    case ETWC_KERNEL_PAGE_FAULT:
        decode_finish_page_fault(event, opcode, out);
        break;
    case ETWC_KERNEL_INTERRUPT:
        decode_finish_interrupt(event, opcode, out);
        break;
    case ETWC_KERNEL_THREAD_PRIORITY:
        decode_finish_priority(event, opcode, out);
        break;
    case ETWC_KERNEL_FILE_READ:
    case ETWC_KERNEL_FILE_WRITE:
    case ETWC_KERNEL_FILE_OTHER:
    case ETWC_KERNEL_FILE_END:
    case ETWC_KERNEL_FILE_NAME:
        decode_finish_file(event, opcode, out);
        break;
    case ETWC_KERNEL_STACK_KEY:
        out->u.stack.is_user_half = event->opcode == OPCODE_STACK_USER;
        break;
    case ETWC_KERNEL_GROUP_MASKS:
        out->u.group_masks.is_end = event->opcode == OPCODE_GROUP_MASKS_END;
        break;
    case ETWC_KERNEL_MEMORY_WORKING_SETS:
        finish_working_sets(event, &out->u.working_sets);
        break;
    case ETWC_KERNEL_HANDLE_CREATE:
    case ETWC_KERNEL_HANDLE_CLOSE:
    case ETWC_KERNEL_HANDLE_DUPLICATE:
    case ETWC_KERNEL_HANDLE_RUNDOWN:
        decode_finish_handle(event, opcode, out);
        break;
    case ETWC_KERNEL_LOST:
        decode_finish_lost(event, opcode, out);
        break;
    default:
        break;
    }
}

etwc_completeness
decode_by_rows(const etwc_event *event, const decode_opcode *opcode,
               const decode_form *form, etwc_kernel_record *out)
{
    size_t rows_read;
    bool is_whole = read_rows(event, form, out, &rows_read);
    if (rows_read >= form->required) {
        out->type = opcode->type;
        finish(event, opcode, out);
    }
    /* A form that the payload chose can have other versions than the event. */
    bool is_known = event->version <= opcode->forms[opcode->form_count - 1].high;
    return is_whole && is_known ? ETWC_DECODED_FULL : ETWC_DECODED_PARTIAL;
}

etwc_completeness
etwc_kernel_decode(const etwc_event *event, etwc_kernel_record *out)
{
    return etwc_kernel_decode_some(event, ~ETWC_KERNEL_BIT(ETWC_KERNEL_NONE), out);
}

/* As decode_find_form says; nearly all events have the newest layout. */
static inline const decode_form *
find_form(const decode_opcode *opcode, const etwc_event *event)
{
    bool is_newer;
    if (ETWC_LIKELY(event->version >= opcode->newest->low && opcode->choose == NULL))
        return opcode->newest;
    return decode_find_form(opcode, event, &is_newer);
}

etwc_completeness
etwc_kernel_decode_some(const etwc_event *event, uint64_t types,
                        etwc_kernel_record *out)
{
    out->type = ETWC_KERNEL_NONE;
    out->fields = 0;
    const decode_opcode *opcode = decode_entry_of(event);
    if (opcode == NULL || (types & ETWC_KERNEL_BIT(opcode->type)) == 0)
        return ETWC_DECODED_NONE; /* also without a layout: that has no type */
    const decode_form *form = find_form(opcode, event);
    if (form == NULL)
        return ETWC_DECODED_NONE;
    if (form->fast != NULL)
        return form->fast(event, opcode, form, out);
    return decode_by_rows(event, opcode, form, out);
}

etwc_kernel_type
etwc_kernel_type_of(const etwc_event *event)
{
    const decode_opcode *opcode = decode_find_opcode(event);
    return opcode == NULL ? ETWC_KERNEL_NONE : (etwc_kernel_type)opcode->type;
}
