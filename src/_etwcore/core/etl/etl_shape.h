/*
 * The shapes of trace headers (etl-format.md chapter 5): what is common to all
 * records of a kind, and where the parts lie that vary from record to record.
 */
#ifndef ETL_SHAPE_H
#define ETL_SHAPE_H

#include "etl_format.h"
#include "etwc_event.h"

/* What is common to all records of one kind. */
typedef struct etl_shape {
    uint8_t kind;         /* etwc_event_kind */
    uint8_t header_bytes; /* without PMC words, extended items, message parts */
    uint8_t size_shift;   /* Size is these many bits up in the first 8 bytes */
    uint8_t time_offset;  /* 0: not at a fixed place */
    uint8_t pointer_size; /* 0: the record says */
    uint16_t flags;       /* ETWC_FLAG_* that all of the kind are delivered with */
} etl_shape;

enum {
    ETL_SHAPE_NONE,
    ETL_SHAPE_SYSTEM32,
    ETL_SHAPE_SYSTEM64,
    ETL_SHAPE_COMPACT32,
    ETL_SHAPE_COMPACT64,
    ETL_SHAPE_FULL32,
    ETL_SHAPE_FULL64,
    ETL_SHAPE_INSTANCE32,
    ETL_SHAPE_INSTANCE64,
    ETL_SHAPE_PERFINFO32,
    ETL_SHAPE_PERFINFO64,
    ETL_SHAPE_EVENT32,
    ETL_SHAPE_EVENT64,
    ETL_SHAPE_MESSAGE,
    ETL_SHAPE_COUNT
};

extern const etl_shape etl_shapes[ETL_SHAPE_COUNT];
/* Shape by the HeaderType byte of records with the marker of a trace header. */
extern const uint8_t etl_shape_of_type[256];

/* The shape of a record by its first four bytes; ETL_SHAPE_NONE when unknown. */
static inline uint8_t
etl_shape_of(uint32_t word)
{
    unsigned marker = word >> 24;
    if (ETWC_LIKELY(marker == ETL_MARKER_TRACE))
        return etl_shape_of_type[(word >> 16) & 0xFF];
    return marker == ETL_MARKER_MESSAGE ? ETL_SHAPE_MESSAGE : ETL_SHAPE_NONE;
}

/* SYSTEM, COMPACT and PERFINFO. */
static inline bool
etl_shape_is_kernel(uint8_t shape)
{
    return etl_shapes[shape].size_shift != 0;
}

/* Bits of a kernel record's version that promise PEBS and PMC words. */
enum {
    ETL_SHAPE_PMC_MASK =
        ETL_KERNEL_PEBS_FLAG | (ETL_KERNEL_PMC_MAX << ETL_KERNEL_PMC_SHIFT)
};

/* Bytes of PEBS and PMC words between a kernel header and its payload. */
static inline size_t
etl_shape_pmc_bytes(unsigned version)
{
    return (size_t)ETL_KERNEL_WORD_BYTES *
           (((version & ETL_KERNEL_PEBS_FLAG) != 0) +
            ((version >> ETL_KERNEL_PMC_SHIFT) & ETL_KERNEL_PMC_MAX));
}

/* Where the optional parts of a WPP message lie; offset 0: not present. */
typedef struct etl_message_parts {
    uint16_t provider, time, system_info, payload;
} etl_message_parts;

/* False when the parts do not fit into the record, which the walk refuses then. */
bool etl_shape_message_parts(const uint8_t *record, uint16_t size,
                             etl_message_parts *out);

/* End of the list of extended items of an EVENT_HEADER, counted from the record
 * start; *is_whole is false when an item breaks the list, which then ends before
 * it. */
size_t etl_shape_extended_end(const uint8_t *record, size_t size, bool *is_whole);

/* Opcodes of the Thread class that tell which thread runs. */
enum { ETL_OPCODE_CSWITCH = 0x24, ETL_OPCODE_CSWITCH_BATCH = 0x25 };

#endif
