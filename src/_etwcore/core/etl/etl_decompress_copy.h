/*
 * The copy of a match that decoders use away from the ends of their output.
 */
#ifndef ETL_DECOMPRESS_COPY_H
#define ETL_DECOMPRESS_COPY_H

#include "etwc_base.h"

enum { COPY_STEP = 32 };

/* Copies `length` bytes from `distance` bytes before `out`, and up to COPY_STEP - 1
 * bytes more. Copies overlap when the distance is short: then the bytes repeat. */
static inline void
copy_in_steps(uint8_t *out, size_t distance, size_t length)
{
    const uint8_t *from = out - distance;
    uint8_t *end = out + length;
    if (ETWC_LIKELY(distance >= 16)) {
        do {
            memcpy(out, from, 16);
            memcpy(out + 16, from + 16, 16);
            out += 32;
            from += 32;
        } while (out < end);
        return;
    }
    if (distance < 8) {
        /* The smallest multiple of the distance that is 8 or more. */
        static const uint8_t wide[8] = {0, 8, 8, 9, 8, 10, 12, 14};
        for (unsigned i = 0; i < 8; i++)
            out[i] = from[i];
        out += 8;
        from = out - wide[distance];
    }
    while (out < end) {
        memcpy(out, from, 8);
        memcpy(out + 8, from + 8, 8);
        out += 16;
        from += 16;
    }
}

#endif
