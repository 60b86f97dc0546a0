/*
 * Kernel events as named fields, for display and for Python. Typed records for
 * metrics are in etwc_kernel.h; both come from the same layout tables.
 *
 * Everything here is reentrant, allocates nothing and does work that is bounded
 * by the payload.
 */
#ifndef ETWC_DECODE_H
#define ETWC_DECODE_H

#include "etwc_kernel.h"
#include "etwc_value.h"

typedef struct etwc_decoded {
    const char *name;     /* static: "Process/Start"; NULL when nobody knows it */
    uint8_t completeness; /* etwc_completeness */
    uint8_t reason;       /* etwc_partial_reason */
    size_t count;         /* values of the event, nested ones included */
    etwc_span rest;       /* bytes that no field explains; borrowed */
    const void *layout;   /* static: events with the same one have fields of the same
                           * names in the same order; NULL when some are missing */
} etwc_decoded;

/* Decodes all fields in the order of the payload. Writes at most `capacity`
 * values; out->count says how many there are, so that a caller who had too few
 * can come back with more. Values borrow from the event and from static tables.
 * A field that the payload ends before is not in the list. */
void etwc_decode_fields(const etwc_event *event, etwc_value *values, size_t capacity,
                        etwc_decoded *out);

/* Decodes the field of that name alone, as far as the payload must be read for
 * it: values[0] is the field, the values that belong to it follow. out->count is
 * how many there are, 0 when the event has no such field; the rest of *out is as
 * far as was read. */
void etwc_decode_field(const etwc_event *event, const char *name, etwc_value *values,
                       size_t capacity, etwc_decoded *out);

/* "Process/Start" (static), without decoding; NULL when nobody knows it. */
const char *etwc_decode_event_name(const etwc_event *event);

/* How far the payload is explained; the same as etwc_decode_fields says. */
etwc_completeness etwc_decode_completeness(const etwc_event *event,
                                           etwc_partial_reason *out_reason);
/* "full", "partial", "none"; and "short", "newer", "trailing", "invalid" or "". */
const char *etwc_completeness_name(uint8_t completeness);
const char *etwc_partial_reason_name(uint8_t reason);

/* ---- What is known --------------------------------------------------------- */

typedef struct etwc_decode_entry {
    const char *name;  /* "Process/Start" */
    uint8_t opcode;    /* of manifest providers: the id */
    uint8_t low, high; /* versions; meaningless when is_raw */
    bool is_raw;       /* the event is known, its payload is not described */
    size_t field_count;
    etwc_guid provider;
    const void *form; /* private */
} etwc_decode_entry;

typedef struct etwc_decode_field_info {
    const char *name;            /* static */
    const char *type;            /* static: "u32", "pointer", "wz", "struct", ... */
    const etwc_symbols *symbols; /* names of its numbers, or NULL */
    bool is_array;
    bool is_optional;
} etwc_decode_field_info;

/* Names of a thread state and of a KWAIT_REASON, such as "Waiting" and "UserRequest";
 * NULL for a number that has none. */
const char *etwc_thread_state_name(uint32_t state);
const char *etwc_wait_reason_name(uint32_t reason);

/* Known layouts by position, ordered by class, opcode and version; false past
 * the last. */
ETWC_NODISCARD bool etwc_decode_entry_at(size_t index, etwc_decode_entry *out);
/* A field of a layout; index must be below entry->field_count. */
void etwc_decode_entry_field(const etwc_decode_entry *entry, size_t index,
                             etwc_decode_field_info *out);

#endif
