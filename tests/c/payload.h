/* Builds payloads field by field, as the tables of the document list them. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include "etwc_event.h"
#include "etwc_provider.h"
#include "harness.h"

typedef struct payload {
    uint8_t bytes[2048];
    size_t size;
    uint8_t pointer_size;
} payload;

static inline void
put(payload *p, uint64_t value, size_t size)
{
    CHECK(p->size + size <= sizeof p->bytes);
    for (size_t i = 0; i < size; i++)
        p->bytes[p->size++] = (uint8_t)(value >> (8 * i));
}

static inline void
put_pointer(payload *p, uint64_t value)
{
    put(p, value, p->pointer_size);
}

/* Zero-terminated 8-bit text. */
static inline void
put_text8(payload *p, const char *text)
{
    do
        put(p, (uint8_t)*text, 1);
    while (*text++ != '\0');
}

/* Zero-terminated UTF-16 text. */
static inline void
put_text16(payload *p, const char *text)
{
    do
        put(p, (uint8_t)*text, 2);
    while (*text++ != '\0');
}

/* S-1-5-18 */
static inline void
put_sid(payload *p)
{
    static const uint8_t sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    for (size_t i = 0; i < sizeof sid; i++)
        put(p, sid[i], 1);
}

static inline etwc_event
event_of(const payload *p, uint8_t kernel_class, uint8_t opcode, uint8_t version)
{
    return (etwc_event){
        .payload = p->bytes,
        .payload_size = (uint32_t)p->size,
        .extended = p->bytes,
        .pointer_size = p->pointer_size,
        .kernel_class = kernel_class,
        .opcode = opcode,
        .id = opcode, /* what tells events of manifest providers apart */
        .version = version,
        .process_id = ETWC_NO_ID,
        .thread_id = ETWC_NO_ID,
        .running_thread_id = ETWC_NO_ID,
    };
}

#endif
