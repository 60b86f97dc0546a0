/*
 * The records that most of a busy trace consists of, in the layouts that Windows 8 and
 * later write, without a table: told apart by one choice, and read by a few loads. What
 * is not exactly so (another version, size or pointer size) goes the way of all others
 * (etwc_kernel.h), with the same result: tests/c/test_frequent.c holds the two together.
 */
#ifndef ETWC_FREQUENT_H
#define ETWC_FREQUENT_H

#include "etwc_kernel.h"
#include "etwc_provider.h"

/* Class and opcode in one number. */
#define ETWC_FREQUENT(class_, opcode) ((unsigned)(class_) << 8 | (opcode))

enum {
    ETWC_FREQUENT_CSWITCH = ETWC_FREQUENT(ETWC_CLASS_THREAD, 36),
    ETWC_FREQUENT_READY_THREAD = ETWC_FREQUENT(ETWC_CLASS_THREAD, 50),
    ETWC_FREQUENT_SAMPLE = ETWC_FREQUENT(ETWC_CLASS_PERF_INFO, 46),
    ETWC_FREQUENT_DPC = ETWC_FREQUENT(ETWC_CLASS_PERF_INFO, 68)
};

static inline unsigned
etwc_frequent_of(const etwc_event *event)
{
    return ETWC_FREQUENT(event->kernel_class, event->opcode);
}

/* Each: false when the event has another layout; *out is complete otherwise. */

ETWC_NODISCARD static inline bool
etwc_frequent_cswitch(const etwc_event *event, etwc_kernel_cswitch *out)
{
    enum { FIRST = 3, LAST = 4, BYTES = 24 };
    const uint8_t *p = event->payload;
    if (event->payload_size != BYTES || event->version < FIRST || event->version > LAST)
        return false;
    *out = (etwc_kernel_cswitch){
        .new_thread_id = etwc_load_u32(p),
        .old_thread_id = etwc_load_u32(p + 4),
        .new_priority = (int8_t)p[8],
        .old_priority = (int8_t)p[9],
        .previous_c_state = p[10],
        .old_wait_reason = p[12],
        .old_wait_mode = p[13] & 1,
        .old_state = p[14],
        .new_wait_ticks = etwc_load_u32(p + 16),
    };
    return true;
}

ETWC_NODISCARD static inline bool
etwc_frequent_ready(const etwc_event *event, etwc_kernel_ready *out)
{
    enum { VERSION = 2, BYTES = 8 };
    const uint8_t *p = event->payload;
    if (event->payload_size != BYTES || event->version != VERSION)
        return false;
    *out = (etwc_kernel_ready){
        .thread_id = etwc_load_u32(p),
        .adjust_reason = (int8_t)p[4],
        .adjust_increment = (int8_t)p[5],
        .flag = (int8_t)p[6],
    };
    return true;
}

ETWC_NODISCARD static inline bool
etwc_frequent_sample(const etwc_event *event, etwc_kernel_sample *out)
{
    enum { VERSION = 2, BYTES = 16 };
    const uint8_t *p = event->payload;
    if (event->payload_size != BYTES || event->version != VERSION ||
        event->pointer_size != 8)
        return false;
    *out = (etwc_kernel_sample){
        .instruction_pointer = etwc_load_u64(p),
        .thread_id = etwc_load_u32(p + 8),
        .count = etwc_load_u16(p + 12),
        .flags = p[14],
    };
    return true;
}

ETWC_NODISCARD static inline bool
etwc_frequent_dpc(const etwc_event *event, etwc_kernel_interrupt *out)
{
    enum { FIRST = 1, LAST = 2, BYTES = 16 };
    const uint8_t *p = event->payload;
    if (event->payload_size != BYTES || event->version < FIRST ||
        event->version > LAST || event->pointer_size != 8)
        return false;
    *out = (etwc_kernel_interrupt){
        .initial_raw_time = etwc_load_i64(p),
        .routine = etwc_load_u64(p + 8),
    };
    return true;
}

#endif
