/* Reads a payload row by row. */
#ifndef DECODE_WALK_H
#define DECODE_WALK_H

#include "decode_layout.h"

typedef enum decode_result {
    DECODE_OK,
    DECODE_ENDED,  /* an optional row, and nothing is left */
    DECODE_SHORT,  /* the payload ends in the row */
    DECODE_INVALID /* a count or size cannot be */
} decode_result;

/* A row's content: number (not for texts, bytes, arrays), bytes and, for arrays,
 * the elements that are really there. */
typedef struct decode_item {
    uint64_t number;
    etwc_span bytes;
    uint32_t count;
} decode_item;

typedef struct decode_walk {
    etwc_span rest;
    uint64_t numbers[DECODE_MAX_ROWS]; /* by row, for counts */
    uint64_t last;                     /* number read last, for BITS */
    size_t row;
    uint8_t pointer_size;
    bool wants_long_sid; /* see decode_walk_retry */
    bool has_long_sid;   /* behind a zero pointer there seems to be a SID */
    bool ends_in_text16; /* the last string had no terminator */
} decode_walk;

void decode_walk_begin(decode_walk *walk, const etwc_event *event);
/* Reads the next row. Anything but OK ends the walk; SHORT and INVALID may
 * still deliver a part of an array (count > 0). */
decode_result decode_walk_row(decode_walk *walk, const decode_row *row,
                              decode_item *out);
/* After the last row: true when the payload must be read once more with a SID
 * behind a zero pointer; the walk is back at the beginning then. */
bool decode_walk_retry(decode_walk *walk, const etwc_event *event);
/* Size of one element of a type that has one for a pointer size, else 0. */
size_t decode_element_size(const decode_row *row, size_t pointer_size);

/* Sizes of little-endian numbers, by decode_type; 0 for everything else, and for a
 * pointer, whose size is the event's. */
extern const uint8_t decode_number_sizes[DECODE_TYPE_COUNT];

/* What most rows are: one number, and all of it there. False: decode_walk_row. */
ETWC_NODISCARD static inline bool
decode_walk_number(decode_walk *walk, const decode_row *row, uint64_t *out)
{
    size_t size =
        row->type == DECODE_PTR ? walk->pointer_size : decode_number_sizes[row->type];
    if (row->repeat != DECODE_ONE || size == 0 || size > walk->rest.len)
        return false;
    *out = decode_load_number(walk->rest.ptr, size, row->type);
    walk->rest.ptr += size;
    walk->rest.len -= size;
    walk->numbers[walk->row++] = walk->last = *out;
    return true;
}

#endif
