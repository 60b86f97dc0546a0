/*
 * From the session clock of a trace to FILETIME and Unix time.
 *
 * FILETIME = start + floor((raw - raw_base) * 10^7 / frequency), in integers
 * only: doubles and rounding are wrong for about half of all stamps.
 */
#ifndef ETWC_CLOCK_H
#define ETWC_CLOCK_H

#include "etwc_base.h"

/* 1601-01-01 to 1970-01-01 in units of 100 ns. */
#define ETWC_UNIX_EPOCH_100NS INT64_C(116444736000000000)
#define ETWC_100NS_PER_SECOND INT64_C(10000000)

typedef struct etwc_clock {
    int64_t raw_base;     /* session clock at the header event */
    int64_t start_100ns;  /* FILETIME of the header event */
    int64_t frequency_hz; /* ticks per second; never <= 0 after init */
    bool is_filetime;     /* raw stamps are FILETIME already */
    bool is_broken;       /* the file gave no usable frequency */
    /* FILETIME = start + ticks * multiplier / divisor without any overflow for
     * ticks after the base and below the limit, which are nearly all. */
    uint64_t fast_limit, multiplier, divisor;
    bool is_100ns; /* multiplier and divisor are 1 */
} etwc_clock;

/* A frequency <= 0 makes a broken clock, which answers start for every stamp. */
void etwc_clock_init(etwc_clock *clock, int64_t raw_base, int64_t start_100ns,
                     int64_t frequency_hz, bool is_filetime);

/* Session clock to FILETIME, for every stamp; saturates instead of wrapping. */
int64_t etwc_clock_filetime_of_any(const etwc_clock *clock, int64_t raw);

/* The same; inline, for it is asked for every event. */
static inline int64_t
etwc_clock_filetime(const etwc_clock *clock, int64_t raw)
{
    uint64_t ticks = (uint64_t)raw - (uint64_t)clock->raw_base;
    if (ETWC_UNLIKELY(ticks >= clock->fast_limit))
        return etwc_clock_filetime_of_any(clock, raw);
    /* A flag, because compilers see that dividing by 1 changes nothing, and then
     * divide every time. */
    uint64_t span =
        clock->is_100ns ? ticks : ticks * clock->multiplier / clock->divisor;
    return clock->start_100ns + (int64_t)span;
}

/* The smallest raw stamp whose FILETIME is >= the given one; saturates. */
int64_t etwc_clock_raw(const etwc_clock *clock, int64_t filetime);
/* Length of a span of ticks in ns; truncates toward zero and saturates. */
int64_t etwc_clock_span_ns(const etwc_clock *clock, int64_t ticks);
/* Milliseconds from the header event, as PerfView shows them. */
double etwc_clock_relative_ms(const etwc_clock *clock, int64_t raw);
/* FILETIME to Unix ns; saturates. */
int64_t etwc_clock_unix_ns(int64_t filetime);

#endif
